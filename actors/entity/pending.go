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
	order    []pendingItem   // what to forget, and when
	staged   []pendingItem   // of the command at hand
	known    map[string]Fact // parts as the store has them, without bodies: the few that are written again and again
}

// knownMaxParts bounds what a live entity remembers of its parts.
const knownMaxParts = 8

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
		p.parts = make(map[string]pendingPart, 1)
	}
	for _, item := range p.staged {
		item.lsn = lsn
		if item.outcome != nil {
			if p.outcomes == nil {
				p.outcomes = make(map[outcomeID]pendingOutcome, 1)
			}
			p.outcomes[item.id] = pendingOutcome{item.outcome, lsn}
			item.outcome = nil
		} else {
			p.parts[item.part] = pendingPart{item.fact, lsn}
			delete(p.known, item.part)
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
		} else if part := p.parts[item.part]; part.lsn == item.lsn {
			delete(p.parts, item.part)
			p.know(item.part, part.fact)
		}
	}
	switch n {
	case 0:
	case len(p.order):
		p.settle()
	default:
		p.order = append(p.order[:0], p.order[n:]...)
	}
}

func (p *pending) outcome(principal, key string) *recordpb.Outcome {
	return p.outcomes[outcomeID{principal, key}].outcome
}

// settle lets go of what a burst has left behind: an idle entity keeps little.
func (p *pending) settle() {
	if cap(p.order) > knownMaxParts {
		*p = pending{known: p.known}
		return
	}
	p.order = p.order[:0]
}

// part is a part as the entity knows it. A body is known only while it is pending.
func (p *pending) part(id string, body bool) (Fact, bool) {
	if part, ok := p.parts[id]; ok {
		return part.fact, true
	}
	fact, ok := p.known[id]
	return fact, ok && (!body || !fact.Exists)
}

// know remembers a part that the store has.
func (p *pending) know(id string, fact Fact) {
	if p.known == nil {
		p.known = make(map[string]Fact, 1)
	}
	if len(p.known) == knownMaxParts {
		for other := range p.known {
			delete(p.known, other) // any will do
			break
		}
	}
	fact.Body = nil
	p.known[id] = fact
}
