package contenders

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"concord/internal/bench"
)

// searchableDir is a temporary directory that servers of another user can search; testing's is private.
func searchableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "concord-contenders-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// begin starts the contender, or skips the test in plain sight.
func begin(t *testing.T, c bench.Contender, dir string) {
	t.Helper()
	err := c.Start(t.Context(), dir)
	if missing, ok := errors.AsType[bench.ErrNotInstalled](err); ok {
		t.Skipf("NOT TESTED: %s: %v; deploy/bench-deps.sh installs it", c.Name(), missing)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// open opens a client and closes it with the test.
func open(t *testing.T, c bench.Contender, i int) bench.Client {
	t.Helper()
	client, err := c.Client(i)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// running returns the processes whose working directory is below dir.
func running(t *testing.T, dir string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, dir+"/") {
			found = append(found, link+" -> "+target)
		}
	}
	return found
}

// preloaded is how many keys exist before a contender's tests.
const preloaded = 300

// Every contender takes the harness's way (preload, updates, reads), and loses no update.
func TestContenders(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chosen, err := Select([]string{name}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			c, dir := chosen[0], searchableDir(t)
			begin(t, c, dir)
			t.Cleanup(func() {
				if err := c.Stop(); err != nil {
					t.Error(err)
				}
				if left := running(t, dir); len(left) != 0 {
					t.Errorf("outlived the stop: %v", left)
				}
			})
			if err := bench.Preload(t.Context(), c, preloaded, 1024); err != nil {
				t.Fatal(err)
			}
			checkMeasure(t, c)
			checkNoUpdateIsLost(t, c)
		})
	}
}

func checkMeasure(t *testing.T, c bench.Contender) {
	t.Helper()
	for share, workload := range []string{"updates", "reads"} {
		w := bench.Workload{
			Name: workload, Clients: 4, Keys: preloaded, PayloadBytes: 1024, ReadShare: float64(share),
			Distribution: bench.Zipf(0.99), WarmUp: 20 * time.Millisecond, Duration: 150 * time.Millisecond,
		}
		m, err := bench.Measure(t.Context(), c, w)
		if c.Name() == "fsync" && share == 1 {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("reads of fsync: %v, want unsupported", err)
			}
			continue
		}
		// On a busy machine no operation may fit into the span, but some overlap it.
		if err != nil || m.MaxMs == 0 || m.Errors != 0 {
			t.Errorf("%s: %+v, %v", workload, m, err)
		}
	}
}

// checkNoUpdateIsLost has several clients write one new key: a store that numbers versions must count
// every update, and every store must return a document that some client wrote last.
func checkNoUpdateIsLost(t *testing.T, c bench.Contender) {
	t.Helper()
	const clients, updatesEach, key = 4, 20, preloaded
	writers, ctx := errgroup.WithContext(t.Context())
	last := make([][]byte, clients)
	all := make([]bench.Client, clients)
	for i := range clients {
		all[i] = open(t, c, i)
		writers.Go(func() error {
			for n := range updatesEach {
				last[i] = fmt.Appendf(nil, `{"client":%d,"update":%d,"pad":"%s"}`, i, n, strings.Repeat("x", 1000))
				if err := all[i].Update(ctx, key, last[i]); err != nil {
					return err
				}
			}
			return all[i].Update(ctx, key+1+i, last[i])
		})
	}
	if err := writers.Wait(); err != nil {
		t.Fatal(err)
	}
	checkVersions(t, all[0], map[int]int64{key: clients * updatesEach, key + 1: 1, key + 1 + clients: 0})
	checkContents(t, c, all[0], key, last)
}

func checkVersions(t *testing.T, client bench.Client, want map[int]int64) {
	t.Helper()
	versioned, ok := client.(bench.Versioned)
	if !ok {
		return // a limit
	}
	for key, version := range want {
		if got, err := versioned.Version(t.Context(), key); err != nil || got != version {
			t.Errorf("key %d is at version %d, %v; want %d", key, got, err, version)
		}
	}
}

func checkContents(t *testing.T, c bench.Contender, client bench.Client, key int, last [][]byte) {
	t.Helper()
	body, err := client.Read(t.Context(), key)
	switch {
	case c.Name() == "fsync":
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("read is %v, want unsupported", err)
		}
	case c.Name() == "echo":
		if err != nil || len(body) != 1024 {
			t.Errorf("read is %d bytes, %v", len(body), err)
		}
	case err != nil:
		t.Error(err)
	case !slices.ContainsFunc(last, func(l []byte) bool { return bytes.Equal(l, body) }):
		t.Errorf("read %.60s, which no client wrote last", body)
	}
}

// A SIGKILL loses nothing that was acknowledged, and the same directory is served again.
func TestAcknowledgedUpdatesSurviveSIGKILL(t *testing.T) {
	t.Parallel()
	postgres, redis, etcd := NewPostgresRowLock(), NewRedis(), NewEtcd()
	for _, row := range []struct {
		contender bench.Contender
		server    func() *process
	}{
		{postgres, func() *process { return postgres.server }},
		{redis, func() *process { return redis.server }},
		{etcd, func() *process { return etcd.server }},
	} {
		t.Run(row.contender.Name(), func(t *testing.T) {
			t.Parallel()
			dir := searchableDir(t)
			begin(t, row.contender, dir)
			acknowledged := updateUntilKilled(t, row.contender, row.server())
			ctx, cancel := context.WithTimeout(t.Context(), startMax)
			defer cancel()
			// PostgreSQL refuses while a process of before still lets go of its shared memory.
			err := row.contender.Start(ctx, dir)
			for err != nil && strings.Contains(err.Error(), "pre-existing shared memory block") && ctx.Err() == nil {
				err = row.contender.Start(ctx, dir)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := row.contender.Stop(); err != nil {
					t.Error(err)
				}
			}()
			client, err := row.contender.Client(0)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = client.Close() }()
			// The update in flight at the kill may have taken effect.
			got, err := client.(bench.Versioned).Version(ctx, 0)
			if err != nil || got < acknowledged || got > acknowledged+1 {
				t.Errorf("version %d, %v; %d updates were acknowledged", got, err, acknowledged)
			}
		})
	}
}

// updateUntilKilled updates key 0 and kills the server meanwhile; it returns how many were acknowledged.
func updateUntilKilled(t *testing.T, c bench.Contender, server *process) int64 {
	t.Helper()
	client, err := c.Client(0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }() // the server is gone
	var acknowledged int64
	killed := make(chan error, 1)
	for ; ; acknowledged++ {
		if acknowledged == 50 {
			go func() { killed <- server.end(os.Kill) }() // waited for below
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		err := client.Update(ctx, 0, []byte(`{"a":1}`))
		cancel()
		if err != nil {
			break
		}
	}
	if acknowledged < 50 {
		t.Fatalf("only %d updates before the kill", acknowledged)
	}
	if err := <-killed; err != nil {
		t.Fatal(err)
	}
	return acknowledged
}

func TestSelect(t *testing.T) {
	for _, row := range []struct{ given, want string }{
		{"echo,pebble,postgres", "echo,pebble,postgres-rowlock,postgres-onestatement"},
		{"postgres-onestatement,postgres", "postgres-onestatement,postgres-rowlock"},
		{"redis,redis", "redis"},
	} {
		chosen, err := Select(strings.Split(row.given, ","), Options{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, c := range chosen {
			names = append(names, c.Name())
		}
		if got := strings.Join(names, ","); got != row.want {
			t.Errorf("%s selects %s, want %s", row.given, got, row.want)
		}
	}
	if _, err := Select([]string{"oracle"}, Options{}); err == nil || !strings.Contains(err.Error(), "natskv") {
		t.Errorf("unknown contender: %v, want an error that names the known ones", err)
	}
	for i, name := range Names() {
		if got := known[i].make(Options{}).Name(); got != name {
			t.Errorf("%s calls itself %s", name, got)
		}
	}
}

func TestPostgresRefusesADirectoryItsUserCannotReach(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("NOT TESTED: only root has to give the server another user")
	}
	closed := filepath.Join(searchableDir(t), "private")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	p := NewPostgresRowLock()
	err := p.Start(t.Context(), closed)
	if missing, ok := errors.AsType[bench.ErrNotInstalled](err); ok {
		t.Skipf("NOT TESTED: %v", missing)
	}
	if err == nil || !strings.Contains(err.Error(), closed) {
		t.Errorf("error is %v, want one that names %s", err, closed)
	}
}

func TestAMissingProgramIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, c := range []bench.Contender{NewRedis(), NewEtcd()} {
		err := c.Start(t.Context(), t.TempDir())
		if missing, ok := errors.AsType[bench.ErrNotInstalled](err); !ok || missing.Package == "" {
			t.Errorf("%s: %v, want ErrNotInstalled", c.Name(), err)
		}
	}
}

func TestAServerThatEndsAtItsStartIsReportedWithItsLog(t *testing.T) {
	dir := t.TempDir()
	p, err := launch{path: "/bin/sh", args: []string{"-c", "echo no luck today; exit 3"}, dir: dir}.begin()
	if err != nil {
		t.Fatal(err)
	}
	err = p.await(t.Context(), func(context.Context) error { return errors.New("refused") })
	if err == nil || !strings.Contains(err.Error(), "no luck today") {
		t.Errorf("error is %v, want one with the log", err)
	}
}

// parentDir tells this test program, started by itself, to start a server there and be killed.
const parentDir = "CONCORD_BENCH_TEST_PARENT_DIR"

func TestAServerDiesWithItsParent(t *testing.T) {
	if dir := os.Getenv(parentDir); dir != "" {
		if _, err := (launch{path: "/bin/sleep", args: []string{"600"}, dir: dir}).begin(); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		select {} // the signal is on its way
	}
	if runtime.GOOS != "linux" {
		t.Skip("NOT TESTED: only Linux kills children with their parent")
	}
	dir := searchableDir(t)
	server := filepath.Join(dir, "server")
	if err := os.Mkdir(server, 0o700); err != nil {
		t.Fatal(err)
	}
	parent := exec.Command(os.Args[0], "-test.run=^TestAServerDiesWithItsParent$")
	parent.Env = append(os.Environ(), parentDir+"="+server)
	if err := parent.Run(); err == nil {
		t.Fatal("the parent was not killed")
	}
	if _, err := os.Stat(filepath.Join(server, "server.log")); err != nil {
		t.Fatalf("the server never started: %v", err)
	}
	for deadline := time.Now().Add(5 * time.Second); len(running(t, dir)) != 0; {
		if time.Now().After(deadline) {
			t.Fatalf("outlived its parent: %v", running(t, dir))
		}
		time.Sleep(readyPollInterval)
	}
}
