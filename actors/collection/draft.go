package collection

import (
	"slices"

	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

// draft is the content as a command would leave it, over the content as it is.
type draft struct {
	state   State
	facts   entity.Facts
	replace bool
	again   bool                   // what it writes was there before: its links are settled as those of a revert
	bases   map[string]entity.Fact // what the caller has built on, of parts that are stale; see settle
	parts   map[string]*newPart
	order   []string // of first change
}

// newPart is a part that the command has touched.
type newPart struct {
	old     entity.Fact      // as it is; not existing if it belongs to an earlier life of the collection
	base    *jsonvalue.Value // of a stale part: what the caller has built on, once it was read
	was     *jsonvalue.Value // old, if it was read
	value   *jsonvalue.Value
	body    []byte // the accepted bytes; nil: value's
	hash    uint64
	removed bool

	rebased  bool // it still is what the caller has built on
	metadata bool
}

var emptyMetadata = uint64(jsonvalue.NewObject().Hash())

func newDraft(s State, f entity.Facts) *draft {
	return &draft{state: s, facts: f, parts: make(map[string]*newPart)}
}

// current is the part as it is: a part that the collection's earlier life left behind is not there.
func (d *draft) current(id string) entity.Fact {
	fact, ok := d.facts.Part(id, false)
	if all, have := d.facts.All(); !ok && have {
		fact = all[id]
	}
	if !d.state.Live() || fact.Version < d.state.Born {
		return entity.Fact{}
	}
	return fact
}

// part is the working copy of a part: of what the caller has built on.
func (d *draft) part(id string) *newPart {
	if p, ok := d.parts[id]; ok {
		return p
	}
	old := d.current(id)
	from, stale := d.bases[id]
	if !stale {
		from = old
	}
	p := &newPart{old: old, body: from.Body, removed: !from.Exists, rebased: stale && from.Exists, metadata: id == MetadataPart}
	if old.Exists && !stale {
		p.hash = hashOf(old)
	}
	if v, ok := from.Value.(*jsonvalue.Value); ok {
		p.value = v
		if stale {
			p.base, p.rebased = v, false
		} else {
			p.was = v
		}
	}
	d.parts[id] = p
	d.order = append(d.order, id)
	return p
}

// tree is the working copy as a value; nil if the part is not there.
func (p *newPart) tree() (*jsonvalue.Value, error) {
	if p.removed || p.value != nil {
		return p.value, nil
	}
	v, err := jsonvalue.Parse(p.body)
	if p.value = v; p.rebased {
		p.base, p.rebased = v, false // nothing was changed yet
	}
	return v, err
}

// made is the value, if it was read; a nil one would be no nil any.
func (p *newPart) made() any {
	if p.value == nil {
		return nil
	}
	return p.value
}

func (p *newPart) set(v *jsonvalue.Value) {
	p.value, p.body, p.removed, p.hash, p.rebased = v, nil, false, uint64(v.Hash()), false
}

func (p *newPart) remove() { p.value, p.body, p.removed, p.hash, p.rebased = nil, nil, true, 0, false }

func pathOf(part string) string {
	if part == MetadataPart {
		return "/metadata"
	}
	return jsonvalue.Pointer{"documents", part}.String()
}

// change applies the changes in their order.
func (d *draft) change(c *Write, l Limits) error {
	if c.ReplaceDocuments {
		for id := range d.bases {
			if id != MetadataPart {
				d.part(id).remove()
			}
		}
		all, _ := d.facts.All()
		for id := range all {
			if p := d.part(id); !p.removed {
				p.remove()
			}
		}
	}
	for i := range c.Changes {
		if err := d.apply(&c.Changes[i], l); err != nil {
			return err
		}
	}
	if c.Moves != nil {
		return d.applyAcross(c.Moves, l)
	}
	return nil
}

func (d *draft) apply(ch *Change, l Limits) error {
	p := d.part(ch.Part)
	if err := ch.check(p, d.state); err != nil {
		return err
	}
	switch ch.Op {
	case OpPut:
		p.value, p.body, p.hash, p.removed, p.rebased = nil, ch.Body, ch.Hash, false, false
	case OpRemove:
		if ch.Part == MetadataPart {
			return problem.At(ch.Path, "the metadata cannot be removed")
		}
		if p.removed {
			return problem.New(problem.NotFound, "there is no document %q", ch.Part)
		}
		p.remove()
	case OpRemoveIfThere:
		p.remove()
	case OpMerge:
		return d.merge(p, ch)
	case OpPatch:
		return d.patch(p, ch, l)
	}
	return nil
}

// check judges the conditions on the one document.
func (ch *Change) check(p *newPart, s State) error {
	unchangedSince := func(v uint64) bool { return p.old.Version <= v && v <= s.Version }
	switch {
	case ch.IfNoneMatch && p.old.Exists:
		return problem.New(problem.PreconditionFailed, "the document exists, since version %d", p.old.Version).
			With("currentVersion", p.old.Version)
	case (ch.IfExists || len(ch.IfMatch) > 0) && !p.old.Exists:
		return problem.New(problem.PreconditionFailed, "there is no such document")
	case len(ch.IfMatch) > 0 && !slices.ContainsFunc(ch.IfMatch, unchangedSince):
		return problem.New(problem.PreconditionFailed, "the document changed at version %d", p.old.Version).
			With("currentVersion", p.old.Version)
	}
	return nil
}

func (d *draft) merge(p *newPart, ch *Change) error {
	v, err := p.tree()
	if err != nil {
		return err
	}
	merged := jsonvalue.MergePatch(v, ch.Merge)
	if ch.Part == MetadataPart && merged.Kind() != jsonvalue.Object {
		return problem.At(ch.Path, "the metadata is an object")
	}
	p.set(merged)
	return nil
}

func (d *draft) patch(p *newPart, ch *Change, l Limits) error {
	v, err := p.tree()
	if err != nil {
		return err
	}
	if v == nil && ch.Part != MetadataPart {
		return problem.New(problem.NotFound, "there is no document %q to patch", ch.Part)
	}
	if v == nil {
		v = jsonvalue.NewObject()
	}
	patched, err := ch.Patch.Apply(v, patchLimits(l))
	if err != nil {
		return patchProblem(ch.Path, err)
	}
	if ch.Part == MetadataPart && patched.Kind() != jsonvalue.Object {
		return problem.At(ch.Path, "the metadata is an object")
	}
	p.set(patched)
	return nil
}

// contents are the parts that differ from what they were, in order of their ids.
func (d *draft) contents() []entity.Content {
	var contents []entity.Content
	for _, id := range slices.Sorted(slices.Values(d.order)) {
		p := d.parts[id]
		switch {
		case p.removed && !p.old.Exists:
		case p.removed:
			contents = append(contents, entity.Content{ID: id, Removed: true})
		case p.same():
		default:
			if p.body == nil {
				p.body = p.value.Text()
			}
			contents = append(contents, entity.Content{ID: id, Hash: p.hash, Size: len(p.body), Body: p.body, Value: p.made()})
		}
	}
	return contents
}

// same compares by value. Different hashes settle it; equal ones do not.
func (p *newPart) same() bool {
	if p.metadata && !p.old.Exists {
		return p.hash == emptyMetadata // no metadata reads as {}
	}
	if !p.old.Exists || hashOf(p.old) != p.hash {
		return false
	}
	if p.body == nil {
		p.body = p.value.Text()
	}
	equal, err := jsonvalue.EqualText(p.old.Body, p.body)
	return err == nil && equal
}

// count is how many documents live after the parts are written.
func (d *draft) count(before uint64, parts []entity.Content) uint64 {
	after := before
	for i := range parts {
		if parts[i].ID == MetadataPart {
			continue
		}
		existed := d.parts[parts[i].ID].old.Exists
		switch {
		case parts[i].Removed:
			after--
		case !existed:
			after++
		}
	}
	return after
}

// blameMaxMembers is how many top-level members of the metadata are told apart.
const blameMaxMembers = 1000

// blame names who wrote each top-level member of the metadata that is written: the command, or whoever wrote it before.
func (d *draft) blame(body []byte) []MemberChange {
	p := d.parts[MetadataPart]
	if p == nil {
		p = &newPart{old: d.current(MetadataPart)}
	}
	is, was := p.value, p.was
	if is == nil {
		is, _ = jsonvalue.Parse(body)
	}
	if was == nil {
		was, _ = jsonvalue.Parse(p.old.Body)
	}
	if is == nil || is.Len() > blameMaxMembers {
		return nil // the metadata as a whole has its version
	}
	before := make(map[string]MemberChange)
	for _, m := range decodeBlame(infoOf(p.old).GetBlame()) {
		before[m.Name] = m
	}
	blame := make([]MemberChange, 0, is.Len())
	for _, m := range is.Members() {
		change := MemberChange{Name: m.Name}
		if was != nil {
			if v, ok := was.Get(m.Name); ok && jsonvalue.Equal(v, m.Value) {
				change = before[m.Name]
				change.Name = m.Name // also where nobody noted who wrote it
			}
		}
		blame = append(blame, change)
	}
	return blame
}
