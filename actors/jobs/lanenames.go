package jobs

import (
	"context"
	"errors"
	"strconv"

	"concord/actors/bulk"
	"concord/actors/entity"
	"concord/actors/problem"
	"concord/actors/provider"
	"concord/persistence"
)

// tellOthers has others hear of tasks that the lane has come to know of: of one that has expired the provider gets the name back;
// the one that a task takes back hears of it, also if a crash came between its acceptance and that. What does not go through is
// tried again later; no task begins before the one that it takes back has heard of it (start).
func (l *lane) tellOthers(ctx context.Context) {
	fresh := l.fresh
	l.fresh = nil
	for _, t := range fresh {
		var err error
		if t.state.Status == bulk.Expired {
			err = l.releaseName(ctx, t)
		} else {
			err = l.settleUndone(ctx, t.id, t.state)
			t.known = err == nil
		}
		if err != nil && !errors.Is(err, errStopped) {
			l.log.Error("others could not be told of a bulk task", "task", t.id.String(), "name", t.state.Name, "error", err)
			l.untold = append(l.untold, t)
		}
	}
}

func (l *lane) releaseName(ctx context.Context, t *task) error {
	id := persistence.EntityID{Kind: persistence.KindProvider, Provider: l.provider, ID: l.provider}
	m := entity.Meta{Principal: service, Kind: "service", RequestID: requestID(t.id)}
	if name := t.state.Name; name != strconv.FormatUint(t.state.Number, 10) { // else nothing is reserved: nobody can ask for digits
		if _, err := ask(ctx, l.courtesy, id, &provider.Release{Scope: bulk.ScopeNames, Name: name, Owner: t.id.ID}, m); err != nil {
			return err
		}
	}
	_, err := ask(ctx, l.courtesy, t.id, &bulk.Released{}, m)
	return err
}

// start begins a task, once the one that it takes back knows: after its end nobody could tell that any more by looking at what is
// open.
func (l *lane) start(ctx context.Context, t *task) {
	id, s, known := t.id, t.state, t.known
	l.tell(t, &bulk.Start{}, func() error {
		if !known {
			if err := l.settleUndone(ctx, id, s); err != nil {
				return err
			}
		}
		return insist(ctx, l.courtesy, id, &bulk.Start{})
	})
}

// settleUndone tells a task that another one takes it back. While that one is open nobody else may begin to: so it is the newest.
// It may be called from any goroutine.
func (l *lane) settleUndone(ctx context.Context, id persistence.EntityID, s *bulk.State) error {
	if s.UndoOf == "" || s.DryRun || !s.Status.Open() {
		return nil
	}
	of := persistence.EntityID{Kind: persistence.KindBulk, Provider: id.Provider, ID: s.UndoOf}
	if s.RetryOf != "" {
		if stands, err := l.standsFor(s.RetryOf, of); err != nil || !stands {
			return err
		}
	}
	m := entity.Meta{Principal: service, Kind: "service", RequestID: requestID(id)}
	_, err := ask(ctx, l.courtesy, of, &bulk.Undone{By: id.ID}, m)
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Code == problem.NotFound {
		return nil // it has expired
	}
	return err
}

// standsFor says that the retry of a roll-back stands for that roll-back: it is the newest of the task that it takes back, and has
// left nothing but what has failed. Any other retry has a part of the items alone.
func (l *lane) standsFor(rollback string, of persistence.EntityID) (bool, error) {
	undone, err := l.state(of)
	if err == nil && undone.UndoneBy == rollback {
		var back *bulk.State
		back, err = l.state(persistence.EntityID{Kind: persistence.KindBulk, Provider: of.Provider, ID: rollback})
		if err == nil {
			return back.Counts.Skipped+back.Counts.Cancelled == 0, nil
		}
	}
	if errors.Is(err, persistence.ErrNotFound) {
		err = nil
	}
	return false, err
}
