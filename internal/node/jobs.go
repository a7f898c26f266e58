package node

import (
	"concord/actors/entity"
	"concord/actors/host"
	"concord/actors/jobs"
	"concord/actors/propagation"
)

// newJobs makes what brings linked fields up to date: the driver of propagations, and the checker of links. They deliver to a
// host that is made later; nothing is delivered before they run.
func (n *Node) newJobs() (err error) {
	settings := n.options.Jobs
	if settings.Window == 0 {
		settings = jobs.DefaultSettings
	}
	ends := []string{}
	for _, s := range propagation.Statuses {
		if !s.Open() {
			ends = append(ends, string(s))
		}
	}
	n.metrics.ExpectJobs(ends, jobs.LinkOutcomes)
	o := jobs.Observer{Linked: n.metrics.Linked, Ended: n.metrics.JobEnded, Corrected: n.metrics.LinkCorrected}
	log := runtimeLogger(n.log)
	n.jobs = jobs.New(n.store, lateHost{n}, settings, o, log)
	n.metrics.WatchLabelled("propagations_open", "Jobs that have not ended, of those that are in memory, by what they do.", "state",
		map[string]func() float64{
			"queued":  func() float64 { return float64(n.jobs.Tally().Queued) },
			"running": func() float64 { return float64(n.jobs.Tally().Running) },
			"waiting": func() float64 { return float64(n.jobs.Tally().Waiting) },
			"paused":  func() float64 { return float64(n.jobs.Tally().Paused) },
		})
	n.metrics.Watch("propagation_waiting_collections", "Collections that jobs wait for, because somebody holds their lock.",
		func() float64 { return float64(n.jobs.Tally().WaitingCollections) })
	n.checker, err = jobs.NewChecker(n.store, lateHost{n}, o, log)
	if err == nil {
		n.metrics.Watch("link_corrections_waiting", "Links that are known to be out of date, and are corrected when a lock ends.",
			func() float64 { return float64(n.checker.Waiting()) })
	}
	return err
}

// lateHost is the host, once it is there.
type lateHost struct{ *Node }

func (l lateHost) Deliver(env *entity.Envelope) { l.host.Deliver(env) }
func (l lateHost) SettledAll(done func())       { l.host.SettledAll(done) }
func (l lateHost) InFlight() int64              { return l.host.InFlight() }

var _ jobs.Host = (*host.Host)(nil)
