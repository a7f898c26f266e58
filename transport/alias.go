package transport

import "strings"

// Alias is another route to an operation of the table, over HTTP, in the words of another system. The operation does the
// work; the alias translates. Its Operation is a copy of the table's, under the same name: what metrics, logs and
// idempotency keys go by. Method, path, parameters, body and answer are those that the other system's clients know.
type Alias struct {
	*Operation
	System string // whose clients it is for

	// Scopes is the front of the scopes that it is for, on the route of an operation; "": the route is its own.
	Scopes string
	// Headers are headers of the other system, and those of ours that they mean.
	Headers map[string]string
	// Translate turns the request into the operation's, once the caller is known and the body is read; nil: it is that.
	Translate func(*Request) error
	// Reply turns the operation's success into the other system's; nil: it is that.
	Reply func(*Request, *Reply) (*Reply, error)
	// Refuse does the same to an error; nil: it stays as it is.
	Refuse func(error) error
}

// For says whether the alias is for the request's scope, on a route that it shares.
func (a *Alias) For(scope string) bool { return strings.HasPrefix(scope, a.Scopes) }

// ID names the alias in documents, where the operation has its own name.
func (a *Alias) ID() string { return a.System + "." + a.Name }
