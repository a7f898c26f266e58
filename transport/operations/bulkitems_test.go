package operations

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"concord/actors/bulk"
	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// tell gives a task a command, as what works on it does.
func (b *bench) tell(task string, command bulk.Command) {
	b.t.Helper()
	if _, err := b.service.call(b.t.Context(), &entity.Envelope{Entity: bulkID("p", task), Command: command, Meta: entity.Meta{Principal: systemPrincipal}}); err != nil {
		b.t.Fatalf("%T: %v", command, err)
	}
}

// pages are all items of a task in the states, page by page.
func (b *bench) pages(task string, limit int, states ...string) (items []api.BulkItem, pages int) {
	b.t.Helper()
	options := []option{param("limit", strconv.Itoa(limit)), param("cursor", "")}
	if len(states) > 0 {
		options = append(options, func(r *transport.Request) { r.Params["state"] = states })
	}
	for {
		page := must[api.BulkItemPage](b, "bulk.items", task, "", options...)
		if len(page.Items) > limit {
			b.t.Fatalf("%d items, not %d", len(page.Items), limit)
		}
		items, pages = append(items, page.Items...), pages+1
		if page.Next == "" {
			return items, pages
		}
		options[1] = param("cursor", page.Next)
	}
}

// TestOutcomesThatAreMissing: of a row that has been recorded nobody says that it was left alone, since then it would not be taken
// back; it is an error.
func TestOutcomesThatAreMissing(t *testing.T) {
	b := start(t, vfs.NewMem())
	id := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a","b"]}`)).Task
	b.tell(id, &bulk.Start{})
	b.tell(id, &bulk.Progress{Rows: []bulk.Outcome{updated(1, 2)}})
	b.tell(id, &bulk.Cancel{})
	b.tell(id, &bulk.Finish{})
	view := b.store.View()
	defer func() { _ = view.Close() }()
	for _, row := range []struct {
		cursor uint64
		want   error
	}{{1, nil}, {2, persistence.ErrCorrupt}} {
		task := &bulkTask{id: bulkID("p", id)}
		var err error
		if task.state, _, err = bulkState(view, task.id); err != nil {
			t.Fatal(err)
		}
		task.state.Cursor = row.cursor
		for _, wrong := range task.outcomes(view, 0) {
			err = wrong
		}
		if !errors.Is(err, row.want) {
			t.Errorf("with %d recorded: %v", row.cursor, err)
		}
	}
}

// madeUp is a task as a dumb version has it.
type madeUp struct {
	items  []api.BulkItem
	cursor int
	turns  map[int]uint32 // of rows that wait
	open   bool
}

var drawnOutcome = rapid.Custom(func(t *rapid.T) bulk.Outcome {
	before := rapid.Uint64Range(1, 9).Draw(t, "before")
	switch rapid.IntRange(0, 4).Draw(t, "outcome") {
	case 0:
		return bulk.Outcome{State: fields.Updated, VersionBefore: before, VersionAfter: before + 1, Warnings: []problem.FieldError{{Path: "/metadata", Message: "w"}}}
	case 1:
		return bulk.Outcome{State: fields.Unchanged, VersionBefore: before, VersionAfter: before}
	case 2:
		return bulk.Outcome{State: fields.Skipped, VersionBefore: before, VersionAfter: before}
	case 3:
		return bulk.Outcome{State: fields.Failed, Code: "not-found", Message: "gone"}
	default:
		return bulk.Outcome{State: bulk.ItemPending, Message: "bob"}
	}
})

func (m *madeUp) note(row int, o *bulk.Outcome) {
	item := &m.items[row]
	item.State, item.Code, item.Message, item.Warnings, item.VersionBefore = string(o.State), o.Code, o.Message, o.Warnings, o.VersionBefore
	if o.VersionAfter != o.VersionBefore {
		item.VersionAfter = o.VersionAfter
	}
}

// step does something to both.
func (m *madeUp) step(t *rapid.T, b *bench, task string) {
	waiting := make([]int, 0, len(m.turns))
	for row := range m.turns {
		waiting = append(waiting, row)
	}
	slices.Sort(waiting)
	switch what := rapid.IntRange(0, 9).Draw(t, "what"); {
	case what == 0 && m.cursor > 0:
		b.tell(task, &bulk.Cancel{})
		b.tell(task, &bulk.Finish{})
		for i := range m.items {
			if m.items[i].State == string(bulk.ItemPending) {
				m.items[i].State, m.items[i].Message = string(bulk.ItemCancelled), ""
			}
		}
		m.open = false
	case what < 5 && len(waiting) > 0:
		row := rapid.SampledFrom(waiting).Draw(t, "row")
		o := drawnOutcome.Draw(t, "late")
		b.tell(task, &bulk.Progress{From: uint64(m.cursor), Open: []bulk.OpenOutcome{{Row: uint64(row), Turn: m.turns[row], Holder: "cid", Outcome: o}}})
		if o.State == bulk.ItemPending {
			m.turns[row]++
			m.items[row].Message = "cid"
			return
		}
		delete(m.turns, row)
		m.note(row, &o)
	case m.cursor < len(m.items):
		rows := rapid.SliceOfN(drawnOutcome, 1, min(60, len(m.items)-m.cursor)).Draw(t, "rows")
		b.tell(task, &bulk.Progress{From: uint64(m.cursor), Rows: rows})
		for i := range rows {
			if rows[i].State == bulk.ItemPending {
				m.turns[m.cursor+i] = 0
			}
			m.note(m.cursor+i, &rows[i])
		}
		m.cursor += len(rows)
	}
}

// check compares: all pages are the list, those of a filter the list filtered, and the counts are the list counted.
func (m *madeUp) check(t *rapid.T, b *bench, task string) {
	states := rapid.SliceOfNDistinct(rapid.SampledFrom(bulk.ItemStates), 0, 3, rapid.ID[bulk.ItemState]).Draw(t, "states")
	want := make([]api.BulkItem, 0, len(m.items))
	counts := map[string]uint64{}
	for _, item := range m.items {
		counts[item.State]++
		if len(states) == 0 || slices.Contains(states, bulk.ItemState(item.State)) {
			want = append(want, item)
		}
	}
	names := make([]string, len(states))
	for i, state := range states {
		names[i] = string(state)
	}
	got, _ := b.pages(task, rapid.IntRange(1, 200).Draw(t, "limit"), names...)
	if diff := cmp.Diff(want, append([]api.BulkItem{}, got...)); diff != "" {
		t.Fatalf("in %v: %s", names, diff)
	}
	shown := must[api.BulkTask](b, "bulk.get", task, "")
	for _, state := range bulk.ItemStates {
		if shown.Counts.Of(state) != counts[string(state)] {
			t.Fatalf("%d are %s, not %d", shown.Counts.Of(state), state, counts[string(state)])
		}
	}
	if shown.Total != shown.Counts.Total() || shown.WaitingForLocks != uint64(len(m.turns)) && m.open {
		t.Fatalf("%+v, %d wait", shown, len(m.turns))
	}
}

// TestItemsAreTheList: whatever has come of them, in whatever order it was told.
func TestItemsAreTheList(t *testing.T) {
	b := start(t, vfs.NewMem())
	b.service.Limits.Bulk.OpenTasksMax = 1_000_000
	rapid.Check(t, func(t *rapid.T) {
		m := &madeUp{turns: map[int]uint32{}, open: true}
		var list []string
		value, body := "", asking
		if rapid.Bool().Draw(t, "valued") { // many chunks, or one
			value, body = `,"value":1`, valuing
		}
		for i := range rapid.IntRange(1, 330).Draw(t, "items") {
			list = append(list, fmt.Sprintf(`{"id":"c%d"%s}`, i, value))
			m.items = append(m.items, api.BulkItem{Row: uint64(i), ID: fmt.Sprint("c", i), State: string(bulk.ItemPending)})
		}
		task := must[api.BulkTask](b, "bulk.submit", "", body(`{"items":[`+strings.Join(list, ",")+`]}`)).Task
		m.check(t, b, task)
		b.tell(task, &bulk.Start{})
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			if m.open {
				m.step(t, b, task)
			}
		}
		m.check(t, b, task)
		m.check(t, b, task)
	})
}

// TestAPageOfItemsIsBounded: it passes over so many that it does not show, and the next one goes on there.
func TestAPageOfItemsIsBounded(t *testing.T) {
	b := start(t, vfs.NewMem())
	ids := make([]string, 12_000)
	for i := range ids {
		ids[i] = fmt.Sprint("c", i)
	}
	text, _ := json.Marshal(ids)
	task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":`+string(text)+`}`)).Task
	b.tell(task, &bulk.Start{})
	for at := 0; at < len(ids); {
		rows := make([]bulk.Outcome, min(bulk.ProgressMaxItems, len(ids)-at))
		for i := range rows {
			rows[i] = bulk.Outcome{State: fields.Unchanged, VersionBefore: 1, VersionAfter: 1}
		}
		if at+len(rows) == len(ids) {
			rows[len(rows)-1] = bulk.Outcome{State: fields.Failed, Code: "not-found"}
		}
		b.tell(task, &bulk.Progress{From: uint64(at), Rows: rows})
		at += len(rows)
	}
	b.tell(task, &bulk.Finish{})
	first := must[api.BulkItemPage](b, "bulk.items", task, "", param("state", "FAILED"))
	if len(first.Items) != 0 || first.Next == "" {
		t.Errorf("the first page: %+v", first)
	}
	items, pages := b.pages(task, 10, "FAILED")
	if len(items) != 1 || items[0].ID != "c11999" || items[0].Row != 11_999 || pages != 2 {
		t.Errorf("%d pages: %+v", pages, items)
	}
	if items, pages := b.pages(task, 10, "CANCELLED", "PENDING"); len(items) != 0 || pages != 1 {
		t.Errorf("none are so, and %d pages are looked at", pages)
	}
	if items, _ := b.pages(task, 1000); len(items) != len(ids) || items[7777].ID != "c7777" {
		t.Errorf("%d items", len(items))
	}
	for _, state := range []string{"DONE", "failed"} {
		b.refused(problem.Invalid, "bulk.items", task, "", param("state", state))
	}
	b.refused(problem.Invalid, "bulk.items", task, "", param("cursor", "?"))
	retry := must[api.BulkTask](b, "bulk.retry", task, "")
	if got := listed(b.list(retry.Task)); got != "c11999" || retry.RetryOf != task {
		t.Errorf("the retry of %s: %s", retry.RetryOf, got)
	}
}

// TestTheDiffsOfADryRunAreShown, and how long those are that are left out.
func TestTheDiffsOfADryRunAreShown(t *testing.T) {
	b := start(t, vfs.NewMem())
	task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a","b"]}`), param("dryRun", "true")).Task
	b.tell(task, &bulk.Start{})
	b.tell(task, &bulk.Progress{Rows: []bulk.Outcome{
		{State: fields.Updated, VersionBefore: 3, VersionAfter: 3, Diff: []byte(`[{"op":"remove","path":"/metadata/draft"}]`), DiffBytes: 42},
		{State: fields.Updated, VersionBefore: 1, VersionAfter: 1, DiffBytes: 5000}}})
	items, _ := b.pages(task, 10)
	if len(items) != 2 || string(items[0].Diff) == "" || items[0].VersionAfter != 0 || items[1].Diff != nil || items[1].DiffBytes != 5000 {
		t.Errorf("%+v", items)
	}
}
