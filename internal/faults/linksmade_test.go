package faults

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// Sizes of a made catalogue.
const (
	madeNames       = 30
	madeSubjects    = 15
	madeCollections = 40
	madeDocuments   = 6 // of a collection
	madeLinks       = 4 // of a document
	madeJSONEvery   = 5 // every so manieth collection is JSON
)

// maker makes documents that are hard to leave alone: odd white space, escapes, and subfields in no order. Each linked field
// has a mark of its own, in $4, so that it can be told from others whatever it says.
type maker struct {
	rng   *rand.Rand
	model *dumbWorld
	marks int
}

var madeURLs = map[string]string{"names": "http://names.example.org/n/", "subjects": "https://subjects.example.org:8443/s?id=", "local": "http://local.example.org/#"}

// madeCatalogue is a catalogue of made documents, linked as they came.
func madeCatalogue(t *testing.T, p *process, seed uint64) (*catalogue, *maker) {
	t.Helper()
	c := newCatalogue(t, p)
	m := &maker{rng: rand.New(rand.NewPCG(seed, 11)), model: c.model}
	for id, url := range madeURLs {
		c.source(id, strings.ToLower(id), url)
		c.model.sources[id] = url
	}
	for n := range madeNames + madeSubjects {
		id, a := "names:n"+strconv.Itoa(n), dumbAuthority{source: "names", naturalID: "n" + strconv.Itoa(n),
			heading: dumbHeading{"100", []dumbSub{{"a", fmt.Sprintf("Name %d, with \"quotes\"", n)}, {"d", strconv.Itoa(1900 + n)}}}}
		if n >= madeNames {
			id, a = "subjects:s"+strconv.Itoa(n), dumbAuthority{source: "subjects", naturalID: "s" + strconv.Itoa(n),
				heading: dumbHeading{"150", []dumbSub{{"a", fmt.Sprintf("Subject %d & <more>", n)}}}}
		}
		c.put(id, a)
		c.model.authorities[id] = &a
	}
	for n := range madeCollections {
		format, documents := "marc", map[string][]byte{}
		for i := range madeDocuments {
			body := m.marc()
			if n%madeJSONEvery == 0 {
				format, body = "json", m.json()
			}
			documents["d"+strconv.Itoa(i)] = body
		}
		c.load("made-"+strconv.Itoa(n), format, documents)
	}
	c.adopt()
	return c, m
}

// pick draws an authority.
func (m *maker) pick() (id, field string) {
	n := m.rng.IntN(madeNames + madeSubjects)
	if n >= madeNames {
		return "subjects:s" + strconv.Itoa(n), "650"
	}
	return "names:n" + strconv.Itoa(n), []string{"700", "600"}[m.rng.IntN(2)]
}

func (m *maker) space() string { return strings.Repeat(" ", m.rng.IntN(3)) }

// linked is a field that is linked to an authority, with its $0.
func (m *maker) linked(id, tag string) string {
	var subs []string
	sub := func(code, text string) {
		subs = append(subs, "{"+m.space()+quoted(code)+m.space()+":"+m.space()+quoted(text)+"}")
	}
	for _, s := range m.model.authorities[id].heading.subs {
		sub(s.code, s.text)
	}
	m.marks++
	sub("e", "by somebody \u2028 \U0001F3B7")
	sub("4", "mark "+strconv.Itoa(m.marks))
	sub("9", id)
	sub("0", m.model.uri(id))
	m.rng.Shuffle(len(subs), func(i, j int) { subs[i], subs[j] = subs[j], subs[i] })
	return fmt.Sprintf(`{"%s":%s{"ind2":"0",%s"subfields"%s:%s[%s],"ind1" : "1"}}`, tag, m.space(), m.space(), m.space(), m.space(), strings.Join(subs, ","+m.space()))
}

// marc is a record. The note in its first 500 is what users change.
func (m *maker) marc() []byte {
	fields := []string{`{"001": "x` + strconv.Itoa(m.rng.IntN(1000)) + `"}`,
		`{"245":{"ind1":"1","ind2":"0","subfields":[{"a":"Caf\u00e9 \/ title"},{"c" : "B\u0061ck"}]}}`,
		`{"500":{"ind1":" ","ind2":" ","subfields":[{"a":"nothing yet"}]}}`,
		`{"650":{"ind1":" ","ind2":"4","subfields":[{"a":"not linked"},{"0":"http://names.example.org/n/n1"}]}}`,
		`{"856":{"ind1":"4","ind2":"0","subfields":[{"u":"http://names.example.org/n/n1"},{"9":"names:n1"}]}}`}
	for range madeLinks {
		fields = append(fields, m.linked(m.pick()))
	}
	return []byte("{ \"leader\" : \"00962njm a2200253 a 4500\",\n\t\"fields\":" + m.space() + "[" + strings.Join(fields, ",\n"+m.space()) + "] }")
}

// json is a document of another kind, with links at different depths.
func (m *maker) json() []byte {
	link := func() string {
		id, _ := m.pick()
		return fmt.Sprintf(`{"authorityId":%s%s, "note": 1.0, "label" : %s,%s"uri":%s}`, m.space(), quoted(id), quoted(m.model.authorities[id].heading.label()),
			m.space(), quoted(m.model.uri(id)))
	}
	return fmt.Appendf(nil, `{"title":"Caf\u00e9","zero":-0.0, "about":[%s , %s],%s"deep":{"deeper":{"who":%s}},"authorityId":null,"label":"none"}`,
		link(), link(), m.space(), link())
}

// move is a change of something, and what the model knows of it.
type move struct {
	what string
	do   func() (job string)
	tell func() reached
}

// draw is a random change that linked fields follow.
func (m *maker) draw(c *catalogue, n int) move {
	sources := []string{"names", "subjects"}
	source := sources[m.rng.IntN(len(sources))]
	if m.rng.IntN(3) == 0 {
		url := fmt.Sprintf("http://%s.example.net:%d/v?x=", source, 1000+n)
		return move{"base URL " + url, func() string { return c.setURL(source, url) }, func() reached { return c.model.setURL(source, url) }}
	}
	id, _ := m.pick()
	for c.model.authorities[id].deleted {
		id, _ = m.pick()
	}
	to := *c.model.authorities[id]
	what := "natural id of "
	switch m.rng.IntN(8) {
	case 0, 1, 2:
		to.naturalID = fmt.Sprintf("%s-%d", strings.SplitN(to.naturalID, "-", 2)[0], n)
	case 3, 4, 5:
		what = "heading of "
		to.heading.subs = []dumbSub{{"d", strconv.Itoa(n)}, {"a", fmt.Sprintf("Renamed %d", n)}}
	case 6:
		what = "source of "
		to.source = "local"
	default:
		what = "deletion of "
		to.deleted = true
	}
	return move{what + id, func() string { return c.put(id, to) }, func() reached { return c.model.change(id, to) }}
}
