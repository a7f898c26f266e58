package pebblestore_test

import (
	"encoding/json"
	"fmt"
	"time"

	"concord/actors"
	"concord/actors/entity"
	"concord/persistence"
	"concord/persistence/recordpb"
)

// mixed is a kind that does what no kind does yet and any may: it has versions, and between them events that make none,
// with timers, and with parts of their own; it is found by its state, and pins its versions.
type mixed struct{}

const kindMixed persistence.Kind = 98

type mixedState struct {
	Due   time.Time
	Count int
	Value int // of the newest event, that it is found by; 0: it is not
}

// mixedEvent is the command, too.
type mixedEvent struct {
	Content bool
	Part    string
	Removed bool
	Value   int
	Was     time.Time
	Due     time.Time

	Holder string // of a pin of the version before
	Until  time.Time
}

func (mixed) Kind() persistence.Kind { return kindMixed }

func (mixed) Wants(mixedState, *mixedEvent, entity.Facts) []entity.Want { return nil }

func (b mixed) Decide(s mixedState, c *mixedEvent, f entity.Facts, m entity.Meta) (entity.Decision[mixedEvent], error) {
	return entity.Only(b.decide(s, c, f, m))
}

func (mixed) decide(s mixedState, c *mixedEvent, _ entity.Facts, _ entity.Meta) ([]mixedEvent, error) {
	e := *c
	if !e.Due.IsZero() || e.Part == "" {
		e.Was = s.Due
	}
	return []mixedEvent{e}, nil
}

func (mixed) Evolve(s mixedState, e mixedEvent, _ entity.Stamp) mixedState {
	s.Count, s.Value = s.Count+1, e.Value
	if !e.Was.IsZero() || !e.Due.IsZero() {
		s.Due = e.Due
	}
	return s
}

func (mixed) Answer(_, s mixedState, _ *mixedEvent, x entity.Case) entity.Answer {
	return entity.Answer{Status: 200, Version: x.At.Version, Body: fmt.Append(nil, s.Count)}
}

// Found has an entry for the value of the state.
func (mixed) Found(before, after mixedState) (changes []persistence.IndexChange) {
	if before.Value == after.Value {
		return nil
	}
	for _, s := range []mixedState{before, after} {
		if s.Value != 0 {
			changes = append(changes, persistence.IndexChange{Name: "mixed.value", Term: fmt.Sprint(s.Value), Removed: s == before})
		}
	}
	return changes
}

func (b mixed) Project(before mixedState, e mixedEvent, at entity.Stamp) (p entity.Projection) {
	if e.Part != "" {
		p.Parts = []entity.PartInfo{{ID: e.Part, Removed: e.Removed, Info: fmt.Append(nil, "value ", e.Value)}}
		p.Index = mixedIndex(e.Part, p.Parts[0].Info)
		p.Index[0].Removed = e.Removed
	}
	if e.Holder != "" && e.Content && at.Version > 1 {
		p.Pins = []persistence.Pin{{Version: at.Version - 1, Holder: e.Holder, Until: e.Until}}
	}
	p.Index = append(p.Index, b.Found(before, b.Evolve(before, e, at))...)
	if !e.Was.IsZero() || !e.Due.IsZero() {
		p.Timers = []entity.Timer{{Name: "t", Was: e.Was, Due: e.Due}}
	}
	return p
}

// mixedIndex has every part under one term.
func mixedIndex(part string, info []byte) []persistence.IndexChange {
	return []persistence.IndexChange{{Name: "mixed.parts", Term: "all", Part: part, Value: info}}
}

func (mixed) TimerFired(string, time.Time) *mixedEvent { return &mixedEvent{} }

func (mixed) EncodeState(s mixedState) []byte { return marshalJSON(s) }

func (mixed) DecodeState(b []byte) (s mixedState, err error) {
	if len(b) > 0 {
		err = json.Unmarshal(b, &s)
	}
	return s, err
}

func (mixed) EncodeEvent(e mixedEvent) entity.Encoded {
	enc := entity.Encoded{Type: "mixed.happened", Payload: marshalJSON(e), Content: e.Content}
	if e.Part != "" {
		enc.Parts = []entity.Content{{ID: e.Part, Removed: e.Removed}}
		if !e.Removed {
			enc.Parts[0].Body = document(e.Value, 40+e.Value%2*(33<<10))
			enc.Parts[0].Size = len(enc.Parts[0].Body)
		}
	}
	return enc
}

func (mixed) DecodeEvent(enc entity.Encoded) (e mixedEvent, err error) {
	return e, json.Unmarshal(enc.Payload, &e)
}

func marshalJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// withMixed adds the kind to the real ones.
func withMixed(kinds map[persistence.Kind]actors.Kind) map[persistence.Kind]actors.Kind {
	kinds[kindMixed] = actors.Kind{
		Number: kindMixed,
		Activate: func(id persistence.EntityID, w *entity.World) (entity.Live, error) {
			return entity.Activate(mixed{}, id, w)
		},
		Rebuild: func(h persistence.Head, rec *recordpb.Record, hash []byte) (persistence.Head, persistence.Projection, error) {
			return entity.Rebuild(mixed{}, h, rec, hash)
		},
		Index: func(part string, info []byte) ([]persistence.IndexChange, error) { return mixedIndex(part, info), nil },
		Found: func(before, after []byte) ([]persistence.IndexChange, error) {
			was, err := mixed{}.DecodeState(before)
			if err != nil {
				return nil, err
			}
			is, err := mixed{}.DecodeState(after)
			return mixed{}.Found(was, is), err
		},
	}
	return kinds
}

func mixedID(n int) persistence.EntityID {
	return persistence.EntityID{Kind: kindMixed, Provider: "lib", ID: fmt.Sprintf("m%d", n)}
}

func (h *history) mixed() {
	e := &mixedEvent{Content: h.choose.n("content", 3) == 0, Value: h.choose.n("value", 9)}
	if h.choose.n("part", 3) > 0 {
		e.Part, e.Removed = fmt.Sprintf("p%d", h.choose.n("name", 4)), h.choose.n("removed", 4) == 0
	}
	if h.choose.n("timer", 4) == 0 {
		e.Due = h.now.Add(time.Duration(1+h.choose.n("hours", 50)) * time.Hour)
	}
	h.do(mixedID(h.choose.n("mixed", 2)), e, h.meta())
}
