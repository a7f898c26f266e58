package lock

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"concord/actors/lock/lockpb"
)

// EncodeEvent is the stored form of a stored event; a volatile one has no name.
func EncodeEvent(e Event) (name string, payload []byte) {
	name = Name(e)
	if name == "" {
		return "", nil
	}
	return name, marshal(message(e))
}

func message(e Event) proto.Message {
	switch e := e.(type) {
	case *LockAcquired:
		return &lockpb.LockAcquired{Fence: e.Fence, TokenFence: e.TokenFence, Party: party(e.Party), Ttl: newSpan(e.Expires, e.TTL),
			Ticket: e.Ticket, How: string(e.How)}
	case *LockRenewed:
		return &lockpb.LockRenewed{Fence: e.Fence, Ttl: newSpan(e.Expires, e.TTL)}
	case *LockReleased:
		return &lockpb.LockEnded{Fence: e.Fence, Beacon: e.Beacon}
	case *LockExpired:
		return &lockpb.LockEnded{Fence: e.Fence}
	case *LockBroken:
		return &lockpb.LockEnded{Fence: e.Fence, By: party(e.By), Reason: e.Reason}
	case *LockRevoked:
		return &lockpb.LockEnded{Fence: e.Fence}
	case *LockTakenOver:
		return &lockpb.LockEnded{Fence: e.Fence, By: party(e.By)}
	case *ContestOpened:
		return &lockpb.ContestClaimed{Contest: e.Contest, Claim: claimant(e.Claim), Deadline: newSpan(e.Until, e.Length)}
	case *ContestJoined:
		return &lockpb.ContestClaimed{Contest: e.Contest, Claim: claimant(e.Claim)}
	case *ContestDenied:
		return &lockpb.ContestAnswered{Contest: e.Contest, Reason: e.Reason, Until: stored(e.Until)}
	case *ContestWithdrawn:
		return &lockpb.ContestWithdrawn{Contest: e.Contest, Party: party(e.Party), Gone: e.Gone, Closed: e.Closed}
	case *ContestTimedOut:
		return &lockpb.ContestAnswered{Contest: e.Contest}
	case *ContestExpired:
		return &lockpb.ContestAnswered{Contest: e.Contest}
	case *ContestResolved:
		m := &lockpb.ContestAnswered{Contest: e.Contest, How: string(e.How)}
		if e.Granted != nil {
			m.Granted = party(*e.Granted)
		}
		return m
	default:
		return messageInLine(e)
	}
}

// messageInLine are the events of the queue.
func messageInLine(e Event) proto.Message {
	switch e := e.(type) {
	case *OfferMade:
		return &lockpb.TicketMoved{Ticket: e.Ticket, Party: party(e.Party), Span: newSpan(e.Until, e.Length)}
	case *OfferLapsed:
		return &lockpb.TicketMoved{Ticket: e.Ticket, Party: party(e.Party)}
	case *WaiterAdded:
		return &lockpb.TicketMoved{Ticket: e.Ticket, Party: party(e.Party), Span: newSpan(e.Until, e.Length)}
	case *WaiterGone:
		return &lockpb.TicketMoved{Ticket: e.Ticket, Party: party(e.Party), Why: string(e.Why)}
	case *OperationParked:
		return &lockpb.OperationMoved{Operation: e.Operation, Party: party(e.Party), Base: e.Base, Bytes: e.Bytes,
			Expires: stored(e.Expires)}
	case *OperationDone:
		return &lockpb.OperationMoved{Operation: e.Operation, Version: e.Version}
	case *OperationFailed:
		return &lockpb.OperationMoved{Operation: e.Operation, Code: e.Code}
	case *OperationCancelled:
		return &lockpb.OperationMoved{Operation: e.Operation}
	case *OperationExpired:
		return &lockpb.OperationMoved{Operation: e.Operation}
	default:
		panic(fmt.Sprintf("lock: event %T is not stored", e))
	}
}

// IsEvent says whether the stored name is one of a lock's events: how a kind tells them from its own.
func IsEvent(name string) bool { return payloadOf(name) != nil }

func payloadOf(name string) proto.Message {
	switch name {
	case TypeAcquired:
		return &lockpb.LockAcquired{}
	case TypeRenewed:
		return &lockpb.LockRenewed{}
	case TypeReleased, TypeExpired, TypeBroken, TypeRevoked, TypeTakenOver:
		return &lockpb.LockEnded{}
	case TypeContestOpened, TypeContestJoined:
		return &lockpb.ContestClaimed{}
	case TypeContestDenied, TypeContestTimedOut, TypeContestExpired, TypeContestResolved:
		return &lockpb.ContestAnswered{}
	case TypeContestWithdrawn:
		return &lockpb.ContestWithdrawn{}
	case TypeOfferMade, TypeOfferLapsed, TypeWaiterAdded, TypeWaiterGone:
		return &lockpb.TicketMoved{}
	case TypeOpParked, TypeOpDone, TypeOpFailed, TypeOpCancelled, TypeOpExpired:
		return &lockpb.OperationMoved{}
	default:
		return nil
	}
}

// DecodeEvent reads a stored event.
func DecodeEvent(name string, payload []byte) (Event, error) {
	m := payloadOf(name)
	if m == nil {
		return nil, fmt.Errorf("lock: unknown event %q", name)
	}
	if err := proto.Unmarshal(payload, m); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	switch m := m.(type) {
	case *lockpb.LockAcquired:
		ttl := spanFrom(m.GetTtl())
		return &LockAcquired{Fence: m.GetFence(), TokenFence: m.GetTokenFence(), Party: partyFrom(m.GetParty()), TTL: ttl.length,
			Expires: ttl.until, Ticket: m.GetTicket(), How: How(m.GetHow())}, nil
	case *lockpb.LockRenewed:
		ttl := spanFrom(m.GetTtl())
		return &LockRenewed{m.GetFence(), ttl.length, ttl.until}, nil
	case *lockpb.LockEnded:
		return decodeEnd(name, m), nil
	case *lockpb.ContestClaimed:
		if name == TypeContestJoined {
			return &ContestJoined{m.GetContest(), claimantFrom(m.GetClaim())}, nil
		}
		deadline := spanFrom(m.GetDeadline())
		return &ContestOpened{m.GetContest(), claimantFrom(m.GetClaim()), deadline.length, deadline.until}, nil
	case *lockpb.ContestAnswered:
		return decodeAnswer(name, m), nil
	case *lockpb.ContestWithdrawn:
		return &ContestWithdrawn{m.GetContest(), partyFrom(m.GetParty()), m.GetGone(), m.GetClosed()}, nil
	case *lockpb.TicketMoved:
		return decodeTicket(name, m), nil
	case *lockpb.OperationMoved:
		return decodeOperation(name, m), nil
	default:
		panic(fmt.Sprintf("lock: unknown payload %T", m))
	}
}

func decodeEnd(name string, m *lockpb.LockEnded) Event {
	switch name {
	case TypeReleased:
		return &LockReleased{m.GetFence(), m.GetBeacon()}
	case TypeExpired:
		return &LockExpired{m.GetFence()}
	case TypeBroken:
		return &LockBroken{m.GetFence(), partyFrom(m.GetBy()), m.GetReason()}
	case TypeRevoked:
		return &LockRevoked{m.GetFence()}
	default:
		return &LockTakenOver{m.GetFence(), partyFrom(m.GetBy())}
	}
}

func decodeAnswer(name string, m *lockpb.ContestAnswered) Event {
	switch name {
	case TypeContestDenied:
		return &ContestDenied{m.GetContest(), m.GetReason(), read(m.GetUntil())}
	case TypeContestTimedOut:
		return &ContestTimedOut{m.GetContest()}
	case TypeContestExpired:
		return &ContestExpired{m.GetContest()}
	default:
		e := &ContestResolved{Contest: m.GetContest(), How: Settlement(m.GetHow())}
		if m.GetGranted() != nil {
			granted := partyFrom(m.GetGranted())
			e.Granted = &granted
		}
		return e
	}
}

func decodeTicket(name string, m *lockpb.TicketMoved) Event {
	ticket, who, s := m.GetTicket(), partyFrom(m.GetParty()), spanFrom(m.GetSpan())
	switch name {
	case TypeOfferMade:
		return &OfferMade{ticket, who, s.length, s.until}
	case TypeOfferLapsed:
		return &OfferLapsed{ticket, who}
	case TypeWaiterAdded:
		return &WaiterAdded{ticket, who, s.length, s.until}
	default:
		return &WaiterGone{ticket, who, Why(m.GetWhy())}
	}
}

func decodeOperation(name string, m *lockpb.OperationMoved) Event {
	id := m.GetOperation()
	switch name {
	case TypeOpParked:
		return &OperationParked{id, partyFrom(m.GetParty()), m.GetBase(), m.GetBytes(), read(m.GetExpires())}
	case TypeOpDone:
		return &OperationDone{id, m.GetVersion()}
	case TypeOpFailed:
		return &OperationFailed{id, m.GetCode()}
	case TypeOpCancelled:
		return &OperationCancelled{id}
	default:
		return &OperationExpired{id}
	}
}
