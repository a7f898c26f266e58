package operations

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collection"
	"concord/actors/editsession"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// TestSessionsOfOthers: a session is its owner's. Who has the right may look at it; nobody gets another's as the last one.
func TestSessionsOfOthers(t *testing.T) {
	b := start(t, vfs.NewMem())
	anns := must[api.EditSession](b, "edit.open", "", `{"ids":["a"]}`, only("ann"))
	for operation, body := range map[string]string{"edit.get": "", "edit.records": "", "edit.events": "", "edit.download": "", "edit.results": "", "edit.close": "",
		"edit.match": `{"ids":["b"]}`, "edit.preview": `{` + adding("x") + `}`, "edit.apply": `{` + adding("x") + `}`, "edit.rollback": `{"to":"initial"}`, "edit.redo": "",
		"edit.pause": "", "edit.resume": "", "edit.cancel": ""} {
		b.refused(problem.Forbidden, operation, anns.Session, body, only("bob"))
		b.refused(problem.NotFound, operation, "last", body, only("bob"))
		b.refused(problem.NotFound, operation, "none", body, only("bob"))
	}
	b.refused(problem.Forbidden, "edit.list", "", "", only("bob"), param("owner", "ann"))
	must[api.EditSession](b, "edit.get", anns.Session, "", as("root"))
	b.refused(problem.NotFound, "edit.get", "last", "", as("root")) // with every right, too
	if page := must[api.EditPage](b, "edit.list", "", "", as("root"), param("owner", "ann")); len(page.Items) != 1 || page.Items[0].Owner != "ann" {
		t.Errorf("%+v", page)
	}
	if page := must[api.EditPage](b, "edit.list", "", "", only("bob")); len(page.Items) != 0 {
		t.Errorf("%+v", page)
	}
	bobs := must[api.EditSession](b, "edit.open", "", `{"ids":["b"]}`, only("bob"))
	if last := must[api.EditSession](b, "edit.get", "last", "", only("bob")); last.Session != bobs.Session {
		t.Errorf("bob's last one is %s of %s", last.Session, last.Owner)
	}
	upload := b.upload([]byte("a\n")) // ann's
	b.refused(problem.NotFound, "edit.open", "", `{"upload":"`+upload+`"}`, only("bob"))
	if after := must[api.EditSession](b, "edit.get", anns.Session, ""); after.Seq != anns.Seq {
		t.Errorf("%+v", after)
	}
}

// TestSessionsAreListed: the newest first, page by page; the last one is the newest that is not closed.
func TestSessionsAreListed(t *testing.T) {
	b := start(t, vfs.NewMem())
	var want []string
	for i := range 7 {
		b.clock.Set(b.clock.Now().Add(time.Minute))
		who := []string{"ann", "bob"}[i%2]
		s := must[api.EditSession](b, "edit.open", "", fmt.Sprintf(`{"name":"n%d","ids":["a"]}`, i), as(who))
		if who == "ann" {
			want = append([]string{s.Session}, want...)
		}
		if last := must[api.EditSession](b, "edit.get", "last", "", as(who)); last.Session != s.Session || last.Name != fmt.Sprint("n", i) {
			t.Errorf("the last one of %s is %+v", who, last)
		}
	}
	list := func(options ...option) (ids []string) {
		next := ""
		for {
			page := must[api.EditPage](b, "edit.list", "", "", append(slices.Clone(options), param("limit", "1"), param("cursor", next))...)
			for _, s := range page.Items {
				ids = append(ids, s.Session)
			}
			if next = page.Next; next == "" {
				return ids
			}
		}
	}
	if got := list(); !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	must[api.EditSession](b, "edit.close", "last", "")
	if last := must[api.EditSession](b, "edit.get", "last", ""); last.Session != want[1] {
		t.Errorf("the last one is %s", last.Session)
	}
	if got := list(param("open", "true")); !slices.Equal(got, want[1:]) {
		t.Errorf("open are %q", got)
	}
	if got := list(); !slices.Equal(got, want) {
		t.Errorf("listed %q, want %q", got, want)
	}
	b.refused(problem.Invalid, "edit.list", "", "", param("cursor", "x"))
}

// TestOtherRecords: the last upload counts, until there is a step.
func TestOtherRecords(t *testing.T) {
	e := startEditing(t, "a", "b", "c")
	b := e.bench
	id := e.session
	page := must[api.EditRecordPage](b, "edit.records", id, "", param("limit", "1"))
	e.run("preview", `{`+adding("x")+`}`)
	s := must[api.EditSession](b, "edit.match", id, `{"upload":"`+b.upload([]byte("b\nnone\n"))+`"}`)
	if s.State != "READY" || s.Counts != (api.EditCounts{Matched: 1, NotFound: 1}) || len(s.Runs) > 0 {
		t.Errorf("%+v", s)
	}
	b.refused(problem.Invalid, "edit.records", id, "", param("cursor", page.Next))
	if got := b.rowsOf(id); got != "1 -> b; 2 none -> NOT_FOUND" {
		t.Errorf("rows %s", got)
	}
	b.refused(problem.WrongState, "edit.apply", id, "") // what was previewed was about others
	unlock := e.hold("b", func() {
		must[api.EditSession](b, "edit.apply", id, `{`+adding("x")+`}`)
	})
	b.refused(problem.WrongState, "edit.match", id, `{"ids":["a"]}`)
	b.refused(problem.WrongState, "edit.close", id, "")
	unlock()
	e.ended()
	b.refused(problem.WrongState, "edit.match", id, `{"ids":["a"]}`)
	if got := e.words("a") + " | " + e.words("b"); got != "first | first x" {
		t.Errorf("words %s", got)
	}
	e.run("rollback", `{"to":"initial"}`)
	b.refused(problem.WrongState, "edit.match", id, `{"ids":["a"]}`)
	closed := must[api.EditSession](b, "edit.close", id, "")
	if closed.State != "CLOSED" || closed.RollbackAvailable || closed.RedoAvailable || closed.ClosedAt == nil || closed.Storage.Versions+closed.Storage.Bytes > 0 {
		t.Errorf("%+v", closed)
	}
	if again := must[api.EditSession](b, "edit.close", id, ""); again.Seq != closed.Seq {
		t.Errorf("closed again: %+v", again)
	}
	b.refused(problem.WrongState, "edit.match", id, `{"ids":["a"]}`)
	var types []string
	for _, event := range must[api.EventPage](b, "edit.events", id, "").Items {
		text, err := json.Marshal(event.Data)
		if err != nil || strings.Contains(string(text), "none") || !strings.Contains(string(text), `"owner":"ann"`) {
			t.Errorf("%s tells %s, %v", event.Type, text, err)
		}
		types = append(types, strings.TrimPrefix(event.Type, "edit."))
	}
	if want := []string{"opened", "begun", "matched", "begun", "begun", "closed"}; !slices.Equal(types, want) {
		t.Errorf("events %q", types)
	}
}

// TestSessionsAreRepeatable: the same request under the same key is the same session, another one is refused; so it is with
// other records, also once there is a step.
func TestSessionsAreRepeatable(t *testing.T) {
	e := startEditing(t, "a", "b")
	b := e.bench
	key := func(k string) option { return with(transport.HeaderIdempotencyKey, k) }
	first := must[api.EditSession](b, "edit.open", "", `{"ids":["a"]}`, key("k1"))
	again := must[api.EditSession](b, "edit.open", "", `{"ids":["a"]}`, key("k1"))
	if again.Session != first.Session || again.Seq != first.Seq {
		t.Errorf("again: %+v", again)
	}
	b.refused(problem.KeyReused, "edit.open", "", `{"ids":["b"]}`, key("k1"))
	if other := must[api.EditSession](b, "edit.open", "", `{"ids":["a"]}`, key("k1"), as("bob")); other.Session == first.Session {
		t.Error("bob's key is ann's")
	}
	e.session = first.Session
	matched := must[api.EditSession](b, "edit.match", e.session, `{"ids":["b"]}`, key("k2"))
	must[api.EditSession](b, "edit.match", e.session, `{"ids":["a","b"]}`)
	after := must[api.EditSession](b, "edit.match", e.session, `{"ids":["b"]}`, key("k2"))
	if matched.Counts.Matched != 1 || after.Counts.Matched != 2 {
		t.Errorf("a repeat that comes late: %+v, then %+v", matched.Counts, after.Counts)
	}
	b.refused(problem.KeyReused, "edit.match", e.session, `{"ids":["a"]}`, key("k2"))
	e.step("x")
	if late := must[api.EditSession](b, "edit.match", e.session, `{"ids":["b"]}`, key("k2")); late.State != "COMPLETED" {
		t.Errorf("%+v", late)
	}
	b.refused(problem.WrongState, "edit.match", e.session, `{"ids":["b"]}`, key("k3"))
	must[api.EditSession](b, "edit.close", first.Session, "")
	if closed := must[api.EditSession](b, "edit.open", "", `{"ids":["a"]}`, key("k1")); closed.State != "CLOSED" {
		t.Errorf("%+v", closed)
	}
}

// TestSessionsEnd: an open one is closed at its time, and the rows of a closed one go at theirs.
func TestSessionsEnd(t *testing.T) {
	b := start(t, vfs.NewMem())
	opened := must[api.EditSession](b, "edit.open", "", `{"ids":["a"]}`, with(transport.HeaderIdempotencyKey, "k"))
	if want := b.clock.Now().Add(DefaultEdit.Lifetime); opened.ExpiresAt == nil || !opened.ExpiresAt.Equal(want) {
		t.Fatalf("it expires %v, want %v", opened.ExpiresAt, want)
	}
	b.clock.Set(*opened.ExpiresAt)
	b.waitFor(func() bool { return must[api.EditSession](b, "edit.get", opened.Session, "").State == "CLOSED" })
	b.refused(problem.NotFound, "edit.get", "last", "")
	if got := b.rowsOf(opened.Session); got != "1 a -> NOT_FOUND" {
		t.Errorf("rows %s", got)
	}
	b.clock.Set(b.clock.Now().Add(DefaultEdit.Retention))
	b.waitFor(func() bool {
		_, p := b.do("edit.get", opened.Session, "")
		return p != nil && p.Code == problem.NotFound
	})
	for range b.store.Parts(editID("p", opened.Session), "") {
		t.Error("a row is left")
	}
	if page := must[api.EditPage](b, "edit.list", "", ""); len(page.Items) != 0 || b.openEdits() != 0 {
		t.Errorf("%+v", page)
	}
	b.sound()
}

// TestDraftsOfSessions: what a crash leaves before a session is open goes by its timer, or gives way to who repeats the request;
// so does what it leaves of other records.
func TestDraftsOfSessions(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[collection.Result](b, "collection.put", "a", `{"metadata":{}}`)
	stage := func(list uint32) *editsession.Stage {
		return &editsession.Stage{List: list, PerChunk: 1, Rows: []editsession.Row{{Line: 1, Identifier: "left", State: editsession.NotFound}}}
	}
	draft := editID("p", "draft")
	b.send(draft, stage(1))
	b.refused(problem.NotFound, "edit.get", "draft", "")
	b.refused(problem.NotFound, "edit.close", "draft", "")
	b.clock.Set(b.clock.Now().Add(2 * time.Hour))
	b.waitFor(func() bool { return b.openEdits() == 0 })

	r := b.request("edit.open")
	r.Body, r.Header.IdempotencyKey = []byte(`{"ids":["a"]}`), "k"
	id := editID("p", "again")
	if err := b.service.issueBulk(t.Context(), r, id); err != nil {
		t.Fatal(err)
	}
	b.send(id, stage(1))
	s := must[api.EditSession](b, "edit.open", "", `{"ids":["a"]}`, with(transport.HeaderIdempotencyKey, "k"), as(r.Caller.Principal))
	if s.Session != "again" || b.rowsOf(s.Session) != "1 -> a" {
		t.Errorf("%+v: %s", s, b.rowsOf(s.Session))
	}
	b.send(id, stage(2))
	if got := b.rowsOf(s.Session); got != "1 -> a" {
		t.Errorf("rows %s", got)
	}
	must[api.EditSession](b, "edit.match", s.Session, `{"ids":["b"]}`)
	if got := b.rowsOf(s.Session); got != "1 b -> NOT_FOUND" {
		t.Errorf("rows %s", got)
	}
	b.sound()
}

// TestRoomForSessions: so many are open in a provider, and no more until some are closed.
func TestRoomForSessions(t *testing.T) {
	b := start(t, vfs.NewMem())
	b.service.Limits.Edit.OpenMax = 2
	must[api.EditSession](b, "edit.open", "", `{"ids":["a"]}`)
	must[api.EditSession](b, "edit.open", "", `{"ids":["a"]}`)
	if p := b.refused(problem.QueueFull, "edit.open", "", `{"ids":["a"]}`); p.RetryAfter == 0 {
		t.Errorf("%v", p)
	}
	must[api.EditSession](b, "edit.close", "last", "")
	must[api.EditSession](b, "edit.open", "", `{"ids":["a"]}`)
}

// TestDownloads: files of what is matched, of what went wrong, and of what was changed, each with the line of the upload.
func TestDownloads(t *testing.T) {
	e := startEditing(t, "a", "b", "c")
	b := e.bench
	must[collection.Result](b, "collection.put", "d", `{"metadata":{"words":7}}`)
	e.session = must[api.EditSession](b, "edit.open", "", `{"upload":"`+b.upload([]byte("a\nnone\n\n\"x,\"\"y\"\nd\nc\na\n"))+`"}`).Session
	file := func(options ...option) string {
		reply, p := b.do("edit.download", e.session, "", options...)
		if p != nil {
			t.Fatal(p)
		}
		return string(reply.Body)
	}
	lines, errs, changed := param("format", "jsonl"), param("what", "errors"), param("what", "changed")
	for name, row := range map[string]struct {
		options []option
		want    string
	}{
		"matched":             {nil, "line,identifier,id\n1,a,a\n5,d,d\n6,c,c\n"},
		"matched, JSON lines": {[]option{lines}, `{"line":1,"identifier":"a","id":"a"}` + "\n" + `{"line":5,"identifier":"d","id":"d"}` + "\n" + `{"line":6,"identifier":"c","id":"c"}` + "\n"},
		"errors":              {[]option{errs}, "line,identifier,id,state,message\n2,none,,NOT_FOUND,there is no such collection\n4,\"x,\"\"y\",,NOT_FOUND,it is no id of a collection\n7,a,a,DUPLICATE,line 1 has it already\n"},
		"changed":             {[]option{changed}, "line,identifier,id,versionBefore,versionAfter\n"},
	} {
		if got := file(row.options...); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
	e.run("apply", `{`+adding("x")+`,"exclude":["c"]}`)
	if got := file(changed); got != "line,identifier,id,versionBefore,versionAfter\n1,a,a,1,2\n" {
		t.Errorf("changed: %q", got)
	}
	if got := file(errs, lines); strings.Count(got, "\n") != 4 || !strings.Contains(got, `{"line":5,"identifier":"d","id":"d","state":"FAILED","message":`) {
		t.Errorf("errors: %q", got)
	}
	e.run("rollback", `{"to":"initial"}`)
	if got := file(changed, lines); got != `{"line":1,"identifier":"a","id":"a","versionBefore":2,"versionAfter":3}`+"\n" {
		t.Errorf("changed back: %q", got)
	}
	if got := file(changed, lines, param("run", "1")); got != `{"line":1,"identifier":"a","id":"a","versionBefore":1,"versionAfter":2}`+"\n" {
		t.Errorf("changed by the step: %q", got)
	}
	b.refused(problem.Invalid, "edit.download", e.session, "", param("what", "all"))
	b.refused(problem.Invalid, "edit.download", e.session, "", param("format", "xml"))
	b.refused(problem.NotFound, "edit.download", e.session, "", changed, param("run", "9"))
}

// TestStorageIsShown: what is kept for roll-backs, as long as it is.
func TestStorageIsShown(t *testing.T) {
	e := startEditing(t, "a", "b")
	e.session = must[api.EditSession](e.bench, "edit.open", "", `{"ids":["a","b"],"keep":"previous"}`).Session
	if s := e.look().Storage; s.Versions != 0 || s.Bytes != 0 || s.List == 0 {
		t.Errorf("at first %+v", s)
	}
	e.step("x")
	one := e.look().Storage
	if one.Versions != 2 || one.Bytes == 0 {
		t.Errorf("after a step %+v", one)
	}
	e.step("y")
	if s := e.look().Storage; s.Versions != 2 || s.Bytes <= one.Bytes {
		t.Errorf("after another %+v: the newest alone is kept", s)
	}
}

// countedIndex counts what is read of an index.
type countedIndex struct {
	persistence.IndexReader
	entries int
}

func (c *countedIndex) IndexTerms(p persistence.Partition, from persistence.IndexKey) iter.Seq2[persistence.IndexEntry, error] {
	return func(yield func(persistence.IndexEntry, error) bool) {
		for e, err := range c.IndexReader.IndexTerms(p, from) {
			c.entries++
			if !yield(e, err) {
				return
			}
		}
	}
}

// TestTheLastOfMany: however many sessions were closed since, the one that is not is found without looking at them.
func TestTheLastOfMany(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[collection.Result](b, "collection.put", "a", `{}`)
	oldest := b.open("a")
	for range 200 {
		b.clock.Set(b.clock.Now().Add(time.Second))
		must[api.EditSession](b, "edit.close", b.open("a"), "")
	}
	index := &countedIndex{IndexReader: b.store}
	r := &transport.Request{Provider: "p", Caller: transport.Caller{Principal: "ann"}}
	if got, err := lastEdit(index, r); err != nil || got != oldest || index.entries > b.store.Partitions() {
		t.Errorf("%s, %v, after %d entries", got, err, index.entries)
	}
	must[api.EditSession](b, "edit.close", oldest, "")
	index.entries = 0
	if got, err := lastEdit(index, r); problem.Of(err).Code != problem.NotFound || index.entries > 0 {
		t.Errorf("%s, %v, after %d entries", got, err, index.entries)
	}
	b.sound()
}
