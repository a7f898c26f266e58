package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"concord/actors/host"
	"concord/actors/script/quickjs"
	"concord/internal/node"
	"concord/transport"
	"concord/transport/fanout"
	"concord/transport/operations"
)

// The node under test is this test binary, started again: so a planted bug that is compiled into the test is in the
// process, too.
const childVariable = "CONCORD_FAULTS_CHILD"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == quickjs.WorkerCommand { // an argument, since a worker has no environment
		if err := quickjs.Serve(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
		return
	}
	if dir := os.Getenv(childVariable); dir != "" {
		os.Exit(child(dir))
	}
	os.Exit(m.Run())
}

// clockVariable makes the node stand still in time, but for POST /debug/clock/advance.
const clockVariable = "CONCORD_FAULTS_CLOCK"

// syncVariable is how long each sync of the store's log takes.
const syncVariable = "CONCORD_FAULTS_SYNC"

// noBulkVariable makes a node that takes no bulk tasks.
const noBulkVariable = "CONCORD_FAULTS_NO_BULK"

// rightsVariable gives everybody the rights of someRights.
const rightsVariable = "CONCORD_FAULTS_RIGHTS"

// slowLog is a file system whose syncs of the log take so long.
func slowLog(fs vfs.FS, d time.Duration) vfs.FS {
	return errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && (op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData || op.Kind == errorfs.OpFileSyncTo) {
			<-time.After(d) // the disk that the test is about
		}
		return nil
	}))
}

// exitFatal is how the child ends when its node cannot go on.
const exitFatal = 70

// child runs a node until it is told to stop, and says on standard output where it listens.
func child(dir string) int {
	log := zerolog.New(os.Stderr).Level(zerolog.WarnLevel).With().Timestamp().Logger()
	o := options(dir, log)
	o.Fatal = func(err error) {
		log.Error().Err(err).Msg("fatal")
		os.Exit(exitFatal)
	}
	if os.Getenv(clockVariable) != "" {
		o.Clock = host.NewTestClock(time.Time{})
	}
	o.Limits.Bulk.Enabled = os.Getenv(noBulkVariable) == ""
	if os.Getenv(rightsVariable) != "" {
		o.Auth = someRights{}
	}
	if d, err := time.ParseDuration(os.Getenv(syncVariable)); err == nil {
		o.FS = slowLog(vfs.Default, d)
	}
	n, err := node.Start(o)
	if err != nil {
		log.Error().Err(err).Msg("start")
		return 1
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	fmt.Println(n.NATSAddress(), n.HTTPAddress())
	<-stop
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		log.Error().Err(err).Msg("stop")
		return 1
	}
	return 0
}

func options(dir string, log zerolog.Logger) node.Options {
	return node.Options{
		Data: dir, NATSHost: "127.0.0.1", HTTPHost: "127.0.0.1", Auth: transport.AuthOff{}, AuthOff: true,
		Prefix: "concord.v1", Version: "0.0.0", Limits: operations.DefaultLimits, Transport: transport.DefaultLimits,
		Bounds: host.DefaultBounds, Log: log, Scripts: &quickjs.Options{},
		Events: fanout.Config{Stream: "CONCORD_EVENTS", MaxAge: 24 * time.Hour, MaxBytes: 1 << 30},
	}
}

// process is a node as a process of its own. It may be killed and started again on the same directory.
type process struct {
	t         testing.TB
	dir       string
	variables []string // of its environment

	mu      sync.Mutex
	cmd     *exec.Cmd
	url     string
	http    string
	exited  chan struct{}
	started int
}

func startProcess(t testing.TB, variables ...string) *process {
	p := &process{t: t, dir: t.TempDir(), variables: variables}
	p.start()
	t.Cleanup(p.kill)
	return p
}

// starter starts processes on a thread that lasts: the kernel kills them when the one that started them ends, and threads of the
// nodes that tests have in this process do.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// start brings the process up and returns when it answers.
func (p *process) start() {
	p.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childVariable+"="+p.dir, "GOMAXPROCS=4"), p.variables...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	begun := make(chan error, 1)
	starter() <- func() { begun <- cmd.Start() }
	if err := <-begun; err != nil {
		p.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = cmd.Wait()
		p.t.Fatalf("the node did not start: %v, %v", err, cmd.ProcessState)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd, p.exited = cmd, make(chan struct{})
	p.url, p.http, _ = strings.Cut(strings.TrimSpace(line), " ")
	p.started++
	go func() {
		_ = cmd.Wait()
		close(p.exited)
	}()
}

func (p *process) signal(s syscall.Signal) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.cmd.Process.Signal(s) // it may have ended by itself, which is what the checks are for
	return p.exited
}

// kill ends the process without warning.
func (p *process) kill() { <-p.signal(syscall.SIGKILL) }

// stop ends it in order, and checks that it says so.
func (p *process) stop() {
	p.t.Helper()
	<-p.signal(syscall.SIGTERM)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Fatalf("the node stopped with exit code %d", code)
	}
}

func (p *process) address() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.url
}

func (p *process) httpAddress() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.http
}

func (p *process) storeDir() string { return filepath.Join(p.dir, "store") }

// link is one client's connection, made anew when the process has another address.
type link struct {
	p   *process
	nc  *nats.Conn
	url string
}

// answer is what came of a request.
type answer struct {
	body   []byte
	status int // 0: success
}

// errUnknown means that there was no answer: whether the request had an effect is not known.
type errUnknown struct{ err error }

func (e errUnknown) Error() string { return "no answer: " + e.err.Error() }

const requestTimeout = 2 * time.Second

// connection is one to the process as it is now.
func (l *link) connection() (*nats.Conn, error) {
	url := l.p.address()
	if l.nc != nil && l.url == url && !l.nc.IsClosed() {
		return l.nc, nil
	}
	if l.nc != nil {
		l.nc.Close()
	}
	nc, err := nats.Connect(url, nats.NoReconnect(), nats.Timeout(time.Second))
	if err != nil {
		l.nc = nil
		return nil, err
	}
	l.nc, l.url = nc, url
	return nc, nil
}

func (l *link) request(ctx context.Context, subject, body, key string) (answer, error) {
	if _, err := l.connection(); err != nil {
		return answer{}, errUnknown{err}
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	msg := &nats.Msg{Subject: "concord.v1." + subject, Data: []byte(body), Header: nats.Header{}}
	if key != "" {
		msg.Header.Set(transport.HeaderIdempotencyKey, key)
	}
	reply, err := l.nc.RequestMsgWithContext(ctx, msg)
	if err != nil {
		return answer{}, errUnknown{err}
	}
	a := answer{body: reply.Data}
	if code := reply.Header.Get(transport.HeaderServiceCode); code != "" {
		a.status, err = strconv.Atoi(code)
	}
	return a, err
}

func (l *link) close() {
	if l.nc != nil {
		l.nc.Close()
	}
}

// result is the part of an answer that the checkers look at.
type result struct {
	Version uint64 `json:"version"`
	Seq     uint64 `json:"seq"`
	Changed bool   `json:"changed"`
	Value   struct {
		N string `json:"n"`
	} `json:"value"`
}

func (a answer) result(t testing.TB) result {
	t.Helper()
	var r result
	if err := json.Unmarshal(a.body, &r); err != nil {
		t.Fatalf("unreadable answer %q: %v", a.body, err)
	}
	return r
}

// count is a number from the environment.
func count(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// mustResult is result where no test is at hand: an unreadable answer is a bug that must not go unseen.
func mustResult(a answer) result {
	var r result
	if err := json.Unmarshal(a.body, &r); err != nil {
		panic(fmt.Sprintf("unreadable answer %q: %v", a.body, err))
	}
	return r
}
