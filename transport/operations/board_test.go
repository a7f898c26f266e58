package operations

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/lock"
	"concord/persistence"
	"concord/persistence/recordpb"
)

// lockedEntry is what is committed of the commands on one collection: the last event of each, with the head after it.
func lockedEntries(b testing.TB, id persistence.EntityID, commands ...collection.Command) (entries []*persistence.Entry) {
	b.Helper()
	behavior := collection.Behavior{Limits: collection.DefaultLimits}
	var s collection.State
	m := entity.Meta{Principal: "ann", Session: "1", Entity: id, Time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for n, c := range commands {
		m.Seq = uint64(n + 1)
		decided, err := behavior.Decide(s, c, entity.Facts{}, m)
		events := decided.Events
		if err != nil || len(events) != 1 {
			b.Fatalf("%T: %d events, %v", c, len(events), err)
		}
		s = behavior.Evolve(s, events[0], entity.Stamp{Entity: id, Seq: m.Seq, Version: s.Version, Time: m.Time})
		enc := behavior.EncodeEvent(events[0])
		head, err := proto.Marshal(&recordpb.Head{Seq: m.Seq, State: behavior.EncodeState(s)})
		if err != nil {
			b.Fatal(err)
		}
		entries = append(entries, &persistence.Entry{Entity: id, Records: []persistence.Stored{{
			Record: &recordpb.Record{Seq: m.Seq, Type: enc.Type, Payload: enc.Payload, Time: m.Time.UnixMicro()},
			Beside: persistence.Projection{Head: head}}}})
		m.Principal = "bob"
	}
	return entries
}

// BenchmarkBoard is what the board costs the commit of a parked update, and a page of lock.list.
func BenchmarkBoard(b *testing.B) {
	id := persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: "c"}
	for _, size := range []int{1 << 10, 512 << 10} {
		body := fmt.Appendf(nil, "%q", bytes.Repeat([]byte("x"), size))
		hash, err := jsonvalue.Check(body)
		if err != nil {
			b.Fatal(err)
		}
		write := &collection.Write{Create: true, Under: collection.Under{Park: true},
			Changes: []collection.Change{{Op: collection.OpPut, Part: "d", Path: "/", Body: body, Hash: uint64(hash)}}}
		parked := lockedEntries(b, id, &collection.Locking{Command: lock.Acquire{}}, write)
		b.Run(fmt.Sprintf("parked/%dKiB", size>>10), func(b *testing.B) {
			board := NewBoard()
			b.ReportAllocs()
			for b.Loop() {
				board.Committed(parked[1:])
			}
		})
	}
	for _, locks := range []int{1_000, 100_000} {
		board := NewBoard()
		var newest []*persistence.Entry
		for n := range locks {
			id.ID = fmt.Sprintf("c%07d", n)
			newest = lockedEntries(b, id, &collection.Locking{Command: lock.Acquire{}})
			board.Committed(newest)
		}
		b.Run(fmt.Sprintf("page/%d", locks), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := board.Locked("p", fmt.Sprintf("c%07d", locks/2), 101); len(got) != 101 {
					b.Fatal(len(got))
				}
			}
		})
		released := lockedEntries(b, id, &collection.Locking{Command: lock.Acquire{}}, &collection.Locking{Command: lock.Break{Reason: "tidy"}})
		b.Run(fmt.Sprintf("lock-and-release/%d", locks), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				board.Committed(released)
			}
		})
	}
}
