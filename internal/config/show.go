package config

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Shown is a setting as Show prints it, without secrets.
type Shown struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

// Shown are all settings in the order of the table.
func (c *Config) Shown() []Shown {
	var all []Shown
	for _, s := range table(c) {
		all = append(all, Shown{s.Key, s.value.mask(s.value.show()), c.Origin(s.Key)})
	}
	return all
}

// Show writes every setting with its value and where that came from, as "table" or "json".
func (c *Config) Show(w io.Writer, format string) error {
	switch format {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(c.Shown())
	case "table":
		t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		fmt.Fprintln(t, "KEY\tVALUE\tORIGIN") //nolint:errcheck // Flush tells
		for _, s := range c.Shown() {
			fmt.Fprintf(t, "%s\t%s\t%s\n", s.Key, orNone(s.Value), s.Origin) //nolint:errcheck // Flush tells
		}
		return t.Flush()
	default:
		return fmt.Errorf("unknown format %q: table or json", format)
	}
}

func orNone(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// Markdown is the table of all settings for the README.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| setting | default | range | what it is or bounds |\n|---|---|---|---|\n")
	for _, s := range Settings() {
		standard := orNone(s.Default())
		if standard != "-" {
			standard = "`" + standard + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Key, standard, strings.ReplaceAll(s.Range(), "|", `\|`), s.Doc)
	}
	return b.String()
}
