package links

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// odd writes JSON in odd ways: white space anywhere, characters as escapes.
type odd struct {
	*rapid.T
	b strings.Builder
}

func (o *odd) space() {
	o.b.WriteString(rapid.SampledFrom([]string{"", "", "", "", " ", "\n  ", "\t"}).Draw(o.T, "space"))
}

func (o *odd) mark(s string) {
	o.space()
	o.b.WriteString(s)
	o.space()
}

func (o *odd) str(s string) {
	o.space()
	if rapid.IntRange(0, 5).Draw(o.T, "escaped") > 0 {
		o.b.Write(appendText(nil, s))
		return
	}
	o.b.WriteByte('"')
	for _, c := range s {
		if c < 0x10000 {
			fmt.Fprintf(&o.b, `\u%04x`, c)
		} else {
			o.b.WriteRune(c)
		}
	}
	o.b.WriteByte('"')
}

// members writes an object in any order.
func (o *odd) members(names []string, value func(name string)) {
	o.mark("{")
	for i, name := range rapid.Permutation(names).Draw(o.T, "order") {
		if i > 0 {
			o.mark(",")
		}
		o.str(name)
		o.mark(":")
		value(name)
	}
	o.mark("}")
}

func (o *odd) list(n int, element func(i int)) {
	o.mark("[")
	for i := range n {
		if i > 0 {
			o.mark(",")
		}
		element(i)
	}
	o.mark("]")
}

func (o *odd) count(label string, most int) int { return rapid.IntRange(0, most).Draw(o.T, label) }

func (o *odd) oneOf(label string, of ...string) string { return rapid.SampledFrom(of).Draw(o.T, label) }

func (o *odd) text(label string) string {
	return o.oneOf(label, "", "A", "Lovano, Joe,", "1952-", "é🎷", `"\/`, "\u0001", "http://x/n1", "9")
}

var oddIDs = []string{"a1", "a2", "é/~", "9"}

// record writes a record: a few fields, some of them linked, with members that we know nothing of.
func (o *odd) record() {
	o.members([]string{"leader", "fields", "more"}, func(name string) {
		switch name {
		case "leader":
			o.str("00962njm a2200253 a 4500")
		case "more":
			o.mark(o.oneOf("more", "1.0", "null", `{"9":[1e2]}`))
		default:
			o.list(o.count("fields", 5), func(int) { o.field() })
		}
	})
}

func (o *odd) field() {
	tag := o.oneOf("tag", "001", "100", "700", "240", "650", "245", "X é")
	o.members([]string{tag}, func(string) {
		if isControl(tag) {
			o.str("x")
			return
		}
		o.members([]string{"ind1", "ind2", "subfields"}, func(name string) {
			if name != "subfields" {
				o.mark(o.oneOf("indicator", `" "`, "1.0"))
				return
			}
			n, link := o.count("subfields", 7), -1
			if n > 0 && o.count("linked", 2) > 0 {
				link = o.count("at", n-1)
			}
			o.list(n, func(i int) {
				code, value := o.oneOf("code", "a", "a", "c", "d", "t", "k", "e", "0", "0", "4", "2", "!", "A", "é"), o.text("value")
				if i == link {
					code, value = "9", o.oneOf("id", oddIDs...)
				}
				o.members([]string{code}, func(string) { o.str(value) })
			})
		})
	})
}

// value writes a JSON document with links, and links in links.
func (o *odd) value(depth int) {
	switch kind := o.count("kind", 4); {
	case kind == 0 && depth > 0:
		o.list(o.count("elements", 3), func(int) { o.value(depth - 1) })
	case kind <= 3 && depth > 0:
		names := []string{"x"}
		for _, name := range []string{"authorityId", "authorityId", "uri", "label", "y/~"} {
			if o.count(name, 2) > 0 && !strings.Contains(strings.Join(names, " "), name) {
				names = append(names, name)
			}
		}
		o.members(names, func(name string) {
			switch name {
			case "authorityId":
				o.str(o.oneOf("id", oddIDs...))
			case "uri", "label":
				if o.count("null", 3) == 0 {
					o.mark("null")
				} else {
					o.str(o.text(name))
				}
			default:
				o.value(depth - 1)
			}
		})
	default:
		o.mark(o.oneOf("leaf", "1.0", "-0e1", "true", "null", `"\u0041"`, "[]", "{ }"))
	}
}

// oddDocument is any document, and what becomes of its links, by their authorities.
func oddDocument(t *rapid.T) (body []byte, f Format, effect func(id string) Effect) {
	o := &odd{T: t}
	f = rapid.SampledFrom([]Format{MARC, JSON}).Draw(t, "format")
	if f == MARC {
		o.record()
	} else {
		o.value(4)
	}
	effects := map[string]Effect{}
	for _, id := range oddIDs {
		e := Effect{Unlink: o.count("unlink", 3) == 0}
		if o.count("uri", 1) > 0 {
			text := o.oneOf("new uri", "", "http://x/n1", `"é`)
			e.URI = &text
		}
		if o.count("heading", 1) > 0 {
			e.Heading = &Heading{Tag: o.oneOf("heading tag", "100", "110", "150"), Label: o.oneOf("new label", "", "A", "Jazz")}
			for range o.count("of heading", 5) {
				e.Heading.Subfields = append(e.Heading.Subfields, Subfield{o.oneOf("code", "a", "a", "c", "d", "t", "k", "x", "1"), o.oneOf("value", "A", "1952-", `"é`)})
			}
		}
		effects[id] = e
	}
	return []byte(o.b.String()), f, func(id string) Effect { return effects[id] }
}

func effectsOf(d *Document, effect func(id string) Effect) []Effect {
	list := make([]Effect, len(d.Links))
	for i, l := range d.Links {
		list[i] = effect(l.Authority)
	}
	return list
}

// checkLaws: what Rewrite promises, of any document and any effects.
func checkLaws(t failer, body []byte, f Format, effect func(id string) Effect) {
	input := bytes.Clone(body)
	d, p := Read(body, f, nil, "")
	if p != nil {
		t.Fatalf("%s: %v", body, p)
	}
	if len(d.Links) > 0 && !MayHaveLinks(body, f) {
		t.Fatalf("%s has links", body)
	}
	if same, changed := d.Rewrite(make([]Effect, len(d.Links))); !bytes.Equal(same, body) || containsTrue(changed) {
		t.Fatalf("%s without any effect is %s", body, same)
	}
	got, changed := d.Rewrite(effectsOf(d, effect))
	if !bytes.Equal(body, input) {
		t.Fatalf("the input was %s and is %s", input, body)
	}
	want := dumbRewrite(decoded(t, body), f, nil, effect)
	if have := decoded(t, got); !reflect.DeepEqual(have, want) {
		t.Fatalf("%s became %s, the dumb version says %v", body, got, want)
	}
	if bytes.Equal(got, body) != !containsTrue(changed) {
		t.Fatalf("%s became %s, changed %v", body, got, changed)
	}
	if before, after := outside(t, body, d), outside(t, got, d); before != after {
		t.Fatalf("%s became %s: beside the links it was %s and is %s", body, got, before, after)
	}
	again, p := Read(got, f, nil, "")
	if p != nil {
		t.Fatalf("%s cannot be read again: %v", got, p)
	}
	kept, another := 0, false // a $0 of somebody else stands where the link's was
	for i, l := range d.Links {
		e := effect(l.Authority)
		if e.Unlink {
			continue
		}
		another = another || e.URI != nil && *e.URI == "" && kept < len(again.Links) && again.Links[kept].HasURI
		if kept >= len(again.Links) {
			t.Fatalf("%s lost a link of %s", got, body)
		}
		now := again.Links[kept]
		checkLink(t, d, i, again, kept, e)
		if now.Authority != l.Authority || now.Path != l.Path {
			t.Fatalf("%s: %+v became %+v", body, l, now)
		}
		kept++
	}
	if kept != len(again.Links) {
		t.Fatalf("%s has %d links, not %d", got, len(again.Links), kept)
	}
	if twice, changed := again.Rewrite(effectsOf(again, effect)); !another && (!bytes.Equal(twice, got) || containsTrue(changed)) {
		t.Fatalf("%s, a second time %s", got, twice)
	}
}

// checkLink: link j of b is link i of a with the effect.
func checkLink(t failer, a *Document, i int, b *Document, j int, e Effect) {
	switch now := b.Links[j]; {
	case e.URI != nil && *e.URI != "" && now.URI != *e.URI, e.URI == nil && now.URI != a.Links[i].URI:
		t.Fatalf("%s: the URI is %q", b.body, now.URI)
	case e.Heading == nil && !a.SameText(i, b, j, "100"):
		t.Fatalf("%s has another text than %s", b.body, a.body)
	case e.Heading != nil && b.rules.find(now.Field, e.Heading.Tag) != nil && !b.ShowsHeading(j, e.Heading):
		t.Fatalf("%s does not show %+v", b.body, e.Heading)
	}
}

func containsTrue(list []bool) bool {
	for _, is := range list {
		if is {
			return true
		}
	}
	return false
}

func TestRewritesKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body, f, effect := oddDocument(t)
		checkLaws(t, body, f, effect)
	})
}

// TestLinkingIsUndoneByUnlinking: what candidates are given is found again, and taking it away leaves each byte as it was.
func TestLinkingIsUndoneByUnlinking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body, f, _ := oddDocument(t)
		before, p := Read(body, f, nil, "")
		if p != nil {
			t.Fatal(p)
		}
		candidates, p := Candidates(body, f, nil)
		if p != nil {
			t.Fatal(p)
		}
		var choices []Choice
		chosen := map[string]bool{}
		for _, c := range candidates {
			if rapid.Bool().Draw(t, "chosen") {
				choices = append(choices, Choice{c.Path, "new"})
				chosen[c.Path] = true
			}
		}
		linked, p := LinkTo(body, f, choices)
		if p != nil {
			t.Fatal(p)
		}
		after, p := Read(linked, f, nil, "")
		if p != nil || len(after.Links) != len(before.Links)+len(choices) {
			t.Fatalf("%s became %s: %v", body, linked, p)
		}
		effects := make([]Effect, len(after.Links))
		for i, l := range after.Links {
			if effects[i].Unlink = l.Authority == "new"; effects[i].Unlink != chosen[l.Path] {
				t.Fatalf("%s became %s: %+v", body, linked, l)
			}
		}
		if back, _ := after.Rewrite(effects); f == MARC && !bytes.Equal(back, body) {
			t.Fatalf("%s became %s and then %s", body, linked, back)
		}
	})
}
