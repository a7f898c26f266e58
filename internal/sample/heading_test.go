package sample

import (
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"concord/internal/marc"
	"github.com/google/go-cmp/cmp"
)

// used counts the headings in the first n records, as "1XX $a...": the tag and subfields that their
// authority has. The relator is no part of a heading.
func used(c Catalogue, n int) (names, subjects map[string]int) {
	names, subjects = map[string]int{}, map[string]int{}
	for i := range n {
		for _, f := range c.Bib(i).Fields {
			switch f.Tag {
			case "100", "110", "700", "710":
				names[spelled("1"+f.Tag[1:], f.Subfields)]++
			case "650", "651":
				subjects[spelled("1"+f.Tag[1:], f.Subfields)]++
			}
		}
	}
	return names, subjects
}

func spelled(tag string, subfields []marc.Subfield) string {
	var b strings.Builder
	b.WriteString(tag)
	for _, s := range subfields {
		if s.Code != '4' {
			b.WriteString(" $" + string(s.Code) + s.Value)
		}
	}
	return b.String()
}

// established returns the headings of the first n authorities, from the records themselves.
func established(t *testing.T, authority func(int) Authority, n int) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for rank := range n {
		a := authority(rank)
		i := slices.IndexFunc(a.Record.Fields, func(f marc.Field) bool { return f.Tag == a.Tag })
		if i < 0 || a.Record.ControlNumber() != a.NaturalID {
			t.Fatalf("record of %s: no %s, or another 001: %v", a.NaturalID, a.Tag, a.Record)
		}
		if err := a.Record.Check(); err != nil {
			t.Fatal(err)
		}
		all[spelled(a.Tag, a.Record.Fields[i].Subfields)] = true
	}
	if len(all) != n {
		t.Errorf("%d authorities have %d headings", n, len(all))
	}
	return all
}

// Every heading of a catalogue has an authority, and every authority is used.
func TestHeadingsHaveAuthorities(t *testing.T) {
	c := New(42)
	for _, bibs := range []int{0, 1, 2, 63, 64, 65, 66, 67, 1000, 4001} {
		names, subjects := used(c, bibs)
		for what, pair := range map[string][2]map[string]bool{
			"names":    {established(t, c.Name, NamesIn(bibs)), keys(names)},
			"subjects": {established(t, c.Subject, SubjectsIn(bibs)), keys(subjects)},
		} {
			if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
				t.Errorf("%s of %d bibs: authorities - headings +\n%s", what, bibs, diff)
			}
		}
	}
}

func keys(counts map[string]int) map[string]bool {
	set := map[string]bool{}
	for k := range maps.Keys(counts) {
		set[k] = true
	}
	return set
}

func TestHeadingsAreDifferent(t *testing.T) {
	for _, seed := range []uint64{0, 1, math.MaxUint64} {
		c := New(seed)
		for what, row := range map[string]struct {
			heading func(int) heading
			most    int
		}{"names": {c.name, NamesMax()}, "subjects": {c.subject, SubjectsMax()}} {
			seen := make(map[string]int, 120_000)
			for i := range 120_000 {
				rank := i
				if i >= 100_000 {
					rank = row.most - 1 - (i - 100_000)
				}
				h := row.heading(rank)
				text := spelled(h.tag, h.subfields)
				if other, there := seen[text]; there {
					t.Fatalf("seed %d: %s %d and %d are both %q", seed, what, other, rank, text)
				}
				seen[text] = rank
			}
		}
	}
}

// The parts of a name can be told apart, and so different parts make different names.
func TestNamePartsArePrefixFree(t *testing.T) {
	for what, list := range map[string][]string{"onsets": onsets, "middles": middles, "endings": endings, "place endings": placeEndings} {
		for i, a := range list {
			for j, b := range list {
				if i != j && strings.HasPrefix(a, b) {
					t.Errorf("%s: %q begins with %q", what, a, b)
				}
			}
		}
	}
}

// A few headings are in very many records, and most in few: rank times uses is about the same for all.
func TestHeadingsFollowZipf(t *testing.T) {
	const n = 20_000
	names, subjects := used(New(1), n)
	for what, counts := range map[string]map[string]int{"names": names, "subjects": subjects} {
		byUse := slices.Sorted(maps.Values(counts))
		slices.Reverse(byUse)
		total := 0
		for _, uses := range byUse {
			total += uses
		}
		top := byUse[0]
		t.Logf("%s: %d headings used %d times, the first %d, the 10th %d, the 100th %d, the middle one %d",
			what, len(byUse), total, top, byUse[9], byUse[99], byUse[len(byUse)/2])
		if share := float64(top) / float64(total); share < 0.03 || share > 0.25 {
			t.Errorf("%s: the first has a share of %.2f", what, share)
		}
		for _, rank := range []int{10, 100} {
			if product := rank * byUse[rank-1]; product < top/3 || product > top*3 {
				t.Errorf("%s: rank %d has %d uses, the first %d", what, rank, byUse[rank-1], top)
			}
		}
		if byUse[len(byUse)/2] > 20 {
			t.Errorf("%s: half of them have more than 20 uses", what)
		}
	}
}

func TestZipfStaysBelow(t *testing.T) {
	r := New(1).stream(bibRecord, 0)
	for n := 1; n < 70; n++ {
		seen := make([]bool, n)
		for range 4000 {
			seen[zipf(r, n)] = true
		}
		if slices.Contains(seen, false) {
			t.Errorf("below %d: not all ranks were drawn: %v", n, seen)
		}
	}
}
