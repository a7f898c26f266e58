package contenders

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"concord/internal/bench"
)

const (
	readyPollInterval = 10 * time.Millisecond
	readyTryMax       = time.Second
	logTailMaxBytes   = 2048
)

// launch says how to start a server program. It gets a small environment of its own, so that settings
// in the caller's (ETCD_..., PG...) do not reach it.
type launch struct {
	path string
	args []string
	dir  string   // its working directory and home; server.log is there
	as   *account // whom it runs as; nil: as we do
}

// account is a system user.
type account struct{ uid, gid uint32 }

// process is a server program that we started. It is killed if this process ends first.
type process struct {
	name   string
	logged string
	cmd    *exec.Cmd
	done   chan struct{} // closed when the program has ended
	err    error         // how it ended; read after done
}

// find returns the path of a program.
func find(program, debianPackage string) (string, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return "", bench.ErrNotInstalled{Program: program, Package: debianPackage}
	}
	return path, nil
}

// begin starts the program. Its output is appended to server.log.
func (l launch) begin() (*process, error) {
	name := filepath.Base(l.path)
	logged := filepath.Join(l.dir, "server.log")
	log, err := os.OpenFile(logged, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer func() { _ = log.Close() }() // the program has its own copy
	cmd := exec.Command(l.path, l.args...)
	cmd.Dir = l.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + l.dir, "LC_ALL=C", "TZ=UTC"}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = attributes(l.as)

	p := &process{name: name, logged: logged, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() { // owned by p: end waits for it
		// The kernel kills the program when the thread that started it ends, so this one must last.
		runtime.LockOSThread()
		defer close(p.done)
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		<-p.done
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// run starts the program and waits until it has ended well.
func (l launch) run(ctx context.Context) error {
	p, err := l.begin()
	if err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.end(os.Kill))
	}
	if p.err != nil {
		return fmt.Errorf("run %s: %w: %s", p.name, p.err, p.tail())
	}
	return nil
}

// await calls ready until it succeeds. If the program ends before, or startMax or ctx is over, await
// ends it and returns why.
func (p *process) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	for {
		err := tryReady(ctx, ready)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended at its start: %w: %s", p.name, p.err, p.tail())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s does not serve: %w: %s", p.name, err, p.tail()), p.end(os.Kill))
		case <-time.After(readyPollInterval):
		}
	}
}

// tryReady calls ready once, within readyTryMax, so that a program's early end is soon noticed.
func tryReady(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, readyTryMax)
	defer cancel()
	return ready(ctx)
}

// end asks the program to end by a signal, kills it if it does not within stopMaxSeconds, and waits for
// it. It is an error if the program had ended by itself or had to be killed.
func (p *process) end(signal os.Signal) error {
	select {
	case <-p.done:
		return fmt.Errorf("%s had ended by itself: %w: %s", p.name, p.err, p.tail())
	default:
	}
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(stopMaxSeconds * time.Second):
	}
	err := p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
	return errors.Join(fmt.Errorf("%s did not end within %d s and was killed: %s", p.name, stopMaxSeconds, p.tail()), err)
}

// tail returns the end of what the program logged, for an error message.
func (p *process) tail() string {
	text, err := os.ReadFile(p.logged)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logTailMaxBytes):])
}
