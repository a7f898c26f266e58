// Package transport is the contract between Concord and its callers: what an operation is, what a request and a reply
// are, and how a refusal looks. The operations themselves stand in transport/api, in one table, and the code behind them in
// transport/operations; natsapi and httpapi offer that table in their own ways, and the documents (OpenAPI, discovery,
// rights) are made from it.
package transport

import (
	"context"
	"net/textproto"
	"time"

	"concord/actors/problem"
)

// Right is what a caller needs to use an operation, for one provider.
type Right string

// The rights. Admin stands alone: it is no superset of the others.
const (
	RightRead   Right = "read"
	RightUpdate Right = "update"
	RightAdmin  Right = "admin"
	RightBreak  Right = "lock.break" // ends the locks of others
	RightNone   Right = ""           // every caller may: it is about the caller alone
)

// Rights are all rights.
var Rights = []Right{RightRead, RightUpdate, RightAdmin, RightBreak}

// Param is an input beside the body: a query parameter over HTTP, a member of the body over NATS.
type Param struct {
	Name   string
	Doc    string
	Type   ParamType
	Repeat bool // may be given several times; an array over NATS
}

// ParamType is the JSON type of a parameter.
type ParamType string

// The types of parameters.
const (
	TypeString  ParamType = "string"
	TypeInteger ParamType = "integer"
	TypeTime    ParamType = "date-time"
	TypeBoolean ParamType = "boolean"
)

// Operation is one line of the table: all that the two APIs, the client, the command line and the documents derive from.
type Operation struct {
	Name string // "<noun>.<verb>"; the NATS subject is <prefix>.<noun>.<verb>.<provider>[.<id>]
	Doc  string // one sentence, for people

	Method string // of HTTP
	Path   string // of HTTP, with {provider}, {id} and Inner in braces as far as the operation has them

	Global bool   // no provider: the subject ends after the verb
	HasID  bool   // the operation is on one entity
	Inner  string // name of an id below the entity ("document"); a member of the body over NATS, "" without

	Right  Right
	Params []Param
	Body   any // zero value of the request body's JSON type, nil: no body
	Types  []string
	Answer any       // zero value of the answer's JSON type, nil: none
	Files  []string  // media types of answers that are files; such an operation has no Answer
	Status int       // of success, as documented; a handler may give another
	Also   []Outcome // other successes

	Writes bool // takes preconditions, an idempotency key and dryRun
	Keyed  bool // takes an idempotency key, and no more
	Locks  bool // takes a lock's token
	Under  bool // changes what a lock guards: may end the lock with it (Lock-Release), or wait for its turn (Prefer)
	Open   bool // asks for no credentials: what the request proves by itself must do
	// Handle answers a request. It is called on a goroutine that serves others, too: it must return soon. done must be
	// called exactly once, from any goroutine, unless the process ends.
	Handle func(ctx context.Context, r *Request, done func(*Reply, error))
	// Blocks says that Handle reads from the disk before it returns: the APIs call it on a pool of goroutines.
	Blocks bool
	// Stream goes on sending events until the context ends, for SSE; nil: the operation does not stream.
	Stream func(ctx context.Context, r *Request, send func(StreamEvent) error) error
}

// DoorMinReaders is how many goroutines every API has at least for operations that block. Operations derive from it how many
// requests they let wait for each other.
const DoorMinReaders = 16

// Outcome is a success of another kind than the usual one.
type Outcome struct {
	Status int
	Answer any // zero value of its JSON type
	Doc    string
}

// StreamEvent is one server-sent event.
type StreamEvent struct {
	ID   string
	Type string
	Data []byte // JSON
}

// Caller is who asks, once authenticated.
type Caller struct {
	Principal string
	Kind      string // "person" or "service"
	Rights    map[string][]Right
	All       bool // every right everywhere: --auth off
}

// May says whether the caller has the right at the provider.
func (c *Caller) May(right Right, provider string) bool {
	if c.All {
		return true
	}
	for _, scope := range []string{provider, "*"} {
		for _, r := range c.Rights[scope] {
			if r == right {
				return true
			}
		}
	}
	return false
}

// Header holds the headers that both APIs know, under the same names. Empty: not given.
type Header struct {
	Authorization  string
	Principal      string // Concord-Principal; only with --auth off
	Session        string // Concord-Session
	IdempotencyKey string
	IfMatch        string
	IfNoneMatch    string
	LockToken      string
	LockRelease    string
	Prefer         string
	Deadline       string // Concord-Deadline: milliseconds that the caller will still wait
	TraceParent    string
	ContentType    string
	LastEventID    string
}

// Request is one call, whichever API it came by. The APIs have checked the ids and the form; nothing else.
type Request struct {
	Op       *Operation
	Provider string
	ID       string
	Inner    string // "" if it is to be found in the body
	Params   map[string][]string
	Body     []byte
	Header   Header
	Trigger  string  // value of the header that brought the request to an alias: see Alias.Trigger
	Base     *uint64 // version that a change is based on, where an alias has found it by what the request says in other words
	Words    *Words  // in which an alias was asked for something that keeps them; nil: in ours

	Caller    Caller
	RequestID string
	Received  time.Time // by the wall clock
	Deadline  time.Time // by the domain's clock; zero: none
}

// Words are a request in the words of another system, for an operation that keeps what it was asked for with.
type Words struct {
	System string
	Body   []byte // as it came
	// Apart says why the target with an id fails before it begins, as one that in those words is of another provider; "": it does
	// not. nil: none does.
	Apart func(id string) string
	// Same is what must be equal for the request to be a repeat under its idempotency key; nil: the body of the operation.
	Same []byte
}

// Param is the first value of a parameter, "" if it is not given.
func (r *Request) Param(name string) string {
	if v := r.Params[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// SetParam sets a parameter to one value.
func (r *Request) SetParam(name, value string) {
	if r.Params == nil {
		r.Params = make(map[string][]string, 1)
	}
	r.Params[name] = []string{value}
}

// Reply is a success. Its body is JSON unless ContentType says otherwise.
type Reply struct {
	Status      int
	Version     uint64 // of the entity, for ETag; 0: none
	Fence       uint64 // of the lock that a change was made under, for Lock-Fence; 0: none
	Body        []byte
	ContentType string
	See         Place             // where what the request began can be seen, for Location
	Header      map[string]string // further headers of HTTP, in the words of another system
}

// Place is an operation on an entity. The zero value is none.
type Place struct {
	Operation string // of the table: "operation.get"
	ID        string // of the entity; empty: the request's own
	Inner     string // id below the entity, if the operation has one
}

// Names of the headers, the same on both APIs.
const (
	HeaderAuthorization  = "Authorization"
	HeaderPrincipal      = "Concord-Principal"
	HeaderSession        = "Concord-Session"
	HeaderIdempotencyKey = "Idempotency-Key"
	HeaderIfMatch        = "If-Match"
	HeaderIfNoneMatch    = "If-None-Match"
	HeaderLockToken      = "Lock-Token"
	HeaderLockRelease    = "Lock-Release"
	HeaderLockFence      = "Lock-Fence" // of answers over HTTP
	HeaderPrefer         = "Prefer"
	HeaderDeadline       = "Concord-Deadline"
	HeaderTraceParent    = "traceparent"
	HeaderContentType    = "Content-Type"
	HeaderLastEventID    = "Last-Event-ID"
	HeaderDryRun         = "Concord-Dry-Run" // for NATS, where a request with a body has no query
	HeaderRequestID      = "Concord-Request-Id"
	HeaderServiceError   = "Nats-Service-Error"
	HeaderServiceCode    = "Nats-Service-Error-Code"
)

// Media types of bodies and answers. A body is MediaJSON unless the operation takes others (Operation.Types).
const (
	MediaJSON        = "application/json"
	MediaJSONPatch   = "application/json-patch+json"  // RFC 6902
	MediaMergePatch  = "application/merge-patch+json" // RFC 7396
	MediaEventStream = "text/event-stream"
	MediaCSV         = "text/csv"          // a file, as RFC 4180 has it, in UTF-8
	MediaLines       = "application/jsonl" // a file: a JSON value a line
)

// SetHeader puts a header into the request, whatever the case of its name; unknown ones are ignored.
func (r *Request) SetHeader(name, value string) {
	h := &r.Header
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case HeaderAuthorization:
		h.Authorization = value
	case HeaderPrincipal:
		h.Principal = value
	case HeaderSession:
		h.Session = value
	case HeaderIdempotencyKey:
		h.IdempotencyKey = value
	case HeaderIfMatch:
		h.IfMatch = value
	case HeaderIfNoneMatch:
		h.IfNoneMatch = value
	case HeaderLockToken:
		h.LockToken = value
	case HeaderLockRelease:
		h.LockRelease = value
	case HeaderPrefer:
		h.Prefer = value
	case HeaderDeadline:
		h.Deadline = value
	case "Traceparent":
		h.TraceParent = value
	case HeaderContentType:
		h.ContentType = value
	case "Last-Event-Id":
		h.LastEventID = value
	case HeaderDryRun:
		r.SetParam("dryRun", value)
	}
}

// Limits of the two APIs.
type Limits struct {
	RequestMaxBytes int // one request or answer
	HeaderMaxBytes  int // one header's value
}

// DefaultLimits are the limits of semantics section 1.
var DefaultLimits = Limits{RequestMaxBytes: 1 << 20, HeaderMaxBytes: 1024}

// Authenticator finds out who asks.
type Authenticator interface {
	// Authenticate returns the caller or an `unauthenticated` problem.
	Authenticate(h *Header) (Caller, error)
	// Knows says whether the provider exists as far as the authenticator is concerned.
	Knows(provider string) bool
}

// Gate is the part of the way in that does not depend on the operation: who asks, whether they may, by when.
type Gate struct {
	Auth   Authenticator
	Now    func() time.Time // the domain's clock
	Limits Limits
	// Exists says whether the store has anything of the provider. It is called on goroutines that serve others, too, and
	// must not read from the disk each time: see Providers.
	Exists func(provider string) bool
}

// Enter authenticates and authorises the request, and completes it. After it, the request may be handled.
func (g *Gate) Enter(r *Request) error {
	if err := r.Header.check(g.Limits.HeaderMaxBytes); err != nil {
		return err
	}
	if err := g.admit(r); err != nil {
		return err
	}
	if err := CheckParams(r); err != nil {
		return err
	}
	if len(r.Body) > g.Limits.RequestMaxBytes {
		return problem.New(problem.TooLarge, "a request of %d bytes: the limit is %d; larger input goes by upload",
			len(r.Body), g.Limits.RequestMaxBytes).With("limit", g.Limits.RequestMaxBytes)
	}
	return r.setDeadline(g.Now())
}

// admit finds out who asks, and whether they may. Who needs no credentials is not told what there is, either.
func (g *Gate) admit(r *Request) error {
	if r.Op.Open {
		r.Caller = Caller{Principal: Anonymous}
		return CheckIDs(r)
	}
	caller, err := g.Auth.Authenticate(&r.Header)
	if err != nil {
		return err
	}
	r.Caller = caller
	if err := CheckIDs(r); err != nil {
		return err
	}
	if r.Op.Right != RightNone && !caller.May(r.Op.Right, r.Provider) {
		return problem.New(problem.Forbidden, "%s needs the right %q", r.Op.Name, r.Op.Right)
	}
	if !r.Op.Global && !g.Auth.Knows(r.Provider) && !g.Exists(r.Provider) {
		return problem.New(problem.NotFound, "there is no provider %q", r.Provider)
	}
	return nil
}
