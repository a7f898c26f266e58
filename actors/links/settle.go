package links

import (
	"slices"
	"strconv"
	"strings"

	"concord/actors/problem"
)

// Known is what a decision knows of an authority and of the source that it belongs to.
type Known struct {
	Authority Authority
	Source    Source
}

// Ask tells what is known of an authority; ok is false if that has to be found out first.
type Ask func(authority string) (k Known, ok bool)

// Written is a document that is about to be stored, beside what it replaces.
type Written struct {
	New  *Document
	Old  *Document // as it is stored; nil without links
	Base *Document // what the caller has built on, if that is not Old; nil otherwise
	Kept Table     // of Old
	Path string    // of the document, for problems
}

// Settled is what becomes of a written document.
type Settled struct {
	Effects []Effect // one for each link of New
	Table   Table
	Missing []string // authorities that have to be asked for first: the rest is not to be used then
}

// Settle judges the links that a user's write leaves. The service owns the URI of a kept link: one that is as it was, in Old or
// Base, or ends in the current natural id, becomes what it should be; with any other the field is unlinked. The controlled
// subfields of a kept link are not the user's to change: `linked-field`. A new link gets its URI; one to an authority that is
// not there is refused, unless the type accepts it: then it waits.
func (w *Written) Settle(ask Ask, r *Rules, accept bool) (Settled, *problem.Problem) {
	s := Settled{Effects: make([]Effect, len(w.New.Links))}
	b := builder{kept: &w.Kept}
	old, base := occurrences(w.Old, &w.Kept), occurrences(w.Base, &w.Kept)
	for i := range w.New.Links {
		l := &w.New.Links[i]
		entry := w.Kept.Find(l.Authority)
		text := w.New.textKey(i, entry)
		at := old.take(l, text)
		from := base.take(l, text)
		if at >= 0 && entry != nil {
			if entry.Revision > 0 && !w.New.SameText(i, w.Old, at, entry.Tag) {
				return s, refused(w.Path+l.Path, "the field is linked to authority %q, whose heading it shows: change the authority, or unlink the field", l.Authority)
			}
			if entry.Revision > 0 && !w.owned(l, at, from, entry) {
				s.Effects[i].Unlink = true
				continue
			}
			b.keep(entry, l, &s.Effects[i])
			continue
		}
		known, ok := ask(l.Authority)
		if !ok {
			s.Missing = append(s.Missing, l.Authority)
			continue
		}
		if err := b.link(known, l, r, accept, &s.Effects[i], w.Path); err != nil {
			return s, err
		}
	}
	s.Table = b.table()
	return s, nil
}

// owned says that the URI of a kept link is one that the service may set right.
func (w *Written) owned(l *Link, old, base int, e *Entry) bool {
	switch {
	case !l.HasURI || l.URI == w.Old.Links[old].URI:
		return true
	case base >= 0 && l.URI == w.Base.Links[base].URI:
		return true
	default:
		return e.NaturalID != "" && strings.HasSuffix(l.URI, e.NaturalID)
	}
}

// Restore judges the links of a document that comes back as it was: they are brought up to date, and those that cannot be are
// unlinked; one to an authority that never was waits for it, if the type accepts that. Nothing of it is refused.
func (w *Written) Restore(ask Ask, r *Rules, accept bool) Settled {
	s := Settled{Effects: make([]Effect, len(w.New.Links))}
	b := builder{kept: new(Table)}
	for i := range w.New.Links {
		l := &w.New.Links[i]
		known, ok := ask(l.Authority)
		if !ok {
			s.Missing = append(s.Missing, l.Authority)
			continue
		}
		a := &known.Authority
		if accept && a.Revision == 0 {
			b.wait(l)
			continue
		}
		if !a.Live() || r.Allows(l.Field, &a.Heading) != "" {
			s.Effects[i].Unlink = true
			continue
		}
		if a.HeadingAt > 0 && !w.New.ShowsHeading(i, &a.Heading) {
			s.Effects[i].Heading = &a.Heading
		}
		b.add(known, l, &s.Effects[i])
	}
	s.Table = b.table()
	return s
}

// builder makes the table of a document, link by link.
type builder struct {
	kept    *Table
	entries map[string]*Entry
	sources map[string]Source
}

// entry is the one of an authority, begun if need be: as it was, if the document has links to it already, so that all its
// links show one revision.
func (b *builder) entry(e Entry, s Source) (*Entry, Source) {
	if b.entries == nil {
		b.entries, b.sources = make(map[string]*Entry), make(map[string]Source)
	}
	if known := b.entries[e.Authority]; known != nil {
		return known, b.sources[known.Source]
	}
	if kept := b.kept.Find(e.Authority); kept != nil && kept.Revision > 0 {
		e, s = *kept, b.kept.Source(kept.Source)
	}
	e.Fields = nil
	if e.Source != "" {
		if older := b.kept.Source(e.Source); older.ID != "" {
			s = older // a document shows one base URL of a source: who changes it comes by
		}
		if first, ok := b.sources[e.Source]; ok {
			s = first
		}
		b.sources[e.Source] = s
	}
	b.entries[e.Authority] = &e
	return &e, s
}

// keep goes on with a link that there was.
func (b *builder) keep(e *Entry, l *Link, effect *Effect) {
	kept, s := b.entry(*e, b.kept.Source(e.Source))
	b.show(kept, s, l, effect)
}

// add begins a link to an authority that is there.
func (b *builder) add(k Known, l *Link, effect *Effect) {
	a := &k.Authority
	e, s := b.entry(Entry{Authority: a.ID, Revision: a.Revision, NaturalID: a.NaturalID, Source: a.Source, Tag: a.Heading.Tag}, k.Source)
	b.show(e, s, l, effect)
}

func (b *builder) show(e *Entry, s Source, l *Link, effect *Effect) {
	e.Fields = append(e.Fields, l.Field)
	if e.Revision == 0 {
		return
	}
	if uri := s.URI(e.NaturalID); !l.HasURI || l.URI != uri {
		effect.URI = &uri
	}
}

// wait begins a link to an authority that is not there.
func (b *builder) wait(l *Link) {
	e, _ := b.entry(Entry{Authority: l.Authority}, Source{})
	e.Fields = append(e.Fields, l.Field)
}

// link judges a new link.
func (b *builder) link(k Known, l *Link, r *Rules, accept bool, effect *Effect, path string) *problem.Problem {
	a := &k.Authority
	switch {
	case a.Live():
		if why := r.Allows(l.Field, &a.Heading); why != "" {
			return refused(path+l.Path, "the field cannot be linked to authority %q: %s", l.Authority, why)
		}
		b.add(k, l, effect)
	case accept:
		b.wait(l)
	default:
		return refused(path+l.Path, "there is no authority %q", l.Authority)
	}
	return nil
}

func refused(path, format string, args ...any) *problem.Problem {
	p := problem.At(path, format, args...)
	p.Code = problem.LinkedField
	return p
}

// table is what was made, in order.
func (b *builder) table() (t Table) {
	for _, e := range b.entries {
		t.Entries = append(t.Entries, *e)
	}
	slices.SortFunc(t.Entries, func(x, y Entry) int { return strings.Compare(x.Authority, y.Authority) })
	used := make(map[string]bool, len(b.sources))
	for i := range t.Entries {
		if id := t.Entries[i].Source; id != "" && !used[id] {
			used[id] = true
			t.Sources = append(t.Sources, b.sources[id])
		}
	}
	slices.SortFunc(t.Sources, func(x, y Source) int { return strings.Compare(x.ID, y.ID) })
	return t
}

// target is an authority in fields of one tag, with a text or with any.
type target struct{ authority, field, text string }

// occurring are the links of a document by their places, those that come first in front, as far as no other link goes on
// from them.
type occurring struct {
	at    map[target][]int
	taken []bool
}

// anyText stands for a text that does not matter. No key of a text is like it.
const anyText = "*"

func occurrences(d *Document, t *Table) occurring {
	if d == nil {
		return occurring{}
	}
	o := occurring{make(map[target][]int, 2*len(d.Links)), make([]bool, len(d.Links))}
	for i := range d.Links {
		l := &d.Links[i]
		for _, text := range [...]string{d.textKey(i, t.Find(l.Authority)), anyText} {
			at := target{l.Authority, l.Field, text}
			o.at[at] = append(o.at[at], i)
		}
	}
	return o
}

// take is the link that l goes on from: the first that is left at its place with its text, or else with any; -1 if there is
// none. So of several fields of one authority those that stay are known by what they say.
func (o *occurring) take(l *Link, text string) int {
	for _, text := range [...]string{text, anyText} {
		at := target{l.Authority, l.Field, text}
		for left := o.at[at]; len(left) > 0; left = left[1:] {
			if i := left[0]; !o.taken[i] {
				o.at[at], o.taken[i] = left[1:], true
				return i
			}
		}
		delete(o.at, at)
	}
	return -1
}

// textKey tells the controlled subfields of link i from others, as far as a heading of the entry's tag goes.
func (d *Document) textKey(i int, e *Entry) string {
	if e == nil {
		return ""
	}
	texts, _ := d.controlled(i, e.Tag)
	var key strings.Builder
	for _, s := range texts {
		key.WriteString(s.Code + strconv.Quote(s.Value))
	}
	return key.String()
}
