package operations

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"concord/actors/bulk"
	"concord/actors/links"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
)

// bulkListSteps is how many tasks of a partition one page looks at, those included that it does not show.
const bulkListSteps = 256

// bulkQuery says which tasks are listed.
type bulkQuery struct {
	jobQuery
	state           bulk.Status
	name, principal string
}

// bulkList pages through tasks, the newest first.
func (s *Service) bulkList(_ context.Context, r *transport.Request, done reply) {
	q, err := bulkQueryOf(r)
	if err != nil {
		done(nil, err)
		return
	}
	limit, err := s.limit(r)
	if err != nil {
		done(nil, err)
		return
	}
	view := s.Store.View()
	answer, err := s.bulkPage(view, q, r.Provider, limit)
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	s.Host.SettledAll(func() { done(answer, err) })
}

func bulkQueryOf(r *transport.Request) (*bulkQuery, error) {
	q := &bulkQuery{state: bulk.Status(r.Param("state")), name: r.Param("name"), principal: r.Param("principal")}
	q.open = r.Param("open") == "true"
	if q.state != "" && !slices.Contains(bulk.Statuses, q.state) {
		return nil, problem.At("state", "must be one of %s", joined(bulk.Statuses))
	}
	var err error
	if q.from, _, err = timeParam(r, "from"); err != nil {
		return nil, err
	}
	if q.to, _, err = timeParam(r, "to"); err != nil {
		return nil, err
	}
	c, given, err := cursorParam(r)
	if err == nil {
		q.after, err = jobKeyOf(c, given)
	}
	return q, err
}

// matches says whether a task is listed.
func (q *bulkQuery) matches(t *bulk.Listed) bool {
	return t.Status.Shown() && (!q.open || t.Status.Open()) && (q.state == "" || t.Status == q.state) &&
		(q.name == "" || t.Name == q.name) && (q.principal == "" || t.Principal == q.principal) &&
		!t.Accepted.Before(q.from) && (q.to.IsZero() || t.Accepted.Before(q.to))
}

// bulkPage shows the tasks behind the query's place. What has come to its steps before its end is shown as far as all partitions
// were looked at.
func (s *Service) bulkPage(view persistence.View, q *bulkQuery, provider string, limit int) (*transport.Reply, error) {
	page := s.newPage(limit)
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
		t := bulkTask{id: bulkID(provider, k.id)}
		var err error
		if t.state, t.seq, err = bulkState(view, t.id); err != nil {
			return nil, err
		}
		shown, err := s.showBulk(view, &t)
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

// partition offers the tasks of a partition; stopped is the last one looked at, if there may be more. Open ones stand in an
// index of their own, all of which is looked at: their number is bounded.
func (q *bulkQuery) partition(view persistence.View, p persistence.Partition, provider string, first *jobKeys, most int) (stopped jobKey, err error) {
	key := persistence.IndexKey{Kind: persistence.KindBulk, Name: bulk.IndexTasks, Provider: provider, Term: q.after.time}
	if !q.to.IsZero() {
		key.Term = max(key.Term, links.JobTerm(q.to))
	}
	if q.open {
		key.Name, key.Term = bulk.IndexOpenTasks, ""
	}
	steps := 0
	for e, err := range view.IndexTerms(p, key) {
		if err != nil {
			return stopped, fmt.Errorf("list the bulk tasks: %w", err)
		}
		t, err := bulk.DecodeListed(e.Value)
		if err != nil {
			return stopped, errors.Join(persistence.ErrCorrupt, err)
		}
		k := jobKey{bulk.TaskTerm(t.Accepted, t.Number), e.Entity}
		if k.compare(q.after) <= 0 {
			continue
		}
		if !q.open && t.Accepted.Before(q.from) {
			return jobKey{}, nil
		}
		if q.matches(&t) && !first.offer(k, most) && !q.open {
			return jobKey{}, nil
		}
		if steps++; steps == bulkListSteps && !q.open {
			return k, nil
		}
	}
	return jobKey{}, nil
}
