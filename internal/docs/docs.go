// Command docs writes the documents that are made from the code: `go run ./internal/docs wire` is docs/WIRE.md,
// `go run ./internal/docs bounds` the table of the README. A test holds the committed files against it.
package main

import (
	"fmt"
	"os"

	"concord/internal/config"
	"concord/transport/dossier"
	"concord/transport/operations"
	"concord/transport/schema"
)

func main() {
	text, err := document(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Print(text)
}

func document(args []string) (string, error) {
	switch {
	case len(args) == 1 && args[0] == "wire":
		table := (&operations.Service{}).Table()
		return string(schema.Wire(table, dossier.Aliases(table), config.Default().Subject.Prefix)), nil
	case len(args) == 1 && args[0] == "bounds":
		return config.Markdown(), nil
	default:
		return "", fmt.Errorf("usage: go run ./internal/docs wire|bounds")
	}
}
