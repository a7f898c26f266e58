package bulk

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"concord/actors/fields"
	"concord/actors/problem"
	"concord/actors/undo"
)

// TestItemsAreCountedByStateWhateverHappens: at each step the counters, the parts and the entries are those of a dumb list of
// items, repeats change nothing, and what the log gives alone is what the commit has made.
func TestItemsAreCountedByStateWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.back = rapid.Bool().Draw(t, "takes back")
		perChunk := rapid.IntRange(1, 4).Draw(t, "perChunk")
		if rapid.IntRange(0, 3).Draw(t, "accepted") > 0 {
			w.accept(perChunk, rapid.IntRange(0, 2).Draw(t, "chunks"))
		}
		t.Repeat(map[string]func(*rapid.T){
			"stage":    func(t *rapid.T) { w.t = t; w.rarely(func() { w.stage(perChunk) }) },
			"keep":     func(t *rapid.T) { w.t = t; w.rarely(w.keep) },
			"accept":   func(t *rapid.T) { w.t = t; w.rarely(func() { w.accept(perChunk, 0) }) },
			"start":    func(t *rapid.T) { w.t = t; _ = w.do(&Start{}) },
			"progress": func(t *rapid.T) { w.t = t; w.progress() },
			"further":  func(t *rapid.T) { w.t = t; w.progress() },
			"pause":    func(t *rapid.T) { w.t = t; _ = w.do(&Pause{}) },
			"resume":   func(t *rapid.T) { w.t = t; _ = w.do(&Resume{}) },
			"cancel":   func(t *rapid.T) { w.t = t; w.rarely(func() { _ = w.do(&Cancel{}) }) },
			"finish":   func(t *rapid.T) { w.t = t; w.finish() },
			"timer":    func(t *rapid.T) { w.t = t; w.rarely(w.fire) },
			"expire":   func(t *rapid.T) { w.t = t; _ = w.do(&Expire{Due: w.now.Add(-time.Hour)}) },
			"named":    func(t *rapid.T) { w.t = t; _ = w.do(&Named{}) },
			"released": func(t *rapid.T) { w.t = t; _ = w.do(&Released{}) },
			"undone":   func(t *rapid.T) { w.t = t; w.undone() },
			"withdraw": func(t *rapid.T) { w.t = t; w.rarely(w.withdraw) },
			"":         func(*rapid.T) { w.now = w.now.Add(time.Millisecond) },
		})
	})
}

// rarely does what ends much, so that there is more to be seen of most.
func (w *world) rarely(do func()) {
	if rapid.IntRange(0, 4).Draw(w.t, "rarely") == 0 {
		do()
	}
}

// undone says that another task takes this one back.
func (w *world) undone() {
	by := rapid.SampledFrom([]string{"u", "v"}).Draw(w.t, "by")
	if err := w.do(&Undone{By: by}); err == nil && w.state.UndoneBy != by {
		w.t.Fatalf("taken back by %q, not by %q", w.state.UndoneBy, by)
	}
}

// withdraw has no task begin any more, unless there is one.
func (w *world) withdraw() {
	was := w.state
	if err := w.do(&Withdraw{}); err != nil {
		w.t.Fatalf("a task that was %q cannot be withdrawn: %v", was.Status, err)
	}
	if there := was.Number > 0; w.state.Withdrawn == there || there && w.state != was {
		w.t.Fatalf("withdrawn while it was %q: %+v", was.Status, w.state)
	}
}

// fire lets the timer be due.
func (w *world) fire() {
	if w.timer.IsZero() {
		return
	}
	if w.timer.After(w.now) {
		w.now = w.timer
	}
	was := w.state.Status
	if err := w.do(&Expire{Due: w.timer}); err != nil || w.state.Status != Expired || was != Draft && !was.Shown() {
		w.t.Fatalf("the timer of a task that was %s: %s, %v", was, w.state.Status, err)
	}
}

// rows draws rows of a list.
func (w *world) rows(n int) (rows []Row) {
	for range n {
		r := Row{Collection: name(len(w.items) + len(rows))}
		if w.back {
			before := rapid.Uint64Range(1, 3).Draw(w.t, "before")
			r.Undo = []undo.Span{{Before: before, After: before + 1}, {Before: before + 1, After: before + 3}}[:rapid.IntRange(1, 2).Draw(w.t, "spans")]
			rows = append(rows, r)
			continue
		}
		r.Version = rapid.Uint64Range(0, 3).Draw(w.t, "version")
		switch rapid.IntRange(0, 4).Draw(w.t, "row") {
		case 0:
			r.Value = []byte(`{"a":1}`)
		case 1:
			r.Collection, r.Key, r.Code, r.Why = "", `{"/metadata/Name":"x"}`, "not-found", "there is no such collection"
		}
		rows = append(rows, r)
	}
	return rows
}

func (w *world) list(rows []Row) {
	for _, r := range rows {
		w.items = append(w.items, item{row: r, outcome: Outcome{State: ItemPending}})
	}
}

// begun is how many chunks there are. Of a draft that is gone there are none: it begins again.
func (w *world) begun() uint32 {
	if w.state.unaccepted() {
		w.items, w.posted = nil, nil
		return 0
	}
	return w.state.Chunks
}

func (w *world) stage(perChunk int) {
	c := &Stage{Number: w.begun(), PerChunk: uint32(perChunk), Rows: w.rows(perChunk)}
	before := len(w.items)
	w.list(c.Rows)
	if w.do(c) != nil {
		w.items = w.items[:before]
	}
}

// keep adds a piece of the body.
func (w *world) keep() {
	c := &Keep{Number: w.kept(), Piece: bytes.Repeat([]byte{byte(rapid.IntRange('a', 'z').Draw(w.t, "piece"))}, PieceMaxBytes)}
	before := len(w.posted)
	w.posted = append(w.posted, c.Piece[0])
	if w.do(c) != nil {
		w.posted = w.posted[:before]
	}
}

// kept is how many pieces there are: none of a draft that is gone.
func (w *world) kept() uint32 {
	if w.state.unaccepted() {
		w.items, w.posted = nil, nil
		return 0
	}
	return w.state.Pieces
}

// accept makes a task of some chunks more and the last one.
func (w *world) accept(perChunk, chunks int) {
	for range chunks {
		w.stage(perChunk)
	}
	pieces, again := w.kept(), w.state.unaccepted()
	last, begun := rapid.IntRange(0, perChunk).Draw(w.t, "last"), w.begun()
	if begun == 0 && last == 0 {
		last = 1
	}
	c := &Accept{Task: State{Number: 7, Name: rapid.SampledFrom([]string{"", "spring"}).Draw(w.t, "name"), DryRun: rapid.Bool().Draw(w.t, "dryRun"),
		Retention: rapid.SampledFrom([]time.Duration{0, time.Hour}).Draw(w.t, "retention")},
		Request: Request{Instructions: []byte(`[]`)}, Chunks: begun, Pieces: pieces,
		Posted: []byte(rapid.SampledFrom([]string{"", "z"}).Draw(w.t, "last piece")),
		Stage:  Stage{Number: begun, PerChunk: uint32(perChunk), Rows: w.rows(last)}}
	if w.back {
		c.Task.UndoOf, c.Request.Instructions = "t0", nil
		c.Task.OnConflict = rapid.SampledFrom([]undo.OnConflict{"", undo.Force}).Draw(w.t, "onConflict")
	}
	before, was, withdrawn := len(w.items), w.state.Status, w.state.Withdrawn
	if (was == "" || was == Draft || again) && !withdrawn {
		w.list(c.Rows)
		w.posted = append(w.posted, c.Posted...)
	}
	if err := w.do(c); err != nil && (was != Expired || again) && !withdrawn {
		w.t.Fatalf("not accepted after %d items in %q: %v", before, was, err)
	}
	if withdrawn && w.state.Number > 0 {
		w.t.Fatalf("accepted after it was withdrawn in %q", was)
	}
}

// outcome draws what comes of an item.
func (w *world) outcome() Outcome {
	o := Outcome{State: rapid.SampledFrom([]ItemState{ItemPending, fields.Updated, fields.Updated, fields.Unchanged, fields.Skipped,
		fields.Failed}).Draw(w.t, "outcome")}
	switch o.State {
	case ItemPending:
		o.Message = "ann"
	case fields.Failed:
		o.Code, o.Message = "schema-invalid", "it does not fit"
	case fields.Updated:
		o.VersionBefore, o.VersionAfter, o.Kept = 3, 4, rapid.Uint64Range(0, 1000).Draw(w.t, "kept")
		if rapid.Bool().Draw(w.t, "warned") {
			o.Warnings = []problem.FieldError{{Path: "/metadata/x", Message: "is deprecated"}}
		}
		if w.state.DryRun {
			o.VersionAfter, o.Diff, o.DiffBytes = 3, []byte(`[]`), 2
		}
	}
	return o
}

// progress draws what the driver tells: of the next rows, or of rows that it has told of before, and of some that wait.
func (w *world) progress() {
	s, c := &w.state, &Progress{}
	c.From = s.Cursor
	fresh := true
	if s.Cursor > 0 && rapid.IntRange(0, 4).Draw(w.t, "told before") == 0 {
		c.From, fresh = s.Cursor-1, false
	}
	for range rapid.IntRange(0, int(min(s.Total-s.Cursor, 4))).Draw(w.t, "rows") {
		c.Rows = append(c.Rows, w.outcome())
	}
	for i := range w.items {
		if row := uint64(i); row >= c.From && row < c.From+uint64(len(c.Rows)) {
			continue
		}
		if rapid.IntRange(0, 2).Draw(w.t, "again") == 0 {
			turn := w.items[i].turn
			if rapid.IntRange(0, 4).Draw(w.t, "old turn") == 0 {
				turn++
			}
			o := OpenOutcome{Row: uint64(i), Turn: turn, Holder: "bob", Outcome: w.outcome()}
			if o.State != ItemPending && s.progresses() && rapid.IntRange(0, 4).Draw(w.t, "lost") == 0 {
				if o.Lost = true; w.items[i].waits {
					w.parts[WaitingPart(o.Row)] = []byte{0xFF}
				}
			}
			c.Open = append(c.Open, o)
		}
	}
	items, taken := w.items, s.Status.Open() && !s.Started.IsZero()
	w.items = append([]item(nil), items...)
	if taken {
		w.note(c, fresh)
	}
	if err := w.do(c); err != nil && taken {
		w.t.Fatalf("a progress in %s: %v", s.Status, err)
	}
}

// note is what the list makes of a progress.
func (w *world) note(c *Progress, fresh bool) {
	for i := range c.Open {
		o := &c.Open[i]
		switch it := &w.items[o.Row]; {
		case !it.waits || it.turn != o.Turn && !o.Lost:
		case o.State == ItemPending:
			it.turn++
		default:
			it.outcome, it.waits = o.Outcome, false
		}
	}
	if !fresh {
		return
	}
	for i, o := range c.Rows {
		it := &w.items[int(c.From)+i]
		it.outcome, it.waits = o, o.State == ItemPending
	}
}

// finish ends the task if it may: each item has exactly one outcome then.
func (w *world) finish() {
	s := w.state
	err := w.do(&Finish{})
	if !w.state.Ended.IsZero() && s.Ended.IsZero() {
		want := Complete
		switch {
		case s.Status == Cancelling && s.Counts.Done() == 0:
			want = Cancelled
		case s.Status == Cancelling:
			want = PartiallyCancelled
		}
		if w.state.Status != want || w.state.Counts.Pending != 0 || w.state.Waiting != 0 || w.state.Counts.Cancelled != s.Counts.Pending {
			w.t.Fatalf("from %s with %+v to %s with %+v", s.Status, s.Counts, w.state.Status, w.state.Counts)
		}
	}
	if err == nil && s.Status == InProgress && !s.Through() {
		w.t.Fatal("it ended before it was through")
	}
}

// TestExpiryTakesAllParts: however many there are, in events of a bounded size, of which one leaves.
func TestExpiryTakesAllParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		w.accept(1, 0)
		w.state.Retention = time.Hour
		if err := w.do(&Cancel{}); err != nil {
			t.Fatal(err)
		}
		for i := range rapid.SampledFrom([]int{0, expireMaxParts - 2, expireMaxParts - 1, 2*expireMaxParts + 7}).Draw(t, "parts") {
			w.parts[fmt.Sprintf("r/%08d", i)] = nil
		}
		parts, events, told := len(w.parts), 0, w.told
		for !w.timer.IsZero() {
			all, err := w.decide(&Expire{Due: w.timer})
			if err != nil || len(all) != 1 || len(all[0].Parts) > expireMaxParts {
				t.Fatalf("%d events, %v", len(all), err)
			}
			w.apply(all[0])
			events++
		}
		if want := (parts + expireMaxParts - 1) / expireMaxParts; events != want || len(w.parts) > 0 || w.told != told+1 {
			t.Fatalf("%d parts went in %d events, %d left; %d events were told of", parts, events, len(w.parts), w.told-told)
		}
		if err := w.do(&Released{}); err != nil || len(w.index) > 0 {
			t.Fatalf("entries %v, %v", w.index, err)
		}
	})
}
