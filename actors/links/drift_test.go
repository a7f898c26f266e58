package links_test

import (
	"strings"
	"testing"

	"concord/actors/links"
)

// verified is a record after an audit.
func (w *world) verified(t *testing.T, body string, table *links.Table, b links.Brought) (string, links.Relinked) {
	t.Helper()
	d := read(t, body)
	r, missing := links.Verify(d, table, b, w.ask, links.DefaultRules)
	if len(missing) > 0 {
		t.Fatal(missing)
	}
	out, _ := d.Rewrite(r.Effects)
	return string(out), r
}

// TestAnAuditLeavesNoTableThatLies: what an audit of one authority says of the source holds for all links to it, whichever
// comes first in the record.
func TestAnAuditLeavesNoTableThatLies(t *testing.T) {
	for name, order := range map[string][]string{"audited first": {"davis", "evans"}, "audited last": {"evans", "davis"}} {
		t.Run(name, func(t *testing.T) {
			w := library(t)
			w.authorities["evans"] = links.Authority{ID: "evans", Source: "names", NaturalID: "n2", Revision: 1, Heading: heading(t, "100", "a=Evans, Bill")}
			text := map[string]string{"davis": "a=Davis, Miles,", "evans": "a=Evans, Bill"}
			natural := map[string]string{"davis": "n1", "evans": "n2"}
			show := func(base string) string {
				var fields []string
				for _, id := range order {
					fields = append(fields, field("700", text[id], "0="+base+natural[id], "9="+id))
				}
				return record(fields...)
			}
			body, table := w.linked(t, show("http://id/names/"))
			davis := w.authorities["davis"]
			davis.HeadingAt = 0 // its text is none of this
			w.authorities["davis"] = davis
			newURL := links.Source{ID: "names", BaseURL: "https://new.example/", Revision: 4}
			w.sources["names"] = newURL
			body, r := w.verified(t, body, &table, links.Brought{Source: &newURL, Authority: &davis})
			for _, e := range r.Table.Entries {
				source := r.Table.Source(e.Source)
				if uri := source.URI(e.NaturalID); !strings.Contains(body, `{"0":"`+uri+`"}`) && !strings.Contains(body, `{"0": "`+uri+`"}`) {
					t.Errorf("the table says that %s shows %s: %s", e.Authority, uri, body)
				}
			}
			done := links.Relink(read(t, body), &r.Table, links.Brought{Source: &newURL}, links.DefaultRules)
			out, _ := read(t, body).Rewrite(done.Effects)
			if string(out) != show("https://new.example/") {
				t.Errorf("after the job of the new base URL: %s", out)
			}
		})
	}
}

// TestAnAuditOfADeletedAuthorityUnlinks: links that its deletion did not reach.
func TestAnAuditOfADeletedAuthorityUnlinks(t *testing.T) {
	w := library(t)
	body, table := w.linked(t, record(field("650", "a=Jazz", "0=http://id/subjects/s7", "9=jazz")))
	gone := moved(w.authorities["jazz"], func(a *links.Authority) { a.Deleted, a.UnlinkedAt = true, 2 })
	subjects := w.sources["subjects"]
	for name, known := range map[string]links.Authority{"as it is stored": *gone, "as good as none": {}} {
		w.authorities["jazz"] = known
		got, r := w.verified(t, body, &table, links.Brought{Source: &subjects, Authority: gone})
		if want := record(field("650", "a=Jazz", "0=http://id/subjects/s7")); got != want || len(r.Table.Entries) > 0 {
			t.Errorf("%s: %s, table %+v", name, got, r.Table)
		}
	}
}

// TestAMoveThatNoByteShows: an authority whose URI stays as it is when it moves to another source follows that one from then
// on, and not the one that it has left.
func TestAMoveThatNoByteShows(t *testing.T) {
	w := library(t)
	w.sources["names"] = links.Source{ID: "names", Revision: 1}
	local := links.Source{ID: "local", Revision: 1}
	body, table := w.linked(t, record(field("700", "a=Davis, Miles,", "0=n1", "9=davis")))
	davis := moved(w.authorities["davis"], func(a *links.Authority) { a.Source = "local" })
	r := links.Relink(read(t, body), &table, links.Brought{Source: &local, Authority: davis}, links.DefaultRules)
	out, _ := read(t, body).Rewrite(r.Effects)
	if string(out) != body {
		t.Fatalf("stored %s", out)
	}
	if !r.Begun {
		t.Error("nobody would store that the link follows another source now")
	}
}

// TestRestoredLinksWait: what has waited for its authority when it was stored waits again, where the type accepts it.
func TestRestoredLinksWait(t *testing.T) {
	w := library(t)
	waiting := record(field("700", "a=Hall", "9=hall"))
	for name, c := range map[string]struct {
		body        string
		accept      bool
		want, table string
	}{
		"accepted":                  {waiting, true, waiting, "hall@0 @0 [700]"},
		"not accepted":              {waiting, false, record(field("700", "a=Hall")), ""},
		"one that was deleted ends": {record(field("700", "a=x", "9=gone")), true, record(field("700", "a=x")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			written := links.Written{New: read(t, c.body)}
			s := written.Restore(w.ask, links.DefaultRules, c.accept)
			if got := described(s); got != c.table {
				t.Errorf("the table is %q, not %q", got, c.table)
			}
			if body, _ := written.New.Rewrite(s.Effects); string(body) != c.want {
				t.Errorf("stored %s", body)
			}
		})
	}
}
