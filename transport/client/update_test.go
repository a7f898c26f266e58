package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"concord/actors/problem"
	"concord/transport/client"
)

// increment adds one to a counter in document x.
func increment(ctx context.Context) func(*client.Snapshot) ([]client.Change, error) {
	return func(s *client.Snapshot) ([]client.Change, error) {
		text, err := s.Document(ctx, "x")
		if err != nil {
			return nil, err
		}
		n, _ := strconv.Atoi(string(text))
		return []client.Change{client.PutDocument("x", json.RawMessage(strconv.Itoa(n+1)))}, nil
	}
}

func counter(t *testing.T, c *client.Client) string {
	t.Helper()
	d, err := c.DocumentGet(within(t), "demo", "x")
	if err != nil {
		t.Fatal(err)
	}
	return string(d.Value)
}

func TestUpdatesOfManyLoseNothing(t *testing.T) {
	ctx := within(t)
	s := startService(t)
	const writers, each = 6, 10
	var wg sync.WaitGroup
	for range writers {
		c := s.connect(client.Options{})
		wg.Go(func() {
			for range each {
				if _, err := c.Update(ctx, "demo", increment(ctx)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	c := s.connect(client.Options{})
	if got := counter(t, c); got != strconv.Itoa(writers*each) {
		t.Errorf("the counter is %s, want %d", got, writers*each)
	}
	seen, err := c.CollectionGet(ctx, "demo")
	if err != nil || seen.Version != writers*each {
		t.Errorf("version %d, %v; want one for each of the %d updates", seen.Version, err, writers*each)
	}
}

func TestUpdateThatDecidesNothing(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{})
	none := func(*client.Snapshot) ([]client.Change, error) { return nil, nil }
	if r, err := c.Update(ctx, "demo", none); err != nil || r.Version != 0 || r.Changed {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := c.CollectionGet(ctx, "demo"); !client.IsCode(err, problem.NotFound) {
		t.Errorf("%v, want no collection", err)
	}
	own := errors.New("not today")
	if _, err := c.Update(ctx, "demo", func(*client.Snapshot) ([]client.Change, error) { return nil, own }); !errors.Is(err, own) {
		t.Errorf("%v, want %v", err, own)
	}
	remove := func(*client.Snapshot) ([]client.Change, error) {
		return []client.Change{client.RemoveDocument("x")}, nil
	}
	if _, err := c.Update(ctx, "demo", remove); err == nil {
		t.Error("a removal made a collection")
	}
}

func TestUpdateSeesOneVersion(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{})
	put := client.PutRequest{Documents: map[string]json.RawMessage{"x": json.RawMessage(`1`), "y": json.RawMessage(`1`)}}
	if _, err := c.CollectionPut(ctx, "demo", put); err != nil {
		t.Fatal(err)
	}
	calls := 0
	_, err := c.Update(ctx, "demo", func(s *client.Snapshot) ([]client.Change, error) {
		if calls++; calls == 1 { // somebody comes in between
			if _, err := c.DocumentPut(ctx, "demo", "x", json.RawMessage(`2`)); err != nil {
				return nil, err
			}
		}
		text, err := s.Document(ctx, "x")
		if err != nil {
			return nil, err
		}
		if want := strconv.Itoa(calls); string(text) != want {
			return nil, fmt.Errorf("try %d sees %s, want %s", calls, text, want)
		}
		missing, err := s.Document(ctx, "none")
		if err != nil || missing != nil {
			return nil, fmt.Errorf("a document that is not there is %q, %w", missing, err)
		}
		return []client.Change{client.PutDocument("x", json.RawMessage(`9`))}, nil
	})
	if err != nil || calls != 2 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestUpdatesOutliveRestarts(t *testing.T) {
	ctx := within(t)
	s := startService(t)
	c := s.connect(client.Options{Attempt: time.Second})
	const updates = 60
	var done atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for range updates {
			if _, err := c.Update(ctx, "demo", increment(ctx)); err != nil {
				t.Error(err)
				return
			}
			done.Add(1)
		}
	})
	for _, after := range []int64{10, 30} {
		for done.Load() < after && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		s.restart()
	}
	wg.Wait()
	if got := counter(t, c); got != strconv.Itoa(updates) {
		t.Errorf("the counter is %s, want %d", got, updates)
	}
}

func TestUpdateOfAnotherProvider(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{Provider: "p"})
	for range 3 {
		if _, err := c.Update(ctx, "demo", increment(ctx), client.In("q")); err != nil {
			t.Fatal(err)
		}
	}
	d, err := c.DocumentGet(ctx, "demo", "x", client.In("q"))
	if err != nil || string(d.Value) != "3" {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := c.CollectionGet(ctx, "demo"); !client.IsCode(err, problem.NotFound) {
		t.Errorf("%v: the client's own provider got something", err)
	}
}
