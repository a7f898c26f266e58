package node

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
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
