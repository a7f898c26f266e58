package operations

import (
	"context"
	"errors"
	"iter"
	"slices"

	"concord/actors/jsonvalue"
	"concord/actors/links"
	"concord/actors/problem"
	"concord/persistence"
)

// autoPage is documents that get links, as one version of the collection has them.
type autoPage struct {
	version   uint64
	documents []autoDocument
	looked    int
	last      string // document that was looked at
	more      bool   // there are further ones
}

// autoDocument is a document that gets links, and what is to be said of its fields.
type autoDocument struct {
	id                    string
	body                  []byte // with the links
	linked, none, several int
}

// unlinked is a document with fields that could be linked.
type unlinked struct {
	id     string
	body   []byte
	fields []links.Candidate
}

// page reads documents of one version, as many as a page takes, and finds what they are to be linked to.
func (a *auto) page(ctx context.Context, parts func(*shown) iter.Seq2[persistence.Part, error]) (*autoPage, error) {
	view := a.service.Store.View()
	page, err := a.pageOf(ctx, view, parts)
	return page, errors.Join(err, view.Close())
}

func (a *auto) pageOf(ctx context.Context, view persistence.View, parts func(*shown) iter.Seq2[persistence.Part, error]) (*autoPage, error) {
	sh, err := a.look(view)
	if err != nil {
		return nil, err
	}
	page := &autoPage{version: sh.version}
	documents, err := a.gather(sh, page, parts(sh))
	if err != nil {
		return nil, err
	}
	var fields []links.Candidate
	for i := range documents {
		fields = append(fields, documents[i].fields...)
	}
	if err := a.finder.find(ctx, view, fields); err != nil {
		return nil, err
	}
	for i := range documents {
		a.choose(page, &documents[i])
	}
	return page, nil
}

// gather reads documents until the page is full. Those that cannot be read as what they should be have failed.
func (a *auto) gather(sh *shown, page *autoPage, parts iter.Seq2[persistence.Part, error]) (documents []unlinked, err error) {
	limits := a.service.Limits.Actors.Collection
	bytes, fields := 0, 0
	for p, err := range parts {
		if err != nil {
			return nil, err
		}
		if page.looked == min(autoPageMaxDocuments, limits.VersionMaxParts) || fields >= autoPageMaxFields || bytes > limits.VersionMaxBytes/4 {
			page.more = true
			break
		}
		body, err := sh.view.Body(sh.id, p.Place)
		if err != nil {
			return nil, err
		}
		page.looked, page.last = page.looked+1, p.ID
		candidates, refused := links.Candidates(body, a.format, a.finder.linking)
		if refused != nil {
			a.out.Failed++
			continue
		}
		if len(candidates) > 0 {
			documents = append(documents, unlinked{p.ID, body, candidates})
			bytes, fields = bytes+len(body), fields+len(candidates)
		}
	}
	return documents, nil
}

// choose links the fields of a document for which there is exactly one authority.
func (a *auto) choose(page *autoPage, u *unlinked) {
	d := autoDocument{id: u.id}
	var choices []links.Choice
	for i := range u.fields {
		switch s := a.finder.suggest(&u.fields[i]); s.Status {
		case statusFound:
			choices = append(choices, links.Choice{Path: s.Path, Authority: s.Authority})
		case statusSeveral:
			d.several++
		default:
			d.none++
		}
	}
	if d.linked = len(choices); d.linked == 0 {
		a.out.None, a.out.Several = a.out.None+d.none, a.out.Several+d.several
		return
	}
	body, refused := links.LinkTo(u.body, a.format, choices)
	if refused != nil {
		a.out.Failed++
		return
	}
	d.body = body
	page.documents = append(page.documents, d)
}

// again reads the documents of a page anew. Those that are gone, or need no link any more, are left out; those that have
// grown out of the page have failed.
func (a *auto) again(ctx context.Context, page *autoPage) (*autoPage, error) {
	at := 0
	next, err := a.page(ctx, func(sh *shown) iter.Seq2[persistence.Part, error] {
		return func(yield func(persistence.Part, error) bool) {
			for ; at < len(page.documents); at++ {
				p, there, err := sh.part(page.documents[at].id)
				if (there || err != nil) && !yield(p, err) {
					return
				}
			}
		}
	})
	a.out.Failed += len(page.documents) - at
	return next, err
}

// drop leaves out the documents that the refusal names, and says how many there are.
func (page *autoPage) drop(p *problem.Problem) int {
	refused := make(map[string]bool, len(p.Errors))
	for _, e := range p.Errors {
		if at, err := jsonvalue.ParsePointer(e.Path); err == nil && len(at) > 1 && at[0] == "documents" {
			refused[at[1]] = true
		}
	}
	before := len(page.documents)
	page.documents = slices.DeleteFunc(page.documents, func(d autoDocument) bool { return refused[d.id] })
	return before - len(page.documents)
}
