package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"concord/actors"
	"concord/actors/problem"
	"concord/persistence/pebblestore"
)

// admin is what the operator's operations ask of the node.
type admin struct{ n *Node }

// Status is the answer of admin.status.
type Status struct {
	Version        string    `json:"version"`
	Started        time.Time `json:"started"`
	Now            time.Time `json:"now"`
	Health         string    `json:"health"`
	Writable       string    `json:"writable"`
	Partitions     int       `json:"partitions"`
	Store          string    `json:"store"`
	EntitiesActive int64     `json:"entitiesActive"`
	InFlight       int64     `json:"commandsInFlight"`
	NATS           string    `json:"nats"`
	HTTP           string    `json:"http"`
}

func (a admin) Status() any {
	n := a.n
	return Status{Version: n.options.Version, Started: n.started.UTC(), Now: n.clock.Now().UTC(),
		Health: word(n.store.Health()), Writable: word(n.store.Writable()), Partitions: n.store.Partitions(),
		Store: n.store.Format().ID, EntitiesActive: n.host.Active(), InFlight: n.host.InFlight(),
		NATS: n.NATSAddress(), HTTP: n.HTTPAddress()}
}

func word(err error) string {
	if err != nil {
		return err.Error()
	}
	return "ok"
}

// BackupResult is the answer of admin.backup.
type BackupResult struct {
	Directory string `json:"directory"`
	Group     uint64 `json:"group"` // number of the newest group commit in it
}

// Backup copies the store into a new directory below the backup directory.
func (a admin) Backup(_ context.Context, name string) (any, error) {
	if a.n.options.BackupDir == "" {
		return nil, problem.New(problem.WrongState, "no backup directory is set: see backup.dir")
	}
	if err := os.MkdirAll(a.n.options.BackupDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the backup directory: %w", err)
	}
	dir := filepath.Join(a.n.options.BackupDir, name)
	if _, err := os.Stat(dir); err == nil {
		return nil, problem.New(problem.Exists, "there is a backup %q already", name)
	}
	group, err := a.n.store.Backup(dir)
	if err != nil {
		return nil, err
	}
	return BackupResult{dir, group}, nil
}

// Verify reads the whole store. What it finds is logged, too.
func (a admin) Verify(ctx context.Context) (any, error) {
	report, err := a.n.store.Verify(ctx, pebblestore.VerifyOptions{Fold: actors.Fold(a.n.options.Limits.Actors)})
	if err != nil {
		return nil, err
	}
	for _, f := range report.List {
		a.n.metrics.Corrupt()
		a.n.log.Error().Stringer("finding", f).Msg("the store is not sound")
	}
	return report, nil
}
