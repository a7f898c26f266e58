package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"concord/actors/problem"
	"concord/transport"
)

// CallOption is a part of one call beside its body.
type CallOption func(*call)

// call is one call before its first attempt: its message is made once, so that all attempts are the same request.
type call struct {
	op       *transport.Operation
	provider string
	id       string
	inner    string
	header   nats.Header
	members  []member
	unmerged bool // of Update: see WithoutMerge
	long     bool // an attempt may take all of the call's time
}

// member is a member of the request: a parameter, or a part of its body.
type member struct {
	name  string
	value any
}

// Set adds a member to the request: a parameter of an operation without a body, or a member of the body.
func Set(name string, value any) CallOption {
	return func(c *call) { c.members = append(c.members, member{name, value}) }
}

// Header sets a header of the request.
func Header(name, value string) CallOption {
	return func(c *call) { c.header[name] = []string{value} }
}

// In calls another provider than the client's own.
func In(provider string) CallOption { return func(c *call) { c.provider = provider } }

// asked is a call as far as the options make it.
func (c *Client) asked(options []CallOption) *call {
	k := &call{provider: c.options.Provider, header: make(nats.Header)}
	for _, option := range options {
		option(k)
	}
	return k
}

// providerOf is the provider that a call with the options is on.
func (c *Client) providerOf(options []CallOption) string { return c.asked(options).provider }

// has says that an option has set the member.
func (k *call) has(name string) bool {
	return slices.ContainsFunc(k.members, func(m member) bool { return m.name == name })
}

// BaseVersion says which version the change is based on: if what it touches has changed since, it is refused, or settled as
// OnConflict or the collection's type says.
func BaseVersion(version uint64) CallOption { return Set("baseVersion", version) }

// Reason says why; the history keeps it.
func Reason(text string) CallOption { return Set("reason", text) }

// IfMatch makes the call conditional: the newest version must be this one.
func IfMatch(version uint64) CallOption {
	return Header(transport.HeaderIfMatch, `"v`+strconv.FormatUint(version, 10)+`"`)
}

// CreateOnly makes the call conditional: there must be no such thing yet.
func CreateOnly() CallOption { return Header(transport.HeaderIfNoneMatch, "*") }

// IdempotencyKey names the write: the service answers a repeat, also one after a restart, as it answered the first.
// Without it each call has a new key of its own.
func IdempotencyKey(key string) CallOption { return Header(transport.HeaderIdempotencyKey, key) }

// DryRun has the write decided and answered, but not stored.
func DryRun() CallOption { return Header(transport.HeaderDryRun, "true") }

// LockToken shows the lock under which the write is made: see Under for a Lock.
func LockToken(token string) CallOption { return Header(transport.HeaderLockToken, token) }

// ThenRelease gives the lock that the write is made under back, in one step with the write.
func ThenRelease() CallOption { return Header(transport.HeaderLockRelease, "true") }

// QueueIfLocked leaves the write with the service if the collection is locked: it is made when its turn comes. The
// Result then has the Operation that stands for it.
func QueueIfLocked() CallOption { return Header(transport.HeaderPrefer, "respond-async") }

// Version reads an old version instead of the newest.
func Version(version uint64) CallOption { return Set("version", version) }

// At reads the state at a time instead of the newest.
func At(t time.Time) CallOption { return Set("at", t.UTC().Format(time.RFC3339Nano)) }

// Limit bounds the items of a page.
func Limit(items int) CallOption { return Set("limit", items) }

// Cursor goes on where a page ended: it is the page's Next.
func Cursor(next string) CallOption { return Set("cursor", next) }

// Fields reads only these paths; of a write that is refused because its base is stale, it shows the conflicts at these alone.
func Fields(paths ...string) CallOption { return Set("fields", paths) }

// OnlyDocuments reads only these documents.
func OnlyDocuments(ids ...string) CallOption { return Set("document", ids) }

// WithoutDocuments reads the metadata alone.
func WithoutDocuments() CallOption { return Set("documents", "none") }

// inner names the document, ticket or parked update that the operation is on.
func inner(id string) CallOption { return func(c *call) { c.inner = id } }

// oneLongAttempt is for what takes long and would only begin again: an attempt is not given up before the call is.
func oneLongAttempt() CallOption { return func(c *call) { c.long = true } }

// contentType says what the body is, if it is not our own JSON.
func contentType(name string) CallOption { return Header(transport.HeaderContentType, name) }

// prepare makes the message of a call.
func (c *Client) prepare(operation, id string, body any, options []CallOption) (*call, *nats.Msg, error) {
	op, ok := c.table[operation]
	if !ok {
		return nil, nil, fmt.Errorf("there is no operation %q", operation)
	}
	k := &call{op: op, provider: c.options.Provider, id: id, header: make(nats.Header, 8)}
	for _, option := range options {
		option(k)
	}
	if err := transport.CheckIDs(&transport.Request{Op: op, Provider: k.provider, ID: id, Inner: k.inner}); err != nil {
		return nil, nil, local(err)
	}
	if op.Inner != "" && k.inner != "" {
		k.members = append(k.members, member{op.Inner, k.inner})
	}
	text, err := k.body(body)
	if err != nil {
		return nil, nil, err
	}
	if most := c.nc.MaxPayload(); most > 0 && int64(len(text)) > most {
		return nil, nil, local(problem.New(problem.TooLarge, "a request of %d bytes: the connection takes %d", len(text), most))
	}
	c.introduce(k)
	return k, &nats.Msg{Subject: k.subject(c.options.Prefix), Header: k.header, Data: text}, nil
}

// introduce sets the headers that say who calls, and the key of a write.
func (c *Client) introduce(k *call) {
	for name, value := range map[string]string{
		transport.HeaderPrincipal: c.options.Principal,
		transport.HeaderSession:   c.options.Session,
	} {
		if _, set := k.header[name]; !set && value != "" {
			k.header[name] = []string{value}
		}
	}
	if c.options.Token != "" {
		k.header[transport.HeaderAuthorization] = []string{"Bearer " + c.options.Token}
	}
	if _, set := k.header[transport.HeaderIdempotencyKey]; !set && (k.op.Writes || k.op.Keyed) {
		k.header[transport.HeaderIdempotencyKey] = []string{uuid.Must(uuid.NewV7()).String()}
	}
}

func (k *call) subject(prefix string) string {
	subject := prefix + "." + k.op.Name
	if !k.op.Global {
		subject += "." + k.provider
	}
	if k.op.HasID {
		subject += "." + k.id
	}
	return subject
}

// body is the text of the request: the body that was given with the members in it. Contents keep their bytes.
func (k *call) body(given any) ([]byte, error) {
	text, err := textOf(given)
	if err != nil {
		return nil, fmt.Errorf("%s: body: %w", k.op.Name, err)
	}
	if len(k.members) == 0 {
		return text, nil
	}
	var o object
	for _, m := range k.members {
		if err := o.set(m.name, m.value); err != nil {
			return nil, fmt.Errorf("%s: %w", k.op.Name, err)
		}
	}
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return o.text(), nil
	}
	if text[0] != '{' || text[len(text)-1] != '}' {
		return nil, fmt.Errorf("%s: %q cannot be set: the body is no JSON object", k.op.Name, k.members[0].name)
	}
	if rest := bytes.TrimSpace(text[1 : len(text)-1]); len(rest) > 0 {
		o.b = append(append(o.b, ','), rest...)
	}
	return o.text(), nil
}

func textOf(body any) ([]byte, error) {
	switch body := body.(type) {
	case nil:
		return nil, nil
	case []byte:
		return body, nil
	case json.RawMessage:
		return body, nil
	default:
		return marshal(body)
	}
}

// object is a JSON object in the making. Raw values keep the bytes that they have: encoding/json would reformat them.
type object struct{ b []byte }

func (o *object) set(name string, value any) error {
	text, err := textOf(value)
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	if !json.Valid(text) {
		return fmt.Errorf("%q is not JSON", name)
	}
	if o.b == nil {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	quoted, err := marshal(name)
	if err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	o.b = append(append(append(o.b, quoted...), ':'), text...)
	return nil
}

func (o *object) text() []byte {
	if o.b == nil {
		return []byte("{}")
	}
	return append(o.b, '}')
}

// marshal is JSON in which <, > and & stand as they are.
func marshal(value any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// with are the options and some more; the caller's slice is left alone.
func with(options []CallOption, more ...CallOption) []CallOption { return slices.Concat(options, more) }
