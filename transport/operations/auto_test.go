package operations

import (
	"runtime"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collection"
	"concord/actors/problem"
	"concord/transport"
)

// merging has a write of ann wait for its script, and gives what will be answered to her.
func merging(t *testing.T, b *bench, body string) <-chan error {
	t.Helper()
	b.scripts.hold()
	answered := make(chan error, 1)
	before := b.scripts.waiting()
	go func() {
		_, err := b.try("document.put", "c", body, inDocument("a"))
		answered <- err
	}()
	for b.scripts.waiting() == before {
		runtime.Gosched()
	}
	return answered
}

// scripted is a collection of a type with a script and the lock mode, at version 2.
func scripted(t *testing.T, lockMode string) *bench {
	t.Helper()
	b := start(t, vfs.NewMem())
	_ = must[any](b, "type.put", "t", `{"lock":{"mode":"`+lockMode+`"},"conflict":{"script":{"source":"longer"}}}`)
	_ = must[collection.Result](b, "collection.put", "c", `{"type":"t","documents":{"a":"1"}}`)
	_ = must[collection.Result](b, "document.put", "c", `{"value":"2"}`, inDocument("a"))
	return b
}

const scriptWrite = `{"baseVersion":1,"policy":"server-logic","value":"ann's"}`

// TestAuto: while a script runs for an update of a free scope, the scope is busy, and nobody is to be prompted; who waits is
// offered the lock when the script has ended.
func TestAuto(t *testing.T) {
	b := scripted(t, "implicit")
	ann := merging(t, b, scriptWrite)
	bob := func(r *transport.Request) {
		r.Caller.Principal, r.Header.Session = "bob", "1"
	}
	state := must[map[string]any](b, "lock.get", "c", ``, bob)
	if state["state"] != "auto" {
		t.Fatalf("%v", state)
	}
	p := b.refused(problem.Locked, "document.put", "c", `{"value":"3"}`, inDocument("a"), bob)
	if p.RetryAfter <= 0 {
		t.Errorf("%+v", p)
	}
	b.refused(problem.Locked, "document.put", "c", scriptWrite, inDocument("a"), bob)
	b.refused(problem.Locked, "lock.acquire", "c", `{}`, bob)
	b.refused(problem.NotContestable, "lock.contest", "c", `{}`, bob)
	reply, _ := b.do("lock.acquire", "c", `{"wait":true}`, bob)
	if reply == nil || reply.Status != 202 {
		t.Fatalf("%+v", reply)
	}
	b.scripts.resume()
	if err := <-ann; err != nil {
		t.Fatal(err)
	}
	if state := must[map[string]any](b, "lock.get", "c", ``, bob); state["state"] != "offered" {
		t.Errorf("%v", state)
	}
	if got := must[map[string]any](b, "document.get", "c", ``, inDocument("a")); got["value"] != "ann's" || got["version"] != 3.0 {
		t.Errorf("%v", got)
	}
}

// TestScriptOfAnotherVersion: what has changed while the script ran is not overwritten: the script is asked again.
func TestScriptOfAnotherVersion(t *testing.T) {
	b := scripted(t, "optimistic")
	ann := merging(t, b, scriptWrite)
	_ = must[collection.Result](b, "document.put", "c", `{"value":"much longer"}`, inDocument("a"), as("bob"))
	b.scripts.resume()
	if err := <-ann; err != nil {
		t.Fatal(err)
	}
	if got := must[map[string]any](b, "document.get", "c", ``, inDocument("a")); got["value"] != "much longer" {
		t.Errorf("%v", got)
	}
	if b.scripts.ran != 2 {
		t.Errorf("the script ran %d times", b.scripts.ran)
	}
}

// TestScriptsDoNotRunForEver: a collection that changes each time while the script runs refuses the update in the end.
func TestScriptsDoNotRunForEver(t *testing.T) {
	b := scripted(t, "optimistic")
	ann := merging(t, b, scriptWrite)
	for range 3 {
		_ = must[collection.Result](b, "document.put", "c", `{"value":"`+b.service.NewID()+`"}`, inDocument("a"), as("bob"))
		wait := b.scripts.waiting()
		b.scripts.step()
		for b.scripts.waiting() < wait {
			runtime.Gosched()
		}
	}
	_ = must[collection.Result](b, "document.put", "c", `{"value":"again"}`, inDocument("a"), as("bob"))
	b.scripts.resume()
	p, ok := (<-ann).(*problem.Problem) //nolint:errorlint // it is what the operation returns
	if !ok || p.Code != problem.MergeFailed {
		t.Fatalf("%v", p)
	}
	if got := must[map[string]any](b, "document.get", "c", ``, inDocument("a")); got["value"] != "again" {
		t.Errorf("%v", got)
	}
}

// TestParkedUpdateWithScript: an update that has waited for its turn and then for its script ends like any other; what a
// repeat of a request with a key is answered does not depend on the script.
func TestParkedUpdateWithScript(t *testing.T) {
	b := scripted(t, "implicit")
	lock := must[map[string]any](b, "lock.acquire", "c", `{}`, with("Concord-Session", "1"))
	parked := must[map[string]any](b, "document.put", "c", `{"onLocked":"queue",`+scriptWrite[1:], inDocument("a"), as("bob"))
	token := lock["token"].(string)
	b.scripts.hold()
	if _, p := b.do("lock.release", "c", ``, with("Lock-Token", token), with("Concord-Session", "1")); p != nil {
		t.Fatal(p)
	}
	for b.scripts.waiting() == 0 {
		runtime.Gosched()
	}
	if state := must[map[string]any](b, "lock.get", "c", ``); state["state"] != "auto" {
		t.Errorf("%v", state)
	}
	b.refused(problem.Locked, "document.put", "c", `{"value":"3"}`, inDocument("a"), as("cat"))
	b.scripts.resume()
	for {
		op := must[map[string]any](b, "operation.get", "c", ``, inDocument(parked["operation"].(string)), as("bob"))
		if op["state"] == "done" && op["version"] == 3.0 {
			break
		}
		if op["state"] != "waiting" {
			t.Fatalf("%v", op)
		}
		runtime.Gosched()
	}
}

func TestScriptAndKey(t *testing.T) {
	b := scripted(t, "implicit")
	first, p := b.do("document.put", "c", scriptWrite, inDocument("a"), with("Idempotency-Key", "k"))
	if p != nil {
		t.Fatal(p)
	}
	again, p := b.do("document.put", "c", scriptWrite, inDocument("a"), with("Idempotency-Key", "k"))
	if p != nil || string(again.Body) != string(first.Body) || b.scripts.ran != 1 {
		t.Errorf("%v: %s, then %s; the script ran %d times", p, first.Body, again.Body, b.scripts.ran)
	}
}
