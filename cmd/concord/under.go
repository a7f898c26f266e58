package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"concord/transport/client"
)

// Names in the environment of a command that runs under a lock.
const (
	envLockToken = "CONCORD_LOCK_TOKEN" //nolint:gosec // a name
	envLockFence = "CONCORD_LOCK_FENCE"
)

// killWait is how long a command may take to end once it is told to.
const killWait = 10 * time.Second

// runUnder runs a command while the lock is held, and ends it when the lock is lost.
func (a *app) runUnder(ctx context.Context, l *client.Lock, command []string) error {
	held, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(l.Context(), stop)()
	cmd := exec.CommandContext(held, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.out, a.errs
	cmd.Env = append(os.Environ(), a.sessionEnvironment(l)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = killWait
	err := cmd.Run()
	if lost := l.Err(); lost != nil {
		return fmt.Errorf("%s was ended: %w", command[0], lost)
	}
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return endedError{max(failed.ExitCode(), exitError)}
	}
	return err
}

// sessionEnvironment has the commands below call as this one does.
func (a *app) sessionEnvironment(l *client.Lock) []string {
	g := &a.global
	env := []string{envLockToken + "=" + l.Token(), envLockFence + "=" + strconv.FormatUint(l.Fence(), 10)}
	for name, value := range map[string]string{envServer: g.server, envProvider: g.provider, envPrincipal: g.principal,
		envSession: g.session, envTokenFile: g.tokenFile, envPrefix: g.prefix} {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}
