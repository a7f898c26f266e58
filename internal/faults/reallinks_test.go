package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"concord/internal/realdata"
)

const (
	jazzNames       = "http://id.example.org/authorities/names/"
	jazzSubjects    = "http://id.example.org/authorities/subjects/"
	jazzEach        = 50   // records of one of the several collections
	jazzOccurrences = 4318 // of all headings, as the data says
	importMaxItems  = 2000
	importMaxBytes  = 900 << 10
	lineMaxBytes    = 1 << 20
	jazzUses        = 216 // of the heading "Jazz"
)

// importAuthorities sends lines as they are, and has the model know them.
func (c *catalogue) importAuthorities(lines [][]byte) {
	c.t.Helper()
	var items bytes.Buffer
	count, sent := 0, 0
	send := func() {
		if count == 0 {
			return
		}
		r := c.must(call{op: "authority.import", raw: fmt.Appendf(nil, `{"items":[%s]}`, items.Bytes())})
		if number(r.body["created"]) != uint64(count) || number(r.body["total"]) != uint64(count) {
			c.t.Fatalf("an import of %d: %s", count, r.text)
		}
		sent += count
		items.Reset()
		count = 0
	}
	for _, line := range lines {
		var one struct {
			Source, NaturalID, Heading string
			Record                     json.RawMessage
		}
		if err := json.Unmarshal(line, &one); err != nil {
			c.t.Fatal(err)
		}
		if count == importMaxItems || items.Len()+len(line) > importMaxBytes {
			send()
		}
		if count++; count > 1 {
			items.WriteByte(',')
		}
		fmt.Fprintf(&items, `{"source":%s,"naturalId":%s,"record":%s}`, quoted(one.Source), quoted(one.NaturalID), one.Record)
		a := &dumbAuthority{source: one.Source, naturalID: one.NaturalID, heading: headingIn(c.t, one.Record)}
		c.model.authorities[one.Source+":"+one.NaturalID] = a
		c.called[one.Heading] = one.Source + ":" + one.NaturalID
	}
	send()
	if sent != len(lines) {
		c.t.Fatalf("%d of %d authorities are imported", sent, len(lines))
	}
}

// headingIn is the 1XX of a record.
func headingIn(t *testing.T, record []byte) dumbHeading {
	t.Helper()
	d, err := cutMARC(record)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range d.fields {
		if f.tag[0] == '1' {
			return dumbHeading{f.tag, f.subs}
		}
	}
	t.Fatalf("no heading in %s", record)
	return dumbHeading{}
}

// importBibs puts the records into one collection, and again into several.
func (c *catalogue) importBibs(lines [][]byte) (collections []string) {
	c.t.Helper()
	all, part := map[string][]byte{}, map[string][]byte{}
	for i, line := range lines {
		var one struct {
			ID     string
			Record json.RawMessage
		}
		if err := json.Unmarshal(line, &one); err != nil {
			c.t.Fatal(err)
		}
		all[one.ID], part[one.ID] = one.Record, one.Record
		if len(part) == jazzEach || i == len(lines)-1 {
			id := "part-" + strconv.Itoa(len(collections))
			c.load(id, "marc", part)
			collections, part = append(collections, id), map[string][]byte{}
		}
	}
	c.load("jazz", "marc", all)
	return append(collections, "jazz")
}

// linkAll links the collections by exact headings; how many fields were linked, and how many could be several.
func (c *catalogue) linkAll(collections []string) (linked, several int) {
	c.t.Helper()
	for _, id := range collections {
		r := c.must(call{op: "link.auto", body: map[string]any{"collection": id}})
		linked += int(number(r.body["linked"]))
		several += int(number(r.body["several"]))
		if number(r.body["failed"]) != 0 {
			c.t.Errorf("links of %s: %s", id, r.text)
		}
	}
	return linked, several
}

// checkLinked looks at every field that was linked: its $0, and that nothing else has changed.
func (c *catalogue) checkLinked(lines [][]byte) {
	c.t.Helper()
	before := map[string]*dumbMARC{}
	for _, line := range lines {
		var one struct {
			ID     string
			Record json.RawMessage
		}
		if err := json.Unmarshal(line, &one); err != nil {
			c.t.Fatal(err)
		}
		d, err := cutMARC(one.Record)
		if err != nil {
			c.t.Fatal(err)
		}
		before[one.ID] = d
	}
	for collection, documents := range c.model.documents {
		for id, d := range documents {
			now, was := d.(*dumbMARC), *before[id]
			was.fields = append([]dumbField(nil), was.fields...)
			for _, i := range now.links() {
				f := &now.fields[i]
				if f.sub("0") != c.model.uri(f.authority()) {
					c.t.Errorf("%s, %s: %s, want $0 %s", collection, id, f.raw, c.model.uri(f.authority()))
				}
				was.fields[i].raw = ""
				letters := 0 // after which the link stands
				for letters < len(was.fields[i].subs) && was.fields[i].subs[letters].code >= "a" {
					letters++
				}
				was.fields[i].subs = slices.Insert(slices.Clone(was.fields[i].subs), letters, dumbSub{"0", f.sub("0")}, dumbSub{"9", f.sub("9")})
			}
			if err := was.same(joined(now)); err != nil {
				c.t.Errorf("%s, %s: %v", collection, id, err)
			}
		}
	}
}

// joined is a record that was cut up.
func joined(d *dumbMARC) []byte {
	var b bytes.Buffer
	for i, f := range d.fields {
		b.WriteString(d.between[i])
		b.WriteString(f.raw)
	}
	b.WriteString(d.between[len(d.between)-1])
	return b.Bytes()
}

// realLinks is a catalogue of the real records, in one collection and in several, linked by exact headings.
func realLinks(t *testing.T, p *process) *catalogue {
	t.Helper()
	bibs, authorities := realdata.Lines(t, "jazz-bibs.jsonl"), realdata.Lines(t, "jazz-authorities.jsonl")
	c := newCatalogue(t, p)
	for id, source := range map[string][2]string{"names": {"n", jazzNames}, "subjects": {"sh", jazzSubjects},
		"local": {"loc", "https://local.example.org:8443/find?id="}} {
		c.source(id, source[0], source[1])
		c.model.sources[id] = source[1]
	}
	c.importAuthorities(authorities)
	collections := c.importBibs(bibs)
	linked, several := c.linkAll(collections)
	if linked+several != 2*jazzOccurrences {
		t.Errorf("%d fields are linked and %d could be several, want %d together", linked, several, 2*jazzOccurrences)
	}
	t.Logf("%d records and %d authorities, in %d collections: %d fields are linked, %d are ambiguous", 2*len(bibs), len(authorities),
		len(collections), linked, several)
	c.adopt()
	c.checkLinked(bibs)
	return c
}

// TestRealLinks links real records, and changes what they are linked to in every way: each linked field follows, in one
// version of its collection, and no other byte changes.
func TestRealLinks(t *testing.T) {
	p := startProcess(t)
	c := realLinks(t, p)
	before := c.copyOf()
	subs := func(pairs ...string) (all []dumbSub) {
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, dumbSub{pairs[i], pairs[i+1]})
		}
		return all
	}
	for _, step := range []struct {
		what, source, url, authority string
		change                       func(a *dumbAuthority)
	}{
		{what: "the base URL of names", source: "names", url: "https://names.example.net:444/v2/"},
		{what: "the heading Jazz", authority: c.called["Jazz"], change: func(a *dumbAuthority) { a.heading.subs = subs("a", "Jazz music") }},
		{what: "a heading with an order of its own", authority: c.called["Davis, Miles, 1926-1991"],
			change: func(a *dumbAuthority) { a.heading.subs = subs("d", "1926-1991", "a", "Davis, Miles", "q", "(Dewey)") }},
		{what: "a topic that becomes a place", authority: c.called["Improvisation (Music)"],
			change: func(a *dumbAuthority) { a.heading.tag = "151" }},
		{what: "a name that becomes a title", authority: c.called["Parker, Charlie, 1920-1955"],
			change: func(a *dumbAuthority) { a.heading.subs = append(a.heading.subs, dumbSub{"t", "Ornithology"}) }},
		{what: "a natural id", authority: c.called["Jazz vocals"], change: func(a *dumbAuthority) { a.naturalID = "jzs/new 150&" }},
		{what: "another source", authority: c.called["Piano with jazz ensemble"], change: func(a *dumbAuthority) { a.source = "local" }},
		{what: "a deletion", authority: c.called["Trumpet with jazz ensemble"], change: func(a *dumbAuthority) { a.deleted = true }},
		{what: "the base URL of local", source: "local", url: "https://other.example.org/#"},
		{what: "the base URL of subjects, taken away", source: "subjects", url: ""},
	} {
		var id string
		var r reached
		var impact reply
		if step.source != "" {
			impact = c.must(call{op: "source.impact", id: step.source})
			id = c.setURL(step.source, step.url)
			r = c.model.setURL(step.source, step.url)
		} else {
			to := *c.model.authorities[step.authority]
			step.change(&to)
			impact = c.must(call{op: "authority.impact", inner: step.authority})
			id = c.put(step.authority, to)
			r = c.model.change(step.authority, to)
		}
		c.settled(id, r)
		if b := impact.body; number(b["links"]) != uint64(r.links) || number(b["documents"]) != r.documents() || number(b["collections"]) != uint64(len(r.collections)) {
			t.Errorf("%s: the impact was said to be %s, and was %d links in %d documents of %d collections", step.what, impact.text, r.links, r.documents(), len(r.collections))
		}
		c.check(step.what)
		t.Logf("%s: %d links in %d collections", step.what, r.links, len(r.collections))
		if r.links == 0 || step.what == "the heading Jazz" && r.links != 2*jazzUses {
			t.Errorf("%s has %d links", step.what, r.links)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	c.checkMessages(before)
	c.auditAll()
	c.check("audits that find nothing")
	p.stop()
	checkStore(t, p)
}
