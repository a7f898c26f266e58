package operations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"concord/actors/editsession"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
)

// editListSteps is how many sessions of a partition one page looks at, those included that it does not show.
const editListSteps = 256

// editQuery says which sessions are listed.
type editQuery struct {
	owner string
	open  bool
	after jobKey
}

// editList pages through the sessions of an owner, the newest first.
func (s *Service) editList(_ context.Context, r *transport.Request, done reply) {
	q := &editQuery{owner: r.Caller.Principal, open: r.Param("open") == "true"}
	if owner := r.Param("owner"); owner != "" {
		q.owner = owner
	}
	limit, err := s.limit(r)
	if err == nil && !mayEdit(r, q.owner) {
		err = problem.New(problem.Forbidden, "the bulk edit sessions of others are shown to those with the right %q alone", transport.RightAdmin)
	}
	if err == nil {
		var c cursor
		var given bool
		if c, given, err = cursorParam(r); err == nil {
			q.after, err = jobKeyOf(c, given)
		}
	}
	if err != nil {
		done(nil, err)
		return
	}
	view := s.Store.View()
	answer, err := s.editPage(view, r.Provider, q, s.newPage(limit), limit)
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	s.Host.SettledAll(func() { done(answer, err) })
}

// editPage shows the sessions behind the query's place. What has come to its steps before its end is shown as far as all
// partitions were looked at.
func (s *Service) editPage(view persistence.View, provider string, q *editQuery, page *page, limit int) (*transport.Reply, error) {
	first, horizon := jobKeys{}, jobKey{}
	for p := range view.Partitions() {
		stopped, err := q.partition(view, persistence.Partition(p), provider, &first, limit+1)
		if err != nil {
			return nil, err
		}
		if stopped != (jobKey{}) && (horizon == jobKey{} || stopped.compare(horizon) < 0) {
			horizon = stopped
		}
	}
	slices.SortFunc(first, jobKey.compare)
	last := q.after
	for _, k := range first {
		if horizon != (jobKey{}) && k.compare(horizon) > 0 {
			break
		}
		e, err := editIn(view, editID(provider, k.id))
		if err != nil {
			return nil, err
		}
		shown, err := s.showEdit(view, e)
		if err != nil {
			return nil, err
		}
		fits, err := page.add(shown)
		if err != nil {
			return nil, err
		}
		if !fits {
			return page.reply(last.cursor()), nil
		}
		last = k
	}
	if horizon != (jobKey{}) {
		return page.reply(horizon.cursor()), nil
	}
	return page.reply(nil), nil
}

// partition offers the sessions of a partition; stopped is the last one looked at, if there may be more.
func (q *editQuery) partition(view persistence.View, p persistence.Partition, provider string, first *jobKeys, most int) (stopped jobKey, err error) {
	prefix := editsession.OwnerPrefix(q.owner)
	key := persistence.IndexKey{Kind: persistence.KindEditSession, Name: editsession.IndexOwners, Provider: provider, Term: max(prefix, q.after.time)}
	steps := 0
	for e, err := range view.IndexTerms(p, key) {
		if err != nil {
			return stopped, fmt.Errorf("list the bulk edit sessions: %w", err)
		}
		if !strings.HasPrefix(e.Term, prefix) {
			break
		}
		k := jobKey{e.Term, e.Entity}
		if k.compare(q.after) <= 0 {
			continue
		}
		listed, err := editsession.DecodeListed(e.Value)
		if err != nil {
			return stopped, errors.Join(persistence.ErrCorrupt, err)
		}
		matches := listed.Owner == q.owner && (!q.open || listed.Status == editsession.Opened)
		if matches && !first.offer(k, most) {
			break
		}
		if steps++; steps == editListSteps {
			return k, nil
		}
	}
	return jobKey{}, nil
}
