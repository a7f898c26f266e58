package links

import "slices"

// Brought is what a relink brings: a source as it is, or an authority with the source that it belongs to.
type Brought struct {
	Source    *Source
	Authority *Authority // nil: every authority of the source
}

// Scope is how a link stands to what is brought.
type Scope uint8

// The scopes.
const (
	Elsewhere Scope = iota // it is not about this link
	Same                   // it shows this revision
	Newer                  // it shows a newer one
	Older                  // it is to follow
)

// Relinked is what becomes of a document that is brought up to date.
type Relinked struct {
	Effects []Effect
	Scopes  []Scope
	Table   Table
	Begun   bool // what is kept of a link is another thing now (it has waited for its authority, or that has moved): to be stored also if no byte differs
}

// Relink brings the links in scope up to date. It does nothing to those that show the same revision or a newer one, so that
// it can be repeated, and changes of different causes come in any order: a change of the source changes the base URL of the
// table, one of the authority its entry, and the URI is made of both.
func Relink(d *Document, t *Table, b Brought, rules *Rules) Relinked {
	r := Relinked{Effects: make([]Effect, len(d.Links)), Scopes: make([]Scope, len(d.Links))}
	next := &Table{Entries: slices.Clone(t.Entries), Sources: slices.Clone(t.Sources)}
	for i := range d.Links {
		l := &d.Links[i]
		if e := t.Find(l.Authority); e != nil {
			r.Scopes[i] = b.Scope(e, t)
		}
		if r.Scopes[i] == Older {
			b.bring(next, l.Authority)
		}
	}
	for i := range d.Links {
		l := &d.Links[i]
		was, is := t.Find(l.Authority), next.Find(l.Authority)
		if was == nil {
			continue // not noted: an audit finds it
		}
		if r.Scopes[i] == Older && b.Authority != nil {
			r.follow(i, was, b.Authority, rules.Allows(l.Field, &b.Authority.Heading) != "")
			r.Begun = r.Begun || !r.Effects[i].Unlink && (was.Source != is.Source || was.NaturalID != is.NaturalID)
		}
		s, before := next.Source(is.Source), t.Source(was.Source)
		if uri := s.URI(is.NaturalID); is.Revision > 0 && !r.Effects[i].Unlink && (s != before || was.NaturalID != is.NaturalID) && (!l.HasURI || l.URI != uri) {
			r.Effects[i].URI = &uri
		}
	}
	r.Table = next.of(d, r.Effects)
	return r
}

// Scope says how an entry of a table stands to what is brought.
func (b *Brought) Scope(e *Entry, t *Table) Scope {
	var shown, brought uint64
	switch {
	case b.Authority != nil && e.Authority == b.Authority.ID:
		shown, brought = e.Revision, b.Authority.Revision
		if shown == 0 && !b.Authority.Live() {
			return Same // it goes on waiting
		}
	case b.Authority == nil && e.Source == b.Source.ID && e.Source != "":
		shown, brought = t.Source(e.Source).Revision, b.Source.Revision
	default:
		return Elsewhere
	}
	switch {
	case shown == brought:
		return Same
	case shown > brought:
		return Newer
	}
	return Older
}

// bring notes what is brought in the table.
func (b *Brought) bring(t *Table, authority string) {
	if b.Authority == nil {
		t.set(*b.Source)
		return
	}
	e, a := t.Find(authority), b.Authority
	e.Revision, e.NaturalID, e.Tag, e.Source = a.Revision, a.NaturalID, a.Heading.Tag, a.Source
	// The document shows one base URL of a source. If it shows another already, who changes that comes by, or came.
	if b.Source != nil && b.Source.ID == a.Source && a.Source != "" && t.Source(a.Source).ID == "" {
		t.set(*b.Source)
	}
}

// follow is what a change of its authority does to a link that was as noted.
func (r *Relinked) follow(i int, was *Entry, a *Authority, forbidden bool) {
	effect := &r.Effects[i]
	switch {
	case a.Deleted || forbidden || was.Revision > 0 && was.Revision < a.UnlinkedAt:
		effect.Unlink = true
	case was.Revision == 0:
		r.Begun = true
	case was.Revision < a.HeadingAt:
		effect.Heading = &a.Heading
	}
}

// Verify holds the links in scope against what they should be, whatever their revisions say: it is the document that counts,
// not its table. It asks for what it does not know.
func Verify(d *Document, t *Table, b Brought, ask Ask, rules *Rules) (r Relinked, missing []string) {
	r = Relinked{Effects: make([]Effect, len(d.Links)), Scopes: make([]Scope, len(d.Links))}
	next := builder{kept: new(Table)}
	var held []int
	for i := range d.Links {
		l := &d.Links[i]
		known, ok := ask(l.Authority)
		if !ok {
			missing = append(missing, l.Authority)
			continue
		}
		entry, a, effect := t.Find(l.Authority), &known.Authority, &r.Effects[i]
		switch {
		case !b.verifies(l, entry, a):
			held = append(held, i)
			continue
		case !a.Live() && entry != nil && entry.Revision == 0:
			next.hold(entry, Source{}, l, effect) // it waits
		case !a.Live() || rules.Allows(l.Field, &a.Heading) != "" || entry != nil && entry.Revision > 0 && entry.Revision < a.UnlinkedAt:
			effect.Unlink = true
		default:
			if a.HeadingAt > 0 && !d.ShowsHeading(i, &a.Heading) {
				effect.Heading = &a.Heading
			}
			next.add(known, l, effect)
		}
		r.Begun = r.Begun || entry == nil || !effect.Unlink && entry.Revision == 0 && a.Live()
		if r.Scopes[i] = Same; *effect != (Effect{}) {
			r.Scopes[i] = Older
		}
	}
	for _, i := range held {
		if entry := t.Find(d.Links[i].Authority); entry != nil {
			next.hold(entry, t.Source(entry.Source), &d.Links[i], &r.Effects[i])
		}
	}
	made := next.table()
	r.Table = made.of(d, r.Effects)
	return r, missing
}

func (b *Brought) verifies(l *Link, e *Entry, a *Authority) bool {
	if b.Authority != nil {
		return l.Authority == b.Authority.ID
	}
	return a.Source == b.Source.ID || e != nil && e.Source == b.Source.ID
}

// hold keeps an entry as it is. A document shows one base URL of a source: if that has become another one by what was
// verified, the URI follows.
func (b *builder) hold(e *Entry, was Source, l *Link, effect *Effect) {
	kept, is := b.entry(*e, was)
	if uri := is.URI(kept.NaturalID); kept.Revision > 0 && is != was && (!l.HasURI || l.URI != uri) {
		effect.URI = &uri
	}
}

// of is the table of the document after the effects.
func (t *Table) of(d *Document, effects []Effect) Table {
	for i := range t.Entries {
		t.Entries[i].Fields = nil
	}
	for i := range d.Links {
		if e := t.Find(d.Links[i].Authority); e != nil && !effects[i].Unlink {
			e.Fields = append(e.Fields, d.Links[i].Field)
		}
	}
	t.Entries = slices.DeleteFunc(t.Entries, func(e Entry) bool { return len(e.Fields) == 0 })
	t.Sources = slices.DeleteFunc(t.Sources, func(s Source) bool {
		return !slices.ContainsFunc(t.Entries, func(e Entry) bool { return e.Source == s.ID })
	})
	return *t
}

// set puts a source into the table.
func (t *Table) set(s Source) {
	i, ok := slices.BinarySearchFunc(t.Sources, s.ID, func(e Source, id string) int { return compare(e.ID, id) })
	if ok {
		t.Sources[i] = s
		return
	}
	t.Sources = slices.Insert(t.Sources, i, s)
}

// Changes are the index entries that tell the table from the one before: in order, and with Version left to the writer.
func (t *Table) Changes(before *Table) []TableChange {
	was, is := before.terms(), t.terms()
	var changes []TableChange
	for key, v := range is {
		if was[key] != v {
			changes = append(changes, TableChange{key.index, key.term, v.links, v.revision})
		}
	}
	for key := range was {
		if _, ok := is[key]; !ok {
			changes = append(changes, TableChange{Index: key.index, Term: key.term})
		}
	}
	slices.SortFunc(changes, func(a, b TableChange) int {
		if a.Index != b.Index {
			return int(a.Index) - int(b.Index)
		}
		return compare(a.Term, b.Term)
	})
	return changes
}

// TableChange enters a document in an index, or takes it out if it has no links under the term any more.
type TableChange struct {
	Index    Index
	Term     string
	Links    uint64
	Revision uint64
}

// Index is one of those that linked documents stand in.
type Index uint8

// The indexes of linked documents, as they are stored.
const (
	BySource    Index = 1
	ByAuthority Index = 2
	Waiting     Index = 3
)

// Name is what the store calls the index.
func (i Index) Name() string {
	switch i {
	case BySource:
		return IndexBySource
	case ByAuthority:
		return IndexByAuthority
	default:
		return IndexWaiting
	}
}

type term struct {
	index Index
	term  string
}

type termValue struct{ links, revision uint64 }

// terms are those that a document with the table stands under.
func (t *Table) terms() map[term]termValue {
	if t == nil || len(t.Entries) == 0 {
		return nil
	}
	terms := make(map[term]termValue, len(t.Entries)+len(t.Sources))
	for i := range t.Entries {
		e := &t.Entries[i]
		n := uint64(len(e.Fields))
		terms[term{ByAuthority, e.Authority}] = termValue{n, e.Revision}
		if e.Revision == 0 {
			terms[term{Waiting, e.Authority}] = termValue{n, 0}
		}
		if e.Source != "" {
			key := term{BySource, e.Source}
			terms[key] = termValue{terms[key].links + n, t.Source(e.Source).Revision}
		}
	}
	return terms
}
