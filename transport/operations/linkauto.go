package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"concord/actors/collection"
	"concord/actors/jsonvalue"
	"concord/actors/links"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// Bounds of a page of documents that are linked in one version.
const (
	autoPageMaxDocuments = 1000
	autoPageMaxFields    = 20_000
	autoMaxAttempts      = 3  // to write a page whose documents are being changed
	autoMaxDrops         = 32 // times that documents are left out of a page because they are refused
)

// linkAuto links the documents of a collection, page by page, where exactly one authority has what a field shows.
func (s *Service) linkAuto(ctx context.Context, r *transport.Request, done reply) {
	a, err := s.newAuto(r)
	if err == nil {
		err = a.run(ctx)
	}
	if err != nil {
		done(nil, err)
		return
	}
	answer, err := ok(a.out)
	s.Host.SettledAll(func() { done(answer, err) })
}

// auto is one run of link.auto.
type auto struct {
	service *Service
	request *transport.Request
	id      persistence.EntityID
	dryRun  bool
	reason  string
	format  links.Format
	finder  *finder
	out     api.AutoLinked
}

func (s *Service) newAuto(r *transport.Request) (*auto, error) {
	e, err := openEnvelope(r.Body, "", "collection", "source", "by", "reason")
	if err != nil {
		return nil, err
	}
	id, err := e.str("collection", 128)
	if err != nil {
		return nil, err
	}
	if !transport.ValidID(id) {
		return nil, problem.At("/collection", "must be the id of a collection")
	}
	if r.Header.LockRelease == "true" {
		return nil, problem.At("header "+transport.HeaderLockRelease, "this makes several versions: release the lock when all are made")
	}
	a := &auto{service: s, request: r, dryRun: r.Param("dryRun") == "true",
		id:  persistence.EntityID{Kind: persistence.KindCollection, Provider: r.Provider, ID: id},
		out: api.AutoLinked{Collection: id, Versions: []uint64{}}}
	if a.reason, err = e.str("reason", reasonMaxBytes); err != nil {
		return nil, err
	}
	indexes, err := e.indexNamed(links.IndexByHeading)
	if err != nil {
		return nil, err
	}
	view := s.Store.View()
	err = a.open(view, e, indexes)
	return a, errors.Join(err, view.Close())
}

// open reads what does not change from page to page.
func (a *auto) open(view persistence.View, e *envelope, indexes []string) error {
	sh, err := a.look(view)
	if err != nil {
		return err
	}
	source, err := e.sourceNamed(view, a.id.Provider)
	if err != nil {
		return err
	}
	linking, err := linkRules(view, a.id.Provider, sh.state.Type)
	if err != nil {
		return err
	}
	a.format = links.Format(sh.state.Format)
	a.finder = newFinder(a.request, source, linking, indexes...)
	return nil
}

// look opens the collection as it is.
func (a *auto) look(view persistence.View) (*shown, error) {
	sh, err := newest(view, a.id)
	if err == nil && sh.state.Deleted {
		return nil, noSuchCollection()
	}
	return sh, err
}

// run goes through the collection.
func (a *auto) run(ctx context.Context) error {
	for after, more := "", true; more; {
		page, err := a.page(ctx, func(sh *shown) iter.Seq2[persistence.Part, error] { return sh.parts(after) })
		if err != nil {
			return a.stopped(err)
		}
		after, more = page.last, page.more
		a.out.Documents += page.looked
		if err := a.settle(ctx, page); err != nil {
			return a.stopped(err)
		}
	}
	return nil
}

// stopped tells with a refusal what was done before it.
func (a *auto) stopped(err error) error {
	if p, ok := errors.AsType[*problem.Problem](err); ok && len(a.out.Versions) > 0 {
		return p.With("versions", a.out.Versions).With("linked", a.out.Linked)
	}
	return err
}

// settle writes a page, if there is something to write. What the collection refuses, and what somebody else goes on
// changing, has failed; the rest goes on.
func (a *auto) settle(ctx context.Context, page *autoPage) error {
	if a.dryRun {
		a.count(page.documents)
		return nil
	}
	for stale, dropped := 0, 0; len(page.documents) > 0; {
		version, err := a.write(ctx, page)
		p, refused := errors.AsType[*problem.Problem](err)
		switch {
		case err == nil:
			if version > 0 {
				a.out.Versions = append(a.out.Versions, version)
				a.count(page.documents)
			}
			return nil
		case !refused:
			return err
		case p.Code == problem.PreconditionFailed: // somebody has changed one of them
			if stale++; stale == autoMaxAttempts {
				a.out.Failed += len(page.documents)
				return nil
			}
			if page, err = a.again(ctx, page); err != nil {
				return err
			}
		default:
			n := page.drop(p)
			if n == 0 {
				return p
			}
			a.out.Failed += n
			if dropped++; dropped == autoMaxDrops {
				a.out.Failed += len(page.documents)
				return nil
			}
		}
	}
	return nil
}

// count counts documents that have their links now.
func (a *auto) count(documents []autoDocument) {
	for i := range documents {
		d := &documents[i]
		a.out.Changed++
		a.out.Linked += d.linked
		a.out.None += d.none
		a.out.Several += d.several
	}
}

// write makes one version with the documents of the page, if none of them has changed since it was read.
func (a *auto) write(ctx context.Context, page *autoPage) (version uint64, err error) {
	w := &collection.Write{Under: collection.Under{Token: a.request.Header.LockToken}}
	for i := range page.documents {
		d := &page.documents[i]
		hash, err := jsonvalue.Check(d.body)
		if err != nil {
			return 0, fmt.Errorf("link document %q: %w", d.id, err)
		}
		w.Changes = append(w.Changes, collection.Change{Op: collection.OpPut, Part: d.id, Body: d.body, Hash: uint64(hash),
			Path: "/documents" + jsonvalue.Pointer{d.id}.String(), IfMatch: []uint64{page.version}})
	}
	type answer struct {
		reply *transport.Reply
		err   error
	}
	answers := make(chan answer, 1)
	a.service.write(a.request, a.id, w, a.reason, func(reply *transport.Reply, err error) { answers <- answer{reply, err} })
	select {
	case got := <-answers:
		var result collection.Result
		if got.err != nil {
			return 0, got.err
		}
		if err := json.Unmarshal(got.reply.Body, &result); err != nil {
			return 0, fmt.Errorf("read the answer of %v: %w", a.id, err)
		}
		if !result.Changed {
			return 0, nil
		}
		return result.Version, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}
