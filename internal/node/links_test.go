package node

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// linkUpdates reads the stream of link updates until it has told of so many links, and returns what they point at.
func (r *rig) linkUpdates(links int) (uris []string) {
	r.t.Helper()
	js, err := jetstream.New(r.c)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var consumer jetstream.Consumer
	for consumer == nil { // the stream may not be there yet
		consumer, err = js.OrderedConsumer(ctx, "CONCORD_LINKS", jetstream.OrderedConsumerConfig{FilterSubjects: []string{"concord.v1.links.p.names"}})
		if err != nil && ctx.Err() != nil {
			r.t.Fatal(err)
		}
	}
	messages, err := consumer.Messages()
	if err != nil {
		r.t.Fatal(err)
	}
	defer messages.Stop()
	for len(uris) < links {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			r.t.Fatalf("%v; seen %v", err, uris)
		}
		var m struct {
			ID      string
			Updates []struct {
				UpdateTargets    []struct{ Links []any }
				SubfieldsChanges []struct {
					Subfields []struct{ Code, Value string }
				}
			}
		}
		if err := json.Unmarshal(msg.Data(), &m); err != nil || m.ID != msg.Headers().Get(jetstream.MsgIDHeader) {
			r.t.Fatalf("message %s: %v", msg.Data(), err)
		}
		for _, u := range m.Updates {
			for i, target := range u.UpdateTargets {
				for range target.Links {
					uris = append(uris, u.SubfieldsChanges[i].Subfields[0].Value)
				}
			}
		}
	}
	return uris
}

// TestLinkUpdatesLeave: a base URL changes, and systems that keep copies learn of every linked field; also from a stream that
// was deleted, and of a process that was started again.
func TestLinkUpdatesLeave(t *testing.T) {
	o := testOptions(t)
	r := startRig(t, o)
	r.ask("ann", "source.put", "names", `{"name":"Names","codes":["n"],"baseUrl":"http://old/"}`, 200)
	if msg, err := r.c.Request("concord.v1.authority.put.p", []byte(`{"authority":"davis","source":"names","naturalId":"n1","record":{"heading":"Davis, Miles"}}`), 5*time.Second); err != nil || msg.Header != nil {
		t.Fatal(err, msg)
	}
	const collections = 7
	for c := range collections {
		r.ask("ann", "collection.put", fmt.Sprint("c", c), `{"documents":{"d1":{"by":{"authorityId":"davis"}},"d2":{"by":[{"authorityId":"davis"},{"authorityId":"davis"}]}}}`, 200)
	}
	r.ask("ann", "source.patch", "names", `{"baseUrl":"http://new/"}`, 200)
	want := strings.Repeat("http://new/n1 ", 3*collections)
	check := func(when string) {
		t.Helper()
		if got := strings.Join(r.linkUpdates(3*collections), " ") + " "; got != want {
			t.Fatalf("%s: told of %s", when, got)
		}
	}
	check("at first")
	r.stop()
	r = startRig(t, o)
	check("after a restart")
	js, err := jetstream.New(r.c)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(context.Background(), "CONCORD_LINKS"); err != nil {
		t.Fatal(err)
	}
	r.stop()
	r = startRig(t, o)
	defer r.stop()
	check("after the stream was deleted")
}
