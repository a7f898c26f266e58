package editsession

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"concord/actors/entity"
	"concord/actors/problem"
	"concord/persistence"
	"concord/persistence/recordpb"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// world is a session and what is stored of it, beside dumb lists of its rows.
type world struct {
	t     *rapid.T
	id    persistence.EntityID
	state State
	seq   uint64
	now   time.Time
	parts map[string][]byte
	index map[string][]byte
	timer time.Time

	rows, staged []Row
}

func newWorld(t *rapid.T) *world {
	return &world{t: t, parts: make(map[string][]byte), index: make(map[string][]byte), now: noon,
		id: persistence.EntityID{Kind: persistence.KindEditSession, Provider: "p", ID: "e"}}
}

func (w *world) decide(c Command) ([]Event, error) {
	w.t.Helper()
	m := entity.Meta{Principal: "ann", Kind: "person", Reason: "because", Time: w.now}
	before := Behavior{}.EncodeState(w.state)
	events, err := Behavior{}.decide(w.state, c, m)
	again, errAgain := Behavior{}.decide(w.state, c, m)
	if !reflect.DeepEqual(events, again) || !reflect.DeepEqual(err, errAgain) || string(before) != string(Behavior{}.EncodeState(w.state)) {
		w.t.Fatalf("%T: decided as %v %v, then as %v %v", c, events, err, again, errAgain)
	}
	return events, err
}

// do takes a command; unless it begins a list anew, or a run without a task, a second time it changes nothing.
func (w *world) do(c Command) error {
	w.t.Helper()
	events, err := w.decide(c)
	if err != nil {
		code := problem.Of(err).Code
		if len(events) > 0 || code != problem.WrongState && code != problem.NotFound && code != problem.CannotUndo {
			w.t.Fatalf("%T in %q: %d events, %v", c, w.state.Status, len(events), err)
		}
		return err
	}
	for _, e := range events {
		w.apply(e)
	}
	if stage, ok := c.(*Stage); ok && stage.Number == 0 {
		return nil
	}
	if begin, ok := c.(*Begin); ok && begin.Run.Task == "" {
		return nil
	}
	if again, err := w.decide(c); len(again) > 0 {
		w.t.Fatalf("%T a second time: %s", c, again[0].Type)
	} else if err != nil && problem.Of(err).Code == problem.Internal {
		w.t.Fatalf("%T a second time: %v", c, err)
	}
	return nil
}

// apply stores an event, reads it back, and makes what stands beside it.
func (w *world) apply(e Event) {
	w.t.Helper()
	b := Behavior{}
	w.seq++
	at := entity.Stamp{Entity: w.id, Seq: w.seq, Time: w.now}
	beside := b.Project(w.state, e, at)
	w.rebuild(b.EncodeEvent(e), beside)
	for i, p := range beside.Parts {
		if _, there := w.parts[p.ID]; p.Removed && !there {
			w.t.Fatalf("%s: part %s is removed, and was not there", e.Type, p.ID)
		}
		if w.parts[p.ID] = e.Parts[i].Body; p.Removed {
			delete(w.parts, p.ID)
		}
	}
	for _, t := range beside.Timers {
		if !t.Was.Equal(w.timer) {
			w.t.Fatalf("%s: the timer was armed for %v, not for %v", e.Type, w.timer, t.Was)
		}
		w.timer = t.Due
	}
	for _, c := range beside.Index {
		entry := c.Name + " " + c.Term
		if _, there := w.index[entry]; c.Removed && !there {
			w.t.Fatalf("%s: entry %s is removed, and was not there", e.Type, entry)
		}
		if w.index[entry] = c.Value; c.Removed {
			delete(w.index, entry)
		}
	}
	w.state = b.Evolve(w.state, e, at)
	if stored, err := b.DecodeState(b.EncodeState(w.state)); err != nil || !reflect.DeepEqual(stored, normal(w.state)) {
		w.t.Fatalf("state %+v is stored as %+v, %v", w.state, stored, err)
	}
}

// normal is the state with empty lists as they are read back.
func normal(s State) State {
	if len(s.Runs) == 0 {
		s.Runs = nil
	}
	if len(s.Path) == 0 {
		s.Path = nil
	}
	if len(s.By) == 0 {
		s.By = nil
	}
	return s
}

// rebuild holds what the record alone gives against what the commit has made.
func (w *world) rebuild(encoded entity.Encoded, beside entity.Projection) {
	w.t.Helper()
	rec := &recordpb.Record{Kind: uint32(w.id.Kind), Provider: w.id.Provider, Id: w.id.ID, Seq: w.seq, Time: w.now.UnixMicro(),
		Type: encoded.Type, Payload: encoded.Payload, Data: encoded.Data}
	for _, p := range encoded.Parts {
		rec.Parts = append(rec.Parts, &recordpb.Part{Id: p.ID, Removed: p.Removed, Hash: p.Hash, Size: uint32(p.Size)})
	}
	bytes, err := proto.Marshal(rec)
	if err != nil {
		w.t.Fatal(err)
	}
	back := &recordpb.Record{}
	if err := proto.Unmarshal(bytes, back); err != nil {
		w.t.Fatal(err)
	}
	_, made, err := entity.Rebuild(Behavior{}, persistence.Head{State: Behavior{}.EncodeState(w.state)}, back, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	same := reflect.DeepEqual(made.Index, beside.Index) && len(made.Parts) == len(beside.Parts) && len(made.Timers) == len(beside.Timers)
	for i := range made.Timers {
		same = same && made.Timers[i] == persistence.TimerChange(beside.Timers[i])
	}
	for i := range made.Parts {
		same = same && made.Parts[i].ID == beside.Parts[i].ID && made.Parts[i].Removed == beside.Parts[i].Removed
	}
	if !same {
		w.t.Fatalf("%s: made as %+v, and rebuilt as %+v", encoded.Type, beside, made)
	}
}

// check holds the state, the parts, the entries and the timer against the lists.
func (w *world) check() {
	w.t.Helper()
	s := &w.state
	w.checkList("rows", s.List, &s.Rows, w.rows)
	w.checkList("staged rows", s.List+1, &s.Staged, w.staged)
	if uint32(len(w.parts)) != s.Chunks+s.Staged.Chunks {
		w.t.Fatalf("parts %q, where there are %d and %d chunks", slices.Sorted(maps.Keys(w.parts)), s.Chunks, s.Staged.Chunks)
	}
	if !w.timer.Equal(s.Expires) {
		w.t.Fatalf("the timer is armed for %v, and the session expires %v", w.timer, s.Expires)
	}
	var want []string
	if s.Status == Opened {
		want = append(want, IndexLast+" "+OwnerTerm("ann", s.Opened))
	}
	if s.Status == Opened || s.Status == Draft {
		want = append(want, IndexOpen+" "+OpenTerm)
	}
	if s.Status == Opened || s.Status == Closed {
		want = append(want, IndexOwners+" "+OwnerTerm("ann", s.Opened))
	}
	if have := slices.Sorted(maps.Keys(w.index)); !slices.Equal(have, want) {
		w.t.Fatalf("in %s: entries %q, want %q", s.Status, have, want)
	}
	for _, value := range w.index {
		listed, err := DecodeListed(value)
		if want := (Listed{s.Status, s.Name, s.Owner, s.Opened, s.Expires}); err != nil || listed != want {
			w.t.Fatalf("listed as %+v, %v; want %+v", listed, err, want)
		}
	}
}

func (w *world) checkList(what string, list uint32, is *Rows, want []Row) {
	w.t.Helper()
	if w.state.Status == Expired {
		return
	}
	var rows []Row
	var counts Counts
	bytes := uint64(0)
	for n := range is.Chunks {
		body := w.parts[ChunkPart(list, n)]
		chunk, err := DecodeChunk(body)
		if err != nil || n+1 < is.Chunks && len(chunk) != int(is.PerChunk) {
			w.t.Fatalf("%s: chunk %d has %d rows, %v", what, n, len(chunk), err)
		}
		rows, bytes = append(rows, chunk...), bytes+uint64(len(body))
	}
	for i := range rows {
		*counts.of(rows[i].State)++
	}
	if !slices.Equal(rows, want) || counts != is.Counts || bytes != is.Bytes {
		w.t.Fatalf("%s: %+v with %+v and %d bytes, want %+v: %+v, %d", what, rows, is.Counts, is.Bytes, want, counts, bytes)
	}
}

// draw draws rows.
func (w *world) draw(n int) (rows []Row) {
	for range n {
		r := Row{Line: rapid.Uint64Range(0, 9).Draw(w.t, "line"), Collection: "c", State: rapid.SampledFrom(RowStates).Draw(w.t, "row")}
		if r.State != Matched {
			r.Collection, r.Identifier, r.Why = "", fmt.Sprintf("id-%d", r.Line), "no collection has it"
		}
		rows = append(rows, r)
	}
	return rows
}
