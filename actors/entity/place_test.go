package entity_test

import (
	"fmt"
	"testing"

	"concord/actors/entity"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

// countingStore counts how often it is asked where a part stands.
type countingStore struct {
	entity.Store
	asked int
}

func (s *countingStore) Part(e persistence.EntityID, part string) (persistence.Part, error) {
	s.asked++
	return s.Store.Part(e, part)
}

// A live entity knows where the parts stand that it has written or read: it need not ask for that before it reads a body. That holds
// for each of several events of a command, beside events of entities that begin with it, and once retention has moved the body.
func TestWhereAPartStandsIsKnown(t *testing.T) {
	inBubble(t, func(n *node) {
		store := &countingStore{Store: n.world.Store}
		n.world.Store = store
		id := toyID("a")
		read := func(want ...uint64) {
			t.Helper()
			n.send(&entity.Envelope{Entity: id, DryRun: true, Meta: by("ann"), Command: &toyCommand{Lacks: func(f entity.Facts) (wants []entity.Want) {
				for _, number := range want {
					part := fmt.Sprintf("p/%04d", number%apart)
					fact, ok := f.Part(part, true)
					if !ok {
						wants = append(wants, entity.Want{Part: part, Body: true})
					} else if got := string(fact.Body); got != fmt.Sprint(number) {
						t.Errorf("part %s is %q, not %d", part, got, number)
					}
				}
				return wants
			}}})
		}
		asked := func(want int) {
			t.Helper()
			if store.asked != want {
				t.Errorf("the store was asked %d times where a part stands, not %d", store.asked, want)
			}
			store.asked = 0
		}
		n.do(toyID("b"), add(apart+1), by("bob")) // so that positions are not those of the entity
		n.do(id, &toyCommand{Add: []uint64{apart + 1, apart + 2, apart + 3}, Births: birth("c", uint64(1))}, by("ann"))
		n.do(id, add(apart+3), by("ann"))
		read(apart+1, apart+2, apart+3)
		asked(0)
		read(apart+2, apart+3)
		asked(0)
		delete(n.live, id)
		read(apart+1, apart+2, apart+3)
		asked(3)
		read(apart+1, apart+2, apart+3)
		asked(0)
		n.do(id, add(apart+3), by("ann"))
		if _, err := n.store.Trim(t.Context(), id, pebblestore.Policy{Versions: 1}, pebblestore.TrimOptions{Fold: fold, Now: n.now()}); err != nil {
			t.Fatal(err)
		}
		read(apart+1, apart+2, apart+3)
		asked(0)
	})
}
