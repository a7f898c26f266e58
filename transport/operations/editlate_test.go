package operations

import (
	"strings"
	"sync"
	"testing"

	"concord/actors/bulk"
	"concord/actors/editsession"
	"concord/actors/entity"
	"concord/actors/problem"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/transport/api"
)

// stuckStore is a store of which some entities cannot be read for a while: those that are not in memory take no command.
type stuckStore struct {
	*pebblestore.Store
	mu   sync.Mutex
	held map[persistence.EntityID]chan struct{}
}

func (s *stuckStore) Head(id persistence.EntityID) (persistence.Head, error) {
	s.mu.Lock()
	held := s.held[id]
	s.mu.Unlock()
	if held != nil {
		<-held
	}
	return s.Store.Head(id)
}

// hold has the entity take no command until it is released.
func (s *stuckStore) hold(id persistence.EntityID) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := make(chan struct{})
	s.held = map[persistence.EntityID]chan struct{}{id: held}
	return sync.OnceFunc(func() { close(held) })
}

// late is an acceptance of the first run's task whose answer nobody waits for.
type late struct {
	*editing
	task     persistence.EntityID
	run      uint32
	answered chan error
}

// lateStep is a session that knows of a first step, whose task is still to be accepted.
func lateStep(t *testing.T) *late {
	t.Helper()
	e := startEditing(t, "a", "b")
	task := e.begun(`{`+adding("1")+`}`, "k")
	return &late{editing: e, task: bulkID("p", task), run: 1, answered: make(chan error, 4)}
}

// accept sends the acceptance on its way.
func (l *late) accept() {
	c := &bulk.Accept{Task: bulk.State{Number: 1000, OnLocked: bulk.OnLockedWait, Session: l.session, Run: l.run, Pinned: *l.look().ExpiresAt},
		Request: bulk.Request{Instructions: []byte(strings.TrimPrefix(adding("1"), `"instructions":`)), Targets: []byte(`{"edit":"` + l.session + `"}`)},
		Stage:   bulk.Stage{PerChunk: bulk.ChunkRows, Rows: []bulk.Row{{Collection: "a"}, {Collection: "b"}}}}
	l.service.Host.Deliver(&entity.Envelope{Entity: l.task, Command: c, Meta: entity.Meta{Principal: "ann", Kind: "person", RequestID: "r"},
		Reply: func(_ entity.Answer, err error) { l.answered <- err }})
}

// meanwhile makes a request while the acceptance is stuck, and lets that go on once the request is answered, or waits.
func (l *late) meanwhile(operation, body string) error {
	l.t.Helper()
	release := l.stuck.hold(l.task)
	defer release()
	l.accept()
	answered := make(chan error, 1)
	go func() {
		_, err := l.try("edit."+operation, l.session, body)
		answered <- err
	}()
	l.waitFor(func() bool { return len(answered) > 0 || l.service.Host.InFlight() >= 2 })
	release()
	return <-answered
}

// TestATaskThatComesLate is taken back like one that has come in time: the session knows of it.
func TestATaskThatComesLate(t *testing.T) {
	l := lateStep(t)
	if err := l.meanwhile("rollback", `{"to":"initial"}`); err != nil {
		t.Errorf("the roll-back: %v", err)
	}
	if err := <-l.answered; err != nil {
		t.Errorf("the acceptance, which came first: %v", err)
	}
	l.done(l.task.ID)
	if s := l.ended(); len(s.Runs) != 2 || s.Runs[0].Task != l.task.ID || s.State != "ROLLED_BACK" || l.allWords() != "first" {
		t.Errorf("%+v: %s", s, l.allWords())
	}
	l.sound()
}

// TestATaskThatComesTooLate, when its run is off, never is: nothing edits records that the session does not know of.
func TestATaskThatComesTooLate(t *testing.T) {
	for operation, body := range map[string]string{"preview": `{` + adding("2") + `}`, "apply": `{` + adding("2") + `}`, "rollback": `{"to":"initial"}`,
		"close": "", "match": `{"ids":["a"]}`} {
		l := lateStep(t)
		_, p := l.do("edit."+operation, l.session, body)
		if refused := operation == "rollback"; (p != nil) != refused || refused && p.Code != problem.CannotUndo {
			t.Errorf("%s: %v", operation, p)
		}
		s := l.ended()
		words := l.allWords()
		l.accept()
		if err := <-l.answered; problem.Of(err).Code != problem.NotFound {
			t.Errorf("%s: the acceptance, which came last: %v", operation, err)
		}
		if after := l.ended(); after.Seq != s.Seq || l.allWords() != words || strings.Contains(words, "1") {
			t.Errorf("%s: %+v, and it was %+v: %s", operation, after, s, l.allWords())
		}
		l.refused(problem.NotFound, "bulk.get", l.task.ID, "")
		l.sound()
	}
}

// TestNoSessionIsClosedBeforeALateTask: it is at work then, as if it had come in time.
func TestNoSessionIsClosedBeforeALateTask(t *testing.T) {
	l := lateStep(t)
	grant := must[api.Grant](l.bench, "lock.acquire", "b", `{}`, as("bob"))
	for operation, body := range map[string]string{"close": "", "match": `{"ids":["a"]}`} {
		if err := l.meanwhile(operation, body); problem.Of(err).Code != problem.WrongState {
			t.Errorf("%s: %v", operation, err)
		}
	}
	l.letGo("b", grant)
	if s := l.ended(); s.State != "COMPLETED" || l.allWords() != "first 1" {
		t.Errorf("%+v: %s", s, l.allWords())
	}
}

// TestClosedBeforeTheTask: nothing was done by a run whose task never was; that is told wherever the run is, once it is sure.
func TestClosedBeforeTheTask(t *testing.T) {
	l := lateStep(t)
	l.send(persistence.EntityID{Kind: persistence.KindEditSession, Provider: "p", ID: l.session}, &editsession.Expire{Due: *l.look().ExpiresAt})
	if s := l.look(); s.State != "CLOSED" || s.Runs[0].State != "PREPARING" {
		t.Errorf("its task may still come: %+v", s)
	}
	for operation, body := range map[string]string{"rollback": `{"to":"initial"}`, "redo": ""} {
		l.refused(problem.CannotUndo, "edit."+operation, l.session, body)
	}
	l.refused(problem.WrongState, "edit.apply", l.session, `{`+adding("1")+`}`, with("Idempotency-Key", "k"))
	l.clock.Set(l.clock.Now().Add(unmadeAfter))
	check := func(s api.EditSession) {
		t.Helper()
		if run := s.Runs[0]; len(s.Runs) != 1 || run.State != "CANCELLED" || run.Total+run.Counts.Total() != 0 || run.EndedAt == nil ||
			!run.EndedAt.Equal(*s.ClosedAt) || len(s.Path) != 0 || !strings.Contains(s.Message, "at its start") {
			t.Errorf("%+v", s)
		}
	}
	check(l.look())
	check(must[api.EditPage](l.bench, "edit.list", "", "").Items[0])
	check(must[api.EditSession](l.bench, "edit.close", l.session, ""))
	if got := l.results(0) + l.results(1); got != "" || l.allWords() != "first" {
		t.Errorf("%s: %s", got, l.allWords())
	}
	reply, p := l.do("edit.download", l.session, "", param("what", "changed"))
	if p != nil || strings.Count(string(reply.Body), "\n") != 1 {
		t.Errorf("%+v, %v", reply, p)
	}
}
