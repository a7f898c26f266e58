package lock

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/lock/lockpb"
	"concord/internal/planted"
)

//go:generate sh -c "cd ../.. && protoc --go_out=. --go_opt=module=concord actors/lock/lockpb/lock.proto"

// EncodeState is the stored form of the durable state. The zero state has no bytes; equal states have equal bytes.
func EncodeState(s State) []byte {
	if s.Fence == 0 && s.in == nil {
		return nil
	}
	in := s.look()
	m := &lockpb.State{Fence: s.Fence}
	if h := in.holder; h != nil {
		m.Holder = &lockpb.Holder{Party: party(h.party), Fence: h.fence, TokenFence: h.tokenFence, Ticket: h.ticket,
			Since: stored(h.since), Ttl: spanOf(h.ttl)}
	}
	if in.offer != nil {
		m.Offer = &lockpb.Offer{Ticket: in.offer.ticket, Window: spanOf(in.offer.window)}
	}
	if c := in.contest; c != nil {
		m.Contest = &lockpb.Contest{Id: c.id, Opened: stored(c.opened), Deadline: spanOf(c.deadline)}
		for _, one := range c.contestants {
			m.Contest.Contestants = append(m.Contest.Contestants, &lockpb.Contestant{Since: stored(one.since),
				Claim: claimant(Claimant{one.party, one.note, one.acquire, one.ticket, one.made})})
		}
	}
	for _, w := range in.queue {
		if w.operation && planted.LosePark {
			continue
		}
		q := &lockpb.Waiter{Id: w.id, Operation: w.operation, Party: party(w.party), Since: stored(w.since)}
		if w.operation {
			q.Base, q.Bytes, q.Expires = w.base, w.bytes, stored(w.expires)
		} else {
			q.Alive = spanOf(w.alive)
		}
		m.Queue = append(m.Queue, q)
	}
	encodePast(m, &in)
	return marshal(m)
}

// encodePast adds what is over, and kept for those who ask.
func encodePast(m *lockpb.State, in *inner) {
	for _, c := range in.cooldowns {
		m.Cooldowns = append(m.Cooldowns, &lockpb.Cooldown{Principal: c.principal, Until: stored(c.until)})
	}
	for _, e := range in.ended {
		m.Ended = append(m.Ended, &lockpb.Ended{Fence: e.fence, TokenFence: e.lease.Fence, Party: party(e.lease.Owner),
			How: string(e.how), Version: e.version, Ttl: e.ttl.Microseconds()})
	}
	for _, o := range in.outcomes {
		m.Outcomes = append(m.Outcomes, &lockpb.Outcome{Contest: o.contest, Party: party(o.party), State: string(o.state),
			Reason: o.reason, Until: stored(o.until)})
	}
	for _, o := range in.operations {
		m.Operations = append(m.Operations, &lockpb.EndedOperation{Id: o.ID, State: string(o.State), Party: party(o.Party),
			Version: o.Version, Code: o.Code, Seq: o.Seq})
	}
}

// DecodeState reads a stored state.
func DecodeState(b []byte) (State, error) {
	if len(b) == 0 {
		return State{}, nil
	}
	var m lockpb.State
	if err := proto.Unmarshal(b, &m); err != nil {
		return State{}, fmt.Errorf("lock state: %w", err)
	}
	var in inner
	if h := m.GetHolder(); h != nil {
		in.holder = &holder{party: partyFrom(h.GetParty()), fence: h.GetFence(), tokenFence: h.GetTokenFence(),
			ticket: h.GetTicket(), since: read(h.GetSince()), ttl: spanFrom(h.GetTtl())}
	}
	if o := m.GetOffer(); o != nil {
		in.offer = &offer{o.GetTicket(), spanFrom(o.GetWindow())}
	}
	if c := m.GetContest(); c != nil {
		if len(c.GetContestants()) == 0 {
			return State{}, errors.New("lock state: a contest without contestants")
		}
		in.contest = &contest{id: c.GetId(), opened: read(c.GetOpened()), deadline: spanFrom(c.GetDeadline())}
		for _, one := range c.GetContestants() {
			in.contest.contestants = append(in.contest.contestants,
				contestantOf(claimantFrom(one.GetClaim()), Stamp{Time: read(one.GetSince())}))
		}
	}
	for _, q := range m.GetQueue() {
		w := waiter{id: q.GetId(), operation: q.GetOperation(), party: partyFrom(q.GetParty()), since: read(q.GetSince())}
		if w.operation {
			w.base, w.bytes, w.expires = q.GetBase(), q.GetBytes(), read(q.GetExpires())
		} else {
			w.alive = spanFrom(q.GetAlive())
		}
		in.queue = append(in.queue, w)
	}
	decodePast(&m, &in)
	if in.empty() {
		return State{Fence: m.GetFence()}, nil
	}
	return State{m.GetFence(), &in}, nil
}

func decodePast(m *lockpb.State, in *inner) {
	for _, c := range m.GetCooldowns() {
		in.cooldowns = append(in.cooldowns, cooldown{c.GetPrincipal(), read(c.GetUntil())})
	}
	for _, e := range m.GetEnded() {
		in.ended = append(in.ended, ended{fence: e.GetFence(), lease: Lease{partyFrom(e.GetParty()), e.GetTokenFence()},
			how: Reason(e.GetHow()), version: e.GetVersion(), ttl: length(e.GetTtl())})
	}
	for _, o := range m.GetOutcomes() {
		in.outcomes = append(in.outcomes, outcome{contest: o.GetContest(), party: partyFrom(o.GetParty()),
			state: OutcomeState(o.GetState()), reason: o.GetReason(), until: read(o.GetUntil())})
	}
	for _, o := range m.GetOperations() {
		in.operations = append(in.operations, EndedOperation{ID: o.GetId(), State: OperationState(o.GetState()),
			Party: partyFrom(o.GetParty()), Version: o.GetVersion(), Code: o.GetCode(), Seq: o.GetSeq()})
	}
}

func party(p Party) *lockpb.Party {
	return &lockpb.Party{Principal: p.Principal, Session: p.Session, Kind: p.Kind}
}

func partyFrom(m *lockpb.Party) Party {
	return Party{Principal: m.GetPrincipal(), Session: m.GetSession(), Kind: m.GetKind()}
}

func claimant(c Claimant) *lockpb.Claimant {
	return &lockpb.Claimant{Party: party(c.Party), Note: c.Note, Acquire: c.Acquire, Ticket: c.Ticket, Made: c.Made}
}

func claimantFrom(m *lockpb.Claimant) Claimant {
	return Claimant{Party: partyFrom(m.GetParty()), Note: m.GetNote(), Acquire: m.GetAcquire(), Ticket: m.GetTicket(),
		Made: m.GetMade()}
}

func spanOf(s span) *lockpb.Span { return newSpan(s.until, s.length) }

func newSpan(until time.Time, length time.Duration) *lockpb.Span {
	return &lockpb.Span{Until: stored(until), Length: length.Microseconds()}
}

func spanFrom(m *lockpb.Span) span {
	return span{until: read(m.GetUntil()), length: length(m.GetLength())}
}

// stored is a time in microseconds since 1970, 0 for none.
func stored(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func read(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// length reads a stored length. One that no clock can hold is none.
func length(micros int64) time.Duration {
	d := time.Duration(micros) * time.Microsecond
	if d.Microseconds() != micros {
		return 0
	}
	return d
}

func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic("lock: a message of checked strings cannot fail to marshal: " + err.Error())
	}
	return b
}
