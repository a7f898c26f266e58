package quickjs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"concord/actors/script"
)

// residentPeak is the most memory that this process ever had, in bytes.
func residentPeak(t *testing.T) int {
	t.Helper()
	return statusBytes(t, os.Getpid(), "VmHWM:")
}

// statusBytes reads a size of a process.
func statusBytes(t *testing.T, pid int, field string) int {
	t.Helper()
	_, rest, found := strings.Cut(read(t, pid, "status"), field)
	var kib int
	if _, err := fmt.Sscan(rest, &kib); err != nil || !found {
		t.Fatalf("%s of process %d: %v", field, pid, err)
	}
	return kib << 10
}

// read is a file of a process.
func read(t testing.TB, pid int, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sayChildren prints the children of this process.
func sayChildren() {
	names, _ := filepath.Glob("/proc/self/task/*/children")
	for _, name := range names {
		text, _ := os.ReadFile(name)
		fmt.Print(string(text))
	}
	fmt.Println()
}

// children are the processes that a process has started and that were not waited for.
func children(t testing.TB, pid int) (pids []int) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil || len(tasks) == 0 {
		t.Skipf("this kernel does not list the children of a process: %v", err)
	}
	for _, name := range tasks {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // a thread that has ended
		}
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			pids = append(pids, child)
		}
	}
	return pids
}

// onlyChild is the one worker of this process.
func onlyChild(t testing.TB) int {
	t.Helper()
	pids := children(t, os.Getpid())
	if len(pids) != 1 {
		t.Fatalf("this process has %d children, want one", len(pids))
	}
	return pids[0]
}

func TestWorkerIsConfined(t *testing.T) {
	inherited, err := unix.Open("/dev/zero", unix.O_RDONLY, 0) // not to be closed on exec
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(inherited)
	p := newPool(t, Options{Bounds: Bounds{Workers: 1}})
	still(t, p)
	pid := onlyChild(t)
	if env := read(t, pid, "environ"); strings.Trim(env, "\x00") != "" {
		t.Errorf("it has an environment: %q", env)
	}
	if group, err := unix.Getpgid(pid); err != nil || group != pid {
		t.Errorf("its process group is %d (%v), want its own, %d", group, err, pid)
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(threads) < 2 {
		t.Fatalf("its threads: %v, %v", threads, err)
	}
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		if nice := strings.Fields(rest)[16]; nice != strconv.Itoa(lowestPriority) {
			t.Errorf("thread %s has priority %s", name, nice)
		}
	}
	for _, fd := range descriptors(t, pid) {
		if strings.HasPrefix(fd, "/") && fd != os.DevNull && !strings.HasPrefix(fd, "/sys/fs/cgroup/") { // the runtime reads those
			t.Errorf("it has inherited %s", fd)
		}
	}
	text := read(t, pid, "limits")
	for _, want := range []string{"Max core file size 0 0", "Max open files 16 16"} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("its limits lack %q:\n%s", want, text)
		}
	}
	for _, resource := range []int{unix.RLIMIT_AS, unix.RLIMIT_DATA} {
		var limit unix.Rlimit
		if err := unix.Prlimit(pid, resource, nil, &limit); err != nil || limit.Max > 4<<30 {
			t.Errorf("its limit %d is %d (%v)", resource, limit.Max, err)
		}
	}
}

// descriptors are what a process has open.
func descriptors(t testing.TB, pid int) (open []string) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			open = append(open, target)
		}
	}
	return open
}

func TestWorkerIsKilledInTheMiddle(t *testing.T) {
	started := make(chan struct{}, 2)
	p := newPool(t, Options{Bounds: Bounds{Workers: 1, Timeout: patience}, nice: 1,
		Observer: Observer{Started: func(time.Duration) { started <- struct{}{} }}})
	outcomes := make(chan script.Outcome, 2)
	p.Run(onePart(`function merge() { for (;;); }`), func(o script.Outcome) { outcomes <- o })
	await(t, started)
	if err := unix.Kill(onlyChild(t), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	o := await(t, outcomes)
	if o.Failure == nil || *o.Failure != (script.Failure{Reason: script.Crashed, Detail: "the worker process ended: signal: killed"}) {
		t.Errorf("%s, %+v", o.Results, o.Failure)
	}
	still(t, p)
}

func TestWorkerThatDiesIdleCostsNoJob(t *testing.T) {
	lost := make(chan struct{}, 2)
	p := newPool(t, Options{Bounds: Bounds{Workers: 1}, nice: 1, Observer: Observer{Lost: func() { lost <- struct{}{} }}})
	still(t, p)
	if err := unix.Kill(onlyChild(t), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, lost)
	still(t, p)
}

func TestStoppedWorkerIsKilledByTheClock(t *testing.T) {
	p := newPool(t, Options{Bounds: Bounds{Workers: 1}, Wall: 2 * time.Second, nice: 1})
	still(t, p)
	if err := unix.Kill(onlyChild(t), unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	o := run(t, p, onePart(`const merge = () => 1`))
	if o.Failure == nil || *o.Failure != (script.Failure{Reason: script.Timeout, Detail: "its process was killed after 2s"}) {
		t.Errorf("%s, %+v", o.Results, o.Failure)
	}
	still(t, p)
}

// A worker that is not ours, or is no longer itself, costs its job and nothing else.
func TestWorkersThatLie(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skipf("no shell here: %v", err)
	}
	const ready = `echo '{"id":0}'; read -r line; `
	for name, command := range map[string][]string{
		"is not there":                    {"/no/such/program"},
		"ends at once":                    {"true"},
		"begins with garbage":             {"echo", "hello"},
		"begins with an answer":           {"echo", `{"id":1}`},
		"begins with a failure":           {"echo", `{"id":0,"failure":{"reason":"threw"}}`},
		"ends instead of an answer":       {"sh", "-c", ready + `exit 3`},
		"answers with garbage":            {"sh", "-c", ready + `echo garbage; read -r more`},
		"answers half a line":             {"sh", "-c", ready + `printf '{"id":1'`},
		"answers without end":             {"sh", "-c", ready + `yes '{"id":1' | tr -d '\n'`},
		"closes its output, and stays":    {"sh", "-c", ready + `exec >&-; read -r more`},
		"answers another job":             {"sh", "-c", ready + `echo '{"id":9,"results":[{}]}'; read -r more`},
		"answers twice a part":            {"sh", "-c", ready + `echo '{"id":1,"results":[{},{}]}'; read -r more`},
		"answers nothing":                 {"sh", "-c", ready + `echo '{"id":1}'; read -r more`},
		"has a result that is no JSON":    {"sh", "-c", ready + `echo '{"id":1,"results":[{"text":"e30="},{"text":"e30"}]}'; read -r more`},
		"has a result of broken JSON":     {"sh", "-c", ready + `echo '{"id":1,"results":[{"text":"e3t7"}]}'; read -r more`},
		"has a result and a failure":      {"sh", "-c", ready + `echo '{"id":1,"results":[{}],"failure":{"reason":"threw"}}'; read -r more`},
		"has a reason that is the pool's": {"sh", "-c", ready + `echo '{"id":1,"failure":{"reason":"busy"}}'; read -r more`},
		"names a part that is none":       {"sh", "-c", ready + `echo '{"id":1,"failure":{"reason":"threw","path":"/x"}}'; read -r more`},
		"has a member that is none":       {"sh", "-c", ready + `echo '{"id":1,"results":[{}],"extra":1}'; read -r more`},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPool(t, Options{Bounds: Bounds{Workers: 1, Timeout: patience}, Command: command, nice: 1})
			for range 2 {
				o := run(t, p, onePart(`const merge = () => 1`))
				if told(o) != "crashed" || o.Failure.Detail == "" || strings.Contains(o.Failure.Detail, "\n") {
					t.Fatalf("%s, %+v", o.Results, o.Failure)
				}
			}
		})
	}
	if left := children(t, os.Getpid()); len(left) != 0 {
		t.Errorf("processes are left: %d", left)
	}
}

func TestManyJobsLeakNothing(t *testing.T) {
	jobs := 10_000
	if testing.Short() || raceDetector {
		jobs = 500
	}
	before := len(descriptors(t, os.Getpid()))
	p := newPool(t, Options{Bounds: Bounds{Workers: 2, Timeout: patience}, nice: 1})
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range jobs / 4 {
				if o := run(t, p, onePart(`const merge = (b, c, s) => [b, c, s]`)); told(o) != `[{"n":1},{"n":2},{"n":3}]` {
					t.Errorf("%s, %+v", o.Results, o.Failure)
					return
				}
			}
		})
	}
	wait.Wait()
	if n := len(children(t, os.Getpid())); n > 2 {
		t.Errorf("%d processes", n)
	}
	p.Close()
	if n := len(children(t, os.Getpid())); n != 0 {
		t.Errorf("%d processes are left", n)
	}
	// What the runtime needs of its own may have come meanwhile: an epoll and an event descriptor, and pidfd's twin.
	if after := len(descriptors(t, os.Getpid())); after > before+3 {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}

func TestWorkersEndWithTheService(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	service := exec.Command(self, serviceArgument)
	out, err := service.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = service.Process.Kill(), service.Wait() }()
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatalf("the service did not say which process its worker is: %v", err)
	}
	worker, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Skipf("no way to wait for a process that is not ours: %v", err)
	}
	defer unix.Close(worker)
	if err := service.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	ready := []unix.PollFd{{Fd: int32(worker), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(ready, int(patience.Milliseconds()))
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if n != 1 || err != nil {
			t.Fatalf("the worker lives on: %d, %v", n, err)
		}
		break
	}
	_, _ = io.Copy(io.Discard, out)
}
