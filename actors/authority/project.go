package authority

import (
	"concord/actors/entity"
	"concord/actors/links"
	"concord/persistence"
)

// purgeTimer is the name of the timer that ends a deletion.
const purgeTimer = "purge"

// Project keeps the record, the timer of a deletion, and what the authority is found by.
func (Behavior) Project(before State, e Event, _ entity.Stamp) (p entity.Projection) {
	switch e.Type {
	case TypeSaved:
		p.Parts = []entity.PartInfo{{ID: RecordPart}}
	case TypePurged:
		p.Parts = []entity.PartInfo{{ID: RecordPart, Removed: true}}
	}
	if !before.Purge.Equal(e.After.Purge) {
		p.Timers = []entity.Timer{{Name: purgeTimer, Was: before.Purge, Due: e.After.Purge}}
	}
	p.Index = changed(found(&before), found(&e.After))
	return p
}

// place is where an authority is found: an index and a term.
type place struct{ index, term string }

// places are those of one authority; a place that it does not have is zero.
type places [3]place

// found are the places of an authority: of a deleted one its source alone, until it is purged.
func found(s *State) (in places) {
	if s.Source != "" {
		in[0] = place{links.IndexAuthoritiesOf, s.Source}
	}
	if s.Live() {
		in[1] = place{links.IndexByNaturalID, persistence.Term(s.NaturalID)}
		if key := s.Heading.Key(); key != "" {
			in[2] = place{links.IndexByHeading, persistence.Term(key)}
		}
	}
	return in
}

func changed(was, is places) (changes []persistence.IndexChange) {
	for i := range is {
		if was[i] == is[i] {
			continue
		}
		if was[i] != (place{}) {
			changes = append(changes, persistence.IndexChange{Name: was[i].index, Term: was[i].term, Removed: true})
		}
		if is[i] != (place{}) {
			if changes == nil {
				changes = make([]persistence.IndexChange, 0, len(is))
			}
			changes = append(changes, persistence.IndexChange{Name: is[i].index, Term: is[i].term})
		}
	}
	return changes
}
