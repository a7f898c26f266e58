package operations

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/bulk"
	"concord/actors/fields"
	"concord/actors/problem"
	"concord/actors/undo"
	"concord/transport"
	"concord/transport/api"
)

func updated(before, after uint64) bulk.Outcome {
	return bulk.Outcome{State: fields.Updated, VersionBefore: before, VersionAfter: after}
}

var (
	skippedItem = bulk.Outcome{State: fields.Skipped, Code: string(problem.VersionConflict), Message: "version 8 is by bob", VersionBefore: 8, VersionAfter: 8}
	failedItem  = bulk.Outcome{State: fields.Failed, Code: "internal", Message: "x"}
)

// ran has a task come to its end with these outcomes, as what works on it does.
func (b *bench) ran(task string, outcomes ...bulk.Outcome) {
	b.t.Helper()
	b.tell(task, &bulk.Start{})
	b.tell(task, &bulk.Progress{Rows: outcomes})
	b.tell(task, &bulk.Finish{})
}

// later lets time pass.
func (b *bench) later(d time.Duration) { b.clock.Set(b.clock.Now().Add(d)) }

// rolled asks for a roll-back.
func (b *bench) rolled(task, body string, options ...option) api.BulkTask {
	b.t.Helper()
	return must[api.BulkTask](b, "bulk.rollback", task, body, options...)
}

// spans are the rows of a task that takes back: collections, and which versions.
func (b *bench) spans(task string) string {
	b.t.Helper()
	var texts []string
	for _, row := range b.list(task) {
		text := row.Collection
		for _, s := range row.Undo {
			text += fmt.Sprintf(" %d-%d", s.Before, s.After)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

// available says what callers are told beforehand, alone and in a list.
func (b *bench) available(task string) bool {
	b.t.Helper()
	alone := must[api.BulkTask](b, "bulk.get", task, "").RollbackAvailable
	for _, item := range must[api.BulkPage](b, "bulk.list", "", "").Items {
		if item.Task == task && item.RollbackAvailable != alone {
			b.t.Errorf("%s can be taken back: %v, and listed as %v", task, alone, !alone)
		}
	}
	return alone
}

// TestARollbackIsATask of what was updated, with the versions; what it leaves is taken up by the next one, and it is taken back
// itself.
func TestARollbackIsATask(t *testing.T) {
	b := start(t, vfs.NewMem())
	first := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a","b","c","d","e"]}`)).Task
	b.ran(first, updated(3, 4), bulk.Outcome{State: fields.Unchanged, VersionBefore: 1, VersionAfter: 1}, updated(1, 2), failedItem, updated(6, 8))
	if !b.available(first) {
		t.Error("what was updated can be taken back")
	}

	dry := b.rolled(first, "", param("dryRun", "true"))
	if !dry.DryRun || dry.RollbackUntil != nil || b.spans(dry.Task) != "a 3-4, c 1-2, e 6-8" || must[api.BulkTask](b, "bulk.get", first, "").UndoneBy != "" {
		t.Errorf("a dry run: %+v", dry)
	}
	b.ran(dry.Task, updated(4, 4), updated(2, 2), updated(8, 8))
	if b.available(dry.Task) {
		t.Error("a dry run has written nothing")
	}

	back := b.rolled("1", `{"name":"back","onLocked":"fail","reason":"a mistake"}`, as("bob"))
	until := b.clock.Now().Add(7 * 24 * time.Hour)
	if back.State != "ACCEPTED" || back.UndoOf != first || back.OnConflict != "skip" || back.Principal != "bob" || back.Name != "back" ||
		back.OnLocked != "fail" || back.Reason != "a mistake" || back.RollbackUntil == nil || !back.RollbackUntil.Equal(until) {
		t.Errorf("%+v", back)
	}
	if got := b.spans(back.Task); got != "a 3-4, c 1-2, e 6-8" {
		t.Errorf("takes back %s", got)
	}
	if got := must[api.BulkTask](b, "bulk.get", first, ""); got.UndoneBy != back.Task || b.available(first) {
		t.Errorf("while it is taken back: %+v", got)
	}
	if p := b.refused(problem.WrongState, "bulk.rollback", first, ""); !strings.Contains(p.Detail, back.Task) {
		t.Errorf("while it is taken back: %v", p)
	}
	b.refused(problem.WrongState, "bulk.rollback", first, "", param("dryRun", "true"))

	b.ran(back.Task, updated(4, 5), skippedItem, failedItem)
	if !b.available(first) || !b.available(back.Task) {
		t.Error("what is left can be taken back, and what was taken back")
	}
	rest := b.rolled(first, `{"onConflict":"force"}`)
	if got := b.spans(rest.Task); got != "c 1-2, e 6-8" || rest.OnConflict != "force" || rest.UndoOf != first {
		t.Errorf("what was left: %s, %+v", got, rest)
	}
	b.ran(rest.Task, updated(8, 9), updated(8, 10))
	if p := b.refused(problem.CannotUndo, "bulk.rollback", first, ""); !strings.Contains(p.Detail, rest.Task) || b.available(first) {
		t.Errorf("when all was taken back: %v", p)
	}

	redo := b.rolled(back.Task, "")
	if got := b.spans(redo.Task); got != "a 4-5" || redo.UndoOf != back.Task {
		t.Errorf("the redo: %s, %+v", got, redo)
	}
}

// TestARollbackThatWasTakenBack leaves nothing to be taken up: what it had taken back stands again.
func TestARollbackThatWasTakenBack(t *testing.T) {
	b := start(t, vfs.NewMem())
	first := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a","b"]}`)).Task
	b.ran(first, updated(1, 2), updated(1, 2))
	back := b.rolled(first, "").Task
	b.ran(back, updated(2, 3), skippedItem)
	redo := b.rolled(back, "").Task
	b.ran(redo, updated(3, 4))
	if p := b.refused(problem.CannotUndo, "bulk.rollback", first, `{"onConflict":"force"}`); !strings.Contains(p.Detail, redo) || b.available(first) {
		t.Errorf("%v", p)
	}
	if again := b.rolled(redo, ""); b.spans(again.Task) != "a 3-4" {
		t.Errorf("%s", b.spans(again.Task))
	}
}

// TestARollbackThatIsRetried: of what has failed, under the same policy; it stands for the roll-back if that has left nothing else.
func TestARollbackThatIsRetried(t *testing.T) {
	for name, c := range map[string]struct {
		second bulk.Outcome
		by     string
		left   bool
	}{
		"nothing else is left": {updated(2, 3), "retry", false},
		"others have written":  {skippedItem, "back", true},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, vfs.NewMem())
			first := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a","b"]}`)).Task
			b.ran(first, updated(3, 4), updated(1, 2))
			back := b.rolled(first, `{"onConflict":"merge"}`).Task
			b.ran(back, failedItem, c.second)
			retry := must[api.BulkTask](b, "bulk.retry", back, "")
			if got := b.spans(retry.Task); got != "a 3-4" || retry.UndoOf != first || retry.OnConflict != "merge" || retry.RetryOf != back {
				t.Errorf("%s: %+v", got, retry)
			}
			b.refused(problem.WrongState, "bulk.rollback", first, "")
			b.refused(problem.WrongState, "bulk.retry", back, "")
			b.ran(retry.Task, updated(4, 5))
			want := map[string]string{"retry": retry.Task, "back": back}[c.by]
			if got := must[api.BulkTask](b, "bulk.get", first, ""); got.UndoneBy != want || b.available(first) != c.left {
				t.Errorf("taken back by %s, and more is available: %v", got.UndoneBy, got.RollbackAvailable)
			}
			if asked := must[api.BulkAsked](b, "bulk.request", back, ""); asked.Instructions != nil || string(asked.Targets) != fmt.Sprintf(`{"by":"rollback","count":2,"task":%q}`, first) {
				t.Errorf("asked: %s, %s", asked.Instructions, asked.Targets)
			}
		})
	}
}

// TestWhatCannotBeRolledBack is refused, and changes nothing.
func TestWhatCannotBeRolledBack(t *testing.T) {
	b := start(t, vfs.NewMem())
	submit := func(options ...option) string {
		return must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`), options...).Task
	}
	never, dry, failed, late := submit(), submit(param("dryRun", "true")), submit(), submit()
	must[api.BulkTask](b, "bulk.cancel", never, "")
	b.ran(dry, updated(1, 1))
	b.ran(failed, failedItem)
	b.ran(late, updated(1, 2))
	open := submit()
	run := b.runOf("s", 1, time.Hour)
	for name, task := range map[string]string{"a task that was cancelled": never, "a dry run": dry, "a task that has failed": failed, "a run of a session": run} {
		if p := b.refused(problem.CannotUndo, "bulk.rollback", task, ""); b.available(task) {
			t.Errorf("%s is available: %v", name, p)
		}
	}
	b.refused(problem.WrongState, "bulk.rollback", open, "", param("dryRun", "true"))
	if got := must[api.BulkTask](b, "bulk.get", open, ""); got.State != "ACCEPTED" || !got.RollbackAvailable {
		t.Errorf("a dry run has cancelled it: %+v", got)
	}
	if got := must[api.BulkTask](b, "bulk.get", run, ""); got.Session != "s" || got.Run != 1 || got.State != "ACCEPTED" || !got.RollbackUntil.Equal(b.clock.Now().Add(time.Hour)) {
		t.Errorf("%+v", got)
	}
	b.refused(problem.NotFound, "bulk.rollback", "none", "")
	for body, path := range map[string]string{`[]`: "", `{"onConflict":"ask"}`: "/onConflict", `{"onConflict":null}`: "/onConflict", `{"onLocked":"break"}`: "/onLocked",
		`{"name":"7"}`: "/name", `{"to":"initial"}`: "/to", `{"onconflict":"skip"}`: "/onconflict"} {
		if p := b.refused(problem.Invalid, "bulk.rollback", late, body); len(p.Errors) != 1 || p.Errors[0].Path != path {
			t.Errorf("%s: %v", body, p)
		}
	}
	b.later(7*24*time.Hour - time.Second)
	if !b.available(late) {
		t.Error("to the last moment")
	}
	b.later(time.Second)
	if p := b.refused(problem.CannotUndo, "bulk.rollback", late, ""); b.available(late) {
		t.Errorf("when it is no longer kept: %v", p)
	}
	b.service.Limits.Bulk.Enabled = false
	b.refused(problem.Forbidden, "bulk.rollback", late, "")
}

// runOf makes a task that is a run of a session, as the operations of sessions do.
func (b *bench) runOf(session string, run uint32, kept time.Duration) string {
	b.t.Helper()
	op := b.table["bulk.submit"]
	r := &transport.Request{Op: op, Provider: "p", RequestID: "r", Caller: transport.Caller{Principal: "ann", All: true}}
	o := &bulkOrder{instructions: []byte("[" + tidy + "]"), session: session, run: run, pinned: b.clock.Now().Add(kept)}
	o.targets.rows = func(yield func(bulkTarget, error) bool) {
		_ = yield(bulkTarget{id: "a"}, nil) && yield(bulkTarget{id: "b"}, nil)
	}
	id := bulkID("p", b.service.NewID())
	if _, err := b.service.makeTask(context.Background(), r, o, id); err != nil {
		b.t.Fatal(err)
	}
	if got := listed(b.list(id.ID)); got != "a b" {
		b.t.Errorf("the run is for %q", got)
	}
	return id.ID
}

// TestATaskIsTakenBackAsLongAsItIsKnown: where the list goes before what was replaced, it is the list that counts.
func TestATaskIsTakenBackAsLongAsItIsKnown(t *testing.T) {
	b := start(t, vfs.NewMem())
	b.service.Limits.Bulk.Retention, b.service.Limits.Bulk.Undo = time.Hour, 24*time.Hour
	task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`)).Task
	if got := must[api.BulkTask](b, "bulk.get", task, ""); got.RollbackUntil == nil || !got.RollbackUntil.Equal(b.clock.Now().Add(time.Hour)) {
		t.Errorf("until %v, and it is %v", got.RollbackUntil, b.clock.Now())
	}
}

// TestAnOpenTaskIsStoppedAndTakenBack: at the border of an item, and what it has done until then.
func TestAnOpenTaskIsStoppedAndTakenBack(t *testing.T) {
	b := start(t, vfs.NewMem())
	task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a","b","c"]}`)).Task
	b.tell(task, &bulk.Start{})
	b.tell(task, &bulk.Progress{Rows: []bulk.Outcome{updated(1, 2)}})
	key := with("Idempotency-Key", "k")

	late := make(chan error, 1)
	go func() {
		_, err := b.try("bulk.rollback", task, "", key, func(r *transport.Request) { r.Deadline = b.clock.Now().Add(time.Second) })
		late <- err
	}()
	b.waitFor(func() bool { return must[api.BulkTask](b, "bulk.get", task, "").State == "CANCELLING" })
	b.later(time.Second)
	if err := <-late; problem.Of(err).Code != problem.Deadline {
		t.Errorf("when the deadline has passed: %v", err)
	}

	answered := make(chan *transport.Reply, 1)
	go func() {
		reply, err := b.try("bulk.rollback", task, "", key)
		if err != nil {
			t.Error(err)
		}
		answered <- reply
	}()
	b.tell(task, &bulk.Progress{From: 1, Rows: []bulk.Outcome{updated(4, 5)}})
	b.tell(task, &bulk.Finish{})
	reply := <-answered
	if got := b.spans(reply.See.ID); got != "a 1-2, b 4-5" || reply.Status != 202 {
		t.Errorf("takes back %s", got)
	}
	again, p := b.do("bulk.rollback", task, "", key)
	if p != nil || again.See.ID != reply.See.ID {
		t.Errorf("a repeat is %+v, %v", again, p)
	}
	b.refused(problem.KeyReused, "bulk.rollback", task, "", key, param("dryRun", "true"))

	never := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`)).Task
	b.refused(problem.CannotUndo, "bulk.rollback", never, "")
	if got := must[api.BulkTask](b, "bulk.get", never, "").State; got != "CANCELLED" {
		t.Errorf("a task that had not begun is %s", got)
	}
}

// TestWhoWaitsForTheEndOfATask has a bound, leaves when nobody waits for the answer, and sees an end that came before.
func TestWhoWaitsForTheEndOfATask(t *testing.T) {
	b := start(t, vfs.NewMem())
	task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a","b","c"]}`)).Task
	b.tell(task, &bulk.Start{})
	r := &transport.Request{Op: b.table["bulk.rollback"], Provider: "p", RequestID: "r", Caller: transport.Caller{Principal: "ann", All: true}}
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, waitsEndsMax)
	for range waitsEndsMax {
		go func() {
			_, err := b.service.endOfTask(ctx, r, bulkID("p", task))
			left <- err
		}()
	}
	b.waitFor(func() bool { return b.service.turns.room.count(forEnd) == waitsEndsMax })
	if p := b.refused(problem.Overloaded, "bulk.rollback", task, ""); p.RetryAfter == 0 {
		t.Errorf("%+v", p)
	}
	leave()
	for range waitsEndsMax {
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("who waits for nothing: %v", err)
		}
	}
	b.tell(task, &bulk.Finish{})
	if ended, err := b.service.stopTask(t.Context(), r, bulkID("p", task)); err != nil || ended.state.Status != bulk.Cancelled {
		t.Errorf("%+v, %v", ended, err)
	}
	if _, err := b.service.stopTask(t.Context(), r, bulkID("p", "none")); problem.Of(err).Code != problem.NotFound {
		t.Errorf("%v", err)
	}
}

// TestACrashBeforeATaskHearsOfItsRollback: nobody else takes it back meanwhile.
func TestACrashBeforeATaskHearsOfItsRollback(t *testing.T) {
	b := start(t, vfs.NewMem())
	task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`)).Task
	b.ran(task, updated(1, 2))
	r := &transport.Request{Op: b.table["bulk.rollback"], Provider: "p", RequestID: "r", Caller: transport.Caller{Principal: "ann", All: true}}
	o := &bulkOrder{undoOf: task, onConflict: undo.Skip}
	if err := b.service.planUndo("p", o); err != nil {
		t.Fatal(err)
	}
	if _, err := b.service.makeTask(t.Context(), r, o, bulkID("p", "back")); err != nil {
		t.Fatal(err)
	}
	b.refused(problem.WrongState, "bulk.rollback", task, "")
	o.targets.rows = func(func(bulkTarget, error) bool) {}
	if _, err := b.service.makeTask(t.Context(), r, o, bulkID("p", "nothing")); problem.Of(err).Code != problem.CannotUndo {
		t.Errorf("nothing is taken back: %v", err)
	}
}
