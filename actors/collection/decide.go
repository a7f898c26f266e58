package collection

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/links"
	"concord/actors/lock"
	"concord/actors/merge"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/persistence"
)

// Behavior is the collection kind under its limits.
type Behavior struct {
	Limits Limits
	// LockKey is what lock tokens are made of. Who only reads events back needs none.
	LockKey [32]byte
	// Types remembers the types that were read; nil: each is read anew.
	Types *rules.Memo
}

var (
	_ entity.Behavior[State, Command, Event] = Behavior{}
	_ entity.Timed[State, Command]           = Behavior{}
	_ entity.Keeper[State]                   = Behavior{}
	_ entity.Found[State]                    = Behavior{}
)

// FormatJSON and FormatMARC are the formats of a collection's documents.
const (
	FormatJSON = "json"
	FormatMARC = "marc"
)

// Kind is the stored number of the kind.
func (Behavior) Kind() persistence.Kind { return persistence.KindCollection }

// Wants names the parts that the command touches, with their bodies where the outcome depends on them, and the type.
func (b Behavior) Wants(s State, c Command, known entity.Facts) []entity.Want {
	if id := typeID(s, c); id != nil {
		if _, ok := known.Of(*id); !ok {
			return []entity.Want{{Of: id}}
		}
	}
	if _, ok := c.(*Advance); !ok {
		return b.wantsOf(s, c, known)
	}
	op, ok := lock.Next(s.Lock)
	if !ok {
		return nil
	}
	if _, ok := known.Event(op.Number); !ok {
		return []entity.Want{{Event: op.Number}}
	}
	change, _, err := parked(op, known)
	if err != nil {
		return nil // that is the decision's to say
	}
	return b.wantsOf(s, change, known)
}

func (b Behavior) wantsOf(s State, c Command, known entity.Facts) []entity.Want {
	switch c := c.(type) {
	case *Write:
		if wants := wantsOfWrite(c, known); len(wants) > 0 || len(c.bases()) == 0 {
			return wants
		}
		t, err := b.typeOf(s, c, known)
		if err != nil {
			return nil // that is the decision's to say
		}
		p, err := c.policyOf(t)
		if err != nil || c.based(s, known, p) != nil {
			return nil
		}
		return wantsOfStale(s, c, known, p)
	case *Revert:
		if _, _, ok := known.Was(); !ok && s.Exists && c.To > 0 && c.To < s.Version {
			return s.lookBack(c.To)
		}
	case *Delete, *Locking, *Advance, *Relink, *Apply, *Reindex:
	}
	return nil
}

func wantsOfWrite(c *Write, known entity.Facts) []entity.Want {
	var wants []entity.Want
	all, haveAll := known.All()
	if c.ReplaceDocuments && !haveAll {
		wants = append(wants, entity.Want{All: true})
	}
	for i := range c.Changes {
		ch := &c.Changes[i]
		// The metadata's old body tells which members a change wrote.
		body := ch.Op == OpMerge || ch.Op == OpPatch || ch.Part == MetadataPart
		fact, ok := known.Part(ch.Part, false)
		if !ok && haveAll && ch.Part != MetadataPart {
			fact, ok = all[ch.Part], true
		}
		if ok && ch.Op == OpPut && fact.Exists && hashOf(fact) == ch.Hash {
			body = true // equal for all we know: compare
		}
		if _, have := known.Part(ch.Part, body); (!ok || body) && !have {
			wants = append(wants, entity.Want{Part: ch.Part, Body: body})
		}
	}
	wants = append(wants, basesWanted(c, known)...)
	if c.Moves != nil {
		for _, part := range c.Moves.Parts {
			if _, ok := known.Part(part, true); !ok {
				wants = append(wants, entity.Want{Part: part, Body: true})
			}
		}
	}
	return wants
}

// basesWanted asks whether the bases are still kept: retention may have forgotten that a part was removed since.
func basesWanted(c *Write, known entity.Facts) (wants []entity.Want) {
	ask := func(base *uint64) {
		if base == nil || *base == 0 {
			return
		}
		if _, ok := known.Kept(*base); !ok {
			wants = append(wants, entity.Want{Kept: *base})
		}
	}
	ask(c.Base)
	for i := range c.Changes {
		ask(c.Changes[i].Base)
	}
	return wants
}

// Decide judges the command and says what follows from it.
func (b Behavior) Decide(s State, c Command, f entity.Facts, m entity.Meta) (entity.Decision[Event], error) {
	switch c := c.(type) {
	case *Write, *Delete, *Revert:
		return b.admitted(s, c.(content), f, m) //nolint:forcetypeassert // these are the content
	case *Locking:
		return b.locking(s, c, f, m)
	case *Advance:
		return b.advance(s, f, m)
	case *Relink:
		return b.relink(s, c, f, m)
	case *Apply:
		return b.apply(s, c, f, m)
	case *Reindex:
		return b.reindex(s, c, f)
	default:
		panic(fmt.Sprintf("collection: unknown command %T", c))
	}
}

// decision is what a command comes to.
type decision = entity.Decision[Event]

// told is what the answer has to know beyond the events.
type told struct {
	lock     *lock.Result
	settled  *settlement      // of a write whose base was stale
	kept     []entity.Content // what such a write has left as it is, if that is all
	warnings []problem.FieldError
	parts    []entity.Content // that the command writes
	relinked *Relinked        // of a Relink
	applied  *Applied         // of an Apply
}

// change decides on a change of content that the lock has let in: one event, or none.
func (b Behavior) change(s State, c content, f entity.Facts, m entity.Meta, t *rules.Type) (decision, error) {
	if err := versionNamed(s, c, t); err != nil {
		return decision{}, err
	}
	switch c := c.(type) {
	case *Write:
		return b.write(s, c, f, m, t)
	case *Delete:
		return entity.Only(b.deletion(s, c, t))
	case *Revert:
		return b.revert(s, c, f, t)
	default:
		panic(fmt.Sprintf("collection: unknown change %T", c))
	}
}

// versionNamed refuses a change without a precondition, if the type wants one.
func versionNamed(s State, c content, t *rules.Type) error {
	if !t.RequireVersion || !s.Live() || named(c) {
		return nil
	}
	return problem.New(problem.PreconditionRequired,
		"this type of collection wants to know which version a change is based on: If-Match, or baseVersion")
}

func (b Behavior) deletion(s State, c *Delete, t *rules.Type) ([]Event, error) {
	if !s.Live() {
		return nil, missing()
	}
	if err := c.check(s); err != nil {
		return nil, err
	}
	if c.Base != nil && *c.Base != s.Version {
		return nil, b.Limits.staleWhole(s, *c.Base, merge.DeleteModify, t)
	}
	return []Event{&Deleted{}}, nil
}

// write is a put or a patch: preconditions, staleness part by part, the new contents, the limits, the schemas.
func (b Behavior) write(s State, c *Write, f entity.Facts, m entity.Meta, t *rules.Type) (decision, error) {
	if err := c.check(s); err != nil {
		return decision{}, err
	}
	p, err := c.policyOf(t)
	if err != nil {
		return decision{}, err
	}
	if bringsBack := s.Deleted && c.Policy == rules.Client && len(c.bases()) > 0; !s.Live() && !c.Create && !bringsBack {
		return decision{}, missing()
	}
	if err := c.fits(s); err != nil {
		return decision{}, err
	}
	if err := c.based(s, f, p); err != nil {
		return decision{}, err
	}
	if err := f.TooHeavy(); err != nil {
		return decision{}, err
	}
	d := newDraft(s, f)
	d.replace = c.ReplaceDocuments
	found := stale(s, c, f)
	if !found.any() {
		if err := d.change(c, b.Limits); err != nil {
			return decision{}, err
		}
		return b.event(s, c.after(s), d, told{}, f, t)
	}
	settled, job, err := d.settle(c, found, p, t, b.Limits, m)
	switch {
	case err != nil || job != nil:
		return decision{Job: job}, err
	case settled.resolution == resolvedServer:
		return decision{Told: told{settled: settled, kept: d.kept(found)}}, nil
	}
	return b.event(s, c.after(s), d, told{settled: settled}, f, t)
}

// event is what the draft comes to: nothing, if nothing differs. after is the state that the event begins with.
func (b Behavior) event(s, after State, d *draft, say told, f entity.Facts, t *rules.Type) (decision, error) {
	parts := d.contents()
	if len(parts) == 0 && s.Live() {
		return decision{Told: say}, nil
	}
	l := linking{behavior: b, format: links.Format(after.Format), facts: f, rules: t, born: after.Born}
	settle := l.written
	if d.again {
		settle = func(d *draft, parts []entity.Content) ([]entity.Content, error) { return l.restored(d.state, parts) }
	}
	parts, err := settle(d, parts)
	if err != nil || len(l.wants) > 0 {
		return decision{Wants: l.wants}, err
	}
	if len(parts) == 0 && s.Live() {
		return decision{Told: say}, nil
	}
	if err := b.Limits.check(parts); err != nil {
		return decision{}, err
	}
	if say.warnings, err = fit(d.judged(parts), t); err != nil {
		return decision{}, err
	}
	say.parts = parts
	e := &Saved{Parts: parts, After: after, Created: !s.Live(), Merge: say.settled.noted(t), Linked: l.linked()}
	e.note()
	e.After.Documents = d.count(e.After.Documents, parts)
	if e.Described {
		e.Blame = d.blame(parts[0].Body)
	}
	if wants, err := e.found(s, f, t); err != nil || len(wants) > 0 {
		return decision{Wants: wants}, err
	}
	return decision{Events: []Event{e}, Told: say}, nil
}

// after is the state that the event begins with: of a collection that is not there, a new one.
func (c *Write) after(s State) State {
	if s.Live() {
		return s
	}
	after := State{Format: c.Format, Type: c.Type, DocumentsVersion: s.DocumentsVersion}
	if s.Deleted && c.Base != nil && *c.Base < s.Version { // it is brought back
		after.Format, after.Type = cmp.Or(c.Format, s.Format), cmp.Or(c.Type, s.Type)
	}
	after.Format = cmp.Or(after.Format, FormatJSON)
	return after
}

// check judges the preconditions on the collection as a whole.
func (p *Preconditions) check(s State) error {
	switch {
	case p.IfNoneMatch && s.Live():
		return problem.New(problem.PreconditionFailed, "the collection exists, at version %d", s.Version).
			With("currentVersion", s.Version)
	case p.IfExists && !s.Live():
		return problem.New(problem.PreconditionFailed, "there is no such collection")
	case len(p.IfMatch) > 0 && (!s.Live() || !slices.Contains(p.IfMatch, s.Version)):
		return problem.New(problem.PreconditionFailed, "the newest version is %d", s.Version).
			With("currentVersion", s.Version)
	}
	return nil
}

// fits refuses what cannot change after the creation.
func (c *Write) fits(s State) error {
	if !s.Live() {
		return nil
	}
	if c.Format != "" && c.Format != s.Format {
		return problem.At("/format", "the format is fixed at creation: it is %q", s.Format)
	}
	if c.Type != "" && c.Type != s.Type {
		return problem.At("/type", "the type is fixed at creation: it is %q", s.Type)
	}
	return nil
}

// check holds the contents against the limits.
func (l Limits) check(parts []entity.Content) error {
	total := 0
	for i := range parts {
		p := &parts[i]
		total += p.Size
		if p.ID == MetadataPart && p.Size > l.MetadataMaxBytes {
			return tooLarge("/metadata", p.Size, l.MetadataMaxBytes)
		}
		if p.ID != MetadataPart && p.Size > l.DocumentMaxBytes {
			return tooLarge("/documents/"+jsonvalue.Pointer{p.ID}.String()[1:], p.Size, l.DocumentMaxBytes)
		}
	}
	if len(parts) > l.VersionMaxParts {
		return problem.New(problem.TooLarge, "one version changes at most %d documents, this one %d: split it",
			l.VersionMaxParts, len(parts)).With("limit", l.VersionMaxParts)
	}
	if total > l.VersionMaxBytes {
		return tooLarge("", total, l.VersionMaxBytes)
	}
	return nil
}

func tooLarge(path string, size, limit int) error {
	p := problem.New(problem.TooLarge, "%d bytes where %d are the limit", size, limit).With("limit", limit)
	p.Errors = []problem.FieldError{{Path: path, Message: fmt.Sprintf("%d bytes, the limit is %d", size, limit)}}
	return p
}

func missing() error { return problem.New(problem.NotFound, "there is no such collection") }

// TimerFired is never called: a collection says by itself when it is to be woken.
func (Behavior) TimerFired(string, time.Time) Command { return &Advance{} }
