package node

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"

	"concord/actors/problem"
	"concord/internal/telemetry"
	"concord/transport"
	"concord/transport/cmr"
	"concord/transport/dossier"
	"concord/transport/folio"
	"concord/transport/httpapi"
	"concord/transport/kinvey"
	"concord/transport/natsapi"
	"concord/transport/schema"
)

// startAPIs opens the doors.
func (n *Node) startAPIs() (err error) {
	table := n.service.Table()
	n.api, err = natsapi.Start(n.nc, natsapi.Config{Prefix: n.options.Prefix, Version: n.options.Version,
		Metadata: schema.Endpoint}, n.gate, table, n.requestID, natsapi.Observer{
		Answered: n.answered("nats", table), Refused: n.refused, Dropped: n.metrics.Dropped,
	})
	if err != nil {
		return err
	}
	n.listen, err = net.Listen("tcp", net.JoinHostPort(n.options.HTTPHost, strconv.Itoa(n.options.HTTPPort)))
	if err != nil {
		return fmt.Errorf("listen for HTTP: %w", err)
	}
	n.http = httpapi.New(httpapi.Config{Version: n.options.Version, Prefix: n.options.Prefix, Loopback: n.options.AuthOff,
		Aliases: slices.Concat(dossier.Aliases(table), kinvey.Aliases(table, n.service.Timed()), cmr.Aliases(table, n.service.BulkWords(), n.cmrLimits()),
			folio.Aliases(table, n.service.BulkWords())),
		Debug: n.options.Debug, Health: n.store.Health, Ready: n.isReady, Extra: n.extraRoutes()},
		n.gate, table, n.requestID, httpapi.Observer{
			Answered: n.answered("http", table), Refused: n.refused, Dropped: n.metrics.Dropped, Panicked: n.panicked,
			Warned: func(text string) { n.log.Warn().Msg(text) },
		})
	n.running.Go(func() {
		if err := n.http.Serve(n.listen); err != nil {
			n.options.Fatal(err)
		}
	})
	return nil
}

// cmrLimits are those of CMR's aliases.
func (n *Node) cmrLimits() cmr.Limits {
	return cmr.Limits{BodyMaxBytes: cmp.Or(n.options.CMRMaxBytes, cmr.DefaultLimits.BodyMaxBytes),
		RequestMaxBytes: n.options.Transport.RequestMaxBytes}
}

// isReady says why the node takes no work, if it does not.
func (n *Node) isReady() error {
	switch {
	case !n.ready.Load():
		return errors.New("starting or stopping")
	case !n.nc.IsConnected():
		return errors.New("not connected to NATS")
	default:
		return n.store.Writable()
	}
}

// extraRoutes are the HTTP routes that are no operations.
func (n *Node) extraRoutes() map[string]http.Handler {
	routes := map[string]http.Handler{
		"GET /metrics": promhttp.HandlerFor(n.metrics.Registry, promhttp.HandlerOpts{Registry: n.metrics.Registry}),
	}
	if n.options.Clock != nil {
		routes["GET /debug/clock"] = http.HandlerFunc(n.showClock)
		routes["POST /debug/clock/advance"] = http.HandlerFunc(n.advanceClock)
	}
	if n.options.Clock != nil && n.scripts != nil {
		routes["POST /debug/merge/hold"] = http.HandlerFunc(n.holdMerges)
		routes["POST /debug/merge/resume"] = http.HandlerFunc(n.resumeMerges)
	}
	return routes
}

// clockAnswer is what both routes of the test clock answer.
type clockAnswer struct {
	Now time.Time `json:"now"`
}

func (n *Node) showClock(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, clockAnswer{n.clock.Now().UTC()})
}

// advanceMaxSeconds keeps a typing error from making the clock useless.
const advanceMaxSeconds = 100 * 365 * 24 * 3600

// advanceClock moves the test clock and answers once all effects are durable.
func (n *Node) advanceClock(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Seconds float64 `json:"seconds"`
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1024))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil || body.Seconds < 0 || body.Seconds > advanceMaxSeconds {
		n.writeProblem(w, problem.At("/seconds", "must be a number from 0 on"))
		return
	}
	now, err := n.host.Advance(r.Context(), n.options.Clock, time.Duration(body.Seconds*float64(time.Second)))
	if err != nil {
		n.writeProblem(w, problem.New(problem.Unavailable, "the clock was not moved to the end: %v", err))
		return
	}
	writeJSON(w, clockAnswer{now.UTC()})
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body) // the caller may have gone away
}

func (n *Node) writeProblem(w http.ResponseWriter, p *problem.Problem) {
	w.Header().Set("Content-Type", transport.ProblemContentType)
	w.WriteHeader(p.Status())
	_, _ = w.Write(transport.RenderProblem(p, n.requestID())) // the caller may have gone away
}

// answered counts the answers of one API.
func (n *Node) answered(api string, table []*transport.Operation) func(*transport.Operation, problem.Code, time.Duration) {
	endpoints := make(map[string]*telemetry.Endpoint, len(table)) // by name: an alias counts as its operation
	for _, op := range table {
		endpoints[op.Name] = n.metrics.Endpoint(api, op.Name)
	}
	return func(op *transport.Operation, code problem.Code, took time.Duration) {
		endpoints[op.Name].Answered(string(code), took)
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
	if e == nil {
		return
	}
	if r.Op != nil {
		e.Str("operation", r.Op.Name)
	}
	e.Str("requestId", r.RequestID).Str("provider", r.Provider).Str("principal", r.Caller.Principal).
		Str("code", string(p.Code)).Err(err).Msg("request refused")
}

func (n *Node) panicked(requestID string, cause any, stack []byte) {
	n.metrics.Panicked()
	n.log.Error().Str("requestId", requestID).Interface("cause", cause).Bytes("stack", stack).Msg("a request panicked")
}

// runtimeLogger passes on the actor runtime's warnings.
func runtimeLogger(log zerolog.Logger) *slog.Logger {
	return slog.New(zerolog.NewSlogHandler(log.Level(max(log.GetLevel(), zerolog.WarnLevel))))
}
