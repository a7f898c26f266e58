package collection

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"time"

	"pgregory.net/rapid"

	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/lock"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/persistence"
)

// shelf is one collection, as the shell would run it, without one: facts are given as they are wanted, and each event goes
// through its stored form.
type shelf struct {
	t        rapid.TB
	behavior Behavior
	id       persistence.EntityID
	by       string // principal
	state    State
	parts    map[string]entity.Fact
	past     []past // by version; 0 is none
	oldest   uint64 // version that is kept
	types    map[string][]byte
	others   map[persistence.EntityID][]byte // states of authorities and sources
	seq      uint64
	version  uint64
	now      time.Time
	asked    []entity.Want // by the newest command
	index    map[string]bool
	linked   map[string]string // entries of links, with their values
	indexed  int               // entries that the newest command has changed
	pins     []persistence.Pin // of the newest event
}

// past is what a version has left.
type past struct {
	made  entity.Made
	parts map[string]entity.Fact
	state State
}

// was is a part as it was at a version, as history tells it.
func (s *shelf) was(id string, version uint64) entity.Fact {
	fact := s.past[version].parts[id]
	if fact.Info = nil; !fact.Exists {
		return entity.Fact{}
	}
	return fact
}

// since are the parts that were written after a version.
func (s *shelf) since(version uint64) (ids []string) {
	for _, p := range s.past[version+1:] {
		for i := range p.made.Event.Parts {
			ids = append(ids, p.made.Event.Parts[i].ID)
		}
	}
	return ids
}

func newShelf(t rapid.TB) *shelf {
	return &shelf{t: t, by: "ann", past: []past{{}}, behavior: Behavior{Limits: DefaultLimits, Types: rules.NewMemo(8)}, parts: map[string]entity.Fact{}, types: map[string][]byte{},
		index: map[string]bool{}, linked: map[string]string{}, others: map[persistence.EntityID][]byte{},
		id:  persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: "c"},
		now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// as is a type of the shelf.
func (s *shelf) as(name, text string) {
	s.types[name] = rules.EncodeState(rules.State{Text: []byte(text), Version: 1})
}

// do takes a command; dry: nothing is stored.
func (s *shelf) do(c Command, dry bool) (entity.Answer, []Event, error) {
	s.t.Helper()
	s.now = s.now.Add(time.Second)
	m := entity.Meta{Principal: s.by, Time: s.now, Seq: s.seq + 1, Entity: s.id, DryRun: dry}
	d, f, err := s.decided(c, m)
	if err != nil {
		return entity.Answer{}, nil, err
	}
	before, state, version, seq := s.state, s.state, s.version, s.seq
	s.indexed = 0
	x := entity.Case{Facts: f, Meta: m, Told: d.Told, DryRun: dry}
	for _, e := range d.Events {
		enc := s.behavior.EncodeEvent(e)
		if !enc.Volatile {
			seq++
		}
		if enc.Content {
			version++
		}
		at := entity.Stamp{Entity: s.id, Seq: seq, Version: version, Time: s.now, Principal: s.by}
		s.sameReadBack(state, e, enc, at)
		projection := s.behavior.Project(state, e, at)
		state = s.behavior.Evolve(state, e, at)
		for _, c := range projection.Index {
			if s.indexed++; dry {
				continue
			}
			if strings.HasPrefix(c.Name, "links.") {
				if s.linked[c.Name+" "+c.Term+" "+c.Part] = string(c.Value); c.Removed {
					delete(s.linked, c.Name+" "+c.Term+" "+c.Part)
				}
				continue
			}
			if s.index[c.Name+" "+c.Term+" "+c.Part] = true; c.Removed {
				delete(s.index, c.Name+" "+c.Term+" "+c.Part)
			}
		}
		for i, p := range projection.Parts {
			if !dry {
				s.parts[p.ID] = entity.Fact{Exists: !p.Removed, Version: at.Version, Info: p.Info, Body: enc.Parts[i].Body}
			}
		}
		if enc.Content && !dry {
			s.past = append(s.past, past{entity.Made{Event: enc, By: s.by}, maps.Clone(s.parts), state})
		}
		if s.pins = nil; !dry {
			s.pins = projection.Pins
		}
	}
	x.At = entity.Stamp{Entity: s.id, Seq: seq, Version: version, Time: s.now}
	x.Changed = seq > s.seq
	answer := s.behavior.Answer(before, state, c, x)
	if !dry {
		s.state, s.version, s.seq = state, version, seq
	}
	return answer, d.Events, nil
}

// sameReadBack checks that the stored form of an event, and that of the state after it, say what they do.
func (s *shelf) sameReadBack(state State, e Event, enc entity.Encoded, at entity.Stamp) {
	s.t.Helper()
	if enc.Volatile {
		return
	}
	back, err := s.behavior.DecodeEvent(enc)
	if err != nil {
		s.t.Fatal(err)
	}
	want := s.behavior.EncodeState(s.behavior.Evolve(state, e, at))
	if got := s.behavior.EncodeState(s.behavior.Evolve(state, back, at)); !bytes.Equal(got, want) {
		s.t.Fatalf("the state after %T read back is %x, want %x", e, got, want)
	}
	if got, want := s.behavior.Project(state, back, at), s.behavior.Project(state, e, at); !reflect.DeepEqual(got, want) {
		s.t.Fatalf("beside %T read back stands %+v, want %+v", e, got, want)
	}
	stored, err := s.behavior.DecodeState(want)
	if err != nil {
		s.t.Fatal(err)
	}
	if got := s.behavior.EncodeState(stored); !bytes.Equal(got, want) {
		s.t.Fatalf("the state read back is %x, want %x", got, want)
	}
}

func (s *shelf) decided(c Command, m entity.Meta) (decision, entity.Facts, error) {
	parts, of := map[string]entity.Fact{}, map[persistence.EntityID][]byte{}
	var all map[string]entity.Fact
	s.asked = nil
	var then entity.Facts // as it was
	facts := func() entity.Facts {
		f := then.WithParts(maps.Clone(parts)).WithAll(all)
		for id, state := range of {
			f = f.WithOf(id, state)
		}
		return f
	}
	load := func(wants []entity.Want) {
		s.asked = append(s.asked, wants...)
		for _, w := range wants {
			switch {
			case w.All:
				all = map[string]entity.Fact{}
				for id, fact := range s.parts {
					if fact.Body = nil; fact.Exists && id != MetadataPart {
						all[id] = fact
					}
				}
			case w.Of != nil:
				of[*w.Of] = s.types[w.Of.ID]
				if w.Of.Kind != persistence.KindType {
					of[*w.Of] = s.others[*w.Of]
				}
			case w.At > 0 && w.At < s.oldest:
				then = then.WithAt(w.Part, w.At, entity.Fact{}).WithKept(w.At, false)
			case w.At > 0:
				then = then.WithAt(w.Part, w.At, s.was(w.Part, w.At))
			case w.Made > 0 && w.Made < s.oldest:
				then = then.WithMade(w.Made, entity.Made{})
			case w.Made > 0:
				then = then.WithMade(w.Made, s.past[w.Made].made)
			case w.Was > 0 && w.Was < s.oldest:
				then = then.WithWas(entity.Encoded{}, map[string]entity.Fact{})
			case w.Was > 0:
				was := map[string]entity.Fact{}
				for _, id := range s.since(w.Was) {
					parts[id], was[id] = s.parts[id], s.was(id, w.Was)
				}
				then = then.WithWas(s.past[w.Was].made.Event, was)
			default:
				fact := s.parts[w.Part]
				if !w.Body {
					fact.Body = nil
				}
				parts[w.Part] = fact
			}
		}
	}
	for wants := s.behavior.Wants(s.state, c, facts()); len(wants) > 0; wants = s.behavior.Wants(s.state, c, facts()) {
		load(wants)
	}
	d, err := s.behavior.Decide(s.state, c, facts(), m)
	for err == nil && len(d.Wants) > 0 {
		load(d.Wants)
		d, err = s.behavior.Decide(s.state, c, facts(), m)
	}
	return d, facts(), err
}

// must is do for what has to be taken.
func (s *shelf) must(c Command) {
	s.t.Helper()
	if _, _, err := s.do(c, false); err != nil {
		s.t.Fatalf("%T: %v", c, err)
	}
}

// put writes the metadata, if there are any, and documents; with null for one that is removed. It creates the collection.
func (s *shelf) put(collectionType, metadata string, documents map[string]string) {
	s.t.Helper()
	s.must(s.writing(collectionType, metadata, documents))
}

func (s *shelf) writing(collectionType, metadata string, documents map[string]string) *Write {
	s.t.Helper()
	w := &Write{Create: true, Type: collectionType}
	if metadata != "" {
		w.Changes = append(w.Changes, putOf(s.t, MetadataPart, metadata))
	}
	for _, id := range sortedKeys(documents) {
		if documents[id] == "null" {
			w.Changes = append(w.Changes, Change{Op: OpRemoveIfThere, Part: id})
			continue
		}
		w.Changes = append(w.Changes, putOf(s.t, id, documents[id]))
	}
	return w
}

func putOf(t rapid.TB, part, body string) Change {
	t.Helper()
	hash, err := jsonvalue.Check([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return Change{Op: OpPut, Part: part, Body: []byte(body), Hash: uint64(hash), Path: pathOf(part)}
}

// apply takes an Apply, which has to be answered; the answer is told, and what was written.
func (s *shelf) apply(c *Apply, dry bool) (a Applied, wrote *Saved) {
	s.t.Helper()
	a, events, err := s.tryApply(c, dry)
	if err != nil {
		s.t.Fatalf("apply: %v", err)
	}
	for _, e := range events {
		if saved, ok := e.(*Saved); ok {
			wrote = saved
		}
	}
	return a, wrote
}

func (s *shelf) tryApply(c *Apply, dry bool) (a Applied, events []Event, err error) {
	s.t.Helper()
	answer, events, err := s.do(c, dry)
	if err != nil {
		return a, nil, err
	}
	if err := json.Unmarshal(answer.Body, &a); err != nil {
		s.t.Fatalf("answer %s: %v", answer.Body, err)
	}
	return a, events, nil
}

// content is the whole collection as it is, as JSON.
func (s *shelf) content() *jsonvalue.Value {
	s.t.Helper()
	metadata, documents := jsonvalue.NewObject(), []jsonvalue.Member(nil)
	for _, id := range sortedKeys(s.parts) {
		fact := s.parts[id]
		if !fact.Exists || !s.state.Live() || fact.Version < s.state.Born {
			continue
		}
		if id == MetadataPart {
			metadata = valueOfText(s.t, string(fact.Body))
			continue
		}
		documents = append(documents, jsonvalue.Member{Name: id, Value: valueOfText(s.t, string(fact.Body))})
	}
	return jsonvalue.NewObject(jsonvalue.Member{Name: "metadata", Value: metadata},
		jsonvalue.Member{Name: "documents", Value: jsonvalue.NewObject(documents...)})
}

func valueOfText(t rapid.TB, text string) *jsonvalue.Value {
	t.Helper()
	v, err := jsonvalue.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// instructions reads instructions.
func instructions(t rapid.TB, list ...string) []*fields.Instruction {
	t.Helper()
	text := "["
	for i, in := range list {
		if i > 0 {
			text += ","
		}
		text += in
	}
	parsed, p := fields.Parse([]byte(text+"]"), nil, "/instructions")
	if p != nil {
		t.Fatal(p)
	}
	return parsed
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// locked has somebody hold the collection.
func (s *shelf) locked() { s.must(&Locking{lock.Acquire{}}) }

func codeOf(err error) problem.Code {
	if p, ok := err.(*problem.Problem); ok { //nolint:errorlint // decisions return it as it is
		return p.Code
	}
	return ""
}
