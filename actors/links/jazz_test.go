package links

import (
	"encoding/json"
	"testing"

	"concord/internal/realdata"
)

type jazzRecord struct {
	ID     string          `json:"id"`
	Record json.RawMessage `json:"record"`
}

type jazzAuthority struct {
	Source    string          `json:"source"`
	NaturalID string          `json:"naturalId"`
	Heading   string          `json:"heading"`
	Tag       string          `json:"tag"`
	Uses      int             `json:"uses"`
	Record    json.RawMessage `json:"record"`
}

// TestJazzIsLinkedByExactHeading: the fields of real records are linked to the authorities that were made of them, each as
// often as it is used, and to no other.
func TestJazzIsLinkedByExactHeading(t *testing.T) {
	type heading struct{ tag, key string }
	ids := map[heading]string{}
	uses := map[string]int{}
	for _, a := range realdata.Decode[jazzAuthority](t, "jazz-authorities.jsonl") {
		h, p := HeadingOf(a.Record, "")
		if p != nil || h.Tag != a.Tag || h.Key() != KeyOf(a.Heading) {
			t.Fatalf("%s: %+v, %v", a.NaturalID, h, p)
		}
		if ids[heading{h.Tag, h.Key()}] != "" {
			t.Fatalf("%s: two of them", h.Key())
		}
		ids[heading{h.Tag, h.Key()}] = a.NaturalID
		uses[a.NaturalID] = a.Uses
	}
	linkable := map[string]bool{"100": true, "110": true, "600": true, "650": true, "651": true, "700": true, "710": true}
	sum := 0
	for _, r := range realdata.Decode[jazzRecord](t, "jazz-bibs.jsonl") {
		candidates, p := Candidates(r.Record, MARC, DefaultRules)
		if p != nil {
			t.Fatalf("%s: %v", r.ID, p)
		}
		var choices []Choice
		for _, c := range candidates {
			for _, tag := range c.Tags {
				if id := ids[heading{tag, c.Key}]; id != "" && linkable[c.Field] {
					uses[id]--
					sum++
					choices = append(choices, Choice{c.Path, id})
				}
			}
			if c.Whole != "" && ids[heading{c.Tags[0], c.Whole}] != "" {
				t.Errorf("%s %s: %q is a heading", r.ID, c.Path, c.Whole)
			}
		}
		linked, p := LinkTo(r.Record, MARC, choices)
		if p != nil {
			t.Fatalf("%s: %v", r.ID, p)
		}
		d, p := Read(linked, MARC, DefaultRules, "")
		if p != nil || len(d.Links) != len(choices) {
			t.Fatalf("%s: %d links, %v", r.ID, len(d.Links), p)
		}
		back, _ := d.Rewrite(unlinked(len(choices)))
		if string(back) != string(r.Record) {
			t.Fatalf("%s is not the same after linking and unlinking", r.ID)
		}
	}
	for id, left := range uses {
		if left != 0 {
			t.Errorf("%s: %d uses too few", id, left)
		}
	}
	if sum != 4318 {
		t.Errorf("%d fields are linked", sum)
	}
}

func unlinked(n int) []Effect {
	list := make([]Effect, n)
	for i := range list {
		list[i].Unlink = true
	}
	return list
}
