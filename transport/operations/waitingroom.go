package operations

import (
	"context"
	"sync"
	"time"

	"concord/actors/problem"
	"concord/transport"
)

// Bounds of waiting, over all doors. Whoever waits for another request, or for a task, holds one of the few goroutines that may
// read from the disk: if all did, the door they came through would answer nobody.
const (
	readersFreeMin  = 4 // of any door, whatever is waited for
	waitsMax        = transport.DoorMinReaders - readersFreeMin
	waitsNumbersMin = 2 // of them, for those who have made their list already: a refusal then costs the most
	waitsOthersMax  = waitsMax - waitsNumbersMin

	waitsSourcesMax   = 8
	waitsMakingMax    = 8
	waitsSessionsMax  = 4
	waitsDownloadsMax = 4
	waitsEndsMax      = 8

	waitBusyRetryIn = time.Second
)

// purpose is what a request waits for.
type purpose int

const (
	forSource   purpose = iota // to change a source file
	forNumber                  // to accept a bulk task: numbers are in order of coming
	forMaking                  // to make what there must be one of: see Service.alone
	forSession                 // to change a bulk edit session
	forDownload                // to make a file
	forEnd                     // that a bulk task ends
	purposesCount
)

// purposeMaxWaits is how many may wait for each purpose, if all others leave them room.
var purposeMaxWaits = [purposesCount]int{
	forSource: waitsSourcesMax, forNumber: waitsMax, forMaking: waitsMakingMax, forSession: waitsSessionsMax,
	forDownload: waitsDownloadsMax, forEnd: waitsEndsMax,
}

// waitingRoom counts the requests that wait. The zero value is empty.
type waitingRoom struct {
	mu      sync.Mutex
	waiting [purposesCount]int
}

// enter counts a request in, which then leaves once; what says what it waits for. If too many wait it refuses: overloaded.
func (w *waitingRoom) enter(p purpose, what string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := 0
	for _, n := range w.waiting {
		all += n
	}
	most := waitsOthersMax
	if p == forNumber {
		most = waitsMax
	}
	if all >= most || w.waiting[p] >= purposeMaxWaits[p] {
		refusal := problem.New(problem.Overloaded, "%d requests wait for something already, this one would for %s", all, what)
		refusal.RetryAfter = waitBusyRetryIn
		return refusal
	}
	w.waiting[p]++
	return nil
}

func (w *waitingRoom) leave(p purpose) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting[p]--
}

// patience is the context of a request, which ends when its deadline passes, too: then its cause is a problem that says so.
func (s *Service) patience(ctx context.Context, r *transport.Request) (patient context.Context, end func()) {
	if r.Deadline.IsZero() {
		return ctx, func() {}
	}
	patient, cancel := context.WithCancelCause(ctx)
	passed, forget := s.Clock.Wait(r.Deadline)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-passed:
			cancel(problem.New(problem.Deadline, "the deadline passed before it was the request's turn"))
		case <-patient.Done():
		}
	})
	return patient, func() {
		forget()
		cancel(nil)
		watch.Wait()
	}
}
