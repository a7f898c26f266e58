package operations

import (
	"fmt"
	"sync/atomic"

	"concord/actors/editsession"
	"concord/persistence"
)

// EditRuns are what is begun with bulk edit sessions, as EditMeter tells it.
var EditRuns = []string{string(editsession.Preview), string(editsession.Apply), string(editsession.Rollback), string(editsession.Redo)}

// EditMeter counts the bulk edit sessions that are open, and tells what is begun with them: a dry run of a roll-back or a redo is
// a preview. Load it before anything is committed; all else is safe for concurrent use.
type EditMeter struct {
	begun func(kind string)
	open  atomic.Int64
}

// NewEditMeter makes one that knows of no session.
func NewEditMeter(begun func(kind string)) *EditMeter { return &EditMeter{begun: begun} }

// Open is how many sessions are open.
func (m *EditMeter) Open() int64 { return m.open.Load() }

// Load counts the open sessions in the store. Each has a timer, for when it is closed.
func (m *EditMeter) Load(s persistence.Store) error {
	for p := range s.Partitions() {
		for timer, err := range s.Timers(persistence.Partition(p)) {
			if err != nil {
				return fmt.Errorf("look for bulk edit sessions in partition %d: %w", p, err)
			}
			if timer.Entity.Kind != persistence.KindEditSession {
				continue
			}
			head, err := s.Head(timer.Entity)
			if err != nil {
				return fmt.Errorf("look for bulk edit session %v: %w", timer.Entity, err)
			}
			state, err := editsession.Behavior{}.DecodeState(head.State)
			if err != nil {
				return fmt.Errorf("bulk edit session %v: %w: %w", timer.Entity, persistence.ErrCorrupt, err)
			}
			if state.Status == editsession.Opened {
				m.open.Add(1)
			}
		}
	}
	return nil
}

// Committed is the committer's observer.
func (m *EditMeter) Committed(group []*persistence.Entry) {
	for _, e := range group {
		if e.Entity.Kind != persistence.KindEditSession {
			continue
		}
		for i := range e.Records {
			switch e.Records[i].Record.GetType() {
			case editsession.TypeOpened:
				m.open.Add(1)
			case editsession.TypeClosed:
				m.open.Add(-1)
			case editsession.TypeBegun:
				m.tell(e.Records[i].Beside.Head)
			}
		}
	}
}

// tell tells of the newest run of a session.
func (m *EditMeter) tell(text []byte) {
	head, err := persistence.ParseHead(text)
	if err != nil {
		return // the committer's other observers say so
	}
	state, err := editsession.Behavior{}.DecodeState(head.State)
	if err != nil {
		return
	}
	switch run, ok := state.Newest(); {
	case !ok:
	case run.Dry():
		m.begun(string(editsession.Preview))
	default:
		m.begun(string(run.Kind))
	}
}
