package operations

import (
	"context"
	"errors"
	"iter"
	"strings"

	"concord/actors/collection"
	"concord/actors/links"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// linkQuery says whose links are asked for: exactly one is set.
type linkQuery struct{ source, authority, collection string }

func decodeLinkQuery(r *transport.Request) (q linkQuery, err error) {
	q = linkQuery{r.Param("source"), r.Param("authority"), r.Param("collection")}
	given := 0
	for _, id := range []struct {
		name, value string
		valid       bool
	}{
		{"source", q.source, transport.ValidID(q.source)},
		{"authority", q.authority, transport.ValidDocumentID(q.authority)},
		{"collection", q.collection, transport.ValidID(q.collection)},
	} {
		switch {
		case id.value == "":
		case !id.valid:
			return q, problem.At(id.name, "is no id")
		default:
			given++
		}
	}
	if given != 1 {
		return q, problem.At("source", "whose links? Give one of source, authority and collection")
	}
	return q, nil
}

// wants says that links to the authority of the entry are asked for.
func (q *linkQuery) wants(e *links.Entry) bool {
	return (q.source == "" || e.Source == q.source) && (q.authority == "" || e.Authority == q.authority)
}

// key is the index that has the documents; name is empty for those of a collection.
func (q *linkQuery) key(provider string) persistence.IndexKey {
	key := persistence.IndexKey{Kind: persistence.KindCollection, Provider: provider}
	switch {
	case q.source != "":
		key.Name, key.Term = links.IndexBySource, persistence.Term(q.source)
	case q.authority != "":
		key.Name, key.Term = links.IndexByAuthority, persistence.Term(q.authority)
	}
	return key
}

// linkPlace is where a list of links stands: behind a document, or, with an authority, within it.
type linkPlace struct {
	partition            uint64
	collection, document string
	authority            string // the last of the document's that was shown; empty: all were
}

// placeSeparator stands between the ids of a place; no id has it.
const placeSeparator = "\x00"

func (p linkPlace) cursor() *cursor {
	return &cursor{From: p.partition, After: p.collection + placeSeparator + p.document + placeSeparator + p.authority}
}

func linkPlaceOf(c cursor, given bool) (p linkPlace, err error) {
	if !given {
		return p, nil
	}
	ids := strings.Split(c.After, placeSeparator)
	if len(ids) != 3 {
		return p, problem.At("cursor", "is not one that this service has given out")
	}
	return linkPlace{c.From, ids[0], ids[1], ids[2]}, nil
}

// linkList pages through linked documents, in order of partition, collection and document.
func (s *Service) linkList(_ context.Context, r *transport.Request, done reply) {
	q, err := decodeLinkQuery(r)
	if err != nil {
		done(nil, err)
		return
	}
	limit, err := s.limit(r)
	if err != nil {
		done(nil, err)
		return
	}
	c, given, err := cursorParam(r)
	if err != nil {
		done(nil, err)
		return
	}
	place, err := linkPlaceOf(c, given)
	if err != nil {
		done(nil, err)
		return
	}
	view := s.Store.View()
	l := linkLister{view: view, provider: r.Provider, query: q, page: s.newPage(limit), at: place}
	answer, err := l.list()
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	s.Host.SettledAll(func() { done(answer, err) })
}

// linkLister makes one page of links.
type linkLister struct {
	view     persistence.View
	provider string
	query    linkQuery
	page     *page
	at       linkPlace // what has been shown
	steps    int
	open     *shown // the collection that was looked at last; nil: it is not there
	opened   string // its id
}

func (l *linkLister) list() (*transport.Reply, error) {
	more, err := l.rest()
	if err == nil && !more {
		more, err = l.walk()
	}
	switch {
	case err != nil:
		return nil, err
	case more:
		return l.page.reply(l.at.cursor()), nil
	}
	return l.page.reply(nil), nil
}

// rest shows what a page before has left of a document. more says that this page is full, too.
func (l *linkLister) rest() (more bool, err error) {
	after := l.at.authority
	if l.at.authority = ""; after == "" {
		return false, nil
	}
	live, err := l.collection(l.at.collection)
	if err != nil || !live {
		return false, err
	}
	p, there, err := l.open.part(l.at.document)
	if err != nil || !there {
		return false, err
	}
	return l.show(p, after)
}

func (l *linkLister) walk() (more bool, err error) {
	if l.query.collection != "" {
		live, err := l.collection(l.query.collection)
		if err == nil && !live {
			err = noSuchCollection()
		}
		if err != nil {
			return false, err
		}
		return l.parts(l.open.parts(l.at.document))
	}
	key := l.query.key(l.provider)
	for p := l.at.partition; p < uint64(l.view.Partitions()); p++ {
		after := persistence.IndexEntry{Entity: l.at.collection, Part: l.at.document}
		if p != l.at.partition {
			after = persistence.IndexEntry{}
		}
		l.at.partition = p
		if more, err := l.entries(l.view.Index(persistence.Partition(p), key, after)); more || err != nil {
			return more, err
		}
		l.at = linkPlace{partition: p + 1}
	}
	return false, nil
}

// parts shows the linked documents of the collection.
func (l *linkLister) parts(parts iter.Seq2[persistence.Part, error]) (more bool, err error) {
	for p, err := range parts {
		if err != nil {
			return false, err
		}
		if more, err := l.step(p); more || err != nil {
			return more, err
		}
	}
	return false, nil
}

// entries shows the documents of the entries. Those that an earlier life of a collection has left behind are passed over.
func (l *linkLister) entries(entries iter.Seq2[persistence.IndexEntry, error]) (more bool, err error) {
	for e, err := range entries {
		if err != nil {
			return false, err
		}
		value, err := links.DecodeIndexValue(e.Value)
		if err != nil {
			return false, errors.Join(persistence.ErrCorrupt, err)
		}
		live, err := l.collection(e.Entity)
		if err != nil {
			return false, err
		}
		p, there := persistence.Part{ID: e.Part}, false
		if live && value.Version >= l.open.state.Born {
			if p, there, err = l.open.part(e.Part); err != nil {
				return false, err
			}
		}
		if !there {
			p = persistence.Part{ID: e.Part}
		}
		if more, err := l.step(p); more || err != nil {
			return more, err
		}
	}
	return false, nil
}

// step shows one document, and stands behind it then.
func (l *linkLister) step(p persistence.Part) (more bool, err error) {
	if l.steps == listMaxSteps {
		return true, nil
	}
	l.steps++
	if more, err := l.show(p, ""); more || err != nil {
		return more, err
	}
	l.at.collection, l.at.document, l.at.authority = l.opened, p.ID, ""
	return false, nil
}

// collection opens a collection, if it lives.
func (l *linkLister) collection(id string) (live bool, err error) {
	if l.opened == id {
		return l.open != nil, nil
	}
	l.open, l.opened = nil, id
	sh, err := newest(l.view, persistence.EntityID{Kind: persistence.KindCollection, Provider: l.provider, ID: id})
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Code == problem.NotFound {
		return false, nil
	}
	if err != nil || sh.state.Deleted {
		return false, err
	}
	l.open = sh
	return true, nil
}

// show adds the links of a document to the page, those to authorities behind the given one.
func (l *linkLister) show(p persistence.Part, after string) (more bool, err error) {
	table := collection.TableOf(p.Info)
	for i := range table.Entries {
		e := &table.Entries[i]
		if e.Authority <= after || !l.query.wants(e) {
			continue
		}
		fits, err := l.page.add(linkItem(l.opened, p.ID, e, table.Source(e.Source)))
		if err != nil {
			return false, err
		}
		if !fits {
			return true, nil
		}
		l.at.collection, l.at.document, l.at.authority = l.opened, p.ID, e.Authority
	}
	l.at.authority = ""
	return false, nil
}

func linkItem(collection, document string, e *links.Entry, source links.Source) api.Link {
	link := api.Link{Collection: collection, Document: document, Authority: e.Authority, Source: e.Source, NaturalID: e.NaturalID,
		Fields: e.Fields, Revision: e.Revision, URLRevision: source.Revision}
	if e.Revision > 0 {
		link.URI = source.URI(e.NaturalID)
	}
	return link
}
