package propagation

// Counts are links by state. Their sum is the total.
type Counts struct {
	Updated    uint64 `json:"updated" doc:"Rewritten, or unlinked where the change asks for it"`
	Unchanged  uint64 `json:"unchanged" doc:"They were right"`
	Failed     uint64 `json:"failed"`
	Skipped    uint64 `json:"skipped" doc:"Gone before their turn came, or called off by a cancellation"`
	Superseded uint64 `json:"superseded" doc:"A newer change has seen to them, or will"`
	Pending    uint64 `json:"pending"`
}

// Total is the sum.
func (c Counts) Total() uint64 {
	return c.Updated + c.Unchanged + c.Failed + c.Skipped + c.Superseded + c.Pending
}

// undone is the counter of the links that are still to be done, or that the job's end has left undone.
func (s *State) undone() *uint64 {
	switch s.Status {
	case Cancelled:
		return &s.Counts.Skipped
	case Superseded:
		return &s.Counts.Superseded
	case Failed:
		return &s.Counts.Failed
	case Requested, Planned, Running, Paused, Completed, CompletedWithErrors:
	}
	return &s.Counts.Pending
}

// take moves as many links as were met from those that were left to what became of them; more than were left are new. It
// returns how many are left then.
func (s *State) take(left uint64, t Tally) uint64 {
	met := min(left, t.links())
	*s.undone() -= met
	s.Counts.Updated += t.Updated
	s.Counts.Unchanged += t.Unchanged
	s.Counts.Superseded += t.Superseded
	s.Counts.Failed += t.Failed
	s.Documents += t.Documents
	return left - met
}

// skip counts links that are no more.
func (s *State) skip(links uint64) {
	*s.undone() -= links
	s.Counts.Skipped += links
}

// fail counts links that could not be looked at.
func (s *State) fail(links uint64) {
	*s.undone() -= links
	s.Counts.Failed += links
}
