package entity

import (
	"iter"
	"slices"
	"sync/atomic"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// pending is what an entity has decided and the store may not show yet. It lies over what the store shows: the entity
// is the only writer, so that an entry here is never older than the stored one.
//
// An entity at rest keeps little: the items of its last command stay until the next one, but not what they carry.
type pending struct {
	items  []pendingItem       // oldest first
	staged int                 // items from here on are of the command at hand
	cargo  *cargo              // of the command at hand
	events int                 // of the command at hand
	passed int                 // items that were forgotten: the number of the first that is left
	index  map[pendingName]int // number of the newest submitted item of that name; nil while there are few
	known  []knownPart         // parts as the store has them, without bodies: the few that are written again and again
}

const (
	knownMaxParts     = 8  // what a live entity remembers of its parts
	pendingMaxScan    = 16 // more items than these are found by an index
	pendingMaxResting = 2  // room for more items than these is given up when they are forgotten
)

// pendingName is a part's id, or principal and key of an outcome; a key is never empty.
type pendingName struct{ part, principal, key string }

type pendingItem struct {
	name  pendingName
	lsn   persistence.LSN
	fact  Fact // of a part, without its body; its place counts from the first record of the command
	cargo *cargo
	body  int // its place among the bodies of the cargo
}

// cargo is what the items of one command carry until it is durable: from then on the store has it.
type cargo struct {
	held  atomic.Pointer[freight]
	first persistence.Position // of the records of the command; good once nothing is held any more; 0: not known
}

type freight struct {
	bodies  [][]byte
	values  []any
	outcome *recordpb.Outcome
}

// land lets go of what is durable: it stands in the records from first on. Any goroutine may call it, once; there may be no
// cargo.
func (c *cargo) land(first persistence.Position) {
	if c != nil {
		c.first = first
		c.held.Store(nil)
	}
}

type knownPart struct {
	id   string
	fact Fact
}

// load is what the command at hand carries.
func (p *pending) load() *freight {
	if p.cargo == nil {
		p.cargo = new(cargo)
		p.cargo.held.Store(new(freight))
	}
	return p.cargo.held.Load()
}

// add stages what an event writes.
func (p *pending) add(version uint64, contents []Content, changes []persistence.PartChange) {
	for i := range contents {
		load := p.load()
		load.bodies, load.values = append(load.bodies, contents[i].Body), append(load.values, contents[i].Value)
		place := persistence.Place{Position: persistence.Position(p.events), Index: changes[i].Index, Beside: changes[i].Beside}
		p.items = append(p.items, pendingItem{name: pendingName{part: contents[i].ID}, cargo: p.cargo, body: len(load.bodies) - 1,
			fact: Fact{Exists: !contents[i].Removed, Version: version, Info: changes[i].Info, place: place}})
	}
	p.events++
}

// remember stages an outcome.
func (p *pending) remember(principal string, o *recordpb.Outcome) {
	p.load().outcome = o
	p.items = append(p.items, pendingItem{name: pendingName{principal: principal, key: o.GetKey()}, cargo: p.cargo})
}

// drop forgets what is staged: a dry run, or a refusal.
func (p *pending) drop() {
	clear(p.items[p.staged:])
	p.items, p.cargo, p.events = p.items[:p.staged], nil, 0
}

// submit hands out the cargo of what is staged, which lands when that is durable. An event without parts has none.
func (p *pending) submit() *cargo {
	c := p.cargo
	p.cargo, p.events = nil, 0
	return c
}

// remembered tells the parts that are staged.
func (p *pending) remembered(tell func(part string, f Fact)) {
	for i := p.staged; i < len(p.items); i++ {
		if item := &p.items[i]; item.name.key == "" {
			fact, _ := item.part(true)
			tell(item.name.part, fact)
		}
	}
}

// submitted gives what is staged its place in the order.
func (p *pending) submitted(lsn persistence.LSN) {
	for i := p.staged; i < len(p.items); i++ {
		p.items[i].lsn = lsn
		p.unknow(p.items[i].name)
		if p.index != nil {
			p.index[p.items[i].name] = p.passed + i
		}
	}
	p.staged = len(p.items)
	if p.index == nil && p.staged > pendingMaxScan {
		p.index = make(map[pendingName]int, 2*p.staged)
		for i := range p.items {
			p.index[p.items[i].name] = p.passed + i
		}
	}
}

// newest finds the newest submitted item of the name.
func (p *pending) newest(name pendingName) *pendingItem {
	if p.index != nil {
		if n, ok := p.index[name]; ok {
			return &p.items[n-p.passed]
		}
		return nil
	}
	for i := p.staged - 1; i >= 0; i-- {
		if p.items[i].name == name {
			return &p.items[i]
		}
	}
	return nil
}

// forget drops what the store shows durably. Nothing may be staged.
func (p *pending) forget(durable persistence.LSN) {
	n := 0
	for ; n < len(p.items) && p.items[n].lsn <= durable; n++ {
		item := &p.items[n]
		if p.newest(item.name) != item {
			continue
		}
		if item.name.key == "" {
			fact, _ := item.part(false)
			p.know(item.name.part, fact)
		}
		delete(p.index, item.name)
	}
	switch {
	case n == 0:
	case n == len(p.items) && cap(p.items) > pendingMaxResting:
		*p = pending{known: p.known} // an idle entity keeps little
	default:
		p.items = slices.Delete(p.items, 0, n)
		p.staged, p.passed = len(p.items), p.passed+n
		if len(p.items) == 0 {
			p.index = nil
		}
	}
}

func (p *pending) outcome(principal, key string) *recordpb.Outcome {
	item := p.newest(pendingName{principal: principal, key: key})
	if item == nil {
		return nil
	}
	if load := item.cargo.held.Load(); load != nil {
		return load.outcome
	}
	return nil
}

// part is a part as the entity knows it. A body is known only while it is not durable; from then on its place is.
func (p *pending) part(id string, body bool) (Fact, bool) {
	if item := p.newest(pendingName{part: id}); item != nil {
		return item.part(body)
	}
	for i := range p.known {
		if p.known[i].id == id {
			return p.known[i].fact, !body || !p.known[i].fact.Exists
		}
	}
	return Fact{}, false
}

func (i *pendingItem) part(body bool) (Fact, bool) {
	fact := i.fact
	switch load := i.cargo.held.Load(); {
	case load != nil:
		fact.Body, fact.Value, fact.place = load.bodies[i.body], load.values[i.body], persistence.Place{}
	case i.cargo.first == 0:
		fact.place = persistence.Place{}
	default:
		fact.place.Position += i.cargo.first
	}
	return fact, !body || !fact.Exists || fact.Body != nil
}

// partAt is the part as it was at the version, if that is not durable yet.
func (p *pending) partAt(id string, version uint64) (Fact, bool) {
	for i := p.staged - 1; i >= 0; i-- {
		if item := &p.items[i]; item.name == (pendingName{part: id}) && item.fact.Version <= version {
			return item.part(true)
		}
	}
	return Fact{}, false
}

// parts are the submitted parts, oldest first, without bodies: a later one is newer.
func (p *pending) parts() iter.Seq2[string, Fact] {
	return func(yield func(string, Fact) bool) {
		for i := range p.items[:p.staged] {
			item := &p.items[i]
			fact := item.fact
			fact.place = persistence.Place{}
			if item.name.key == "" && !yield(item.name.part, fact) {
				return
			}
		}
	}
}

// unknow lets go of what is known of a part that a submitted item tells from now on: until the next command there is only one
// of them, and an idle entity keeps little.
func (p *pending) unknow(name pendingName) {
	if name.key != "" {
		return
	}
	if i := slices.IndexFunc(p.known, func(k knownPart) bool { return k.id == name.part }); i >= 0 {
		p.known = slices.Delete(p.known, i, i+1)
	}
}

// know remembers a part that the store has.
func (p *pending) know(id string, fact Fact) {
	fact.Body, fact.Value = nil, nil
	for i := range p.known {
		if p.known[i].id == id {
			p.known[i].fact = fact
			return
		}
	}
	if len(p.known) == knownMaxParts {
		p.known = slices.Delete(p.known, 0, 1) // the one that came first
	}
	p.known = append(p.known, knownPart{id, fact})
}
