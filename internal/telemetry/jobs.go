package telemetry

import "github.com/prometheus/client_golang/prometheus"

// jobs count what became of propagations, and of the links that they are about.
type jobs struct {
	ended       *prometheus.CounterVec
	links       *prometheus.CounterVec
	corrections prometheus.Counter
}

func newJobs(r *prometheus.Registry) jobs {
	j := jobs{
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "concord", Name: "propagations_total",
			Help: "Propagations that have ended, by state. One that is tried again ends again."}, []string{"state"}),
		links: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "concord", Name: "propagated_links_total",
			Help: "Links that propagations have looked at, by outcome."}, []string{"outcome"}),
		corrections: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "concord", Name: "link_corrections_total",
			Help: "Documents whose links were corrected, because what they name has changed while they were written."}),
	}
	r.MustRegister(j.ended, j.links, j.corrections)
	return j
}

// ExpectJobs makes all series of the jobs at 0, so that the first of each kind shows as an increase.
func (m *Metrics) ExpectJobs(ends, outcomes []string) {
	for _, state := range ends {
		m.jobs.ended.WithLabelValues(state)
	}
	for _, outcome := range outcomes {
		m.jobs.links.WithLabelValues(outcome)
	}
}

// JobEnded counts a propagation that has ended.
func (m *Metrics) JobEnded(state string) { m.jobs.ended.WithLabelValues(state).Inc() }

// Linked counts links that a propagation has looked at.
func (m *Metrics) Linked(outcome string, links uint64) {
	m.jobs.links.WithLabelValues(outcome).Add(float64(links))
}

// LinkCorrected counts documents whose links were corrected.
func (m *Metrics) LinkCorrected(documents int) { m.jobs.corrections.Add(float64(documents)) }
