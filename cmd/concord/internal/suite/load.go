package suite

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"
)

// Bounds of what a suite makes before it measures.
const (
	preloadConnections = 8
	preloadPerConn     = 16  // requests of one connection that are under way
	preloadDocuments   = 400 // of one request
	payloadBytes       = 1024
)

// Preload implements bench.Preloader: many concurrent collection.put, one document each.
func (c *Concord) Preload(ctx context.Context, keys int, payload []byte) error {
	body := []byte(`{"documents":{"` + benchDocument + `":` + string(payload) + `}}`)
	return c.all(ctx, keys, func(ctx context.Context, conn *connection, key int) error {
		_, err := conn.ask(ctx, &nats.Msg{Subject: conn.create + collection(key), Data: body})
		return err
	})
}

// all does n things over several connections, many at a time.
func (c *Concord) all(ctx context.Context, n int, do func(ctx context.Context, conn *connection, i int) error) error {
	conns, closeAll, err := c.connections(preloadConnections)
	if err != nil {
		return err
	}
	defer closeAll()
	var next atomic.Int64
	workers, ctx := errgroup.WithContext(ctx)
	for i := range preloadConnections * preloadPerConn {
		conn := *conns[i%preloadConnections] // shared, but for the buffer
		conn.body = nil
		workers.Go(func() error { return each(ctx, &next, n, &conn, do) })
	}
	return workers.Wait()
}

// each does what is left of n things, one after the other.
func each(ctx context.Context, next *atomic.Int64, n int, conn *connection, do func(context.Context, *connection, int) error) error {
	for {
		i := int(next.Add(1)) - 1
		if i >= n {
			return nil
		}
		if err := do(ctx, conn, i); err != nil {
			return err
		}
	}
}

// connections opens n connections.
func (c *Concord) connections(n int) (conns []*connection, closeAll func(), err error) {
	closeAll = func() {
		for _, conn := range conns {
			conn.nc.Close()
		}
	}
	for i := range n {
		conn, err := c.connect(i)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		conns = append(conns, conn)
	}
	return conns, closeAll, nil
}

// documents makes a collection of so many documents, named by their numbers.
func (c *Concord) documents(ctx context.Context, id string, n int) error {
	conn, err := c.connect(0)
	if err != nil {
		return err
	}
	defer conn.nc.Close()
	if _, err := conn.ask(ctx, &nats.Msg{Subject: conn.create + id, Data: []byte(`{}`)}); err != nil {
		return err
	}
	patch := "concord.v1.collection.patch." + c.provider() + "." + id
	for from := 0; from < n; from += preloadDocuments {
		body := []byte(`{"changes":[`)
		for i := from; i < min(from+preloadDocuments, n); i++ {
			if i > from {
				body = append(body, ',')
			}
			body = fmt.Appendf(body, `{"op":"put-document","id":%q,"value":%s}`, documentName(i), payload())
		}
		if _, err := conn.ask(ctx, &nats.Msg{Subject: patch, Data: append(body, "]}"...)}); err != nil {
			return err
		}
	}
	return nil
}

func documentName(i int) string { return "d" + strconv.Itoa(i) }

// versions makes a collection of one document with so many versions.
func (c *Concord) versions(ctx context.Context, id string, n int) error {
	conn, err := c.connect(0)
	if err != nil {
		return err
	}
	defer conn.nc.Close()
	body := fmt.Appendf(nil, `{"documents":{"%s":%s}}`, benchDocument, payload())
	if _, err := conn.ask(ctx, &nats.Msg{Subject: conn.create + id, Data: body}); err != nil {
		return err
	}
	return c.all(ctx, n-1, func(ctx context.Context, conn *connection, _ int) error {
		return conn.write(ctx, id, benchDocument, payload(), nil)
	})
}

// payload is a JSON document of 1 KiB, different from all others.
func payload() []byte {
	const head, tail = `{"text":"`, `"}`
	random := make([]byte, (payloadBytes-len(head)-len(tail))/2)
	for i := 0; i < len(random); i += 8 {
		n := rand.Uint64()
		for j := i; j < min(i+8, len(random)); j++ {
			random[j] = byte(n)
			n >>= 8
		}
	}
	text := make([]byte, 0, payloadBytes)
	return append(hex.AppendEncode(append(text, head...), random), tail...)
}

func versionIn(text []byte) (int64, error) {
	var answer struct {
		Version int64 `json:"version"`
	}
	err := json.Unmarshal(text, &answer)
	return answer.Version, err
}

// timed does n operations by so many clients and returns how long that took.
func (c *Concord) timed(ctx context.Context, clients, n int, do func(ctx context.Context, conn *connection, i int) error) (time.Duration, error) {
	conns, closeAll, err := c.connections(clients)
	if err != nil {
		return 0, err
	}
	defer closeAll()
	var next atomic.Int64
	workers, ctx := errgroup.WithContext(ctx)
	begin := time.Now()
	for _, conn := range conns {
		workers.Go(func() error { return each(ctx, &next, n, conn, do) })
	}
	err = workers.Wait()
	return time.Since(begin), err
}
