package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"concord/actors/script"
)

// merges count what became of writes that were built on an older version, and of the scripts that merged them.
type merges struct {
	settled *prometheus.CounterVec
	scripts *prometheus.CounterVec
	waiting prometheus.Histogram
	running prometheus.Histogram
	lost    prometheus.Counter
}

func newMerges(r *prometheus.Registry) merges {
	m := merges{
		settled: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "concord", Name: "merges_total",
			Help: "Versions that came of a stale base, by resolution. Refusals are counted as requests."}, []string{"resolution"}),
		scripts: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "concord", Name: "merge_scripts_total",
			Help: "Merge scripts that ended, by reason (ok for a result)."}, []string{"reason"}),
		waiting: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "concord", Name: "merge_script_wait_seconds",
			Help: "Time that a merge script waits for a worker.", Buckets: requestBuckets}),
		running: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "concord", Name: "merge_script_duration_seconds",
			Help: "Time that a worker takes for a merge script.", Buckets: requestBuckets}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "concord", Name: "merge_workers_lost_total",
			Help: "Workers that were killed or have ended themselves: a script was late, wanted too much, or broke the engine."}),
	}
	r.MustRegister(m.settled, m.scripts, m.waiting, m.running, m.lost)
	return m
}

// Merged counts a version that came of a stale base.
func (m *Metrics) Merged(resolution string) { m.merges.settled.WithLabelValues(resolution).Inc() }

// Scripted counts a merge script that has ended; why is empty if it gave a result.
func (m *Metrics) Scripted(why script.Reason, waited, took time.Duration) {
	if why == "" {
		why = "ok"
	}
	m.merges.scripts.WithLabelValues(string(why)).Inc()
	m.merges.waiting.Observe(waited.Seconds())
	m.merges.running.Observe(took.Seconds())
}

// ScriptWorkerLost counts a worker that was killed, or has ended itself.
func (m *Metrics) ScriptWorkerLost() { m.merges.lost.Inc() }
