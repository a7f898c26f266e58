package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"concord/cmd/concord/internal/child"
	"concord/transport/client"
)

// The scripts run the program itself: this test binary, called by the name of a command.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"concord": main, "exits": exits, "fake": fake})
}

// exits runs the rest of its arguments and succeeds if that ends with the exit code it was given first.
func exits() {
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != os.Args[1] {
		fmt.Fprintf(os.Stderr, "exit code %s, want %s\n", got, os.Args[1])
		os.Exit(1)
	}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("CONCORD_PRINCIPAL", "ann")
			e.Setenv("GOMAXPROCS", "2")             // many scripts run at once
			e.Setenv("GORACE", "atexit_sleep_ms=0") // else each of some hundred commands ends a second late
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ready": ready, "until": until, "send": send, "address": address, "some": some,
		},
		RequireExplicitExec: true,
	})
}

// waitMax bounds every wait of the scripts.
const waitMax = 30 * time.Second

// poll calls fn until it is true.
func poll(ts *testscript.TestScript, what string, fn func() bool) {
	for begin := time.Now(); !fn(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > waitMax {
			ts.Fatalf("%s does not come", what)
		}
	}
}

// ready waits for a ready file and has the commands after it call that server. HTTP is its other host:port.
func ready(ts *testscript.TestScript, _ bool, args []string) {
	var at child.Addresses
	poll(ts, args[0], func() bool {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && json.Unmarshal(text, &at) == nil && at.NATS != ""
	})
	ts.Setenv("CONCORD_SERVER", at.NATS)
	ts.Setenv("HTTP", strings.TrimPrefix(at.HTTP, "http://"))
}

// address sets a variable to the host:port of the present server.
func address(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimPrefix(ts.Getenv("CONCORD_SERVER"), "nats://"))
}

// some waits until a collection exists.
func some(ts *testscript.TestScript, _ bool, args []string) {
	c, err := client.Connect(ts.Getenv("CONCORD_SERVER"), client.Options{})
	ts.Check(err)
	defer c.Close()
	poll(ts, args[0], func() bool {
		_, err := c.CollectionGet(context.Background(), args[0], client.WithoutDocuments())
		return err == nil
	})
}

// until waits until a file has a match of a pattern; with ! until it is gone.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		poll(ts, "the end of "+args[0], func() bool { _, err := os.Stat(ts.MkAbs(args[0])); return err != nil })
		return
	}
	pattern := regexp.MustCompile("(?m)" + args[1])
	poll(ts, args[0]+" with "+args[1], func() bool {
		text, _ := os.ReadFile(ts.MkAbs(args[0]))
		return pattern.Match(text)
	})
}

var readyLine = regexp.MustCompile(`"pid":([0-9]+).*"message":"ready"`)

// send sends a signal to the server whose log has the last line that says ready.
func send(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM}
	text, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	lines := readyLine.FindAllSubmatch(text, -1)
	if len(lines) == 0 {
		ts.Fatalf("no server is ready in %s", args[1])
	}
	pid, err := strconv.Atoi(string(lines[len(lines)-1][1]))
	ts.Check(err)
	ts.Check(syscall.Kill(pid, signals[args[0]]))
}
