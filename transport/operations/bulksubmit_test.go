package operations

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/bulk"
	"concord/actors/collection"
	"concord/actors/problem"
	"concord/actors/provider"
	"concord/persistence"
	"concord/transport/api"
)

// list is the list of a task, as it is kept.
func (b *bench) list(task string) (rows []bulk.Row) {
	b.t.Helper()
	id := bulkID("p", task)
	state, _, err := bulkState(b.store, id)
	if err != nil {
		b.t.Fatal(err)
	}
	for number := range state.Chunks {
		chunk, err := chunkOf(b.store, id, number)
		if err != nil {
			b.t.Fatal(err)
		}
		rows = append(rows, chunk...)
	}
	if uint64(len(rows)) != state.Total {
		b.t.Fatalf("%d rows of %d", len(rows), state.Total)
	}
	return rows
}

// listed are the ids of a list.
func listed(rows []bulk.Row) string {
	ids := make([]string, len(rows))
	for i := range rows {
		ids[i] = rows[i].Collection
	}
	return strings.Join(ids, " ")
}

// TestABulkUpdateIsATask: what was asked for is kept, and shown by id and by number.
func TestABulkUpdateIsATask(t *testing.T) {
	b := start(t, vfs.NewMem())
	shelves(b, "a", "b")
	body := `{"name": "May", "type": "science", "targets": {"ids": ["b", "a", "none"]}, "itemsPerSecond": 7, "onLocked": "fail", "reason": "why",
		"instructions": [{"type": "CLEAR_FIELD", "field": "KEYWORDS"}]}`
	reply, p := b.do("bulk.submit", "", body)
	if p != nil || reply.Status != 202 || reply.See.Operation != "bulk.get" {
		t.Fatalf("%+v, %v", reply, p)
	}
	var task api.BulkTask
	if err := json.Unmarshal(reply.Body, &task); err != nil {
		t.Fatal(err)
	}
	until := b.clock.Now().Add(7 * 24 * time.Hour)
	want := api.BulkTask{Task: task.Task, Number: 1, Name: "May", Provider: "p", State: "ACCEPTED", Message: task.Message, Counts: bulk.Counts{Pending: 3},
		Total: 3, Type: "science", OnLocked: "fail", ItemsPerSecond: 7, Principal: "ann", Reason: "why", Seq: 1, AcceptedAt: b.clock.Now(),
		RollbackAvailable: true, RollbackUntil: &until}
	if !reflect.DeepEqual(task, want) || reply.See.ID != task.Task {
		t.Errorf("%+v\nnot %+v", task, want)
	}
	want.Seq++ // its name is its own
	for _, id := range []string{task.Task, "1", "01"} {
		if again := must[api.BulkTask](b, "bulk.get", id, ""); !reflect.DeepEqual(again, want) {
			t.Errorf("%s: %+v", id, again)
		}
	}
	if got := listed(b.list(task.Task)); got != "b a none" {
		t.Errorf("the list: %s", got)
	}
	asked, _ := b.do("bulk.request", "1", "")
	var shown api.BulkAsked
	if err := json.Unmarshal(asked.Body, &shown); err != nil {
		t.Fatal(err)
	}
	if string(shown.Body) != body || string(shown.Targets) != `{"by":"ids","count":3}` || shown.Type != "science" || !strings.Contains(string(shown.Instructions), "KEYWORDS") {
		t.Errorf("asked: %s", asked.Body)
	}
	if events := must[api.EventPage](b, "bulk.events", "1", ""); len(events.Items) != 1 || events.Items[0].Type != bulk.TypeAccepted {
		t.Errorf("events: %+v", events)
	}
	for _, verb := range []string{"bulk.get", "bulk.pause", "bulk.cancel", "bulk.items", "bulk.request", "bulk.events", "bulk.retry"} {
		for _, id := range []string{"2", "none", "99999999999999999999999"} {
			b.refused(problem.NotFound, verb, id, "")
		}
	}
}

// TestTargets: each kind makes its list, once.
func TestTargets(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	shelves(b, "a", "b", "c")
	must[collection.Result](b, "collection.put", "d", `{"type":"science","metadata":{"short":"s0","edition":1,"place":"Oslo"}}`)
	must[collection.Result](b, "collection.put", "e", `{}`)
	must[collection.Result](b, "collection.put", "gone", `{}`)
	must[any](b, "collection.delete", "gone", "")
	b.untilBuilt("science")
	science := `"type":"science"`
	for name, row := range map[string]struct {
		body, list, told string
	}{
		"ids as they come":   {asking(`{"ids":["c","a"]}`), "c a", `{"by":"ids","count":2}`},
		"all of a provider":  {asking(`{"all":true}`), "a b c d e", `{"by":"all","count":5}`},
		"all of a type":      {asking(`{"all":true}`, science), "a b c d", `{"by":"all","count":4}`},
		"a query":            {asking(`{"query":{"/metadata/place":"Rome"}}`, science), "a b c", `{"by":"query","count":3,"query":{"/metadata/place":"Rome"}}`},
		"keys":               {asking(`{"keys":[{"/metadata/short":"s2","/metadata/edition":1},{"/metadata/short":"s0","/metadata/edition":1},{"/metadata/short":"s9","/metadata/edition":1}]}`, science), "c  ", `{"by":"keys","count":3}`},
		"items by both":      {asking(`{"items":[{"id":"e"},{"key":{"/metadata/short":"s1","/metadata/edition":1},"version":3}]}`, science), "e b", `{"by":"items","count":2}`},
		"an upload of both":  {asking(`{"upload":"`+b.upload([]byte("\uFEFFe\r\n\r\n\"a\"\r\n{\"key\":{\"/metadata/edition\":1,\"/metadata/short\":\"s1\"}}\r\n"))+`"}`, science), "e a b", `{"by":"upload","count":3,"upload":"`},
		"an upload of items": {`{"targets":{"upload":"` + b.upload([]byte(`{"id":"a","value":{"x":1},"version":2}`)) + `"},"instructions":[{"type":"ADD_TO_EXISTING","path":"/metadata/x","valueFrom":"/x"}]}`, "a", `{"by":"upload","count":1,"upload":"`},
	} {
		t.Run(name, func(t *testing.T) {
			task := must[api.BulkTask](b, "bulk.submit", "", row.body, param("dryRun", "true"))
			if !task.DryRun || listed(b.list(task.Task)) != row.list {
				t.Errorf("the list: %s, not %s", listed(b.list(task.Task)), row.list)
			}
			if asked := must[api.BulkAsked](b, "bulk.request", task.Task, ""); !strings.HasPrefix(string(asked.Targets), row.told) {
				t.Errorf("asked: %s", asked.Targets)
			}
		})
	}
	rows := b.list(must[api.BulkTask](b, "bulk.submit", "", asking(`{"keys":[{"/metadata/short":"s9","/metadata/edition":1},{"/metadata/short":"s0","/metadata/edition":1}]}`, science)).Task)
	if rows[0].Code != string(problem.NotFound) || rows[1].Code != codeAmbiguous || !strings.Contains(rows[1].Why, "a and d") || rows[1].Key == "" {
		t.Errorf("keys that lead nowhere: %+v", rows)
	}
}

// TestIdempotencyKeyOfABulkUpdate: the same request is the same task, whatever has changed since; another one is refused.
func TestIdempotencyKeyOfABulkUpdate(t *testing.T) {
	b := start(t, vfs.NewMem())
	shelves(b, "a", "b")
	upload := b.upload([]byte("a\nb"))
	body, key := asking(`{"upload":"`+upload+`"}`, `"name":"n"`), with("Idempotency-Key", "k")
	task := must[api.BulkTask](b, "bulk.submit", "", body, key)
	must[api.BulkTask](b, "bulk.cancel", task.Task, "")
	b.clock.Set(b.clock.Now().Add(b.service.Limits.Actors.Upload.TTL - time.Minute)) // the upload is gone in a minute, the key a little later
	reply, p := b.do("bulk.submit", "", body, key)
	if p != nil || reply.Status != 202 || reply.See.ID != task.Task || !strings.Contains(string(reply.Body), "CANCELLED") {
		t.Errorf("again: %+v, %v", reply, p)
	}
	b.refused(problem.KeyReused, "bulk.submit", "", asking(`{"ids":["a"]}`), key)
	b.refused(problem.KeyReused, "bulk.submit", "", body, key, param("dryRun", "true"))
	if other := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`), key, as("bob")); other.Task == task.Task || other.Number != 2 {
		t.Errorf("of another principal: %+v", other)
	}
	b.refused(problem.NameTaken, "bulk.submit", "", asking(`{"ids":["b"]}`, `"name":"n"`), with("Idempotency-Key", "l"))
	if fixed := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["b"]}`, `"name":"o"`), with("Idempotency-Key", "l")); fixed.Name != "o" {
		t.Errorf("a key that was refused before is not used up: %+v", fixed)
	}
	if page := must[api.BulkPage](b, "bulk.list", "", ""); len(page.Items) != 3 {
		t.Errorf("%d tasks", len(page.Items))
	}
}

// TestTheSameRequestAtOnce: many that come together are one task, also if there are more than may wait.
func TestTheSameRequestAtOnce(t *testing.T) {
	b := start(t, vfs.NewMem())
	shelves(b, "a", "b")
	var all sync.WaitGroup
	tasks := make([]string, 16)
	for i := range tasks {
		all.Go(func() {
			reply, err := b.insist("bulk.submit", "", asking(`{"all":true}`, `"name":"n"`), with("Idempotency-Key", "k"))
			if err != nil {
				t.Error(err)
				return
			}
			tasks[i] = reply.See.ID
		})
	}
	all.Wait()
	if slices.Sort(tasks); len(slices.Compact(tasks)) != 1 {
		t.Errorf("tasks %v", tasks)
	}
}

// TestNamesOfBulkUpdatesAreUnique: of many that want one name at once, one gets it; a task that is refused leaves it free.
func TestNamesOfBulkUpdatesAreUnique(t *testing.T) {
	b := start(t, vfs.NewMem())
	var all sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for range 12 {
		all.Go(func() {
			_, err := b.try("bulk.submit", "", asking(`{"ids":["a"]}`, `"name":"n"`))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if p := problem.Of(err); p.Code != problem.NameTaken || p.Errors[0].Path != "/name" {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won != 1 {
		t.Errorf("%d tasks have the name", won)
	}
	b.refused(problem.Invalid, "bulk.submit", "", asking(`{"all":true}`, `"name":"m"`)) // there is none
	must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`, `"name":"m"`))
	b.clock.Set(b.clock.Now().Add(2 * provider.ReservationTTL))
	b.refused(problem.NameTaken, "bulk.submit", "", asking(`{"ids":["a"]}`, `"name":"m"`))
}

// TestNumbersAreInOrderOfAcceptance: without a gap, and as the list of tasks has it, also when many come at once.
func TestNumbersAreInOrderOfAcceptance(t *testing.T) {
	b := start(t, vfs.NewMem())
	const tasks = 24
	var accepted []uint64
	var mu sync.Mutex
	var all sync.WaitGroup
	for range tasks {
		all.Go(func() {
			if _, err := b.insist("bulk.submit", "", asking(`{"ids":["a","b"]}`)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for p := range b.store.Partitions() {
		for rec, err := range b.store.Log(persistence.Partition(p), 1) {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Record.GetType() == bulk.TypeAccepted {
				state, _, err := bulkState(b.store, rec.Entity)
				if err != nil {
					t.Fatal(err)
				}
				mu.Lock()
				accepted = append(accepted, state.Number)
				mu.Unlock()
			}
		}
	}
	slices.Sort(accepted)
	for i, number := range accepted {
		if number != uint64(i+1) {
			t.Fatalf("numbers %v", accepted)
		}
	}
	page := must[api.BulkPage](b, "bulk.list", "", "")
	for i, task := range page.Items {
		if task.Number != uint64(tasks-i) {
			t.Fatalf("the clock stands still, and task %d is in place %d", task.Number, i)
		}
	}
}

// TestRoomForBulkUpdates: so many tasks and items may be open; those that have ended make room.
func TestRoomForBulkUpdates(t *testing.T) {
	b := start(t, vfs.NewMem())
	b.service.Limits.Bulk.OpenTasksMax, b.service.Limits.Bulk.OpenItemsMax = 2, 5
	must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a","b","c"]}`))
	if p := b.refused(problem.QueueFull, "bulk.submit", "", asking(`{"ids":["a","b","c"]}`, `"name":"n"`)); p.Status() != 429 || p.RetryAfter == 0 {
		t.Errorf("%+v", p)
	}
	must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a","b"]}`, `"name":"n"`))
	b.refused(problem.QueueFull, "bulk.submit", "", asking(`{"ids":["a"]}`))
	must[api.BulkTask](b, "bulk.cancel", "1", "")
	must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a","b","c"]}`))
	b.service.Limits.Bulk.Enabled = false
	if p := b.refused(problem.Forbidden, "bulk.submit", "", asking(`{"ids":["a"]}`)); p.Detail != "bulk updates are switched off on this service" {
		t.Errorf("%+v", p)
	}
	b.refused(problem.Forbidden, "bulk.retry", "1", "")
	must[api.BulkTask](b, "bulk.pause", "2", "")
}
