package operations

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"concord/actors/lock"
	"concord/transport"
)

// queueBeat is how often a stream of a ticket keeps it alive: a few times in the shortest waiter ttl that makes sense.
const queueBeat = time.Second

// lockQueueStream tells where the ticket stands, whenever that changes, and keeps it alive as long as somebody listens.
func (s *Service) lockQueueStream(ctx context.Context, r *transport.Request, send func(transport.StreamEvent) error) error {
	woken, leave, err := s.Watchers.Watch(collectionID(r))
	if err != nil {
		return err
	}
	defer leave()
	beat := time.NewTicker(queueBeat)
	defer beat.Stop()
	var told []byte
	for {
		place, err := s.ask(ctx, r, lock.KeepAlive{Ticket: r.Inner})
		if err != nil {
			return err
		}
		if news := withoutSeconds(place); !bytes.Equal(news, told) {
			told = news
			if err := send(transport.StreamEvent{Type: "ticket", Data: place}); err != nil {
				return fmt.Errorf("send the place of ticket %s: %w", r.Inner, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-woken:
		case <-beat.C:
		}
	}
}

// withoutSeconds is what is news about a ticket: not that time has passed.
func withoutSeconds(place []byte) []byte {
	var t lock.TicketAnswer
	if json.Unmarshal(place, &t) != nil {
		return place
	}
	t.ExpiresIn = 0
	news, err := json.Marshal(t)
	if err != nil {
		return place
	}
	return news
}

// ask sends a command to the lock and waits for the answer.
func (s *Service) ask(ctx context.Context, r *transport.Request, c lock.Command) ([]byte, error) {
	type answer struct {
		body []byte
		err  error
	}
	answers := make(chan answer, 1)
	one := *r
	one.Deadline = time.Time{} // of the stream's opening alone
	s.onLock(&one, c, func(a *transport.Reply, err error) {
		if err != nil {
			answers <- answer{nil, err}
			return
		}
		answers <- answer{a.Body, nil}
	})
	select {
	case a := <-answers:
		return a.body, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
