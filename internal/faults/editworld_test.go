package faults

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/actors/lock/scenario"
	"concord/transport"
)

// desk is a bulk edit session of somebody, in a running service.
type desk struct {
	s  *shelves
	by scenario.Party
	id string
}

// deskSession is a session as it is read.
type deskSession struct {
	Session           string
	Owner             string
	State             string
	Counts            struct{ Matched, NotFound, Duplicate, Ambiguous uint64 }
	Runs              []deskRun
	Path              []uint32
	RollbackAvailable bool
	RedoAvailable     bool
	Storage           struct{ Versions, Bytes uint64 }
}

// deskRun is a run of a session as it is read.
type deskRun struct {
	Run    uint32
	Kind   string
	Step   uint32
	To     *uint32
	Of     uint32
	DryRun bool
	Task   string
	State  string
	Counts map[string]uint64
}

// dry says that the run has written nothing.
func (r *deskRun) dry() bool { return r.DryRun || r.Kind == "preview" }

const deskMaxWaits = 20 // that a call may lose over something that has to end before

// openDesk opens a session of somebody.
func (s *shelves) openDesk(by scenario.Party, body string) *desk {
	s.t.Helper()
	r := s.must(call{op: "edit.open", by: by, raw: []byte(body)})
	id, _ := r.body["session"].(string)
	return &desk{s, by, id}
}

// overIDs is the body that opens a session over collections.
func overIDs(ids []string) string { return `{"ids":` + string(mustMarshal(ids)) + `}` }

// do gives the session something to do, under a key: as long as what has to end before takes, it asks again.
func (k *desk) do(verb, body, key string) (r reply) {
	c := call{op: "edit." + verb, id: k.id, by: k.by, raw: []byte(body), header: map[string]string{transport.HeaderIdempotencyKey: key}}
	for range deskMaxWaits {
		if r = k.s.ask(c); r.code != "deadline" {
			break
		}
	}
	return r
}

// key is one that nobody has used.
func (k *desk) key() string { return fmt.Sprintf("%s-desk-%d", k.s.t.Name(), k.s.keys.Add(1)) }

// run has the session do something, which must be no refusal, and waits for its end.
func (k *desk) run(verb, body string) deskSession {
	k.s.t.Helper()
	if r := k.do(verb, body, k.key()); r.code != "" {
		k.s.t.Fatalf("%s of %s: %s", verb, k.by.Principal, r.text)
	}
	return k.rests()
}

// refused has the session refuse something; nothing of it changes.
func (k *desk) refused(code, verb, body string) {
	k.s.t.Helper()
	read := func() reply { return k.s.ask(call{op: "edit.get", id: k.id, by: k.by}) }
	before := read()
	if r := k.do(verb, body, k.key()); r.code != code {
		k.s.t.Errorf("%s %s of %s: want %s: %s", verb, body, k.by.Principal, code, r.text)
	}
	if after := read(); after.code != before.code || after.code == "" && string(after.text) != string(before.text) {
		k.s.t.Errorf("%s %s was refused, and has changed the session: %s, and was %s", verb, body, after.text, before.text)
	}
}

// look reads the session.
func (k *desk) look() (d deskSession) {
	r := k.s.ask(call{op: "edit.get", id: k.id, by: k.by})
	if err := json.Unmarshal(r.text, &d); err != nil || r.code != "" {
		k.s.t.Errorf("session of %s: %v %s", k.by.Principal, err, r.text)
	}
	return d
}

// working are the states of a session that something is under way of.
var working = []string{"PREVIEWING", "APPLYING", "CANCELLING", "ROLLING_BACK"}

// rests waits until nothing of the session is under way. It waits as long as something comes of it.
func (k *desk) rests() (d deskSession) {
	k.s.t.Helper()
	last := uint64(0)
	for until := time.Now().Add(bulkMaxWait); time.Now().Before(until); <-time.After(bulkPause) {
		d = k.look()
		if !slices.Contains(working, d.State) || k.s.t.Failed() {
			return d
		}
		if pending := d.Runs[len(d.Runs)-1].Counts["pending"]; pending != last {
			last, until = pending, time.Now().Add(bulkMaxWait)
		}
	}
	k.s.t.Fatalf("the session of %s never rests: %+v", k.by.Principal, d)
	return d
}

// results are what came of the records in a run.
func (k *desk) results(r *deskRun) []bulkItem {
	k.s.t.Helper()
	if r.Task == "" {
		return nil
	}
	return k.s.items(k.s.task(r.Task))
}

// stepOf is the body of a step that leaves a mark in each record.
func stepOf(mark string) string { return `{"instructions":` + marks(mark) + `}` }

// deskVersion is a version of a record: all that it has, byte for byte.
type deskVersion struct {
	task    string // that has made it; "": somebody else
	content string
}

// content is all that a collection has, in its newest version or an old one (0: the newest), byte for byte.
func (s *shelves) content(id string, version uint64) string {
	query := map[string]string{"documents": "all"}
	if version > 0 {
		query["version"] = numbered(version)
	}
	r := s.ask(call{op: "collection.get", id: id, query: query})
	var c struct {
		Type, Format string
		Metadata     json.RawMessage
		Documents    map[string]json.RawMessage
	}
	if r.code == "not-found" {
		return "gone"
	}
	if err := json.Unmarshal(r.text, &c); err != nil || r.code != "" {
		s.t.Errorf("%s, version %d: %v %s", id, version, err, r.text)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s %s", c.Type, c.Format, c.Metadata)
	for _, name := range slices.Sorted(maps.Keys(c.Documents)) {
		fmt.Fprintf(&text, " %s=%s", name, c.Documents[name])
	}
	return text.String()
}

// contents are those of many collections.
func (s *shelves) contents(ids []string) map[string]string {
	s.t.Helper()
	list := make([]string, len(ids))
	places := make(map[string]int, len(ids))
	for i, id := range ids {
		places[id] = i
	}
	s.each(ids, func(id string) { list[places[id]] = s.content(id, 0) })
	all := make(map[string]string, len(ids))
	for i, id := range ids {
		all[id] = list[i]
	}
	return all
}

// versions are those of a collection, with their contents; the first one is at place 1.
func (s *shelves) versions(id string) []deskVersion {
	all := []deskVersion{{}}
	for _, v := range s.history(id) {
		all = append(all, deskVersion{v.Bulk, s.content(id, v.Version)})
	}
	return all
}

// same compares the contents of collections with what they were.
func same(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for id, text := range want {
		if got[id] != text {
			t.Errorf("%s: %s is %s, want %s", what, id, clip(got[id]), clip(text))
		}
	}
}

const clipMaxBytes = 300

// clip is the begin of a text.
func clip(text string) string { return text[:min(len(text), clipMaxBytes)] }

var carol = scenario.Party{Principal: "carol", Session: "1"}
