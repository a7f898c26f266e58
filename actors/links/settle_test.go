package links_test

import (
	"fmt"
	"strings"
	"testing"

	"concord/actors/links"
)

// world are the authorities and sources of a test.
type world struct {
	authorities map[string]links.Authority
	sources     map[string]links.Source
	unasked     map[string]bool
}

func (w *world) ask(id string) (links.Known, bool) {
	a := w.authorities[id]
	return links.Known{Authority: a, Source: w.sources[a.Source]}, !w.unasked[id]
}

func heading(t *testing.T, tag string, subfields ...string) links.Heading {
	t.Helper()
	h, p := links.HeadingOf([]byte(authorityRecord(tag, subfields...)), "")
	if p != nil {
		t.Fatal(p)
	}
	return h
}

func authorityRecord(tag string, subfields ...string) string { return record(field(tag, subfields...)) }

// field is a MARC field: tag, then "a=text" for each subfield.
func field(tag string, subfields ...string) string {
	var list []string
	for _, s := range subfields {
		code, value, _ := strings.Cut(s, "=")
		list = append(list, fmt.Sprintf(`{"%s":"%s"}`, code, value))
	}
	return fmt.Sprintf(`{"%s": {"ind1": "1", "ind2": " ", "subfields": [%s]}}`, tag, strings.Join(list, ","))
}

func record(fields ...string) string {
	return `{"leader": "00000nam a2200000 a 4500", "fields": [{"001": "x"}, ` + strings.Join(fields, ", ") + `]}`
}

// library has two sources and an authority of each.
func library(t *testing.T) *world {
	return &world{
		sources: map[string]links.Source{
			"names":    {ID: "names", BaseURL: "http://id/names/", Revision: 3},
			"subjects": {ID: "subjects", BaseURL: "http://id/subjects/", Revision: 1},
		},
		authorities: map[string]links.Authority{
			"davis": {ID: "davis", Source: "names", NaturalID: "n1", Revision: 2, HeadingAt: 2, Heading: heading(t, "100", "a=Davis, Miles,", "d=1926-1991")},
			"jazz":  {ID: "jazz", Source: "subjects", NaturalID: "s7", Revision: 1, Heading: heading(t, "150", "a=Jazz")},
			"title": {ID: "title", Source: "names", NaturalID: "n9", Revision: 1, Heading: heading(t, "100", "a=Davis, Miles", "t=Kind of blue")},
			"gone":  {ID: "gone", Source: "names", NaturalID: "n0", Revision: 4, Deleted: true},
		},
	}
}

func read(t *testing.T, body string) *links.Document {
	t.Helper()
	d, p := links.Read([]byte(body), links.MARC, links.DefaultRules, "/documents/d")
	if p != nil {
		t.Fatal(p)
	}
	return d
}

// linked is the record as the service stores it, and its table.
func (w *world) linked(t *testing.T, body string) (string, links.Table) {
	t.Helper()
	d := read(t, body)
	s, p := (&links.Written{New: d}).Settle(w.ask, links.DefaultRules, true)
	if p != nil || len(s.Missing) > 0 {
		t.Fatal(p, s.Missing)
	}
	out, _ := d.Rewrite(s.Effects)
	return string(out), s.Table
}

// TestWritten: what becomes of the links of a record that a user writes over another one.
func TestWritten(t *testing.T) {
	w := library(t)
	w.unasked = map[string]bool{"unasked": true}
	davis := field("100", "a=Davis, Miles,", "d=1926-1991", "0=http://id/names/n1", "9=davis")
	for name, c := range map[string]struct {
		old, new string // fields; old "": there was no document
		accept   bool
		want     string // fields of what is stored; "": as sent
		refused  string
		table    string
	}{
		"a new link gets its URI":                         {new: field("650", "a=Jazz", "9=jazz"), want: field("650", "a=Jazz", "0=http://id/subjects/s7", "9=jazz"), table: "jazz@1 subjects@1 [650]"},
		"a new link's own URI is no matter":               {new: field("650", "a=Jazz", "0=x", "9=jazz"), want: field("650", "a=Jazz", "0=http://id/subjects/s7", "9=jazz"), table: "jazz@1 subjects@1 [650]"},
		"a kept link stays":                               {old: davis, new: davis, table: "davis@2 names@3 [100]"},
		"a kept link whose URI is gone gets it back":      {old: davis, new: field("100", "a=Davis, Miles,", "d=1926-1991", "9=davis"), want: davis, table: "davis@2 names@3 [100]"},
		"a kept link with an older base URL is set right": {old: davis, new: field("100", "a=Davis, Miles,", "d=1926-1991", "0=http://old/n1", "9=davis"), want: davis, table: "davis@2 names@3 [100]"},
		"a kept link with another URI is one no more":     {old: davis, new: field("100", "a=Davis, Miles,", "d=1926-1991", "0=http://viaf/77", "9=davis"), want: field("100", "a=Davis, Miles,", "d=1926-1991", "0=http://viaf/77"), table: ""},
		"a subfield that is not controlled is the user's": {old: davis, new: field("100", "a=Davis, Miles,", "d=1926-1991", "e=trumpet", "0=http://id/names/n1", "9=davis"), table: "davis@2 names@3 [100]"},
		"the text of a kept link is not":                  {old: davis, new: field("100", "a=Davies, Miles,", "d=1926-1991", "0=http://id/names/n1", "9=davis"), refused: "/documents/d/fields/1/100"},
		"a removed controlled subfield is a change, too":  {old: davis, new: field("100", "a=Davis, Miles,", "0=http://id/names/n1", "9=davis"), refused: "/documents/d/fields/1/100"},
		"who unlinks may write what he likes":             {old: davis, new: field("100", "a=Davies, Miles"), table: ""},
		"a field that moves is the same link":             {old: davis, new: field("245", "a=Kind of blue") + ", " + davis, table: "davis@2 names@3 [100]"},
		"a second field to the same authority":            {old: davis, new: davis + ", " + field("700", "a=Miles", "9=davis"), want: davis + ", " + field("700", "a=Miles", "0=http://id/names/n1", "9=davis"), table: "davis@2 names@3 [100 700]"},
		"the last field of an authority goes":             {old: davis, new: field("245", "a=x"), table: ""},
		"the other of two fields with other words stays":  {old: field("650", "a=Jazz", "9=jazz") + ", " + field("650", "a=Jazz music", "9=jazz"), new: field("650", "a=Jazz music", "0=http://id/subjects/s7", "9=jazz"), table: "jazz@1 subjects@1 [650]"},
		"two fields with other words change places": {old: field("650", "a=Jazz", "9=jazz") + ", " + field("650", "a=Jazz music", "9=jazz"),
			new: field("650", "a=Jazz music", "0=http://id/subjects/s7", "9=jazz") + ", " + field("650", "a=Jazz", "0=http://id/subjects/s7", "9=jazz"), table: "jazz@1 subjects@1 [650 650]"},
		"the words of one of two are not the user's": {old: field("650", "a=Jazz", "9=jazz") + ", " + field("650", "a=Jazz music", "9=jazz"),
			new: field("650", "a=Jazz", "9=jazz") + ", " + field("650", "a=Jass", "9=jazz"), refused: "/documents/d/fields/2/650"},
		"to nobody":                                           {new: field("650", "a=Jazz", "9=nobody"), refused: "/documents/d/fields/1/650"},
		"to one that was deleted":                             {new: field("700", "a=x", "9=gone"), refused: "/documents/d/fields/1/700"},
		"to nobody, where the type accepts it":                {accept: true, new: field("650", "a=Jazz", "0=x", "9=nobody"), table: "nobody@0 @0 [650]"},
		"a subject is no person":                              {new: field("700", "a=Jazz", "9=jazz"), refused: "/documents/d/fields/1/700"},
		"a name-title heading is no 100":                      {new: field("100", "a=Davis, Miles", "9=title"), refused: "/documents/d/fields/1/100"},
		"but a 240 is one":                                    {new: field("240", "a=Kind of blue", "9=title"), want: field("240", "a=Kind of blue", "0=http://id/names/n9", "9=title"), table: "title@1 names@3 [240]"},
		"one that is not known yet is asked for":              {new: field("650", "a=Jazz", "9=unasked"), table: "missing unasked"},
		"a field that no rule is about has a 9 of its own":    {new: field("949", "a=shelf", "9=nobody"), table: ""},
		"a field that waits is the user's until it is a link": {accept: true, old: field("650", "a=Jass", "9=nobody"), new: field("650", "a=Jazz", "9=nobody"), table: "nobody@0 @0 [650]"},
	} {
		t.Run(name, func(t *testing.T) {
			written := links.Written{New: read(t, record(c.new)), Path: "/documents/d"}
			if c.old != "" {
				var old string
				old, written.Kept = w.linked(t, record(c.old))
				written.Old = read(t, old)
			}
			s, p := written.Settle(w.ask, links.DefaultRules, c.accept)
			if c.refused != "" {
				if p == nil || len(p.Errors) == 0 || !strings.HasPrefix(p.Errors[0].Path, c.refused) {
					t.Errorf("refused %v, not at %s", p, c.refused)
				}
				return
			}
			if p != nil {
				t.Fatal(p)
			}
			if got := described(s); got != c.table {
				t.Errorf("the table is %q, not %q", got, c.table)
			}
			if len(s.Missing) > 0 {
				return
			}
			want := c.want
			if want == "" {
				want = c.new
			}
			if body, _ := written.New.Rewrite(s.Effects); string(body) != record(want) {
				t.Errorf("stored\n%s\nnot\n%s", body, record(want))
			}
		})
	}
}

// described is a table in short.
func described(s links.Settled) string {
	var all []string
	for i := range s.Table.Entries {
		e := &s.Table.Entries[i]
		all = append(all, fmt.Sprintf("%s@%d %s@%d %v", e.Authority, e.Revision, e.Source, s.Table.Source(e.Source).Revision, e.Fields))
	}
	for _, m := range s.Missing {
		all = append(all, "missing "+m)
	}
	return strings.Join(all, ", ")
}
