package operations

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/problem"
	"concord/transport/api"
)

// metadata is a collection's as it is stored, byte for byte.
func (b *bench) metadata(id string) string {
	b.t.Helper()
	return string(must[api.Collection](b, "collection.get", id, "").Metadata)
}

// original is metadata of which no byte is to change.
const original = `{"keywords": ["b" , "a"],"n":1.50, "note":"x"}`

// tagged are collections that a task has put a keyword to.
func tagged(b *bench, ids ...string) (task string) {
	b.t.Helper()
	for _, id := range ids {
		must[any](b, "collection.put", id, `{"metadata":`+original+`,"documents":{"d":{"t":1}}}`)
	}
	return b.done(tag(b, ids...).Task).Task
}

func tag(b *bench, ids ...string) api.BulkTask {
	b.t.Helper()
	return must[api.BulkTask](b, "bulk.submit", "", `{"targets":{"ids":["`+strings.Join(ids, `","`)+`"]},"instructions":[`+
		`{"type":"ADD_TO_EXISTING","path":"/metadata/keywords","value":"new"}]}`)
}

// letGo has bob release a lock.
func (b *bench) letGo(id string, grant api.Grant) {
	b.t.Helper()
	if _, p := b.do("lock.release", id, "", as("bob"), with("Lock-Token", grant.Token)); p != nil {
		b.t.Fatal(p)
	}
}

// isTagged says that the keyword is there.
func isTagged(b *bench, id string) bool { return strings.Contains(b.metadata(id), `"new"`) }

// TestWhatATaskHasDoneIsTakenBackAndRedone: each collection is what it was, byte for byte, and then again what the task made it.
func TestWhatATaskHasDoneIsTakenBackAndRedone(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	task := tagged(b, "x", "y")
	made := b.metadata("x")
	dry := b.done(b.rolled(task, "", param("dryRun", "true")).Task)
	items, _ := b.pages(dry.Task, 10)
	if got := b.told(dry.Task); got != "UPDATED, UPDATED" || !strings.Contains(string(items[0].Diff), `"remove"`) || b.metadata("x") != made {
		t.Errorf("a dry run: %s: %s, and left %s", got, items[0].Diff, b.metadata("x"))
	}
	back := b.done(b.rolled(task, `{"reason":"a mistake"}`, as("bob")).Task)
	if b.metadata("x") != original || b.metadata("y") != original || back.Message != "All collection updates were rolled back." || back.KeptBytes == 0 {
		t.Errorf("%+v: %s", back, b.metadata("x"))
	}
	history := must[api.HistoryPage](b, "collection.history", "x", "").Items
	if v := history[0]; v.Version != 3 || v.Bulk != back.Task || v.Principal != "bob" || v.Reason != "a mistake" {
		t.Errorf("%+v", v)
	}
	if p := b.refused(problem.CannotUndo, "bulk.rollback", task, ""); !strings.Contains(p.Detail, back.Task) {
		t.Errorf("%v", p)
	}
	redo := b.done(b.rolled(back.Task, "").Task)
	if b.metadata("x") != made || b.metadata("y") != made || redo.UndoOf != back.Task || redo.Counts.Updated != 2 {
		t.Errorf("%+v: %s", redo, b.metadata("x"))
	}
	if got := b.done(b.rolled(redo.Task, "").Task); b.metadata("x") != original || got.Counts.Updated != 2 {
		t.Errorf("%+v: %s", got, b.metadata("x"))
	}
	b.sound()
}

// TestOthersHaveWrittenSince: what the roll-back does then, and that what it has left is there to be taken back another way.
func TestOthersHaveWrittenSince(t *testing.T) {
	for policy, want := range map[string]string{
		"skip":  "UPDATED, SKIPPED version-conflict, SKIPPED version-conflict, SKIPPED version-conflict",
		"merge": "UPDATED, UPDATED, SKIPPED version-conflict, SKIPPED version-conflict",
		"force": "UPDATED, UPDATED, UPDATED, UPDATED",
	} {
		t.Run(policy, func(t *testing.T) {
			b := startWith(t, vfs.NewMem(), true)
			task := tagged(b, "same", "beside", "over", "gone")
			must[any](b, "document.put", "beside", `{"value":{"t":2}}`, inDocument("d"), as("bob"))
			must[any](b, "collection.put", "over", `{"metadata":{"keywords":["other"]}}`, as("bob"))
			must[any](b, "collection.delete", "gone", "", as("bob"))
			back := b.done(b.rolled(task, fmt.Sprintf(`{"onConflict":%q}`, policy)).Task)
			if got := b.told(back.Task); got != want {
				t.Errorf("%s", got)
			}
			if b.metadata("same") != original {
				t.Errorf("%s", b.metadata("same"))
			}
			if isTagged(b, "beside") != (policy == "skip") {
				t.Errorf("a document beside has changed: %s", b.metadata("beside"))
			}
			if left := policy != "force"; b.available(task) != left {
				t.Errorf("more can be taken back: %v", !left)
			} else if left {
				items, _ := b.pages(back.Task, 10, "SKIPPED")
				if item := items[len(items)-1]; !strings.Contains(item.Message, "version 3") || !strings.Contains(item.Message, "bob") {
					t.Errorf("the report: %+v", item)
				}
				if got := b.done(b.rolled(task, `{"onConflict":"force"}`).Task); got.Counts.Updated != got.Total || got.Total != back.Counts.Skipped {
					t.Errorf("what was left: %+v", got)
				}
			}
			if b.metadata("over") != original || b.metadata("gone") != original {
				t.Errorf("in the end: %s, %s", b.metadata("over"), b.metadata("gone"))
			}
			b.sound()
		})
	}
}

// TestATaskIsStoppedAndTakenBack while it waits for a lock: what waits is never written.
func TestATaskIsStoppedAndTakenBack(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	for _, id := range []string{"x", "y"} {
		must[any](b, "collection.put", id, `{"metadata":`+original+`}`)
	}
	grant := must[api.Grant](b, "lock.acquire", "y", `{}`, as("bob"))
	task := tag(b, "x", "y").Task
	b.waitFor(func() bool { return isTagged(b, "x") })
	back := b.done(b.rolled(task, "").Task)
	if got := must[api.BulkTask](b, "bulk.get", task, ""); got.State != "PARTIALLY_CANCELLED" || got.UndoneBy != back.Task || b.told(back.Task) != "UPDATED" {
		t.Errorf("%+v, %s", got, b.told(back.Task))
	}
	if b.metadata("x") != original || b.metadata("y") != original {
		t.Errorf("%s, %s", b.metadata("x"), b.metadata("y"))
	}
	b.letGo("y", grant)
}

// TestARollbackWaitsForLocks, or says that it has failed, as it was asked; then it is retried.
func TestARollbackWaitsForLocks(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	task := tagged(b, "x", "y")
	grant := must[api.Grant](b, "lock.acquire", "x", `{}`, as("bob"))
	hasty := b.done(b.rolled(task, `{"onLocked":"fail"}`).Task)
	if got := b.told(hasty.Task); got != "FAILED locked, UPDATED" {
		t.Errorf("%s", got)
	}
	back := b.rolled(task, "")
	b.waitFor(func() bool { return must[api.BulkTask](b, "bulk.get", back.Task, "").WaitingForLocks == 1 })
	if !isTagged(b, "x") || isTagged(b, "y") {
		t.Error("what is locked is left alone, and no other")
	}
	b.letGo("x", grant)
	if b.done(back.Task); b.told(back.Task) != "UPDATED" || b.metadata("x") != original {
		t.Errorf("%s: %s", b.told(back.Task), b.metadata("x"))
	}

	redone := b.done(b.rolled(back.Task, "").Task)
	grant = must[api.Grant](b, "lock.acquire", "x", `{}`, as("bob"))
	failed := b.done(b.rolled(redone.Task, `{"onLocked":"fail"}`).Task)
	b.letGo("x", grant)
	retry := b.done(must[api.BulkTask](b, "bulk.retry", failed.Task, "").Task)
	if retry.Counts.Updated != 1 || retry.OnLocked != "fail" || b.metadata("x") != original || b.available(redone.Task) {
		t.Errorf("%+v: %s", retry, b.metadata("x"))
	}
	b.sound()
}

// TestARetryIsTakenBack by itself: what the first one has done stays.
func TestARetryIsTakenBack(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	must[any](b, "collection.put", "x", `{"metadata":`+original+`}`)
	task := b.done(tag(b, "x", "y").Task)
	must[any](b, "collection.put", "y", `{"metadata":`+original+`}`)
	retry := b.done(must[api.BulkTask](b, "bulk.retry", task.Task, "").Task)
	if !isTagged(b, "y") {
		t.Fatalf("%+v", retry)
	}
	b.done(b.rolled(retry.Task, "").Task)
	if !isTagged(b, "x") || b.metadata("y") != original {
		t.Errorf("%s, %s", b.metadata("x"), b.metadata("y"))
	}
	b.done(b.rolled(task.Task, "").Task)
	if b.metadata("x") != original {
		t.Errorf("%s", b.metadata("x"))
	}
}
