package collection

import (
	"fmt"

	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/undo"
	"concord/internal/planted"
)

// undo decides on an Apply that takes versions back.
func (a *applying) undo() (decision, error) {
	u := a.command.Undo
	foreign := undo.Foreign(u.Spans, a.state.Version)
	switch {
	case len(foreign) == 0 || planted.IgnoreForeign:
		return a.restore(u.Spans[0].Before, sameBytes)
	case u.OnConflict == undo.Force:
		return a.restore(u.Spans[0].Before, jsonvalue.EqualText)
	case u.OnConflict == undo.Merge:
		return a.takeBack(u.Spans, foreign)
	default:
		return a.skip(foreign, nil)
	}
}

// restore makes the content of an old version the newest, as a revert does. If there was no collection then, it goes.
func (a *applying) restore(version uint64, same sameText) (decision, error) {
	encoded, _, ok := a.facts.Was()
	if !ok {
		return decision{Wants: a.state.lookBack(version)}, nil
	}
	if err := a.facts.TooMuch(); err != nil {
		return a.ended(err)
	}
	s := a.state
	then, err := a.behavior.stateAt(encoded, version)
	switch {
	case err != nil:
		return a.ended(err)
	case then.Deleted && s.Live():
		a.otherLife = fmt.Sprintf("the collection is deleted, as it was at version %d", version)
		return a.finish(decision{Events: []Event{&Deleted{}}}, nil)
	case then.Deleted:
		return a.finish(decision{}, nil)
	case !s.Live() || s.Born != then.Born:
		a.otherLife = fmt.Sprintf("the collection was deleted since version %d, and is as it was before that", version)
	}
	return a.finish(a.behavior.restored(s, then, version, again{a.facts, a.rules, same}))
}

// skip leaves the collection as it is, because of the versions of others, and of what disagrees with them, if that was looked at.
func (a *applying) skip(foreign []undo.Span, disagree []problem.FieldError) (decision, error) {
	newest := foreign[len(foreign)-1].After
	made, ok := a.facts.Made(newest)
	if !ok {
		return decision{Wants: []entity.Want{{Made: newest}}}, nil
	}
	a.answer.State, a.answer.Code = fields.Skipped, string(problem.VersionConflict)
	a.answer.Message = inTheWay(foreign, made, len(disagree))
	a.warn(disagree)
	return applied(a.answer)
}

// inTheWay says which versions are, and who made the newest of them.
func inTheWay(foreign []undo.Span, newest entity.Made, places int) string {
	text, last := "", foreign[len(foreign)-1]
	for i, r := range foreign[:min(len(foreign), failureMaxPlaces)] {
		switch {
		case i > 0 && i == len(foreign)-1:
			text += " and "
		case i > 0:
			text += ", "
		}
		text += versions(r)
	}
	if len(foreign) > failureMaxPlaces {
		text += fmt.Sprintf(", and more up to version %d", last.After)
	}
	are, which := " are of others", "the newest"
	if len(foreign) == 1 && last.Before == last.After {
		are, which = " is of others", "it"
	}
	text += are
	switch {
	case newest.Event.Type == TypeDeleted:
		text += fmt.Sprintf("; %s is the deletion of the collection, by %s", which, problem.Clip(newest.By))
	case newest.Event.Type != "":
		text += fmt.Sprintf("; %s is by %s", which, problem.Clip(newest.By))
	}
	switch {
	case places == 1:
		text += "; one place disagrees"
	case places > 1:
		text += fmt.Sprintf("; %d places disagree", places)
	}
	return text
}

// versions names a range.
func versions(r undo.Span) string {
	if r.Before == r.After {
		return fmt.Sprintf("version %d", r.Before)
	}
	return fmt.Sprintf("versions %d to %d", r.Before, r.After)
}
