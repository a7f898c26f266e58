package operations

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"concord/actors/lock"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// lockList shows the locks of a provider: which there are says the board, how they stand says each collection itself.
func (s *Service) lockList(ctx context.Context, r *transport.Request, done reply) {
	limit, err := s.limit(r)
	if err != nil {
		done(nil, err)
		return
	}
	c, _, err := cursorParam(r)
	if err != nil {
		done(nil, err)
		return
	}
	page := s.newPage(limit)
	for more := true; more; {
		ids := s.Board.Locked(r.Provider, c.After, limit+1)
		more = len(ids) > limit
		for _, id := range ids {
			item, err := s.lockedNow(ctx, r, id)
			if err != nil {
				done(nil, err)
				return
			}
			if item.State != lock.Free { // it may be free since a moment
				if fits, err := page.add(item); err != nil || !fits {
					done(page.reply(&cursor{After: c.After}), err)
					return
				}
			}
			c.After = id.ID
		}
	}
	done(page.reply(nil), nil)
}

// lockedNow asks a collection how its lock stands.
func (s *Service) lockedNow(ctx context.Context, r *transport.Request, id persistence.EntityID) (item api.ListedLock, err error) {
	one := *r
	one.ID = id.ID
	view, err := s.ask(ctx, &one, lock.Get{})
	if err != nil {
		return item, err
	}
	item = api.ListedLock{Provider: id.Provider, ID: id.ID}
	if err := json.Unmarshal(view, &item.View); err != nil {
		return item, fmt.Errorf("read the lock of %v: %w", id, err)
	}
	return item, nil
}

// promptList shows the contests of the caller's locks.
func (s *Service) promptList(_ context.Context, r *transport.Request, done reply) {
	body, err := json.Marshal(api.PromptList{Items: s.Board.Prompts(r.Caller.Principal)})
	if err != nil {
		done(nil, fmt.Errorf("render prompts: %w", err))
		return
	}
	done(&transport.Reply{Status: http.StatusOK, Body: body}, nil)
}

// promptStream sends each prompt as it is, when it opens or changes, and says when it is over.
func (s *Service) promptStream(ctx context.Context, r *transport.Request, send func(transport.StreamEvent) error) error {
	woken, leave, err := s.Board.Watch(r.Caller.Principal)
	if err != nil {
		return err
	}
	defer leave()
	told := make(map[string][]byte)
	for {
		open := make(map[string][]byte)
		for _, p := range s.Board.Prompts(r.Caller.Principal) {
			text, err := json.Marshal(p)
			if err != nil {
				return fmt.Errorf("render prompt: %w", err)
			}
			open[p.Provider+"."+p.ID+"."+p.Contest.ID] = text
		}
		if err := sendPrompts(told, open, send); err != nil {
			return err
		}
		told = open
		select {
		case <-ctx.Done():
			return nil
		case <-woken:
		}
	}
}

func sendPrompts(told, open map[string][]byte, send func(transport.StreamEvent) error) error {
	for key, text := range open {
		if bytes.Equal(told[key], text) {
			continue
		}
		if err := send(transport.StreamEvent{Type: "prompt", Data: text}); err != nil {
			return fmt.Errorf("send a prompt: %w", err)
		}
	}
	for key, text := range told {
		if _, still := open[key]; still {
			continue
		}
		if err := send(transport.StreamEvent{Type: "prompt.closed", Data: text}); err != nil {
			return fmt.Errorf("send the end of a prompt: %w", err)
		}
	}
	return nil
}
