package faults

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"concord/actors/lock/scenario"
	"concord/actors/script/quickjs"
)

// hostile are scripts that no operator should write, and why each gives no result.
var hostile = map[string]struct{ source, reason string }{
	"an endless loop":            {"function merge() { for (;;) {} }", "timeout"},
	"a loop inside the engine":   {"function merge() { return /(a*)*(a*)*b/.test('a'.repeat(60)) }", "timeout"},
	"all memory":                 {"function merge() { const a = []; for (;;) a.push(new Uint8Array(4000000)) }", "memory"},
	"a string without end":       {"function merge() { let s = 'x'; for (;;) s += s }", "threw"}, // the engine bounds strings
	"recursion without end":      {"function merge(b, c, s, x) { return 1 + merge(b, c, s, x) }", "memory"},
	"an exception":               {"function merge() { throw new Error('the document is secret') }", "threw"},
	"no value":                   {"function merge() { return NaN }", "garbage"},
	"a function":                 {"function merge() { return () => 1 }", "garbage"},
	"more than a document holds": {"function merge() { return 'x'.repeat(600000) }", "garbage"},
	"a look for a way out":       {"function merge() { return std.loadFile('/etc/passwd') }", "threw"},
}

// TestHostileScripts runs them in a service: each update is refused with its reason, nothing is written, the scope is free at
// once, and others go on.
func TestHostileScripts(t *testing.T) {
	h, closeLink := startKilled(t)
	defer closeLink()
	n := 0
	for name, script := range hostile {
		t.Run(name, func(t *testing.T) {
			n++
			d, id := h.doors()[0], "hostile"+strconv.Itoa(n)
			scripted(t, d, id, script.source)
			r, err := d.do(staleWrite(id))
			if err != nil || r.code != "merge-failed" || r.body["reason"] != script.reason {
				t.Errorf("%v %s", err, r.text)
			}
			if bytes.Contains(r.text, []byte("secret")) {
				t.Errorf("the answer tells of the document: %s", r.text)
			}
			checkFree(t, d, id, 2)
		})
	}
	h.p.stop()
	checkStore(t, h.p)
}

// scripted is a collection at version 2, of a type with the script.
func scripted(t *testing.T, d door, id, source string) {
	t.Helper()
	for _, c := range []call{
		{op: "type.put", id: id, body: map[string]any{"conflict": map[string]any{"script": map[string]any{"source": source}}}},
		{op: "collection.put", id: id, body: map[string]any{"type": id, "documents": map[string]any{"a": 1}}},
		{op: "document.put", id: id, inner: "a", body: map[string]any{"value": 2}},
	} {
		succeed(t, d, c)
	}
}

// staleWrite is an update that the script has to merge.
func staleWrite(id string) call {
	return call{op: "document.put", id: id, inner: "a", by: bob,
		body: map[string]any{"baseVersion": 1, "policy": "server-logic", "value": 3}}
}

// checkFree: the collection is at the version still, and can be written.
func checkFree(t *testing.T, d door, id string, version uint64) {
	t.Helper()
	if r := succeed(t, d, call{op: "lock.get", id: id}); r.body["state"] != "free" {
		t.Errorf("the scope is not free: %s", r.text)
	}
	if r := succeed(t, d, call{op: "collection.get", id: id}); number(r.body["version"]) != version {
		t.Errorf("something was written: %s", r.text)
	}
	succeed(t, d, call{op: "document.put", id: id, inner: "b", by: ann, body: map[string]any{"value": 1}})
}

// workersOf are the processes that run merge code for a service.
func workersOf(t *testing.T, service int) (pids []int) {
	t.Helper()
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended meanwhile
		}
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) < 2 || string(fields[1]) != strconv.Itoa(service) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err == nil && bytes.Contains(command, []byte(quickjs.WorkerCommand)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

const (
	workerKillsMax   = 20
	workerKillWithin = 60 * time.Millisecond
)

// TestKillTheWorker kills the process that runs a script in the midst of it: the update is refused, and the next is merged.
func TestKillTheWorker(t *testing.T) {
	h, closeLink := startKilled(t)
	defer closeLink()
	d := h.doors()[0]
	scripted(t, d, "loop", hostile["an endless loop"].source)
	scripted(t, d, "good", "function merge(base, client, server) { return [client, server] }")
	crashed := false
	for try := 0; try < workerKillsMax && !crashed; try++ {
		answered := make(chan reply, 1)
		go func() {
			r, err := d.do(staleWrite("loop"))
			if err != nil {
				t.Error(err)
			}
			answered <- r
		}()
		<-time.After(workerKillWithin) // the moment of the fault
		for _, pid := range workersOf(t, h.p.cmd.Process.Pid) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Log(err) // it has ended by itself
			}
		}
		r := <-answered
		if r.code != "merge-failed" {
			t.Fatalf("%s", r.text)
		}
		crashed = r.body["reason"] == "crashed"
	}
	if !crashed {
		t.Error("no worker was killed while it ran: the test proves nothing")
	}
	checkFree(t, d, "loop", 2)
	if r := succeed(t, d, staleWrite("good")); r.body["resolution"] != "server-logic" {
		t.Errorf("%s", r.text)
	}
}

// TestAuto: while a script runs the scope is busy for all, and nobody is asked to give it up. Where the process is killed
// meanwhile, the update was never there; one that was parked runs again.
func TestAuto(t *testing.T) {
	h, closeLink := startKilled(t)
	defer closeLink()
	const source = "function merge(base, client, server) { return [client, server] }"
	scripted(t, h.doors()[0], "auto", source)
	scripted(t, h.doors()[0], "parked", source)
	target := &target{house: h, door: h.doors()[0], id: "auto"}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(target.debug("merge/hold"))
	lost := make(chan error, 1)
	go func() {
		_, err := h.doors()[0].do(staleWrite("auto"))
		lost <- err
	}()
	check(target.await("auto"))
	for _, d := range h.doors() {
		for _, c := range []call{{op: "document.put", inner: "a", body: map[string]any{"value": 4}}, {op: "lock.acquire", body: map[string]any{}},
			staleWrite("auto")} {
			c.id, c.by = "auto", scenario.Party{Principal: "cat", Session: "1"}
			if r, err := d.do(c); err != nil || r.code != "locked" || r.body["state"] != "auto" {
				t.Errorf("%s over %s: %v %s", c.op, d.name(), err, r.text)
			}
		}
	}
	token := fmt.Sprint(succeed(t, target.door, call{op: "lock.acquire", id: "parked", by: ann, body: map[string]any{}}).body["token"])
	c := staleWrite("parked")
	c.body["onLocked"] = "queue"
	operation := fmt.Sprint(succeed(t, target.door, c).body["operation"])
	succeed(t, target.door, call{op: "lock.release", id: "parked", by: ann, token: token})
	target.id = "parked"
	check(target.await("auto"))
	check(h.restart())
	if err := <-lost; err == nil {
		t.Error("the process was killed, and the update was answered")
	}
	checkFree(t, h.doors()[0], "auto", 2)
	ask := call{op: "operation.get", id: "parked", inner: operation, by: bob}
	target.door = h.doors()[0]
	r := succeed(t, target.door, ask)
	for try := 0; try < awaitMaxTries && r.body["state"] == "waiting"; try++ {
		r = succeed(t, target.door, ask)
	}
	if r.body["state"] != "done" || number(r.body["version"]) != 3 {
		t.Errorf("%s", r.text)
	}
	r = succeed(t, target.door, call{op: "document.get", id: "parked", inner: "a"})
	if fmt.Sprint(r.body["value"]) != "[3 2]" {
		t.Errorf("%s", r.text)
	}
}
