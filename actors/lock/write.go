package lock

import (
	"net/http"
	"slices"
	"time"

	"concord/actors/problem"
	"concord/internal/planted"
)

// Write is a write of content, as far as locks care.
type Write struct {
	Token     string // the lock that it is under, "" without
	Job       bool   // of a job: it needs no token in any mode, and respects a lock in every one
	Operation string // the parked update that has its turn
	Merged    bool   // its own merge has kept the scope busy until now (Ask.Auto): whoever came meanwhile comes after it
}

// Admission is a write that may go on.
type Admission struct {
	Due   []Event // what was due before it: they stand before the write's own event
	State State   // after them
	Fence uint64  // of the lock that the write is under, 0 without
}

// Admit judges a write: locked, stale-token, lock-required, wrong-state (an operation whose turn it is not). A token
// that is named must be the current one, also when the scope is free. What is due comes first, as in Decide.
func Admit(s State, w Write, a Ask) (Admission, error) {
	t := begin(s, a)
	fence, err := t.admit(w)
	if err != nil {
		return Admission{}, err
	}
	return Admission{Due: t.events, State: t.s, Fence: fence}, nil
}

func (t *turn) admit(w Write) (fence uint64, err error) {
	mode := t.a.Settings.Mode
	switch {
	case w.Operation != "":
		if in := t.s.look(); !in.next() || ID(OperationID, in.queue[0].id) != w.Operation {
			return 0, problem.New(problem.WrongState, "the operation does not have its turn")
		}
		return 0, nil
	case w.Token != "" && t.current(w.Token, false):
		return t.s.look().holder.fence, nil
	case w.Token != "" && planted.SkipFence:
		return 0, nil
	case w.Token != "":
		return 0, staleToken(t.why(w.Token), t.s.Fence)
	case w.Job && t.free():
		return 0, nil
	case w.Job:
		return 0, t.locked()
	case mode == Optimistic:
		return 0, nil
	case !t.free() && (!w.Merged || t.held()):
		return 0, t.locked()
	case mode == Explicit:
		return 0, problem.New(problem.LockRequired, "a write of this type needs a lock: acquire it and send its token")
	default:
		return 0, nil
	}
}

// held says that somebody holds the scope, or is offered it; others may wait all the same.
func (t *turn) held() bool {
	in := t.s.look()
	return in.holder != nil || in.offer != nil
}

// ReleaseWithWrite is the end of the lock in one step with a write that was admitted under its token: the events after
// the write's own. a.Seq and a.Version are those after the write.
func ReleaseWithWrite(admitted State, token string, a Ask) ([]Event, error) {
	a.Now = instant(a.Now)
	t := &turn{s: admitted, a: a}
	if !t.current(token, false) {
		return nil, staleToken(t.why(token), t.s.Fence)
	}
	t.emit(&LockReleased{Fence: t.s.look().holder.fence})
	t.ended(ByRelease)
	return t.events, nil
}

// Parked is an update that waits for its turn. What it writes is the kind's to keep.
type Parked struct {
	Base   uint64 // version that it builds on; 0: the newest
	Bytes  uint64
	Expiry time.Duration // 0: the type's
}

// Park puts an update into the queue. Events of what was due come first.
func Park(s State, p Parked, a Ask) ([]Event, Result, error) {
	if err := a.check(); err != nil {
		return nil, Result{}, err
	}
	t := begin(s, a)
	in := t.s.look()
	if len(in.queue)-in.tickets() >= operationsMaxParked {
		return nil, Result{}, t.queueFull("parked updates", operationsMaxParked)
	}
	if p.Base == 0 {
		p.Base = t.a.Version
	}
	if p.Expiry <= 0 || p.Expiry > t.a.Settings.OperationExpiry {
		p.Expiry = t.a.Settings.OperationExpiry
	}
	id := t.a.Seq
	t.emit(&OperationParked{id, t.a.By, p.Base, p.Bytes, t.until(micros(p.Expiry))})
	in = t.s.look()
	return t.events, Result{Status: http.StatusAccepted, Operation: &OperationAnswer{Operation: ID(OperationID, id),
		State: OperationIsWaiting, Position: in.position(len(in.queue) - 1), ExpiresAt: in.queue[len(in.queue)-1].expires}}, nil
}

// Operation is a parked update in the queue.
type Operation struct {
	Number      uint64 // seq of the event that parked it
	Party       Party
	Base, Bytes uint64
	Parked      time.Time
	Expires     time.Time
}

// ID is its public form.
func (o Operation) ID() string { return ID(OperationID, o.Number) }

// Next is the parked update that has its turn: nobody holds the lock or is offered it, and it stands at the head. The
// kind runs it (Admit with Write.Operation), and then says Done or Failed. Until then the scope is busy. Look again
// after every event, and after a restart; what is due at the time must have been done (Tick).
func Next(s State) (Operation, bool) {
	in := s.look()
	if !in.next() {
		return Operation{}, false
	}
	return in.queue[0].parked(), true
}

// Operations are all that wait, in order: their bodies are still needed.
func Operations(s State) []Operation {
	var all []Operation
	for i, in := 0, s.look(); i < len(in.queue); i++ {
		if in.queue[i].operation {
			all = append(all, in.queue[i].parked())
		}
	}
	return all
}

// Waiting is how many parked updates wait, and the bytes of them all.
func Waiting(s State) (count int, bytes uint64) {
	for i, in := 0, s.look(); i < len(in.queue); i++ {
		if in.queue[i].operation {
			count, bytes = count+1, bytes+in.queue[i].bytes
		}
	}
	return count, bytes
}

// Ended is an operation that waits no more; ok is false if it waits, or is not remembered.
func Ended(s State, id string) (o EndedOperation, ok bool) {
	n, _ := ParseID(OperationID, id)
	in := s.look()
	i := slices.IndexFunc(in.operations, func(o EndedOperation) bool { return o.ID == n })
	if i < 0 {
		return EndedOperation{}, false
	}
	return in.operations[i], true
}

func (w *waiter) parked() Operation {
	return Operation{w.id, w.party, w.base, w.bytes, w.since, w.expires}
}

// Done is the end of a parked update that was saved, or changed nothing; then the line moves on. version is the newest
// after it, a.Seq that after the write's own event. An update that does not wait any more has no events: look before
// writing (Admit).
func Done(s State, number, version uint64, a Ask) []Event {
	return finished(s, number, &OperationDone{number, version}, a)
}

// Failed is the end of a parked update that was refused with the code.
func Failed(s State, number uint64, code problem.Code, a Ask) []Event {
	return finished(s, number, &OperationFailed{number, string(code)}, a)
}

func finished(s State, number uint64, e Event, a Ask) []Event {
	a.Now = instant(a.Now)
	t := &turn{s: s, a: a}
	if in := t.s.look(); in.waiter(number, true) < 0 {
		return nil
	}
	t.emit(e)
	t.advance()
	return t.events
}
