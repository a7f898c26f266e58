package propagation

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"concord/actors/entity"
	"concord/actors/links"
	"concord/actors/problem"
	"concord/persistence"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// world is a job and what is stored of it, beside a dumb account of every planned link.
type world struct {
	t     *rapid.T
	b     Behavior
	id    persistence.EntityID
	state State
	parts map[string]entity.Fact
	index map[string]bool // entries, as text
	seq   uint64
	plan  []Row
	found uint64 // links that nobody had planned
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, parts: make(map[string]entity.Fact), index: make(map[string]bool),
		id: persistence.EntityID{Kind: persistence.KindPropagation, Provider: "p", ID: "j"}}
	change := &links.Change{Action: links.ActionBaseURL, Source: links.Source{ID: "names", BaseURL: "http://b/", Revision: 2}}
	e, err := w.b.Begin(change, entity.Meta{Principal: "ann", Time: noon})
	if err != nil {
		t.Fatal(err)
	}
	w.apply(e)
	return w
}

// apply stores an event, and reads it back.
func (w *world) apply(e Event) {
	w.t.Helper()
	w.seq++
	at := entity.Stamp{Entity: w.id, Seq: w.seq, Time: noon}
	back, err := w.b.DecodeEvent(w.b.EncodeEvent(e))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range w.b.Project(w.state, back, at).Index {
		entry := c.Name + " " + c.Term
		if c.Removed != w.index[entry] {
			w.t.Fatalf("%s: entry %s removed %v, was there %v", e.Type, entry, c.Removed, w.index[entry])
		}
		w.index[entry] = !c.Removed
	}
	after := w.b.Evolve(w.state, back, at)
	for _, p := range e.Parts {
		w.parts[p.ID] = entity.Fact{Exists: !p.Removed, Body: p.Body}
	}
	if stored, err := w.b.DecodeState(w.b.EncodeState(after)); err != nil || !reflect.DeepEqual(stored, after) {
		w.t.Fatalf("state %+v is stored as %+v, %v", after, stored, err)
	}
	w.state = after
}

// decide is the decision on a command with all the facts that it wants.
func (w *world) decide(c Command) ([]Event, error) {
	known := entity.Facts{}
	parts := map[string]entity.Fact{}
	for range 10 {
		wants := w.b.Wants(w.state, c, known)
		if len(wants) == 0 {
			break
		}
		for _, want := range wants {
			if want.All {
				all := map[string]entity.Fact{}
				for id, f := range w.parts {
					if f.Exists {
						all[id] = entity.Fact{Exists: true}
					}
				}
				known = entity.FactsOf(nil, all)
				continue
			}
			parts[want.Part] = w.parts[want.Part]
		}
		known = known.WithParts(maps.Clone(parts))
	}
	return w.b.decide(w.state, c, known, entity.Meta{Principal: "concord", Time: noon})
}

// do takes a command, and again: the second time it changes nothing.
func (w *world) do(c Command) error {
	w.t.Helper()
	events, err := w.decide(c)
	for _, e := range events {
		w.apply(e)
	}
	w.check(c)
	if err != nil {
		if len(events) > 0 {
			w.t.Fatalf("%T: refused (%v), with events", c, err)
		}
		return err
	}
	if _, resume := c.(*Resume); resume {
		return nil
	}
	again, err := w.decide(c)
	if len(again) > 0 {
		w.t.Fatalf("%T a second time: %s", c, again[0].Type)
	}
	if err != nil && problem.Of(err).Code != problem.WrongState {
		w.t.Fatalf("%T a second time: %v", c, err)
	}
	return nil
}

// check holds the counters against the plan and the parts.
func (w *world) check(c Command) {
	w.t.Helper()
	s := &w.state
	undone, waiting, retrying := uint64(0), uint64(0), uint64(0)
	for row := s.Cursor.Row; s.Whole && row < uint64(len(w.plan)); row++ {
		if row == s.Cursor.Row && s.Cursor.After != "" {
			undone += s.Left
			continue
		}
		undone += w.plan[row].Links
	}
	failures := uint64(0)
	for id, f := range w.parts {
		if _, ok := OpenOf(id); ok && f.Exists {
			o, err := DecodeOpen(f.Body)
			if err != nil {
				w.t.Fatal(err)
			}
			undone += o.Left
			if o.Locked {
				waiting++
			} else {
				retrying++
			}
		}
		if _, _, ok := FailureOf(id); ok && f.Exists {
			failures++
		}
	}
	if s.Waiting != waiting || s.Retrying != retrying || s.Failures != failures {
		w.t.Fatalf("%T: waiting %d retrying %d failures %d, parts say %d %d %d", c, s.Waiting, s.Retrying, s.Failures, waiting, retrying, failures)
	}
	if s.Status.Open() && s.Counts.Pending != undone {
		w.t.Fatalf("%T: %d pending in %s, the plan and the parts say %d", c, s.Counts.Pending, s.Status, undone)
	}
	if !s.Status.Open() && s.Counts.Pending != 0 {
		w.t.Fatalf("%T: %d pending in %s", c, s.Counts.Pending, s.Status)
	}
	planned := uint64(0)
	for _, r := range w.plan {
		planned += r.Links
	}
	if s.Whole && s.Counts.Total() != planned+w.found {
		w.t.Fatalf("%T: total %d, planned %d and found %d: %+v", c, s.Counts.Total(), planned, w.found, s.Counts)
	}
	if w.index[links.IndexOpenJobs+" source/p/names"] != s.Status.Open() {
		w.t.Fatalf("%T: %s, and the index of open jobs says otherwise", c, s.Status)
	}
}

// outcome draws what comes of a collection that has so many links left.
func (w *world) outcome(name string, left uint64, after string) Outcome {
	t := w.t
	o := Outcome{End: End(rapid.SampledFrom([]int{0, 0, 0, 1, 2, 3}).Draw(t, "end"))}
	o.Updated = rapid.Uint64Range(0, left+1).Draw(t, "updated")
	o.Failed = rapid.SampledFrom([]uint64{0, 0, 0, 1, 2}).Draw(t, "failed")
	o.Superseded = rapid.Uint64Range(0, 1).Draw(t, "superseded")
	if o.Failed > 0 {
		o.Failures = []Failure{{Document: "d" + after, Links: o.Failed, Cause: "bad"}}
	}
	if n := o.links(); n > left {
		w.found += n - left
	}
	o.After = after + "x"
	if o.End == Done {
		o.After = ""
	}
	if o.End == Broken || o.End == Locked {
		o.Why = "because"
	}
	return o
}

// left is how many links of the row are not accounted for.
func (w *world) left(row uint64) uint64 {
	if row == w.state.Cursor.Row && w.state.Cursor.After != "" {
		return w.state.Left
	}
	return w.plan[row].Links
}

// progress draws what the driver tells of one row, and of a collection that is come back to.
func (w *world) progress() *Progress {
	p := &Progress{From: w.state.Cursor}
	if row := w.state.Cursor.Row; row < uint64(len(w.plan)) && w.state.Whole && rapid.Bool().Draw(w.t, "row") {
		p.Rows = append(p.Rows, w.outcome(w.plan[row].Collection, w.left(row), w.state.Cursor.After))
	}
	for _, id := range slices.Sorted(maps.Keys(w.parts)) {
		name, open := OpenOf(id)
		if !open || !w.parts[id].Exists || rapid.Bool().Draw(w.t, "later") {
			continue
		}
		was, _ := DecodeOpen(w.parts[id].Body)
		o := OpenOutcome{Collection: name, Turn: was.Turn, Outcome: w.outcome(name, was.Left, was.After)}
		if was.Retry {
			for part, f := range w.parts {
				collection, document, failure := FailureOf(part)
				switch {
				case !failure || !f.Exists || collection != name:
				case document == "":
					o.Rest = true
				default:
					o.Looked = append(o.Looked, document)
				}
			}
			slices.Sort(o.Looked)
		}
		p.Open = append(p.Open, o)
	}
	return p
}

// accepted says that a progress counts: the found links of one that does not are none.
func (w *world) accepted() bool {
	switch w.state.Status {
	case Running, Paused, Cancelled, Superseded:
		return true
	}
	return false
}

func TestLinksAreCountedByStateWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		chunk := uint32(0)
		if rapid.IntRange(0, 3).Draw(t, "planned") > 0 {
			w.begin(rapid.IntRange(1, 4).Draw(t, "rows"))
			chunk = 1
		}
		t.Repeat(map[string]func(*rapid.T){
			"plan": func(t *rapid.T) {
				w.t = t
				if w.state.Whole || len(w.plan)%ChunkRows != 0 || len(w.plan) > ChunkRows {
					return
				}
				n := rapid.SampledFrom([]int{1, 2, ChunkRows}).Draw(t, "rows")
				var rows []Row
				for range n {
					rows = append(rows, Row{Collection: fmt.Sprintf("c%05d", len(w.plan)+len(rows)),
						Links: rapid.Uint64Range(1, 5).Draw(t, "links"), Documents: 1})
				}
				if w.do(&Plan{Number: chunk, Rows: rows}) == nil {
					chunk++
					w.plan = append(w.plan, rows...)
				}
			},
			"planned": func(t *rapid.T) { w.t = t; _ = w.do(&PlanDone{Chunks: chunk}) },
			"start":   func(t *rapid.T) { w.t = t; _ = w.do(&Start{}) },
			"progress": func(t *rapid.T) {
				w.t = t
				if w.accepted() {
					_ = w.do(w.progress())
				}
			},
			"pause":     func(t *rapid.T) { w.t = t; _ = w.do(&Pause{}) },
			"resume":    func(t *rapid.T) { w.t = t; _ = w.do(&Resume{}) },
			"cancel":    func(t *rapid.T) { w.t = t; w.rarely(&Cancel{}) },
			"supersede": func(t *rapid.T) { w.t = t; w.rarely(&Supersede{By: "k"}) },
			"fail":      func(t *rapid.T) { w.t = t; w.rarely(&Fail{Message: "it cannot be"}) },
			"retry":     func(t *rapid.T) { w.t = t; _ = w.do(&Retry{}) },
			"finish":    func(t *rapid.T) { w.t = t; _ = w.do(&Finish{}) },
			"":          func(*rapid.T) {},
		})
	})
}

// begin plans and starts.
func (w *world) begin(rows int) {
	for i := range rows {
		w.plan = append(w.plan, Row{Collection: fmt.Sprintf("b%d", i), Links: rapid.Uint64Range(1, 5).Draw(w.t, "links"), Documents: 1})
	}
	for _, c := range []Command{&Plan{Rows: w.plan}, &PlanDone{Chunks: 1}, &Start{}} {
		events, err := w.decide(c)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, e := range events {
			w.apply(e)
		}
	}
}

// rarely takes a command that ends the job, so that there is more to be seen of most.
func (w *world) rarely(c Command) {
	if rapid.IntRange(0, 19).Draw(w.t, "rarely") == 0 {
		_ = w.do(c)
	}
}

func TestAJobThatWasNotBornRefusesEverything(t *testing.T) {
	for _, c := range []Command{&Plan{Rows: []Row{{"c", 1, 1}}}, &PlanDone{}, &Start{}, &Progress{}, &Pause{}, &Resume{}, &Cancel{},
		&Supersede{}, &Retry{}, &Fail{}, &Finish{}} {
		_, err := Behavior{}.decide(State{}, c, entity.Facts{}, entity.Meta{Time: noon})
		if problem.Of(err).Code != problem.NotFound {
			t.Errorf("%T: %v", c, err)
		}
	}
	if _, err := (Behavior{}).Begin("a text", entity.Meta{}); err == nil {
		t.Error("a job began with a text")
	}
}

func TestNamesOfPartsAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		collection := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,20}`).Draw(t, "collection")
		document := rapid.String().Draw(t, "document")
		if c, d, ok := FailureOf(FailurePart(collection, document)); !ok || c != collection || d != document {
			t.Fatalf("failure of %q %q is read as %q %q", collection, document, c, d)
		}
		if c, ok := OpenOf(OpenPart(collection)); !ok || c != collection {
			t.Fatalf("what is open of %q is read as %q", collection, c)
		}
		f := Failure{Collection: collection, Document: strings.ToValidUTF8(document, ""), Cause: "c", Links: 3, After: "a"}
		part := failurePart(&f)
		if back, err := DecodeFailure(part.ID, part.Body); err != nil || back != f {
			t.Fatalf("%+v is read as %+v, %v", f, back, err)
		}
	})
}

func FuzzStoredForms(f *testing.F) {
	f.Add(Behavior{}.EncodeState(State{Status: Running, Cause: links.Change{Source: links.Source{ID: "s"}}}))
	f.Add(chunkPart(0, []Row{{"c", 1, 1}}).Body)
	f.Add(openPart("c", Opened{Turn: 1}).Body)
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := (Behavior{}).DecodeState(b); err == nil {
			_ = s.Show("p", "j", 1)
			if _, err := (Behavior{}).DecodeState(Behavior{}.EncodeState(s)); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = DecodeChunk(b)
		_, _ = DecodeOpen(b)
		_, _ = DecodeFailure("f/c/d", b)
	})
}
