package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
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

// respawn runs the server as a process of its own and starts it again when it crashes: when it ends with an exit code
// from exitCrash on, or by a signal. It ends with the server when that ends in another way, or by its own stop.
func (a *app) respawn(ctx context.Context) error {
	wait := respawnWaitMin
	for {
		begin := time.Now()
		err := a.serveOnce(ctx)
		crash, crashed := errors.AsType[*exec.ExitError](err)
		switch {
		case ctx.Err() != nil, err == nil:
			return err
		case !crashed:
			return fmt.Errorf("run the server: %w", err)
		case crash.ExitCode() >= 0 && crash.ExitCode() < exitCrash:
			return exitError_{crash.ExitCode()}
		}
		if time.Since(begin) > respawnSettled {
			wait = respawnWaitMin
		}
		a.sayf("concord: the server crashed (%v): starting it again in %v", crash, wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = min(2*wait, respawnWaitMax)
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
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopMax + respawnGrace
	return cmd.Run()
}
