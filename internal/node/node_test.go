package node

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/rs/zerolog"

	"concord/actors/host"
	"concord/transport"
	"concord/transport/fanout"
	"concord/transport/operations"
)

func testOptions(t testing.TB) Options {
	return Options{
		Data: t.TempDir(), NATSHost: "127.0.0.1", HTTPHost: "127.0.0.1", Auth: transport.AuthOff{}, AuthOff: true,
		Prefix: "concord.v1", Version: "0.1.0", Limits: operations.DefaultLimits, Transport: transport.DefaultLimits,
		Bounds: host.DefaultBounds, Events: fanout.Config{Stream: "CONCORD_EVENTS", MaxAge: 24 * time.Hour, MaxBytes: 1 << 30},
		Fatal: func(err error) { t.Errorf("fatal: %v", err) },
		Log:   zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel),
	}
}

func TestSmoke(t *testing.T) {
	n, err := Start(testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	nc, err := nats.Connect(n.NATSAddress())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	ask := func(subject, body string) {
		msg, err := nc.Request(subject, []byte(body), 2*time.Second)
		if err != nil {
			t.Fatal(subject, err)
		}
		t.Logf("%s %s\n -> %s %v", subject, body, msg.Data, msg.Header)
	}
	ask("concord.v1.collection.put.p.a", `{"metadata":{"t":1},"documents":{"x":{"a":1},"y":[1,2]}}`)
	ask("concord.v1.collection.put.p.a", `{"metadata":{"t":1.0}}`)
	ask("concord.v1.document.put.p.a", `{"document":"x","value":{"a":2},"baseVersion":1}`)
	ask("concord.v1.document.put.p.a", `{"document":"x","value":{"a":3},"baseVersion":1}`)
	ask("concord.v1.collection.get.p.a", ``)
	ask("concord.v1.collection.get.p.a", `{"version":1}`)
	ask("concord.v1.collection.history.p.a", ``)
	ask("concord.v1.collection.diff.p.a", `{"from":1}`)
	ask("concord.v1.collection.blame.p.a", ``)
	ask("concord.v1.collection.revert.p.a", `{"to":1}`)
	ask("concord.v1.collection.delete.p.a", ``)
	ask("concord.v1.collection.get.p.a", ``)
	ask("concord.v1.collection.revert.p.a", `{"to":3}`)
	ask("concord.v1.collection.get.p.a", ``)
	ask("concord.v1.collection.events.p.a", ``)
	ask("concord.v1.collection.list.p", ``)
	ask("concord.v1.upload.open.p", ``)
	ask("concord.v1.admin.status", ``)
	ask("concord.v1.collection.put.p.a", `{"Metadata":{}}`)
	ask("concord.v1.collection.put.p.*", `{}`)
}

func TestLoad(t *testing.T) {
	if os.Getenv("LOAD") == "" {
		t.Skip()
	}
	o := testOptions(t)
	n, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Stop(context.Background())
	var count atomic.Int64
	svc, err := micro.AddService(n.nc, micro.Config{Name: "echo", Version: "0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	svc.AddEndpoint("echo", micro.HandlerFunc(func(r micro.Request) { r.Respond(r.Data()) }), micro.WithEndpointSubject("echo.*"))
	var wg sync.WaitGroup
	pad, _ := json.Marshal(map[string]string{"text": string(make([]byte, 0)) + fmt.Sprintf("%0900d", 7)})
	stop := make(chan struct{})
	for c := range 64 {
		nc, _ := nats.Connect(n.NATSAddress())
		wg.Go(func() {
			defer nc.Close()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if os.Getenv("LOAD") == "echo" {
					if _, err := nc.Request("echo.p", pad, 5*time.Second); err != nil {
						t.Error(err)
						return
					}
					count.Add(1)
					continue
				}
				body := fmt.Sprintf(`{"documents":{"d":{"n":%d,"v":%s}}}`, i, pad)
				subject := "concord.v1.collection.put.p.c%d"
				if i >= 320 {
					subject = "concord.v1.document.put.p.c%d"
					body = fmt.Sprintf(`{"document":"d","value":{"n":%d,"v":%s}}`, i, pad)
				}
				m, err := nc.Request(fmt.Sprintf(subject, (i*64+c)%20480), []byte(body), 5*time.Second)
				if err != nil || m.Header != nil {
					t.Error(err, m)
					return
				}
				count.Add(1)
			}
		})
	}
	for range 8 {
		before := count.Load()
		time.Sleep(time.Second)
		t.Log(count.Load() - before)
	}
	close(stop)
	wg.Wait()
	families, _ := n.metrics.Registry.Gather()
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if h := m.GetHistogram(); h != nil {
				t.Log(f.GetName(), m.GetLabel(), h.GetSampleCount(), h.GetSampleSum()/float64(h.GetSampleCount()))
			}
		}
	}
}
