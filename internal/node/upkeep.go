package node

import (
	"context"
	"errors"
	"time"

	"concord/actors"
	"concord/actors/jobs"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

// watchSpaceEvery is how often the free disk space is looked at.
const watchSpaceEvery = time.Second

// upkeep looks after the free space, so that writes are refused before the disk is full.
func (n *Node) upkeep(ctx context.Context) {
	tick := time.NewTicker(watchSpaceEvery)
	defer tick.Stop()
	for {
		if err := n.store.CheckSpace(); err != nil {
			n.log.Warn().Err(err).Msg("the disk space is not known")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// newRetention makes what applies retention, and what it has to know and be told of bulk edit sessions.
func (n *Node) newRetention() {
	n.holders = jobs.NewHolders(storedSessions{n.store})
	n.trimmer = n.newTrimmer()
	if !n.options.Retention.KeepsAll() {
		n.release = jobs.NewReleases(storedSessions{n.store}, n.trimmer.Look, runtimeLogger(n.log))
	}
}

// newTrimmer applies retention: to collections as configured, to uploads as soon as they are over, to nothing else.
func (n *Node) newTrimmer() *pebblestore.Trimmer {
	return pebblestore.NewTrimmer(n.store, pebblestore.TrimmerOptions{
		Policy: func(e persistence.EntityID) pebblestore.Policy {
			switch e.Kind {
			case persistence.KindCollection:
				return n.options.Retention
			case persistence.KindUpload:
				return pebblestore.Policy{Versions: 1}
			default:
				return pebblestore.Policy{KeepAll: true}
			}
		},
		Fold: actors.Fold(n.options.Limits.Actors), Now: n.clock.Now, Needs: actors.Needs(n.options.Limits.Actors), Read: n.passed,
		Released:         n.holders.Released,
		OutcomesMaxBytes: n.options.Outcomes,
		Failed: func(e persistence.EntityID, err error) {
			if !errors.Is(err, context.Canceled) {
				n.log.Error().Stringer("entity", e).Err(err).Msg("retention failed")
			}
		},
		Forgotten: func(f pebblestore.Forgotten) { n.metrics.LostKeys(f.Early) },
	})
}
