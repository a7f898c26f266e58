package links_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"concord/actors/links"
)

// moved is an authority after a change.
func moved(a links.Authority, change func(*links.Authority)) *links.Authority {
	a.Revision++
	change(&a)
	return &a
}

var scopes = map[links.Scope]string{links.Elsewhere: "-", links.Same: "same", links.Newer: "newer", links.Older: "older"}

// TestRelink: each effect of semantics section 5 on one record, and that it is the same when it comes twice.
func TestRelink(t *testing.T) {
	w := library(t)
	davis, jazz := w.authorities["davis"], w.authorities["jazz"]
	before := []string{
		field("100", "a=Davis, Miles,", "d=1926-1991", "e=trumpet", "0=http://id/names/n1", "9=davis"),
		field("245", "a=Kind of blue"),
		field("650", "a=Jazz", "x=History", "0=http://id/subjects/s7", "9=jazz"),
	}
	names := w.sources["names"]
	newURL := links.Source{ID: "names", BaseURL: "https://new.example/n/", Revision: 4}
	for name, c := range map[string]struct {
		bring  links.Brought
		fields map[int]string // that differ
		scopes string
		table  string
	}{
		"a new base URL": {links.Brought{Source: &newURL},
			map[int]string{0: field("100", "a=Davis, Miles,", "d=1926-1991", "e=trumpet", "0=https://new.example/n/n1", "9=davis")},
			"older -", "davis@2 names@4 [100], jazz@1 subjects@1 [650]"},
		"the base URL that it shows": {links.Brought{Source: &names}, nil, "same -", "davis@2 names@3 [100], jazz@1 subjects@1 [650]"},
		"an older base URL":          {links.Brought{Source: &links.Source{ID: "names", BaseURL: "x", Revision: 2}}, nil, "newer -", "davis@2 names@3 [100], jazz@1 subjects@1 [650]"},
		"no base URL": {links.Brought{Source: &links.Source{ID: "names", Revision: 5}},
			map[int]string{0: field("100", "a=Davis, Miles,", "d=1926-1991", "e=trumpet", "0=n1", "9=davis")},
			"older -", "davis@2 names@5 [100], jazz@1 subjects@1 [650]"},
		"a new natural id": {links.Brought{Source: &names, Authority: moved(davis, func(a *links.Authority) { a.NaturalID = "n2" })},
			map[int]string{0: field("100", "a=Davis, Miles,", "d=1926-1991", "e=trumpet", "0=http://id/names/n2", "9=davis")},
			"older -", "davis@3 names@3 [100], jazz@1 subjects@1 [650]"},
		"a new heading": {links.Brought{Source: &names, Authority: moved(davis, func(a *links.Authority) {
			a.Heading, a.HeadingAt = heading(t, "100", "a=Davis, Miles Dewey,", "q=Miles Dewey"), 3
		})},
			map[int]string{0: field("100", "a=Davis, Miles Dewey,", "q=Miles Dewey", "e=trumpet", "0=http://id/names/n1", "9=davis")},
			"older -", "davis@3 names@3 [100], jazz@1 subjects@1 [650]"},
		"another type of heading": {links.Brought{Source: &names, Authority: moved(davis, func(a *links.Authority) {
			a.Heading, a.UnlinkedAt = heading(t, "110", "a=Davis, Miles"), 3
		})},
			map[int]string{0: field("100", "a=Davis, Miles,", "d=1926-1991", "e=trumpet", "0=http://id/names/n1")},
			"older -", "jazz@1 subjects@1 [650]"},
		"deleted": {links.Brought{Source: &names, Authority: moved(davis, func(a *links.Authority) { a.Deleted, a.UnlinkedAt = true, 3 })},
			map[int]string{0: field("100", "a=Davis, Miles,", "d=1926-1991", "e=trumpet", "0=http://id/names/n1")},
			"older -", "jazz@1 subjects@1 [650]"},
		"to another source": {links.Brought{Source: &links.Source{ID: "local", BaseURL: "http://local/", Revision: 1},
			Authority: moved(davis, func(a *links.Authority) { a.Source = "local" })},
			map[int]string{0: field("100", "a=Davis, Miles,", "d=1926-1991", "e=trumpet", "0=http://local/n1", "9=davis")},
			"older -", "davis@3 local@1 [100], jazz@1 subjects@1 [650]"},
		"to a source that the record shows with another base URL": {links.Brought{Source: &links.Source{ID: "subjects", BaseURL: "http://later/", Revision: 2},
			Authority: moved(davis, func(a *links.Authority) { a.Source = "subjects" })},
			map[int]string{0: field("100", "a=Davis, Miles,", "d=1926-1991", "e=trumpet", "0=http://id/subjects/n1", "9=davis")},
			"older -", "davis@3 subjects@1 [100], jazz@1 subjects@1 [650]"},
		"what a superseded job would have brought comes with the next": {links.Brought{Source: &names, Authority: moved(davis, func(a *links.Authority) {
			a.Revision, a.NaturalID, a.Heading, a.HeadingAt = 9, "n2", heading(t, "100", "a=Miles"), 5
		})},
			map[int]string{0: field("100", "a=Miles", "e=trumpet", "0=http://id/names/n2", "9=davis")},
			"older -", "davis@9 names@3 [100], jazz@1 subjects@1 [650]"},
		"another one's heading": {links.Brought{Source: &names, Authority: moved(jazz, func(a *links.Authority) { a.ID = "other" })}, nil, "- -",
			"davis@2 names@3 [100], jazz@1 subjects@1 [650]"},
		"a heading that grows by a subfield that no rule is about": {links.Brought{Source: &links.Source{ID: "subjects", BaseURL: "http://id/subjects/", Revision: 1},
			Authority: moved(jazz, func(a *links.Authority) { a.Heading, a.HeadingAt = heading(t, "150", "a=Jazz", "x=Theory"), 2 })},
			nil, "- older", "davis@2 names@3 [100], jazz@2 subjects@1 [650]"},
	} {
		t.Run(name, func(t *testing.T) {
			body, table := w.linked(t, record(before...))
			for round := range 2 {
				d := read(t, body)
				r := links.Relink(d, &table, c.bring, links.DefaultRules)
				out, _ := d.Rewrite(r.Effects)
				want := slices.Clone(before)
				for i, f := range c.fields {
					want[i] = f
				}
				if string(out) != record(want...) {
					t.Errorf("round %d: stored\n%s\nnot\n%s", round, out, record(want...))
				}
				var got []string
				for _, s := range r.Scopes {
					got = append(got, scopes[s])
				}
				if round == 0 && strings.Join(got, " ") != c.scopes {
					t.Errorf("scopes %v, not %s", got, c.scopes)
				}
				if got := described(links.Settled{Table: r.Table}); got != c.table {
					t.Errorf("round %d: the table is %q, not %q", round, got, c.table)
				}
				body, table = string(out), r.Table
			}
		})
	}
}

// TestChangesInAnyOrder: changes of different causes end in the same record, whichever comes first, and however often.
func TestChangesInAnyOrder(t *testing.T) {
	w := library(t)
	davis := w.authorities["davis"]
	newURL := links.Source{ID: "names", BaseURL: "https://new.example/n/", Revision: 4}
	old := w.sources["names"]
	second := moved(davis, func(a *links.Authority) { a.NaturalID = "n2" })
	third := moved(*second, func(a *links.Authority) { a.Heading, a.HeadingAt = heading(t, "100", "a=Miles"), 4 })
	brought := []links.Brought{{Source: &newURL}, {Source: &old, Authority: second}, {Source: &old, Authority: third}, {Source: &newURL, Authority: third}}
	body, table := w.linked(t, record(field("100", "a=Davis, Miles,", "d=1926-1991", "0=http://id/names/n1", "9=davis"), field("700", "a=Davis", "9=davis")))
	want := ""
	for n := range 24 * 4 {
		now, kept := body, table
		for _, i := range order(n) {
			d := read(t, now)
			r := links.Relink(d, &kept, brought[i], links.DefaultRules)
			out, _ := d.Rewrite(r.Effects)
			now, kept = string(out), r.Table
		}
		now += fmt.Sprint(kept)
		if want == "" {
			want = now
		}
		if now != want {
			t.Fatalf("order %v ends in\n%s\nnot\n%s", order(n), now, want)
		}
	}
}

// order is the nth order of four things, with one of them once more at the end.
func order(n int) []int {
	left, out := []int{0, 1, 2, 3}, []int(nil)
	again := n % 4
	n /= 4
	for k := 4; k > 0; k-- {
		i := n % k
		n /= k
		out, left = append(out, left[i]), slices.Delete(slices.Clone(left), i, i+1)
	}
	return append(out, again)
}
