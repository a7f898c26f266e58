package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Bounds of the respawn.
const (
	respawnWaitMin = 100 * time.Millisecond
	respawnWaitMax = 30 * time.Second
	// A server that ran for so long counts as started well: after its crash the wait begins small again.
	respawnSettled = time.Minute
	// What a server that is told to stop has beyond its own bound until it is killed.
	respawnGrace = 5 * time.Second
)

// endedError is how something ended that has told why itself: a process that was run, or a command that shows its outcome.
type endedError struct{ code int }

func (e endedError) Error() string { return fmt.Sprintf("it ended with exit code %d", e.code) }

// respawn runs the server as a process of its own and starts it again when it crashes: when it ends by a signal, or with
// an exit code from exitCrash on. It ends when the server ends in another way, or by its own stop.
func (a *app) respawn(ctx context.Context) error {
	runtime.LockOSThread() // the kernel stops the server when the thread that started it ends: this one lasts
	for wait := respawnWaitMin; ; wait = min(2*wait, respawnWaitMax) {
		begin := time.Now()
		err := a.serveOnce(ctx)
		crash, ended := errors.AsType[*exec.ExitError](err)
		switch {
		case err == nil:
			return nil
		case !ended:
			return fmt.Errorf("run the server: %w", err)
		case crash.ExitCode() >= 0 && crash.ExitCode() < exitCrash || ctx.Err() != nil:
			return endedError{max(crash.ExitCode(), exitError)}
		}
		if time.Since(begin) > respawnSettled {
			wait = respawnWaitMin
		}
		a.sayf("concord: the server crashed (%v): starting it again in %v", crash, wait)
		if !pause(ctx, wait) {
			return nil
		}
	}
}

// pause waits, and is false if the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// serveOnce runs the server until it ends; the end of ctx tells it to.
func (a *app) serveOnce(ctx context.Context) error {
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, executable, append(os.Args[1:], "--respawn=false")...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	// A panic then ends it by a signal, and not with the code of a usage error.
	cmd.Env = append(os.Environ(), "GOTRACEBACK=crash")
	cmd.SysProcAttr = supervised()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopMax + respawnGrace
	err = cmd.Run()
	if err != nil && ctx.Err() != nil && cmd.ProcessState != nil && cmd.ProcessState.Success() {
		return nil // it ended well because it was told to, and that is no error here
	}
	return err
}
