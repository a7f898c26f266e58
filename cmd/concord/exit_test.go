package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"concord/actors/problem"
	"concord/transport"
	"concord/transport/client"
)

func refused(code problem.Code, status int) error {
	return fmt.Errorf("collection.put demo: %w", &client.Problem{Code: code, Status: status})
}

func TestExitCodes(t *testing.T) {
	for name, row := range map[string]struct {
		err  error
		want int
	}{
		"done":                          {nil, 0},
		"anything else":                 {errors.New("the disk is gone"), 1},
		"a mistake in the command line": {usagef("no such flag"), 2},
		"a wrapped mistake":             {fmt.Errorf("put: %w", usagef("no such flag")), 2},
		"some rows failed":              {errPartial, 6},
		"nobody answers":                {fmt.Errorf("get: %w: %w", client.ErrUnavailable, errors.New("refused")), 8},
		"no time left":                  {context.DeadlineExceeded, 8},
		"the supervised server's own":   {endedError{2}, 2},
		"locked":                        {refused("locked", 409), 5},
		"lock lost":                     {refused("lock-lost", 410), 5},
		"lock required":                 {refused("lock-required", 428), 5},
		"stale token":                   {refused("stale-token", 409), 5},
		"no ticket any more":            {refused("ticket-gone", 410), 3},
		"the holder keeps the lock":     {fmt.Errorf("lock: %w", &client.ContestError{}), 5},
		"the lock was given up":         {fmt.Errorf("run: %w", client.ErrReleased), 5},
		"the update was called off":     {fmt.Errorf("o1: %w", client.ErrCancelled), 4},
		"the update waited too long":    {fmt.Errorf("o1: %w", client.ErrExpired), 4},
		"conflicts are left open":       {fmt.Errorf("put: %w", &unsettledError{settling: &settling{}}), 4},
		"a trial that would be refused": {errWouldRefuse, 4},
		"there is no job yet":           {fmt.Errorf("job: %w", errNoJob), 3},
		"the job was superseded":        {stoppedError{"job", client.JobSuperseded}, 4},
		"the job was cancelled":         {stoppedError{"job", client.JobCancelled}, 4},
		"the job has failed":            {stoppedError{"job", client.JobFailed}, 1},
		"there is no bulk task":         {fmt.Errorf("bulk: %w", errNoTask), 3},
		"the bulk task was cancelled":   {stoppedError{"task", client.BulkPartiallyCancelled}, 4},
		"no contest":                    {refused("no-contest", 404), 3},
	} {
		if got := exitCode(row.err); got != row.want {
			t.Errorf("%s: exit code %d, want %d", name, got, row.want)
		}
	}
	want := map[problem.Code]int{
		problem.Invalid: 2, problem.Unauthenticated: 7, problem.Forbidden: 7, problem.NotFound: 3, problem.Exists: 4,
		problem.VersionConflict: 4, problem.WrongState: 4, problem.KeyReused: 4, problem.BaseUnavailable: 4,
		problem.PreconditionFailed: 4, problem.PreconditionRequired: 4, problem.TooLarge: 1, problem.SchemaInvalid: 1,
		problem.InUse: 1, problem.NameTaken: 1, problem.CannotUndo: 1, problem.Internal: 1, problem.Overloaded: 8,
		problem.Unavailable: 8, problem.Deadline: 8,
	}
	for _, code := range problem.Codes() {
		if _, known := want[code]; !known {
			continue // a code of a later kind: its status decides
		}
		if got := exitCode(refused(code, code.Status())); got != want[code] {
			t.Errorf("%s: exit code %d, want %d", code, got, want[code])
		}
	}
}

// TestReportsAreHarmless: what others have stored does not command the reader's terminal.
func TestReportsAreHarmless(t *testing.T) {
	var errs bytes.Buffer
	a := &app{errs: &errs, env: func(string) string { return "" }}
	p := problem.At("/documents/x\x1b[2J", "must not be \u009b31m red")
	a.report(&client.Problem{Code: p.Code, Status: 400, Detail: p.Detail, Errors: p.Errors, Raw: transport.RenderProblem(p, "r")})
	if text := errs.String(); strings.ContainsAny(text, "\x1b\u009b") || !strings.Contains(text, `\u001b[2J`) {
		t.Errorf("report is %q", text)
	}
}
