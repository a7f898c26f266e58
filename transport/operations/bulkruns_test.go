package operations

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collection"
	"concord/transport/api"
)

// done waits until a task has ended, and returns it.
func (b *bench) done(id string) api.BulkTask {
	b.t.Helper()
	for {
		task := must[api.BulkTask](b, "bulk.get", id, "")
		if task.Counts.Total() != task.Total {
			b.t.Fatalf("the counts are not the total: %+v", task)
		}
		if task.EndedAt != nil {
			return task
		}
		<-b.tasksEnded
	}
}

// told are the states of the items of a task.
func (b *bench) told(task string) string {
	b.t.Helper()
	var states []string
	items, _ := b.pages(task, 1000)
	for _, item := range items {
		states = append(states, strings.TrimSuffix(item.State+" "+item.Code, " "))
	}
	return strings.Join(states, ", ")
}

// TestABulkUpdateFromEndToEnd: from the request to the last item, its retry, and the prediction of a dry run.
func TestABulkUpdateFromEndToEnd(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	shelves(b, "a", "b")
	must[collection.Result](b, "collection.put", "other", `{}`)
	b.untilBuilt("science")
	body := `{"type":"science","targets":{"items":[{"id":"a","value":"x"},{"key":{"/metadata/short":"s1","/metadata/edition":1},"value":"y"},` +
		`{"key":{"/metadata/short":"s9","/metadata/edition":1},"value":"z"},{"id":"other","value":"x"},{"id":"none","value":"x"},{"id":"stale","value":"x","version":7}]},` +
		`"instructions":[{"type":"ADD_TO_EXISTING","path":"/metadata/labels","valueFrom":""}]}`
	dry := b.done(must[api.BulkTask](b, "bulk.submit", "", body, param("dryRun", "true")).Task)
	if got := b.told(dry.Task); !strings.HasPrefix(got, "UPDATED, UPDATED, FAILED not-found, FAILED ") || dry.State != "COMPLETE" {
		t.Errorf("%s: %s", dry.State, got)
	}
	items, _ := b.pages(dry.Task, 10)
	if !strings.Contains(string(items[0].Diff), "/metadata/labels") || items[0].VersionAfter != 0 {
		t.Errorf("the diff: %+v", items[0])
	}
	task := b.done(must[api.BulkTask](b, "bulk.submit", "", body).Task)
	if got, predicted := b.told(task.Task), b.told(dry.Task); got != predicted {
		t.Errorf("%s, and predicted was %s", got, predicted)
	}
	if items, _ := b.pages(task.Task, 10, "UPDATED"); len(items) != 2 || items[1].ID != "b" || items[1].VersionBefore != 1 || items[1].VersionAfter != 2 || len(items[1].Key) == 0 {
		t.Errorf("%+v", items)
	}
	must[collection.Result](b, "collection.put", "none", `{"type":"science"}`)
	must[collection.Result](b, "collection.put", "late", `{"type":"science","metadata":{"short":"s9","edition":1}}`)
	retry := b.done(must[api.BulkTask](b, "bulk.retry", task.Task, "").Task)
	if got := b.told(retry.Task); retry.RetryOf != task.Task || !strings.HasPrefix(got, "UPDATED, FAILED ") || retry.Counts.Updated != 2 || retry.Counts.Failed != 2 {
		t.Errorf("the retry: %+v: %s", retry.Counts, got)
	}
}

// TestTasksOnOneCollection apply in the order of their numbers, also while it is locked.
func TestTasksOnOneCollection(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	shelves(b, "a", "b")
	grant := must[api.Grant](b, "lock.acquire", "a", `{}`, as("bob"))
	add := func(value string, more string) api.BulkTask {
		return must[api.BulkTask](b, "bulk.submit", "", fmt.Sprintf(`{"targets":{"ids":["a","b"]},"instructions":[{"type":"ADD_TO_EXISTING","path":"/metadata/x","value":%q}]%s}`, value, more))
	}
	tasks := []api.BulkTask{add("1", ""), add("2", ""), add("3", "")}
	b.waitFor(func() bool { return must[api.BulkTask](b, "bulk.get", "1", "").WaitingForLocks == 1 })
	items, _ := b.pages("1", 10)
	if items[0].State != "PENDING" || !strings.Contains(items[0].Message, "bob") || items[1].State != "UPDATED" {
		t.Errorf("while it is locked: %+v", items)
	}
	must[api.BulkTask](b, "bulk.cancel", "2", "")
	if _, p := b.do("lock.release", "a", "", as("bob"), with("Lock-Token", grant.Token)); p != nil {
		t.Fatal(p)
	}
	for _, task := range tasks {
		b.done(task.Task)
	}
	text := compact(must[api.Collection](b, "collection.get", "a", "").Metadata)
	if !strings.Contains(text, `"x":["1","3"]`) {
		t.Errorf("%s: %s", b.told("2"), text)
	}
}
