package faults

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"concord/transport"
)

const (
	mergeWriters   = 8
	mergeEach      = 120 // updates of a writer
	mergeDocuments = 4
	mergeKills     = 3
	mergeTriesMax  = 500
	mergeLeastRate = 0.1 // of all updates, that met a newer version: fewer prove nothing
	hotDocument    = "hot"
)

// mergingType has a rule for each way in which several can write the same list or number.
var mergingType = map[string]any{"conflict": map[string]any{"default": "merge", "rules": []any{
	map[string]any{"path": "/documents/*/tags", "strategy": "set"},
	map[string]any{"path": "/documents/*/people", "strategy": "keyed", "key": "id"},
	map[string]any{"path": "/documents/*/" + counterName, "strategy": "counter"},
}}}

// merger is one of many who write the same documents: each its own members, keyed elements and set elements, and all of
// them one counter. Each write is built on what its writer last read.
type merger struct {
	t    *testing.T
	name string
	d    door
	rng  *rand.Rand

	wrote   int
	own     map[string]int            // its member of a document, as it last wrote it
	people  map[string]int            // its element of a document's people
	tags    map[string]map[string]int // that it has added to a document
	added   map[string]int            // to the counter of a document
	answers map[int]string            // resolution by version
}

// TestMergesLoseNothing has many writers at one hot document, and at all documents of its collection, while the process is
// killed: no update is refused, none is lost, none has its effect twice, and the counters are right.
func TestMergesLoseNothing(t *testing.T) {
	p := startProcess(t)
	first := newHTTPDoor(p.httpAddress)
	succeed(t, first, call{op: "type.put", id: "hot", body: mergingType})
	documents := map[string]any{}
	for _, name := range hotNames() {
		documents[name] = map[string]any{counterName: 0, "tags": []string{}, "people": []any{}, "title": "Emma"}
	}
	succeed(t, first, call{op: "collection.put", id: "hot", body: map[string]any{"type": "hot", "documents": documents}})
	var done atomic.Int64
	var load sync.WaitGroup
	mergers := make([]*merger, mergeWriters)
	for n := range mergers {
		l := &link{p: p}
		defer l.close()
		doors := []door{newHTTPDoor(p.httpAddress), &natsDoor{l.connection}}
		mergers[n] = &merger{t: t, name: "w" + strconv.Itoa(n), d: doors[n%2], rng: rand.New(rand.NewPCG(uint64(n), 5)),
			own: map[string]int{}, people: map[string]int{}, tags: map[string]map[string]int{}, added: map[string]int{}, answers: map[int]string{}}
		load.Go(func() {
			for range mergeEach {
				mergers[n].write()
				done.Add(1)
			}
		})
	}
	for kill := range mergeKills {
		for done.Load() < int64((kill+1)*mergeWriters*mergeEach/(mergeKills+1)) && !t.Failed() {
			waitALittle()
		}
		p.kill()
		p.start()
	}
	load.Wait()
	checkMergers(t, first, mergers)
	p.stop()
	checkStore(t, p)
}

func hotNames() []string {
	names := []string{hotDocument}
	for n := 1; n < mergeDocuments; n++ {
		names = append(names, "d"+strconv.Itoa(n))
	}
	return names
}

// insist repeats a call, with its key, until there is an answer, which must be a success.
func (m *merger) insist(c call) reply {
	if m.t.Failed() {
		return reply{}
	}
	if c.header == nil {
		c.header = map[string]string{}
	}
	r, err := m.d.do(c)
	for tries := 0; err != nil || r.code == "unavailable" || r.code == "overloaded"; tries++ {
		if tries > mergeTriesMax {
			m.t.Errorf("%s: no answer to %s: %v %s", m.name, c.op, err, r.text)
			return r
		}
		<-time.After(10 * time.Millisecond) // the process is away
		r, err = m.d.do(c)
	}
	if r.code != "" {
		m.t.Errorf("%s: %s is refused: %s", m.name, c.op, r.text)
	}
	return r
}

// write changes the hot document, or all of them in one version.
func (m *merger) write() {
	m.wrote++
	c := call{id: "hot", by: ann, header: map[string]string{transport.HeaderIdempotencyKey: m.name + "-" + strconv.Itoa(m.wrote)}}
	if m.rng.IntN(4) > 0 {
		r := m.insist(call{op: "document.get", id: "hot", inner: hotDocument})
		c.op, c.inner = "document.put", hotDocument
		c.body = map[string]any{"baseVersion": r.body["version"], "value": m.edit(hotDocument, r.body["value"])}
	} else {
		r := m.insist(call{op: "collection.get", id: "hot"})
		documents, _ := r.body["documents"].(map[string]any)
		edited := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(documents)) {
			edited[name] = m.edit(name, documents[name])
		}
		edited[m.name] = map[string]any{"wrote": m.wrote}
		c.op, c.body = "collection.put", map[string]any{"baseVersion": r.body["version"], "documents": edited}
	}
	r := m.insist(c)
	if r.body["changed"] != true {
		m.t.Errorf("%s: %s: %s", m.name, mustMarshal(c.body), r.text)
	}
	m.answers[int(number(r.body["version"]))], _ = r.body["resolution"].(string)
}

// edit is a document with what this writer does to it, and nothing else.
func (m *merger) edit(name string, v any) map[string]any {
	old, _ := v.(map[string]any)
	doc := maps.Clone(old)
	if _, hot := doc[counterName]; !hot {
		return doc // somebody's own
	}
	doc[m.name], m.own[name] = m.wrote, m.wrote
	if m.rng.IntN(2) == 0 {
		by := 1 + m.rng.IntN(3)
		doc[counterName] = whole(doc[counterName]) + by
		m.added[name] += by
	}
	if m.rng.IntN(2) == 0 {
		tags, _ := doc["tags"].([]any)
		tag := m.name + "-" + strconv.Itoa(m.wrote)
		doc["tags"] = append(slices.Clone(tags), tag)
		if m.tags[name] == nil {
			m.tags[name] = map[string]int{}
		}
		m.tags[name][tag] = 1
	}
	if m.rng.IntN(2) == 0 {
		people, _ := doc["people"].([]any)
		people = slices.DeleteFunc(slices.Clone(people), func(one any) bool { return one.(map[string]any)["id"] == m.name })
		doc["people"] = append(people, map[string]any{"id": m.name, "n": m.wrote})
		m.people[name] = m.wrote
	}
	return doc
}

// checkMergers compares the documents with what everybody has done to them, and the history with the answers.
func checkMergers(t *testing.T, d door, mergers []*merger) {
	t.Helper()
	documents, _ := succeed(t, d, call{op: "collection.get", id: "hot"}).body["documents"].(map[string]any)
	for _, name := range hotNames() {
		doc, _ := documents[name].(map[string]any)
		want := map[string]any{"title": "Emma"}
		tags, people, added := map[string]int{}, map[string]int{}, 0
		for _, m := range mergers {
			if n, wrote := m.own[name]; wrote {
				want[m.name] = n
			}
			if n, wrote := m.people[name]; wrote {
				people[m.name] = n
			}
			maps.Copy(tags, m.tags[name])
			added += m.added[name]
		}
		gotTags, gotPeople := map[string]int{}, map[string]int{}
		for _, tag := range doc["tags"].([]any) {
			gotTags[fmt.Sprint(tag)]++
		}
		for _, one := range doc["people"].([]any) {
			person, _ := one.(map[string]any)
			gotPeople[fmt.Sprint(person["id"])] = whole(person["n"])
		}
		if !maps.Equal(gotTags, tags) || !maps.Equal(gotPeople, people) || whole(doc[counterName]) != added {
			t.Errorf("%s: %d of %d tags, people %v, want %v, counter %v, want %d", name, len(gotTags), len(tags), gotPeople, people,
				doc[counterName], added)
		}
		rest := maps.Clone(doc)
		for _, known := range []string{"tags", "people", counterName} {
			delete(rest, known)
		}
		if fmt.Sprint(rest) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, rest, want)
		}
	}
	merged, all := 0, 0
	history := historyOf(t, d, "hot")
	for _, m := range mergers {
		for version, resolution := range m.answers {
			note, known := history[version]
			all++
			if resolution != "" {
				merged++
			}
			if told, _ := note["resolution"].(string); !known || told != resolution {
				t.Errorf("version %d was answered as %q, the history has %v", version, resolution, note)
			}
		}
	}
	t.Logf("%d updates, %d of them merged", all, merged)
	if all != mergeWriters*mergeEach || len(history) != all+1 {
		t.Errorf("%d answers with a version of their own, %d versions, want %d", all, len(history), mergeWriters*mergeEach)
	}
	if float64(merged) < mergeLeastRate*float64(all) {
		t.Errorf("only %d merges: the test proves nothing", merged)
	}
}
