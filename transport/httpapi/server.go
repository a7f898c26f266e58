// Package httpapi offers the operation table over HTTP: JSON bodies, RFC 9457 problems, server-sent events for what
// goes on. Each operation is a route of net/http's mux; a request becomes the same transport.Request as over NATS.
//
// A request waits on its own goroutine for its answer. All of them are counted, so that Shutdown can wait for them.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"concord/actors/problem"
	"concord/transport"
)

// Bounds of the API.
const (
	connectionsMax = 20_000 // open at once; more wait to be accepted
	requestsMax    = 1024   // that wait for their answers; more are refused
	readersMax     = 64     // of them that read from the disk
	streamsMax     = 10_000 // of server-sent events
	uploadsMax     = 64     // that send a whole upload
	longBodiesMax  = 4      // of requests by an alias that takes more than limits.request; each is held until the answer

	headerMaxBytes = 64 << 10 // request line included: 1,000 ids in a query

	headerReadTimeout = 10 * time.Second
	bodyReadTimeout   = 30 * time.Second // a body, or one chunk of an upload
	writeTimeout      = 30 * time.Second // an answer
	idleTimeout       = 2 * time.Minute  // between the requests of a connection
	answerMaxWait     = time.Minute      // from the hand-over of a request to its answer
	refusedRetryAfter = 100 * time.Millisecond
	lastWordsMaxWait  = time.Second // for the answers of those that Shutdown gave up
)

const _ = uint(readersMax - transport.DoorMinReaders) // it compiles if there are as many

// Config of the API.
type Config struct {
	Version string // of the service, for the documents
	Prefix  string // of all NATS subjects, for the documents

	// Loopback guards a service that believes its callers (--auth off) against the browsers of its own machine: see guard.
	Loopback bool
	Debug    bool // offers net/http/pprof

	Health func() error            // nil: healthy
	Ready  func() error            // nil: ready
	Extra  map[string]http.Handler // further routes by their mux pattern

	Aliases []*transport.Alias // of operations in the table
}

// Observer is told of each answer. All fields must be set, and none may block.
type Observer struct {
	// Answered is told of the operations of the table alone: not of probes, documents, and paths where nothing is. For a
	// stream it is told once, when the stream opens. Code "" is a success.
	Answered func(op *transport.Operation, code problem.Code, took time.Duration)
	Refused  func(r *transport.Request, p *problem.Problem, err error) // for the log; the operation may be one of ours
	Dropped  func(reason string)                                       // requests without an answer
	Panicked func(requestID string, cause any, stack []byte)
	Warned   func(text string) // what net/http has to say
}

// Server answers HTTP requests. It is an http.Handler; Serve is needed for its timeouts only.
type Server struct {
	config    Config
	gate      *transport.Gate
	observer  Observer
	requestID func() string
	mux       *http.ServeMux
	table     map[string]*transport.Operation // by name
	http      *http.Server

	requests *door
	uploads  *door
	long     *door // of long bodies
	streams  *door
	readers  chan struct{} // one token each

	streaming context.Context // ends when the streams shall
	endStream context.CancelFunc
	waiting   context.Context // ends when nobody shall wait for answers any longer
	abandon   context.CancelFunc
}

var _ http.Handler = (*Server)(nil)

// New makes a server of the table. It panics if two routes are the same, as ServeMux does.
func New(c Config, g *transport.Gate, table []*transport.Operation, requestID func() string, o Observer) *Server {
	s := &Server{config: c, gate: g, observer: o, requestID: requestID, mux: http.NewServeMux(),
		requests: newDoor("requests", requestsMax), uploads: newDoor("uploads", uploadsMax), long: newDoor("long requests", longBodiesMax),
		streams: newDoor("streams", streamsMax), readers: make(chan struct{}, readersMax)}
	s.streaming, s.endStream = context.WithCancel(context.Background())
	s.waiting, s.abandon = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: headerReadTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerMaxBytes,
		ErrorLog:          log.New(warnings(o.Warned), "", 0),
	}
	s.route(table)
	return s
}

// warnings is where net/http writes what it has to say.
type warnings func(string)

func (w warnings) Write(line []byte) (int, error) {
	w(string(line))
	return len(line), nil
}

// Serve answers the requests of a listener, and returns nil after Shutdown.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(netutil.LimitListener(l, connectionsMax)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// Shutdown takes no more requests, ends the streams, and waits until what was taken is answered. If the context ends
// before that, those that still wait are told that the service is unavailable, and the connections are closed.
func (s *Server) Shutdown(ctx context.Context) error {
	for _, d := range s.doors() {
		d.shut()
	}
	s.endStream()
	err := s.drain(ctx)
	s.abandon()
	if err == nil {
		return nil
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWordsMaxWait)
	defer cancel()
	_ = s.drain(last) // err says already that it took too long
	return errors.Join(fmt.Errorf("stop the HTTP API: %w", err), s.http.Close())
}

func (s *Server) doors() []*door { return []*door{s.requests, s.uploads, s.streams} }

// drain waits until the connections and the doors are empty.
func (s *Server) drain(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	for _, d := range s.doors() {
		err = errors.Join(err, d.wait(ctx))
	}
	return err
}
