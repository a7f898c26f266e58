package node

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"concord/actors/entity"
	"concord/actors/source"
	"concord/persistence"
	"concord/transport"
)

// TestAuthoritiesOverNATS: an authority's id travels in the body, its events on the subject of its source; and a node that
// starts ends what another has left half done, before it answers anybody.
func TestAuthoritiesOverNATS(t *testing.T) {
	o := testOptions(t)
	n, nc := startNode(t, o)
	ask := func(subject, body, want string) {
		t.Helper()
		msg, err := nc.Request("concord.v1."+subject, []byte(body), 5*time.Second)
		if err != nil {
			t.Fatal(subject, err)
		}
		if got := msg.Header.Get(transport.HeaderServiceCode); got != want {
			t.Fatalf("%s %s: %q, want %q: %s", subject, body, got, want, msg.Data)
		}
	}
	ask("source.put.p.names", `{"name":"Names","codes":["n"]}`, "")
	ask("authority.put.p", `{"authority":"a. *","source":"names","naturalId":"n1","record":{"heading":"One"}}`, "")
	ask("authority.get.p", `{"authority":"a. *"}`, "")
	ask("authority.get.p", ``, "400")
	ask("authority.get.p", `{"authority":".."}`, "400")
	ask("authority.get.p", `{"authority":"b"}`, "404")
	ask("authority.put.p", `{"source":"names","naturalId":"n1","record":{"heading":"One"}}`, "400")
	ask("authority.list.p", `{"source":"names"}`, "")
	ask("authority.delete.p", `{"authority":"a. *"}`, "")
	events(t, nc, "concord.v1.event.authority.p.names", "authority.saved", "authority.deleted")

	id := persistence.EntityID{Kind: persistence.KindSource, Provider: "p", ID: "names"}
	closed := make(chan error, 1)
	n.host.Deliver(&entity.Envelope{Entity: id, Command: &source.Close{}, Reply: func(_ entity.Answer, err error) { closed <- err }})
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	ask("source.patch.p.other", `{"name":"x"}`, "404")
	stopNode(t, n, nc)
	n, nc = startNode(t, o)
	defer stopNode(t, n, nc)
	ask("authority.put.p", `{"authority":"b","source":"names","naturalId":"n1","record":{"heading":"One"}}`, "")
}

func startNode(t *testing.T, o Options) (*Node, *nats.Conn) {
	t.Helper()
	n, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(n.NATSAddress())
	if err != nil {
		t.Fatal(err)
	}
	return n, nc
}

func stopNode(t *testing.T, n *Node, nc *nats.Conn) {
	t.Helper()
	nc.Close()
	if err := n.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// events waits for events of the types on the subject, and looks at what they tell.
func events(t *testing.T, nc *nats.Conn, subject string, types ...string) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	consumer, err := js.OrderedConsumer(ctx, "CONCORD_EVENTS", jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range types {
		msg, err := consumer.Next(jetstream.FetchMaxWait(5 * time.Second))
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			Type, Entity string
			Data         struct {
				Source   string
				Revision int
			}
		}
		if err := json.Unmarshal(msg.Data(), &e); err != nil || e.Type != want || e.Entity != "a. *" || e.Data.Source != "names" || e.Data.Revision != i+1 {
			t.Errorf("%s, %v; want %s", msg.Data(), err, want)
		}
	}
}
