package telemetry

import "github.com/prometheus/client_golang/prometheus"

// linkUpdates are the collectors of the stream of link updates.
type linkUpdates struct {
	published, repeated prometheus.Counter
	pending             prometheus.Gauge
}

func newLinkUpdates(r *prometheus.Registry) linkUpdates {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "concord", Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	l := linkUpdates{
		published: counter("fanout_links_published_total", "Messages published to the stream of link updates, of at most 100 links each."),
		repeated:  counter("fanout_links_repeated_total", "Messages that the stream of link updates was found to have already."),
		pending: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "concord", Name: "fanout_links_pending_records",
			Help: "Records of the log that have not been looked at for link updates yet; thousands are passed over in one go."}),
	}
	r.MustRegister(l.pending)
	return l
}

// LinksPublished counts messages that left.
func (m *Metrics) LinksPublished(messages int) { m.links.published.Add(float64(messages)) }

// LinksRepeated counts messages that the stream had already.
func (m *Metrics) LinksRepeated(messages int) { m.links.repeated.Add(float64(messages)) }

// LinksPending says how many records have not been looked at.
func (m *Metrics) LinksPending(n uint64) { m.links.pending.Set(float64(n)) }
