package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/links"
	"concord/actors/problem"
	"concord/actors/propagation"
	"concord/persistence"
)

// say hands an outcome to the run; it is lost when the run has ended, and comes again with the key.
func (r *run) say(ctx context.Context, o outcome) {
	select {
	case r.outcomes <- o:
	case <-ctx.Done():
	}
}

// first looks at a collection when its row has its turn. Each version that it makes is told of at once.
func (r *run) first(ctx context.Context, row uint64, name, after string, begun time.Time) {
	r.through(ctx, name, after, strconv.FormatUint(row, 10), func(o propagation.Outcome) {
		r.say(ctx, outcome{row: row, Outcome: o, last: o.End != propagation.Part, took: time.Since(begun)})
	})
}

// comeBack looks at a collection again: the rest of it, or what has failed.
func (r *run) comeBack(ctx context.Context, name string, o propagation.Opened, begun time.Time) {
	again := propagation.OpenOutcome{Collection: name, Turn: o.Turn}
	if o.Retry {
		if err := r.retry(ctx, name, &again); err != nil {
			again = propagation.OpenOutcome{Collection: name, Turn: o.Turn,
				Outcome: propagation.Outcome{End: propagation.Broken, Why: err.Error()}}
		}
	} else {
		r.through(ctx, name, o.After, strconv.FormatUint(o.Row, 10), func(o propagation.Outcome) { add(&again.Outcome, o) })
	}
	r.say(ctx, outcome{again: &again, last: true, took: time.Since(begun)})
}

// through looks at all documents of a collection after the one named, and says what came of it, version by version; the last
// time with another end than Part. Where a run before this one may have asked already, it asks until there is no answer to
// be repeated: what was unlinked then is not in the index any more.
func (r *run) through(ctx context.Context, name, after, mark string, say func(propagation.Outcome)) {
	for first := true; ; first = false {
		documents, err := r.documents(name, after)
		if err != nil {
			say(propagation.Outcome{End: propagation.Broken, After: after, Why: err.Error()})
			return
		}
		if len(documents) == 0 && !first && !r.resumed {
			say(propagation.Outcome{})
			return
		}
		answer, err := r.ask(ctx, name, documents, r.key(mark, after))
		if err != nil {
			say(ending(err, after))
			return
		}
		o := tally(answer)
		last := answer.Last
		if last == "" && answer.Looked > 0 && answer.Looked <= len(documents) {
			last = documents[answer.Looked-1]
		}
		switch {
		case last <= after && len(documents) > 0:
			o.End, o.After, o.Why = propagation.Broken, after, "the collection has looked at none of its documents"
			say(o)
			return
		case last <= after:
			say(o)
			return
		}
		after = last
		o.End, o.After = propagation.Part, after
		if !r.resumed {
			if documents, err = r.documents(name, after); err == nil && len(documents) == 0 {
				o.End, o.After = propagation.Done, ""
			}
		}
		say(o)
		if o.End == propagation.Done {
			return
		}
	}
}

// documents are the ids of linked documents of a collection after one, in order, as many as can be asked for at once.
func (r *run) documents(name, after string) (ids []string, err error) {
	view := r.store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	id := collectionID(r.id.Provider, name)
	born, alive, err := born(view, id)
	if err != nil || !alive {
		return nil, err
	}
	key := scope(r.id.Provider, &r.errand.cause)
	part := persistence.PartitionOf(id, r.store.Partitions())
	for e, err := range view.Index(part, key, persistence.IndexEntry{Entity: name, Part: after}) {
		if err != nil {
			return nil, fmt.Errorf("read the index of links: %w", err)
		}
		if e.Entity != name || len(ids) == documentsMaxAtOnce {
			break
		}
		v, err := links.DecodeIndexValue(e.Value)
		if err != nil {
			return nil, fmt.Errorf("index of links, %v: %w", id, err)
		}
		if v.Version >= born {
			ids = append(ids, e.Part)
		}
	}
	return ids, nil
}

// errHalted says that the job was told to stop before a collection had answered.
var errHalted = errors.New("halted")

// ask has a collection bring its links up to date. It waits out what passes, and tries what failed a few times. Of a lock it
// takes note before it asks again, so that its end is not missed.
func (r *run) ask(ctx context.Context, name string, documents []string, key string) (*collection.Relinked, error) {
	id := collectionID(r.id.Provider, name)
	e := &r.errand
	c := &e.cause
	command := &collection.Relink{Job: r.id.ID, Documents: documents, Source: &c.Source, Authority: c.Authority,
		Verify: c.Action == links.ActionAudit}
	m := entity.Meta{Principal: e.principal, Kind: "service", RequestID: requestID(r.id), Reason: e.reason, Key: key}
	var wait backOff
	noted, failures := false, 0
	for {
		a, err := ask(ctx, r.courtesy, id, command, m)
		switch locked, free := lockedBy(err); {
		case err == nil:
			if noted {
				r.waits.remove(id, r.id)
			}
			answer := new(collection.Relinked)
			if err := json.Unmarshal(a.Body, answer); err != nil {
				return nil, fmt.Errorf("answer of %v: %w", id, err)
			}
			return answer, nil
		case errors.Is(err, errStopped):
			return nil, err
		case locked && noted && !free:
			return nil, err
		case locked && !noted:
			r.waits.add(id, r.id)
			noted = true
			continue
		case passing(err) && !r.halted():
		default:
			if passing(err) {
				return nil, errHalted
			}
			if failures++; failures == triesMax || gone(err) {
				return nil, err
			}
		}
		if !pause(ctx, wait.next(err)) {
			return nil, errStopped
		}
	}
}

// lockedBy says that the collection is locked; free: not by anybody, but for a moment.
func lockedBy(err error) (locked, free bool) {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.Code != problem.Locked {
		return false, false
	}
	for _, m := range p.Members {
		if m.Name == "holder" {
			return true, false
		}
	}
	return true, true
}

// gone says that there is no such collection any more.
func gone(err error) bool {
	p, ok := errors.AsType[*problem.Problem](err)
	return ok && p.Code == problem.NotFound
}

// ending is the outcome of a collection that has not answered; after is the newest document that it had looked at.
func ending(err error, after string) propagation.Outcome {
	locked, _ := lockedBy(err)
	switch {
	case gone(err):
		return propagation.Outcome{}
	case locked:
		return propagation.Outcome{End: propagation.Locked, After: after, Why: problem.Of(err).Detail}
	case errors.Is(err, errHalted), errors.Is(err, errStopped):
		return propagation.Outcome{End: abandoned}
	}
	return propagation.Outcome{End: propagation.Broken, After: after, Why: err.Error()}
}

// abandoned is the end of a collection that the run has not come to know of: it is asked again.
const abandoned = propagation.End(0xFF)

// tally is an answer as the job counts it.
func tally(a *collection.Relinked) propagation.Outcome {
	o := propagation.Outcome{Tally: propagation.Tally{Updated: a.Updated, Unchanged: a.Unchanged, Superseded: a.Superseded,
		Failed: a.Failed, Documents: a.Documents}}
	for _, f := range a.Failures[:min(len(a.Failures), failuresMaxAtOnce)] {
		o.Failures = append(o.Failures, propagation.Failure{Document: f.Document, Path: f.Path, Authority: f.Authority,
			Links: f.Links, Cause: cmp.Or(f.Cause, "unknown")})
	}
	return o
}

// add adds what came of further documents of the collection.
func add(to *propagation.Outcome, o propagation.Outcome) {
	to.Updated += o.Updated
	to.Unchanged += o.Unchanged
	to.Superseded += o.Superseded
	to.Failed += o.Failed
	to.Documents += o.Documents
	to.Failures = append(to.Failures, o.Failures...)
	to.End, to.After, to.Why = o.End, max(to.After, o.After), o.Why
}

// retry looks at the documents of a collection that have failed: those that are known by name, and then the rest of it, if
// that has failed as a whole. It reports all of them at once.
func (r *run) retry(ctx context.Context, name string, again *propagation.OpenOutcome) error {
	failed, rest, err := r.failures(name)
	if err != nil {
		return err
	}
	// Of another turn the failures are others: an answer that was given to the same first document is not about them.
	mark := "retry-" + strconv.FormatUint(uint64(r.errand.round), 10) + "-" + strconv.FormatUint(uint64(again.Turn), 10) + "/" + name
	for at := 0; at < len(failed); {
		some := failed[at:min(at+documentsMaxAtOnce, len(failed))]
		answer, err := r.ask(ctx, name, some, r.key(mark, some[0]))
		if err == nil && (answer.Looked <= 0 || answer.Looked > len(some)) {
			err = fmt.Errorf("the collection has looked at %d of %d documents", answer.Looked, len(some))
		}
		if err != nil {
			add(&again.Outcome, ending(err, ""))
			return nil
		}
		add(&again.Outcome, tally(answer))
		again.Looked = append(again.Looked, some[:answer.Looked]...)
		at += answer.Looked
	}
	if rest == nil {
		return nil
	}
	var all propagation.Outcome
	r.through(ctx, name, rest.After, mark+"/rest", func(o propagation.Outcome) { add(&all, o) })
	if all.End == propagation.Locked || all.End == abandoned {
		all = propagation.Outcome{End: all.End, Why: all.Why} // what was done gives the same answers next time
	} else {
		again.Rest = true
	}
	add(&again.Outcome, all)
	return nil
}

// failures are the documents of a collection that have failed, in order, and the failure of all others.
func (r *run) failures(name string) (documents []string, rest *propagation.Failure, err error) {
	view := r.store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	whole := propagation.FailurePart(name, "")
	for p, err := range view.Parts(r.id, whole) {
		if err != nil {
			return nil, nil, wrapf(err, r.id, "read the failures of")
		}
		collection, document, ok := propagation.FailureOf(p.ID)
		if !ok || collection != name {
			break
		}
		documents = append(documents, document)
	}
	p, err := view.Part(r.id, whole)
	if errors.Is(err, persistence.ErrNotFound) || err == nil && p.Removed {
		return documents, nil, nil
	}
	if err != nil {
		return nil, nil, wrapf(err, r.id, "read the failures of")
	}
	body, err := view.Body(r.id, p.Place)
	if err != nil {
		return nil, nil, wrapf(err, r.id, "read the failures of")
	}
	f, err := propagation.DecodeFailure(whole, body)
	return documents, &f, err
}
