package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"concord/actors/problem"
	"concord/transport/client"
)

// session is an answer with a session whose newest run has a task; "" for none.
func session(state, task string) line {
	run := ""
	if task != "" {
		run = fmt.Sprintf(`{"run":1,"kind":"apply","task":%q,"state":"IN_PROGRESS"}`, task)
	}
	return line{body: fmt.Sprintf(`{"session":"s1","state":%q,"runs":[%s]}`, state, run)}
}

func TestASessionIsWaitedForUntilNothingIsUnderWay(t *testing.T) {
	for name, row := range map[string]struct {
		lines []line
		want  string
		code  problem.Code
	}{
		"nothing is under way":           {[]line{session("READY", "")}, "READY", ""},
		"it was closed":                  {[]line{session("CLOSED", "t1")}, "CLOSED", ""},
		"a step":                         {[]line{session("APPLYING", "t1"), task("IN_PROGRESS", 1, 2), task("COMPLETE", 3, 0), session("COMPLETED", "t1")}, "COMPLETED", ""},
		"a step that ends at once":       {[]line{session("APPLYING", "t1"), task("COMPLETE", 3, 0), session("COMPLETED", "t1")}, "COMPLETED", ""},
		"its task is about to be made":   {[]line{session("APPLYING", ""), session("APPLYING", "t1"), task("COMPLETE", 3, 0), session("COMPLETED", "t1")}, "COMPLETED", ""},
		"the service was away":           {[]line{refuse(problem.Unavailable), session("PREVIEWING", "t1"), refuse(problem.Unavailable), task("COMPLETE", 1, 0), session("REVIEW", "t1")}, "REVIEW", ""},
		"there is no such session":       {[]line{refuse(problem.NotFound)}, "", problem.NotFound},
		"it is another's":                {[]line{refuse(problem.Forbidden)}, "", problem.Forbidden},
		"its task is gone in the middle": {[]line{session("APPLYING", "t1"), refuse(problem.NotFound)}, "", problem.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := perform(t, client.Options{}, row.lines...)
			got, err := c.WaitEdit(within(t), client.EditLast)
			switch {
			case row.code != "":
				if !client.IsCode(err, row.code) {
					t.Errorf("%v, want %q", err, row.code)
				}
			case err != nil || got.State != row.want:
				t.Errorf("%+v, %v; want %q", got, err, row.want)
			}
		})
	}
}

func TestAWaitForASessionEndsWithItsContext(t *testing.T) {
	_, c := perform(t, client.Options{}, session("APPLYING", "t1"), task("IN_PROGRESS", 1, 2))
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	for seen, err := range c.WatchEdit(ctx, "s1") {
		if err != nil || seen.State != client.EditApplying {
			t.Fatal(seen, err)
		}
		cancel()
	}
	if _, err := c.WaitEdit(ctx, "s1"); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was given up: %v", err)
	}
}

func TestEditRequestsKeepTheirBytes(t *testing.T) {
	instructions := json.RawMessage(`[{"type":"ADD_TO_EXISTING","path":"/metadata/x","value":1.00}]`)
	for want, call := range map[string]func(context.Context, *client.Client) error{
		`{"name":"spring","type":"bib","upload":"u1","format":"csv","by":["/metadata/hrid"],"columns":["barcode"],"keep":"previous","reason":"why"}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.EditOpen(ctx, client.EditRequest{Name: "spring", Type: "bib", Upload: "u1", Format: "csv", By: []string{"/metadata/hrid"},
				Columns: []string{"barcode"}, Keep: "previous", Reason: "why"})
			return err
		},
		`{"ids":["a","b"]}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.EditMatch(ctx, "s1", client.EditMatch{IDs: []string{"a", "b"}})
			return err
		},
		`{"instructions":[{"type":"ADD_TO_EXISTING","path":"/metadata/x","value":1.00}],"exclude":["a"]}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.EditPreview(ctx, "s1", client.EditPreview{Instructions: instructions, Exclude: []string{"a"}})
			return err
		},
		`{"onLocked":"fail","itemsPerSecond":5}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.EditApply(ctx, "s1", client.EditApply{OnLocked: "fail", ItemsPerSecond: 5})
			return err
		},
		`{"to":"initial","onConflict":"merge"}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.EditRollback(ctx, "s1", client.EditRollback{To: json.RawMessage(`"initial"`), OnConflict: "merge"})
			return err
		},
		`{"onConflict":"force"}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.EditRedo(ctx, "s1", client.EditRedo{OnConflict: "force"})
			return err
		},
		`{"run":3,"state":["SKIPPED"]}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.EditResults(ctx, "s1", client.OfRun(3), client.InStates(client.ItemSkipped))
			return err
		},
		`{"open":true,"owner":"bob"}`: func(ctx context.Context, c *client.Client) error {
			_, err := c.EditList(ctx, client.StillOpen(), client.OwnedBy("bob"))
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

func TestAFileOfIdentifiersIsUploaded(t *testing.T) {
	c, asked, text := uploads(t)
	if _, err := c.EditOpenFrom(within(t), strings.NewReader("a\nb\n"), client.EditRequest{Type: "bib"}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.EditMatchFrom(within(t), "s1", strings.NewReader("c\n"), client.EditMatch{Format: "csv"}); err != nil {
		t.Fatal(err)
	}
	c.Close()
	want := []string{"upload.open ", "upload.close ", `edit.open {"type":"bib","upload":"u1"}`,
		"upload.open ", "upload.close ", `edit.match {"upload":"u1","format":"csv"}`}
	if diff := cmp.Diff(want, *asked); diff != "" {
		t.Error(diff)
	}
	if text.String() != "a\nb\nc\n" {
		t.Errorf("%q", text)
	}
}

// TestAnEditFromOpenToClose goes through a session with the service itself.
func TestAnEditFromOpenToClose(t *testing.T) {
	ctx := within(t)
	s := startService(t)
	c, bob := s.connect(client.Options{Principal: "ann"}), s.connect(client.Options{Principal: "bob"})
	for _, id := range []string{"a", "b"} {
		if _, err := c.CollectionPut(ctx, id, client.PutRequest{Metadata: json.RawMessage(`{"n":0}`)}); err != nil {
			t.Fatal(err)
		}
	}
	opened, err := c.EditOpenFrom(ctx, strings.NewReader("a\nb\nc\na\n"), client.EditRequest{})
	if err != nil || opened.Counts.Matched != 2 || opened.Rows != 4 {
		t.Fatal(opened, err)
	}
	set := func(n string) json.RawMessage {
		return json.RawMessage(`[{"type":"MERGE_PATCH","path":"/metadata","value":{"n":` + n + `}}]`)
	}
	steps := []struct {
		what string
		do   func() (*client.EditSession, error)
		want string // state, and what came of a and b
	}{
		{"preview", func() (*client.EditSession, error) {
			return c.EditPreview(ctx, client.EditLast, client.EditPreview{Instructions: set("1")})
		}, "REVIEW UPDATED UPDATED"},
		{"apply", func() (*client.EditSession, error) { return c.EditApply(ctx, client.EditLast, client.EditApply{}) }, "COMPLETED UPDATED UPDATED"},
		{"a second step", func() (*client.EditSession, error) {
			return c.EditApply(ctx, client.EditLast, client.EditApply{Instructions: set("2"), Exclude: []string{"b"}})
		}, "COMPLETED UPDATED"},
		{"previous", func() (*client.EditSession, error) {
			return c.EditRollback(ctx, client.EditLast, client.EditRollback{To: json.RawMessage(`"previous"`)})
		}, "ROLLED_BACK UPDATED"},
		{"redo", func() (*client.EditSession, error) { return c.EditRedo(ctx, client.EditLast, client.EditRedo{}) }, "COMPLETED UPDATED"},
		{"initial, where bob was meanwhile", func() (*client.EditSession, error) {
			if _, err := bob.CollectionMergePatch(ctx, "b", json.RawMessage(`{"metadata":{"n":7}}`)); err != nil {
				return nil, err
			}
			return c.EditRollback(ctx, client.EditLast, client.EditRollback{To: json.RawMessage(`"initial"`)})
		}, "ROLLED_BACK_WITH_CONFLICTS UPDATED SKIPPED"},
	}
	for _, step := range steps {
		if _, err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		ended, err := c.WaitEdit(ctx, client.EditLast)
		if err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		got := ended.State
		for item, err := range c.EditOutcomes(ctx, ended.Session, client.Limit(1)) {
			if err != nil {
				t.Fatalf("%s: %v", step.what, err)
			}
			got += " " + item.State
		}
		if got != step.want {
			t.Errorf("%s: %s, want %s", step.what, got, step.want)
		}
	}
	if _, err := bob.EditGet(ctx, client.EditLast); !client.IsCode(err, problem.NotFound) {
		t.Errorf("the last one is never another's: %v", err)
	}
	closed, err := c.EditClose(ctx, client.EditLast)
	if err != nil || closed.State != client.EditClosed {
		t.Fatal(closed, err)
	}
	rows := 0
	for row, err := range c.EditRows(ctx, opened.Session, client.InStates(client.RowNotFound, client.RowDuplicate), client.Limit(1)) {
		if err != nil || row.Line < 3 {
			t.Error(row, err)
		}
		rows++
	}
	for listed, err := range c.Edits(ctx) {
		if err != nil || listed.Session != opened.Session {
			t.Error(listed, err)
		}
	}
	if rows != 2 {
		t.Errorf("%d rows did not match", rows)
	}
}
