package lock

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"time"

	"concord/actors/lock/scenario"
	"concord/actors/problem"
)

// sim is the least that a kind does around the machine: it numbers and folds the events, runs parked updates, fires
// timers. Beside the live state it folds what the log would hold, and compares the two at every step.
type sim struct {
	settings Settings
	now      time.Time
	version  uint64
	seq      uint64 // of the newest event
	auto     bool
	live     State
	log      State // folded from stored events alone

	docs   map[string]uint64 // version that wrote them last
	parked map[uint64]parkedWrite
	names  []string // of the stored events since they were last asked for
	stored []byte   // all payloads
	tokens []string
	fences []uint64 // of the grants
	writes []uint64 // fences of writes under a lock
	kept   State    // a copy of live, with which it is compared: nobody writes through it
	code   []byte   // and its durable bytes
	wrong  error    // the first law that was broken
}

type parkedWrite struct {
	doc, policy string
	base        uint64
}

var (
	simStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	simKey   = []byte("a key of the tests")
)

func newSim(s Settings) *sim {
	return &sim{settings: s, now: simStart, version: 1, seq: 1, docs: map[string]uint64{}, parked: map[uint64]parkedWrite{}}
}

func (m *sim) ask(by Party) Ask {
	m.intact()
	return Ask{Scope: "collection:p:c", By: by, Now: m.now, Settings: m.settings, Key: simKey, Version: m.version,
		Seq: m.seq + 1, Auto: m.auto}
}

func (m *sim) fail(format string, args ...any) {
	if m.wrong == nil {
		m.wrong = fmt.Errorf(format, args...)
	}
}

// set makes s the live state, and keeps a copy.
func (m *sim) set(s State) {
	m.live, m.code = s, EncodeState(s)
	m.kept = s.spans(func(sp span) span { return sp }, func(in *inner) { in.counted = slices.Clone(in.counted) })
}

// intact compares the live state with its copy.
func (m *sim) intact() {
	if !reflect.DeepEqual(m.live, m.kept) || !bytes.Equal(m.code, EncodeState(m.live)) {
		m.fail("somebody wrote through a state")
	}
}

// apply folds events, and holds the laws of the fold.
func (m *sim) apply(events []Event) {
	m.intact()
	defer m.intact()
	for _, e := range events {
		at := Stamp{Seq: m.seq + 1, Version: m.version, Time: m.now}
		next := Evolve(m.live, e, at)
		m.intact()
		m.set(next)
		name, payload := EncodeEvent(e)
		if name == "" {
			if !reflect.DeepEqual(Durable(m.live), Durable(m.log)) {
				m.fail("volatile %T changed what is durable", e)
			}
			continue
		}
		m.seq++
		m.names = append(m.names, name)
		m.stored = append(m.stored, payload...)
		again, err := DecodeEvent(name, payload)
		if err != nil || !reflect.DeepEqual(e, again) {
			m.fail("%s does not survive its encoding: %+v, %+v, %v", name, e, again, err)
		}
		m.log = Evolve(m.log, again, at)
		if !reflect.DeepEqual(Durable(m.live), Durable(m.log)) {
			m.fail("after %s the log says something else than the state", name)
		}
		if g, ok := e.(*LockAcquired); ok {
			if n := len(m.fences); n > 0 && m.fences[n-1] >= g.Fence {
				m.fail("fence %d after %d", g.Fence, m.fences[n-1])
			}
			m.fences = append(m.fences, g.Fence)
		}
	}
}

// run runs parked updates as their turns come.
func (m *sim) run() {
	for {
		op, ok := Next(m.live)
		if !ok || m.auto {
			return
		}
		a := m.ask(op.Party)
		adm, err := Admit(m.live, Write{Operation: op.ID()}, a)
		if err != nil {
			m.fail("the operation at the head is not admitted: %v", err)
			return
		}
		m.apply(adm.Due)
		w := m.parked[op.Number]
		delete(m.parked, op.Number)
		if m.docs[w.doc] > op.Base && w.policy == "" {
			m.apply(Failed(m.live, op.Number, problem.VersionConflict, m.ask(op.Party)))
			continue
		}
		m.save(w.doc)
		m.apply(Done(m.live, op.Number, m.version, m.ask(op.Party)))
	}
}

func (m *sim) save(doc string) {
	m.version++
	m.seq++
	m.docs[doc] = m.version
	m.names = append(m.names, "collection.saved")
}

func (m *sim) tick() {
	events, _, err := Decide(m.live, Tick{}, m.ask(Party{}))
	if err != nil {
		m.fail("tick: %v", err)
	}
	m.apply(events)
	m.run()
}

// Advance fires timers at their times.
func (m *sim) Advance(d time.Duration) error {
	target := m.now.Add(d)
	for range 10_000 {
		at, ok := Due(m.live)
		if !ok || at.After(target) {
			m.now = target
			return m.wrong
		}
		if at.After(m.now) {
			m.now = at
		}
		m.tick()
	}
	return errors.New("timers without end")
}

// Restart leaves what is stored.
func (m *sim) Restart() error {
	b := EncodeState(m.live)
	if !bytes.Equal(b, EncodeState(m.log)) {
		m.fail("the log makes another state than the live one")
	}
	s, err := DecodeState(b)
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(s, Durable(m.live)) {
		m.fail("the state does not survive its encoding")
	}
	if !bytes.Equal(b, EncodeState(s)) {
		m.fail("the state has two encodings")
	}
	m.set(Recover(s, m.now))
	if !reflect.DeepEqual(m.live, Recover(m.live, m.now)) {
		m.fail("recovering twice is another thing than once")
	}
	if at, ok := Due(m.live); ok {
		if durable, have := DurableDue(m.live); !have || durable.After(at) {
			m.fail("nobody would wake it at %v", at)
		}
	}
	m.auto = false
	m.tick()
	return m.wrong
}

// Do does a step of a scenario.
func (m *sim) Do(s scenario.Step) (scenario.Observed, error) {
	by := Party{Principal: s.Who.Principal, Session: s.Who.Session, Kind: "person"}
	o, err := m.do(s, by)
	m.run()
	if err == nil {
		err = m.wrong
	}
	return o, err
}

func (m *sim) do(s scenario.Step, by Party) (scenario.Observed, error) {
	switch s.Verb {
	case "write":
		return m.write(s, by)
	case "hold":
		m.auto = true
		return scenario.Observed{Word: "ok"}, nil
	case "resume":
		m.auto = false
		m.tick()
		return scenario.Observed{Word: "ok"}, nil
	case "events":
		o := scenario.Observed{Events: m.names}
		m.names = nil
		return o, nil
	}
	c, err := commandOf(s)
	if err != nil {
		return scenario.Observed{}, err
	}
	r, err := m.decide(c, by)
	if err != nil {
		return refused(err), nil
	}
	return observed(s.Verb, r), nil
}

func (m *sim) decide(c Command, by Party) (Result, error) {
	events, r, err := Decide(m.live, c, m.ask(by))
	if err != nil && slices.ContainsFunc(events, Stored) {
		m.fail("%T was refused and gave stored events", c)
	}
	m.apply(events)
	if r.Token != "" {
		m.tokens = append(m.tokens, r.Token)
		if r.Token != r.Lease.Token(simKey, "collection:p:c") {
			m.fail("the lease does not give the token")
		}
	}
	return r, err
}

// write is a write of content, or its parking.
func (m *sim) write(s scenario.Step, by Party) (scenario.Observed, error) {
	doc := s.Args["doc"]
	if doc == "" {
		doc = by.Principal
	}
	base, _ := strconv.ParseUint(s.Args["base"], 10, 64)
	adm, err := Admit(m.live, Write{Token: s.Args["token"], Job: s.Args["job"] == "true"}, m.ask(by))
	if err != nil && problem.Of(err).Code == problem.Locked && s.Args["queue"] == "true" {
		events, r, err := Park(m.live, Parked{Base: base, Bytes: 100}, m.ask(by))
		if err != nil {
			return refused(err), nil
		}
		m.apply(events)
		n, _ := ParseID(OperationID, r.Operation.Operation)
		m.parked[n] = parkedWrite{doc, s.Args["policy"], base}
		return scenario.Observed{Word: "parked", Status: r.Status, Operation: r.Operation.Operation,
			Fields: map[string]string{"position": strconv.Itoa(r.Operation.Position)}}, nil
	}
	if err != nil {
		return refused(err), nil
	}
	if base > 0 && m.docs[doc] > base && s.Args["policy"] == "" {
		return refused(problem.New(problem.VersionConflict, "stale")), nil
	}
	m.apply(adm.Due)
	if adm.Fence > 0 {
		if n := len(m.writes); n > 0 && m.writes[n-1] > adm.Fence {
			m.fail("a write under fence %d after one under %d", adm.Fence, m.writes[n-1])
		}
		m.writes = append(m.writes, adm.Fence)
	}
	m.save(doc)
	if s.Args["release"] == "true" {
		events, err := ReleaseWithWrite(adm.State, s.Args["token"], m.ask(by))
		if err != nil {
			return refused(err), nil
		}
		m.apply(events)
	}
	return scenario.Observed{Word: "saved", Status: 200, Fields: map[string]string{
		"version": strconv.FormatUint(m.version, 10)}}, nil
}
