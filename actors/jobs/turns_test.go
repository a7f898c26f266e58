package jobs

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"concord/actors/bulk"
	"concord/persistence"
)

// TestTasksEndInTimeWhileProvidersTakeTurns has what TestTasksKeepTheirOrderWhateverHappens has, beside another provider whose
// tasks take the one place again and again: nothing that has something to do waits for the slow retry.
func TestTasksEndInTimeWhileProvidersTakeTurns(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 40).Draw(rt, "steps")
		slice := time.Duration(rapid.IntRange(1, 20).Draw(rt, "slice")) * time.Millisecond
		faults := faults{TB: t}
		synctest.Test(t, func(*testing.T) {
			s := stormy{world: newTaskWorld(&faults), settings: TaskSettings{Window: 3, TasksAtOnce: 1, Slice: slice}, rivals: true,
				patience: waitingRetryEvery / 2}
			s.run(steps)
		})
		if len(faults.list) > 0 {
			rt.Fatal(strings.Join(faults.list, "\n"))
		}
	})
}

// rival has a task of another provider begin.
func (s *stormy) rival() {
	rows := make([]bulk.Row, 20)
	for i := range rows {
		rows[i].Collection = fmt.Sprintf("x%05d", i)
	}
	s.rivalry++
	s.world.acceptRows(persistence.EntityID{Kind: persistence.KindBulk, Provider: "q", ID: fmt.Sprintf("q%02d", s.rivalry)}, rows, nil, sound)
}
