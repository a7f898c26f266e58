package operations

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
)

// collectionEvents lists the events of a collection after a seq, from the log: also those that the stream has dropped.
func (s *Service) collectionEvents(_ context.Context, r *transport.Request, done reply) {
	s.events(r, collectionID(r), noSuchCollection, done)
}

// events lists the events of an entity.
func (s *Service) events(r *transport.Request, id persistence.EntityID, missing func() *problem.Problem, done reply) {
	after, limit, err := s.eventsQuery(r)
	if err != nil {
		done(nil, err)
		return
	}
	s.read(id, done, func(view persistence.View) (*transport.Reply, error) {
		if _, err := view.Head(id); errors.Is(err, persistence.ErrNotFound) {
			return nil, missing()
		} else if err != nil {
			return nil, err
		}
		page, last, steps := s.newPage(limit), after, 0
		for rec, err := range view.Records(id, after) {
			if err != nil {
				return nil, err
			}
			if !transport.Leaves(rec) {
				if steps++; steps > listMaxSteps {
					return page.reply(&cursor{Number: last}), nil
				}
				last = rec.GetSeq()
				continue
			}
			if fits, err := page.add(transport.EventOf(rec)); err != nil {
				return nil, err
			} else if !fits {
				return page.reply(&cursor{Number: last}), nil
			}
			last = rec.GetSeq()
		}
		return page.reply(nil), nil
	})
}

func (s *Service) eventsQuery(r *transport.Request) (after uint64, limit int, err error) {
	if after, _, err = intParam(r, "after"); err != nil {
		return 0, 0, err
	}
	if limit, err = s.limit(r); err != nil {
		return 0, 0, err
	}
	c, given, err := cursorParam(r)
	if given {
		after = c.Number
	}
	return after, limit, err
}

// streamBatchMax is how many events a stream reads from the store at once.
const streamBatchMax = 256

// collectionEventStream sends the events after a seq, and goes on with those that come.
func (s *Service) collectionEventStream(ctx context.Context, r *transport.Request, send func(transport.StreamEvent) error) error {
	return s.eventStream(ctx, r, collectionID(r), noSuchCollection, send)
}

// eventStream sends the events of an entity, and goes on with those that come.
func (s *Service) eventStream(ctx context.Context, r *transport.Request, id persistence.EntityID, missing func() *problem.Problem,
	send func(transport.StreamEvent) error,
) error {
	after, _, err := s.eventsQuery(r)
	if err != nil {
		return err
	}
	if r.Header.LastEventID != "" {
		if after, err = strconv.ParseUint(r.Header.LastEventID, 10, 53); err != nil {
			return problem.At("header "+transport.HeaderLastEventID, "must be the id of an event: its seq")
		}
	}
	if _, err := s.Store.Head(id); errors.Is(err, persistence.ErrNotFound) {
		return missing()
	} else if err != nil {
		return err
	}
	woken, leave, err := s.Watchers.Watch(id)
	if err != nil {
		return err
	}
	defer leave()
	for {
		batch, err := s.durableEvents(ctx, id, after)
		if err != nil {
			return err
		}
		for _, e := range batch {
			if err := send(transport.StreamEvent{ID: strconv.FormatUint(e.Seq, 10), Type: e.Type, Data: e.Render()}); err != nil {
				return fmt.Errorf("send event %s: %w", e.ID, err)
			}
			after = e.Seq
		}
		if len(batch) == streamBatchMax {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-woken:
		}
	}
}

func (s *Service) durableEvents(ctx context.Context, id persistence.EntityID, after uint64) ([]transport.Event, error) {
	batch, err := s.eventsNow(id, after)
	if err != nil {
		return nil, err
	}
	durable := make(chan struct{})
	s.Host.Settled(id, func() { close(durable) })
	select {
	case <-durable:
		return batch, nil
	case <-ctx.Done():
		return nil, nil
	}
}

// eventsNow reads one moment of the store: retention may be at work.
func (s *Service) eventsNow(id persistence.EntityID, after uint64) (batch []transport.Event, err error) {
	view := s.Store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	for rec, err := range view.Records(id, after) {
		if err != nil {
			return nil, err
		}
		if !transport.Leaves(rec) {
			continue
		}
		if batch = append(batch, transport.EventOf(rec)); len(batch) == streamBatchMax {
			break
		}
	}
	return batch, nil
}

// watchersMax bounds the streams of one node.
const watchersMax = 10_000

// Watchers wakes streams when their entity has new durable events.
type Watchers struct {
	count atomic.Int64
	mu    sync.Mutex
	of    map[persistence.EntityID]map[chan struct{}]bool
}

// NewWatchers makes an empty set.
func NewWatchers() *Watchers {
	return &Watchers{of: make(map[persistence.EntityID]map[chan struct{}]bool)}
}

// Watch returns a channel that gets a value after each durable group with events of the entity; call leave at the end.
func (w *Watchers) Watch(id persistence.EntityID) (woken <-chan struct{}, leave func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count.Load() >= watchersMax {
		return nil, nil, problem.New(problem.Overloaded, "%d streams are open", watchersMax)
	}
	w.count.Add(1)
	c := make(chan struct{}, 1)
	if w.of[id] == nil {
		w.of[id] = make(map[chan struct{}]bool)
	}
	w.of[id][c] = true
	return c, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if delete(w.of[id], c); len(w.of[id]) == 0 {
			delete(w.of, id)
		}
		w.count.Add(-1)
	}, nil
}

// Committed is the committer's observer.
func (w *Watchers) Committed(group []*persistence.Entry) {
	if w.count.Load() == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range group {
		for c := range w.of[e.Entity] {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
}
