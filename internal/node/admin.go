package node

import (
	"context"
	"time"

	"concord/actors/problem"
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

func (a admin) Backup(context.Context, string) (any, error) {
	return nil, problem.New(problem.Unavailable, "no backup directory is set")
}

func (a admin) Verify(context.Context) (any, error) {
	return nil, problem.New(problem.Unavailable, "not here")
}
