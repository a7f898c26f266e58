package node

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/rs/zerolog"

	"concord/actors/problem"
	"concord/internal/telemetry"
	"concord/transport"
	"concord/transport/natsapi"
)

// startAPIs opens the doors.
func (n *Node) startAPIs() (err error) {
	table := n.service.Table()
	n.api, err = natsapi.Start(n.nc, natsapi.Config{Prefix: n.options.Prefix, Version: n.options.Version,
		Metadata: func(op *transport.Operation) map[string]string { return map[string]string{"doc": op.Doc} }},
		n.gate, table, n.requestID, natsapi.Observer{
			Answered: n.answered("nats", table), Refused: n.refused, Dropped: n.metrics.Dropped,
		})
	return err
}

// answered counts the answers of one API.
func (n *Node) answered(api string, table []*transport.Operation) func(*transport.Operation, problem.Code, time.Duration) {
	endpoints := make(map[*transport.Operation]*telemetry.Endpoint, len(table))
	for _, op := range table {
		endpoints[op] = n.metrics.Endpoint(api, op.Name)
	}
	return func(op *transport.Operation, code problem.Code, took time.Duration) {
		endpoints[op].Answered(string(code), took)
	}
}

// refused logs a refusal: one that is ours as an error, with its cause; a caller's own mistake for debugging only.
func (n *Node) refused(r *transport.Request, p *problem.Problem, err error) {
	e := n.log.Debug()
	if p.Code == problem.Internal {
		n.metrics.Failed()
		e = n.log.Error()
		if errors.Is(err, context.Canceled) {
			e = n.log.Warn()
		}
	}
	e.Str("requestId", r.RequestID).Str("operation", r.Op.Name).Str("provider", r.Provider).Str("principal", r.Caller.Principal).
		Str("code", string(p.Code)).Err(err).Msg("request refused")
}

// runtimeLogger passes on the actor runtime's warnings.
func runtimeLogger(log zerolog.Logger) *slog.Logger {
	return slog.New(zerolog.NewSlogHandler(log.Level(max(log.GetLevel(), zerolog.WarnLevel))))
}
