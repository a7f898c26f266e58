package faults

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"concord/actors"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

const (
	policySteps       = 400
	policyKeep        = 6 // versions, where retention forgets the others
	policyBaseMaxBack = 16
	policyEach        = 100 // steps between restarts
)

// policyWalk writes one collection through all policies, and knows what each write must come to.
type policyWalk struct {
	t     *testing.T
	house house
	id    string
	rng   *rand.Rand
	keep  int // versions that retention keeps; 0: all
	gone  int // the newest version that it has forgotten

	versions []map[string]any  // documents by version, from 1 on
	wrote    map[string]int    // version that last changed a document
	notes    map[int][2]string // policy and resolution of versions whose base was stale
	came     map[string]int    // how often something came out
}

// TestPolicies writes at random under every policy, on bases new and old, one document and several at once, over both doors
// in turn: each answer, each stored version and the history must be what a plain model says, also after the process was
// killed. Where retention forgets versions, a base that is gone is refused as such and never merged from something else.
func TestPolicies(t *testing.T) {
	for name, keep := range map[string]int{"all versions are kept": 0, "retention keeps few": policyKeep} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, closeLink := startKilled(t)
			defer closeLink()
			w := &policyWalk{t: t, house: h, id: "walk", rng: rand.New(rand.NewPCG(uint64(keep), uint64(count("CONCORD_POLICY_SEED", 3)))), keep: keep, wrote: map[string]int{},
				notes: map[int][2]string{}, came: map[string]int{}, versions: []map[string]any{{}}}
			w.begin(h.doors()[0])
			for i := range policySteps {
				if i%policyEach == policyEach-1 {
					w.restart(h)
				}
				if w.step(h.doors()[i%2]); t.Failed() {
					t.Fatalf("at step %d", i)
				}
			}
			w.check(h.doors()[0])
			t.Logf("%d versions, %d of stale writes: %v", w.newest(), len(w.notes), w.came)
			for _, p := range []string{"merge", "merge-client", "merge-server", "client", "server", "server-logic"} {
				if w.came[p+" saved"]+w.came[p+" unchanged"] == 0 {
					t.Errorf("nothing stale was settled by %s: the test proves nothing", p)
				}
			}
			if unavailable := w.came["base-unavailable"]; (unavailable > 0) != (keep > 0) {
				t.Errorf("%d bases were unavailable", unavailable)
			}
			h.p.stop()
			checkStore(t, h.p)
		})
	}
}

func (w *policyWalk) begin(d door) {
	succeed(w.t, d, call{op: "type.put", id: w.id, body: map[string]any{"conflict": map[string]any{"rules": []any{
		map[string]any{"path": "/documents/*/" + counterName, "strategy": "counter"}}}}})
	documents := map[string]any{}
	for _, name := range []string{"a", "b", "c"} {
		documents[name] = plain(map[string]any{"x": 0, "y": 0, "in": map[string]any{"p": 0, "q": 0}, counterName: 0})
		w.wrote[name] = 1
	}
	succeed(w.t, d, call{op: "collection.put", id: w.id, body: map[string]any{"type": w.id, "documents": documents}})
	w.versions = append(w.versions, documents)
}

func (w *policyWalk) newest() int { return len(w.versions) - 1 }

// proposal is a write as the model looks at it: the documents as the client wants them.
type proposal struct {
	base   int // 0: none
	policy string
	docs   map[string]any // missing: to be removed
	whole  bool           // there shall be no others
}

// restart kills the process; or ends it in order and lets retention forget what it may: in a running service it waits for
// minutes, until what was published is certain to be on disk.
func (w *policyWalk) restart(h *killed) {
	w.t.Helper()
	if w.keep == 0 {
		if err := h.restart(); err != nil {
			w.t.Fatal(err)
		}
		return
	}
	h.p.stop()
	store, err := pebblestore.Open(h.p.storeDir(), pebblestore.Options{Fatal: func(err error) { w.t.Error(err) }})
	if err != nil {
		w.t.Fatal(err)
	}
	done, err := store.Trim(context.Background(), persistence.EntityID{Kind: persistence.KindCollection, Provider: provider, ID: w.id},
		pebblestore.Policy{Versions: w.keep}, pebblestore.TrimOptions{Fold: actors.Fold(actors.DefaultLimits), Now: time.Now(),
			Needs: actors.Needs(actors.DefaultLimits)})
	if err := errors.Join(err, store.Close()); err != nil || done.Records == 0 {
		w.t.Fatalf("trimmed %+v: %v", done, err)
	}
	w.gone = w.newest() - w.keep
	h.p.start()
}

// removes says that the write is the removal of a document, which needs to know that there was one.
func (p proposal) removes() bool {
	for _, v := range p.docs {
		return len(p.docs) == 1 && isMissing(v)
	}
	return false
}

// propose draws a write that was built on some version.
func (w *policyWalk) propose() proposal {
	policies := []string{"", "merge", "merge-client", "merge-server", "client", "server", "merged", "server-logic"}
	p := proposal{policy: policies[w.rng.IntN(len(policies))], docs: map[string]any{}}
	on := w.newest()
	if w.rng.IntN(10) > 0 {
		on = max(1, on-w.rng.IntN(policyBaseMaxBack))
		p.base = on
	}
	if w.rng.IntN(4) == 0 {
		return w.proposeWhole(p, on)
	}
	for range 1 + w.rng.IntN(2) {
		name := string(rune('a' + w.rng.IntN(3)))
		p.docs[name] = w.edited(member(w.versions[on], name))
	}
	// One document alone is removed, and only one that is there: what removing nothing comes to is tested elsewhere.
	if len(p.docs) == 1 && w.rng.IntN(6) == 0 {
		for name := range p.docs {
			_, now := w.versions[w.newest()][name]
			if _, was := w.versions[on][name]; was && now {
				p.docs[name] = missing{}
			}
		}
	}
	return p
}

// edited is a document after a client has worked on it.
func (w *policyWalk) edited(v any) any {
	old, _ := v.(map[string]any)
	doc := map[string]any{counterName: whole(member(old, counterName)) + w.rng.IntN(3)}
	for name, value := range old {
		if name != counterName {
			doc[name] = value
		}
	}
	in, _ := doc["in"].(map[string]any)
	in = maps.Clone(in)
	if in == nil {
		in = map[string]any{}
	}
	for range 1 + w.rng.IntN(2) {
		n := w.rng.IntN(4)
		switch w.rng.IntN(6) {
		case 0:
			doc["x"] = n
		case 1:
			doc["y"] = []int{n, n}
		case 2:
			delete(doc, "y")
		case 3:
			in["p"] = n
		case 4:
			in["q"] = n
		default:
			delete(in, "p")
		}
	}
	doc["in"] = in
	return plain(doc)
}

// outcome is what a write must come to.
type outcome struct {
	code       string
	resolution string
	conflicts  map[string]string // that are named
	docs       map[string]any    // the collection afterwards
}

// expect works out a write.
func (w *policyWalk) expect(p proposal) outcome {
	now := w.versions[w.newest()]
	if p.policy == "merged" && p.base == 0 {
		return outcome{code: "precondition-required"}
	}
	if p.base > 0 && p.base <= w.gone && (p.policy != "client" || p.removes()) { // else it depends on no base
		return outcome{code: "base-unavailable"}
	}
	if p.whole {
		return w.expectWhole(p)
	}
	stale := map[string]bool{}
	for name := range p.docs {
		stale[name] = p.base > 0 && p.base < w.wrote[name]
	}
	o := outcome{docs: maps.Clone(now)}
	d := &dumbMerge{conflicts: map[string]string{}}
	for name, client := range p.docs {
		if stale[name] {
			client = w.settled(d, p, name, client, &o)
		}
		o.docs[name] = client
		if isMissing(client) {
			delete(o.docs, name)
		}
	}
	if o.resolution == "server" {
		o.docs = now
	}
	if o.conflicts = d.conflicts; len(d.conflicts) > 0 && d.prefer == "" {
		o.code, o.resolution = "version-conflict", ""
	}
	return o
}

// settled is what becomes of a stale document.
func (w *policyWalk) settled(d *dumbMerge, p proposal, name string, client any, o *outcome) any {
	path, base, server := "/documents/"+name, member(w.versions[p.base], name), member(w.versions[w.newest()], name)
	switch p.policy {
	case "", "merged":
		d.conflicts[path] = kindOf(base, client, server)
		return server
	case "client", "server":
		o.resolution = p.policy
		return client
	case "merge-client", "merge-server":
		d.prefer = p.policy[len("merge-"):]
	}
	o.resolution = "merged"
	if p.policy == "server-logic" {
		o.resolution = "server-logic"
	}
	return d.merge(path, base, client, server)
}

func (w *policyWalk) request(p proposal) call {
	c := call{id: w.id, by: ann, body: map[string]any{}}
	if p.base > 0 {
		c.body["baseVersion"] = p.base
	}
	if p.policy != "" {
		c.body["policy"] = p.policy
	}
	var changes []any
	for _, name := range slices.Sorted(maps.Keys(p.docs)) {
		c.inner = name
		changes = append(changes, map[string]any{"op": "put-document", "id": name, "value": p.docs[name]})
	}
	switch {
	case p.whole:
		c.op, c.inner, c.body["documents"] = "collection.put", "", p.docs
	case p.removes():
		c.op, c.query = "document.delete", map[string]string{}
		for name, value := range c.body {
			c.query[name] = fmt.Sprint(value)
		}
		c.body = nil
	case len(changes) == 1:
		c.op, c.body["value"] = "document.put", p.docs[c.inner]
	default:
		c.op, c.inner, c.body["changes"] = "collection.patch", "", changes
	}
	return c
}

// step makes a write and compares what came of it.
func (w *policyWalk) step(d door) {
	w.t.Helper()
	p := w.propose()
	want, c := w.expect(p), w.request(p)
	r, err := d.do(c)
	if err != nil {
		w.t.Fatal(err)
	}
	about := func() string { return fmt.Sprintf("%s over %v\n%s", mustMarshal(c.body), c.query, r.text) }
	if r.code != want.code {
		w.t.Fatalf("want %q: %s", want.code, about())
	}
	if got := conflictsIn(w.t, r); len(got)+len(want.conflicts) > 0 && !reflect.DeepEqual(got, want.conflicts) {
		w.t.Fatalf("conflicts %v, want %v: %s", got, want.conflicts, about())
	}
	if r.code != "" {
		w.came[r.code]++
		return
	}
	changed := !reflect.DeepEqual(want.docs, w.versions[w.newest()])
	if changed {
		w.follow(p, want)
	}
	if resolution, _ := r.body["resolution"].(string); resolution != want.resolution || r.body["changed"] != changed ||
		number(r.body["version"]) != uint64(w.newest()) {
		w.t.Fatalf("want resolution %q, changed %t, version %d: %s", want.resolution, changed, w.newest(), about())
	}
	if want.resolution != "" {
		w.came[p.policy+map[bool]string{true: " saved", false: " unchanged"}[changed]]++
	}
	if got := w.read(d, w.newest()); !reflect.DeepEqual(got, want.docs) {
		w.t.Fatalf("the collection is %v, want %v: %s", got, want.docs, about())
	}
}

// follow takes a write into the model.
func (w *policyWalk) follow(p proposal, o outcome) {
	before := w.versions[w.newest()]
	w.versions = append(w.versions, o.docs)
	for name := range touched(before, o.docs) {
		if !reflect.DeepEqual(member(before, name), member(o.docs, name)) {
			w.wrote[name] = w.newest()
		}
	}
	if o.resolution != "" {
		w.notes[w.newest()] = [2]string{p.policy, o.resolution}
	}
}

func (w *policyWalk) read(d door, version int) any {
	w.t.Helper()
	r := succeed(w.t, d, call{op: "collection.get", id: w.id, query: map[string]string{"version": strconv.Itoa(version)}})
	return r.body["documents"]
}

// check reads the whole history back.
func (w *policyWalk) check(d door) {
	w.t.Helper()
	for version := w.gone + 1; version <= w.newest(); version++ {
		if got := w.read(d, version); !reflect.DeepEqual(got, any(w.versions[version])) {
			w.t.Errorf("version %d is %v, want %v", version, got, w.versions[version])
		}
	}
	for version, note := range historyOf(w.t, d, w.id) {
		policy, _ := note["policy"].(string)
		resolution, _ := note["resolution"].(string)
		if got := [2]string{policy, resolution}; got != w.notes[version] {
			w.t.Errorf("the history tells of version %d %v, want %v", version, got, w.notes[version])
		}
	}
}

// historyOf is what the history says of the merge of each version that it has; nil of none.
func historyOf(t *testing.T, d door, id string) map[int]map[string]any {
	t.Helper()
	notes, cursor := map[int]map[string]any{}, ""
	for {
		query := map[string]string{"limit": "500"}
		if cursor != "" {
			query["cursor"] = cursor
		}
		page := succeed(t, d, call{op: "collection.history", id: id, query: query})
		items, _ := page.body["items"].([]any)
		for _, item := range items {
			one, _ := item.(map[string]any)
			note, _ := one["merge"].(map[string]any)
			notes[int(number(one["version"]))] = note
		}
		if cursor, _ = page.body["next"].(string); cursor == "" {
			return notes
		}
	}
}
