package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"concord/transport"
	"concord/transport/httpapi"
)

// pipes is a listener whose connections live in memory, so that their time is the bubble's.
type pipes struct {
	made   chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.made:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.IPAddr{} }

// dial serves the server in a synctest bubble and returns a connection to it. hangUp ends both.
func dial(t *testing.T, s *httpapi.Server) (c net.Conn, hangUp func()) {
	t.Helper()
	l := &pipes{make(chan net.Conn), make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	near, far := net.Pipe()
	l.made <- far
	return near, func() {
		_ = near.Close()
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}

// takesBody makes thing.get a POST with a body.
func takesBody(op *transport.Operation) { op.Method, op.Body = "POST", struct{}{} }

func post(length int) string {
	return fmt.Sprintf("POST /api/v1/things HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", length)
}

func readResponse(t *testing.T, c net.Conn) *http.Response {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBodyMustComeInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, hangUp := dial(t, service(&log{}, answerOK, takesBody))
		defer hangUp()
		began := time.Now()
		if _, err := io.WriteString(c, post(2)+"{"); err != nil {
			t.Fatal(err)
		}
		if r := readResponse(t, c); r.StatusCode != 400 || time.Since(began) != 30*time.Second {
			t.Errorf("status %d after %v", r.StatusCode, time.Since(began))
		}
	})
}

// TestAnswerMayTakeLongerThanTheBody would fail if the time of the body went on after its end.
func TestAnswerMayTakeLongerThanTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context, r *transport.Request, done func(*transport.Reply, error)) {
			go func() {
				time.Sleep(45 * time.Second)
				done(&transport.Reply{Status: 200, Body: r.Body}, ctx.Err())
			}()
		}
		c, hangUp := dial(t, service(&log{}, slow, takesBody))
		defer hangUp()
		for range 2 { // the connection is as good as new afterwards
			if _, err := io.WriteString(c, post(2)+"{}"); err != nil {
				t.Fatal(err)
			}
			r := readResponse(t, c)
			if body, err := io.ReadAll(r.Body); r.StatusCode != 200 || string(body) != "{}" || err != nil {
				t.Errorf("status %d, %q, %v", r.StatusCode, body, err)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestHeadersMustComeInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, hangUp := dial(t, service(&log{}, answerOK))
		defer hangUp()
		began := time.Now()
		if _, err := io.WriteString(c, "GET /api/v1/things HTTP/1.1\r\nHost: loc"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil || time.Since(began) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestHeadersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, hangUp := dial(t, service(&log{}, answerOK))
		defer hangUp()
		go func() {
			_, _ = io.WriteString(c, "GET /api/v1/things?"+strings.Repeat("x", 128<<10)+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		}()
		if r := readResponse(t, c); r.StatusCode != 431 {
			t.Errorf("status %d", r.StatusCode)
		}
	})
}
