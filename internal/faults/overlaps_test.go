package faults

import (
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"concord/transport"
)

const (
	overlapClients = 5
	overlapRounds  = 40
	overlapMembers = 6
	countersEach   = 25
)

// rivalry is what one client sent and got in a round.
type rivalry struct {
	documents map[string]any
	answer    reply
}

// TestOverlaps has clients change the same members of the same documents at once, all of them built on the same version, with
// the policy merge. Of those who want one path to be different things one wins; what a refusal names is compared with what the
// three versions say when they are read back, and so is each version that was made.
func TestOverlaps(t *testing.T) {
	h := startInProcess(t, zerolog.Nop(), transport.AuthOff{})
	doors := h.doors()
	documents := map[string]any{"a": map[string]any{}, "b": map[string]any{}}
	succeed(t, doors[0], call{op: "collection.put", id: "c", body: map[string]any{"documents": documents}})
	rng := rand.New(rand.NewPCG(8, 8))
	won, lost, conflicts := 0, 0, 0
	for range overlapRounds {
		base := succeed(t, doors[0], call{op: "collection.get", id: "c"})
		before, _ := base.body["documents"].(map[string]any)
		rivals := make([]*rivalry, overlapClients)
		for n := range rivals {
			rivals[n] = &rivalry{documents: contend(rng, before, n)}
		}
		var sent sync.WaitGroup
		for n, r := range rivals {
			sent.Go(func() {
				var err error
				r.answer, err = doors[n%2].do(call{op: "collection.put", id: "c", by: ann, body: map[string]any{
					"baseVersion": base.body["version"], "policy": "merge", "documents": r.documents}})
				if err != nil {
					t.Error(err)
				}
			})
		}
		sent.Wait()
		for _, r := range rivals {
			if r.answer.code == "" {
				won++
				checkWinner(t, doors[0], r, before)
				continue
			}
			lost++
			conflicts += checkLoser(t, doors[1], r, before)
		}
		if oneWinner(t, rivals, before); t.Failed() {
			return
		}
	}
	t.Logf("%d updates won, %d lost, over %d conflicts", won, lost, conflicts)
	if won < overlapRounds || lost < overlapRounds {
		t.Error("too few met each other: the test proves nothing")
	}
}

// contend is what a client makes of the documents: some members are others, or gone.
func contend(rng *rand.Rand, before map[string]any, client int) map[string]any {
	documents := map[string]any{}
	for name, v := range before {
		old, _ := v.(map[string]any)
		doc := maps.Clone(old)
		for range 1 + rng.IntN(2) {
			member := "m" + strconv.Itoa(rng.IntN(overlapMembers))
			switch rng.IntN(4) {
			case 0:
				delete(doc, member)
			case 1:
				doc[member] = "same for all"
			case 2:
				doc[member] = map[string]any{"by": client, "w" + strconv.Itoa(client): rng.IntN(100)}
			default:
				doc[member] = rng.IntN(100)
			}
		}
		documents[name] = doc
	}
	plained, _ := plain(documents).(map[string]any)
	return plained
}

// at is a version of the collection, read back.
func at(t *testing.T, d door, version uint64) any {
	t.Helper()
	return succeed(t, d, call{op: "collection.get", id: "c", query: map[string]string{"version": strconv.FormatUint(version, 10)}}).body["documents"]
}

// checkWinner: the version that was made is the one before it, with what the client changed.
func checkWinner(t *testing.T, d door, r *rivalry, before any) {
	t.Helper()
	if r.answer.body["changed"] != true {
		return
	}
	version := number(r.answer.body["version"])
	m := &dumbMerge{conflicts: map[string]string{}}
	want := m.merge("/documents", before, any(r.documents), at(t, d, version-1))
	if got := at(t, d, version); len(m.conflicts) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("version %d is %v, want %v, conflicts %v", version, got, want, m.conflicts)
	}
}

// checkLoser: the conflicts are all there are between what the client sent and the version that the refusal names.
func checkLoser(t *testing.T, d door, r *rivalry, before any) int {
	t.Helper()
	server := at(t, d, number(r.answer.body["currentVersion"]))
	m := &dumbMerge{conflicts: map[string]string{}}
	m.merge("/documents", at(t, d, number(r.answer.body["baseVersion"])), any(r.documents), server)
	if got := conflictsIn(t, r.answer); r.answer.code != "version-conflict" || len(got) == 0 || !reflect.DeepEqual(got, m.conflicts) {
		t.Errorf("%v against %v on %v: the answer names %v, want %v: %s", r.documents, server, before, got, m.conflicts, r.answer.text)
	}
	return len(m.conflicts)
}

// oneWinner: the accepted ones do not want anything to be two things.
func oneWinner(t *testing.T, rivals []*rivalry, before any) {
	t.Helper()
	for i, r := range rivals {
		for _, other := range rivals[i+1:] {
			m := &dumbMerge{conflicts: map[string]string{}}
			if r.answer.code != "" || other.answer.code != "" {
				continue
			}
			if m.merge("/documents", before, any(r.documents), any(other.documents)); len(m.conflicts) > 0 {
				t.Errorf("two were accepted that disagree on %v", slices.Sorted(maps.Keys(m.conflicts)))
			}
		}
	}
}

// TestMergedOverwritesNobody has clients merge by hand, each its own increment of one number, again and again until it is
// accepted. None overwrites what came between.
func TestMergedOverwritesNobody(t *testing.T) {
	h := startInProcess(t, zerolog.Nop(), transport.AuthOff{})
	succeed(t, h.doors()[0], call{op: "collection.put", id: "c", body: map[string]any{"documents": map[string]any{"n": 0}}})
	var clients sync.WaitGroup
	for n := range overlapClients {
		clients.Go(func() {
			d := h.doors()[n%2]
			for done := 0; done < countersEach && !t.Failed(); {
				now, err := d.do(call{op: "document.get", id: "c", inner: "n"})
				if err != nil {
					t.Error(err)
					return
				}
				r, err := d.do(call{op: "document.put", id: "c", inner: "n", by: ann, body: map[string]any{
					"baseVersion": now.body["version"], "policy": "merged", "value": whole(now.body["value"]) + 1}})
				if err != nil || r.code != "" && r.code != "version-conflict" {
					t.Errorf("%v %s", err, r.text)
				}
				if r.code == "" {
					done++
				}
			}
		})
	}
	clients.Wait()
	r := succeed(t, h.doors()[0], call{op: "document.get", id: "c", inner: "n"})
	if whole(r.body["value"]) != overlapClients*countersEach {
		t.Errorf("%d increments came to %v", overlapClients*countersEach, r.body["value"])
	}
}
