package client_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"concord/actors/problem"
	"concord/transport"
	"concord/transport/client"
)

func task(state string, updated, pending int) line {
	return line{body: fmt.Sprintf(`{"task":"t1","number":7,"state":%q,"total":%d,"counts":{"updated":%d,"pending":%d}}`,
		state, updated+pending, updated, pending)}
}

// waited is what a wait for the task comes to.
func waited(ctx context.Context, c *client.Client, id string) (string, error) {
	t, err := c.WaitBulk(ctx, id)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %d/%d", t.State, t.Counts.Updated, t.Total), nil
}

func TestATaskIsWaitedForUntilItEnds(t *testing.T) {
	for name, row := range map[string]struct {
		id    string
		lines []line
		want  string
		code  problem.Code
	}{
		"one that has ended":          {"t1", []line{task("COMPLETE", 3, 0)}, "COMPLETE 3/3", ""},
		"cancelled":                   {"t1", []line{task("CANCELLED", 0, 0)}, "CANCELLED 0/0", ""},
		"cancelled in the middle":     {"t1", []line{task("CANCELLING", 1, 2), task("PARTIALLY_CANCELLED", 1, 0)}, "PARTIALLY_CANCELLED 1/1", ""},
		"step by step":                {"t1", []line{task("ACCEPTED", 0, 3), task("IN_PROGRESS", 1, 2), task("COMPLETE", 3, 0)}, "COMPLETE 3/3", ""},
		"a pause is no end":           {"t1", []line{task("PAUSED", 1, 2), task("COMPLETE", 3, 0)}, "COMPLETE 3/3", ""},
		"by its number":               {"7", []line{task("IN_PROGRESS", 1, 2), task("IN_PROGRESS", 1, 2), task("COMPLETE", 3, 0)}, "COMPLETE 3/3", ""},
		"a number that no task has":   {"8", []line{refuse(problem.NotFound)}, "", problem.NotFound},
		"the service was away":        {"t1", []line{task("IN_PROGRESS", 1, 2), refuse(problem.Unavailable), task("COMPLETE", 3, 0)}, "COMPLETE 3/3", ""},
		"there is no such task":       {"t1", []line{refuse(problem.NotFound)}, "", problem.NotFound},
		"it is gone in the middle":    {"t1", []line{task("IN_PROGRESS", 1, 2), refuse(problem.NotFound)}, "", problem.NotFound},
		"an id that no subject holds": {"a.b", []line{task("COMPLETE", 3, 0)}, "", problem.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := perform(t, client.Options{}, row.lines...)
			got, err := waited(within(t), c, row.id)
			if got != row.want || (err != nil) != (row.code != "") || err != nil && !client.IsCode(err, row.code) {
				t.Errorf("%q, %v; want %q, %q", got, err, row.want, row.code)
			}
		})
	}
}

func TestAWaitForATaskEndsWithItsContext(t *testing.T) {
	_, c := perform(t, client.Options{}, task("IN_PROGRESS", 1, 2))
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	for seen, err := range c.WatchBulk(ctx, "t1") {
		if err != nil || seen.State != "IN_PROGRESS" {
			t.Fatal(seen, err)
		}
		cancel()
	}
	if _, err := waited(ctx, c, "t1"); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was given up: %v", err)
	}
	c.Close()
	if _, err := waited(within(t), c, "t1"); !errors.Is(err, client.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// TestTheEndOfATaskIsHeardOf: a wait that is told of the end does not look a while later.
func TestTheEndOfATaskIsHeardOf(t *testing.T) {
	url := natsServer(t).ClientURL()
	nc := natsConn(t, url)
	looks := 0
	if _, err := nc.Subscribe(client.DefaultPrefix+".bulk.get.>", func(msg *nats.Msg) {
		answers := []line{task("IN_PROGRESS", 1, 2), task("COMPLETE", 3, 0)}
		_ = msg.Respond([]byte(answers[min(looks, 1)].body))
		if looks++; looks == 1 {
			_ = nc.Publish(client.DefaultPrefix+".event.bulk.main.t1", []byte(`{"type":"bulk.progressed","entity":"t1","seq":4}`))
			_ = nc.Publish(client.DefaultPrefix+".event.bulk.main.t1", []byte(`{"type":"bulk.completed","entity":"t1","seq":5}`))
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	c, err := client.Connect(url, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if got, err := waited(within(t), c, "t1"); got != "COMPLETE 3/3" || err != nil {
		t.Error(got, err)
	}
}

func TestBulkRequestsKeepTheirBytes(t *testing.T) {
	value := json.RawMessage(`{"a":"A < B","n":1.0}`)
	instructions := json.RawMessage(`[{"type":"ADD_TO_EXISTING","path":"/metadata/x","value":1.00}]`)
	for want, call := range map[string]func(context.Context, *client.Client) error{
		`{"name":"week 3","type":"dataset","targets":{"ids":["a","b"]},"instructions":[{"type":"ADD_TO_EXISTING","path":"/metadata/x","value":1.00}],"onLocked":"fail","itemsPerSecond":10,"reason":"why"}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.BulkSubmit(ctx, client.BulkRequest{Name: "week 3", Type: "dataset", Targets: client.BulkTargets{IDs: []string{"a", "b"}},
				Instructions: instructions, OnLocked: "fail", ItemsPerSecond: 10, Reason: "why"})
			return err
		},
		`{"targets":{"items":[{"id":"a","value":{"a":"A < B","n":1.0}},{"key":{"/metadata/Name":"x"},"version":3}]},"instructions":[{"type":"ADD_TO_EXISTING","path":"/metadata/x","value":1.00}]}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.BulkSubmit(ctx, client.BulkRequest{Instructions: instructions, Targets: client.BulkTargets{Items: []client.BulkTarget{
				{ID: "a", Value: value}, {Key: json.RawMessage(`{"/metadata/Name":"x"}`), Version: 3}}}})
			return err
		},
		`{"name":"again"}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.BulkRetry(ctx, "t1", client.BulkRetry{Name: "again"})
			return err
		},
		`{"onConflict":"force","onLocked":"fail"}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.BulkRollback(ctx, "t1", client.BulkRollback{OnConflict: "force", OnLocked: "fail"})
			return err
		},
		`{"state":["FAILED","SKIPPED"]}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.BulkItems(ctx, "t1", client.InStates(client.ItemFailed, client.ItemSkipped))
			return err
		},
		`{"open":true,"state":"PAUSED","name":"n","principal":"ann"}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.BulkList(ctx, client.StillOpen(), client.InState("PAUSED"), client.WithName("n"), client.AskedBy("ann"))
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
}

// uploads is a service that takes uploads: what it was asked for, and what came.
func uploads(t *testing.T) (c *client.Client, asked *[]string, text *strings.Builder) {
	url := natsServer(t).ClientURL()
	nc := natsConn(t, url)
	asked, text = new([]string), new(strings.Builder)
	if _, err := nc.Subscribe(client.DefaultPrefix+".>", func(msg *nats.Msg) {
		operation := strings.Join(strings.Split(msg.Subject, ".")[2:4], ".")
		if msg.Header.Get(transport.HeaderDryRun) != "" {
			operation += " dry"
		}
		if operation != "upload.append" {
			*asked = append(*asked, operation+" "+string(msg.Data))
		}
		var chunk struct{ Data string }
		_ = json.Unmarshal(msg.Data, &chunk)
		bytes, _ := base64.StdEncoding.DecodeString(chunk.Data)
		text.Write(bytes)
		_ = msg.Respond([]byte(`{"upload":"u1","task":"t1"}`))
	}); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	c, err := client.Connect(url, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, asked, text
}

func TestALongListOfTargetsIsUploaded(t *testing.T) {
	ids := make([]string, 30_000)
	for i := range ids {
		ids[i] = fmt.Sprintf("c%06d", i)
	}
	c, asked, text := uploads(t)
	if _, err := c.BulkSubmit(within(t), client.BulkRequest{Targets: client.BulkTargets{IDs: ids}, Instructions: json.RawMessage(`[1]`)}, client.DryRun()); err != nil {
		t.Fatal(err)
	}
	c.Close()
	want := []string{"upload.open ", "upload.close ", `bulk.submit dry {"targets":{"upload":"u1"},"instructions":[1]}`}
	if diff := cmp.Diff(want, *asked); diff != "" {
		t.Error(diff)
	}
	if lines := strings.Fields(text.String()); len(lines) != len(ids) || lines[0] != ids[0] || lines[len(lines)-1] != ids[len(ids)-1] {
		t.Errorf("%d lines", len(lines))
	}
}

func TestTargetsOfEachKindAreLines(t *testing.T) {
	c, _, text := uploads(t)
	targets, err := c.BulkUpload(within(t), func(yield func(client.BulkTarget, error) bool) {
		_ = yield(client.BulkTarget{ID: "a"}, nil) &&
			yield(client.BulkTarget{ID: "b", Value: json.RawMessage(`{"n": 1.0}`)}, nil) &&
			yield(client.BulkTarget{Key: json.RawMessage(`{"/metadata/Name":"x"}`), Version: 3}, nil)
	})
	if err != nil || targets.Upload != "u1" {
		t.Fatal(targets, err)
	}
	c.Close()
	if diff := cmp.Diff("a\n"+`{"id":"b","value":{"n": 1.0}}`+"\n"+`{"key":{"/metadata/Name":"x"},"version":3}`+"\n", text.String()); diff != "" {
		t.Error(diff)
	}
}

// TestABadTargetIsNotUploaded: the upload that it breaks off is never closed, so that nobody can use it.
func TestABadTargetIsNotUploaded(t *testing.T) {
	for name, bad := range map[string]func(yield func(client.BulkTarget, error) bool){
		"an error of the source": func(yield func(client.BulkTarget, error) bool) {
			_ = yield(client.BulkTarget{ID: "a"}, nil) && yield(client.BulkTarget{}, errors.New("the disk is gone"))
		},
		"a value that closes its object": func(yield func(client.BulkTarget, error) bool) {
			yield(client.BulkTarget{ID: "a", Value: json.RawMessage(`1},{"id":"b"`)}, nil)
		},
	} {
		c, asked, _ := uploads(t)
		if _, err := c.BulkUpload(within(t), bad); err == nil {
			t.Errorf("%s: no error", name)
		}
		c.Close()
		if diff := cmp.Diff([]string{"upload.open "}, *asked); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
