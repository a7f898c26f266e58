// Package child runs this program once more, as a server beside the command that needs one: for benchmarks, which must
// not share a process with what they measure.
package child

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Bounds of a server.
const (
	startMax        = 60 * time.Second
	stopMax         = 30 * time.Second
	readyPollEvery  = 2 * time.Millisecond
	logTailMaxBytes = 2048
)

// Options of a server.
type Options struct {
	Args []string // the command and its flags, without --ready-file
	Dir  string   // for the ready file and the log; it exists
	Env  []string // further variables
}

// Addresses are what a server writes into its ready file.
type Addresses struct {
	NATS string `json:"nats"`
	HTTP string `json:"http"`
}

// Server is a running server of ours. It is killed when this process ends without having stopped it.
type Server struct {
	Addresses
	PID       int
	StartTook time.Duration // from its start until it was ready

	command *exec.Cmd
	log     string
	ended   chan struct{}
	err     error // how it ended; read after ended
}

// Start starts a server and returns once it is ready.
func Start(ctx context.Context, o Options) (*Server, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	ready := filepath.Join(o.Dir, "ready.json")
	if err := os.Remove(ready); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the ready file of an earlier server: %w", err)
	}
	s := &Server{log: filepath.Join(o.Dir, "server.log"), ended: make(chan struct{})}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	defer func() { _ = log.Close() }()                                             // the server has its own copy
	s.command = exec.Command(executable, append(o.Args, "--ready-file", ready)...) //nolint:noctx // Stop ends it
	s.command.Env = append(environ(), o.Env...)
	s.command.Stdout, s.command.Stderr = log, log
	s.command.SysProcAttr = dieWithParent()
	begin := time.Now()
	if err := s.begin(); err != nil {
		return nil, err
	}
	s.PID = s.command.Process.Pid
	if err := s.await(ctx, ready); err != nil {
		return nil, errors.Join(err, s.Kill())
	}
	s.StartTook = time.Since(begin)
	return s, nil
}

// environ is our environment without settings of Concord: the server gets those of its arguments alone.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "CONCORD_") })
}

// begin starts the process and a goroutine that waits for its end, which Stop and Kill wait for.
func (s *Server) begin() error {
	started := make(chan error)
	go func() {
		// The kernel kills the server when the thread that started it ends, so this one must last.
		runtime.LockOSThread()
		defer close(s.ended)
		err := s.command.Start()
		started <- err
		if err == nil {
			s.err = s.command.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start a server: %w", err)
	}
	return nil
}

// await polls for the ready file.
func (s *Server) await(ctx context.Context, ready string) error {
	ctx, cancel := context.WithTimeout(ctx, startMax)
	defer cancel()
	for {
		text, err := os.ReadFile(ready)
		if err == nil {
			return json.Unmarshal(text, &s.Addresses)
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the server ended at its start: %w: %s", s.err, s.Tail())
		case <-ctx.Done():
			return fmt.Errorf("the server does not get ready: %w: %s", ctx.Err(), s.Tail())
		case <-time.After(readyPollEvery):
		}
	}
}

// Stop ends the server in its own order and waits for it.
func (s *Server) Stop() error {
	select {
	case <-s.ended:
		return fmt.Errorf("the server had ended by itself: %w: %s", s.err, s.Tail())
	default:
	}
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the server: %w", err)
	}
	select {
	case <-s.ended:
		if s.err != nil {
			return fmt.Errorf("the server did not end well: %w: %s", s.err, s.Tail())
		}
		return nil
	case <-time.After(stopMax):
		return errors.Join(fmt.Errorf("the server did not end within %v: %s", stopMax, s.Tail()), s.Kill())
	}
}

// Kill ends the server at once, as a crash would, and waits for it.
func (s *Server) Kill() error {
	err := s.command.Process.Kill()
	<-s.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Tail is the end of what the server logged, for an error message.
func (s *Server) Tail() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-logTailMaxBytes):])
}
