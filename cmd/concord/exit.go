package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"concord/actors/problem"
	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// Exit codes, for scripts. Those from exitCrash on say that a server cannot go on and may be started again.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2 // the command, or what it was given, is wrong
	exitNotFound    = 3
	exitConflict    = 4 // somebody else came first, or the state does not allow it
	exitLocked      = 5
	exitPartial     = 6 // some rows of many failed
	exitDenied      = 7
	exitUnavailable = 8 // nobody answers, too much is going on, or the time was too short
	exitCrash       = 64
	exitStorage     = 70 // the store failed: what was acknowledged is on disk, the next start finds out how it stands
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// told says that the user knows already what went wrong.
func told(err error) bool {
	_, ended := errors.AsType[endedError](err)
	return ended || errors.Is(err, errPartial) || errors.Is(err, errWouldRefuse)
}

// errPartial says that some of many failed; what failed has been told.
var errPartial = errors.New("some failed")

// exitCode is what the process ends with.
func exitCode(err error) int {
	p, refused := errors.AsType[*client.Problem](err)
	_, usage := errors.AsType[usageError](err)
	process, ended := errors.AsType[endedError](err)
	_, contested := errors.AsType[*client.ContestError](err)
	_, unsettled := errors.AsType[*unsettledError](err)
	stopped, jobStopped := errors.AsType[stoppedError](err)
	switch {
	case err == nil:
		return exitOK
	case ended:
		return process.code
	case usage:
		return exitUsage
	case errors.Is(err, errPartial):
		return exitPartial
	case errors.Is(err, errNoJob), errors.Is(err, errNoTask):
		return exitNotFound
	case contested, errors.Is(err, client.ErrReleased):
		return exitLocked
	case refused:
		return codeOf(p)
	case jobStopped && stopped.state == client.JobFailed:
		return exitError
	case unsettled, jobStopped, errors.Is(err, errWouldRefuse), errors.Is(err, client.ErrCancelled), errors.Is(err, client.ErrExpired):
		return exitConflict
	case errors.Is(err, client.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		return exitUnavailable
	}
	return exitError
}

// codeOf is the exit code of a refusal: by its kind where that has one, else by its status.
func codeOf(p *client.Problem) int {
	switch p.Code {
	case "locked", "lock-lost", "lock-required", "stale-token", "not-offered":
		return exitLocked
	case "ticket-gone":
		return exitNotFound
	}
	switch p.Status {
	case http.StatusBadRequest:
		return exitUsage
	case http.StatusUnauthorized, http.StatusForbidden:
		return exitDenied
	case http.StatusNotFound:
		return exitNotFound
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusPreconditionRequired:
		return exitConflict
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return exitUnavailable
	}
	return exitError
}

// report tells what went wrong: people in words, programs as the problem itself.
func (a *app) report(err error) {
	p, refused := errors.AsType[*client.Problem](err)
	if refused && a.format != show.Table && a.format != "" {
		// Nobody is left to tell if standard error is gone.
		_ = show.Encode(a.errs, show.JSONL, p.Raw)
		return
	}
	if open, ok := errors.AsType[*unsettledError](err); ok {
		a.reportUnsettled(open)
		return
	}
	paint := func(s show.Style, text string) string { return show.Paint(show.Colour(a.errs, a.env), s, text) }
	if !refused {
		a.sayf("%s %s", paint(show.Red, "concord:"), show.CleanLines(err.Error()))
		a.hint(err)
		return
	}
	a.sayf("%s %s: %s", paint(show.Red, "concord:"), p.Code, show.Clean(p.Detail))
	for _, e := range p.Errors {
		a.sayf("  %s: %s", show.Clean(e.Path), show.Clean(e.Message))
	}
	a.hint(err)
	if p.Code == problem.Internal {
		a.sayf("  request %s in the log of the server", p.RequestID)
	}
}

// hint says what the user could do next.
func (a *app) hint(err error) {
	switch {
	case errors.Is(err, client.ErrOutcomeUnknown):
		a.sayf("  the change may have been made: look before you repeat it")
	case errors.Is(err, client.ErrUnavailable):
		a.sayf("  is a server running? `concord serve` starts one; --server or CONCORD_SERVER says where it is")
	case a.conflictHint(err):
	case client.IsCode(err, problem.Locked):
		a.sayf("  wait in line (concord lock --wait), ask for it (concord contest), or leave the change here (--on-locked queue)")
	case client.IsCode(err, problem.Unauthenticated):
		a.sayf("  --token-file or CONCORD_TOKEN_FILE names the file with your token")
	}
}

// sayf writes a line to standard error. If that is gone nobody is left to tell.
func (a *app) sayf(format string, args ...any) { _, _ = fmt.Fprintf(a.errs, format+"\n", args...) }
