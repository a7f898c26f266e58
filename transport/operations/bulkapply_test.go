package operations

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"concord/actors"
	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/problem"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/transport/api"
)

// tryApply has a collection take the instructions of a task, as the driver of tasks asks for it.
func (b *bench) tryApply(task, id string, dry bool, list ...string) (a collection.Applied, err error) {
	b.t.Helper()
	parsed, p := fields.Parse([]byte("["+strings.Join(list, ",")+"]"), nil, "/instructions")
	if p != nil {
		b.t.Fatal(p)
	}
	type answer struct {
		entity.Answer
		err error
	}
	answered := make(chan answer, 1)
	b.service.Host.Deliver(&entity.Envelope{
		Entity:  persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: id},
		Command: &collection.Apply{Task: task, Instructions: parsed, Diff: dry}, DryRun: dry,
		Meta:  entity.Meta{Principal: "tom", RequestID: task, Reason: "tidy"},
		Reply: func(a entity.Answer, err error) { answered <- answer{a, err} },
	})
	got := <-answered
	if got.err != nil {
		return a, got.err
	}
	if err := json.Unmarshal(got.Body, &a); err != nil {
		b.t.Fatalf("answer %s: %v", got.Body, err)
	}
	return a, nil
}

func (b *bench) apply(task, id string, list ...string) collection.Applied {
	b.t.Helper()
	a, err := b.tryApply(task, id, false, list...)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// sound checks the hashes of the store, and that a rebuild of it gives the same.
func (b *bench) sound() {
	b.t.Helper()
	report, err := b.store.Verify(b.t.Context(), pebblestore.VerifyOptions{Fold: actors.Fold(actors.DefaultLimits)})
	if err != nil || report.Findings > 0 {
		b.t.Errorf("%v; %v", err, report.List)
	}
	found, err := b.store.CompareDerived(b.t.Context(), actors.Fold(actors.DefaultLimits), "")
	if err != nil || found.Count > 0 {
		b.t.Errorf("%v; %+v", err, found)
	}
}

const (
	newKeyword = `{"type":"ADD_TO_EXISTING","path":"/metadata/Keywords","value":"new","distinct":false}`
	jazzTitles = `{"type":"REPLACE_TEXT","path":"/documents/*/title","find":"Jass","value":"Jazz"}`
)

// TestApplyOnce: a task is one version of a collection, whatever comes between: its history names the task, and after a
// restart the collection still knows.
func TestApplyOnce(t *testing.T) {
	fs := vfs.NewMem()
	b := start(t, fs)
	must[any](b, "collection.put", "c", `{"metadata":{"Title":"T","Keywords":["old"]},"documents":{"a":{"title":"Jass"},"b":{"title":"Blues"}}}`)
	foretold, err := b.tryApply("dry", "c", true, newKeyword, jazzTitles)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"op":"add","path":"/metadata/Keywords/1","value":"new"},{"op":"replace","path":"/documents/a/title","value":"Jazz"}]`
	if foretold.State != fields.Updated || string(foretold.Diff) != want || foretold.VersionAfter != 1 {
		t.Errorf("the dry run says %+v, %s", foretold, foretold.Diff)
	}
	once := collection.Applied{State: fields.Updated, VersionBefore: 1, VersionAfter: 2, Kept: 48}
	again := func(when string) {
		t.Helper()
		b.t = t
		if diff := cmp.Diff(once, b.apply("t1", "c", newKeyword, jazzTitles)); diff != "" {
			t.Errorf("%s (-want +got): %s", when, diff)
		}
	}
	again("the first time")
	once.Kept = 0 // what a repeat does not know
	again("at once")
	must[any](b, "document.put", "c", `{"value":1}`, inDocument("z"))
	again("after a write")
	must[any](b, "collection.delete", "c", "")
	again("after the deletion")
	b.stop()
	b = start(t, fs)
	again("after a restart")
	must[any](b, "collection.put", "c", `{"metadata":{"Keywords":["other"]}}`)
	again("after it was created anew")
	must[any](b, "collection.revert", "c", `{"to":1}`)
	again("after a revert")
	if diff := cmp.Diff(collection.Applied{State: fields.Updated, VersionBefore: 6, VersionAfter: 7, Kept: 32}, b.apply("t2", "c", newKeyword)); diff != "" {
		t.Errorf("another task (-want +got): %s", diff)
	}
	var bulk []string
	for _, v := range must[api.HistoryPage](b, "collection.history", "c", "").Items {
		bulk = append(bulk, fmt.Sprintf("%d:%s", v.Version, v.Bulk))
	}
	if want := []string{"7:t2", "6:", "5:", "4:", "3:", "2:t1", "1:"}; !slices.Equal(bulk, want) {
		t.Errorf("history %v, want %v", bulk, want)
	}
	shown := must[api.Collection](b, "collection.get", "c", "")
	if got := compact(shown.Metadata); got != `{"Title":"T","Keywords":["old","new"]}` {
		t.Errorf("metadata %s", got)
	}
	b.sound()
}

// TestApplyIsRefusedByLocks: a collection that somebody holds is left alone, and is done when it is free.
func TestApplyIsRefusedByLocks(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[any](b, "collection.put", "c", `{"metadata":{}}`)
	must[any](b, "lock.acquire", "c", `{}`, as("bob"))
	_, err := b.tryApply("t1", "c", false, newKeyword)
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.Code != problem.Locked {
		t.Fatalf("%v", err)
	}
	if a, err := b.tryApply("t1", "c", true, newKeyword); err != nil || a.State != fields.Updated {
		t.Errorf("the dry run says %+v, %v", a, err)
	}
	if _, p := b.do("lock.break", "c", `{"reason":"law"}`); p != nil {
		t.Fatal(p)
	}
	if a := b.apply("t1", "c", newKeyword); a.State != fields.Updated || a.VersionAfter != 2 {
		t.Errorf("%+v", a)
	}
	b.sound()
}

// TestApplyKeepsLinks: a task is to links what a user's write is.
func TestApplyKeepsLinks(t *testing.T) {
	b := start(t, vfs.NewMem())
	library(b)
	b.marc("c", marcRecord(marcField("245", "a=x"), byDavis, byEvans))
	record := func() string { return b.document("c", "d1") }
	linked := record()
	marc := func(name, find, value string) string {
		if value != "" {
			value = `,"value":` + value
		}
		return fmt.Sprintf(`{"type":%q,"path":"/documents/*","find":%s%s}`, name, find, value)
	}
	a := b.apply("t1", "c", marc("MARC_FIND_AND_REPLACE", `{"tag":"700","subfield":"a","text":"Evans"}`, `"Ewans"`))
	if a.State != fields.Failed || a.Code != string(problem.LinkedField) || !strings.HasPrefix(a.Message, "/documents/d1/fields/2") || record() != linked {
		t.Errorf("text of an authority is changed: %+v", a)
	}
	if a := b.apply("t2", "c", marc("MARC_REMOVE_SUBFIELD", `{"tag":"700","subfield":"0"}`, "")); a.State != fields.Unchanged || record() != linked {
		t.Errorf("the URI of an authority is removed, which the service puts back: %+v, %s", a, record())
	}
	if a := b.apply("t3", "c", marc("MARC_FIND_AND_REPLACE", `{"tag":"245","subfield":"a","text":"x"}`, `"y"`)); a.State != fields.Updated ||
		record() != strings.Replace(linked, `{"a":"x"}`, `{"a":"y"}`, 1) {
		t.Errorf("a title is changed: %+v, %s", a, record())
	}
	if a := b.apply("t4", "c", marc("MARC_REMOVE_FIELD", `{"tag":"700"}`, "")); a.State != fields.Updated {
		t.Errorf("a linked field is removed: %+v", a)
	}
	if n := must[api.LinkPage](b, "link.list", "", "", param("authority", "evans")); len(n.Items) != 0 {
		t.Errorf("nothing is linked to evans: %+v", n)
	}
	if stray := b.strayLinks("c"); len(stray) > 0 {
		t.Errorf("%s", strings.Join(stray, "\n"))
	}
	b.sound()
}
