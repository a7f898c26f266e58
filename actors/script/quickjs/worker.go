package quickjs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// worker is a process that runs scripts. It belongs to one driver.
type worker struct {
	process *exec.Cmd
	in      *os.File // ours of its stdin
	out     *os.File // and of its stdout
	lines   *bufio.Reader
	kill    func()
	gone    chan struct{} // closed once the process is, and how it ended is known
	jobs    int
}

// readBytes is the buffer for what a worker answers.
const readBytes = 64 << 10

// startWorker starts a process and waits until it is ready and has its limits.
func (p *Pool) startWorker() (*worker, error) {
	life, kill := context.WithCancel(p.life) // the end of the pool kills it too
	w := &worker{kill: kill, gone: make(chan struct{})}
	if err := p.launch(life, w); err != nil {
		kill()
		return nil, err
	}
	p.drivers.Go(func() {
		_ = w.process.Wait() // how it ended is in its ProcessState
		close(w.gone)
	})
	err := w.greet()
	if err == nil {
		err = confine(w.process.Process.Pid, p.options.MemoryMaxBytes, p.options.nice)
	}
	if err != nil {
		if end := w.ended(); end != nil {
			err = fmt.Errorf("it ended: %v", end)
		}
		w.end()
		return nil, err
	}
	return w, nil
}

// launch starts the process, with pipes as its stdin and stdout and nothing else from us.
func (p *Pool) launch(life context.Context, w *worker) error {
	theirIn, in, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	out, theirOut, err := os.Pipe()
	if err != nil {
		return errors.Join(fmt.Errorf("make a pipe: %w", err), theirIn.Close(), in.Close())
	}
	command, err := p.command(life)
	if err == nil {
		w.process = command
		command.Stdin, command.Stdout = theirIn, theirOut
		command.Env, command.Dir = []string{}, "/"
		command.SysProcAttr = apart()
		started := make(chan error)
		p.starts <- func() { started <- command.Start() }
		err = <-started
	}
	err = errors.Join(err, theirIn.Close(), theirOut.Close())
	if err != nil {
		return errors.Join(err, in.Close(), out.Close())
	}
	w.in, w.out, w.lines = in, out, bufio.NewReaderSize(out, readBytes)
	return nil
}

// command is what starts a worker.
func (p *Pool) command(life context.Context) (*exec.Cmd, error) {
	if c := p.options.Command; len(c) > 0 {
		return exec.CommandContext(life, c[0], c[1:]...), nil
	}
	self, err := executable()
	if err != nil {
		return nil, fmt.Errorf("find the program of a worker: %w", err)
	}
	return exec.CommandContext(life, self, WorkerCommand), nil
}

// greet waits for the first line.
func (w *worker) greet() error {
	line, err := w.exchange(nil, startMax, lineExtraBytes)
	if err != nil {
		return fmt.Errorf("wait for its first line: %w", err)
	}
	if o, err := decodeAnswer(line, &request{}); err != nil || o.Failure != nil {
		return fmt.Errorf("its first line: %w", errAnswer)
	}
	return nil
}

// exchange writes a line and reads the next one, within the time given. After an error the worker is of no use.
func (w *worker) exchange(line []byte, within time.Duration, maxBytes int) ([]byte, error) {
	deadline := time.Now().Add(within)
	if err := errors.Join(w.in.SetWriteDeadline(deadline), w.out.SetReadDeadline(deadline)); err != nil {
		return nil, fmt.Errorf("set the deadline of a worker: %w", err)
	}
	if len(line) > 0 {
		if _, err := w.in.Write(line); err != nil {
			return nil, fmt.Errorf("write to a worker: %w", err)
		}
	}
	answer, err := readLine(w.lines, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("read from a worker: %w", err)
	}
	return answer, nil
}

// endingGrace is how long a process whose pipes are closed has until it counts as one that does not end by itself.
const endingGrace = time.Second

// ended says how the process ended; nil if it has not.
func (w *worker) ended() *os.ProcessState {
	timer := time.NewTimer(endingGrace)
	defer timer.Stop()
	select {
	case <-w.gone:
		return w.process.ProcessState
	case <-timer.C:
		return nil
	}
}

// end kills the process and waits until it is gone.
func (w *worker) end() {
	w.kill()
	<-w.gone
	_ = errors.Join(w.in.Close(), w.out.Close()) // there is nothing to be done about pipes to nobody
}
