package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"concord/actors/bulk"
	"concord/actors/entity"
	"concord/actors/upload"
	"concord/persistence"
	"concord/transport/cmr"
)

// large marks a test whose subject is size: the race detector takes minutes for it, and finds nothing that the other tests of long
// requests have not.
func large(t *testing.T) {
	t.Helper()
	if raceDetector {
		t.Skip("its subject is size: `make plain` runs it, without the race detector")
	}
}

// longList are so many ids of another provider, and one of this.
func longList(n int) string {
	var ids strings.Builder
	for i := range n {
		fmt.Fprintf(&ids, "%q,\n ", fmt.Sprintf("C%d-XPROV1", i))
	}
	return ids.String() + `"C1-PROV1"`
}

// padded is the body with white space up to a length.
func padded(body string, bytes int) string { return body + strings.Repeat("\t", bytes-len(body)) }

// uploads are those that there are.
func (c cmrStack) uploads() []string { return c.entities(persistence.KindUpload) }

func (c cmrStack) entities(kind persistence.Kind) (ids []string) {
	c.Helper()
	view := c.store.View()
	defer func() { _ = view.Close() }()
	for e, err := range view.Entities(kind, "PROV1", "") {
		if err != nil {
			c.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	return ids
}

// parts are those of an entity.
func (c cmrStack) parts(id persistence.EntityID) (names []string) {
	c.Helper()
	for p, err := range c.store.Parts(id, "") {
		if err != nil {
			c.Fatal(err)
		}
		names = append(names, p.ID)
	}
	return names
}

// TestCMRLongList: a list far longer than a request of ours, from the request to the end of what is kept of it.
func TestCMRLongList(t *testing.T) {
	large(t)
	const ids, bytes = 200_000, 19 << 20
	c := newCMRStack(t)
	c.record("C1-PROV1", `{"Platforms":[{"ShortName":"A"}]}`)
	body := padded(update(longList(ids), `"name": "long", `+aqua), bytes)
	if task := c.submit(body); task != "1" {
		t.Fatalf("task %s", task)
	}
	c.becomes("C1-PROV1", `{"Platforms":[{"ShortName":"A","LongName":"Aqua"}]}`, 2)
	var list cmr.UpdateTaskList
	c.ask("GET", updates+"/status", "").is(200).into(&list)
	message := fmt.Sprintf("Task completed with %d FAILED and 1 UPDATED out of %d total collection update(s).", ids, ids+1)
	if one := list.Tasks[0]; one.Posted != body || *one.Message != message || one.Status != "COMPLETE" {
		t.Errorf("%d bytes of %d came back, of a task that is %s: %s", len(one.Posted), len(body), one.Status, *one.Message)
	}
	if a := c.ask("GET", prov1+"/bulk-updates/1/request", "").is(200); a.member("body") != "" ||
		!strings.Contains(a.member("targets"), fmt.Sprintf(`"by":"upload","count":%d`, ids+1)) {
		t.Errorf("in our own words: %.300s", a.body)
	}
	task := persistence.EntityID{Kind: persistence.KindBulk, Provider: "PROV1", ID: c.ask("GET", prov1+"/bulk-updates/1", "").is(200).text("task")}
	if pieces := slices.DeleteFunc(c.parts(task), func(name string) bool { return !strings.HasPrefix(name, bulk.PartPosted) }); len(pieces) != 38 {
		t.Errorf("the body is kept as %q", pieces)
	}
	head, err := c.store.Head(task)
	if err != nil {
		t.Fatal(err)
	}
	state, err := bulk.Behavior{}.DecodeState(head.State)
	if err != nil {
		t.Fatal(err)
	}
	if c.deliver(task, &bulk.Expire{Due: state.Expires}); len(c.parts(task)) > 0 {
		t.Errorf("%d parts are kept for ever", len(c.parts(task)))
	}
}

// TestCMRLongListAgain: sent again under its key a long list is the same task, also when its upload is gone; another one is
// refused.
func TestCMRLongListAgain(t *testing.T) {
	large(t)
	c := newCMRStack(t)
	key, list := header("Idempotency-Key", "k"), longList(80_000)
	again := func() {
		t.Helper()
		if a := c.ask("POST", updates, update(list, aqua), key).is(200); string(a.body) != `{"status":200,"task-id":1}` {
			t.Errorf("accepted: %s", a.body)
		}
	}
	again()
	if again(); len(c.uploads()) != 1 {
		t.Fatalf("the same list was sent as %q", c.uploads())
	}
	first := persistence.EntityID{Kind: persistence.KindUpload, Provider: "PROV1", ID: c.uploads()[0]}
	if c.deliver(first, &upload.Expire{}); len(c.parts(first)) > 0 {
		t.Error("the upload has not expired")
	}
	if again(); len(c.uploads()) != 2 {
		t.Errorf("uploads %q", c.uploads())
	}
	if a := c.ask("POST", updates, update(list+`, "C2-PROV1"`, aqua), key).is(409); !strings.Contains(string(a.body), "key") {
		t.Errorf("another list under the key: %s", a.body)
	}
	c.ask("POST", updates, update(list, aqua)).is(200)
	<-c.ended
	<-c.ended
	c.ask("GET", prov1+"/bulk-updates/2", "").is(200)
	c.ask("GET", prov1+"/bulk-updates/3", "").is(404)
}

// deliver sends a command to an entity, as its timer would.
func (c cmrStack) deliver(id persistence.EntityID, command any) {
	c.Helper()
	done := make(chan error, 1)
	c.host.Deliver(&entity.Envelope{Entity: id, Command: command, Vital: true, Reply: func(_ entity.Answer, err error) { done <- err }})
	if err := <-done; err != nil {
		c.Fatal(err)
	}
}

// TestCMRLongBody: what was posted comes back byte for byte, with the status of each collection, up to the last byte that a body
// may have.
func TestCMRLongBody(t *testing.T) {
	large(t)
	c := newCMRStack(t)
	for _, body := range []string{padded(update(`"C1-PROV1"`, aqua), 20<<20), padded(update(`"C2-PROV1"`, aqua), bulk.PieceMaxBytes),
		padded(update(`"C3-PROV1"`, aqua), bulk.PieceMaxBytes+1)} {
		if s := c.status(c.submit(body)); s.Posted != body || len(s.Collections) != 1 {
			t.Errorf("%d bytes of %d came back, and %d items", len(s.Posted), len(body), len(s.Collections))
		}
	}
	if len(c.uploads()) != 0 {
		t.Error("a short list went by upload")
	}
	const no = "the limit of a request is 20971520 bytes; larger input goes by upload"
	over := padded(update(`"C1-PROV1"`, aqua), 20<<20+1)
	unknown := func(r *http.Request) { r.ContentLength = -1 }
	c.refuses("POST", updates, over, 413, no)
	c.refuses("POST", updates, over, 413, no, unknown)
	c.ask("POST", updates, over[:2<<20], unknown).is(200)
	c.ask("POST", prov1+"/bulk-updates", padded(`{}`, 1<<20+1)).is(413) // in our own words nothing has changed
	rest := update(`"C1-PROV1"`, `"update-type": "CLEAR_FIELD", "update-value": {"a": "`+strings.Repeat("x", 1<<20)+`"}`)
	c.refuses("POST", updates, rest, 413, "The request has more than 1048576 bytes beside concept-ids.")
	many := update(strings.Repeat(`"C1",`, bulk.ItemsMax)+`"C1"`, aqua)
	c.refuses("POST", updates, many, 413, "The request has 1000001 collections: the limit is 1000000.")
}

// TestCMRLongListRefused: a long list is refused in the words of a short one, and leaves nothing but its upload.
func TestCMRLongListRefused(t *testing.T) {
	const ids = 80_000
	c := newCMRStack(t)
	c.submit(update(`"C1"`, `"name": "n", `+aqua))
	long := longList(ids)
	twice := fmt.Sprintf(`#/concept-ids/%d: the collection "C7-XPROV1" is there already, at #/concept-ids/7`, ids+1)
	c.refuses("POST", updates, update(long+`, "C7-XPROV1"`, aqua), 400, twice)
	c.refuses("POST", updates, update(`"C7", "C8", "C7"`, aqua), 400, `#/concept-ids/2: the collection "C7" is there already, at #/concept-ids/0`)
	c.refuses("POST", updates, update(long, `"name": "n", `+aqua), 422, "Error creating bulk update task: Bulk update name needs to be unique within the provider.")
	c.refuses("POST", updates, update(long, `"name": "7", `+aqua), 400, "#/name: has nothing but digits: so the tasks without a name are named")
	if got := len(c.uploads()); got != 3 {
		t.Errorf("%d uploads", got)
	}
	c.refuses("POST", updates, update(long+`, "G1-PROV1", "a-b"`, aqua), 400,
		`["Collection concept-id [G1-PROV1] is invalid, must start with C"], ["Concept-id [a-b] is not valid."]`)
	if got := len(c.uploads()); got != 3 {
		t.Errorf("bad ids are told before anything begins: %d uploads", got)
	}
	var tasks cmr.UpdateTaskList
	if c.ask("GET", updates+"/status", "").is(200).into(&tasks); len(tasks.Tasks) != 1 {
		t.Errorf("%d tasks", len(tasks.Tasks))
	}
	for _, id := range c.entities(persistence.KindBulk) {
		if parts := c.parts(persistence.EntityID{Kind: persistence.KindBulk, Provider: "PROV1", ID: id}); len(parts) > 0 && slices.Contains(parts, "p/00000001") {
			t.Errorf("a draft is left: %q", parts)
		}
	}
	c.service.Limits.Bulk.OpenItemsMax = 10 // one alone may have more
	c.ask("POST", updates, update(long, `"name": "m", `+aqua)).is(200)
}

// TestCMRLongBodiesAtOnce: so many are read at once; more are asked to come again, while short ones go on.
func TestCMRLongBodiesAtOnce(t *testing.T) {
	const atOnce = 4
	c := newCMRStack(t)
	long := padded(update(`"C1-PROV1"`, aqua), 2<<20)
	var inside, all sync.WaitGroup
	inside.Add(atOnce)
	gate := make(chan struct{})
	for range atOnce {
		all.Go(func() {
			c.ask("POST", updates, "x", func(r *http.Request) {
				r.ContentLength = int64(len(long))
				r.Body = io.NopCloser(io.MultiReader(strings.NewReader(long[:1<<20]), waiting{&inside, gate}, strings.NewReader(long[1<<20:])))
			}).is(200)
		})
	}
	inside.Wait()
	a := c.ask("POST", updates, long).is(429)
	if string(a.body) != `{"errors":["too many long requests: the limit is 4"]}` || a.header.Get("Retry-After") != "1" {
		t.Errorf("%s, Retry-After %q", a.body, a.header.Get("Retry-After"))
	}
	c.ask("POST", updates, long, func(r *http.Request) { r.ContentLength = -1 }).is(429)
	c.ask("POST", updates, update(`"C1-PROV1"`, aqua)).is(200)
	close(gate)
	all.Wait()
	c.ask("POST", updates, long).is(200)
}

// waiting is a reader that has nothing, and tells that only after the gate is open.
type waiting struct {
	inside *sync.WaitGroup
	gate   chan struct{}
}

func (w waiting) Read([]byte) (int, error) {
	w.inside.Done()
	<-w.gate
	return 0, io.EOF
}
