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
// tried again later.
func (l *lane) tellOthers(ctx context.Context) {
	fresh := l.fresh
	l.fresh = nil
	for _, t := range fresh {
		tell := l.settleUndone
		if t.state.Status == bulk.Expired {
			tell = l.releaseName
		}
		if err := tell(ctx, t); err != nil && !errors.Is(err, errStopped) {
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

// settleUndone tells a task that another one takes it back. While that one is open nobody else may begin to: so it is the newest.
// A retry has a part of the items alone.
func (l *lane) settleUndone(ctx context.Context, t *task) error {
	s := t.state
	if s.UndoOf == "" || s.DryRun || s.RetryOf != "" || !s.Status.Open() {
		return nil
	}
	id := persistence.EntityID{Kind: persistence.KindBulk, Provider: l.provider, ID: s.UndoOf}
	m := entity.Meta{Principal: service, Kind: "service", RequestID: requestID(t.id)}
	_, err := ask(ctx, l.courtesy, id, &bulk.Undone{By: t.id.ID}, m)
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Code == problem.NotFound {
		return nil // it has expired
	}
	return err
}
