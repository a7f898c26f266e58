// Package problem names every way in which Concord says no. A refusal is part of the contract: a code that programs
// may rely on, the HTTP status that goes with it, and the members that its kind carries (RFC 9457).
package problem

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Code is the stable name of a kind of refusal.
type Code string

// The codes, by status.
const (
	Invalid              Code = "invalid"
	Unauthenticated      Code = "unauthenticated"
	Forbidden            Code = "forbidden"
	PolicyNotAllowed     Code = "policy-not-allowed"
	NotFound             Code = "not-found"
	Exists               Code = "exists"
	VersionConflict      Code = "version-conflict"
	WrongState           Code = "wrong-state"
	KeyReused            Code = "key-reused"
	BaseUnavailable      Code = "base-unavailable"
	IndexBuilding        Code = "index-building"
	MergeFailed          Code = "merge-failed"
	PreconditionFailed   Code = "precondition-failed"
	TooLarge             Code = "too-large"
	SchemaInvalid        Code = "schema-invalid"
	InUse                Code = "in-use"
	LinkedField          Code = "linked-field"
	NameTaken            Code = "name-taken"
	CannotUndo           Code = "cannot-undo"
	Locked               Code = "locked"
	StaleToken           Code = "stale-token"
	NotOffered           Code = "not-offered"
	NotContestable       Code = "not-contestable"
	NoContest            Code = "no-contest"
	LockLost             Code = "lock-lost"
	TicketGone           Code = "ticket-gone"
	LockRequired         Code = "lock-required"
	ContestCooldown      Code = "contest-cooldown"
	QueueFull            Code = "queue-full"
	PreconditionRequired Code = "precondition-required"
	Overloaded           Code = "overloaded"
	Internal             Code = "internal"
	Unavailable          Code = "unavailable"
	Deadline             Code = "deadline"
)

type kind struct {
	status int
	title  string
}

var kinds = map[Code]kind{
	Invalid:              {400, "The request is not valid"},
	Unauthenticated:      {401, "The caller is not known"},
	Forbidden:            {403, "The caller may not do this"},
	PolicyNotAllowed:     {403, "The type does not allow this conflict policy"},
	NotFound:             {404, "There is no such thing"},
	Exists:               {409, "It exists already"},
	VersionConflict:      {409, "The base version is not the newest"},
	WrongState:           {409, "Not possible in this state"},
	KeyReused:            {409, "The idempotency key belongs to another request"},
	BaseUnavailable:      {409, "The base version is no longer kept"},
	IndexBuilding:        {409, "The index is being built"},
	MergeFailed:          {409, "The merge script gave no result"},
	PreconditionFailed:   {412, "The precondition does not hold"},
	TooLarge:             {413, "The request is too large"},
	SchemaInvalid:        {422, "The content does not fit its schema"},
	InUse:                {422, "It is in use"},
	LinkedField:          {422, "The field follows an authority"},
	NameTaken:            {422, "The name is taken"},
	CannotUndo:           {422, "This can no longer be undone"},
	Locked:               {409, "The collection is locked"},
	StaleToken:           {409, "The lock token is not the current one"},
	NotOffered:           {409, "The lock is not offered to this ticket"},
	NotContestable:       {409, "There is no lock to contest"},
	NoContest:            {404, "There is no such contest"},
	LockLost:             {410, "The lock is lost"},
	TicketGone:           {410, "There is no such ticket any more"},
	LockRequired:         {428, "A lock is required"},
	ContestCooldown:      {429, "A contest was denied a moment ago"},
	QueueFull:            {429, "The queue is full"},
	PreconditionRequired: {428, "A precondition is required"},
	Overloaded:           {429, "Too much is going on"},
	Internal:             {500, "Something went wrong on our side"},
	Unavailable:          {503, "Not available at the moment"},
	Deadline:             {504, "The deadline has passed"},
}

// Codes are all codes in order of their names.
func Codes() []Code { return slices.Sorted(maps.Keys(kinds)) }

// Status is the HTTP status of the code.
func (c Code) Status() int { return kinds[c].status }

// Title is the short text of the code. It does not change from one occurrence to the next.
func (c Code) Title() string { return kinds[c].title }

// FieldError says what is wrong with one place of the request. Path is a JSON Pointer into the body, or the name of a
// header or query parameter in front of which stands its kind ("header If-Match"), or a line of an upload ("line 7"), with a
// pointer into it behind it.
type FieldError struct {
	Path    string `json:"path"`
	Message string `json:"message"`
}

// Member is a further member of a problem, in the order in which it is written. Value must marshal to JSON.
type Member struct {
	Name  string
	Value any
}

// Problem is a refusal. It is an error, and a value: the pure core makes them.
type Problem struct {
	Code            Code
	Detail          string
	Errors          []FieldError
	RetryAfter      time.Duration // 0: nothing is said
	Members         []Member
	OtherwiseStatus int // HTTP status instead of the code's own; 0: the code's
}

// Status is the HTTP status of the refusal.
func (p *Problem) Status() int {
	if p.OtherwiseStatus != 0 {
		return p.OtherwiseStatus
	}
	return p.Code.Status()
}

// Error is the text for a log line or a terminal.
func (p *Problem) Error() string {
	var b strings.Builder
	b.WriteString(string(p.Code))
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	for _, e := range p.Errors {
		fmt.Fprintf(&b, "; %s: %s", e.Path, e.Message)
	}
	return b.String()
}

// New makes a problem with a detail.
func New(code Code, format string, args ...any) *Problem {
	return &Problem{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// At makes an `invalid` problem that names one place of the request.
func At(path, format string, args ...any) *Problem {
	return &Problem{Code: Invalid, Detail: "the request has an error at " + path,
		Errors: []FieldError{{path, fmt.Sprintf(format, args...)}}}
}

// With returns the problem with a further member.
func (p *Problem) With(name string, value any) *Problem {
	q := *p
	q.Members = append(slices.Clone(p.Members), Member{name, value})
	return &q
}

// Of finds the problem in an error; any other error is `internal`, and its text stays in the log.
func Of(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	return New(Internal, "the request id names the entry in the log")
}
