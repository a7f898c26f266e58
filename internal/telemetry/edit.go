package telemetry

import "github.com/prometheus/client_golang/prometheus"

func newEdits(r *prometheus.Registry) *prometheus.CounterVec {
	runs := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "concord", Name: "edit_runs_total",
		Help: "What was begun with bulk edit sessions, by kind."}, []string{"kind"})
	r.MustRegister(runs)
	return runs
}

// ExpectRuns makes all series of bulk edit sessions at 0, so that the first of each kind shows as an increase.
func (m *Metrics) ExpectRuns(kinds []string) {
	for _, kind := range kinds {
		m.runs.WithLabelValues(kind)
	}
}

// RunBegun counts what was begun with a bulk edit session.
func (m *Metrics) RunBegun(kind string) { m.runs.WithLabelValues(kind).Inc() }
