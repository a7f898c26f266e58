package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"concord/actors/problem"
	"concord/transport"
	"concord/transport/client"
)

func job(state string, updated, pending int) line {
	return line{body: fmt.Sprintf(`{"propagation":"j1","state":%q,"total":%d,"counts":{"updated":%d,"pending":%d}}`,
		state, updated+pending, updated, pending)}
}

// states is what a watch of the job yields: states with their counts, and an error.
func states(ctx context.Context, c *client.Client, id string) (got []string, err error) {
	for p, err := range c.WatchPropagation(ctx, id) {
		if err != nil {
			return got, err
		}
		got = append(got, fmt.Sprintf("%s %d/%d", p.State, p.Counts.Updated, p.Total))
	}
	return got, nil
}

func TestAJobIsWatchedUntilItEnds(t *testing.T) {
	for name, row := range map[string]struct {
		lines []line
		want  []string
		code  problem.Code
	}{
		"one that has ended":       {[]line{job("COMPLETED", 3, 0)}, []string{"COMPLETED 3/3"}, ""},
		"with errors":              {[]line{job("COMPLETED_WITH_ERRORS", 3, 0)}, []string{"COMPLETED_WITH_ERRORS 3/3"}, ""},
		"cancelled":                {[]line{job("CANCELLED", 1, 0)}, []string{"CANCELLED 1/1"}, ""},
		"superseded":               {[]line{job("SUPERSEDED", 1, 0)}, []string{"SUPERSEDED 1/1"}, ""},
		"failed":                   {[]line{job("FAILED", 0, 2)}, []string{"FAILED 0/2"}, ""},
		"each change once":         {[]line{job("RUNNING", 1, 2), job("RUNNING", 1, 2), job("COMPLETED", 3, 0)}, []string{"RUNNING 1/3", "COMPLETED 3/3"}, ""},
		"a pause is no end":        {[]line{job("PAUSED", 1, 2), job("RUNNING", 1, 2), job("COMPLETED", 3, 0)}, []string{"PAUSED 1/3", "RUNNING 1/3", "COMPLETED 3/3"}, ""},
		"the service was away":     {[]line{job("RUNNING", 1, 2), refuse(problem.Unavailable), job("COMPLETED", 3, 0)}, []string{"RUNNING 1/3", "COMPLETED 3/3"}, ""},
		"there is no such job":     {[]line{refuse(problem.NotFound)}, nil, problem.NotFound},
		"it is gone in the middle": {[]line{job("RUNNING", 1, 2), refuse(problem.NotFound)}, []string{"RUNNING 1/3"}, problem.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := perform(t, client.Options{}, row.lines...)
			got, err := states(within(t), c, "j1")
			if diff := cmp.Diff(row.want, got); diff != "" || (err != nil) != (row.code != "") || err != nil && !client.IsCode(err, row.code) {
				t.Errorf("%v, want %q\n%s", err, row.code, diff)
			}
		})
	}
}

func TestAWatchOfAJobEndsWithItsContext(t *testing.T) {
	_, c := perform(t, client.Options{}, job("RUNNING", 1, 2))
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	for p, err := range c.WatchPropagation(ctx, "j1") {
		if err != nil || p.State != "RUNNING" {
			t.Fatal(p, err)
		}
		cancel()
	}
	for range c.WatchPropagation(within(t), "j1") {
		break // a caller may stop early
	}
	if _, err := states(within(t), c, "a.b"); !client.IsCode(err, problem.Invalid) {
		t.Errorf("an id that no subject can hold: %v", err)
	}
	c.Close()
	if _, err := states(within(t), c, "j1"); !errors.Is(err, client.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// TestAuthoritiesKeepTheirBytes: records and documents go out as they were given.
func TestAuthoritiesKeepTheirBytes(t *testing.T) {
	record, one := json.RawMessage(`{"heading":  "A < B",  "n": 1.0}`), uint64(1)
	item := client.AuthorityItem{ID: "x", NaturalID: "n1", Record: record}
	for want, call := range map[string]func(context.Context, *client.Client) error{
		`{"authority":"n/1","source":"names","naturalId":"n1","record":{"heading":  "A < B",  "n": 1.0},"baseVersion":1,"reason":"why"}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.AuthorityPut(ctx, "n/1", client.AuthorityRequest{Source: "names", NaturalID: "n1", Record: record, BaseVersion: &one, Reason: "why"})
			return err
		},
		`{"source":"names","items":[{"id":"x","naturalId":"n1","record":{"heading":  "A < B",  "n": 1.0}}]}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.AuthorityImport(ctx, client.ImportRequest{Source: "names", Items: []client.AuthorityItem{item}})
			return err
		},
		`{"upload":"u1","reason":"why"}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.AuthorityImport(ctx, client.ImportRequest{Upload: "u1", Reason: "why"})
			return err
		},
		`{"format":"json","document":{"heading":  "A < B",  "n": 1.0}}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.LinkSuggest(ctx, client.SuggestRequest{Format: "json", Document: record})
			return err
		},
		`{"baseUrl":"https://a.example.org/?a=<&b="}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.SourceSetURL(ctx, "names", "https://a.example.org/?a=<&b=")
			return err
		},
		`{"reason":"a < b"}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.PropagationRollback(ctx, "j1", client.PropagationRollback{Reason: "a < b"})
			return err
		},
		`{"baseUrl":null}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.SourceSetURL(ctx, "names", "")
			return err
		},
	} {
		s, c := perform(t, client.Options{}, line{body: `{}`})
		if err := call(within(t), c); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(s.attempts[0].Data)); diff != "" {
			t.Error(diff)
		}
	}
	_, c := perform(t, client.Options{}, line{})
	hostile := client.AuthorityItem{NaturalID: "n1", Record: json.RawMessage(`1},"y":{"x":1`)}
	if _, err := c.AuthorityImport(within(t), client.ImportRequest{Items: []client.AuthorityItem{hostile}}); err == nil {
		t.Error("a record that closes its object was sent")
	}
}

// TestWhatTakesLongHasOneLongAttempt: an import, and the linking of a collection, would only begin again.
func TestWhatTakesLongHasOneLongAttempt(t *testing.T) {
	s, c := perform(t, client.Options{}, line{body: `{}`})
	if _, err := c.LinkAuto(within(t), client.AutoRequest{Collection: "shelf"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AuthorityImport(within(t), client.ImportRequest{}); err != nil {
		t.Fatal(err)
	}
	for _, ms := range s.header(transport.HeaderDeadline) {
		if n, err := strconv.Atoi(ms); err != nil || n <= int(client.DefaultAttempt.Milliseconds()) {
			t.Errorf("an attempt waits %q ms", ms)
		}
	}
}
