package jobs

import (
	"context"
	"errors"
	"strconv"

	"concord/actors/bulk"
	"concord/actors/entity"
	"concord/actors/provider"
	"concord/persistence"
)

// releaseNames gives the names of tasks back that have expired. What does not go through is tried again later.
func (l *lane) releaseNames(ctx context.Context) {
	fresh := l.expired
	l.expired = nil
	for _, t := range fresh {
		err := l.releaseName(ctx, t)
		if err != nil && !errors.Is(err, errStopped) {
			l.log.Error("the name of a bulk task could not be given back", "task", t.id.String(), "name", t.state.Name, "error", err)
			l.unfreed = append(l.unfreed, t)
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
