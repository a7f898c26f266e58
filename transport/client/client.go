// Package client calls Concord over NATS: every operation of the table, retried where that is safe, and what stands on
// them: an optimistic update loop, a watch without gaps, iterators over pages, uploads, locks that keep themselves.
//
// A write carries an idempotency key, the same in each of its attempts, so that an answer that was lost costs a repeat
// and never a second version. A refusal of the service is a *Problem. A call that got no answer is ErrUnavailable; if it
// was a write that the service may have taken, it is ErrOutcomeUnknown as well.
package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"concord/transport"
	"concord/transport/api"
)

// Options of a client. The zero value calls the provider DefaultProvider as nobody in particular.
type Options struct {
	Provider  string // tenant of all calls; empty: DefaultProvider
	Principal string // who calls; believed only by a service with auth off
	Session   string // which of the caller's sessions: locks belong to one
	Token     string // bearer token, for a service that knows principals
	Prefix    string // of the subjects; empty: DefaultPrefix
	// Timeout bounds a call, all attempts together, if its context has no deadline. 0: DefaultTimeout.
	Timeout time.Duration
	// Attempt bounds one attempt; after it the answer counts as lost. 0: DefaultAttempt.
	Attempt time.Duration
	// NATS are further options of the connection, such as credentials, certificates or a name. Its handlers for a lost
	// and for a new connection are the client's own.
	NATS []nats.Option
}

// Defaults of the options.
const (
	DefaultProvider = "main"
	DefaultPrefix   = "concord.v1"
	DefaultTimeout  = 20 * time.Second
	DefaultAttempt  = 5 * time.Second
)

// Bounds of a connection.
const (
	connectMax       = 5 * time.Second
	reconnectWait    = 100 * time.Millisecond
	reconnectJitter  = 100 * time.Millisecond
	pingEvery        = 10 * time.Second
	pingsOutMax      = 2
	noReconnectQueue = -1 // what is published while there is no connection fails, and is not sent later
)

// Client calls one service. It may be used by many goroutines.
type Client struct {
	options  Options
	nc       *nats.Conn
	table    map[string]*transport.Operation
	patience time.Duration // longest wait between two attempts

	mu        sync.Mutex
	link      context.Context // ends when the connection that there is now is lost
	cut       context.CancelFunc
	principal string // who we are, once we know; "" until then
	closed    bool
	running   sync.WaitGroup // what keeps locks
}

// errLinkLost is why a link ends.
var errLinkLost = errors.New("the connection was lost")

// Connect opens a connection to a NATS server; several URLs have commas between. A connection that is lost later is
// opened again, for ever; calls in between wait, within their time. Close the client at the end.
func Connect(url string, o Options) (*Client, error) {
	o = o.withDefaults()
	if !transport.ValidID(o.Provider) {
		return nil, fmt.Errorf("connect to %s: %q is no provider id", url, o.Provider)
	}
	c := &Client{options: o, table: make(map[string]*transport.Operation), patience: retryMax}
	if o.Token == "" { // else only the service knows who that is
		c.principal = cmp.Or(o.Principal, transport.Anonymous)
	}
	for _, op := range api.Table() {
		c.table[op.Name] = op
	}
	c.link, c.cut = context.WithCancel(context.Background())
	options := append([]nats.Option{
		nats.Name("concord client"), nats.Timeout(connectMax), nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(pingsOutMax),
		nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(reconnectJitter, reconnectJitter),
		nats.ReconnectBufSize(noReconnectQueue),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // the calls and watches notice by themselves
	}, o.NATS...)
	// These two stand last: without them a call would wait for an answer that went down with the connection.
	options = append(options,
		nats.DisconnectErrHandler(func(*nats.Conn, error) { c.relink() }),
		nats.ReconnectHandler(func(*nats.Conn) { c.relink() }))
	var err error
	if c.nc, err = nats.Connect(url, options...); err != nil {
		return nil, fmt.Errorf("connect to NATS: %w: %w", ErrUnavailable, err)
	}
	return c, nil
}

func (o Options) withDefaults() Options {
	if o.Provider == "" {
		o.Provider = DefaultProvider
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Attempt == 0 {
		o.Attempt = DefaultAttempt
	}
	return o
}

// relink lets every attempt know that its answer will not come any more.
func (c *Client) relink() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut()
	c.link, c.cut = context.WithCancel(context.Background())
}

// connected is a context that ends when the present connection is lost.
func (c *Client) connected() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link
}

// Provider is the tenant of the calls that name no other.
func (c *Client) Provider() string { return c.options.Provider }

// Close ends the connection; calls and watches under way end with an error, and so do locks: release them before, or they
// last for their ttl. It waits for what keeps them. It may be called more than once.
func (c *Client) Close() {
	c.nc.Close()
	c.mu.Lock()
	c.closed = true
	c.cut()
	c.mu.Unlock()
	c.running.Wait()
}

// start runs fn on a goroutine that Close waits for; it is false, and nothing runs, if the client is closed.
func (c *Client) start(fn func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.running.Go(fn)
	return true
}
