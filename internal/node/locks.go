package node

import (
	"concord/internal/telemetry"
	"concord/transport/operations"
)

// meterLocks loads the board, and has its locks counted.
func (n *Node) meterLocks(board *operations.Board) error {
	if err := board.Load(n.store); err != nil {
		return err
	}
	m := n.metrics
	m.ExpectLocks(telemetry.LockLabels{Grants: operations.LockGrants, Ends: operations.LockEnds,
		Contests: operations.ContestOutcomes, Tickets: operations.TicketOutcomes, Parked: operations.ParkedOutcomes})
	board.Count(&operations.LockMeter{Granted: m.LockGranted, Ended: m.LockEnded, Settled: m.ContestSettled,
		Waited: m.TicketEnded, Parked: m.ParkedEnded})
	for _, gauge := range []struct {
		name, help string
		value      func(operations.Tally) int
	}{
		{"locks_held", "Locks that somebody holds.", func(t operations.Tally) int { return t.Held }},
		{"locks_contested", "Locks whose holder is asked to give them up.", func(t operations.Tally) int { return t.Contested }},
		{"locks_offered", "Free scopes that are reserved for whoever has waited.", func(t operations.Tally) int { return t.Offered }},
		{"lock_tickets_waiting", "Tickets in the lines for locks.", func(t operations.Tally) int { return t.Tickets }},
		{"parked_updates_waiting", "Updates that wait for a lock.", func(t operations.Tally) int { return t.Parked }},
		{"parked_bytes_waiting", "Bytes of the updates that wait for a lock.", func(t operations.Tally) int { return t.ParkedBytes }},
	} {
		m.Watch(gauge.name, gauge.help, func() float64 { return float64(gauge.value(board.Tally())) })
	}
	return nil
}
