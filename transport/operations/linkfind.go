package operations

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"concord/actors/links"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// Bounds of a search for authorities.
const (
	termMaxHits     = 1000   // entries that are looked at under one term
	termMaxFound    = 64     // authorities that are kept of a term; more are "several"
	finderMaxTerms  = 50_000 // that are remembered
	suggestMaxNamed = 10     // authorities that a suggestion names, if there are several
)

// How authorities are found, as requests name it.
const (
	byHeading   = "heading"
	byNaturalID = "naturalId"
)

// What was found for a field.
const (
	statusFound   = "found"
	statusNone    = "none"
	statusSeveral = "several"
)

// sought is what is looked for: a text in an index of authorities.
type sought struct{ index, text string }

// match is what was found: living authorities of the source, in order of their ids.
type match struct {
	authorities []links.Authority
	more        bool // than are kept
}

func (m match) any() bool { return m.more || len(m.authorities) > 0 }

// finder finds authorities for fields of documents, by what the fields show. It remembers what it has found, and is for one
// request.
type finder struct {
	provider, source string // an empty source: any
	linking          *links.Rules
	indexes          []string // to be asked, in this order
	found            map[sought]match
}

func newFinder(r *transport.Request, source string, linking *links.Rules, indexes ...string) *finder {
	return &finder{provider: r.Provider, source: source, linking: linking, indexes: indexes, found: make(map[sought]match)}
}

// asks is what is to be looked for, the best first. A field that shows a title under a name is rather linked to the title.
func (f *finder) asks(c *links.Candidate) (asks []sought) {
	for _, index := range f.indexes {
		texts := []string{c.Whole, c.Key}
		if index == links.IndexByNaturalID {
			texts = []string{c.NaturalID}
		}
		for _, text := range texts {
			if text != "" {
				asks = append(asks, sought{index, text})
			}
		}
	}
	return asks
}

// asksMax is how many texts a field is looked for by.
const asksMax = 3

// find looks for the authorities of all fields at once: what comes later is looked for where the one before had nothing.
func (f *finder) find(ctx context.Context, view persistence.Reader, fields []links.Candidate) error {
	if len(f.found) > finderMaxTerms {
		clear(f.found)
	}
	for n := range asksMax {
		asked := make(map[sought]bool)
		for i := range fields {
			asks := f.asks(&fields[i])
			if n >= len(asks) || f.allowed(&fields[i]).any() {
				continue
			}
			if _, known := f.found[asks[n]]; !known {
				asked[asks[n]] = true
			}
		}
		if err := f.look(ctx, view, slices.SortedFunc(maps.Keys(asked), compareSought)); err != nil {
			return err
		}
	}
	return nil
}

func compareSought(a, b sought) int {
	return cmp.Or(strings.Compare(a.index, b.index), strings.Compare(a.text, b.text))
}

// look asks an index, partition by partition, for all terms in their order.
func (f *finder) look(ctx context.Context, view persistence.Reader, terms []sought) error {
	if len(terms) == 0 {
		return nil
	}
	hits := make([]int, len(terms))
	found := make([]match, len(terms))
	for p := range view.Partitions() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for i, s := range terms {
			key := persistence.IndexKey{Kind: persistence.KindAuthority, Name: s.index, Provider: f.provider, Term: persistence.Term(s.text)}
			for e, err := range view.Index(persistence.Partition(p), key, persistence.IndexEntry{}) {
				if err != nil {
					return err
				}
				if hits[i]++; hits[i] > termMaxHits || len(found[i].authorities) == termMaxFound {
					found[i].more = true
					break
				}
				if err := f.add(&found[i], view, s, e.Entity); err != nil {
					return err
				}
			}
		}
	}
	for i, s := range terms {
		slices.SortFunc(found[i].authorities, func(a, b links.Authority) int { return strings.Compare(a.ID, b.ID) })
		f.found[s] = found[i]
	}
	return nil
}

// add adds an authority, if it is what the entry says and may be linked to at all.
func (f *finder) add(m *match, view persistence.Reader, s sought, id string) error {
	head, err := view.Head(persistence.EntityID{Kind: persistence.KindAuthority, Provider: f.provider, ID: id})
	if errors.Is(err, persistence.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	a, err := links.DecodeAuthority(head.State)
	if err != nil {
		return errors.Join(persistence.ErrCorrupt, err)
	}
	shows := a.NaturalID // terms may be cut: the authority itself says
	if s.index == links.IndexByHeading {
		shows = a.Heading.Key()
	}
	if a.Live() && shows == s.text && (f.source == "" || a.Source == f.source) {
		m.authorities = append(m.authorities, a)
	}
	return nil
}

// allowed is what was found for the field first, and may be linked to it by a rule for that.
func (f *finder) allowed(c *links.Candidate) (m match) {
	for _, s := range f.asks(c) {
		known := f.found[s]
		for i := range known.authorities {
			h := &known.authorities[i].Heading
			if (len(c.Tags) == 0 || slices.Contains(c.Tags, h.Tag)) && f.linking.Allows(c.Field, h) == "" {
				m.authorities = append(m.authorities, known.authorities[i])
			}
		}
		if m.more = known.more; m.any() {
			return m
		}
	}
	return m
}

// suggest is what is to be said of the field.
func (f *finder) suggest(c *links.Candidate) api.Suggestion {
	m := f.allowed(c)
	s := api.Suggestion{Path: c.Path, Field: c.Field, Text: c.Text, Status: statusNone}
	switch {
	case len(m.authorities) == 1 && !m.more:
		s.Status, s.Authority = statusFound, m.authorities[0].ID
	case m.any():
		s.Status = statusSeveral
		for _, a := range m.authorities[:min(len(m.authorities), suggestMaxNamed)] {
			s.Also = append(s.Also, a.ID)
		}
	}
	return s
}

// sourceNamed reads the source of a request, which must be there.
func (e *envelope) sourceNamed(view persistence.Reader, provider string) (string, error) {
	source, err := e.str("source", 128)
	if err != nil || !e.has("source") {
		return "", err
	}
	if !transport.ValidID(source) {
		return "", problem.At(e.at("source"), "is no id")
	}
	_, err = view.Head(persistence.EntityID{Kind: persistence.KindSource, Provider: provider, ID: source})
	if errors.Is(err, persistence.ErrNotFound) {
		return "", problem.At(e.at("source"), "there is no such source")
	}
	return source, err
}

// indexNamed reads how authorities are to be found; otherwise is how if the request does not say.
func (e *envelope) indexNamed(otherwise ...string) ([]string, error) {
	by, err := e.str("by", 16)
	switch {
	case err != nil:
		return nil, err
	case by == "":
		return otherwise, nil
	case by == byHeading:
		return []string{links.IndexByHeading}, nil
	case by == byNaturalID:
		return []string{links.IndexByNaturalID}, nil
	}
	return nil, problem.At(e.at("by"), `must be "naturalId" or "heading"`)
}

// linkRules are the linking rules of a collection type.
func linkRules(view persistence.Reader, provider, typ string) (*links.Rules, error) {
	if typ == "" {
		return links.DefaultRules, nil
	}
	head, err := view.Head(persistence.EntityID{Kind: persistence.KindType, Provider: provider, ID: typ})
	if err != nil && !errors.Is(err, persistence.ErrNotFound) {
		return nil, err
	}
	t, err := rules.Decode(head.State)
	switch {
	case err != nil:
		return nil, err
	case t.Links.Off:
		return nil, problem.New(problem.WrongState, "documents of the type %q have no links", typ)
	case t.Links.Rules == nil:
		return links.DefaultRules, nil
	}
	return t.Links.Rules, nil
}
