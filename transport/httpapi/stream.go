package httpapi

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"sync"
	"time"

	"concord/actors/problem"
	"concord/transport"
)

// Times of a stream.
const (
	// streamOpensAfter is how long a stream may take to refuse. One that has sent nothing by then is opened with a
	// comment, so that the client knows that it listens.
	streamOpensAfter = 50 * time.Millisecond
	heartbeatEvery   = 15 * time.Second
	// eventTimeout is how long a client may take to take one event. It is longer than the pause between two: a deadline
	// that has passed cannot be moved on every kind of connection.
	eventTimeout = heartbeatEvery + 5*time.Second
)

// wantsStream says whether the caller asks for server-sent events where there are some.
func (x *exchange) wantsStream() bool {
	if x.request.Op.Stream == nil || x.in.Method != http.MethodGet {
		return false
	}
	for _, accept := range x.in.Header.Values("Accept") {
		for one := range strings.SplitSeq(accept, ",") {
			mediaType, params, err := mime.ParseMediaType(one)
			if err == nil && mediaType == transport.MediaEventStream && params["q"] != "0" {
				return true
			}
		}
	}
	return false
}

// stream sends events (HTML Living Standard, section 9.2) until the client goes away, the server stops or the operation
// fails. An error before the first byte is a normal refusal; after it, an event "problem".
func (x *exchange) stream() error {
	s := x.server
	if err := s.streams.enter(); err != nil {
		return err
	}
	defer s.streams.leave()
	if err := x.open(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(x.in.Context())
	defer cancel()
	defer context.AfterFunc(s.streaming, cancel)()
	out := &eventWriter{x: x}
	var heart sync.WaitGroup
	heart.Go(func() {
		out.beat(ctx)
		cancel() // nobody listens any longer
	})
	err := x.request.Op.Stream(ctx, x.request, out.send)
	cancel()
	heart.Wait()
	return out.end(err)
}

// eventWriter writes one stream, for two: the operation and the heart.
type eventWriter struct {
	x *exchange

	mu     sync.Mutex
	broken error // of the connection
}

// send writes one event and sends it off.
func (o *eventWriter) send(e transport.StreamEvent) error {
	return o.write(renderEvent(e))
}

// renderEvent is the event in the format of the standard: a line break in the data begins another data line.
func renderEvent(e transport.StreamEvent) string {
	var b strings.Builder
	line := func(field, value string) {
		b.WriteString(field + ": " + value + "\n")
	}
	if e.ID != "" {
		line("id", e.ID)
	}
	if e.Type != "" {
		line("event", e.Type)
	}
	for data := range strings.SplitSeq(breaks.Replace(string(e.Data)), "\n") {
		line("data", data)
	}
	return b.String() + "\n"
}

// breaks makes one of the three line breaks that the standard knows.
var breaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// beat sends a comment once to open the stream, then again and again to keep it open, until the context or the
// connection ends.
func (o *eventWriter) beat(ctx context.Context) {
	pause := time.NewTimer(streamOpensAfter)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
			if o.write(":\n\n") != nil {
				return
			}
			pause.Reset(heartbeatEvery)
		}
	}
}

// write sends a text off. After an error of the connection it does nothing but return the error again.
func (o *eventWriter) write(text string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.broken != nil {
		return o.broken
	}
	if o.broken = o.x.sendOff(text); o.broken != nil {
		o.broken = fmt.Errorf("%w: %w", errGone, o.broken)
	}
	return o.broken
}

// sendOff writes part of a stream, the headers first.
func (x *exchange) sendOff(text string) error {
	_ = x.wire.SetWriteDeadline(time.Now().Add(eventTimeout)) // not on every kind of connection
	if !x.started {
		h := x.w.Header()
		h.Set(transport.HeaderContentType, transport.MediaEventStream)
		h.Set("Cache-Control", "no-store")
		x.w.WriteHeader(http.StatusOK)
		x.started = true
		x.answered("")
	}
	if _, err := x.w.Write([]byte(text)); err != nil {
		return err
	}
	return x.wire.Flush()
}

// end closes the stream. The heart has stopped.
func (o *eventWriter) end(err error) error {
	x := o.x
	switch {
	case o.broken != nil || x.in.Context().Err() != nil:
		if x.started {
			return nil // a stream ends so
		}
		return errGone
	case !x.started && err == nil && x.server.streaming.Err() != nil:
		return stopping()
	case !x.started && err == nil:
		return o.write(":\n\n") // the operation had nothing to send
	case !x.started:
		return err
	case err == nil:
		return nil
	}
	p := problem.Of(err)
	x.server.observer.Refused(x.request, p, err)
	return o.send(transport.StreamEvent{Type: "problem", Data: transport.RenderProblem(p, x.request.RequestID)})
}
