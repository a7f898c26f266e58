package node

import (
	"fmt"
	"testing"

	"concord/persistence/pebblestore"
)

// TestRollBackPastRetention: with one version kept of each collection, retention comes after every step, and three steps can be
// taken back all the same, one at a time or at once, and brought back; a session that is closed cannot, and holds nothing; one
// that keeps the newest step alone lets go of what is before it.
func TestRollBackPastRetention(t *testing.T) {
	o := testOptions(t)
	o.Retention = pebblestore.Policy{Versions: 1}
	r := startRig(t, o)
	defer r.stop()
	const first = `{"metadata":{"words":["first"]}}`
	r.ask("ann", "collection.put", "c0", first, 200)
	r.ask("ann", "collection.put", "c1", first, 200)
	all := r.session(`{"ids":["c0"]}`)
	previous := r.session(`{"ids":["c1"],"keep":"previous"}`)
	for n := range 3 {
		r.step(all, n)
		r.step(previous, n)
		if oldest := r.oldest(0); oldest != 1 {
			t.Errorf("c0 begins at version %d after step %d", oldest, n)
		}
		if oldest := r.oldest(1); oldest != uint64(n+1) {
			t.Errorf("c1 begins at version %d after step %d", oldest, n)
		}
	}
	back := func(session, operation, body, state, collection, want string) {
		t.Helper()
		r.run(session, operation, body, state)
		r.oldest(0)
		r.oldest(1)
		if got := fmt.Sprint(r.ask("ann", "collection.get", collection, "", 200)["metadata"]); got != want {
			t.Errorf("%s %s: %s is %s, want %s", operation, body, collection, got, want)
		}
	}
	back(all, "edit.rollback", `{"to":"previous"}`, "ROLLED_BACK", "c0", "map[words:[first w0 w1]]")
	back(all, "edit.rollback", `{"to":"initial"}`, "ROLLED_BACK", "c0", "map[words:[first]]")
	back(all, "edit.redo", ``, "COMPLETED", "c0", "map[words:[first w0 w1]]")
	back(all, "edit.redo", ``, "COMPLETED", "c0", "map[words:[first w0 w1 w2]]")
	back(all, "edit.rollback", `{"to":1}`, "ROLLED_BACK", "c0", "map[words:[first w0]]")
	r.ask("ann", "edit.rollback", previous, `{"to":"initial"}`, 422)
	back(previous, "edit.rollback", `{"to":"previous"}`, "ROLLED_BACK", "c1", "map[words:[first w0 w1]]")
	back(previous, "edit.redo", ``, "COMPLETED", "c1", "map[words:[first w0 w1 w2]]")
	for n, session := range []string{all, previous} {
		r.ask("ann", "edit.close", session, "", 200)
		now := uint64(r.ask("ann", "collection.get", fmt.Sprint("c", n), "", 200)["version"].(float64))
		if oldest := r.oldest(n); oldest != now {
			t.Errorf("c%d begins at version %d of %d after the session was closed", n, oldest, now)
		}
		r.ask("ann", "edit.rollback", session, `{"to":"initial"}`, 422)
		r.ask("ann", "edit.redo", session, ``, 422)
	}
}

// session opens one.
func (r *rig) session(body string) string {
	r.t.Helper()
	return fmt.Sprint(r.ask("ann", "edit.open", "", body, 200)["session"])
}

// step puts a word into the list of each record of a session.
func (r *rig) step(session string, n int) {
	r.t.Helper()
	r.run(session, "edit.apply", fmt.Sprintf(`{"instructions":[{"type":"ADD_TO_EXISTING","path":"/metadata/words","value":"w%d"}]}`, n), "COMPLETED")
}

// run has a session do something, until it is in a state.
func (r *rig) run(session, operation, body, state string) {
	r.t.Helper()
	r.ask("ann", operation, session, body, 200)
	r.until(operation+" of "+session+" is "+state, func() bool { return r.ask("ann", "edit.get", session, "", 200)["state"] == state })
}
