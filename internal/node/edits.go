package node

import "concord/transport/operations"

// meterEdits has bulk edit sessions counted.
func (n *Node) meterEdits() (*operations.EditMeter, error) {
	n.metrics.ExpectRuns(operations.EditRuns)
	edits := operations.NewEditMeter(n.metrics.RunBegun)
	if err := edits.Load(n.store); err != nil {
		return nil, err
	}
	n.metrics.Watch("edit_sessions_open", "Bulk edit sessions that are not closed.", func() float64 { return float64(edits.Open()) })
	return edits, nil
}
