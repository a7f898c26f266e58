package persistence

import (
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"concord/internal/planted"
)

// Bounds of one group commit. What waits behind it is bounded by admission, in front of the entities.
const (
	groupMaxEntries = 4096
	groupMaxBytes   = 4 << 20
	// A group may be built and written while the one before it is being synced, so that neither the processor nor the disk
	// waits for the other. What comes after it waits in a third group then, so that the groups are smaller: it pays where
	// writing takes more than half as long as syncing, and once the group has half the size of the one before.
	unsyncedMaxGroups = 2
	answerMaxGroups   = 8 // groups whose answers may wait to be sent before the next group is written
)

// LSN numbers what was submitted to a committer, in order. It begins at 1 with each start of the process.
type LSN uint64

// Observer is told of each group once it is durable, in order, on one goroutine of the committer: it must not block.
type Observer func(group []*Entry)

// Committer folds what entities submit while the disk is busy into one atomic, synced batch after another. It is the
// only door to the journal. No callback runs before everything submitted before it is durable; after an error of the
// journal none runs at all.
type Committer struct {
	journal   Journal
	observers []Observer
	metrics   CommitMetrics

	mu      sync.Mutex
	queue   []submission
	writes  average // time to write a group
	syncs   average // time to sync one
	ahead   int     // groups that are written and not durable
	enough  int     // submissions that are written at once; fewer wait for the disk
	closing bool
	closed  chan struct{}
	wake    chan struct{}

	last    atomic.Uint64 // the newest submission; written under mu
	durable atomic.Uint64
	answers chan []func()
}

type submission struct {
	entry *Entry // nil: only a place in the order
	done  func()
}

// CommitMetrics are told what each commit took. All fields may be nil.
type CommitMetrics struct {
	Group  func(entries int)
	Synced func(time.Duration)
}

// NewCommitter makes a committer that works while Run runs.
func NewCommitter(j Journal, m CommitMetrics, observers ...Observer) *Committer {
	return &Committer{
		journal: j, metrics: m, observers: observers,
		closed: make(chan struct{}), wake: make(chan struct{}, 1), answers: make(chan []func(), answerMaxGroups),
	}
}

// Submit takes the entry in line and returns at once; done is called when the entry and all before it are on disk. A
// submission after Close is dropped, and done with it.
func (c *Committer) Submit(entry *Entry, done func()) LSN {
	if planted.AnswerEarly {
		done()
		done = nil
	}
	return c.enqueue(submission{entry, done})
}

// After calls done once everything up to lsn is durable: at once, on the caller's goroutine, if it is already.
func (c *Committer) After(lsn LSN, done func()) {
	if lsn <= c.Durable() || planted.AnswerEarly {
		done()
		return
	}
	c.enqueue(submission{nil, done})
}

// Durable is the position up to which everything submitted is on disk.
func (c *Committer) Durable() LSN { return LSN(c.durable.Load()) }

// Last is the position of the newest submission.
func (c *Committer) Last() LSN { return LSN(c.last.Load()) }

// Idle says that everything submitted so far is durable. A reader of the store that asks afterwards has seen nothing that
// a crash could take back: what the store shows was submitted before.
func (c *Committer) Idle() bool {
	last := c.Last() // first, so that the answer is true of one moment
	return c.Durable() >= last
}

func (c *Committer) enqueue(s submission) LSN {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return c.Last()
	}
	lsn := LSN(c.last.Add(1))
	c.queue = append(c.queue, s)
	news := len(c.queue) == 1 || len(c.queue) == c.enough
	c.mu.Unlock()
	if news {
		c.nudge()
	}
	return lsn
}

// nudge has the writer look again.
func (c *Committer) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// average of durations: a new one counts an eighth.
type average time.Duration

func (a *average) add(d time.Duration) { *a += average(d)/8 - *a/8 }

// written notes a group that is on its way to the disk.
func (c *Committer) written(w *written) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.wait != nil {
		c.writes.add(w.written.Sub(w.start))
	}
	c.ahead, c.enough = c.ahead+1, w.size/2
	if 2*c.writes < c.syncs {
		c.enough = math.MaxInt
	}
}

// landed notes that a group is durable, after so long. If it was the only one, the disk is idle, and anything is worth
// writing.
func (c *Committer) landed(w *written, took time.Duration) {
	c.durable.Add(uint64(w.size))
	c.mu.Lock()
	if w.wait != nil {
		c.syncs.add(took)
	}
	c.ahead--
	if c.ahead == 0 {
		c.enough = 0
	}
	c.mu.Unlock()
	c.nudge()
}

// Close refuses further submissions; Run returns when what was submitted before is durable and answered.
func (c *Committer) Close() {
	c.mu.Lock()
	if !c.closing {
		c.closing = true
		close(c.closed)
	}
	c.mu.Unlock()
	c.nudge()
}

// Closed is closed by Close: whoever waits for a callback of its own need not wait any longer.
func (c *Committer) Closed() <-chan struct{} { return c.closed }

// Run commits until Close or an error of the journal, which is final. It owns the goroutine that waits for the disk,
// and the one that sends the answers, so that the next sync does not wait for them.
func (c *Committer) Run(ctx context.Context) error {
	r := run{c: c, line: make(chan written, unsyncedMaxGroups), slots: make(chan struct{}, unsyncedMaxGroups),
		failed: make(chan error, 1)}
	var sender, syncer sync.WaitGroup
	sender.Go(c.answer)
	syncer.Go(r.sync)
	err := r.write(ctx)
	close(r.line)
	syncer.Wait()
	close(c.answers)
	sender.Wait()
	select {
	case failure := <-r.failed:
		err = failure // whatever else went wrong followed from it
	default:
	}
	return err
}

func (c *Committer) answer() {
	for group := range c.answers {
		for _, done := range group {
			done()
		}
	}
}

// run is what the goroutines of one Run share.
type run struct {
	c      *Committer
	line   chan written  // on its way to the disk, in order; never full, since each has a slot
	slots  chan struct{} // taken by each group in line
	failed chan error
}

// written is a group that the journal has and the disk may not have yet.
type written struct {
	size    int // submissions
	entries []*Entry
	answers []func()
	wait    func() error // nil: nothing was written
	start   time.Time
	written time.Time // zero if nothing was
}

// write appends one group after another.
func (r *run) write(ctx context.Context) error {
	for {
		select {
		case r.slots <- struct{}{}:
		case err := <-r.failed:
			r.failed <- err
			return err
		}
		group, err := r.next(ctx)
		if err != nil || len(group) == 0 {
			return err
		}
		w := sortOut(group)
		if len(w.entries) > 0 {
			if w.wait, err = r.c.journal.Append(w.entries); err != nil {
				return fmt.Errorf("commit %d entries: %w", len(w.entries), err)
			}
		}
		w.written = time.Now()
		r.c.written(&w)
		r.line <- w
	}
}

// next waits for something to write; nothing: the committer is closed.
func (r *run) next(ctx context.Context) ([]submission, error) {
	for {
		group, more := r.c.take()
		if len(group) > 0 || !more {
			return group, nil
		}
		select {
		case <-r.c.wake:
		case err := <-r.failed:
			r.failed <- err
			return nil, err
		case <-ctx.Done():
			return nil, fmt.Errorf("committer stopped with work in line: %w", context.Cause(ctx))
		}
	}
}

func sortOut(group []submission) written {
	w := written{size: len(group), start: time.Now(),
		entries: make([]*Entry, 0, len(group)), answers: make([]func(), 0, len(group))}
	for _, s := range group {
		if s.entry != nil {
			w.entries = append(append(w.entries, s.entry), s.entry.Born...)
		}
		if s.done != nil {
			w.answers = append(w.answers, s.done)
		}
	}
	return w
}

// sync waits for the groups in their order, and lets out what depended on them.
func (r *run) sync() {
	var last time.Time // when the disk was done with the group before
	for w := range r.line {
		begun := w.written
		if last.After(begun) {
			begun = last
		}
		if w.wait != nil {
			if err := w.wait(); err != nil {
				r.failed <- fmt.Errorf("commit %d entries: %w", len(w.entries), err)
				return
			}
			if r.c.metrics.Synced != nil {
				r.c.metrics.Synced(time.Since(w.start))
				r.c.metrics.Group(len(w.entries))
			}
		}
		last = time.Now()
		r.c.landed(&w, last.Sub(begun))
		for _, observe := range r.c.observers {
			observe(w.entries)
		}
		r.c.answers <- w.answers
		<-r.slots
	}
}

// take removes the next group from the line; more is false once the line is closed and empty.
func (c *Committer) take() (group []submission, more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, bytes := 0, 0
	if len(c.queue) < c.enough && !c.closing {
		return nil, true
	}
	for n < len(c.queue) && n < groupMaxEntries && bytes < groupMaxBytes {
		bytes += c.queue[n].entry.size()
		n++
	}
	group = c.queue[:n:n]
	if c.queue = c.queue[n:]; len(c.queue) == 0 {
		c.queue = nil // the backing array now belongs to the group
	}
	return group, !c.closing || len(c.queue) > 0 || n > 0
}

func (e *Entry) size() int {
	if e == nil {
		return 0
	}
	n := 0
	for i := range e.Records {
		n += len(e.Records[i].Bytes)
		for _, b := range e.Records[i].Bodies {
			n += len(b)
		}
	}
	for _, born := range e.Born {
		n += born.size()
	}
	return n
}
