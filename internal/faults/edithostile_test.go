package faults

import (
	"fmt"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"concord/transport"
)

// someRights lets everybody read and update, and the one who is called boss administer.
type someRights struct{ transport.AuthOff }

func (a someRights) Authenticate(h *transport.Header) (transport.Caller, error) {
	c, err := a.AuthOff.Authenticate(h)
	rights := []transport.Right{transport.RightRead, transport.RightUpdate}
	if c.Principal == "boss" {
		rights = append(rights, transport.RightAdmin)
	}
	c.All, c.Rights = false, map[string][]transport.Right{provider: rights}
	return c, err
}

const hostileAtOnce = 6

// TestHostileEdits: what is wrong, another's, closed, or too late is refused with the code that says so, and changes nothing; of what is
// asked for several times at once, one is done.
func TestHostileEdits(t *testing.T) {
	t.Parallel()
	h := startInProcess(t, zerolog.Nop(), someRights{})
	s := newShelves(t, h.http)
	ids := idsOf("h", 30)
	s.eachBy(shelfMakers, ids, func(id string) {
		s.must(call{op: "collection.put", id: id, by: ann, raw: []byte(empty(id))})
	})
	k := s.openDesk(ann, overIDs(ids))
	none := s.openDesk(ann, `{"ids":["nobody","nothing"]}`)
	none.refused("wrong-state", "apply", stepOf("x"))
	k.refused("wrong-state", "apply", ``)
	k.refused("cannot-undo", "rollback", `{"to":"initial"}`)
	k.refused("cannot-undo", "redo", ``)
	k.applied("one")
	wrongBodies(k)
	others(t, s, k)
	k.atOnce(t, "apply", stepOf("two"), 2)
	k.atOnce(t, "rollback", `{"to":"previous"}`, 1)
	k.run("close", "")
	for verb, body := range map[string]string{"apply": stepOf("x"), "preview": stepOf("x"), "match": overIDs(ids)} {
		k.refused("wrong-state", verb, body)
	}
	k.refused("cannot-undo", "rollback", `{"to":"initial"}`)
	k.refused("cannot-undo", "redo", ``)
	s.each(ids, func(id string) {
		if log := s.shelfOf(id); fmt.Sprint(log) != "[one]" {
			t.Errorf("%s: %v, want what the one step has left", id, log)
		}
	})
}

// shelfOf is the list of a collection.
func (s *shelves) shelfOf(id string) []string {
	r := s.ask(call{op: "collection.get", id: id, by: ann})
	metadata, _ := r.body["metadata"].(map[string]any)
	list, _ := metadata["Log"].([]any)
	var log []string
	for _, one := range list {
		log = append(log, fmt.Sprint(one))
	}
	return log
}

// wrongBodies gives a session what cannot be read.
func wrongBodies(k *desk) {
	for verb, bodies := range map[string][]string{
		"rollback": {``, `{}`, `[]`, `{"to":0}`, `{"to":-1}`, `{"to":1.5}`, `{"to":"first"}`, `{"to":null}`, `{"to":["initial"]}`, `{"to":"initial","onConflict":"maybe"}`,
			`{"to":"initial","onLocked":"break"}`, `{"to":"initial","more":1}`, `{"to":"initial"`, "\x00", `{"to":99999999999999999999}`},
		"redo":    {`{"to":"initial"}`, `{"onConflict":1}`, `[]`},
		"preview": {``, `{}`, `{"instructions":[]}`, `{"instructions":[{"type":"DELETE_EVERYTHING"}]}`, `{"instructions":` + marks("x") + `,"exclude":["not-there"]}`},
		"apply":   {`{"instructions":{}}`, `{"instructions":null}`, `{"exclude":"a"}`, `{"instructions":` + marks("x") + `,"itemsPerSecond":-1}`},
		"match":   {``, `{}`, `{"ids":[],"query":{}}`, `{"upload":"../../etc/passwd"}`},
	} {
		for _, body := range bodies {
			k.refused("invalid", verb, body)
		}
	}
	k.refused("cannot-undo", "rollback", `{"to":7}`)
	k.refused("wrong-state", "match", overIDs([]string{"h00000"}))
	k.refused("wrong-state", "cancel", ``)
}

// others come to a session of somebody else: only who administers may.
func others(t *testing.T, s *shelves, k *desk) {
	t.Helper()
	bobs := &desk{s, bob, k.id}
	for verb, body := range map[string]string{"apply": stepOf("x"), "preview": stepOf("x"), "rollback": `{"to":"initial"}`, "redo": ``, "cancel": ``, "close": ``,
		"match": overIDs([]string{"h00000"})} {
		bobs.refused("forbidden", verb, body)
	}
	for _, op := range []string{"edit.get", "edit.records", "edit.results"} {
		if r := s.ask(call{op: op, id: k.id, by: bob}); r.code != "forbidden" {
			t.Errorf("%s of another's: %s", op, r.text)
		}
	}
	if r := s.ask(call{op: "edit.list", by: bob, query: map[string]string{"owner": "ann"}}); r.code != "forbidden" {
		t.Errorf("another's sessions: %s", r.text)
	}
	(&desk{s, bob, "last"}).refused("not-found", "rollback", `{"to":"initial"}`)
	boss := bob
	boss.Principal = "boss"
	if d := (&desk{s, boss, k.id}).look(); d.Owner != "ann" {
		t.Errorf("what the boss sees: %+v", d)
	}
	(&desk{s, boss, "last"}).refused("not-found", "close", ``)
	(&desk{s, ann, "nowhere"}).refused("not-found", "close", ``)
}

// atOnce asks for the same several times at once, each for itself: the runs that are made do not run side by side, and there is the
// one of the first; each other one is refused, or has followed it.
func (k *desk) atOnce(t *testing.T, verb, body string, steps int) {
	t.Helper()
	runs := len(k.rests().Runs)
	key := k.key()
	var all sync.WaitGroup
	for range hostileAtOnce {
		all.Go(func() {
			if r := k.do(verb, body, key); r.code != "" {
				t.Errorf("%s at once: %s", verb, r.text)
			}
		})
	}
	all.Wait()
	if d := k.rests(); len(d.Runs) != runs+1 || len(d.Path) != steps {
		t.Errorf("%s %d times at once under one key: %+v", verb, hostileAtOnce, d)
	}
}
