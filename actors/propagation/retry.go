package propagation

import (
	"maps"
	"slices"
	"time"

	"concord/actors/entity"
)

// retry goes on where the job has failed, or takes up the documents that have failed: each collection with some is come back
// to. Failures that were counted and not kept stay failed.
func retry(s State, f entity.Facts) ([]Event, error) {
	switch s.Status {
	case Requested, Planned, Running, Paused:
		return nil, nil // a repeat: it is on its way
	case Completed, Cancelled, Superseded:
		return nil, wrong(s, "nothing of it can be tried again")
	case Failed:
		s.Counts.Failed -= s.Rest
		s.Counts.Pending, s.Rest, s.Ended, s.Message = s.Rest, 0, time.Time{}, ""
		s.Status = s.going()
		return one(TypeRetried, s)
	case CompletedWithErrors:
	}
	links := make(map[string]uint64)
	all, _ := f.All()
	for part := range all {
		fact, read := f.Part(part, true)
		if _, _, failure := FailureOf(part); !failure || !read || !fact.Exists {
			continue
		}
		failed, err := DecodeFailure(part, fact.Body)
		if err != nil {
			return nil, err
		}
		links[failed.Collection] += failed.Links
	}
	if len(links) == 0 {
		return nil, wrong(s, "what has failed is not known any more; an audit finds it")
	}
	return retryEach(s, links)
}

func retryEach(s State, links map[string]uint64) ([]Event, error) {
	var parts []entity.Content
	for _, collection := range slices.Sorted(maps.Keys(links)) {
		left := min(links[collection], s.Counts.Failed)
		s.Counts.Failed -= left
		s.Counts.Pending += left
		s.Retrying++
		parts = append(parts, openPart(collection, Opened{Left: left, Retry: true}))
	}
	s.Round++
	s.Status, s.Ended = Running, time.Time{}
	return one(TypeRetried, s, parts...)
}
