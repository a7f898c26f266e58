package faults

import (
	"strings"
	"testing"
)

// TestDumbModelSees holds the model against records in which one thing is wrong: it must see each.
func TestDumbModelSees(t *testing.T) {
	t.Parallel()
	const before = `{"leader":"x", "fields": [{"001":"a"} ,{"700":{"ind1":"1","subfields":[{"a":"Emma"},{"e":"by"},{"9":"names:n1"},{"0":"http://x/n1"}]}},{"500":{"subfields":[{"a":"http://x/n1"}]}}]}`
	const after = `{"leader":"x", "fields": [{"001":"a"} ,{"700":{"ind1":"1","subfields":[{"d":"1815"},{"a":"Emma W."},{"e":"by"},{"0":"http://y/n1"},{"9":"names:n1"}]}},{"500":{"subfields":[{"a":"http://x/n1"}]}}]}`
	heading := dumbHeading{"100", []dumbSub{{"d", "1815"}, {"a", "Emma W."}, {"t", "not in a 700, or is it"}}}
	heading.subs = heading.subs[:2]
	for name, c := range map[string]struct {
		effect dumbEffect
		body   string
		right  bool
	}{
		"all as it was":                 {dumbEffect{uri: "http://x/n1"}, before, true},
		"another base URL":              {dumbEffect{uri: "http://y/n1"}, strings.Replace(before, "http://x", "http://y", 1), true},
		"another base URL, not there":   {dumbEffect{uri: "http://y/n1"}, before, false},
		"another base URL, everywhere":  {dumbEffect{uri: "http://y/n1"}, strings.ReplaceAll(before, "http://x", "http://y"), false},
		"a byte between the fields":     {dumbEffect{uri: "http://x/n1"}, strings.Replace(before, " ,{", ",{", 1), false},
		"a byte in the linked field":    {dumbEffect{uri: "http://x/n1"}, strings.Replace(before, `"ind1":"1"`, `"ind1": "1"`, 1), false},
		"a heading":                     {dumbEffect{uri: "http://y/n1", heading: &heading}, after, true},
		"a heading, in another order":   {dumbEffect{uri: "http://y/n1", heading: &heading}, strings.Replace(after, `{"d":"1815"},{"a":"Emma W."}`, `{"a":"Emma W."},{"d":"1815"}`, 1), false},
		"a heading, and a byte more":    {dumbEffect{uri: "http://y/n1", heading: &heading}, strings.Replace(after, `"ind1":"1"`, `"ind1":"2"`, 1), false},
		"a heading, and the end lost":   {dumbEffect{uri: "http://y/n1", heading: &heading}, strings.Replace(after, `,{"500":{"subfields":[{"a":"http://x/n1"}]}}`, "", 1), false},
		"unlinked":                      {dumbEffect{unlink: true}, strings.Replace(before, `,{"9":"names:n1"}`, "", 1), true},
		"unlinked, but its $0 has gone": {dumbEffect{unlink: true}, strings.Replace(before, `,{"9":"names:n1"},{"0":"http://x/n1"}`, "", 1), false},
	} {
		d, err := cutMARC([]byte(before))
		if err != nil {
			t.Fatal(err)
		}
		d.follow("names:n1", c.effect)
		if err := d.same([]byte(c.body)); (err == nil) != c.right {
			t.Errorf("%s: %v", name, err)
		}
	}
	j := &dumbJSON{raw: `{"who":{"authorityId":"names:n1","label":"Emma","uri":"http://x/n1"},"uri":"http://x/n1"}`}
	j.follow("names:n1", dumbEffect{uri: "http://y/n1", heading: &heading})
	if want := `{"who":{"authorityId":"names:n1","label":"1815 Emma W.","uri":"http://y/n1"},"uri":"http://x/n1"}`; j.same([]byte(want)) != nil {
		t.Error(j.same([]byte(want)))
	}
}
