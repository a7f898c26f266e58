package links

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWhichFieldsCouldBeLinked(t *testing.T) {
	name := []string{"100"}
	for field, want := range map[string]*Candidate{
		"700 1_ $a Lovano, Joe, $d 1952-":            {Field: "700", Key: "Lovano, Joe, 1952-", Tags: name, Text: "Lovano, Joe, 1952-"},
		"700 $a A. $e sax $4 prf $w x $u y":          {Field: "700", Key: "A", Tags: name, Text: "A."},
		"700 $a A, $d 1. $t Songs, $d 2":             {Field: "700", Key: "A, 1", Whole: "A, 1. Songs, 2", Tags: name, Text: "A, 1. Songs, 2"},
		"700 $i after $a A $x 0001-1":                {Field: "700", Key: "A", Tags: name, Text: "A"},
		"600 $a A. $x Criticism.":                    {Field: "600", Key: "A", Whole: "A. Criticism", Tags: name, Text: "A. Criticism."},
		"711 $a Fest $d 1 $e Jury $j host":           {Field: "711", Key: "Fest 1 Jury", Tags: []string{"111"}, Text: "Fest 1 Jury"},
		"810 $a Band $v 3 $t Series":                 {Field: "810", Key: "Band", Whole: "Band Series", Tags: []string{"110"}, Text: "Band Series"},
		"830 $a Series ; $v 3":                       {Field: "830", Key: "Series", Tags: []string{"130"}, Text: "Series ;"},
		"650 _0 $a Jazz $z France $y 20 c.":          {Field: "650", Key: "Jazz France 20 c", Tags: []string{"150"}, Text: "Jazz France 20 c."},
		"655 $a Jazz. $2 fast $0 http://x/fst1 $0 y": {Field: "655", Key: "Jazz", NaturalID: "fst1", Tags: []string{"155"}, Text: "Jazz."},
		"650 $0 http://x/y?id=sh85":                  {Field: "650", NaturalID: "sh85", Tags: []string{"150"}},
		"650 $a A $0 (DLC) sh85":                     {Field: "650", Key: "A", NaturalID: "sh85", Tags: []string{"150"}, Text: "A"},
		"240 $a Works. $k Selections":                {Field: "240", Key: "Ellington, Duke. Works. Selections", Tags: []string{"100", "110", "111"}, Text: "Works. Selections"},
		"700 $a A $9 a1":                             nil,
		"700 $a A $9 ":                               nil,
		"245 $a A":                                   nil,
		"650 $a ;":                                   nil,
		"650":                                        nil,
	} {
		t.Run(field, func(t *testing.T) {
			body := record("001 x", "100 $a Ellington, Duke. $t no $9 a1", field)
			got, p := Candidates(body, MARC, DefaultRules)
			if p != nil {
				t.Fatal(p)
			}
			var list []Candidate
			if want != nil {
				want.Path = "/fields/2/" + field[:3]
				list = append(list, *want)
			}
			if diff := cmp.Diff(append([]Candidate{}, list...), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFieldsWithoutAutoAreLeftAlone(t *testing.T) {
	r, p := NewRules([]Rule{{Bib: "700", Authority: "100", Subfields: "a"}, {Bib: "710", Authority: "110", Subfields: "a"},
		{Bib: "710", Authority: "111", Subfields: "a", Auto: true}}, "")
	if p != nil {
		t.Fatal(p)
	}
	got, p := Candidates(record("700 $a A", "710 $a B"), MARC, r)
	want := []Candidate{{Field: "710", Path: "/fields/1/710", Key: "B", Tags: []string{"111"}, Text: "B"}}
	if diff := cmp.Diff(want, got); p != nil || diff != "" {
		t.Errorf("%v: %s", p, diff)
	}
	got, p = Candidates(record("240 $a Works"), MARC, nil)
	if p != nil || len(got) != 0 {
		t.Errorf("a title without its author: %+v, %v", got, p)
	}
}

func TestWhichObjectsCouldBeLinked(t *testing.T) {
	body := `{"label":"a record label","l":[{"uri":"http://x/n1","label":"Jazz."},{"authorityId":null,"label":"Blues","in":{"uri":"n2","label":"Rag"}},
		{"authorityId":"a1","uri":"u","label":"L"},{"authorityId":1,"uri":"u","label":"L"},{"uri":"u"},{"uri":"u","label":null}]}`
	got, p := Candidates([]byte(body), JSON, nil)
	want := []Candidate{{Path: "/l/0", Key: "Jazz", NaturalID: "n1", Text: "Jazz."}, {Path: "/l/1", Key: "Blues", Text: "Blues"},
		{Path: "/l/1/in", Key: "Rag", NaturalID: "n2", Text: "Rag"}}
	if diff := cmp.Diff(want, got); p != nil || diff != "" {
		t.Errorf("%v: %s", p, diff)
	}
}

func TestCandidatesAreLinked(t *testing.T) {
	for field, want := range map[string]string{
		"700 $a A":                "700 $a A $9 a1",
		"700 $a A $0 x $4 prf":    "700 $a A $0 x $9 a1 $4 prf",
		"700 $0 x $0 y $a A $2 z": "700 $0 x $0 y $a A $9 a1 $2 z",
		"700 $4 prf":              "700 $9 a1 $4 prf",
		"700 $4 prf $5 DLC":       "700 $9 a1 $4 prf $5 DLC",
	} {
		got, p := LinkTo(record("001 x", field), MARC, []Choice{{"/fields/1/700", "a1"}})
		if p != nil || strings.Join(shown(t, got), "\n") != "001 x\n"+want {
			t.Errorf("%s: %s, %v", field, got, p)
		}
	}
	for body, want := range map[string]string{
		`{"x":1, "uri" : "u", "label":"L"}`:      `{"x":1, "authorityId" : "a1", "uri" : "u", "label":"L"}`,
		`{"label":"L","y":2,"uri":"u"}`:          `{"authorityId":"a1","label":"L","y":2,"uri":"u"}`,
		`{ "authorityId" : null , "label":"L" }`: `{ "authorityId" : "a1" , "label":"L" }`,
		`{"authorityId":null}`:                   `{"authorityId":"a1"}`,
	} {
		got, p := LinkTo([]byte(body), JSON, []Choice{{"", "a1"}})
		if p != nil || string(got) != want {
			t.Errorf("%s: %s, %v", body, got, p)
		}
	}
}

func TestWhatCannotBeLinked(t *testing.T) {
	body := record("001 x", "700 $a A", "700 $a B $9 a2", "700")
	for name, row := range map[string]struct {
		choices []Choice
		path    string
	}{
		"there is no such field": {[]Choice{{"/fields/1/700", "a1"}, {"/fields/7/700", "a1"}}, "/fields/7/700"},
		"another tag":            {[]Choice{{"/fields/1/710", "a1"}}, "/fields/1/710"},
		"a control field":        {[]Choice{{"/fields/0/001", "a1"}}, "/fields/0/001"},
		"it is linked":           {[]Choice{{"/fields/2/700", "a1"}}, "/fields/2/700"},
		"it has no subfields":    {[]Choice{{"/fields/3/700", "a1"}}, "/fields/3/700"},
		"chosen twice":           {[]Choice{{"/fields/1/700", "a1"}, {"/fields/1/700", "a2"}}, "/fields/1/700"},
		"no id":                  {[]Choice{{"/fields/1/700", "a1"}, {"/fields/2/700", ""}}, "/1/authority"},
	} {
		t.Run(name, func(t *testing.T) {
			got, p := LinkTo(body, MARC, row.choices)
			if p == nil || p.Errors[0].Path != row.path || got != nil {
				t.Errorf("%s, %v", got, p)
			}
		})
	}
	if got, p := LinkTo([]byte(`{"a":{"label":"L"}}`), JSON, []Choice{{"/a", "a1"}}); p == nil || got != nil {
		t.Errorf("%s, %v", got, p)
	}
	if got, p := LinkTo([]byte(`{"fields":[`), MARC, nil); p == nil || got != nil {
		t.Errorf("%s, %v", got, p)
	}
}
