package fanout

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// authority commits an event of an authority of the source.
func (w *world) authority(id, source string) {
	e := persistence.EntityID{Kind: persistence.KindAuthority, Provider: "p", ID: id}
	w.add(e, &recordpb.Record{Type: "authority.saved", Data: []byte(fmt.Sprintf(`{"source":%q,"revision":1}`, source)),
		Parts: []*recordpb.Part{{}}})
}

// TestAuthoritiesShareASubject: an id of an authority is no token, so that its events leave on the subject of its source;
// after a crash nothing of them is lost, or published twice, although the newest message of a subject tells nothing.
func TestAuthoritiesShareASubject(t *testing.T) {
	w := newWorld(t)
	w.start()
	ids := []string{"n 1", "n.1", "*", "a/b", "ü"}
	some := func() {
		for i, id := range ids {
			w.authority(id, []string{"names", "subjects"}[i%2])
			w.commit("c", "")
		}
	}
	some()
	w.ids("EVENTS", 2*len(ids))
	w.stop()
	cursors := w.memory.kept()
	w.start()
	some()
	w.ids("EVENTS", 4*len(ids))
	w.stop()
	w.memory.back(cursors)
	w.start()
	some()
	got := w.ids("EVENTS", 6*len(ids))
	w.exact("EVENTS", 6*len(ids))
	for _, id := range ids {
		for seq := range 3 {
			if want := fmt.Sprintf("authority/p/%s#%d", id, seq+1); !slices.Contains(got, want) {
				t.Errorf("%s did not leave", want)
			}
		}
	}
	s, err := w.js.Stream(context.Background(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	info, err := s.Info(context.Background(), jetstream.WithSubjectFilter("c.v1.event.authority.p.names"))
	if err != nil || info.State.Subjects["c.v1.event.authority.p.names"] != 9 {
		t.Errorf("events of names: %v, %v; want 9", info.State.Subjects, err)
	}
}
