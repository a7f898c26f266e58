package collection

import (
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"concord/actors/collection/collectionpb"
	"concord/actors/entity"
	"concord/actors/lock"
	"concord/persistence/recordpb"
)

func encodeHappened(e *Happened) entity.Encoded {
	if !lock.Stored(e.Event) {
		return entity.Encoded{Volatile: true}
	}
	name, payload := lock.EncodeEvent(e.Event)
	enc := entity.Encoded{Type: name, Fence: fenceOf(e.Event), Data: e.published(),
		Payload: marshal(&collectionpb.Happened{Event: payload, Write: e.Write, Problem: e.Problem})}
	if e.Holder != nil && concernsHolder(e.Event) {
		enc.Notify = e.Holder.Principal
	}
	return enc
}

func decodeHappened(enc entity.Encoded) (*Happened, error) {
	var m collectionpb.Happened
	if err := proto.Unmarshal(enc.Payload, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", enc.Type, err)
	}
	e, err := lock.DecodeEvent(enc.Type, m.GetEvent())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", enc.Type, err)
	}
	return &Happened{Event: e, Write: m.GetWrite(), Problem: m.GetProblem()}, nil
}

// fenceOf is the fence that an event of the lock tells of.
func fenceOf(e lock.Event) uint64 {
	switch e := e.(type) {
	case *lock.LockAcquired:
		return e.Fence
	case *lock.LockRenewed:
		return e.Fence
	case *lock.LockReleased:
		return e.Fence
	case *lock.LockExpired:
		return e.Fence
	case *lock.LockBroken:
		return e.Fence
	case *lock.LockRevoked:
		return e.Fence
	case *lock.LockTakenOver:
		return e.Fence
	default:
		return 0
	}
}

// concernsHolder says that the holder is to be told: of everything about a contest, and of the end of the lock by others.
func concernsHolder(e lock.Event) bool {
	switch e.(type) {
	case *lock.ContestOpened, *lock.ContestJoined, *lock.ContestDenied, *lock.ContestWithdrawn, *lock.ContestTimedOut,
		*lock.ContestExpired, *lock.ContestResolved, *lock.LockBroken, *lock.LockRevoked, *lock.LockTakenOver, *lock.LockExpired:
		return true
	default:
		return false
	}
}

// EventData is what is published of an event of the lock, of a contest, of the queue or of a parked update.
type EventData struct {
	Holder     *lock.Party `json:"holder,omitempty" doc:"Who held the lock"`
	Party      *lock.Party `json:"party,omitempty" doc:"Whom the event is about"`
	Contest    string      `json:"contest,omitempty"`
	Ticket     string      `json:"ticket,omitempty"`
	Operation  string      `json:"operation,omitempty" doc:"The parked update"`
	Note       string      `json:"note,omitempty" doc:"What the contestant says"`
	Acquire    bool        `json:"acquire,omitempty" doc:"The contestant wants the lock for itself"`
	Reason     string      `json:"reason,omitempty"`
	How        string      `json:"how,omitempty" doc:"How a grant came about, how a contest was resolved, or how a lock was released"`
	ExpiresAt  *time.Time  `json:"expiresAt,omitempty"`
	Deadline   *time.Time  `json:"deadline,omitempty" doc:"Of the contest"`
	RetryAfter *time.Time  `json:"retryAfter,omitempty" doc:"When a denied contestant may come back"`
	Version    uint64      `json:"version,omitempty" doc:"That the parked update made"`
	Code       string      `json:"code,omitempty" doc:"Of the refusal that the parked update met"`
}

// byBeacon is how a lock was released without credentials, by its token alone.
const byBeacon = "beacon"

// published is the event without anything secret.
func (h *Happened) published() []byte {
	d := EventData{Holder: h.Holder}
	switch e := h.Event.(type) {
	case *lock.LockAcquired:
		d.Holder, d.Party, d.How, d.ExpiresAt = nil, &e.Party, string(e.How), &e.Expires
		d.Ticket = id(lock.TicketID, e.Ticket)
	case *lock.LockRenewed:
		d.ExpiresAt = &e.Expires
	case *lock.LockReleased:
		if e.Beacon {
			d.How = byBeacon
		}
	case *lock.LockBroken:
		d.Party, d.Reason = &e.By, e.Reason
	case *lock.LockTakenOver:
		d.Party = &e.By
	case *lock.OfferMade:
		d.Party, d.Ticket, d.ExpiresAt = &e.Party, id(lock.TicketID, e.Ticket), &e.Until
	case *lock.OfferLapsed:
		d.Party, d.Ticket = &e.Party, id(lock.TicketID, e.Ticket)
	case *lock.WaiterAdded:
		d.Party, d.Ticket = &e.Party, id(lock.TicketID, e.Ticket)
	case *lock.WaiterGone:
		d.Party, d.Ticket, d.Reason = &e.Party, id(lock.TicketID, e.Ticket), string(e.Why)
	default:
		d.contest(h.Event)
		d.operation(h.Event)
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic("collection: what is published of an event always marshals: " + err.Error())
	}
	return text
}

func (d *EventData) contest(e lock.Event) {
	claim := func(c *lock.Claimant) {
		d.Party, d.Note, d.Acquire, d.Ticket = &c.Party, c.Note, c.Acquire, id(lock.TicketID, c.Ticket)
	}
	var contest uint64
	switch e := e.(type) {
	case *lock.ContestOpened:
		contest, d.Deadline = e.Contest, &e.Until
		claim(&e.Claim)
	case *lock.ContestJoined:
		contest = e.Contest
		claim(&e.Claim)
	case *lock.ContestDenied:
		contest, d.Reason = e.Contest, e.Reason
		if !e.Until.IsZero() {
			d.RetryAfter = &e.Until
		}
	case *lock.ContestWithdrawn:
		contest, d.Party = e.Contest, &e.Party
	case *lock.ContestTimedOut:
		contest = e.Contest
	case *lock.ContestExpired:
		contest = e.Contest
	case *lock.ContestResolved:
		contest, d.How, d.Party = e.Contest, string(e.How), e.Granted
	default:
		return
	}
	d.Contest = id(lock.ContestID, contest)
}

func (d *EventData) operation(e lock.Event) {
	var operation uint64
	switch e := e.(type) {
	case *lock.OperationParked:
		operation, d.Party, d.ExpiresAt = e.Operation, &e.Party, &e.Expires
	case *lock.OperationDone:
		operation, d.Version = e.Operation, e.Version
	case *lock.OperationFailed:
		operation, d.Code = e.Operation, e.Code
	case *lock.OperationCancelled:
		operation = e.Operation
	case *lock.OperationExpired:
		operation = e.Operation
	default:
		return
	}
	d.Operation = id(lock.OperationID, operation)
}

// id is the public form of a number, "" of none.
func id(prefix string, n uint64) string {
	if n == 0 {
		return ""
	}
	return lock.ID(prefix, n)
}

// timers of the lock: its earliest durable deadline wakes the collection after a restart.
func timers(before, after lock.State) []entity.Timer {
	was, _ := lock.DurableDue(before)
	due, _ := lock.DurableDue(after)
	if was.Equal(due) {
		return nil
	}
	return []entity.Timer{{Name: "lock", Was: was, Due: due}}
}

// LockEventOf is the event of the lock, of a contest, of the queue or of a parked update that the record tells of; nil: it
// tells of another.
func LockEventOf(rec *recordpb.Record) (lock.Event, error) {
	if !lock.IsEvent(rec.GetType()) {
		return nil, nil
	}
	event, err := eventOf(rec.GetPayload())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", rec.GetType(), err)
	}
	e, err := lock.DecodeEvent(rec.GetType(), event)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", rec.GetType(), err)
	}
	return e, nil
}

// happenedFieldEvent is the number of Happened.event.
const happenedFieldEvent = 1

// eventOf is the event of a stored Happened. It does not read, or copy, the update that may stand beside it, which is large.
func eventOf(payload []byte) (event []byte, err error) {
	for len(payload) > 0 {
		number, kind, size := protowire.ConsumeField(payload)
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		if number == happenedFieldEvent && kind == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(payload)
			event, _ = protowire.ConsumeBytes(payload[tag:])
		}
		payload = payload[size:]
	}
	return event, nil
}

// RefusalOf is the refusal that a parked update met, as JSON, from the record of its end; nil if it tells of none.
func RefusalOf(rec *recordpb.Record) (json.RawMessage, error) {
	if !lock.IsEvent(rec.GetType()) {
		return nil, nil
	}
	h, err := decodeHappened(entity.Encoded{Type: rec.GetType(), Payload: rec.GetPayload()})
	if err != nil {
		return nil, err
	}
	return h.Problem, nil
}
