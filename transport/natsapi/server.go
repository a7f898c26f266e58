// Package natsapi offers the operation table over NATS request-reply, registered with the micro package, so that
// `nats micro ls|info|stats` shows every operation with its schemas.
//
// A callback only reads the request and hands it over: micro calls the handlers of one endpoint one after another. The
// answer is a message of our own, published when the outcome is durable: micro's Request must not be kept that long.
package natsapi

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/transport"
)

// Bounds of the API.
const (
	readersCount     = transport.DoorMinReaders // goroutines that run operations which read from the disk
	readersMaxQueue  = 1024                     // requests that wait for one of them, or for their answer to be durable
	endpointMaxMsgs  = 64 << 10
	endpointMaxBytes = 64 << 20
	flushMax         = 2 * time.Second
)

// Observer is told of each answer. All fields must be set.
type Observer struct {
	Answered func(op *transport.Operation, code problem.Code, took time.Duration) // code "" is a success
	Refused  func(r *transport.Request, p *problem.Problem, err error)            // for the log
	Dropped  func(reason string)                                                  // requests without an answer
}

// Config of the API.
type Config struct {
	Prefix   string // of all subjects: concord.v1
	Version  string
	Metadata func(*transport.Operation) map[string]string // of an endpoint: its schemas
}

// Server answers requests of one connection.
type Server struct {
	config    Config
	nc        *nats.Conn
	gate      *transport.Gate
	observer  Observer
	requestID func() string
	service   micro.Service
	reads     chan *call
	reading   atomic.Int64 // reads without their answer: a slow disk must not pile answers up
	mu        sync.RWMutex // of stopping
	stopping  bool
	inFlight  sync.WaitGroup
	readers   sync.WaitGroup
	cancel    context.CancelFunc
}

// Start registers every operation of the table.
func Start(nc *nats.Conn, c Config, g *transport.Gate, table []*transport.Operation, requestID func() string, o Observer,
) (*Server, error) {
	service, err := micro.AddService(nc, micro.Config{
		Name: "concord", Version: c.Version, Description: "Collections of records that many change at once",
		DoneHandler: func(micro.Service) {},
	})
	if err != nil {
		return nil, fmt.Errorf("register the service: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{config: c, nc: nc, gate: g, observer: o, requestID: requestID, service: service,
		reads: make(chan *call, readersMaxQueue), cancel: cancel}
	for range readersCount {
		s.readers.Go(func() {
			for c := range s.reads {
				c.handle(ctx)
			}
		})
	}
	for _, op := range table {
		if err := s.register(ctx, op); err != nil {
			return nil, errors.Join(fmt.Errorf("register %s: %w", op.Name, err), s.Stop(context.Background()))
		}
	}
	if err := nc.FlushTimeout(flushMax); err != nil {
		return nil, errors.Join(fmt.Errorf("subscribe: %w", err), s.Stop(context.Background()))
	}
	return s, nil
}

func (s *Server) register(ctx context.Context, op *transport.Operation) error {
	subject := s.config.Prefix + "." + op.Name
	if !op.Global {
		subject += ".*"
	}
	if op.HasID {
		subject += ".*"
	}
	return s.service.AddEndpoint(strings.ReplaceAll(op.Name, ".", "-"),
		micro.HandlerFunc(func(req micro.Request) { s.take(ctx, op, req) }),
		micro.WithEndpointSubject(subject),
		micro.WithEndpointMetadata(s.config.Metadata(op)),
		micro.WithEndpointPendingLimits(endpointMaxMsgs, endpointMaxBytes))
}

// call is a request on its way to its answer.
type call struct {
	server  *Server
	reply   string
	request *transport.Request
	reads   bool // counted among the reads
}

// take reads one request and hands it over.
func (s *Server) take(ctx context.Context, op *transport.Operation, req micro.Request) {
	received := time.Now()
	if !answerable(req.Reply()) {
		s.observer.Dropped("reply subject")
		return
	}
	r := &transport.Request{Op: op, Body: req.Data(), Received: received, RequestID: s.requestID()}
	c := &call{server: s, reply: req.Reply(), request: r}
	if !s.enter() {
		c.answer(nil, problem.New(problem.Unavailable, "the service is stopping"))
		return
	}
	if err := s.open(r, req); err != nil {
		c.done(nil, err)
		return
	}
	if !op.Blocks {
		c.handle(ctx)
		return
	}
	c.reads = true
	if s.reading.Add(1) > readersMaxQueue {
		p := problem.New(problem.Overloaded, "too many requests wait to be read")
		p.RetryAfter = 100 * time.Millisecond
		c.done(nil, p)
		return
	}
	s.reads <- c // never waits: the count is the queue's bound
}

// handle runs the operation. A panic in it is an answer, too, and no harm to others.
func (c *call) handle(ctx context.Context) {
	defer func() {
		if cause := recover(); cause != nil {
			c.done(nil, fmt.Errorf("%s panicked: %v\n%s", c.request.Op.Name, cause, debug.Stack()))
		}
	}()
	c.request.Op.Handle(ctx, c.request, c.done)
}

// enter counts a request in, unless the server is stopping.
func (s *Server) enter() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.stopping {
		return false
	}
	s.inFlight.Add(1)
	return true
}

// answerable accepts the reply subjects of requests alone: otherwise a client could make us publish wherever it likes.
func answerable(reply string) bool {
	return (strings.HasPrefix(reply, "_INBOX.") || strings.HasPrefix(reply, "_R_.")) && !strings.ContainsAny(reply, "*> \t\r\n")
}

// open checks the subject, the headers and the parameters, and lets the caller in.
func (s *Server) open(r *transport.Request, req micro.Request) error {
	for name, values := range req.Headers() {
		if len(values) > 0 {
			r.SetHeader(name, values[0])
		}
	}
	rest := strings.TrimPrefix(req.Subject(), s.config.Prefix+"."+r.Op.Name)
	rest = strings.TrimPrefix(rest, ".")
	if !r.Op.Global {
		r.Provider = rest
	}
	if r.Op.HasID {
		r.Provider, r.ID, _ = strings.Cut(rest, ".")
	}
	if err := s.gate.Enter(r); err != nil {
		return err
	}
	if r.Op.Body != nil {
		return nil
	}
	if err := params(r); err != nil {
		return err
	}
	return transport.CheckParams(r)
}

// params reads the members of the body of an operation that has no body of its own.
func params(r *transport.Request) error {
	if len(r.Body) == 0 {
		return innerGiven(r)
	}
	members, err := jsonvalue.Members(r.Body)
	if err != nil {
		return problem.At("", "the parameters are no JSON object: %v", err)
	}
	if r.Params == nil {
		r.Params = make(map[string][]string, len(members))
	}
	for _, m := range members {
		v, err := jsonvalue.Parse(m.Text)
		if err != nil {
			return problem.At("/"+m.Name, "%v", err)
		}
		if m.Name == r.Op.Inner && v.Kind() == jsonvalue.String {
			r.Inner = v.Str()
			if !transport.ValidDocumentID(r.Inner) {
				return problem.At("/"+m.Name, "%s", transport.DocumentIDRule)
			}
			continue
		}
		if err := param(r, m.Name, v); err != nil {
			return err
		}
	}
	r.Body = nil
	return innerGiven(r)
}

// innerGiven sees to it that an operation below an entity knows below which of its parts: no id would be the metadata.
func innerGiven(r *transport.Request) error {
	if r.Op.Inner != "" && r.Inner == "" {
		return problem.At("/"+r.Op.Inner, "is missing")
	}
	return nil
}

func param(r *transport.Request, name string, v *jsonvalue.Value) error {
	for _, p := range r.Op.Params {
		if p.Name != name {
			continue
		}
		values := []*jsonvalue.Value{v}
		if p.Repeat && v.Kind() == jsonvalue.Array {
			values = v.Elements()
		}
		for _, v := range values {
			text, ok := scalar(v)
			if !ok {
				return problem.At("/"+name, "must be a %s", p.Type)
			}
			r.Params[name] = append(r.Params[name], text)
		}
		return nil
	}
	return problem.At("/"+name, "%s has no parameter of this name", r.Op.Name)
}

func scalar(v *jsonvalue.Value) (string, bool) {
	switch v.Kind() {
	case jsonvalue.String:
		return v.Str(), true
	case jsonvalue.Number:
		return v.Literal(), true
	case jsonvalue.Bool:
		return strconv.FormatBool(v.Bool()), true
	default:
		return "", false
	}
}

// done publishes the answer and counts the request out. It is called once, by any goroutine.
func (c *call) done(reply *transport.Reply, err error) {
	defer c.server.inFlight.Done()
	c.answer(reply, err)
	if c.reads {
		c.server.reading.Add(-1)
	}
}

func (c *call) answer(reply *transport.Reply, err error) {
	msg := &nats.Msg{Subject: c.reply}
	var code problem.Code
	if err != nil {
		p := problem.Of(err)
		code = p.Code
		c.server.observer.Refused(c.request, p, err)
		msg.Header = errorHeader(p, c.request.RequestID)
		msg.Data = transport.RenderProblem(p, c.request.RequestID)
	} else {
		if msg.Data = reply.Body; len(msg.Data) == 0 {
			msg.Data = []byte("{}") // every answer is JSON
		}
	}
	err = c.server.nc.PublishMsg(msg)
	if errors.Is(err, nats.ErrMaxPayload) {
		code = problem.TooLarge
		p := problem.New(code, "the answer of %d bytes is more than NATS takes: ask for a smaller page", len(msg.Data))
		err = c.server.nc.PublishMsg(&nats.Msg{Subject: c.reply, Data: transport.RenderProblem(p, c.request.RequestID),
			Header: errorHeader(p, c.request.RequestID)})
	}
	if err != nil {
		c.server.observer.Dropped("publish")
	}
	c.server.observer.Answered(c.request.Op, code, time.Since(c.request.Received))
}

func errorHeader(p *problem.Problem, requestID string) nats.Header {
	return nats.Header{
		transport.HeaderServiceCode:  []string{strconv.Itoa(p.Status())},
		transport.HeaderServiceError: []string{p.Code.Title()},
		transport.HeaderRequestID:    []string{requestID},
	}
}

// Stop takes no more requests and waits until those that were taken are answered.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	answered := make(chan struct{})
	go func() {
		s.inFlight.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-ctx.Done():
		return fmt.Errorf("stop the NATS API: %w", context.Cause(ctx))
	}
	close(s.reads)
	s.readers.Wait()
	s.cancel()
	if err := s.service.Stop(); err != nil {
		return fmt.Errorf("stop the NATS API: %w", err)
	}
	if err := s.nc.FlushTimeout(flushMax); err != nil {
		return fmt.Errorf("flush the last answers: %w", err)
	}
	return nil
}
