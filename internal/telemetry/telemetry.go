// Package telemetry holds Concord's own Prometheus collectors. It is the only package, with cmd, that imports the
// client library. No label ever carries an id: what is counted is bounded by the operation table and the codes.
package telemetry

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Metrics are the collectors of one node.
type Metrics struct {
	Registry *prometheus.Registry

	requests     *prometheus.CounterVec
	durations    *prometheus.HistogramVec
	commits      prometheus.Histogram
	groups       prometheus.Histogram
	activations  *prometheus.CounterVec
	activation   prometheus.Histogram
	passivations prometheus.Counter
	refused      *prometheus.CounterVec
	dropped      *prometheus.CounterVec
	panics       prometheus.Counter
	failures     prometheus.Counter
	corruption   prometheus.Counter
	published    prometheus.Counter
	repeated     prometheus.Counter
	restarts     prometheus.Counter
	pending      prometheus.Gauge
	links        linkUpdates
	lostKeys     prometheus.Counter
	locks        locks
	merges       merges
	jobs         jobs
	tasks        tasks
	runs         *prometheus.CounterVec
}

// Buckets in seconds: from a cached read to a request that has waited far too long.
var requestBuckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}

// New makes the collectors and registers them.
func New(version string) *Metrics {
	m := &Metrics{Registry: prometheus.NewRegistry()}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "concord", Name: name, Help: help})
		m.Registry.MustRegister(c)
		return c
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "concord", Name: name, Help: help}, labels)
		m.Registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "concord", Name: name, Help: help, Buckets: buckets})
		m.Registry.MustRegister(h)
		return h
	}
	m.requests = counters("requests_total", "Requests answered, by API, operation and problem code (ok for a success).",
		"api", "operation", "code")
	m.durations = prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "concord", Name: "request_duration_seconds",
		Help: "Time from the receipt of a request to its answer.", Buckets: requestBuckets}, []string{"api", "operation"})
	m.Registry.MustRegister(m.durations)
	m.commits = histogram("commit_duration_seconds", "Time of one group commit, its sync included.", requestBuckets)
	m.groups = histogram("commit_group_entries", "Entries of one group commit.", prometheus.ExponentialBuckets(1, 2, 13))
	m.activations = counters("activations_total", "Entities loaded into memory, by result.", "result")
	m.activation = histogram("activation_duration_seconds", "Time to load an entity.", requestBuckets)
	m.passivations = counter("passivations_total", "Entities dropped from memory.")
	m.refused = counters("refused_total", "Commands refused for load, by the bound they met.", "bound")
	m.dropped = counters("dropped_total", "Requests that could not be answered, by reason.", "reason")
	m.panics = counter("panics_total", "Decisions that panicked. Each is a bug.")
	m.failures = counter("failures_total", "Requests that failed for a reason of ours.")
	m.corruption = counter("corruption_detected_total", "Times that stored bytes were not what was written.")
	m.published = counter("fanout_published_total", "Events published to the event stream.")
	m.repeated = counter("fanout_repeated_total", "Events that the stream was found to have already.")
	m.restarts = counter("fanout_restarts_total", "Times that the fan-out went back in the log.")
	m.pending = gauge(m, "fanout_pending_records", "Records of the log that the fan-out has not passed yet.")
	m.links = newLinkUpdates(m.Registry)
	m.lostKeys = counter("idempotency_early_loss_total", "Remembered outcomes dropped before their time, for space.")
	m.locks = newLocks(m.Registry)
	m.merges = newMerges(m.Registry)
	m.jobs = newJobs(m.Registry)
	m.tasks = newTasks(m.Registry)
	m.runs = newEdits(m.Registry)
	info := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "concord", Name: "build_info",
		Help: "1, labelled with the build.", ConstLabels: prometheus.Labels{"version": version, "go": runtime.Version()}})
	info.Set(1)
	m.Registry.MustRegister(info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func gauge(m *Metrics, name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "concord", Name: name, Help: help})
	m.Registry.MustRegister(g)
	return g
}

// Watch registers a gauge that asks for its value.
func (m *Metrics) Watch(name, help string, value func() float64) {
	m.Registry.MustRegister(prometheus.NewGaugeFunc(
		prometheus.GaugeOpts{Namespace: "concord", Name: name, Help: help}, value))
}

// WatchLabelled registers gauges of one name, each with its own label value.
func (m *Metrics) WatchLabelled(name, help, label string, values map[string]func() float64) {
	for l, value := range values {
		m.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "concord", Name: name, Help: help,
			ConstLabels: prometheus.Labels{label: l}}, value))
	}
}

// Endpoint counts the answers of one operation over one API. Make one of each and keep it: looking labels up costs more
// than counting.
type Endpoint struct {
	duration prometheus.Observer
	ok       prometheus.Counter
	codes    *prometheus.CounterVec
	labels   []string
}

// Endpoint makes the counter of an operation.
func (m *Metrics) Endpoint(api, operation string) *Endpoint {
	return &Endpoint{duration: m.durations.WithLabelValues(api, operation),
		ok: m.requests.WithLabelValues(api, operation, "ok"), codes: m.requests, labels: []string{api, operation}}
}

// Answered counts an answer; code "" is a success.
func (e *Endpoint) Answered(code string, took time.Duration) {
	e.duration.Observe(took.Seconds())
	if code == "" {
		e.ok.Inc()
		return
	}
	e.codes.WithLabelValues(e.labels[0], e.labels[1], code).Inc()
}

// Synced observes how long a group commit took.
func (m *Metrics) Synced(d time.Duration) { m.commits.Observe(d.Seconds()) }

// Group observes how many entries a group commit had.
func (m *Metrics) Group(entries int) { m.groups.Observe(float64(entries)) }

// Activated counts the load of an entity.
func (m *Metrics) Activated(took time.Duration, err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.activations.WithLabelValues(result).Inc()
	m.activation.Observe(took.Seconds())
}

// Passivated counts an entity dropped from memory.
func (m *Metrics) Passivated() { m.passivations.Inc() }

// Refused counts a command refused for load.
func (m *Metrics) Refused(bound string) { m.refused.WithLabelValues(bound).Inc() }

// Dropped counts a request that got no answer.
func (m *Metrics) Dropped(reason string) { m.dropped.WithLabelValues(reason).Inc() }

// Panicked counts a decision that panicked.
func (m *Metrics) Panicked() { m.panics.Inc() }

// Failed counts a request that failed for a reason of ours.
func (m *Metrics) Failed() { m.failures.Inc() }

// Corrupt counts stored bytes that are not what was written.
func (m *Metrics) Corrupt() { m.corruption.Inc() }

// Repeated counts events that the stream had already.
func (m *Metrics) Repeated(events int) { m.repeated.Add(float64(events)) }

// Restarted counts a fan-out that went back in the log.
func (m *Metrics) Restarted(_ string) { m.restarts.Inc() }

// Pending says how many records the fan-out has not passed.
func (m *Metrics) Pending(n uint64) { m.pending.Set(float64(n)) }

// LostKeys counts outcomes that were dropped before their time.
func (m *Metrics) LostKeys(n int) { m.lostKeys.Add(float64(n)) }

// Published counts events that left.
func (m *Metrics) Published(events int) { m.published.Add(float64(events)) }
