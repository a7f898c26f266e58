package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"concord/actors/collection"
	"concord/actors/lock"
	"concord/persistence"
	"concord/transport"
)

func (s *Service) operationCancel(_ context.Context, r *transport.Request, done reply) {
	s.onLock(r, lock.CancelOperation{ID: r.Inner}, done)
}

// operationGet reads what became of a parked update: from the store, since the refusal it met stands in the log.
func (s *Service) operationGet(_ context.Context, r *transport.Request, done reply) {
	id := collectionID(r)
	s.read(id, done, func(view persistence.View) (*transport.Reply, error) {
		head, err := view.Head(id)
		if errors.Is(err, persistence.ErrNotFound) {
			return nil, noSuchCollection()
		}
		if err != nil {
			return nil, err
		}
		state, err := collection.Behavior{}.DecodeState(head.State)
		if err != nil {
			return nil, err
		}
		// At no time: the stored state lacks the signs of life, so that what it takes for over may not be.
		_, result, err := lock.Decide(state.Lock, lock.GetOperation{ID: r.Inner}, lock.Ask{Settings: lock.DefaultSettings})
		if err != nil {
			return nil, err
		}
		answer := operationAnswer{OperationAnswer: *result.Operation}
		if ended, ok := lock.Ended(state.Lock, r.Inner); ok && ended.State == lock.OperationHasFailed {
			if answer.Problem, err = refusalAt(view, id, ended.Seq); err != nil {
				return nil, err
			}
		}
		body, err := json.Marshal(answer)
		if err != nil {
			return nil, fmt.Errorf("render operation %s: %w", r.Inner, err)
		}
		return &transport.Reply{Status: http.StatusOK, Body: body}, nil
	})
}

// refusalAt reads the refusal that an event tells of; nil if retention has removed the event.
func refusalAt(view persistence.View, id persistence.EntityID, seq uint64) (json.RawMessage, error) {
	for rec, err := range view.Records(id, seq-1) {
		if errors.Is(err, persistence.ErrTrimmed) || err == nil && rec.GetSeq() != seq {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return collection.RefusalOf(rec)
	}
	return nil, nil
}

// operationAnswer is api.Operation with the refusal as it is stored.
type operationAnswer struct {
	lock.OperationAnswer
	Problem json.RawMessage `json:"problem,omitempty"`
}
