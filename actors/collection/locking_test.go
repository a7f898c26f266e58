package collection

import (
	"testing"
	"time"

	"concord/actors/entity"
	"concord/actors/lock"
	"concord/actors/problem"
	"concord/persistence"
)

// TestUnreadableParkedUpdateEnds: an update that cannot be read back fails, and does not keep the scope from everybody.
func TestUnreadableParkedUpdateEnds(t *testing.T) {
	b := Behavior{Limits: DefaultLimits}
	id := persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: "c"}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var s State
	seq := uint64(0)
	do := func(c Command, f entity.Facts, who string) []Event {
		t.Helper()
		decided, err := b.Decide(s, c, f, entity.Meta{Principal: who, Time: now, Seq: seq + 1, Entity: id})
		if err != nil {
			t.Fatalf("%T: %v", c, err)
		}
		for _, e := range decided.Events {
			seq++
			s = b.Evolve(s, e, entity.Stamp{Entity: id, Seq: seq, Version: s.Version, Time: now})
		}
		return decided.Events
	}
	do(&Locking{lock.Acquire{}}, entity.Facts{}, "ann")
	do(&Write{Create: true, Under: Under{Park: true}}, entity.Facts{}, "bob")
	do(&Locking{lock.Break{Reason: "tidy"}}, entity.Facts{}, "cat")
	op, ok := lock.Next(s.Lock)
	if !ok {
		t.Fatal("the parked update does not have its turn")
	}
	events := do(&Advance{}, entity.FactsOfEvent(op.Number, entity.Encoded{Type: "operation.parked", Payload: []byte{0xff}}), "bob")
	failed, ok := events[0].(*Happened).Event.(*lock.OperationFailed)
	if !ok || failed.Code != string(problem.Internal) {
		t.Fatalf("%+v", events[0])
	}
	if _, still := lock.Next(s.Lock); still || !lock.Idle(s.Lock) {
		t.Error("the scope is not free")
	}
}
