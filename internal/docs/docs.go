// Command docs writes the documents that are made from the code: `go run ./internal/docs wire` is docs/WIRE.md,
// `go run ./internal/docs bounds` the table of the README. A test holds the committed files against it.
package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"concord/actors/bound"
	"concord/actors/bulk"
	"concord/actors/collection"
	"concord/actors/editsession"
	"concord/actors/lock"
	"concord/actors/lookup"
	"concord/internal/config"
	"concord/transport/cmr"
	"concord/transport/dossier"
	"concord/transport/folio"
	"concord/transport/kinvey"
	"concord/transport/operations"
	"concord/transport/schema"
	"concord/transport/sheet"
)

func main() {
	text, err := document(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Print(text)
}

// bounds is the table of what bounds something that is not set for a service.
func bounds(of string, rows []bound.Bound) string {
	var b strings.Builder
	b.WriteString("\n" + of + ":\n\n| bound | default | range | what it bounds |\n|---|---|---|---|\n")
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", row.Name, row.Default, cmp.Or(row.Range, "fixed"), row.Doc)
	}
	return b.String()
}

func document(args []string) (string, error) {
	switch {
	case len(args) == 1 && args[0] == "wire":
		s := &operations.Service{}
		table := s.Table()
		aliases := slices.Concat(dossier.Aliases(table), kinvey.Aliases(table, s.Timed()), cmr.Aliases(table, s.BulkWords(), cmr.DefaultLimits),
			folio.Aliases(table, s.BulkWords()))
		return string(schema.Wire(table, aliases, config.Default().Subject.Prefix)), nil
	case len(args) == 1 && args[0] == "bounds":
		return config.Markdown() + bounds("Of locks; a collection type may set those that have a range", lock.Bounds()) +
			bounds("Of conflicts, merges and schemas", collection.Bounds()) + bounds("Of bulk updates", bulk.Bounds()) +
			bounds("Of bulk edit sessions", slices.Concat(editsession.Bounds(), sheet.Bounds())) +
			bounds("Of keys and indexes", lookup.Bounds()), nil
	default:
		return "", fmt.Errorf("usage: go run ./internal/docs wire|bounds")
	}
}
