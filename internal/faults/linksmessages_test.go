package faults

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// linkMessage is a message of CONCORD_LINKS, as another system reads it.
type linkMessage struct {
	ID         string
	JobID      string
	Tenant     string
	Collection string
	Version    uint64
	Part       int
	Parts      int
	Updates    []struct {
		AuthorityID   string
		Type          string
		UpdateTargets []struct {
			Field string
			Links []struct {
				LinkID     int
				InstanceID string
			}
		}
		SubfieldsChanges []struct {
			Field     string
			Subfields []struct{ Code, Value string }
		}
	}
}

const (
	linkMessageMaxLinks = 100
	messagesMaxWait     = 20 * time.Second
)

// linkMessages are the messages of the stream, without repeats, in order for each collection. It waits for those of all
// versions that are wanted.
func linkMessages(t *testing.T, p *process, want map[string]uint64) map[string][]linkMessage {
	t.Helper()
	nc, err := nats.Connect(p.address())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), messagesMaxWait)
	defer cancel()
	consumer, err := js.OrderedConsumer(ctx, "CONCORD_LINKS", jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	all, seen, repeats := map[string][]linkMessage{}, map[string]bool{}, 0
	missing := len(want)
	for missing > 0 {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			t.Errorf("link messages of %d collections are missing: %v", missing, err)
			return all
		}
		var m linkMessage
		if err := json.Unmarshal(msg.Data(), &m); err != nil || m.Tenant != provider {
			t.Fatalf("a message %s: %v", msg.Data(), err)
		}
		if id := msg.Headers().Get(jetstream.MsgIDHeader); id != m.ID {
			t.Errorf("the message %s has the id %s", id, m.ID)
		}
		if seen[m.ID] {
			repeats++
			continue
		}
		seen[m.ID] = true
		all[m.Collection] = append(all[m.Collection], m)
		if m.Version == want[m.Collection] && m.Part == m.Parts {
			missing--
		}
	}
	t.Logf("%d link messages, %d repeats", len(seen), repeats)
	return all
}

// copyOf is another system's own copy of all documents, as they are now in the model.
func (c *catalogue) copyOf() map[string]map[string]dumbDocument {
	all := map[string]map[string]dumbDocument{}
	for collection, documents := range c.model.documents {
		all[collection] = map[string]dumbDocument{}
		for id, d := range documents {
			all[collection][id] = d.clone()
		}
	}
	return all
}

// checkMessages applies all link messages to a copy of before: it ends as the model.
func (c *catalogue) checkMessages(copied map[string]map[string]dumbDocument) {
	c.t.Helper()
	for collection, messages := range linkMessages(c.t, c.p, c.relinked) {
		slices.SortStableFunc(messages, func(a, b linkMessage) int {
			return cmp.Or(cmp.Compare(a.Version, b.Version), cmp.Compare(a.Part, b.Part))
		})
		for chunk := range versionsOf(messages) {
			if err := applyMessages(copied[collection], chunk); err != nil {
				c.t.Errorf("%s, version %d: %v", collection, chunk[0].Version, err)
				return
			}
		}
	}
	told := 0
	for collection, documents := range copied {
		for id, d := range documents {
			if now := c.model.documents[collection][id]; now.says() != d.says() {
				if told++; told <= differencesMax {
					c.t.Errorf("%s, %s: the copy is %s, want %s", collection, id, d.says(), now.says())
				}
			}
		}
	}
}

// versionsOf yields the messages of one version after the other.
func versionsOf(messages []linkMessage) func(func([]linkMessage) bool) {
	return func(yield func([]linkMessage) bool) {
		for len(messages) > 0 {
			n := 1
			for n < len(messages) && messages[n].Version == messages[0].Version {
				n++
			}
			if !yield(messages[:n]) {
				return
			}
			messages = messages[n:]
		}
	}
}

// heard is what a message says of one link.
type heard struct {
	link                   int // among those of the document before the version
	field, authority, kind string
	changes                []dumbSub
}

// applyMessages brings a copy to a version, of which these are all messages.
func applyMessages(documents map[string]dumbDocument, messages []linkMessage) error {
	if last := messages[len(messages)-1]; len(messages) != last.Parts {
		return fmt.Errorf("%d messages of %d", len(messages), last.Parts)
	}
	all := map[string][]heard{}
	for _, m := range messages {
		links := 0
		for _, u := range m.Updates {
			changes := map[string][]dumbSub{}
			for _, c := range u.SubfieldsChanges {
				for _, s := range c.Subfields {
					changes[c.Field] = append(changes[c.Field], dumbSub{s.Code, s.Value})
				}
			}
			for _, target := range u.UpdateTargets {
				links += len(target.Links)
				for _, l := range target.Links {
					all[l.InstanceID] = append(all[l.InstanceID], heard{l.LinkID, target.Field, u.AuthorityID, u.Type, changes[target.Field]})
				}
			}
		}
		if links == 0 || links > linkMessageMaxLinks {
			return fmt.Errorf("%d links in a message", links)
		}
	}
	for id, list := range all {
		d := documents[id]
		// The last link first: so that one that goes does not change the number of another.
		slices.SortFunc(list, func(a, b heard) int { return cmp.Compare(b.link, a.link) })
		for _, h := range list {
			if d == nil || h.link >= len(d.authorities()) || d.authorities()[h.link] != h.authority {
				return fmt.Errorf("link %d of %s is not one of %s", h.link, id, h.authority)
			}
			if err := d.hear(h); err != nil {
				return fmt.Errorf("link %d of %s: %w", h.link, id, err)
			}
		}
	}
	return nil
}

func (d *dumbMARC) hear(h heard) error {
	f := &d.fields[d.links()[h.link]]
	if f.tag != h.field {
		return fmt.Errorf("it is a %s, not a %s", f.tag, h.field)
	}
	f.apply(h.kind, h.changes)
	return nil
}

// apply does to a field what a message says. An empty value removes a subfield.
func (f *dumbField) apply(kind string, changes []dumbSub) {
	if kind == "DELETE" {
		f.unlink()
		return
	}
	var first []dumbSub
	changed := map[string]bool{}
	for _, s := range changes {
		if s.code == "0" {
			f.setURI(s.text)
			continue
		}
		changed[s.code] = true
		if s.text != "" {
			first = append(first, s)
		}
	}
	if len(changed) == 0 {
		return
	}
	for _, take := range []func(code string) bool{
		func(code string) bool { return code >= "a" && code <= "z" && !changed[code] },
		func(code string) bool { return code == "0" }, func(code string) bool { return code == "9" },
		func(code string) bool { return (code < "a" || code > "z") && code != "0" && code != "9" },
	} {
		for _, s := range f.subs {
			if take(s.code) {
				first = append(first, s)
			}
		}
	}
	f.raw, f.subs = "", first
}
