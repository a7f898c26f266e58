package node

import (
	"concord/persistence"
	"concord/transport/operations"
)

// observers are told of every group that is on disk.
func (n *Node) observers(board *operations.Board, watchers *operations.Watchers, edits *operations.EditMeter) []persistence.Observer {
	list := []persistence.Observer{
		board.Committed, n.tail.Committed, n.links.Committed, watchers.Committed, n.trimmer.Committed, n.jobs.Committed, n.checker.Committed,
		n.indexer.Committed, n.tasks.Committed, operations.CountMerges(n.metrics.Merged), func(g []*persistence.Entry) { n.host.Committed(g) },
		n.holders.Committed, edits.Committed,
	}
	if n.release != nil {
		list = append(list, n.release.Committed) // holders know by then
	}
	return list
}
