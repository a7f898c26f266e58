package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"concord/actors/problem"
	"concord/transport"
)

// exchange is one request and its answer. It belongs to the goroutine that net/http gave it.
type exchange struct {
	server  *Server
	w       http.ResponseWriter
	in      *http.Request
	request *transport.Request
	alias   *transport.Alias // by which it came; nil: by the operation's own route
	wire    *http.ResponseController

	long bool // its body is one of the long ones

	ifNoneMatch string // of a read: it is for the answer, not for the handler
	started     bool   // something of the answer has been written
}

// handler answers the requests of one route: it keeps strangers out, and turns errors and panics into answers.
func (s *Server) handler(op *transport.Operation, serve func(*exchange) error) http.HandlerFunc {
	return func(w http.ResponseWriter, in *http.Request) {
		x := &exchange{server: s, w: w, in: in, wire: http.NewResponseController(w), request: &transport.Request{
			Op: op, Received: time.Now(), RequestID: s.requestID()}}
		defer x.recovered()
		w.Header().Set(transport.HeaderRequestID, x.request.RequestID)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		x.timeBody()
		err := s.guard(in)
		if err == nil {
			err = serve(x)
		}
		if err != nil {
			x.refuse(err)
		}
	}
}

// errGone means that nobody waits for the answer any longer.
var errGone = errors.New("the client has gone")

// recovered turns a panic into a refusal, or, when part of the answer is on its way, cuts the connection.
func (x *exchange) recovered() {
	cause := recover()
	if cause == nil {
		return
	}
	err, _ := cause.(error)
	aborted := errors.Is(err, http.ErrAbortHandler)
	if !aborted {
		x.server.observer.Panicked(x.request.RequestID, cause, debug.Stack())
	}
	if aborted || x.started {
		panic(http.ErrAbortHandler)
	}
	x.refuse(problem.New(problem.Internal, "the request id names the entry in the log"))
}

// operate runs an operation of the table from the request to its answer.
func (x *exchange) operate() error {
	s := x.server
	if x.wantsStream() {
		return x.stream()
	}
	if err := s.requests.enter(); err != nil {
		return err
	}
	defer s.requests.leave()
	defer x.leaveLong()
	if err := x.checkAccept(); err != nil {
		return err
	}
	if err := x.open(); err != nil {
		return err
	}
	if err := x.readBody(); err != nil {
		return err
	}
	reply, err := x.translated()
	if err != nil {
		return err
	}
	x.reply(reply)
	x.answered("")
	return nil
}

// translated asks the operation, in the words of another system if the request came by an alias.
func (x *exchange) translated() (*transport.Reply, error) {
	if x.alias == nil {
		return x.ask(x.request)
	}
	if x.alias.Translate != nil {
		if err := x.alias.Translate(x.request); err != nil {
			return nil, err
		}
	}
	if x.alias.Serve != nil {
		return x.alias.Serve(x.request, x.ask)
	}
	reply, err := x.ask(x.request)
	if err == nil && x.alias.Reply != nil {
		return x.alias.Reply(x.request, reply)
	}
	return reply, err
}

// outcome is what an operation comes to.
type outcome struct {
	reply *transport.Reply
	err   error
}

// ask hands a request to its operation and waits for the outcome: as long as the client, the server and answerMaxWait
// allow. What is given up here may still happen; an idempotency key makes it safe to ask again.
func (x *exchange) ask(r *transport.Request) (*transport.Reply, error) {
	s, gone := x.server, x.in.Context().Done()
	done := make(chan outcome, 1)
	if err := x.hand(r, func(reply *transport.Reply, err error) { done <- outcome{reply, err} }); err != nil {
		return nil, err
	}
	patience := time.NewTimer(answerMaxWait)
	defer patience.Stop()
	select {
	case o := <-done:
		return o.reply, o.err
	case <-gone:
		return nil, errGone
	case <-s.waiting.Done():
		return nil, problem.New(problem.Unavailable, "the service stopped while it worked on this; the outcome is not known")
	case <-patience.C:
		return nil, problem.New(problem.Unavailable, "no answer within %v; the outcome is not known", answerMaxWait)
	}
}

// hand hands the request over: at once, or, if that reads from the disk, when one of the readers is free.
func (x *exchange) hand(r *transport.Request, done func(*transport.Reply, error)) error {
	s, ctx := x.server, x.in.Context()
	if r.Op.Blocks {
		select {
		case s.readers <- struct{}{}:
			defer func() { <-s.readers }()
		case <-ctx.Done():
			return errGone
		case <-s.waiting.Done():
			return stopping()
		}
	}
	r.Op.Handle(ctx, r, done)
	return nil
}

// reply writes a success.
func (x *exchange) reply(r *transport.Reply) {
	h := x.w.Header()
	h.Set("Cache-Control", "no-cache") // keep it, but ask before using it again: RFC 9111 section 5.2.2.4
	if r.Version > 0 {
		tag := `"v` + strconv.FormatUint(r.Version, 10) + `"`
		h.Set("ETag", tag)
		if names(x.ifNoneMatch, tag) {
			x.write(http.StatusNotModified, nil)
			return
		}
	}
	if r.Fence > 0 {
		h.Set(transport.HeaderLockFence, strconv.FormatUint(r.Fence, 10))
	}
	if r.See != (transport.Place{}) {
		h.Set("Location", x.server.location(x.request, r.See))
	}
	for name, value := range r.Header {
		h.Set(name, value)
	}
	if x.request.Op.Stream != nil {
		h.Add("Vary", "Accept")
	}
	if r.Body != nil {
		contentType := r.ContentType
		if contentType == "" {
			contentType = transport.MediaJSON
		}
		h.Set(transport.HeaderContentType, contentType)
	}
	x.write(r.Status, r.Body)
}

// names says whether the value of If-None-Match names the entity tag, by the weak comparison that reads use (RFC 9110
// section 13.1.2). What is no entity tag names nothing.
func names(ifNoneMatch, tag string) bool {
	if strings.TrimSpace(ifNoneMatch) == "*" {
		return true
	}
	for one := range strings.SplitSeq(ifNoneMatch, ",") {
		if strings.TrimPrefix(strings.TrimSpace(one), "W/") == tag {
			return true
		}
	}
	return false
}

// refuse writes a problem, and tells the observer.
func (x *exchange) refuse(err error) {
	if errors.Is(err, errGone) || errors.Is(err, context.Canceled) && x.in.Context().Err() != nil {
		x.server.observer.Dropped("client gone")
		panic(http.ErrAbortHandler) // or net/http would say 200
	}
	said := err
	if x.alias != nil && x.alias.Refuse != nil {
		said = x.alias.Refuse(err)
	}
	p := problem.Of(said)
	x.server.observer.Refused(x.request, p, err)
	x.answered(p.Code)
	status, body, mediaType := p.Status(), transport.RenderProblem(p, x.request.RequestID), transport.ProblemContentType
	if x.alias != nil && x.alias.Refusals != nil {
		status, body = x.alias.Refusals.Write(x.request, err)
		mediaType = transport.MediaJSON
	}
	h := x.w.Header()
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(transport.RetryAfterSeconds(p.RetryAfter)))
	}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", challenge(&x.request.Header))
	}
	x.writeRefusal(status, mediaType, body)
}

// challenge says how to authenticate (RFC 6750 section 3); a token that was given is told apart from none.
func challenge(h *transport.Header) string {
	if h.Authorization != "" {
		return `Bearer realm="concord", error="invalid_token"`
	}
	return `Bearer realm="concord"`
}

// refuseMethod answers 405 (RFC 9110 section 15.5.6). The codes have none for it: to programs it is an invalid request.
func (x *exchange) refuseMethod(allow string) {
	p := problem.New(problem.Invalid, "%.32s is not a method of this path: it has %s", x.in.Method, allow)
	x.server.observer.Refused(x.request, p, p)
	body, err := json.Marshal(transport.ProblemBody{Type: "about:blank", Title: http.StatusText(http.StatusMethodNotAllowed),
		Status: http.StatusMethodNotAllowed, Code: p.Code, Detail: p.Detail, RequestID: x.request.RequestID})
	if err != nil {
		panic("httpapi: a problem of strings always marshals: " + err.Error())
	}
	x.w.Header().Set("Allow", allow)
	x.writeRefusal(http.StatusMethodNotAllowed, transport.ProblemContentType, body)
}

func (x *exchange) writeRefusal(status int, mediaType string, body []byte) {
	x.w.Header().Set("Cache-Control", "no-store")
	x.w.Header().Set(transport.HeaderContentType, mediaType)
	x.write(status, body)
}

// write sends the answer. HEAD has the headers of GET alone (RFC 9110 section 9.3.2).
func (x *exchange) write(status int, body []byte) {
	x.started = true
	_ = x.wire.SetWriteDeadline(time.Now().Add(writeTimeout)) // not on every kind of connection
	if body != nil {
		x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	x.w.WriteHeader(status)
	if body == nil || x.in.Method == http.MethodHead {
		return
	}
	if _, err := x.w.Write(body); err != nil {
		x.server.observer.Dropped("write")
	}
}

// answered counts the answer if it is an operation's of the table.
func (x *exchange) answered(code problem.Code) {
	if op := x.request.Op; op.Handle != nil {
		x.server.observer.Answered(op, code, time.Since(x.request.Received))
	}
}
