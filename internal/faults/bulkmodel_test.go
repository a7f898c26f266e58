package faults

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rs/zerolog"

	"concord/transport"
)

const (
	modelShelves = 6
	modelSteps   = 120
)

// dumbShelf is what a collection must be.
type dumbShelf struct {
	version uint64
	gone    bool
	list    []string // nil: there is none
	token   string   // of the lock that ann holds
}

// dumbInstruction is an instruction, and what it makes of a list: what comes of it, and the list then.
type dumbInstruction struct {
	text string
	does func([]string) (string, []string)
}

// dumbDistinct keeps the first of equal elements.
func dumbDistinct(list []string) (out []string) {
	for _, v := range list {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// outcome says what has come of it that a list became another one.
func dumbOutcome(was, is []string) (string, []string) {
	if slices.Equal(was, is) && (was == nil) == (is == nil) {
		return "UNCHANGED", was
	}
	return "UPDATED", is
}

// drawInstruction draws an instruction on the list, and its dumb twin.
func drawInstruction(rng *rand.Rand) dumbInstruction {
	word := func() string { return string(rune('a' + rng.IntN(4))) }
	v, w := word(), word()
	const at = `"path":"/metadata/Log"`
	found := func(does func([]string) []string) func([]string) (string, []string) {
		return func(list []string) (string, []string) {
			if !slices.Contains(list, v) {
				return "SKIPPED", list
			}
			return dumbOutcome(list, does(list))
		}
	}
	switch rng.IntN(6) {
	case 0:
		return dumbInstruction{fmt.Sprintf(`{"type":"ADD_TO_EXISTING",%s,"value":%q,"distinct":false}`, at, v),
			func(list []string) (string, []string) { return "UPDATED", append(slices.Clone(list), v) }}
	case 1:
		return dumbInstruction{fmt.Sprintf(`{"type":"ADD_TO_EXISTING",%s,"value":%q}`, at, v),
			func(list []string) (string, []string) {
				return dumbOutcome(list, dumbDistinct(append(slices.Clone(list), v)))
			}}
	case 2:
		return dumbInstruction{fmt.Sprintf(`{"type":"CLEAR_ALL_AND_REPLACE",%s,"value":[%q,%q]}`, at, v, w),
			func(list []string) (string, []string) { return dumbOutcome(list, dumbDistinct([]string{v, w})) }}
	case 3:
		return dumbInstruction{`{"type":"CLEAR_FIELD",` + at + `}`, func(list []string) (string, []string) {
			if list == nil {
				return "SKIPPED", nil
			}
			return "UPDATED", nil
		}}
	case 4:
		return dumbInstruction{fmt.Sprintf(`{"type":"FIND_AND_REMOVE",%s,"find":%q}`, at, v), found(func(list []string) (out []string) {
			for _, one := range list {
				if one != v {
					out = append(out, one)
				}
			}
			return out
		})}
	}
	return dumbInstruction{fmt.Sprintf(`{"type":"FIND_AND_REPLACE",%s,"find":%q,"value":%q}`, at, v, w), found(func(list []string) []string {
		out := slices.Clone(list)
		for i := range out {
			if out[i] == v {
				out[i] = w
			}
		}
		return dumbDistinct(out)
	})}
}

// TestBulkAgainstModel draws histories of tasks, writes, deletions, locks and cancels, and holds every item and every collection against
// a dumb model.
func TestBulkAgainstModel(t *testing.T) {
	t.Parallel()
	h := startInProcess(t, zerolog.Nop(), transport.AuthOff{})
	m := &bulkModel{s: newShelves(t, h.http), rng: rand.New(rand.NewPCG(51, 52)), shelves: map[string]*dumbShelf{}, outcomes: map[string]int{}}
	for _, id := range idsOf("c", modelShelves) {
		m.shelves[id] = &dumbShelf{gone: true}
		m.ids = append(m.ids, id)
	}
	for range modelSteps {
		m.write()
		m.lock()
		m.run()
		if t.Failed() {
			return
		}
	}
	t.Log(m.outcomes)
	for _, want := range []string{"UPDATED", "UNCHANGED", "SKIPPED", "FAILED not-found", "FAILED locked", "CANCELLED"} {
		if m.outcomes[want] == 0 {
			t.Errorf("nothing was %s: %v", want, m.outcomes)
		}
	}
}

type bulkModel struct {
	s        *shelves
	rng      *rand.Rand
	ids      []string
	shelves  map[string]*dumbShelf
	outcomes map[string]int
}

// write writes a collection as ann, or deletes it.
func (m *bulkModel) write() {
	m.s.t.Helper()
	id := m.ids[m.rng.IntN(len(m.ids))]
	k := m.shelves[id]
	if k.gone || m.rng.IntN(3) > 0 {
		list := []string{"a", "b", "a", "c"}[:m.rng.IntN(5)]
		text, _ := json.Marshal(list)
		r := m.s.must(call{op: "collection.put", id: id, by: ann, token: k.token, raw: []byte(`{"metadata":{"Log":` + string(text) + `}}`)})
		k.version, k.gone, k.list = number(r.body["version"]), false, slices.Clone(list)
		return
	}
	if k.token == "" {
		r := m.s.must(call{op: "collection.delete", id: id, by: ann})
		k.version, k.gone, k.list = number(r.body["version"]), true, nil
	}
}

// lock takes or gives back a lock.
func (m *bulkModel) lock() {
	m.s.t.Helper()
	id := m.ids[m.rng.IntN(len(m.ids))]
	switch k := m.shelves[id]; {
	case k.token != "":
		m.s.must(call{op: "lock.release", id: id, by: ann, token: k.token})
		k.token = ""
	case !k.gone && m.rng.IntN(2) == 0:
		k.token, _ = m.s.must(call{op: "lock.acquire", id: id, by: ann, body: map[string]any{"ttl": 600}}).body["token"].(string)
	}
}

// run asks for a task, sometimes a dry run, sometimes one that is cancelled before it can do anything for a lock.
func (m *bulkModel) run() {
	m.s.t.Helper()
	some := slices.Clone(m.ids)
	m.rng.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	some = some[:1+m.rng.IntN(len(some))]
	one := drawInstruction(m.rng)
	list, _ := json.Marshal(some)
	wait := m.rng.IntN(3) == 0
	policy := map[bool]string{true: "wait", false: "fail"}[wait]
	body := fmt.Sprintf(`{"targets":{"ids":%s},"onLocked":%q,"instructions":[%s]}`, list, policy, one.text)
	dry := m.rng.IntN(5) == 0
	var b bulkTask
	if dry {
		b = m.s.submit(body, "dryRun")
	} else {
		b = m.s.submit(body)
	}
	locked := uint64(0)
	for _, id := range some {
		if wait && !dry && m.shelves[id].token != "" {
			locked++
		}
	}
	if locked > 0 {
		m.s.await(b.Task, "waits for locks alone", func(b bulkTask) bool { return b.Counts["pending"] == locked && b.WaitingForLocks == locked })
		m.s.must(call{op: "bulk.cancel", id: b.Task})
	}
	b = m.s.end(b.Task)
	for _, item := range m.s.items(b) {
		m.check(item, one, dry, wait)
	}
}

// check holds an item, and its collection, against the model.
func (m *bulkModel) check(item bulkItem, one dumbInstruction, dry, wait bool) {
	m.s.t.Helper()
	k := m.shelves[item.ID]
	state, list := one.does(k.list)
	switch {
	case k.gone:
		state, list = "FAILED not-found", nil
	case k.token != "" && !dry && wait:
		state, list = "CANCELLED", k.list
	case k.token != "" && !dry:
		state, list = "FAILED locked", k.list
	}
	got := item.State
	if item.Code != "" {
		got += " " + item.Code
	}
	m.outcomes[got]++
	if got != state {
		m.s.t.Errorf("%s of %v is %s, want %s: %s %+v", item.ID, k.list, got, state, one.text, item)
	}
	if state == "UPDATED" && !dry {
		k.version++
		k.list = list
		if item.VersionAfter != k.version || item.VersionBefore != k.version-1 {
			m.s.t.Errorf("%+v, want version %d", item, k.version)
		}
	}
	if k.gone {
		return
	}
	if is := m.s.shelf(item.ID); is.Version != k.version || !slices.Equal(is.Metadata.Log, k.list) {
		m.s.t.Errorf("%s is version %d of %v, want %d of %v after %s", item.ID, is.Version, is.Metadata.Log, k.version, k.list, one.text)
	}
}
