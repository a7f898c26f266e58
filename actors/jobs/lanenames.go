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

// settleNames sees to the names of tasks that the lane has come to know of: an open one has its name for good, also if a crash
// came between its acceptance and that; one that has expired gives it back. What does not go through is tried again later.
func (l *lane) settleNames(ctx context.Context) {
	fresh := l.fresh
	l.fresh = nil
	for _, t := range fresh {
		err := l.settleName(ctx, t)
		if err != nil && !errors.Is(err, errStopped) {
			l.log.Error("the name of a bulk task could not be settled", "task", t.id.String(), "name", t.state.Name, "error", err)
			l.unnamed = append(l.unnamed, t)
		}
	}
}

func (l *lane) settleName(ctx context.Context, t *task) error {
	id := persistence.EntityID{Kind: persistence.KindProvider, Provider: l.provider, ID: l.provider}
	m := entity.Meta{Principal: service, Kind: "service", RequestID: requestID(t.id)}
	name := t.state.Name
	given := name != "" && name != strconv.FormatUint(t.state.Number, 10) // else nothing is reserved: nobody can ask for digits
	switch {
	case t.state.Status == bulk.Expired:
		if given {
			if _, err := ask(ctx, l.courtesy, id, &provider.Release{Scope: bulk.ScopeNames, Name: name, Owner: t.id.ID}, m); err != nil {
				return err
			}
		}
		_, err := ask(ctx, l.courtesy, t.id, &bulk.Released{}, m)
		return err
	case !given:
		return nil
	}
	_, err := ask(ctx, l.courtesy, id, &provider.Reserve{Scope: bulk.ScopeNames, Name: name, Owner: t.id.ID}, m)
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Code == problem.NameTaken {
		l.log.Error("the name of a bulk task has been taken by another meanwhile", "task", t.id.String(), "name", name)
		return nil
	}
	if err == nil {
		_, err = ask(ctx, l.courtesy, id, &provider.Confirm{Scope: bulk.ScopeNames, Name: name, Owner: t.id.ID}, m)
	}
	return err
}
