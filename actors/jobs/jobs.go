// Package jobs runs propagations: it plans them from the index of links, asks the collections to bring their links up to
// date, and tells each job's entity how far it has come. What is decided and counted is the kind's (actors/propagation);
// reading, waiting and repeating stand here. It also holds a checker, which corrects links that were written while what they
// name changed.
//
// A job that is stopped at any moment, also by a crash, goes on at its cursor: collections that it had asked, and not heard
// of or not told of, are asked again under the same idempotency key, and give the answer that they gave.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"concord/actors/entity"
	"concord/persistence"
)

// Host is what delivers commands: host.Host.
type Host interface {
	Deliver(*entity.Envelope)
	// InFlight is the number of commands that wait for their answers.
	InFlight() int64
}

// Store is what the driver and the checker read.
type Store interface {
	persistence.LogReader
	persistence.CursorStore
	Head(persistence.EntityID) (persistence.Head, error)
	View() persistence.View
}

// Settings of the driver.
type Settings struct {
	Window            int // collections of a job that are asked at once, when nobody else asks for anything
	JobsAtOnce        int
	LinksPerSecondMax int // of all jobs; 0: no bound
}

// DefaultSettings keep a job in the background: what it does at once is a small part of what the node does.
var DefaultSettings = Settings{Window: 8, JobsAtOnce: 2}

// Bounds of the driver.
const (
	documentsMaxAtOnce = 10_000                 // in one request to a collection
	failuresMaxAtOnce  = 1000                   // of one answer that are told of; more are counted
	progressEvery      = 100 * time.Millisecond // how long an outcome waits until it is recorded
	progressMaxTexts   = 2000                   // failures in one record of progress, but for those of one answer
	aheadMaxRows       = 1024                   // rows that are done while an earlier one is not
	triesMax           = 5                      // of a collection that answers with an error
	backOffMin         = 50 * time.Millisecond
	backOffMax         = 5 * time.Second
	waitingRetryEvery  = time.Minute // when collections are asked again whose lock has ended unseen
	openMaxJobs        = 10_000      // in memory; others are looked for when these are fewer
)

// Observer is told what the driver and the checker do. All fields must be set.
type Observer struct {
	Linked    func(outcome string, links uint64) // one of LinkOutcomes
	Ended     func(state string)                 // of a job
	Corrected func(documents int)
}

// LinkOutcomes are what can come of a link.
var LinkOutcomes = []string{"updated", "unchanged", "superseded", "failed"}

// Driver runs the open jobs of a node.
type Driver struct {
	store    Store
	settings Settings
	observer Observer
	log      *slog.Logger
	pace     pace
	courtesy *Courtesy

	notes *notes
	waits *waits

	// What the goroutine of Run alone knows.
	jobs     map[persistence.EntityID]*job
	causes   map[string][]*job // open jobs of one cause, the oldest first
	line     []*job            // all of them, the oldest first
	running  int
	overflow bool // there are more open jobs than are known
	finished chan *run
	runners  sync.WaitGroup
	gauge    gauge
}

// New makes a driver; nothing runs before Run, but Committed may be called.
func New(s Store, c *Courtesy, settings Settings, o Observer, log *slog.Logger) *Driver {
	d := &Driver{store: s, courtesy: c, settings: settings, observer: o, log: log,
		jobs: make(map[persistence.EntityID]*job), causes: make(map[string][]*job), finished: make(chan *run)}
	d.pace.perSecond = settings.LinksPerSecondMax
	d.notes, d.waits = newNotes(), newWaits()
	return d
}

// Run works on open jobs until the context ends. It owns all goroutines of the driver.
func (d *Driver) Run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer d.runners.Wait()
	defer stop()
	d.overflow = true // nothing is known yet
	slow := time.NewTicker(waitingRetryEvery)
	defer slow.Stop()
	for {
		if err := d.look(); err != nil {
			d.log.Error("open jobs cannot be read", "error", err)
			d.notes.again()
			if !pause(ctx, backOffMax) {
				return
			}
			continue
		}
		d.startMore(ctx)
		select {
		case <-ctx.Done():
			return
		case <-d.notes.wake:
		case r := <-d.finished:
			d.ended(r)
		case <-slow.C:
			d.retryWaiting()
		}
	}
}

// pause waits; false: the context has ended.
func pause(ctx context.Context, how time.Duration) bool {
	timer := time.NewTimer(how)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// errStopped says that the work was stopped: the node ends, or the job was told to.
var errStopped = errors.New("stopped")

// pace spreads work over time: the links of all jobs, or the items of tasks.
type pace struct {
	perSecond int           // 0: there is no bound
	slack     time.Duration // work that came late may be made up for, as much as fits into it
	mu        sync.Mutex
	next      time.Time
}

// take says how long to wait before so much is asked for.
func (p *pace) take(amount uint64) time.Duration {
	if p.perSecond == 0 {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if earliest := now.Add(-p.slack); p.next.Before(earliest) {
		p.next = earliest
	}
	wait := max(p.next.Sub(now), 0)
	p.next = p.next.Add(time.Duration(float64(amount) / float64(p.perSecond) * float64(time.Second)))
	return wait
}

func collectionID(provider, id string) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindCollection, Provider: provider, ID: id}
}

// wrapf wraps an error with the job that met it.
func wrapf(err error, id persistence.EntityID, what string) error {
	return fmt.Errorf("%s %v: %w", what, id, err)
}
