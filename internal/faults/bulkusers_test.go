package faults

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

const (
	stormTasks   = 10
	stormShelves = 300
	stormClients = 3
	stormVerbs   = 40 // of one client
	cancelEvery  = 20 // verbs
	uploadLives  = 25 * time.Hour
)

// TestBulkCancels has several clients pause, resume and cancel at random, while ten tasks run over the same collections: every task ends, and
// what it says of its items is so.
func TestBulkCancels(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	s := newShelves(t, p.httpAddress)
	ids := idsOf("c", stormShelves)
	s.create(ids, empty)
	tasks, order := map[string]string{}, []string{}
	for n := range stormTasks {
		mark := fmt.Sprintf("t%d", n)
		var slowly []string
		if n == 0 { // it is cancelled in full flight, below
			slowly = []string{fmt.Sprintf(`"itemsPerSecond":%d`, stormShelves)}
		}
		b := s.submit(marking(mark, ids, slowly...))
		tasks[b.Task] = mark
		order = append(order, b.Task)
	}
	s.done(order[0], 1)
	s.must(call{op: "bulk.cancel", id: order[0]}) // in full flight
	var clients sync.WaitGroup
	for n := range stormClients {
		clients.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(n), 31))
			for range stormVerbs {
				verb := []string{"bulk.pause", "bulk.resume"}[rng.IntN(2)]
				if rng.IntN(cancelEvery) == 0 {
					verb = "bulk.cancel"
				}
				id := order[rng.IntN(len(order)-1)]
				if r := s.ask(call{op: verb, id: id}); r.code != "" && r.code != "wrong-state" {
					t.Errorf("%s: %s", verb, r.text)
				}
			}
		})
	}
	clients.Wait()
	for _, id := range order {
		s.ask(call{op: "bulk.resume", id: id}) // refused if it has ended
	}
	a := s.accountOf(tasks)
	for _, id := range order {
		b := a.tasks[id]
		t.Logf("task %d: %s %v", b.Number, b.State, b.Counts)
		if b.State == "CANCELLED" && b.Counts["cancelled"] != b.Total || b.State == "PARTIALLY_CANCELLED" && b.Counts["cancelled"] == b.Total {
			t.Errorf("%+v", b)
		}
	}
	s.each(ids, func(id string) {
		if others := a.judge(s, id); others != 1 {
			t.Errorf("%s: %d versions are of others", id, others)
		}
	})
	s.stop(p)
	checkStore(t, p)
}

// TestBulkOverTroubles has tasks run into all that can go wrong with their items: instructions that fail everywhere, collections that are deleted and
// made anew, a type that changes and goes, an upload that expires, and a service that takes no more tasks.
func TestBulkOverTroubles(t *testing.T) {
	t.Parallel()
	p := startProcess(t, clockVariable+"=1")
	s := newShelves(t, p.httpAddress)
	ids := idsOf("c", 100)
	s.must(call{op: "type.put", id: "paper", raw: []byte(`{"fields":{"LOG":{"path":"/metadata/Log"}}}`)})
	s.create(ids, func(string) string { return `{"type":"paper","metadata":{"Log":[]}}` })
	failing := s.submit(`{"targets":{"all":true},"instructions":[{"type":"JSON_PATCH","path":"/metadata","value":[{"op":"test","path":"/Log","value":1}]}]}`)
	if b := s.end(failing.Task); b.Counts["failed"] != b.Total {
		t.Errorf("%+v, want all to fail", b)
	}
	var lines []byte
	for _, id := range ids {
		lines = append(lines, id+"\n"...)
	}
	uploaded := s.submit(`{"type":"paper","targets":{"upload":"` + s.upload(lines) + `"},"itemsPerSecond":50,"instructions":[{"type":"ADD_TO_EXISTING","field":"LOG","value":"up"}]}`)
	s.done(uploaded.Task, 3)
	s.must(call{op: "bulk.pause", id: uploaded.Task})
	for _, id := range ids[:50:50] { // some that the task has come to, and others
		s.must(call{op: "collection.delete", id: id})
	}
	for _, id := range ids[:25] {
		s.must(call{op: "collection.put", id: id, raw: []byte(empty(id))}) // of no type
	}
	s.must(call{op: "type.put", id: "paper", raw: []byte(`{"fields":{"LOG":{"path":"/metadata/Elsewhere"}}}`)})
	s.must(call{op: "type.delete", id: "paper"})
	if err := advanceClock(p.httpAddress(), uploadLives); err != nil {
		t.Fatal(err)
	}
	p.kill()
	p.variables = append(p.variables, noBulkVariable+"=1")
	p.start()
	if r := s.ask(call{op: "bulk.submit", raw: []byte(marking("none", ids))}); r.code != "forbidden" {
		t.Errorf("a task where tasks are switched off: %s", r.text)
	}
	s.must(call{op: "bulk.resume", id: uploaded.Task})
	b := s.end(uploaded.Task)
	a := s.accountOf(map[string]string{uploaded.Task: "up"})
	codes := map[string]int{}
	for n, id := range ids {
		item := a.said[id][uploaded.Task]
		codes[item.State+" "+item.Code]++
		switch {
		case n >= 50 && item.State != "UPDATED", n < 50 && item.State != "FAILED" && item.State != "UPDATED", item.State == "FAILED" && item.Code == "internal":
			t.Errorf("%s: %+v", id, item)
		case n >= 50:
			a.judge(s, id)
		}
	}
	if b.State != "COMPLETE" || b.Counts["updated"] < 53 || b.Counts["failed"] == 0 {
		t.Errorf("%+v: %v", b, codes)
	}
	t.Log(codes)
	s.stop(p)
	checkStore(t, p)
}
