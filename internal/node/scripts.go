package node

import (
	"net/http"

	"concord/actors/problem"
	"concord/actors/script"
	"concord/actors/script/quickjs"
)

// startScripts makes the pool that runs merge scripts; nil: they are off.
func (n *Node) startScripts() script.Runner {
	if n.options.Scripts == nil {
		return nil
	}
	o := *n.options.Scripts
	o.Observer = quickjs.Observer{Ended: n.metrics.Scripted, Lost: n.metrics.ScriptWorkerLost}
	n.scripts = quickjs.NewPool(o)
	return n.scripts
}

// holdMerges keeps merge scripts from being run, so that a test can see what else happens meanwhile.
func (n *Node) holdMerges(w http.ResponseWriter, _ *http.Request) {
	n.scripts.Hold()
	w.WriteHeader(http.StatusNoContent)
}

// resumeMerges lets them go on, and answers once those that waited have ended and their effects are durable.
func (n *Node) resumeMerges(w http.ResponseWriter, r *http.Request) {
	n.scripts.Resume()
	if err := n.host.Merged(r.Context()); err != nil {
		n.writeProblem(w, problem.New(problem.Unavailable, "the scripts have not ended: %v", err))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
