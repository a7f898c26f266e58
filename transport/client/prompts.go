package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"

	"github.com/nats-io/nats.go"
)

// PromptChange is what happened to a contest of a lock that the caller holds.
type PromptChange struct {
	Prompt
	Over bool `json:"over"` // the contest, or the lock, has ended
}

// Prompts yields the contests of all locks that the caller holds, of all sessions and providers: those that are open, and
// then each one that opens, changes or ends. It ends when the context does, without an error. It waits out a lost connection
// and a service that is starting; another error is the last that it yields. What opens and ends within a moment may not be
// seen. With a bearer token prompts come when they are looked for, every few seconds: the token does not tell the client
// whose it is; a client that has held a lock knows.
func (c *Client) Prompts(ctx context.Context) iter.Seq2[PromptChange, error] {
	return func(yield func(PromptChange, error) bool) {
		w := &promptWatch{client: c, yield: yield}
		if err := w.run(ctx); err != nil && !errors.Is(err, errEnough) && ctx.Err() == nil {
			yield(PromptChange{}, err)
		}
	}
}

// promptWatch is one loop over Prompts, all on the caller's goroutine.
type promptWatch struct {
	client *Client
	yield  func(PromptChange, error) bool
	open   map[string]Prompt // that were yielded
}

func (w *promptWatch) run(ctx context.Context) error {
	feed, err := w.client.follow()
	if err != nil {
		return err
	}
	defer feed.close()
	if subject := w.client.promptsOfOurs("*"); subject != "" {
		if err := feed.add(subject); err != nil {
			return err
		}
	}
	most := pollMax
	if len(feed.on) == 0 {
		most = retryMax
	}
	for wait := pollMin; ; wait = min(2*wait, most) {
		if err := w.look(ctx); err != nil && !passes(err) {
			return err
		}
		switch feed.wait(ctx.Done(), jittered(wait), func(*nats.Msg) bool { return true }) {
		case byContext:
			return nil
		case byClose:
			return fmt.Errorf("watch prompts: %w", ErrClosed)
		case byTime:
		case byMessage, byConnection:
			wait = pollMin
		}
	}
}

// look yields what has changed.
func (w *promptWatch) look(ctx context.Context) error {
	list, err := w.client.PromptList(ctx)
	if err != nil {
		return err
	}
	open := make(map[string]Prompt, len(list.Items))
	for _, p := range list.Items {
		key := p.Provider + "." + p.ID + "." + p.Contest.ID
		open[key] = p
		if was, there := w.open[key]; there && reflect.DeepEqual(was, p) {
			continue
		}
		if !w.yield(PromptChange{Prompt: p}, nil) {
			return errEnough
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.open)) {
		if _, still := open[key]; !still && !w.yield(PromptChange{Prompt: w.open[key], Over: true}, nil) {
			return errEnough
		}
	}
	w.open = open
	return nil
}
