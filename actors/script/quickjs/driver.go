package quickjs

import (
	"errors"
	"fmt"
	"os"
	"time"

	"concord/actors/script"
)

// driver is one place for a worker: a goroutine that takes jobs from the queue, one at a time.
type driver struct {
	pool   *Pool
	worker *worker // nil until there is work, and after a worker has gone
	lastID uint64
}

// drive takes jobs until the pool closes.
func (d *driver) drive() {
	defer d.retire()
	for {
		var gone <-chan struct{}
		if d.worker != nil {
			gone = d.worker.gone
		}
		select {
		case <-d.pool.life.Done():
			return
		case <-gone: // it died while it had nothing to do
			d.kill()
		case t := <-d.pool.queue:
			d.pool.gate.pass(d.pool.life.Done())
			begin := time.Now()
			outcome := d.do(t)
			d.pool.end(t, time.Since(begin), outcome)
			d.renew(outcome)
		}
	}
}

// do gives a task to the worker, and starts one if there is none.
func (d *driver) do(t *task) script.Outcome {
	d.lastID++
	q, f := d.pool.request(t, d.lastID)
	if f != nil {
		return script.Outcome{Failure: f}
	}
	line, err := encode(q)
	if err != nil {
		return failed(script.Failure{Reason: script.Input, Detail: "a name in it is not UTF-8"})
	}
	if err := d.ready(); err != nil {
		return d.crashed(err)
	}
	w := d.worker
	w.jobs++
	reply, err := w.exchange(line, d.pool.options.Wall, d.pool.options.answerMaxBytes(len(q.Parts)))
	if err != nil {
		return d.lost(err)
	}
	outcome, err := decodeAnswer(reply, q)
	if err != nil {
		return d.crashed(err)
	}
	return outcome
}

// lost is the outcome of a job whose worker gave no answer: it was late, or is gone.
func (d *driver) lost(err error) script.Outcome {
	if d.stopping() {
		return failed(stopping)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		d.kill()
		return failed(script.Failure{Reason: script.Timeout,
			Detail: fmt.Sprintf("its process was killed after %v", d.pool.options.Wall)})
	}
	end := d.worker.ended()
	switch {
	case end == nil:
		return d.crashed(err)
	case end.ExitCode() == exitLate:
		d.kill()
		return failed(script.Failure{Reason: script.Timeout,
			Detail: fmt.Sprintf("its process ran for longer than %v", latePerLimit*d.pool.options.Timeout)})
	default:
		return d.crashed(fmt.Errorf("the worker process ended: %v", end))
	}
}

// crashed is the outcome of a job whose worker is of no use; what is left of it is killed.
func (d *driver) crashed(err error) script.Outcome {
	if d.stopping() {
		return failed(stopping)
	}
	if d.worker != nil {
		d.kill()
	}
	return failed(script.Failure{Reason: script.Crashed, Detail: oneLine(err.Error())})
}

func (d *driver) stopping() bool { return d.pool.life.Err() != nil }

// ready sees to it that there is a worker.
func (d *driver) ready() error {
	if d.worker != nil {
		select {
		case <-d.worker.gone:
			d.retire()
		default:
			return nil
		}
	}
	begin := time.Now()
	w, err := d.pool.startWorker()
	if err != nil {
		return fmt.Errorf("start a worker: %w", err)
	}
	d.worker = w
	d.pool.options.Observer.Started(time.Since(begin))
	return nil
}

// renew replaces a worker that has done enough, or whose memory a script has filled.
func (d *driver) renew(o script.Outcome) {
	if d.worker == nil {
		return
	}
	full := o.Failure != nil && o.Failure.Reason == script.Memory
	if full || d.worker.jobs >= d.pool.options.WorkerMaxJobs {
		d.retire()
	}
}

// kill is the end of a worker that did not do its work, or has ended itself.
func (d *driver) kill() {
	d.pool.options.Observer.Lost()
	d.retire()
}

// retire ends the worker. It holds nothing that a signal could harm.
func (d *driver) retire() {
	if d.worker != nil {
		d.worker.end()
		d.worker = nil
	}
}
