package quickjs

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
	"unicode/utf8"

	"concord/actors/jsonvalue"
	"concord/actors/script"
)

// Pool runs scripts in worker processes. It may be used by many goroutines.
type Pool struct {
	options Options
	queue   chan *task
	gate    gate
	starts  chan func() // for the thread that starts workers
	life    context.Context
	stop    context.CancelFunc // ends life
	drivers sync.WaitGroup
	starter sync.WaitGroup

	mu      sync.RWMutex // it is held while a task is put in line, so that none is after the pool has closed
	closed  bool
	refused sync.WaitGroup // goroutines that tell a refusal
}

var _ script.Runner = (*Pool)(nil)

// task is a job on its way.
type task struct {
	job   script.Job
	check bool
	came  time.Time
	done  func(script.Outcome)
}

// NewPool returns a pool that starts its workers when there is work. The caller must close it.
func NewPool(o Options) *Pool {
	o = o.complete()
	p := &Pool{options: o, queue: make(chan *task, o.QueueMax), starts: make(chan func())}
	p.life, p.stop = context.WithCancel(context.Background())
	p.starter.Go(p.startWorkers)
	for range o.Workers {
		p.drivers.Go((&driver{pool: p}).drive)
	}
	return p
}

// startWorkers is the one thread that starts workers. The kernel ends a worker when the thread that started it ends, so this
// one lasts as long as the pool, and its goroutine never leaves it.
func (p *Pool) startWorkers() {
	runtime.LockOSThread()
	for start := range p.starts {
		start()
	}
}

// Run queues the job. done is called once, on another goroutine, also if the pool closes; it must not wait.
func (p *Pool) Run(job script.Job, done func(script.Outcome)) {
	p.submit(&task{job: job, came: time.Now(), done: done})
}

// Check runs the source without documents, in the same way: it can be used if it compiles, ends in time and defines a function.
func (p *Pool) Check(source string, done func(*script.Failure)) {
	p.submit(&task{job: script.Job{Source: source}, check: true, came: time.Now(),
		done: func(o script.Outcome) { done(o.Failure) }})
}

// Hold keeps jobs waiting, those that no worker has yet and those that come, until Resume: so that a test can look at what
// else happens while a script runs.
func (p *Pool) Hold() { p.gate.hold() }

// Resume ends a Hold.
func (p *Pool) Resume() { p.gate.resume() }

// Close kills the workers, answers the jobs that are under way or wait as script.Busy, and returns once no goroutine and no
// process of the pool is left. It may be called more than once.
func (p *Pool) Close() {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.stop()
	p.mu.Unlock()
	p.drivers.Wait()
	p.refused.Wait()
	if !first {
		p.starter.Wait()
		return
	}
	close(p.starts)
	p.starter.Wait()
	for {
		select {
		case t := <-p.queue:
			p.end(t, 0, failed(stopping))
		default:
			return
		}
	}
}

// stopping is the answer to jobs of a pool that closes. The script is not to blame: who can wait comes again.
var stopping = script.Failure{Reason: script.Busy, Detail: "stopping"}

func failed(f script.Failure) script.Outcome { return script.Outcome{Failure: &f} }

func (p *Pool) submit(t *task) {
	f := p.acceptable(t)
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		go p.end(t, 0, failed(stopping)) // the pool is over, so that nobody waits for this one
		return
	}
	if f == nil {
		select {
		case p.queue <- t:
			return
		default:
			f = &script.Failure{Reason: script.Busy, Detail: fmt.Sprintf("%d jobs wait for a worker", p.options.QueueMax)}
		}
	}
	p.refused.Go(func() { p.end(t, 0, failed(*f)) })
}

// end tells the outcome of a task whose work took so long.
func (p *Pool) end(t *task, took time.Duration, o script.Outcome) {
	var why script.Reason
	if o.Failure != nil {
		why = o.Failure.Reason
	}
	p.options.Observer.Ended(why, time.Since(t.came)-took, took)
	t.done(o)
}

// acceptable judges the size of a task, so that none that is too large waits in memory.
func (p *Pool) acceptable(t *task) *script.Failure {
	job := &t.job
	if len(job.Source) > sourceMaxBytes {
		return &script.Failure{Reason: script.Syntax, Detail: fmt.Sprintf("it has more than %d bytes", sourceMaxBytes)}
	}
	size := 0
	for i := range job.Parts {
		part := &job.Parts[i]
		size += len(part.Path) + len(part.Document) + len(part.Base) + len(part.Client) + len(part.Server)
		if size > p.options.JobMaxBytes {
			return &script.Failure{Reason: script.Input, Path: part.Path,
				Detail: fmt.Sprintf("the documents have more than %d bytes", p.options.JobMaxBytes)}
		}
	}
	return nil
}

// request makes what a worker is asked of a task, unless a script must not run for it.
func (p *Pool) request(t *task, id uint64) (*request, *script.Failure) {
	job := &t.job
	if !utf8.ValidString(job.Source) {
		return nil, &script.Failure{Reason: script.Syntax, Detail: "it is not UTF-8"}
	}
	c := &job.Context
	if max(c.BaseVersion, c.CurrentVersion) > safeMax {
		return nil, &script.Failure{Reason: script.Input, Detail: "a version that JavaScript cannot hold exactly"}
	}
	q := &request{ID: id, Check: t.check, Source: job.Source, Context: *c, Limits: p.options.limits()}
	for i := range job.Parts {
		in := &job.Parts[i]
		for _, text := range [][]byte{in.Base, in.Client, in.Server} {
			if detail := unfit(text); detail != "" {
				return nil, &script.Failure{Reason: script.Input, Path: in.Path, Detail: detail}
			}
		}
		q.Parts = append(q.Parts, part(*in))
	}
	return q, nil
}

// safeMax is the largest version that a script can be told.
const safeMax = 1<<53 - 1

// unfit says why a script cannot have a document; "" if it can.
func unfit(text []byte) string {
	if text == nil {
		return ""
	}
	if _, err := jsonvalue.Check(text); err != nil {
		return "a side is not JSON"
	}
	if !exactNumbers(text) {
		return "a number that JavaScript cannot hold exactly"
	}
	return ""
}
