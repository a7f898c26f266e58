package operations

import (
	"container/heap"
	"context"
	"slices"
	"strings"
	"time"

	"concord/actors/links"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// jobKey is the place of a job in a list: by time, the newest first, then by id.
type jobKey struct{ time, id string }

func (k jobKey) compare(o jobKey) int {
	if c := strings.Compare(k.time, o.time); c != 0 {
		return c
	}
	return strings.Compare(k.id, o.id)
}

func (k jobKey) cursor() *cursor { return &cursor{After: k.time + placeSeparator + k.id} }

// jobKeyOf is where a list goes on; the zero value: from the beginning.
func jobKeyOf(c cursor, given bool) (k jobKey, err error) {
	if !given {
		return k, nil
	}
	var found bool
	if k.time, k.id, found = strings.Cut(c.After, placeSeparator); !found {
		return k, problem.At("cursor", "is not one that this service has given out")
	}
	return k, nil
}

// jobKeys are the first of many: a heap whose top is the last of them, so that a better one takes its place.
type jobKeys []jobKey

func (k jobKeys) Len() int           { return len(k) }
func (k jobKeys) Less(i, j int) bool { return k[i].compare(k[j]) > 0 }
func (k jobKeys) Swap(i, j int)      { k[i], k[j] = k[j], k[i] }
func (k *jobKeys) Push(x any)        { *k = append(*k, x.(jobKey)) }
func (k *jobKeys) Pop() any {
	last := (*k)[len(*k)-1]
	*k = (*k)[:len(*k)-1]
	return last
}

// offer takes a key in, if it is among the first so many; false: neither it nor any after it is.
func (k *jobKeys) offer(key jobKey, most int) bool {
	switch {
	case len(*k) < most:
		heap.Push(k, key)
	case key.compare((*k)[0]) < 0:
		(*k)[0] = key
		heap.Fix(k, 0)
	default:
		return false
	}
	return true
}

// jobQuery says which jobs are listed.
type jobQuery struct {
	open   bool
	action string
	from   time.Time // zero: from the first
	to     time.Time // zero: to the last
	after  jobKey
}

// jobKeysMax is how many jobs are looked at for one page, those included that it does not show.
const jobKeysMax = 10_000

// jobsOf are the first jobs of the provider after a place, in order, at most so many.
func jobsOf(view persistence.View, provider string, q *jobQuery, most int) ([]jobKey, error) {
	first := jobKeys{}
	for p := range view.Partitions() {
		if err := jobsIn(view, persistence.Partition(p), provider, q, &first, most); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(first, jobKey.compare)
	return first, nil
}

// jobsIn offers the jobs of a partition. Open ones stand in their index by cause: all of them are looked at.
func jobsIn(view persistence.View, p persistence.Partition, provider string, q *jobQuery, first *jobKeys, most int) error {
	key := persistence.IndexKey{Kind: persistence.KindPropagation, Name: links.IndexJobs, Provider: provider, Term: q.after.time}
	if !q.to.IsZero() {
		key.Term = max(key.Term, links.JobTerm(q.to))
	}
	if q.open {
		key.Name, key.Term = links.IndexOpenJobs, ""
	}
	for e, err := range view.IndexTerms(p, key) {
		if err != nil {
			return err
		}
		k := jobKey{e.Term, e.Entity}
		if q.open {
			k.time = string(e.Value)
		}
		if k.compare(q.after) <= 0 || !q.to.IsZero() && k.time <= links.JobTerm(q.to) {
			continue
		}
		if !q.from.IsZero() && k.time > links.JobTerm(q.from) || !first.offer(k, most) {
			if q.open {
				continue
			}
			return nil
		}
	}
	return nil
}

// listJobs pages through jobs, the newest first.
func (s *Service) listJobs(r *transport.Request, q *jobQuery, done reply, item func(*api.Propagation) any) {
	limit, err := s.limit(r)
	if err != nil {
		done(nil, err)
		return
	}
	c, given, err := cursorParam(r)
	if err == nil {
		q.after, err = jobKeyOf(c, given)
	}
	if err != nil {
		done(nil, err)
		return
	}
	view := s.Store.View()
	answer, err := jobPage(view, r.Provider, q, s.newPage(limit), limit, item)
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	s.Host.SettledAll(func() { done(answer, err) })
}

func jobPage(view persistence.View, provider string, q *jobQuery, page *page, limit int, item func(*api.Propagation) any) (*transport.Reply, error) {
	most := limit + 1
	if q.action != "" {
		most = jobKeysMax // of which some are shown
	}
	keys, err := jobsOf(view, provider, q, most)
	if err != nil {
		return nil, err
	}
	last := q.after
	for _, k := range keys {
		job, err := propagationOf(view, persistence.EntityID{Kind: persistence.KindPropagation, Provider: provider, ID: k.id})
		if err != nil {
			return nil, err
		}
		if q.action == "" || job.Cause.Action == q.action {
			fits, err := page.add(item(job))
			if err != nil {
				return nil, err
			}
			if !fits {
				return page.reply(last.cursor()), nil
			}
		}
		last = k
	}
	if len(keys) == most {
		return page.reply(last.cursor()), nil
	}
	return page.reply(nil), nil
}

// propagationList pages through jobs.
func (s *Service) propagationList(_ context.Context, r *transport.Request, done reply) {
	s.listJobs(r, &jobQuery{open: r.Param("open") == "true"}, done, func(job *api.Propagation) any { return job })
}

// reportList pages through the changes that linked fields have followed.
func (s *Service) reportList(_ context.Context, r *transport.Request, done reply) {
	q := &jobQuery{action: r.Param("action")}
	var err error
	if q.action != "" && !slices.Contains(links.Actions, q.action) {
		err = problem.At("action", "must be one of %s", strings.Join(links.Actions, ", "))
	}
	if err == nil {
		q.from, _, err = timeParam(r, "from")
	}
	if err == nil {
		q.to, _, err = timeParam(r, "to")
	}
	if err != nil {
		done(nil, err)
		return
	}
	s.listJobs(r, q, done, func(job *api.Propagation) any {
		return api.Report{Propagation: job.ID, PropagationCause: job.Cause, State: job.State, Total: job.Total, Counts: job.Counts,
			StartedBy: job.Principal, StartedAt: job.RequestedAt, EndedAt: job.EndedAt}
	})
}
