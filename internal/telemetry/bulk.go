package telemetry

import "github.com/prometheus/client_golang/prometheus"

// tasks count what became of bulk tasks, and of their items.
type tasks struct {
	ended *prometheus.CounterVec
	items *prometheus.CounterVec
	taken *prometheus.CounterVec
}

func newTasks(r *prometheus.Registry) tasks {
	t := tasks{
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "concord", Name: "bulk_tasks_total",
			Help: "Bulk tasks that have ended, by state."}, []string{"state"}),
		items: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "concord", Name: "bulk_items_total",
			Help: "Items of bulk tasks, by what became of them."}, []string{"outcome"}),
		taken: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "concord", Name: "bulk_undone_items_total",
			Help: "Items of bulk tasks that take others back, dry runs left out, by what became of them."}, []string{"outcome"}),
	}
	r.MustRegister(t.ended, t.items, t.taken)
	return t
}

// ExpectTasks makes all series of bulk tasks at 0, so that the first of each kind shows as an increase.
func (m *Metrics) ExpectTasks(ends, outcomes []string) {
	for _, state := range ends {
		m.tasks.ended.WithLabelValues(state)
	}
	for _, outcome := range outcomes {
		m.tasks.items.WithLabelValues(outcome)
		m.tasks.taken.WithLabelValues(outcome)
	}
}

// TaskEnded counts a bulk task that has ended.
func (m *Metrics) TaskEnded(state string) { m.tasks.ended.WithLabelValues(state).Inc() }

// TaskItems counts items of a bulk task.
func (m *Metrics) TaskItems(outcome string, items uint64) {
	m.tasks.items.WithLabelValues(outcome).Add(float64(items))
}

// TaskUndone counts items of a bulk task that takes another back, beside TaskItems.
func (m *Metrics) TaskUndone(outcome string, items uint64) {
	m.tasks.taken.WithLabelValues(outcome).Add(float64(items))
}
