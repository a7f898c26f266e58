package links

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

// bodyMaxBytes keeps the fuzzers on what is quick to judge.
const bodyMaxBytes = 4 << 10

var bodySeeds = []string{
	string(record("001 n1", "100 $a A $0 x $9 a1", "700 $9 a2 $e x $a B $4 y", "245 $a T $9 z")),
	` { "fields" : [ { "700" : { "subfields" : [ { "9" : "a\u00e9" } , { "\u0030" : "" } ] , "ind1" : 1.0 } } ] } `,
	`{"fields":[{"700":{"subfields":[{"9":""},{"9":"x"}]}}]}`, `{"leader":[],"9":{}}`, `{"fields":[{"001":"\u0039"},{"X é":{"subfields":[{"é":"\ud83c\udfb7"}]}}],"9":0}`,
	`{"authorityId":"a1","x":[{"uri":null,"\u0061uthorityId":"a2","label":"L"}],"label":"M"}`, `[{"authorityId":""}]`, `{"authorityId":"a","uri":1}`,
	`{"heading":"Jazz.","x":1}`, `{"authorityId":null,"label":"Jazz","uri":"http://x/n1"}`, `{"authorityId":"a1"} x`, ``, `"\ud83d"`,
}

// FuzzRead: whatever comes is read or refused with one place named; of what a collection can hold, each effect keeps what
// Rewrite promises, and the dumb version makes the same of it.
func FuzzRead(f *testing.F) {
	for _, seed := range bodySeeds {
		f.Add([]byte(seed), true, uint8(0xff), "http://x/n1", "100 a Lovano d 1952-")
		f.Add([]byte(seed), false, uint8(5), "", "150 a Jazz x History")
	}
	f.Fuzz(func(t *testing.T, body []byte, marc bool, bits uint8, to, head string) {
		if len(body) > bodyMaxBytes {
			return
		}
		format := JSON
		if marc {
			format = MARC
		}
		d, p := Read(body, format, nil, "/documents/x")
		refusedWell(t, p, "/documents/x")
		if _, err := jsonvalue.Check(body); p != nil || err != nil || isNotLookedAt(body, d) {
			return
		}
		checkLaws(t, body, format, func(id string) Effect { return effectOf(bits+uint8(len(id)), to, head) })
	})
}

// isNotLookedAt says that the dumb version cannot read it: a record is looked at only if it may have links.
func isNotLookedAt(body []byte, d *Document) bool {
	return d.format == MARC && !MayHaveLinks(body, MARC)
}

// effectOf makes an effect of bits and texts: the words of head are a tag, codes and values.
func effectOf(bits uint8, to, head string) (e Effect) {
	to, head = strings.ToValidUTF8(to, ""), strings.ToValidUTF8(head, "")
	e.Unlink = bits&1 > 0
	if bits&2 > 0 {
		e.URI = &to
	}
	words := strings.Fields(head)
	if bits&4 == 0 || len(words) == 0 {
		return e
	}
	e.Heading = &Heading{Tag: words[0], Label: head}
	for i := 1; i+1 < len(words) && i < 2*headingMaxSubfields; i += 2 {
		e.Heading.Subfields = append(e.Heading.Subfields, Subfield{words[i], words[i+1]})
	}
	return e
}

// refusedWell: a problem names one place, below the path.
func refusedWell(t *testing.T, p *problem.Problem, path string) {
	t.Helper()
	if p == nil {
		return
	}
	if p.Code != problem.Invalid || len(p.Errors) != 1 || !strings.HasPrefix(p.Errors[0].Path, path) {
		t.Fatalf("%v is not below %s", p, path)
	}
	if _, err := jsonvalue.ParsePointer(p.Errors[0].Path); err != nil {
		t.Fatalf("%v: %v", p, err)
	}
}

// FuzzHeadingOf: a record has a heading within its bounds, or a problem; and the same heading in any writing of it.
func FuzzHeadingOf(f *testing.F) {
	for _, seed := range bodySeeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > bodyMaxBytes {
			return
		}
		h, p := HeadingOf(body, "/record")
		refusedWell(t, p, "/record")
		if p != nil {
			if h.Tag != "" || h.Label != "" || h.Subfields != nil {
				t.Fatalf("%+v beside %v", h, p)
			}
			return
		}
		if h.Key() == "" || len(h.Label) > headingMaxBytes || len(h.Subfields) > headingMaxSubfields || !h.Equal(&h) || KeyOf(h.Key()) != h.Key() {
			t.Fatalf("%+v", h)
		}
		v, err := jsonvalue.Parse(body)
		if err != nil {
			return
		}
		if again, p := HeadingOf(v.Text(), ""); p != nil || !again.Equal(&h) || again.Type() != h.Type() {
			t.Fatalf("%s: %+v, %v; was %+v", v.Text(), again, p, h)
		}
	})
}

// FuzzCandidates: what could be linked can be linked, all of it at once, and is then no candidate any more.
func FuzzCandidates(f *testing.F) {
	for _, seed := range bodySeeds {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, marc bool) {
		if len(body) > bodyMaxBytes {
			return
		}
		format := JSON
		if marc {
			format = MARC
		}
		found, p := Candidates(body, format, nil)
		refusedWell(t, p, "")
		if p != nil {
			return
		}
		choices := make([]Choice, len(found))
		for i, c := range found {
			choices[i] = Choice{c.Path, "new"}
		}
		linked, p := LinkTo(body, format, choices)
		if p != nil {
			t.Fatalf("%s: %v", body, p)
		}
		if again, p := Candidates(linked, format, nil); p != nil || len(again) != 0 {
			t.Fatalf("%s became %s: %+v, %v", body, linked, again, p)
		}
		d, p := Read(linked, format, nil, "")
		if p != nil {
			return // other fields than ours are wrong
		}
		n := 0
		for _, l := range d.Links {
			if l.Authority == "new" {
				n++
			}
		}
		if n < len(found) {
			t.Fatalf("%s became %s", body, linked)
		}
	})
}

// FuzzNewRules: rules are refused with a place, or say of each field and heading the same in all they are asked.
func FuzzNewRules(f *testing.F) {
	f.Add([]byte(`[{"Bib":"240","Authority":"100","Subfields":"fkt","Require":{"t":true},"Move":{"t":"a"}},{"Bib":"700","Authority":"100","Subfields":"a1"}]`))
	f.Add([]byte(`[{"Bib":"001","Authority":"1","Subfields":"aa"}]`))
	f.Add([]byte(`[{"Bib":"700","Authority":"100","Subfields":"abé","Move":{"":"\u0000"}}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var list []Rule
		if len(text) > bodyMaxBytes || json.Unmarshal(text, &list) != nil {
			return
		}
		r, p := NewRules(list, "/links/rules")
		refusedWell(t, p, "/links/rules")
		if (r == nil) != (p != nil) {
			t.Fatalf("%+v beside %v", r, p)
		}
		if p != nil {
			return
		}
		if again, p := NewRules(list, ""); p != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%s gives %+v, and then %+v", text, r, again)
		}
		for i := range list {
			checkRule(t, r, &list[i])
		}
	})
}

func checkRule(t *testing.T, r *Rules, rule *Rule) {
	h := Heading{Tag: rule.Authority}
	for _, c := range rule.Subfields {
		h.Subfields = append(h.Subfields, Subfield{string(c), "A"})
	}
	texts := r.Texts(rule.Bib, &h)
	if len(texts) != len(rule.Subfields) {
		t.Fatalf("%+v gives %+v", rule, texts)
	}
	c := r.find(rule.Bib, rule.Authority)
	for _, s := range texts {
		if s.Value == "" || !c.follows(rune(s.Code[0])) {
			t.Fatalf("%+v gives %+v", rule, texts)
		}
	}
	why := ""
	for code, has := range rule.Require {
		if h.has(code) != has {
			why = code
		}
	}
	if (r.Allows(rule.Bib, &h) == "") != (why == "") {
		t.Fatalf("%+v allows it: %q", rule, r.Allows(rule.Bib, &h))
	}
}
