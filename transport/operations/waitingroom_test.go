package operations

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"concord/actors/bulk"
	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
	"concord/transport/natsapi"
)

// fill has as many wait for the purpose as may.
func (w *waitingRoom) fill(p purpose) (entered int, refusal error) {
	for ; ; entered++ {
		if err := w.enter(p, "the other"); err != nil {
			return entered, err
		}
	}
}

// TestTheRoomHasBounds: each purpose its own, all but the numbers of tasks one together, and all one. Whoever leaves makes room.
func TestTheRoomHasBounds(t *testing.T) {
	want := map[purpose]int{forSource: 8, forNumber: 12, forMaking: 8, forSession: 4, forDownload: 4, forEnd: 8}
	for p, most := range want {
		var w waitingRoom
		n, err := w.fill(p)
		if refusal := problem.Of(err); n != most || refusal.Code != problem.Overloaded || refusal.RetryAfter == 0 {
			t.Errorf("purpose %d: %d may wait, not %d: %v", p, n, most, err)
		}
	}
	var w waitingRoom
	all := 0
	for p := range purposesCount {
		if p != forNumber {
			n, _ := w.fill(p)
			all += n
		}
	}
	numbers, _ := w.fill(forNumber)
	if all != waitsOthersMax || numbers != waitsNumbersMin {
		t.Errorf("%d wait, and %d for numbers", all, numbers)
	}
	if all += numbers; all > transport.DoorMinReaders-4 {
		t.Errorf("of %d readers %d may wait", transport.DoorMinReaders, all)
	}
	w.leave(forSource)
	w.leave(forSource)
	w.leave(forNumber)
	if err := w.enter(forDownload, "the other"); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}

// onNATS offers the service over NATS. It serves until the test has ended.
func (b *bench) onNATS() *nats.Conn {
	b.t.Helper()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		b.t.Fatal(err)
	}
	ns.Start()
	b.t.Cleanup(ns.Shutdown)
	if !ns.ReadyForConnections(10 * time.Second) {
		b.t.Fatal("NATS does not start")
	}
	var connections [2]*nats.Conn
	for i := range connections {
		if connections[i], err = nats.Connect(ns.ClientURL()); err != nil {
			b.t.Fatal(err)
		}
		b.t.Cleanup(connections[i].Close)
	}
	gate := &transport.Gate{Auth: transport.AuthOff{}, Now: b.clock.Now, Limits: transport.DefaultLimits, Exists: func(string) bool { return true }}
	door, err := natsapi.Start(connections[0], natsapi.Config{Prefix: "c", Version: "0.0.1", Metadata: func(*transport.Operation) map[string]string { return nil }},
		gate, b.service.Table(), func() string { return "r" }, natsapi.Observer{
			Answered: func(*transport.Operation, problem.Code, time.Duration) {},
			Refused:  func(*transport.Request, *problem.Problem, error) {},
			Dropped:  func(why string) { b.t.Errorf("dropped: %s", why) },
		})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := door.Stop(context.Background()); err != nil {
			b.t.Error(err)
		}
	})
	return connections[1]
}

// TestReadsGoOnWhileAllWait: requests that wait for turns and for ends of tasks leave readers free, however many come.
func TestReadsGoOnWhileAllWait(t *testing.T) {
	const each = 2 * transport.DoorMinReaders
	b := start(t, vfs.NewMem())
	shelves(b, "a")
	session := b.open("a")
	task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`)).Task
	b.tell(task, &bulk.Start{})
	nc := b.onNATS()

	leaves := b.takeAll(session)
	var asked sync.WaitGroup
	defer asked.Wait()
	defer func() {
		for _, leave := range leaves {
			leave()
		}
		b.tell(task, &bulk.Finish{})
	}()
	for _, r := range []struct{ subject, body, key string }{
		{"c.bulk.submit.p", asking(`{"ids":["a"]}`), ""}, // as many as may have made their list by now
		{"c.bulk.submit.p", asking(`{"ids":["a"]}`), "k"},
		{"c.bulk.rollback.p." + task, "", ""},
		{"c.source.put.p.s", `{"name":"n","codes":["s"],"type":"local","baseUrl":"http://s/"}`, ""},
		{"c.edit.close.p." + session, "", ""},
		{"c.edit.download.p." + session, "", ""},
	} {
		for range each {
			m := nats.NewMsg(r.subject)
			m.Data = []byte(r.body)
			if r.key != "" {
				m.Header.Set("Idempotency-Key", r.key)
			}
			asked.Go(func() {
				if _, err := nc.RequestMsg(m, time.Minute); err != nil {
					t.Errorf("%s: %v", r.subject, err)
				}
			})
		}
	}
	b.waitFor(func() bool { // the room is full
		all := 0
		for p := range purposesCount {
			all += b.service.turns.room.count(p)
		}
		return all == waitsMax
	})
	for range each {
		answer, err := nc.Request("c.collection.get.p.a", nil, time.Minute)
		if err != nil || answer.Header.Get(transport.HeaderServiceError) != "" {
			t.Fatalf("%v, %+v", err, answer)
		}
	}
}

// takeAll takes every turn that requests of the test wait for.
func (b *bench) takeAll(session string) (leaves []func()) {
	b.t.Helper()
	take := func(p purpose, key string) {
		leave, err := b.service.turns.take(b.t.Context(), p, key, "the test")
		if err != nil {
			b.t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	take(forNumber, "p")
	take(forDownload, "")
	take(forSource, sourceID("p", "s").String())
	take(forSession, editID("p", session).String())
	return leaves
}
