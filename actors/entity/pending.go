package entity

import (
	"concord/persistence"
	"concord/persistence/recordpb"
)

// pending is what an entity has decided and the store may not show yet. It lies over what the store shows: the entity
// is the only writer, so that an entry here is never older than the stored one.
type pending struct {
	parts    map[string]pendingPart
	outcomes map[outcomeID]pendingOutcome
	order    []pendingItem // what to forget, and when
	staged   []pendingItem // of the command at hand
}

type outcomeID struct{ principal, key string }

type pendingPart struct {
	fact Fact
	lsn  persistence.LSN
}

type pendingOutcome struct {
	outcome *recordpb.Outcome
	lsn     persistence.LSN
}

// pendingItem is a part, or an outcome if that is set.
type pendingItem struct {
	lsn     persistence.LSN
	part    string
	fact    Fact
	id      outcomeID
	outcome *recordpb.Outcome
}

// add stages what an event writes.
func (p *pending) add(version uint64, contents []Content, changes []persistence.PartChange) {
	for i := range contents {
		fact := Fact{Exists: !contents[i].Removed, Version: version, Info: changes[i].Info, Body: contents[i].Body}
		p.staged = append(p.staged, pendingItem{part: contents[i].ID, fact: fact})
	}
}

// remember stages an outcome.
func (p *pending) remember(principal string, o *recordpb.Outcome) {
	p.staged = append(p.staged, pendingItem{id: outcomeID{principal, o.GetKey()}, outcome: o})
}

// drop forgets what is staged: a dry run, or a refusal.
func (p *pending) drop() { p.staged = p.staged[:0] }

// submitted says that what is staged is on its way.
func (p *pending) submitted(lsn persistence.LSN) {
	if p.parts == nil {
		p.parts, p.outcomes = map[string]pendingPart{}, map[outcomeID]pendingOutcome{}
	}
	for _, item := range p.staged {
		item.lsn = lsn
		if item.outcome != nil {
			p.outcomes[item.id] = pendingOutcome{item.outcome, lsn}
			item.outcome = nil
		} else {
			p.parts[item.part] = pendingPart{item.fact, lsn}
			item.fact = Fact{}
		}
		p.order = append(p.order, item)
	}
	p.staged = p.staged[:0]
}

// forget drops what the store shows durably.
func (p *pending) forget(durable persistence.LSN) {
	n := 0
	for ; n < len(p.order) && p.order[n].lsn <= durable; n++ {
		item := &p.order[n]
		if item.id.key != "" {
			if p.outcomes[item.id].lsn == item.lsn {
				delete(p.outcomes, item.id)
			}
		} else if p.parts[item.part].lsn == item.lsn {
			delete(p.parts, item.part)
		}
	}
	if p.order = p.order[n:]; n > 0 && len(p.order) == 0 {
		*p = pending{} // an idle entity keeps nothing
	}
}

func (p *pending) outcome(principal, key string) *recordpb.Outcome {
	return p.outcomes[outcomeID{principal, key}].outcome
}

func (p *pending) part(id string) (Fact, bool) {
	part, ok := p.parts[id]
	return part.fact, ok
}
