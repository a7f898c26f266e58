package collection

import (
	"slices"

	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/merge"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/actors/undo"
)

// undoMaxVersions bounds how many versions are looked at to merge the inverse of what a task has done to a collection.
const undoMaxVersions = 1000

// takeBack merges the inverse of the spans with what is there. Spans that meet are one change: of each the content after it is
// the base, and the content before it the client's side. The newest goes first; what comes of it is there for the next.
func (a *applying) takeBack(spans, foreign []undo.Span) (decision, error) {
	if !a.state.Live() || a.state.Since > spans[0].Before {
		return a.skip(foreign, []problem.FieldError{{Message: "the collection was deleted since"}})
	}
	groups := undo.Joined(spans)
	touched, err := a.touched(groups)
	if err == nil && len(a.wants) == 0 {
		err = a.sides(groups, touched)
	}
	if err != nil {
		return a.ended(err)
	}
	if len(a.wants) > 0 {
		return decision{Wants: a.wants}, nil
	}
	for i, group := range slices.Backward(groups) {
		disagree, err := a.invert(group, touched[i])
		if err != nil {
			return a.ended(err)
		}
		if len(disagree) > 0 {
			return a.skip(foreign, disagree)
		}
	}
	a.draft.again = true
	merged := &settlement{policy: rules.Merge, base: spans[len(spans)-1].After, over: a.state.Version, resolution: resolvedMerged}
	return a.finish(a.behavior.event(a.state, a.state, a.draft, told{settled: merged}, a.facts, a.rules))
}

// touched are the parts that each group has written, in order of their ids.
func (a *applying) touched(groups []undo.Span) ([][]string, error) {
	versions, parts := uint64(0), 0
	for _, g := range groups {
		if versions += g.After - g.Before; versions > undoMaxVersions {
			return nil, problem.New(problem.TooLarge, "more than %d versions are to be taken back by merging", undoMaxVersions)
		}
	}
	touched := make([][]string, len(groups))
	for i, g := range groups {
		for v := g.Before + 1; v <= g.After; v++ {
			made, ok := a.facts.Made(v)
			switch {
			case !ok:
				a.wants = append(a.wants, entity.Want{Made: v})
				continue
			case made.Event.Type == "":
				return nil, notKept(v)
			}
			for j := range made.Event.Parts {
				touched[i] = append(touched[i], made.Event.Parts[j].ID)
			}
		}
		slices.Sort(touched[i])
		touched[i] = slices.Compact(touched[i])
		if parts += len(touched[i]); parts > a.behavior.Limits.VersionMaxParts {
			return nil, problem.New(problem.TooLarge, "what is to be taken back by merging has changed more than %d documents",
				a.behavior.Limits.VersionMaxParts)
		}
	}
	return touched, nil
}

func notKept(version uint64) *problem.Problem {
	return problem.New(problem.BaseUnavailable, "version %d is no longer kept", version)
}

// sides asks for the parts as they are, and as they were before and after each group.
func (a *applying) sides(groups []undo.Span, touched [][]string) error {
	for i, g := range groups {
		for _, id := range touched[i] {
			if _, ok := a.facts.Part(id, true); !ok {
				a.wants = append(a.wants, entity.Want{Part: id, Body: true})
			}
			for _, version := range []uint64{g.Before, g.After} {
				if _, ok := a.facts.At(id, version); !ok {
					a.wants = append(a.wants, entity.Want{Part: id, At: version})
				}
			}
		}
		for _, version := range []uint64{g.Before, g.After} { // the first may be read before both go
			if kept, ok := a.facts.Kept(version); ok && !kept {
				return notKept(version)
			}
		}
	}
	return a.facts.TooHeavy()
}

// invert merges the inverse of a group into the draft. It tells where that disagrees with what is there.
func (a *applying) invert(group undo.Span, touched []string) (disagree []problem.FieldError, err error) {
	for _, id := range touched {
		p := a.draft.part(id)
		server, err := p.shown()
		if err != nil {
			return nil, err
		}
		base, _, err := a.side(id, group.After)
		if err != nil {
			return nil, err
		}
		client, before, err := a.side(id, group.Before)
		if err != nil {
			return nil, err
		}
		merged, conflicts := merge.Merge(base, client, server, a.rules.Conflict.Rules, placeOf(id), merge.Neither)
		switch {
		case len(conflicts) > 0:
			for i := range conflicts {
				disagree = append(disagree, problem.FieldError{Path: conflicts[i].Path.String(), Message: disagreements[conflicts[i].Kind]})
			}
		case merged == server:
		case merged == nil:
			p.remove()
		default:
			if p.set(merged); merged == client {
				p.body = before.Body
			}
		}
	}
	return disagree, nil
}

// side is a part as it was at a version of this life of the collection.
func (a *applying) side(id string, version uint64) (*jsonvalue.Value, entity.Fact, error) {
	fact, _ := a.facts.At(id, version)
	if fact.Version < a.state.Born {
		fact = entity.Fact{}
	}
	v, err := shownValue(id, fact)
	return v, fact, err
}

// shown is the working copy as it is shown: no metadata are {}.
func (p *newPart) shown() (*jsonvalue.Value, error) {
	v, err := p.tree()
	if v == nil && p.metadata && err == nil {
		v = jsonvalue.NewObject()
	}
	return v, err
}

// disagreements say how taking a change back disagrees with what is there.
var disagreements = map[merge.Kind]string{
	merge.ModifyModify: "has changed since",
	merge.AddAdd:       "was removed, and is there again with another value",
	merge.DeleteModify: "was added, and has changed since",
	merge.ModifyDelete: "was changed, and is removed since",
	merge.InvalidKey:   "has elements that their key does not tell apart",
}
