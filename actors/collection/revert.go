package collection

import (
	"bytes"
	"strconv"

	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/links"
	"concord/actors/merge"
	"concord/actors/problem"
	"concord/actors/rules"
)

// revert makes the content of an old version the newest. It costs what changed since.
func (b Behavior) revert(s State, c *Revert, f entity.Facts, t *rules.Type) (decision, error) {
	if !s.Exists {
		return decision{}, missing()
	}
	if err := c.check(s); err != nil {
		return decision{}, err
	}
	if c.Base != nil && *c.Base != s.Version {
		return decision{}, b.Limits.staleWhole(s, *c.Base, merge.ModifyModify, t)
	}
	if c.To == 0 || c.To > s.Version {
		return decision{}, problem.At("/to", "there is no version %d: the newest is %d", c.To, s.Version)
	}
	if c.To == s.Version {
		return decision{}, nil
	}
	if err := f.TooMuch(); err != nil {
		return decision{}, err
	}
	encoded, _, _ := f.Was()
	then, err := b.stateAt(encoded, c.To)
	if err != nil {
		return decision{}, err
	}
	if then.Deleted {
		return decision{}, problem.At("/to", "version %d is the deletion of the collection", c.To)
	}
	return b.restored(s, then, c.To, again{f, t, jsonvalue.EqualText})
}

// lookBack asks for what a version was, and what has changed since. Where no document has, the metadata are all there is to be
// looked at, however many versions there are in between.
func (s *State) lookBack(version uint64) []entity.Want {
	want := entity.Want{Was: version}
	if s.DocumentsVersion <= version {
		want.Changed = []string{MetadataPart}
	}
	return []entity.Want{want}
}

// again is what an old version is made the newest with.
type again struct {
	facts entity.Facts
	rules *rules.Type
	same  sameText
}

// sameText says that a text may stay as it is, since it is as it was.
type sameText func(then, now []byte) (bool, error)

// sameBytes is for who promises the very bytes.
func sameBytes(then, now []byte) (bool, error) { return bytes.Equal(then, now), nil }

// restored is what making the content of an old version the newest comes to: nothing, if it is. then is the state after that
// version, whose facts (Want.Was) are there.
func (b Behavior) restored(s, then State, version uint64, a again) (decision, error) {
	f, t := a.facts, a.rules
	_, was, _ := f.Was()
	e := &Saved{After: then, RevertedTo: version}
	e.After.DocumentsVersion, e.After.Since = s.DocumentsVersion, s.Since
	if e.After.Created.IsZero() {
		e.After.Created = s.Created // the event that created it says so by itself
	}
	differs, err := restore(e, s, then, was, a)
	if err != nil {
		return decision{}, err
	}
	if !differs && s.Live() && shows(s) == shows(then) {
		return decision{}, nil
	}
	l := linking{behavior: b, format: links.Format(then.Format), facts: f, rules: t, born: then.Born}
	if e.Parts, err = l.restored(s, e.Parts); err != nil || len(l.wants) > 0 {
		return decision{Wants: l.wants}, err
	}
	if len(e.Parts) == 0 && s.Live() && shows(s) == shows(then) {
		return decision{}, nil // what differed were links, which are as they are to be
	}
	e.Linked = l.linked()
	e.note()
	if err := b.Limits.check(e.Parts); err != nil {
		return decision{}, err
	}
	warnings, err := fit(e.Parts, t)
	if err != nil {
		return decision{}, err
	}
	if wants, err := b.foundAgain(e, s, f, t); err != nil || len(wants) > 0 {
		return decision{Wants: wants}, err
	}
	return decision{Events: []Event{e}, Told: told{warnings: warnings, parts: e.Parts}}, nil
}

// stateAt reads the state after the version from its event.
func (b Behavior) stateAt(encoded entity.Encoded, version uint64) (State, error) {
	e, err := b.DecodeEvent(encoded)
	if err != nil {
		return State{}, problem.New(problem.BaseUnavailable, "version %d is no longer kept", version)
	}
	saved, ok := e.(*Saved)
	if !ok {
		return State{Deleted: true}, nil
	}
	return b.Evolve(State{}, saved, entity.Stamp{Version: version}), nil
}

// showing is what tells two states apart whose changed parts are equal: parts that nobody has written since may be
// hidden now, because the collection was deleted and created again in between.
type showing struct {
	documents uint64
	metadata  bool
}

func shows(s State) showing { return showing{s.Documents, s.MetadataVersion > 0} }

// restore adds the parts that have to be written, and says whether any of them differs from what can be seen now.
func restore(e *Saved, now, then State, was map[string]entity.Fact, a again) (differs bool, err error) {
	for _, id := range sortedKeys(was) {
		old := was[id]
		if old.Version < then.Born {
			old = entity.Fact{}
		}
		current, _ := a.facts.Part(id, true)
		currentLives := now.Live() && current.Exists && current.Version >= now.Born
		switch {
		case !old.Exists && !current.Exists:
		case !old.Exists:
			// It stands in the store whatever life it belongs to: a new life would show it again.
			e.Parts = append(e.Parts, entity.Content{ID: id, Removed: true})
			differs = differs || currentLives
		default:
			content, err := contentOf(id, old.Body)
			if err != nil {
				return false, err
			}
			if currentLives && hashOf(current) == content.Hash && sameLife(current, then.Born) {
				if equal, err := a.same(old.Body, current.Body); err == nil && equal {
					continue
				}
			}
			differs = true
			e.Parts = append(e.Parts, content)
			if value, ok := content.Value.(*jsonvalue.Value); ok {
				d := draft{state: now, facts: a.facts}
				d.parts = map[string]*newPart{id: {old: d.current(id), value: value}}
				e.Blame = d.blame(old.Body)
			}
		}
	}
	return differs, nil
}

// contentOf is a body that is to be written again. The metadata are read: who wrote which member is worked out from them.
func contentOf(id string, body []byte) (entity.Content, error) {
	c := entity.Content{ID: id, Size: len(body), Body: body}
	if id == MetadataPart {
		v, err := jsonvalue.Parse(body)
		if err != nil {
			return c, err
		}
		c.Hash, c.Value = uint64(v.Hash()), v
		return c, nil
	}
	hash, err := jsonvalue.Check(body)
	c.Hash = uint64(hash)
	return c, err
}

func itoa(i int) string { return strconv.Itoa(i) }
