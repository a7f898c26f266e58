package entity

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"sync/atomic"
	"time"

	"concord/actors/problem"
	"concord/actors/script"
	"concord/persistence"
)

// Committer is what a shell needs of the committer.
type Committer interface {
	Submit(e *persistence.Entry, done func()) persistence.LSN
	After(lsn persistence.LSN, done func())
	Durable() persistence.LSN
	Last() persistence.LSN
	Closed() <-chan struct{}
}

// Store is what a shell reads.
type Store interface {
	persistence.EntityReader
	persistence.HistoryReader
	persistence.EventReader
	persistence.OutcomeReader
}

// World is what surrounds a shell: its only way to anything outside.
type World struct {
	Store     Store
	Committer Committer
	Scripts   script.Runner // nil: there is none
	Recent    *Recent       // nil: nothing is remembered beyond what is not durable
	Now       func() time.Time
	Started   time.Time // of the process, by the domain's clock
	// Alarm is told when a timed entity wants to be woken next (Live.Wake); zero: not any more. It is called on the
	// entity's goroutine.
	Alarm func(id persistence.EntityID, at time.Time)
	// Work runs a job elsewhere, and then calls back on the entity's goroutine. The entity stays in memory until then.
	Work func(id persistence.EntityID, job *script.Job, then func(script.Outcome))
	// Born makes the records of an entity that begins in the batch of another one.
	Born func(Birth, Meta) (*persistence.Entry, error)
	// Panicked is told of a panic in a decision, for the log.
	Panicked func(id persistence.EntityID, requestID string, cause any, stack []byte)
	// Failed is told of an error of the store that a command met, for the log.
	Failed func(id persistence.EntityID, requestID string, err error)
}

// Live is an entity that is active: a Shell without its types. It is not safe for concurrent use.
type Live interface {
	// Handle takes one command. It returns when the command is decided, not when it is durable.
	Handle(*Envelope)
	// Fire takes a timer that is due.
	Fire(name string, due time.Time, reply func(Answer, error))
	// Wake does what is due, and calls done when that is durable.
	Wake(done func())
	// Woke is the newest submission that no envelope is answered for: of what was due by itself. Ask after Handle or Fire.
	Woke() persistence.LSN
	// LSN is the newest submission of the entity: what a reader of the store has to wait for.
	LSN() (lsn persistence.LSN, known bool)
}

// Shell is one live entity. It is not safe for concurrent use: its mailbox is its lock.
type Shell[S, C, E any] struct {
	behavior Behavior[S, C, E]
	timed    Timed[S, C] // nil: it does nothing by itself
	world    *World
	id       persistence.EntityID

	state S
	head  persistence.Head // its State is stale: state is what counts
	lsn   atomic.Uint64    // newest submission, or submitting; written by the mailbox's goroutine alone

	pending pending
	saw     persistence.LSN       // of other entities, by the command at hand
	alarm   time.Time             // that was set
	woke    persistence.LSN       // newest submission of what was due by itself
	aside   int                   // commands that were set aside, dry runs left out
	waking  bool                  // one of them is for what is due
	merges  int                   // writes from now on that are remembered for merges
	repeats map[asideKey]*repeats // of commands that were set aside
}

// Activate loads the entity; one that never was starts with the zero state.
func Activate[S, C, E any](b Behavior[S, C, E], id persistence.EntityID, w *World) (*Shell[S, C, E], error) {
	s := &Shell[S, C, E]{behavior: b, world: w, id: id}
	s.timed, _ = b.(Timed[S, C])
	head, err := w.Store.Head(id)
	if errors.Is(err, persistence.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("activate %v: %w", id, err)
	}
	if s.state, err = b.DecodeState(head.State); err != nil {
		return nil, fmt.Errorf("activate %v: %w: %w", id, persistence.ErrCorrupt, err)
	}
	if s.timed != nil {
		s.state = s.timed.Recover(s.state, w.Started)
	}
	if _, born := b.(Born[E]); born {
		s.lsn.Store(uint64(w.Committer.Last())) // it may have begun with another one a moment ago
	}
	head.State = nil
	s.head = head
	return s, nil
}

// submitting stands for the LSN while a submission is under way: the store may show it before its number is known.
const submitting = math.MaxUint64

// LSN is the newest submission of the entity; known is false while one is under way. Any goroutine may ask.
func (s *Shell[S, C, E]) LSN() (lsn persistence.LSN, known bool) {
	n := s.lsn.Load()
	return persistence.LSN(n), n != submitting
}

// Fire decides what a due timer means. A timed kind knows by itself what is due.
func (s *Shell[S, C, E]) Fire(name string, due time.Time, reply func(Answer, error)) {
	if s.timed != nil {
		s.Wake(func() { reply(Answer{}, nil) })
		return
	}
	s.Handle(&Envelope{Entity: s.id, Command: s.behavior.TimerFired(name, due), Reply: reply,
		Meta: Meta{Principal: "concord", RequestID: "timer-" + name}})
}

// Wake does what is due. Whoever calls has put the alarm off, so that it is set again.
func (s *Shell[S, C, E]) Wake(done func()) {
	if s.timed == nil {
		done()
		return
	}
	s.wake()
	s.world.Alarm(s.id, s.alarm)
	s.world.Committer.After(s.newest(), done)
}

const (
	wakeMaxCommands = 1024        // in a row; more stands in no queue
	wakeRetry       = time.Second // when what is due could not be done
)

// wake does what is due, and says when to come back.
func (s *Shell[S, C, E]) wake() {
	if s.timed == nil || s.waking {
		return
	}
	due := s.timed.Due(s.state)
	for range wakeMaxCommands {
		if due.IsZero() || due.After(s.now()) {
			break
		}
		seq := s.head.Seq
		s.advance()
		if s.waking {
			due = time.Time{} // it goes on by itself when the script has ended
			break
		}
		due = s.timed.Due(s.state)
		if s.head.Seq == seq && !due.After(s.now()) {
			due = s.now().Add(wakeRetry) // it met an error, which is logged
			break
		}
	}
	s.arm(due)
}

// advance takes the command for what is due.
func (s *Shell[S, C, E]) advance() {
	c, m := s.timed.Wake(s.state)
	s.handle(&Envelope{Entity: s.id, Command: c, Meta: m, Reply: func(Answer, error) {}}, true)
	s.woke = s.newest()
}

// arm sets the alarm.
func (s *Shell[S, C, E]) arm(due time.Time) {
	if !due.Equal(s.alarm) {
		s.alarm = due
		s.world.Alarm(s.id, due)
	}
}

// Woke is the newest submission of what was due by itself.
func (s *Shell[S, C, E]) Woke() persistence.LSN { return s.woke }

func (s *Shell[S, C, E]) now() time.Time { return s.world.Now().Truncate(time.Microsecond).UTC() }

// Handle decides on one command and answers it when its outcome is durable; then it does what is due.
func (s *Shell[S, C, E]) Handle(env *Envelope) {
	s.handle(env, false)
	s.wake()
}

// handle decides on one command. waking says that it is for what is due: then wake sets the alarm, once it is done or has
// to be put off.
func (s *Shell[S, C, E]) handle(env *Envelope, waking bool) {
	if !waking && s.repeated(env) {
		return
	}
	s.pending.forget(s.world.Committer.Durable())
	s.saw = 0
	if err := s.born(); err != nil {
		env.Reply(Answer{}, s.refusal(env.Meta, err))
		return
	}
	m := env.Meta
	m.Time, m.Seq, m.Entity = s.now(), s.head.Seq+1, s.id
	m.Merging, m.Merged, m.DryRun = s.aside > 0, len(env.ran) > 0 && !env.DryRun, env.DryRun
	if !env.Deadline.IsZero() && !m.Time.Before(env.Deadline) {
		env.Reply(Answer{}, problem.New(problem.Deadline, "the deadline passed before the request was looked at"))
		return
	}
	if m.Time.Before(s.head.Time) {
		m.Time = s.head.Time
	}
	answer, entry, err := s.decide(env, m)
	if set, ok := errors.AsType[*aside](err); ok {
		s.setAside(env, set.job, waking)
		return
	}
	if s.timed != nil && !waking && !s.waking {
		s.arm(s.timed.Due(s.state)) // before the answer: whoever has it may move a test clock on
	}
	switch {
	case err != nil:
		s.world.Committer.After(s.seen(), func() { env.Reply(Answer{}, err) })
	case len(entry.Records) == 0:
		s.world.Committer.After(s.seen(), func() { env.Reply(answer, nil) })
	default:
		s.lsn.Store(submitting)
		if s.merges > 0 {
			s.merges--
			s.pending.remembered(func(part string, f Fact) { s.world.Recent.add(s.id, part, f) })
		}
		cargo := s.pending.submit()
		lsn := s.world.Committer.Submit(entry, func() {
			cargo.land(entry.Records[0].Position)
			env.Reply(answer, nil)
		})
		s.lsn.Store(uint64(lsn))
		s.pending.submitted(lsn)
	}
}

// seen is the newest submission that the command at hand may have seen.
func (s *Shell[S, C, E]) seen() persistence.LSN { return max(s.newest(), s.saw) }

func (s *Shell[S, C, E]) newest() persistence.LSN { return persistence.LSN(s.lsn.Load()) }

// decide returns the answer and the entry that makes it true, without records if nothing has to. It changes the state, speculatively; nothing of it can
// be seen before the committer has made it durable.
func (s *Shell[S, C, E]) decide(env *Envelope, m Meta) (answer Answer, entry *persistence.Entry, err error) {
	entry = &persistence.Entry{Entity: s.id}
	defer func() {
		if cause := recover(); cause != nil {
			s.world.Panicked(s.id, m.RequestID, cause, debug.Stack())
			s.pending.drop()
			answer, entry, err = Answer{}, nil, panicked
		}
	}()
	if answer, found, err := s.remembered(m); found || err != nil {
		return answer, entry, err
	}
	c, ok := env.Command.(C)
	if !ok {
		return Answer{}, nil, fmt.Errorf("command %T is not of kind %v", env.Command, s.id.Kind)
	}
	decided, facts, err := s.decided(env, c, m)
	if err != nil {
		s.live(decided.Events, m)
		return Answer{}, nil, s.refusal(m, err)
	}
	if !env.DryRun && len(decided.Births) > 0 {
		if entry.Born, err = s.bear(decided.Births, m); err != nil {
			return Answer{}, nil, s.refusal(m, err)
		}
	}
	x := Case{Facts: facts, Meta: m, Told: decided.Told, DryRun: env.DryRun}
	next, records := s.follow(c, decided.Events, x, env.DryRun)
	x.At = Stamp{Entity: s.id, Seq: next.head.Seq, Version: next.head.Version, Time: m.Time, Principal: m.Principal}
	x.Changed = len(records) > 0
	answer = s.behavior.Answer(s.state, next.state, c, x)
	if env.DryRun {
		s.pending.drop()
		return answer, entry, nil
	}
	if len(records) == 0 && m.Key != "" {
		records = append(records, s.remember(m, answer))
	}
	s.state, s.head = next.state, next.head
	entry.Records = records
	return answer, entry, nil
}

// moment is an entity after some of the events of a command.
type moment[S any] struct {
	state S
	head  persistence.Head
}

// follow applies the events of a command, and makes records of those that are stored.
func (s *Shell[S, C, E]) follow(c C, events []E, x Case, dryRun bool) (next moment[S], records []persistence.Stored) {
	encoded := make([]Encoded, len(events))
	last := -1
	for i, e := range events {
		if encoded[i] = s.behavior.EncodeEvent(e); !encoded[i].Volatile {
			last = i
		}
	}
	next = moment[S]{s.state, s.head}
	records = make([]persistence.Stored, 0, len(events)+1)
	for i, e := range events {
		if encoded[i].Volatile {
			next.state = s.behavior.Evolve(next.state, e, s.stamp(x.Meta))
			continue
		}
		records = append(records, s.apply(c, &next, e, encoded[i], x, i == last && !dryRun))
	}
	return next, records
}

// live applies volatile events: a refused request may be a sign of life.
func (s *Shell[S, C, E]) live(events []E, m Meta) {
	for _, e := range events {
		if !s.behavior.EncodeEvent(e).Volatile {
			panic(fmt.Sprintf("entity %v: a refused command has an event that is to be stored", s.id))
		}
		s.state = s.behavior.Evolve(s.state, e, s.stamp(m))
	}
}

func (s *Shell[S, C, E]) stamp(m Meta) Stamp {
	return Stamp{Entity: s.id, Seq: s.head.Seq, Version: s.head.Version, Time: m.Time, Principal: m.Principal}
}

// refusal logs what is not a refusal but a failure.
func (s *Shell[S, C, E]) refusal(m Meta, err error) error {
	_, refused := errors.AsType[*problem.Problem](err)
	_, set := errors.AsType[*aside](err)
	if !refused && !set {
		s.world.Failed(s.id, m.RequestID, err)
	}
	return err
}

// decided loads facts until the behavior has all it wants, and asks it.
func (s *Shell[S, C, E]) decided(env *Envelope, c C, m Meta) (d Decision[E], facts Facts, err error) {
	facts.ran = env.ran
	for wants := s.behavior.Wants(s.state, c, facts); len(wants) > 0 && facts.heavy == nil; wants = s.behavior.Wants(s.state, c, facts) {
		if err := s.load(&facts, wants); err != nil {
			return d, facts, fmt.Errorf("load facts of %v: %w", s.id, err)
		}
	}
	d, err = s.behavior.Decide(s.state, c, facts, m)
	for round := 0; err == nil && len(d.Wants) > 0; round++ {
		if round == wantsMaxRounds {
			return d, facts, fmt.Errorf("decide on %v: still wants facts after %d rounds", s.id, round)
		}
		if err := s.load(&facts, d.Wants); err != nil {
			return d, facts, fmt.Errorf("load facts of %v: %w", s.id, err)
		}
		d, err = s.behavior.Decide(s.state, c, facts, m)
	}
	if err == nil && d.Job != nil {
		return d, facts, &aside{d.Job}
	}
	return d, facts, err
}

// wantsMaxRounds bounds how often a decision may turn out to need more facts.
const wantsMaxRounds = 8

// apply makes the record of one event and the state after it. The last record of a command carries its outcome.
func (s *Shell[S, C, E]) apply(c C, now *moment[S], e E, encoded Encoded, x Case, last bool) persistence.Stored {
	m := x.Meta
	at := Stamp{Entity: s.id, Seq: now.head.Seq + 1, Version: now.head.Version, Time: m.Time, Principal: m.Principal}
	if encoded.Content {
		at.Version++
	}
	after := s.behavior.Evolve(now.state, e, at)
	rec := s.record(encoded, at, now.head.Hash, m)
	if last && m.Key != "" {
		x.At, x.Changed = at, true
		answer := s.behavior.Answer(s.state, after, c, x)
		rec.Outcome = outcome(m, answer)
	}
	stored := s.store(rec, encoded)
	hash := sha256.Sum256(stored.Bytes)
	stored.Beside = beside(s.behavior, now.state, e, encoded, at, rec)
	now.head = persistence.Head{Seq: at.Seq, Version: at.Version, Time: at.Time, Hash: hash[:]}
	now.state = after
	stored.Beside.Head = marshalHead(now.head, s.behavior.EncodeState(after))
	s.pending.add(at.Version, encoded.Parts, stored.Beside.Parts)
	if rec.Outcome != nil {
		s.pending.remember(m.Principal, rec.Outcome)
	}
	return stored
}
