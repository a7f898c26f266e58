package transport

import "strings"

// Alias is another route to an operation of the table, over HTTP, in the words of another system. The operation does the
// work; the alias translates. Its Operation is a copy of the table's, under the same name: what metrics, logs and
// idempotency keys go by. Method, path, parameters, body and answer are those that the other system's clients know.
type Alias struct {
	*Operation
	System string // whose clients it is for

	// Scopes is the front of the scopes that it is for, on the route of an operation; Trigger is a header of the other
	// system without which it is not meant there. If both are "", the route is its own.
	Scopes, Trigger string
	// Headers are headers of the other system, and those of ours that they mean.
	Headers map[string]string
	// Translate turns the request into the operation's, once the caller is known and the body is read; nil: it is that.
	Translate func(*Request) error
	// Serve answers the request by asking operations, its own among them, where that takes more than one of them. It is
	// called instead of the operation; nil: that is all.
	Serve func(r *Request, ask Ask) (*Reply, error)
	// Reply turns the operation's success into the other system's; nil: it is that.
	Reply func(*Request, *Reply) (*Reply, error)
	// BodyMaxBytes bounds the body where those of the other system may be longer than ours; 0: as all are.
	BodyMaxBytes int
	// Refuse does the same to whatever the request is refused with; nil: it stays as it is.
	Refuse func(error) error
	// Refusals are for a system that refuses in another form than RFC 9457; nil: in that. The route must be its own.
	Refusals *Refusals
	// Media is the one media type of its answers: who accepts another alone is refused (406). "": nobody looks.
	Media string
}

// Refusals are the form in which another system refuses.
type Refusals struct {
	Body     any   // zero value of its JSON type
	Statuses []int // all that there are
	// Write makes the status and the JSON of a refusal.
	Write func(r *Request, err error) (status int, body []byte)
}

// Ask has an operation answer a request, and waits for that.
type Ask func(*Request) (*Reply, error)

// Shares says that the alias is on the route of an operation.
func (a *Alias) Shares() bool { return a.Scopes != "" || a.Trigger != "" }

// For says whether the alias is for the request, on a route that it shares. values are those of a header.
func (a *Alias) For(scope string, values func(header string) []string) bool {
	return strings.HasPrefix(scope, a.Scopes) && (a.Trigger == "" || len(values(a.Trigger)) > 0)
}

// ID names the alias in documents, where the operation has its own name.
func (a *Alias) ID() string { return a.System + "." + a.Name }
