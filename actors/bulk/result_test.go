package bulk

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"

	"concord/actors/entity"
	"concord/actors/fields"
)

// TestSentences are what people read of a task.
func TestSentences(t *testing.T) {
	for want, s := range map[string]State{
		"The task waits for its turn: 10 total collection update(s) are pending.":                                                    {Status: Accepted, Total: 10, Counts: Counts{Pending: 10}},
		"The task is in progress: of 10 total collection update(s), 4 are processed and 6 are pending.":                              {Status: InProgress, Total: 10, Counts: Counts{Updated: 4, Pending: 6}},
		"The task is in progress: of 10 total collection update(s), 4 are processed and 6 are pending, 2 of them waiting for locks.": {Status: InProgress, Total: 10, Waiting: 2, Counts: Counts{Updated: 4, Pending: 6}},
		"The task is paused: of 3 total collection update(s), 1 are processed and 2 are pending.":                                    {Status: Paused, Total: 3, Counts: Counts{Skipped: 1, Pending: 2}},
		"The task is being cancelled: of 3 total collection update(s), 1 are processed and 2 are pending.":                           {Status: Cancelling, Total: 3, Counts: Counts{Failed: 1, Pending: 2}},
		"All collection updates completed successfully.":                                                                             {Status: Complete, Total: 3, Counts: Counts{Updated: 2, Unchanged: 1}},
		"Task completed with 5 FAILED, 2 SKIPPED and 3 UPDATED out of 10 total collection update(s).":                                {Status: Complete, Total: 10, Counts: Counts{Failed: 5, Skipped: 2, Updated: 3}},
		"Task completed with 1 SKIPPED, 1 UNCHANGED and 1 UPDATED out of 3 total collection update(s).":                              {Status: Complete, Total: 3, Counts: Counts{Skipped: 1, Unchanged: 1, Updated: 1}},
		"Task completed with 2 FAILED out of 2 total collection update(s).":                                                          {Status: Complete, Total: 2, Counts: Counts{Failed: 2}},
		"All collection updates would be completed successfully.":                                                                    {Status: Complete, DryRun: true, Total: 3, Counts: Counts{Updated: 3}},
		"Dry run completed with 1 FAILED and 2 UPDATED out of 3 total collection update(s).":                                         {Status: Complete, DryRun: true, Total: 3, Counts: Counts{Updated: 2, Failed: 1}},
		"The task was cancelled before any of 3 total collection update(s).":                                                         {Status: Cancelled, Total: 3, Counts: Counts{Cancelled: 3}},
		"The roll-back waits for its turn: 2 total collection update(s) are pending.":                                                {Status: Accepted, UndoOf: "t", Total: 2, Counts: Counts{Pending: 2}},
		"The roll-back is in progress: of 2 total collection update(s), 1 are processed and 1 are pending.":                          {Status: InProgress, UndoOf: "t", Total: 2, Counts: Counts{Skipped: 1, Pending: 1}},
		"All collection updates were rolled back.":                                                                                   {Status: Complete, UndoOf: "t", Total: 3, Counts: Counts{Updated: 2, Unchanged: 1}},
		"All collection updates would be rolled back.":                                                                               {Status: Complete, UndoOf: "t", DryRun: true, Total: 1, Counts: Counts{Updated: 1}},
		"Roll-back completed with 1 SKIPPED and 2 UPDATED out of 3 total collection update(s).":                                      {Status: Complete, UndoOf: "t", Total: 3, Counts: Counts{Updated: 2, Skipped: 1}},
		"Dry run of the roll-back completed with 1 FAILED out of 1 total collection update(s).":                                      {Status: Complete, UndoOf: "t", DryRun: true, Total: 1, Counts: Counts{Failed: 1}},
		"The roll-back was cancelled with 1 CANCELLED and 1 UPDATED out of 2 total collection update(s).":                            {Status: PartiallyCancelled, UndoOf: "t", Total: 2, Counts: Counts{Cancelled: 1, Updated: 1}},
		"The task was cancelled with 1 CANCELLED, 1 FAILED and 1 UPDATED out of 3 total collection update(s).":                       {Status: PartiallyCancelled, Total: 3, Counts: Counts{Cancelled: 1, Failed: 1, Updated: 1}},
	} {
		if got := s.Show("p", "t", 1, noon).Message; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestAnswers: acceptance is 202, all else 200, and both show the task.
func TestAnswers(t *testing.T) {
	s := after(t, accepted(0), &Start{}, told(0, fields.Updated, fields.Unchanged), &Finish{})
	at := entity.Stamp{Seq: 4}
	at.Entity.Provider, at.Entity.ID = "p", "t"
	answer := Behavior{}.Answer(State{}, s, &Finish{}, entity.Case{At: at})
	var got Result
	if err := json.Unmarshal(answer.Body, &got); err != nil || answer.Status != http.StatusOK {
		t.Fatalf("%d, %v", answer.Status, err)
	}
	expires := noon.Add(time.Hour)
	if want := s.Show("p", "t", 4, noon); !reflect.DeepEqual(got, want) || !got.ExpiresAt.Equal(expires) || got.RollbackAvailable {
		t.Errorf("%+v, want %+v", got, want)
	}
	if status := (Behavior{}).Answer(State{}, s, &Accept{}, entity.Case{At: at}).Status; status != http.StatusAccepted {
		t.Errorf("an acceptance is answered %d", status)
	}
}

// TestWhatLeaves: nothing of a draft, and of a task how it stands.
func TestWhatLeaves(t *testing.T) {
	for name, row := range map[string]struct {
		given []Command
		when  Command
		want  string
	}{
		"a chunk of a draft":      {nil, staged(0), ""},
		"the end of a draft":      {[]Command{staged(0)}, &Expire{Due: noon.Add(time.Hour)}, ""},
		"an acceptance":           {[]Command{staged(0)}, accepted(1), `{"state":"ACCEPTED","number":3,"name":"3","counts":{"pending":4,"updated":0,"unchanged":0,"skipped":0,"failed":0,"cancelled":0},"total":4,"waitingForLocks":0}`},
		"a progress":              {[]Command{accepted(0), &Start{}}, told(0, fields.Updated, ItemPending), `{"state":"IN_PROGRESS","number":3,"name":"3","counts":{"pending":1,"updated":1,"unchanged":0,"skipped":0,"failed":0,"cancelled":0},"total":2,"waitingForLocks":1}`},
		"an expiry":               {[]Command{accepted(0), &Cancel{}}, &Expire{Due: noon.Add(time.Hour)}, `{"state":"EXPIRED","number":3,"name":"3","counts":{"pending":0,"updated":0,"unchanged":0,"skipped":0,"failed":0,"cancelled":2},"total":2,"waitingForLocks":0}`},
		"a task that is undone":   {[]Command{accepted(0), &Cancel{}}, &Undone{By: "u"}, `{"state":"CANCELLED","number":3,"name":"3","counts":{"pending":0,"updated":0,"unchanged":0,"skipped":0,"failed":0,"cancelled":2},"total":2,"waitingForLocks":0,"undoneBy":"u"}`},
		"a name that is settled":  {[]Command{calledSpring(0)}, &Named{}, ""},
		"a name that is released": {[]Command{accepted(0), &Cancel{}, &Expire{Due: noon.Add(time.Hour)}}, &Released{}, ""},
	} {
		s := after(t, row.given...)
		events, err := Behavior{}.decide(s, row.when, facts(s), ann)
		if err != nil || len(events) != 1 {
			t.Fatalf("%s: %d events, %v", name, len(events), err)
		}
		if got := string(Behavior{}.EncodeEvent(events[0]).Data); got != row.want {
			t.Errorf("%s tells %s, want %s", name, got, row.want)
		}
	}
}
