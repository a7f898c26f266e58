package node

import (
	"strings"

	"concord/actors/bulk"
	"concord/actors/entity"
	"concord/actors/host"
	"concord/actors/jobs"
	"concord/actors/propagation"
)

// newJobs makes what brings linked fields up to date, the driver of propagations and the checker of links; what builds keys and
// indexes; and what runs bulk tasks. They deliver to a host that is made later; nothing is delivered before they run.
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
	courtesy := jobs.NewCourtesy(lateHost{n})
	n.jobs = jobs.New(n.store, courtesy, settings, o, log)
	n.metrics.WatchLabelled("propagations_open", "Jobs that have not ended, of those that are in memory, by what they do.", "state",
		map[string]func() float64{
			"queued":  func() float64 { return float64(n.jobs.Tally().Queued) },
			"running": func() float64 { return float64(n.jobs.Tally().Running) },
			"waiting": func() float64 { return float64(n.jobs.Tally().Waiting) },
			"paused":  func() float64 { return float64(n.jobs.Tally().Paused) },
		})
	n.metrics.Watch("propagation_waiting_collections", "Collections that jobs wait for, because somebody holds their lock.",
		func() float64 { return float64(n.jobs.Tally().WaitingCollections) })
	n.indexer = jobs.NewIndexer(n.store, lateHost{n}, courtesy, settings, log)
	n.metrics.Watch("types_building", "Collection types with keys or indexes that are being built.",
		func() float64 { return float64(n.indexer.Building()) })
	n.metrics.Watch("types_blocked_collections", "Collections with too many values for the keys and indexes of their types: these are not built until that changes.",
		func() float64 { return float64(n.indexer.Blocked()) })
	n.newTasks(courtesy)
	n.checker, err = jobs.NewChecker(n.store, lateHost{n}, courtesy, o, log)
	if err == nil {
		n.metrics.Watch("link_corrections_waiting", "Links that are known to be out of date, and are corrected when a lock ends.",
			func() float64 { return float64(n.checker.Waiting()) })
	}
	return err
}

// newTasks makes what runs bulk tasks.
func (n *Node) newTasks(courtesy *jobs.Courtesy) {
	settings := n.options.Tasks
	if settings.Window == 0 {
		settings = jobs.DefaultTaskSettings
	}
	outcome := func(s bulk.ItemState) string { return strings.ToLower(string(s)) }
	outcomes, ends := []string{}, []string{}
	for _, s := range bulk.ItemStates {
		if s != bulk.ItemPending {
			outcomes = append(outcomes, outcome(s))
		}
	}
	for _, s := range bulk.Statuses {
		if !s.Open() {
			ends = append(ends, string(s))
		}
	}
	n.metrics.ExpectTasks(ends, outcomes)
	o := jobs.TaskObserver{Ended: n.metrics.TaskEnded, Items: func(task *bulk.State, s bulk.ItemState, items uint64) {
		n.metrics.TaskItems(outcome(s), items)
		if task.UndoOf != "" && !task.DryRun {
			n.metrics.TaskUndone(outcome(s), items)
		}
	}}
	n.tasks = jobs.NewTasks(n.store, courtesy, settings, o, runtimeLogger(n.log))
	n.metrics.WatchLabelled("bulk_tasks_open", "Bulk tasks that have not ended, of those that are in memory, by what they do.", "state",
		map[string]func() float64{
			"queued":  func() float64 { return float64(n.tasks.Tally().Queued) },
			"running": func() float64 { return float64(n.tasks.Tally().Running) },
			"resting": func() float64 { return float64(n.tasks.Tally().Resting) },
			"waiting": func() float64 { return float64(n.tasks.Tally().Waiting) },
			"paused":  func() float64 { return float64(n.tasks.Tally().Paused) },
		})
	n.metrics.Watch("bulk_waiting_collections", "Collections that bulk tasks wait for, because somebody holds their lock.",
		func() float64 { return float64(n.tasks.Tally().WaitingCollections) })
}

// lateHost is the host, once it is there.
type lateHost struct{ *Node }

func (l lateHost) Deliver(env *entity.Envelope) { l.host.Deliver(env) }
func (l lateHost) SettledAll(done func())       { l.host.SettledAll(done) }
func (l lateHost) Decided(done func())          { l.host.Decided(done) }
func (l lateHost) InFlight() int64              { return l.host.InFlight() }

var _ jobs.IndexHost = (*host.Host)(nil)
