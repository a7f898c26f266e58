package operations

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"concord/actors/bulk"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

func bulkID(provider, id string) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindBulk, Provider: provider, ID: id}
}

// bulkTask is a task at one moment.
type bulkTask struct {
	id    persistence.EntityID
	state bulk.State
	seq   uint64
}

// bulkOf reads the task that a request names by its id or its number. Drafts and expired ones are not there.
func bulkOf(from persistence.Reader, r *transport.Request) (*bulkTask, error) {
	t := &bulkTask{id: bulkID(r.Provider, r.ID)}
	if !strings.ContainsFunc(r.ID, func(c rune) bool { return c < '0' || c > '9' }) {
		id, err := bulkNumbered(from, r.Provider, r.ID)
		if err != nil {
			return nil, err
		}
		t.id.ID = id
	}
	var err error
	if t.state, t.seq, err = bulkState(from, t.id); err != nil {
		return nil, err
	}
	if !t.state.Status.Shown() {
		return nil, bulk.Missing()
	}
	return t, nil
}

// bulkNumbered is the id of the task with a number.
func bulkNumbered(from persistence.IndexReader, provider, digits string) (string, error) {
	number, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return "", bulk.Missing()
	}
	key := persistence.IndexKey{Kind: persistence.KindBulk, Name: bulk.IndexNumbers, Provider: provider, Term: bulk.NumberTerm(number)}
	for p := range from.Partitions() {
		for e, err := range from.Index(persistence.Partition(p), key, persistence.IndexEntry{}) {
			if err != nil {
				return "", fmt.Errorf("look for task %d: %w", number, err)
			}
			return e.Entity, nil
		}
	}
	return "", bulk.Missing()
}

// onBulk answers from one moment of the store, in which the request's task is there.
func (s *Service) onBulk(r *transport.Request, done reply, fn func(persistence.View, *bulkTask) (*transport.Reply, error)) {
	view := s.Store.View()
	t, err := bulkOf(view, r)
	var answer *transport.Reply
	if err == nil {
		answer, err = fn(view, t)
	}
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	s.Host.SettledAll(func() { done(answer, err) })
}

// showBulk is the task as callers see it at a moment. One that the disk has no room for rests. Whether what a roll-back has left can be taken back, that roll-back knows.
func (s *Service) showBulk(from persistence.EntityReader, t *bulkTask) (bulk.Result, error) {
	now := s.Clock.Now()
	shown := t.state.Show(t.id.Provider, t.id.ID, t.seq, now)
	if t.state.Status.Open() && t.state.Status != bulk.Paused && errors.Is(s.Store.Writable(), persistence.ErrLowSpace) {
		shown.Message += " It rests: the disk of the service has no room. It goes on when there is."
	}
	if t.state.UndoneBy == "" || t.state.Final(now) != "" {
		return shown, nil
	}
	by, _, err := bulkState(from, bulkID(t.id.Provider, t.state.UndoneBy))
	shown.RollbackAvailable = err == nil && leavesSome(&by)
	return shown, err
}

// leavesSome says that a roll-back has ended, could not take back all, and stands: of one that was taken back itself, nobody
// knows what it has left.
func leavesSome(by *bulk.State) bool {
	c := &by.Counts
	return by.UndoneBy == "" && by.Status.Shown() && !by.Status.Open() && c.Skipped+c.Failed+c.Cancelled > 0
}

// bulkGet shows where a task stands.
func (s *Service) bulkGet(_ context.Context, r *transport.Request, done reply) {
	s.onBulk(r, done, func(view persistence.View, t *bulkTask) (*transport.Reply, error) {
		shown, err := s.showBulk(view, t)
		if err != nil {
			return nil, err
		}
		return ok(shown)
	})
}

// bulkVerb gives a task a command.
func (s *Service) bulkVerb(command bulk.Command) func(context.Context, *transport.Request, reply) {
	return func(_ context.Context, r *transport.Request, done reply) {
		if _, err := openEnvelope(r.Body, ""); err != nil {
			done(nil, err)
			return
		}
		t, err := bulkOf(s.Store, r)
		if err != nil {
			s.Host.SettledAll(func() { done(nil, err) })
			return
		}
		s.write(r, t.id, command, "", done)
	}
}

// bulkEvents lists the events of a task from its acceptance on.
func (s *Service) bulkEvents(_ context.Context, r *transport.Request, done reply) {
	t, err := bulkOf(s.Store, r)
	if err != nil {
		s.Host.SettledAll(func() { done(nil, err) })
		return
	}
	s.events(r, t.id, bulk.Missing, done)
}

// bulkEventStream sends the events of a task, and goes on with those that come.
func (s *Service) bulkEventStream(ctx context.Context, r *transport.Request, send func(transport.StreamEvent) error) error {
	t, err := bulkOf(s.Store, r)
	if err != nil {
		return err
	}
	return s.eventStream(ctx, r, t.id, bulk.Missing, send)
}

// bulkRequest shows what a task was asked for with. The body is shown as it came: an encoder would write it anew.
func (s *Service) bulkRequest(_ context.Context, r *transport.Request, done reply) {
	s.onBulk(r, done, func(view persistence.View, t *bulkTask) (*transport.Reply, error) {
		asked, err := t.asked(view)
		if err != nil {
			return nil, err
		}
		text, err := encode(api.BulkAsked{Task: t.id.ID, Type: asked.Type, Instructions: asked.Instructions, Targets: asked.Targets})
		if err != nil {
			return nil, err
		}
		if t.state.Pieces == 1 {
			posted, err := t.posted(view)
			if err != nil {
				return nil, err
			}
			if len(posted) <= bulkPostedMaxBytes {
				text = append(append(append(bytes.TrimSuffix(text, []byte("}")), `,"body":`...), posted...), '}')
			}
		}
		return &transport.Reply{Status: http.StatusOK, Body: text}, nil
	})
}

// asked is what the task was asked for with.
func (t *bulkTask) asked(view persistence.View) (bulk.Request, error) {
	body, err := partOf(view, t.id, bulk.PartRequest)
	if err != nil {
		return bulk.Request{}, err
	}
	asked, err := bulk.DecodeRequest(body)
	if err != nil {
		return asked, errors.Join(persistence.ErrCorrupt, err)
	}
	return asked, nil
}

// BulkWords is what aliases of bulk updates need that no operation of the table does.
func (s *Service) BulkWords() api.BulkWords {
	return api.BulkWords{
		Posted:        &transport.Operation{Name: "bulk.posted", HasID: true, Right: transport.RightRead, Handle: s.bulkPosted, Blocks: true},
		End:           &transport.Operation{Name: "bulk.end", HasID: true, Right: transport.RightRead, Handle: s.bulkEnd, Blocks: true},
		Enabled:       func() bool { return s.Limits.Bulk.Enabled },
		ChunkMaxBytes: s.Limits.Actors.Upload.ChunkMaxBytes,
	}
}

// bulkPosted is the body that a task was asked for with, byte for byte.
func (s *Service) bulkPosted(_ context.Context, r *transport.Request, done reply) {
	s.onBulk(r, done, func(view persistence.View, t *bulkTask) (*transport.Reply, error) {
		posted, err := t.posted(view)
		return &transport.Reply{Status: http.StatusOK, Body: posted}, err
	})
}
