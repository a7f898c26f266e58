package node

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"concord/actors"
	"concord/actors/editsession"
	"concord/actors/entity"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

// TestSessionsHoldWhatTheyReplace: retention leaves what a session can take back, however much is written since, and removes it
// once the session is closed.
func TestSessionsHoldWhatTheyReplace(t *testing.T) {
	o := testOptions(t)
	o.Retention = pebblestore.Policy{Versions: 1}
	r := startRig(t, o)
	defer r.stop()
	const collections = 5
	ids := ""
	for c := range collections {
		r.ask("ann", "collection.put", fmt.Sprint("c", c), `{"metadata":{"words":["first"]}}`, 200)
		ids += fmt.Sprintf(`,"c%d"`, c)
	}
	session := fmt.Sprint(r.ask("ann", "edit.open", "", `{"ids":[`+ids[1:]+`]}`, 200)["session"])
	r.ask("ann", "edit.apply", session, `{"instructions":[{"type":"ADD_TO_EXISTING","path":"/metadata/words","value":"x"}]}`, 200)
	r.until("the step is applied", func() bool { return r.ask("ann", "edit.get", session, "", 200)["state"] == "COMPLETED" })
	for c := range collections {
		for n := range 20 {
			r.ask("bob", "collection.put", fmt.Sprint("c", c), fmt.Sprintf(`{"metadata":{"words":["%d"]}}`, n), 200)
		}
	}
	for c := range collections {
		if oldest := r.oldest(c); oldest != 1 {
			t.Errorf("c%d begins at version %d while the session is open", c, oldest)
		}
		if got := fmt.Sprint(r.ask("ann", "collection.get", fmt.Sprint("c", c), `{"version":1}`, 200)["metadata"]); got != "map[words:[first]]" {
			t.Errorf("version 1 of c%d: %s", c, got)
		}
	}
	closed := make(chan error, 1)
	r.n.host.Deliver(&entity.Envelope{Entity: persistence.EntityID{Kind: persistence.KindEditSession, Provider: "p", ID: session},
		Command: &editsession.Close{}, Meta: entity.Meta{Principal: "ann"}, Reply: func(_ entity.Answer, err error) { closed <- err }})
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	r.until("all that was closed is looked at", func() bool {
		var pins bytes.Buffer
		if err := r.n.store.Dump(&pins, pebblestore.DumpOptions{Families: []string{"pin"}}); err != nil {
			t.Fatal(err)
		}
		return pins.Len() == 0
	})
	for c := range collections {
		if oldest := r.oldest(c); oldest != 22 {
			t.Errorf("c%d begins at version %d after the session was closed", c, oldest)
		}
	}
}

// oldest is where the history of a collection begins once it was trimmed, whoever still reads the log.
func (r *rig) oldest(c int) uint64 {
	r.t.Helper()
	id := persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: fmt.Sprint("c", c)}
	_, err := r.n.store.Trim(context.Background(), id, r.n.options.Retention, pebblestore.TrimOptions{Now: r.n.clock.Now(),
		Fold: actors.Fold(r.n.options.Limits.Actors), Needs: actors.Needs(r.n.options.Limits.Actors), Released: r.n.holders.Released})
	if err != nil {
		r.t.Fatal(err)
	}
	oldest, err := r.n.store.Oldest(id)
	if err != nil {
		r.t.Fatal(err)
	}
	return oldest
}

// until asks again until it is so.
func (r *rig) until(what string, so func() bool) {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); !so(); {
		if time.Now().After(end) {
			r.t.Fatalf("it did not come about that %s", what)
		}
	}
}
