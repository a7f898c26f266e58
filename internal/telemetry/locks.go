package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// waitBuckets are seconds in the line for a lock: from a hand-over by programs to people who wait for an hour.
var waitBuckets = []float64{.01, .1, .5, 1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}

// locks are the collectors of what happens to locks.
type locks struct {
	grants, ends, contests, parked *prometheus.CounterVec
	waits                          *prometheus.HistogramVec
}

func newLocks(r *prometheus.Registry) locks {
	counters := func(name, help, label string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "concord", Name: name, Help: help}, []string{label})
		r.MustRegister(c)
		return c
	}
	l := locks{
		grants:   counters("lock_grants_total", "Locks granted, by the way to them.", "how"),
		ends:     counters("lock_ends_total", "Locks that have ended, by cause.", "cause"),
		contests: counters("contests_total", "Contests that are over, by outcome.", "outcome"),
		parked:   counters("parked_updates_total", "Updates that have waited for a lock, by outcome.", "outcome"),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "concord", Name: "lock_wait_seconds",
			Help: "Time from the taking of a ticket to its end, by outcome.", Buckets: waitBuckets}, []string{"outcome"}),
	}
	r.MustRegister(l.waits)
	return l
}

// LockLabels are the values that the labels of the locks' metrics can have.
type LockLabels struct{ Grants, Ends, Contests, Tickets, Parked []string }

// ExpectLocks makes all series of the locks at 0, so that the first of each kind shows as an increase.
func (m *Metrics) ExpectLocks(l LockLabels) {
	for vec, values := range map[*prometheus.CounterVec][]string{
		m.locks.grants: l.Grants, m.locks.ends: l.Ends, m.locks.contests: l.Contests, m.locks.parked: l.Parked,
	} {
		for _, value := range values {
			vec.WithLabelValues(value)
		}
	}
	for _, value := range l.Tickets {
		m.locks.waits.WithLabelValues(value)
	}
}

// LockGranted counts a grant.
func (m *Metrics) LockGranted(how string) { m.locks.grants.WithLabelValues(how).Inc() }

// LockEnded counts the end of a lock.
func (m *Metrics) LockEnded(cause string) { m.locks.ends.WithLabelValues(cause).Inc() }

// ContestSettled counts the end of a contest.
func (m *Metrics) ContestSettled(outcome string) { m.locks.contests.WithLabelValues(outcome).Inc() }

// TicketEnded observes how long a ticket has waited.
func (m *Metrics) TicketEnded(outcome string, waited time.Duration) {
	m.locks.waits.WithLabelValues(outcome).Observe(waited.Seconds())
}

// ParkedEnded counts the end of a parked update.
func (m *Metrics) ParkedEnded(outcome string) { m.locks.parked.WithLabelValues(outcome).Inc() }
