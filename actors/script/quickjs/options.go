package quickjs

import (
	"cmp"
	"time"

	"concord/actors/script"
)

// WorkerCommand is the subcommand of the service's own program that is a worker.
const WorkerCommand = "merge-worker"

// Bounds are what an operator may set of a pool. A field that is zero takes its value from DefaultBounds.
type Bounds struct {
	// Workers is how many processes run at most. One that is idle has some 10 MiB of its own.
	Workers int
	// QueueMax is how many jobs wait for a worker. Each keeps its documents in memory.
	QueueMax int
	// Timeout is how long the scripts of one job may run in all, in processor time. A worker ends itself at twice that.
	Timeout time.Duration
	// MemoryMaxBytes is how much a script may have.
	MemoryMaxBytes int64
}

// DefaultBounds fit the documents that Concord takes by default.
var DefaultBounds = Bounds{Workers: 1, QueueMax: 64, Timeout: 250 * time.Millisecond, MemoryMaxBytes: 64 << 20}

// Options are how a pool runs scripts. A field that is zero has the default that is said beside it.
type Options struct {
	Bounds
	// Command starts a worker, by an absolute path; none: this program with WorkerCommand.
	Command []string
	// Wall is how long a job may take on the clock, from when a worker has it: beyond it the worker is killed. It must leave
	// room for a busy machine, where a worker is the last to run. Zero: 20 times the Timeout.
	Wall time.Duration
	// ResultMaxBytes bounds the result of one part. Zero: 512 KiB.
	ResultMaxBytes int
	// JobMaxBytes bounds the documents of a job, and all its results together. Zero: 4 MiB.
	JobMaxBytes int
	// WorkerMaxJobs is after how many jobs a worker is replaced. Zero: 1000.
	WorkerMaxJobs int
	// Observer is told what happens.
	Observer Observer

	nice int // the priority of workers; zero: lowestPriority
}

// Defaults of the options that are no settings.
const (
	wallPerTimeout = 20
	resultMaxBytes = 512 << 10
	jobMaxBytes    = 4 << 20
	workerMaxJobs  = 1000
)

// Bounds that are fixed.
const (
	// So that a script takes only what the service leaves: at full load some hundredths of a processor.
	lowestPriority = 19
	// A frame of the interpreter takes up to 8 KiB of the worker's own stack.
	stackMaxFrames = 2000
	// How long a worker has to get ready. It takes some milliseconds; only a machine that is very busy needs seconds.
	startMax = 10 * time.Second
)

// Observer is told what a pool does, on the pool's goroutines. Fields that are nil are not called.
type Observer struct {
	// Ended is told of each job: why it failed, "" if it did not, how long it waited for a worker, and how long that took.
	Ended func(why script.Reason, waited, took time.Duration)
	// Started is told of each worker that was started, and how long it took until it was ready.
	Started func(took time.Duration)
	// Lost is told of each worker that had to be killed, or has ended itself.
	Lost func()
}

// complete fills in what was left out.
func (o Options) complete() Options {
	d := &DefaultBounds
	o.Workers = cmp.Or(o.Workers, d.Workers)
	o.QueueMax = cmp.Or(o.QueueMax, d.QueueMax)
	o.Timeout = cmp.Or(o.Timeout, d.Timeout)
	o.MemoryMaxBytes = cmp.Or(o.MemoryMaxBytes, d.MemoryMaxBytes)
	o.Wall = cmp.Or(o.Wall, wallPerTimeout*o.Timeout)
	o.ResultMaxBytes = cmp.Or(o.ResultMaxBytes, resultMaxBytes)
	o.JobMaxBytes = cmp.Or(o.JobMaxBytes, jobMaxBytes)
	o.WorkerMaxJobs = cmp.Or(o.WorkerMaxJobs, workerMaxJobs)
	o.nice = cmp.Or(o.nice, lowestPriority)
	if o.Observer.Ended == nil {
		o.Observer.Ended = func(script.Reason, time.Duration, time.Duration) {}
	}
	if o.Observer.Started == nil {
		o.Observer.Started = func(time.Duration) {}
	}
	if o.Observer.Lost == nil {
		o.Observer.Lost = func() {}
	}
	return o
}

func (o *Options) limits() limits {
	return limits{MemoryMaxBytes: o.MemoryMaxBytes, StackMaxFrames: stackMaxFrames, RunNanos: o.Timeout.Nanoseconds(),
		ResultMaxBytes: o.ResultMaxBytes, ResultsMaxBytes: o.JobMaxBytes}
}

// answerMaxBytes is the longest line that a worker may answer: all results as base64, a name for each.
func (o *Options) answerMaxBytes(parts int) int {
	return o.JobMaxBytes/3*4 + parts*resultExtraBytes + lineExtraBytes
}
