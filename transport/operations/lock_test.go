package operations

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collection"
	"concord/actors/lock"
	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
)

// token is the header of a write under a lock.
func token(t string) option { return with(transport.HeaderLockToken, t) }

// TestTypesRuleWrites: what a type sets holds from the next write on, and a type that is gone sets nothing.
func TestTypesRuleWrites(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[map[string]any](b, "type.put", "strict", `{"lock": {"mode": "explicit", "lockedStatus": 423}, "requireVersion": true}`)
	b.refused(problem.LockRequired, "collection.put", "c", `{"type": "strict", "metadata": {"n": 1}}`)
	grant := must[api.Grant](b, "lock.acquire", "c", ``)
	// The collection is made under a lock that is older than itself: a creation needs no version.
	must[collection.Result](b, "collection.put", "c", `{"type": "strict", "metadata": {"n": 1}}`, token(grant.Token))
	if p := b.refused(problem.Locked, "collection.put", "c", `{"metadata": {"n": 2}, "baseVersion": 1}`, as("bob")); p.Status() != 423 {
		t.Errorf("locked has the status %d", p.Status())
	}
	b.refused(problem.PreconditionRequired, "collection.put", "c", `{"metadata": {"n": 2}}`, token(grant.Token))
	must[collection.Result](b, "collection.put", "c", `{"metadata": {"n": 2}, "baseVersion": 1}`, token(grant.Token))
	must[collection.Result](b, "collection.put", "c", `{"metadata": {"n": 3}}`, token(grant.Token), with("If-Match", `"v2"`))
	b.refused(problem.PreconditionRequired, "collection.delete", "c", ``, token(grant.Token))

	must[map[string]any](b, "type.put", "strict", `{"lock": {"mode": "optimistic"}}`)
	must[collection.Result](b, "collection.put", "c", `{"metadata": {"n": 4}}`, as("bob"))
	must[map[string]any](b, "type.delete", "strict", ``)
	b.refused(problem.Locked, "collection.put", "c", `{"metadata": {"n": 5}}`, as("bob"))
}

// TestSaveAndRelease: the write and the end of the lock are one step; a write that is refused ends nothing.
func TestSaveAndRelease(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[collection.Result](b, "collection.put", "c", `{"metadata": {"n": 1}}`)
	grant := must[api.Grant](b, "lock.acquire", "c", ``)
	release := with(transport.HeaderLockRelease, "true")
	b.refused(problem.VersionConflict, "collection.put", "c", `{"metadata": {"n": 2}, "baseVersion": 7}`, token(grant.Token), release)
	if v := must[lock.View](b, "lock.get", "c", ``); v.State != lock.Held {
		t.Fatalf("the lock is %s", v.State)
	}
	saved := must[collection.Result](b, "collection.put", "c", `{"metadata": {"n": 2}}`, token(grant.Token), release)
	if v := must[lock.View](b, "lock.get", "c", ``); v.State != lock.Free || saved.Version != 2 || saved.Seq != 4 {
		t.Errorf("the lock is %s after %+v", v.State, saved)
	}
	p := b.refused(problem.StaleToken, "collection.put", "c", `{"metadata": {"n": 3}}`, token(grant.Token))
	if len(p.Members) == 0 || p.Members[0].Value != "released" {
		t.Errorf("a stale token: %+v", p.Members)
	}
	events := must[api.EventPage](b, "collection.events", "c", ``)
	if e := events.Items[2]; e.Type != "collection.saved" || e.Fence != grant.Fence {
		t.Errorf("the write under the lock is %s with fence %d", e.Type, e.Fence)
	}
	// A write that changes nothing releases, too.
	grant = must[api.Grant](b, "lock.acquire", "c", ``)
	if r := must[collection.Result](b, "collection.put", "c", `{"metadata": {"n": 2}}`, token(grant.Token), release); r.Changed {
		t.Errorf("%+v", r)
	}
	if v := must[lock.View](b, "lock.get", "c", ``); v.State != lock.Free {
		t.Errorf("the lock is %s", v.State)
	}
}

// TestParkedUpdate: it waits for its turn, keeps its request's reason and id, and says what became of it.
func TestParkedUpdate(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[collection.Result](b, "collection.put", "c", `{"metadata": {"n": 1}, "documents": {"a": 1}}`)
	grant := must[api.Grant](b, "lock.acquire", "c", ``)
	queue := with(transport.HeaderPrefer, "respond-async, wait=10")
	good := must[api.Parked](b, "collection.put", "c", `{"documents": {"b": 2}, "reason": "nightly"}`, as("bob"), queue)
	stale := must[api.Parked](b, "collection.put", "c", `{"metadata": {"n": 9}, "onLocked": "queue"}`, as("bob"))
	off := must[api.Parked](b, "document.delete", "c", ``, as("bob"), queue, inDocument("a"))
	if good.Position != 1 || stale.Position != 2 || good.State != "waiting" {
		t.Errorf("%+v, %+v", good, stale)
	}
	b.refused(problem.Forbidden, "operation.cancel", "c", ``, as("cat"), inDocument(off.Operation))
	if r, p := b.do("operation.cancel", "c", ``, as("bob"), inDocument(off.Operation)); p != nil || r.Status != 204 {
		t.Errorf("cancel: %v", p)
	}
	must[collection.Result](b, "collection.put", "c", `{"metadata": {"n": 2}}`, token(grant.Token), with(transport.HeaderLockRelease, "true"))

	operation := func(id string) (o api.Operation) {
		for o.State == "" || o.State == lock.OperationIsWaiting { // it has its turn after the answer to the release
			o = must[api.Operation](b, "operation.get", "c", ``, inDocument(id))
		}
		return o
	}
	if o := operation(good.Operation); o.State != lock.OperationIsDone || o.Version != 3 {
		t.Errorf("the first: %+v", o)
	}
	o := operation(stale.Operation)
	if o.State != lock.OperationHasFailed || o.Problem == nil || o.Problem.Code != problem.VersionConflict || o.Problem.Status != 409 {
		t.Errorf("the second: %+v, %+v", o, o.Problem)
	}
	if o := operation(off.Operation); o.State != lock.OperationIsCancelled {
		t.Errorf("the third: %+v", o)
	}
	b.refused(problem.NotFound, "operation.get", "c", ``, inDocument("o99"))
	h := must[api.HistoryPage](b, "collection.history", "c", ``)
	if v := h.Items[0]; v.Principal != "bob" || v.Reason != "nightly" || v.Version != 3 {
		t.Errorf("the newest version is %+v", v)
	}
	if v := must[lock.View](b, "lock.get", "c", ``); v.State != lock.Free || v.Parked != 0 {
		t.Errorf("the lock is %+v", v)
	}
}

// TestParkedBytesAreBounded: what waits in the store has a limit for each provider.
func TestParkedBytesAreBounded(t *testing.T) {
	b := start(t, vfs.NewMem())
	b.service.Limits.ParkedMaxBytes = 10_000
	must[api.Grant](b, "lock.acquire", "c", ``)
	body := `{"onLocked": "queue", "documents": {"d": "` + strings.Repeat("x", 4000) + `"}}`
	first := must[api.Parked](b, "collection.put", "c", body, as("bob"))
	must[api.Parked](b, "collection.put", "c", body, as("bob"))
	b.refused(problem.QueueFull, "collection.put", "c", body, as("bob"))
	if _, p := b.do("operation.cancel", "c", ``, as("bob"), inDocument(first.Operation)); p != nil {
		t.Fatal(p)
	}
	must[api.Parked](b, "collection.put", "c", body, as("bob"))
}

// TestLockBeforeCollection: a scope can be locked before there is a collection; nobody sees one.
func TestLockBeforeCollection(t *testing.T) {
	b := start(t, vfs.NewMem())
	grant := must[api.Grant](b, "lock.acquire", "new", `{"ttl": 30}`)
	b.refused(problem.NotFound, "collection.get", "new", ``)
	b.refused(problem.NotFound, "collection.history", "new", ``)
	if l := must[api.CollectionPage](b, "collection.list", "", ``); len(l.Items) != 0 {
		t.Errorf("%+v", l.Items)
	}
	if l := must[api.LockPage](b, "lock.list", "", ``); len(l.Items) != 1 || l.Items[0].ID != "new" || l.Items[0].ExpiresIn != 30 {
		t.Errorf("%+v", l.Items)
	}
	b.refused(problem.Locked, "collection.put", "new", `{}`, as("bob"))
	r := must[collection.Result](b, "collection.put", "new", `{"metadata": {"n": 1}}`, token(grant.Token))
	c := must[api.Collection](b, "collection.get", "new", ``)
	if r.Version != 1 || c.Version != 1 || c.Seq != r.Seq {
		t.Errorf("%+v, %+v", r, c)
	}
}

// TestRepeatedGrant: a repeat with the same key has the same token, without the token being stored; in another session
// it is another request.
func TestRepeatedGrant(t *testing.T) {
	b := start(t, vfs.NewMem())
	key := with(transport.HeaderIdempotencyKey, "k")
	first := must[api.Grant](b, "lock.acquire", "c", `{"ttl": 10}`, key)
	again := must[api.Grant](b, "lock.acquire", "c", `{"ttl": 10}`, key)
	if first.Token == "" || first.Token != again.Token || first.Fence != again.Fence {
		t.Errorf("%+v, %+v", first, again)
	}
	b.refused(problem.KeyReused, "lock.acquire", "c", `{"ttl": 10}`, key, with(transport.HeaderSession, "other"))
}

// TestAcquireWithTheTokenOfAnotherSession: it is a renewal, and the answer names the token that is good.
func TestAcquireWithTheTokenOfAnotherSession(t *testing.T) {
	b := start(t, vfs.NewMem())
	first := must[api.Grant](b, "lock.acquire", "c", ``, with(transport.HeaderSession, "one"))
	again := must[api.Grant](b, "lock.acquire", "c", ``, with(transport.HeaderSession, "two"), token(first.Token))
	if again.Token != first.Token || again.Fence != first.Fence {
		t.Errorf("%+v, then %+v", first, again)
	}
	must[collection.Result](b, "collection.put", "c", `{}`, with(transport.HeaderSession, "two"), token(again.Token))
}

// TestOnlyKeyedOperationsAreRemembered: a key on anything else changes nothing, and a look at a lock is always a new one.
func TestOnlyKeyedOperationsAreRemembered(t *testing.T) {
	b := start(t, vfs.NewMem())
	key := with(transport.HeaderIdempotencyKey, "k")
	must[lock.View](b, "lock.get", "c", ``, key)
	grant := must[api.Grant](b, "lock.acquire", "c", `{"ttl": 60}`)
	if v := must[lock.View](b, "lock.get", "c", ``, key); v.State != lock.Held {
		t.Errorf("the lock is %s", v.State)
	}
	for range 3 {
		b.clock.Set(b.clock.Now().Add(40 * time.Second))
		must[lock.GrantAnswer](b, "lock.renew", "c", `{}`, token(grant.Token), key)
	}
}

// TestLockListPassesOverWhatIsFree: the board may be behind the locks; what is free by now ends no list.
func TestLockListPassesOverWhatIsFree(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[api.Grant](b, "lock.acquire", "z", ``)
	held := collectionID(&transport.Request{Provider: "p", ID: "z"})
	b.service.Board.mu.Lock()
	for _, id := range []string{"a", "b", "c", "d"} {
		free := held
		free.ID = id
		b.service.Board.put(free, b.service.Board.locks[held])
	}
	b.service.Board.mu.Unlock()
	if l := must[api.LockPage](b, "lock.list", "", ``, param("limit", "1")); len(l.Items) != 1 || l.Items[0].ID != "z" || l.Next != "" {
		t.Errorf("%+v", l)
	}
}

// TestPlaceInLine: signs of life are not stored, and those who gave them still stand in front.
func TestPlaceInLine(t *testing.T) {
	b := start(t, vfs.NewMem())
	grant := must[api.Grant](b, "lock.acquire", "c", `{"ttl": 60}`)
	ticket := must[lock.TicketAnswer](b, "lock.acquire", "c", `{"wait": true}`, as("bob"))
	parked := must[api.Parked](b, "collection.put", "c", `{"onLocked": "queue"}`, as("cat"))
	for range 3 {
		b.clock.Set(b.clock.Now().Add(25 * time.Second))
		must[lock.GrantAnswer](b, "lock.renew", "c", `{}`, token(grant.Token))
		must[lock.TicketAnswer](b, "lock.keepalive", "c", ``, as("bob"), inDocument(ticket.Ticket))
	}
	if o := must[api.Operation](b, "operation.get", "c", ``, inDocument(parked.Operation)); o.Position != 2 {
		t.Errorf("%+v", o)
	}
}

// TestRevertToNoVersion is refused at once, also if it would wait.
func TestRevertToNoVersion(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[collection.Result](b, "collection.put", "c", `{}`)
	must[api.Grant](b, "lock.acquire", "c", ``)
	b.refused(problem.Invalid, "collection.revert", "c", `{"to": 0}`, as("bob"), with(transport.HeaderPrefer, "respond-async"))
}

// TestParkedRevertOfTooMuch: if it is too much to be read by the time it has its turn, it is refused, and the line moves on.
func TestParkedRevertOfTooMuch(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[collection.Result](b, "collection.put", "c", `{"metadata": {"n": 1}}`)
	must[collection.Result](b, "collection.put", "c", `{"metadata": {"n": 2}}`)
	grant := must[api.Grant](b, "lock.acquire", "c", ``)
	parked := must[api.Parked](b, "collection.revert", "c", `{"to": 1}`, as("bob"), with(transport.HeaderPrefer, "respond-async"))
	var many strings.Builder
	for n := range 10_000 {
		fmt.Fprintf(&many, `,"d%d":%d`, n, n)
	}
	must[collection.Result](b, "collection.put", "c", `{"documents":{`+many.String()[1:]+`}}`, token(grant.Token))
	must[collection.Result](b, "document.put", "c", `{"value": 1}`, inDocument("one more"), token(grant.Token),
		with(transport.HeaderLockRelease, "true"))
	// Every answer of the collection comes after its turn: it is taken before the next command.
	if v := must[lock.View](b, "lock.get", "c", ``); v.State != lock.Free {
		t.Errorf("the lock is %s", v.State)
	}
	if o := must[api.Operation](b, "operation.get", "c", ``, inDocument(parked.Operation)); o.State != lock.OperationHasFailed {
		t.Errorf("%+v", o)
	}
	b.refused(problem.TooLarge, "collection.revert", "c", `{"to": 1}`)
}

// TestParkedBeforeTheCollection: what was parked when there was no collection does not write over the one that was made.
func TestParkedBeforeTheCollection(t *testing.T) {
	b := start(t, vfs.NewMem())
	grant := must[api.Grant](b, "lock.acquire", "c", ``)
	parked := must[api.Parked](b, "collection.put", "c", `{"metadata": {"by": "bob"}, "onLocked": "queue"}`, as("bob"))
	must[collection.Result](b, "collection.put", "c", `{"metadata": {"by": "ann"}}`, token(grant.Token), with(transport.HeaderLockRelease, "true"))
	must[lock.View](b, "lock.get", "c", ``)
	if o := must[api.Operation](b, "operation.get", "c", ``, inDocument(parked.Operation)); o.Code != string(problem.VersionConflict) {
		t.Errorf("%+v", o)
	}
	// Where nobody has made it, it is made.
	grant = must[api.Grant](b, "lock.acquire", "new", ``)
	parked = must[api.Parked](b, "collection.put", "new", `{"metadata": {"by": "bob"}, "onLocked": "queue"}`, as("bob"))
	if _, p := b.do("lock.release", "new", ``, token(grant.Token)); p != nil {
		t.Fatal(p)
	}
	must[lock.View](b, "lock.get", "new", ``)
	if o := must[api.Operation](b, "operation.get", "new", ``, inDocument(parked.Operation)); o.Version != 1 {
		t.Errorf("%+v", o)
	}
}

// TestParkedForAnyVersion: If-Match: * names no version, so that the one at the parking is the base.
func TestParkedForAnyVersion(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[collection.Result](b, "collection.put", "c", `{"metadata": {"n": 1}, "documents": {"d": 1}}`)
	grant := must[api.Grant](b, "lock.acquire", "c", ``)
	queue, any := with(transport.HeaderPrefer, "respond-async"), with("If-Match", "*")
	first := must[api.Parked](b, "collection.put", "c", `{"metadata": {"n": 9}}`, as("bob"), queue, any)
	second := must[api.Parked](b, "document.put", "c", `{"value": 9}`, as("bob"), queue, any, inDocument("d"))
	must[collection.Result](b, "collection.put", "c", `{"metadata": {"n": 2}, "documents": {"d": 2}}`, token(grant.Token),
		with(transport.HeaderLockRelease, "true"))
	must[lock.View](b, "lock.get", "c", ``)
	for _, parked := range []api.Parked{first, second} {
		if o := must[api.Operation](b, "operation.get", "c", ``, inDocument(parked.Operation)); o.Code != string(problem.VersionConflict) {
			t.Errorf("%+v", o)
		}
	}
}

// TestParkedWithoutVersion: a type that wants to know the version wants it of an update that waits, too.
func TestParkedWithoutVersion(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[map[string]any](b, "type.put", "strict", `{"requireVersion": true}`)
	must[collection.Result](b, "collection.put", "c", `{"type": "strict"}`)
	must[api.Grant](b, "lock.acquire", "c", ``)
	b.refused(problem.PreconditionRequired, "collection.put", "c", `{"metadata": {"n": 1}, "onLocked": "queue"}`, as("bob"))
	must[api.Parked](b, "collection.put", "c", `{"metadata": {"n": 1}, "onLocked": "queue", "baseVersion": 1}`, as("bob"))
}
