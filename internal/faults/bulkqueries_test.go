package faults

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const (
	queryShelves = 120
	queryPlaces  = 5
	queryCycles  = 6
)

// TestBulkQueries has tasks move collections from place to place while others delete them and make them anew, an index is added, and the
// process is killed: in the end every key and every query finds what a look at all collections does.
func TestBulkQueries(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	s := newShelves(t, p.httpAddress)
	s.must(call{op: "type.put", id: "book", raw: []byte(`{"keys":[["/metadata/Short","/metadata/Edition"]],"indexes":["/metadata/Place"]}`)})
	ids := idsOf("b", queryShelves)
	place := func(n int) string { return fmt.Sprintf("P%d", n%queryPlaces) }
	body := func(n int) string {
		return fmt.Sprintf(`{"type":"book","metadata":{"Short":"s%d","Edition":%d,"Place":%q,"Log":[]}}`, n/2, n%2, place(n))
	}
	rng := rand.New(rand.NewPCG(21, 22))
	s.create(ids, func(id string) string { return body(slices.Index(ids, id)) })
	for n := range queryCycles {
		from, to := rng.IntN(queryPlaces), rng.IntN(queryPlaces)
		s.submitWhenBuilt(fmt.Sprintf(`{"type":"book","targets":{"query":{"/metadata/Place":%q}},"instructions":[{"type":"MERGE_PATCH","path":"/metadata","value":{"Place":%q,"Moved":%d}}]}`,
			place(from), place(to), n%2))
		if n == queryCycles/2 {
			s.must(call{op: "type.put", id: "book", raw: []byte(`{"keys":[["/metadata/Short","/metadata/Edition"]],"indexes":["/metadata/Place","/metadata/Moved"]}`)})
		}
		for range 5 {
			at := rng.IntN(len(ids))
			if r := s.ask(call{op: "collection.delete", id: ids[at]}); r.code != "" && r.code != "not-found" {
				t.Fatalf("delete %s: %s", ids[at], r.text)
			}
			if rng.IntN(3) > 0 {
				s.must(call{op: "collection.put", id: ids[at], raw: []byte(body(at))})
			}
		}
		<-time.After(time.Duration(rng.IntN(60)) * time.Millisecond) // the moment of the fault
		p.kill()
		p.start()
	}
	for _, b := range pages[bulkTask](s, call{op: "bulk.list", query: map[string]string{"open": "true"}}) {
		s.end(b.Task)
	}
	s.compareFound()
	s.stop(p)
	checkStore(t, p)
}

// submitWhenBuilt asks until there is nothing more to be built. A query that finds nothing makes no task.
func (s *shelves) submitWhenBuilt(body string, query ...string) bulkTask {
	s.t.Helper()
	c := call{op: "bulk.submit", raw: []byte(body), query: map[string]string{}}
	for _, name := range query {
		c.query[name] = "true"
	}
	var r reply
	for range shelfMaxTries {
		if r = s.ask(c); r.code != "index-building" {
			break
		}
		waitALittle()
	}
	switch {
	case r.code == "":
		return s.taskIn(r)
	case !bytes.Contains(r.text, []byte("leads to no collection")):
		s.t.Fatalf("%s: %s", body, r.text)
	}
	return bulkTask{}
}

// compareFound looks at all collections, and asks for each value that there is or was.
func (s *shelves) compareFound() {
	s.t.Helper()
	want, keys := map[string][]string{}, map[string]string{}
	for _, c := range pages[struct{ ID string }](s, call{op: "collection.list"}) {
		meta, _ := s.must(call{op: "collection.get", id: c.ID}).body["metadata"].(map[string]any)
		for _, path := range []string{"Place", "Moved"} {
			if v, ok := meta[path]; ok {
				query := fmt.Sprintf(`{"/metadata/%s":%s}`, path, mustMarshal(v))
				want[query] = append(want[query], c.ID)
			}
		}
		keys[fmt.Sprintf(`{"/metadata/Short":%s,"/metadata/Edition":%s}`, mustMarshal(meta["Short"]), mustMarshal(meta["Edition"]))] = c.ID
	}
	for n := range queryPlaces {
		if query := fmt.Sprintf(`{"/metadata/Place":"P%d"}`, n); want[query] == nil {
			want[query] = []string{}
		}
	}
	const look = `"instructions":[{"type":"CLEAR_FIELD","path":"/metadata/None"}]}`
	for query, ids := range want {
		found := []string{}
		if b := s.submitWhenBuilt(`{"type":"book","targets":{"query":`+query+`},`+look, "dryRun"); b.Task != "" {
			for _, item := range s.items(s.end(b.Task)) {
				found = append(found, item.ID)
			}
		}
		slices.Sort(found)
		if !slices.Equal(found, ids) {
			s.t.Errorf("%s finds %v, want %v", query, found, ids)
		}
	}
	for n := range queryShelves {
		key := fmt.Sprintf(`{"/metadata/Short":"s%d","/metadata/Edition":%d}`, n/2, n%2)
		b := s.submitWhenBuilt(`{"type":"book","targets":{"keys":[`+key+`]},`+look, "dryRun")
		if items := s.items(s.end(b.Task)); items[0].ID != keys[key] || items[0].ID == "" && items[0].Code != "not-found" {
			s.t.Errorf("%s finds %+v, want %q", key, items[0], keys[key])
		}
	}
}
