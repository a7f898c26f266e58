package schema

import (
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"concord/actors/problem"
	"concord/transport"
)

// scope says which operations heed a header.
type scope struct {
	name string
	has  func(*transport.Operation) bool
}

var (
	everywhere  = scope{"all", func(*transport.Operation) bool { return true }}
	writing     = scope{"writes", func(op *transport.Operation) bool { return op.Writes || op.Keyed }}
	conditional = scope{"writes", func(op *transport.Operation) bool { return op.Writes && (op.HasID || op.Inner != "") }}
	trying      = scope{"writes", dryRuns}
	owning      = scope{"changes, locks", func(op *transport.Operation) bool { return changes(op) || noun(op) == "lock" }}
	proving     = scope{"writes, locks", func(op *transport.Operation) bool { return op.Locks }}
	under       = scope{"writes", func(op *transport.Operation) bool { return op.Under }}
	streaming   = scope{"streams", func(op *transport.Operation) bool { return op.Stream != nil }}
)

// changes says whether the operation changes anything: GET is the one safe method of the table (RFC 9110 section 9.2.1).
func changes(op *transport.Operation) bool { return op.Method != http.MethodGet }

func dryRuns(op *transport.Operation) bool {
	return slices.ContainsFunc(op.Params, func(p transport.Param) bool { return p.Name == "dryRun" })
}

// header is a header of requests, the same on both APIs unless it says otherwise.
type header struct {
	name   string
	on     scope
	schema *huma.Schema
	doc    string
}

// headers are those that mean something to the service, beside Authorization and Content-Type.
var headers = []header{
	{transport.HeaderPrincipal, everywhere, text(), "Who asks; believed only with --auth off"},
	{transport.HeaderSession, owning, text(), "Session of the caller: with the principal, whose a lock or a ticket is; kept in the history"},
	{transport.HeaderIdempotencyKey, writing, text(), "A repeat with the same key is answered as the first; kept for 24 hours"},
	{transport.HeaderIfMatch, conditional, text(),
		"Entity tags of which one must be the newest, or * for any (RFC 9110 section 13.1.1)"},
	{transport.HeaderIfNoneMatch, conditional, oneOf("*"), "*: there must be none yet (RFC 9110 section 13.1.2)"},
	{transport.HeaderLockToken, proving, text(), "Token of the current lock: the change is made under it"},
	{transport.HeaderLockRelease, under, oneOf("true", "false"), "true: the lock ends with the change"},
	{transport.HeaderPrefer, under, text(), "respond-async: if the scope is locked, wait for the turn (RFC 7240 section 4.1)"},
	{transport.HeaderDryRun, trying, oneOf("true", "false"), "true: decide and answer, but store nothing"},
	{transport.HeaderDeadline, everywhere, &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9]+$"},
		"Milliseconds that the caller will still wait"},
	{transport.HeaderTraceParent, everywhere, text(), "Trace context (W3C)"},
	{transport.HeaderLastEventID, streaming, text(), "Over HTTP, of a stream: the last event that the caller knows"},
}

func text() *huma.Schema { return &huma.Schema{Type: huma.TypeString} }

func oneOf(values ...any) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Enum: values} }

// headersOf are the headers that the operation heeds.
func headersOf(op *transport.Operation) []header {
	return slices.DeleteFunc(slices.Clone(headers), func(h header) bool { return !h.on.has(op) })
}

// codesOf are the refusals that an operation can give, in order of their names.
func codesOf(op *transport.Operation) []problem.Code {
	return slices.DeleteFunc(problem.Codes(), func(c problem.Code) bool {
		switch c {
		case problem.Invalid, problem.Unauthenticated, problem.Forbidden, problem.NotFound, problem.Overloaded,
			problem.Internal, problem.Unavailable, problem.Deadline:
			return false
		case problem.PreconditionFailed, problem.PreconditionRequired:
			return !op.Writes
		case problem.NoContest, problem.TicketGone:
			return noun(op) != "lock"
		default:
			return !changes(op)
		}
	})
}
