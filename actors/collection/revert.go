package collection

import (
	"strconv"

	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

// revert makes the content of an old version the newest. It costs what changed since.
func (b Behavior) revert(s State, c *Revert, f entity.Facts) ([]Event, error) {
	if !s.Exists {
		return nil, missing()
	}
	if err := c.check(s); err != nil {
		return nil, err
	}
	if c.Base != nil && *c.Base != s.Version {
		return nil, conflict(s, *c.Base, []Stale{{Base: *c.Base, Version: s.Version}})
	}
	if c.To == 0 || c.To > s.Version {
		return nil, problem.At("/to", "there is no version %d: the newest is %d", c.To, s.Version)
	}
	if c.To == s.Version {
		return nil, nil
	}
	encoded, was, _ := f.Was()
	then, err := b.stateAt(encoded, c.To)
	if err != nil {
		return nil, err
	}
	if then.Deleted {
		return nil, problem.At("/to", "version %d is the deletion of the collection", c.To)
	}
	e := &Saved{After: then, RevertedTo: c.To}
	e.After.DocumentsVersion = s.DocumentsVersion
	if e.After.Created.IsZero() {
		e.After.Created = s.Created // the event that created it says so by itself
	}
	if err := restore(e, s, then, f, was); err != nil {
		return nil, err
	}
	if len(e.Parts) == 0 && s.Live() {
		return nil, nil
	}
	return []Event{e}, b.Limits.check(e.Parts)
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
	then := saved.After
	if saved.Created {
		then.Born = version
	}
	return then, nil
}

// restore adds the parts that differ between now and then.
func restore(e *Saved, now, then State, f entity.Facts, was map[string]entity.Fact) error {
	for _, id := range sortedKeys(was) {
		old := was[id]
		if old.Version < then.Born {
			old = entity.Fact{}
		}
		current, _ := f.Part(id, true)
		currentLives := now.Live() && current.Exists && current.Version >= now.Born
		switch {
		case !old.Exists && !current.Exists:
		case !old.Exists:
			// It stands in the store whatever life it belongs to: a new life would show it again.
			e.Parts = append(e.Parts, entity.Content{ID: id, Removed: true})
		default:
			equal, err := jsonvalue.EqualText(old.Body, current.Body)
			if err == nil && equal && currentLives {
				continue
			}
			hash, err := jsonvalue.Check(old.Body)
			if err != nil {
				return err
			}
			e.Parts = append(e.Parts, entity.Content{ID: id, Hash: uint64(hash), Size: len(old.Body), Body: old.Body})
		}
		if id == MetadataPart && old.Exists {
			d := draft{state: now, facts: f}
			e.Blame = d.blame(old.Body)
		}
	}
	for i := range e.Parts {
		e.Documented = e.Documented || e.Parts[i].ID != MetadataPart
	}
	return nil
}

func itoa(i int) string { return strconv.Itoa(i) }
