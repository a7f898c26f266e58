package bulk

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"concord/actors/entity"
	"concord/actors/problem"
	"concord/persistence"
	"concord/persistence/recordpb"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// item is what the dumb list knows of an item.
type item struct {
	row     Row
	outcome Outcome
	waits   bool
	turn    uint32
}

// world is a task and what is stored of it, beside a dumb list of its items.
type world struct {
	t     *rapid.T
	id    persistence.EntityID
	state State
	seq   uint64
	now   time.Time
	parts map[string][]byte
	index map[string][]byte
	timer time.Time
	told  int  // events that leave
	back  bool // the rows take back what other tasks have written

	items  []item
	posted []byte // the first byte of each piece of the body
}

func newWorld(t *rapid.T) *world {
	return &world{t: t, parts: make(map[string][]byte), index: make(map[string][]byte), now: noon,
		id: persistence.EntityID{Kind: persistence.KindBulk, Provider: "p", ID: "t"}}
}

// facts are all that the command wants.
func (w *world) facts(c Command) entity.Facts {
	known := entity.Facts{}
	for range 3 {
		wants := Behavior{}.Wants(w.state, c, known)
		if len(wants) == 0 {
			return known
		}
		parts, all := make(map[string]entity.Fact), map[string]entity.Fact(nil)
		for _, want := range wants {
			if want.All {
				if want.Most == 0 || want.Most > 2*expireMaxParts {
					w.t.Fatalf("%T wants to know of all parts at once", c)
				}
				all = make(map[string]entity.Fact)
				for _, id := range slices.Sorted(maps.Keys(w.parts)) {
					if id > want.From && (want.Most == 0 || len(all) < want.Most) {
						all[id] = entity.Fact{Exists: true}
					}
				}
				continue
			}
			body, ok := w.parts[want.Part]
			parts[want.Part] = entity.Fact{Exists: ok, Body: body}
		}
		known = entity.FactsOf(parts, all)
	}
	w.t.Fatalf("%T still wants facts", c)
	return known
}

func (w *world) decide(c Command) ([]Event, error) {
	w.t.Helper()
	m := entity.Meta{Principal: "ann", Kind: "person", Reason: "because", Time: w.now}
	facts, before := w.facts(c), w.state
	events, err := Behavior{}.decide(w.state, c, facts, m)
	again, errAgain := Behavior{}.decide(w.state, c, facts, m)
	if !reflect.DeepEqual(events, again) || !reflect.DeepEqual(err, errAgain) || w.state != before {
		w.t.Fatalf("%T: decided as %v %v, then as %v %v", c, events, err, again, errAgain)
	}
	return events, err
}

// do takes a command, and again: the second time it changes nothing.
func (w *world) do(c Command) error {
	w.t.Helper()
	events, err := w.decide(c)
	if err != nil {
		if code := problem.Of(err).Code; len(events) > 0 || code != problem.WrongState && code != problem.NotFound {
			w.t.Fatalf("%T in %q: %d events, %v", c, w.state.Status, len(events), err)
		}
		return err
	}
	for _, e := range events {
		w.apply(e)
	}
	w.check(c)
	if again, err := w.decide(c); len(again) > 0 {
		w.t.Fatalf("%T a second time: %s", c, again[0].Type)
	} else if err != nil && problem.Of(err).Code == problem.Internal {
		w.t.Fatalf("%T a second time: %v", c, err)
	}
	return nil
}

// apply stores an event, reads it back, and makes what stands beside it of what was read.
func (w *world) apply(e Event) {
	w.t.Helper()
	b := Behavior{}
	w.seq++
	at := entity.Stamp{Entity: w.id, Seq: w.seq, Time: w.now}
	beside := b.Project(w.state, e, at)
	encoded := b.EncodeEvent(e)
	w.rebuild(encoded, beside)
	if len(encoded.Data) > 0 {
		w.told++
	}
	for i, p := range beside.Parts {
		if p.ID != e.Parts[i].ID {
			w.t.Fatalf("part %d is %q, and kept as %q", i, e.Parts[i].ID, p.ID)
		}
		if p.Removed {
			delete(w.parts, p.ID)
			continue
		}
		w.parts[p.ID] = e.Parts[i].Body
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
	if stored, err := b.DecodeState(b.EncodeState(w.state)); err != nil || stored != w.state {
		w.t.Fatalf("state %+v is stored as %+v, %v", w.state, stored, err)
	}
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

// check holds the state, the parts and the entries against the list.
func (w *world) check(c Command) {
	w.t.Helper()
	s := &w.state
	if s.Counts.Total() != s.Total {
		w.t.Fatalf("%T: %+v of %d", c, s.Counts, s.Total)
	}
	var counts Counts
	waiting, warned, kept := uint64(0), uint64(0), uint64(0)
	for i := range w.items {
		it := &w.items[i]
		state := it.outcome.State
		if state == ItemPending {
			state = s.Rest()
		}
		*counts.of(state)++
		if state == ItemPending && it.waits {
			waiting++
		}
		if state == "UPDATED" && len(it.outcome.Warnings) > 0 {
			warned++
		}
		if state == "UPDATED" && !s.DryRun {
			kept += it.outcome.Kept
		}
	}
	if s.Counts != counts || s.Waiting != waiting || s.Warned != warned || s.Total != uint64(len(w.items)) {
		w.t.Fatalf("%T in %s: %+v, %d waiting, %d warned of %d; the list says %+v, %d, %d of %d", c, s.Status, s.Counts, s.Waiting, s.Warned,
			s.Total, counts, waiting, warned, len(w.items))
	}
	if s.KeptBytes != kept {
		w.t.Fatalf("%T: %d bytes are kept, and the list says %d", c, s.KeptBytes, kept)
	}
	if !w.timer.Equal(s.Expires) {
		w.t.Fatalf("%T: the timer is armed for %v, and the task expires %v", c, w.timer, s.Expires)
	}
	w.checkIndex(c)
	w.checkParts(c)
}

// checkIndex: a task is found by time and number while it is shown, and is open until it has ended, and again until its name
// is free.
func (w *world) checkIndex(c Command) {
	w.t.Helper()
	s := &w.state
	var want []string
	if s.Status.Shown() {
		want = append(want, IndexTasks+" "+TaskTerm(s.Accepted, s.Number), IndexNumbers+" "+NumberTerm(s.Number))
	}
	if s.Status != "" && s.Ended.IsZero() && s.Status != Expired || s.Unnamed || s.Status == Expired && s.Name != "" {
		want = append(want, IndexOpenTasks+" "+NumberTerm(s.Number))
	}
	slices.Sort(want)
	if have := slices.Sorted(maps.Keys(w.index)); !slices.Equal(have, want) {
		w.t.Fatalf("%T in %s: entries %q, want %q", c, s.Status, have, want)
	}
	for entry, value := range w.index {
		if strings.HasPrefix(entry, IndexNumbers) {
			continue
		}
		listed, err := DecodeListed(value)
		want := Listed{Status: s.Status, Number: s.Number, Name: s.Name, Principal: s.Principal, DryRun: s.DryRun, Accepted: s.Accepted}
		if err != nil || listed != want {
			w.t.Fatalf("%T: listed as %+v, %v", c, listed, err)
		}
	}
}

// checkParts reads the list and what came of it from the parts.
func (w *world) checkParts(c Command) {
	w.t.Helper()
	s := &w.state
	if s.Status == Expired {
		if len(w.parts) > 0 {
			w.t.Fatalf("%T: parts are left: %q", c, slices.Sorted(maps.Keys(w.parts)))
		}
		return
	}
	if posted := w.body(); !bytes.Equal(posted, w.posted) || len(posted) != int(s.Pieces) {
		w.t.Fatalf("%T: the body is %q in %d pieces, not %q", c, posted, s.Pieces, w.posted)
	}
	rows, outcomes := w.read()
	if len(rows) != len(w.items) || uint64(len(outcomes)) != s.Cursor {
		w.t.Fatalf("%T: %d rows and %d outcomes, not %d and %d", c, len(rows), len(outcomes), len(w.items), s.Cursor)
	}
	for i := range w.items {
		it := &w.items[i]
		if !reflect.DeepEqual(rows[i], it.row) {
			w.t.Fatalf("%T: row %d is %+v, not %+v", c, i, rows[i], it.row)
		}
		var got Outcome
		if i < len(outcomes) {
			got = outcomes[i]
		}
		late, isLate := w.parts[LatePart(uint64(i))]
		if isLate {
			if got.State != ItemPending {
				w.t.Fatalf("%T: item %d has the outcome %s, and another one", c, i, got.State)
			}
			var err error
			if got, err = DecodeOutcome(late); err != nil {
				w.t.Fatal(err)
			}
		}
		body, waits := w.parts[WaitingPart(uint64(i))]
		if waits != it.waits {
			w.t.Fatalf("%T: item %d waits: %v, not %v", c, i, waits, it.waits)
		}
		if was, err := DecodeWaiting(uint64(i), body); waits && (err != nil || was.Turn != it.turn) {
			w.t.Fatalf("%T: item %d waits as %+v, not for turn %d", c, i, was, it.turn)
		}
		if state := it.outcome.State; state != ItemPending && !reflect.DeepEqual(got, it.outcome) {
			w.t.Fatalf("%T: item %d came out as %+v, not as %+v", c, i, got, it.outcome)
		}
	}
}

// read are the list and the outcomes of the rows before the cursor.
func (w *world) read() (rows []Row, outcomes []Outcome) {
	w.t.Helper()
	for _, id := range slices.Sorted(maps.Keys(w.parts)) {
		switch {
		case strings.HasPrefix(id, PartChunks):
			chunk, err := DecodeChunk(w.parts[id])
			if err != nil || id != ChunkPart(uint32(len(rows))/max(w.state.PerChunk, 1)) {
				w.t.Fatalf("chunk %q after %d rows: %v", id, len(rows), err)
			}
			rows = append(rows, chunk...)
		case strings.HasPrefix(id, PartOutcomes):
			told, err := DecodeOutcomes(w.parts[id])
			if err != nil || id != OutcomesPart(uint64(len(outcomes))) {
				w.t.Fatalf("outcomes %q after %d rows: %v", id, len(outcomes), err)
			}
			outcomes = append(outcomes, told...)
		}
	}
	return rows, outcomes
}

// body has the first byte of each piece of the body.
func (w *world) body() (posted []byte) {
	w.t.Helper()
	for _, id := range slices.Sorted(maps.Keys(w.parts)) {
		if strings.HasPrefix(id, PartPosted) {
			if id != PostedPart(uint32(len(posted))) {
				w.t.Fatalf("piece %q after %d pieces", id, len(posted))
			}
			posted = append(posted, w.parts[id][0])
		}
	}
	return posted
}

// name is a collection's.
func name(i int) string { return fmt.Sprintf("c%05d", i) }
