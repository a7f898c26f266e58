package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"concord/actors"
	"concord/actors/entity"
	"concord/actors/host"
	"concord/actors/jobs"
	"concord/actors/problem"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/transport"
	"concord/transport/cmr"
	"concord/transport/dossier"
	"concord/transport/folio"
	"concord/transport/httpapi"
	"concord/transport/kinvey"
	"concord/transport/operations"
)

const (
	partitions  = 8
	stopTimeout = 10 * time.Second
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// stack is a whole service over a store in memory, with HTTP in front.
type stack struct {
	testing.TB
	config  httpapi.Config
	gate    transport.Gate
	store   *pebblestore.Store
	host    *host.Host
	clock   *host.TestClock
	world   *entity.World
	service *operations.Service
	table   []*transport.Operation
	server  *httpapi.Server
	logged  *log
	openapi *openAPI
	tasks   *jobs.Tasks // works on bulk tasks; nil: nothing does
}

// log is what the observer was told.
type log struct {
	mu       sync.Mutex
	refused  []*problem.Problem
	causes   []error
	dropped  []string
	panics   []any
	answered []string
	warned   []string
	forget   bool // all but panics: for long runs
}

func (l *log) observer() httpapi.Observer {
	return httpapi.Observer{
		Answered: func(op *transport.Operation, code problem.Code, _ time.Duration) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if !l.forget {
				l.answered = append(l.answered, op.Name+" "+string(code))
			}
		},
		Refused: func(_ *transport.Request, p *problem.Problem, err error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if !l.forget {
				l.refused, l.causes = append(l.refused, p), append(l.causes, err)
			}
		},
		Dropped: func(reason string) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.dropped = append(l.dropped, reason)
		},
		Panicked: func(_ string, cause any, _ []byte) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.panics = append(l.panics, cause)
		},
		Warned: func(text string) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.warned = append(l.warned, text)
		},
	}
}

// newStack starts a service; configure may change what it is made of.
func newStack(t testing.TB, configure ...func(*stack)) *stack {
	t.Helper()
	s := &stack{TB: t, clock: host.NewTestClock(start), logged: &log{},
		config: httpapi.Config{Version: "1.2.3", Prefix: "concord.v1", Loopback: true}}
	var err error
	s.store, err = pebblestore.Open("store", pebblestore.Options{FS: vfs.NewMem(), Partitions: partitions,
		CacheBytes: 1 << 20, Fatal: func(err error) { t.Errorf("fatal: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	watchers, board := operations.NewWatchers(), operations.NewBoard()
	committer := persistence.NewCommitter(s.store, persistence.CommitMetrics{},
		func(group []*persistence.Entry) { s.host.Committed(group) }, board.Committed, watchers.Committed,
		func(group []*persistence.Entry) {
			if s.tasks != nil {
				s.tasks.Committed(group)
			}
		})
	world := &entity.World{Store: s.store, Committer: committer, Now: s.clock.Now,
		Panicked: func(id persistence.EntityID, _ string, cause any, stack []byte) {
			t.Errorf("%v panicked: %v\n%s", id, cause, stack)
		},
		Failed: func(id persistence.EntityID, _ string, err error) { t.Errorf("%v failed: %v", id, err) }}
	s.world = world
	s.host = host.New(actors.Kinds(actors.DefaultLimits, [32]byte{}), world, s.store, committer, s.clock, host.DefaultBounds,
		host.Observer{Activated: func(time.Duration, error) {}, Passivated: func() {}, Refused: func(string) {}},
		slog.New(slog.DiscardHandler))
	var ids, requests atomic.Int64
	service := &operations.Service{Host: s.host, Store: s.store, Clock: s.clock, Limits: operations.DefaultLimits,
		NewID: func() string { return fmt.Sprintf("id-%d", ids.Add(1)) }, Watchers: watchers, Board: board, Admin: operator{},
		Failed: func(string, error) {}}
	s.service, s.table = service, service.Table()
	s.gate = transport.Gate{Auth: transport.AuthOff{}, Now: s.clock.Now, Limits: transport.DefaultLimits,
		Exists: service.ProviderExists}
	s.config.Aliases = slices.Concat(dossier.Aliases(s.table), kinvey.Aliases(s.table, service.Timed()), cmr.Aliases(s.table, service.BulkWords(), cmr.DefaultLimits),
		folio.Aliases(s.table, service.BulkWords()))
	for _, c := range configure {
		c(s)
	}
	s.server = httpapi.New(s.config, &s.gate, s.table,
		func() string { return fmt.Sprintf("r-%d", requests.Add(1)) }, s.logged.observer())
	s.openapi = readOpenAPI(t, s)
	s.run(committer)
	return s
}

// run starts the goroutines of the service, and stops it in order at the end of the test.
func (s *stack) run(committer *persistence.Committer) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := committer.Run(context.Background()); err != nil {
			s.Errorf("committer: %v", err)
		}
	})
	running.Go(func() {
		if err := s.host.Run(ctx); err != nil {
			s.Errorf("host: %v", err)
		}
	})
	work, rest := context.WithCancel(ctx)
	var working sync.WaitGroup
	if s.tasks != nil {
		working.Go(func() { s.tasks.Run(work) })
	}
	s.Cleanup(func() {
		rest()
		working.Wait()
		stop, done := context.WithTimeout(context.Background(), stopTimeout)
		defer done()
		if err := s.server.Shutdown(stop); err != nil {
			s.Error(err)
		}
		s.host.Close()
		if err := s.host.Drain(stop); err != nil {
			s.Error(err)
		}
		cancel()
		committer.Close()
		running.Wait()
		if err := s.store.Close(); err != nil {
			s.Error(err)
		}
	})
}

// operator is what admin operations ask.
type operator struct{}

func (operator) Status() any { return map[string]any{"healthy": true} }

func (operator) Backup(_ context.Context, name string) (any, error) {
	return map[string]any{"path": "backups/" + name}, nil
}

func (operator) Verify(context.Context) (any, error) { return map[string]any{"records": 7}, nil }

// written is how many records the store has.
func (s *stack) written() (n uint64) {
	for p := range partitions {
		n += uint64(s.store.Last(persistence.Partition(p)))
	}
	return n
}

// header sets a header of a request.
func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add(name, value) }
}

func toHost(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

// answer is what came back.
type answer struct {
	testing.TB
	status int
	header http.Header
	body   []byte
}

// ask sends a request as a client on loopback would. The answer must be one that the OpenAPI document describes.
func (s *stack) ask(method, target, body string, options ...func(*http.Request)) *answer {
	s.Helper()
	r := request(method, target, body, options...)
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	a := &answer{s.TB, w.Code, w.Header(), w.Body.Bytes()}
	s.openapi.check(s.TB, r, a)
	return a
}

func request(method, target, body string, options ...func(*http.Request)) *http.Request {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, target, reader)
	r.Host = "127.0.0.1:8080"
	for _, o := range options {
		o(r)
	}
	if _, given := r.Header["Content-Type"]; body != "" && !given {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// is fails the test unless the answer has the status.
func (a *answer) is(status int) *answer {
	a.Helper()
	if a.status != status {
		a.Fatalf("status %d where %d was expected: %s", a.status, status, a.body)
	}
	return a
}

// into reads the body.
func (a *answer) into(v any) {
	a.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		a.Fatalf("%v: %s", err, a.body)
	}
}

// member is a member of the body, as JSON.
func (a *answer) member(name string) string {
	a.Helper()
	var members map[string]json.RawMessage
	a.into(&members)
	return string(members[name])
}

// text is a member of the body that is a string.
func (a *answer) text(name string) (value string) {
	a.Helper()
	if err := json.Unmarshal([]byte(a.member(name)), &value); err != nil {
		a.Fatalf("no string %s: %s", name, a.body)
	}
	return value
}

func (a *answer) problem() (p transport.ProblemBody) {
	a.Helper()
	if got := a.header.Get("Content-Type"); got != transport.ProblemContentType {
		a.Fatalf("status %d with a body of type %q: %s", a.status, got, a.body)
	}
	a.into(&p)
	return p
}

// openAPI is the service's own document, with which every answer is compared.
type openAPI struct {
	mu       sync.Mutex // of the compiler
	document map[string]any
	compiler *jsonschema.Compiler
	routes   *http.ServeMux
}

func readOpenAPI(t testing.TB, s *stack) *openAPI {
	t.Helper()
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, request("GET", "/openapi.json", ""))
	d := &openAPI{compiler: jsonschema.NewCompiler(), routes: http.NewServeMux()}
	if err := json.Unmarshal(w.Body.Bytes(), &d.document); err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource("mem:openapi", d.document); err != nil {
		t.Fatal(err)
	}
	paths, _ := d.document["paths"].(map[string]any)
	for path, item := range paths {
		for method := range item.(map[string]any) {
			d.routes.HandleFunc(strings.ToUpper(method)+" "+path, func(http.ResponseWriter, *http.Request) {})
		}
	}
	return d
}

// check holds an answer against the document: its status, its media type and its body.
func (d *openAPI) check(t testing.TB, r *http.Request, a *answer) {
	t.Helper()
	_, pattern := d.routes.Handler(r)
	method, path, routed := strings.Cut(pattern, " ")
	if !routed || len(a.body) > 1<<20 {
		return
	}
	pointer := "/paths/" + escape(path) + "/" + strings.ToLower(method) + "/responses/" + fmt.Sprint(a.status)
	response, _ := d.at(pointer).(map[string]any)
	if ref, ok := response["$ref"].(string); ok {
		pointer = strings.TrimPrefix(ref, "#")
		response, _ = d.at(pointer).(map[string]any)
	}
	if response == nil {
		t.Errorf("%s %s: status %d is not documented: %.300s", r.Method, r.URL, a.status, a.body)
		return
	}
	if len(a.body) == 0 {
		return
	}
	mediaType := a.header.Get("Content-Type")
	if mediaType == transport.MediaEventStream {
		return
	}
	pointer += "/content/" + escape(mediaType) + "/schema"
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.compiler.Compile("mem:openapi#" + strings.NewReplacer("{", "%7B", "}", "%7D").Replace(pointer))
	if err != nil {
		t.Errorf("%s %s: %s is not documented for %d: %v", r.Method, r.URL, mediaType, a.status, err)
		return
	}
	if mediaType == transport.MediaCSV || mediaType == transport.MediaLines {
		return // a file
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(a.body)))
	if err != nil {
		t.Errorf("%s %s: %v: %.300s", r.Method, r.URL, err, a.body)
		return
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s %s: %v: %.300s", r.Method, r.URL, err, a.body)
	}
}

func (d *openAPI) at(pointer string) any {
	var node any = d.document
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		members, ok := node.(map[string]any)
		if !ok {
			return nil
		}
		node = members[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
	}
	return node
}

// escape escapes a token of a JSON Pointer.
func escape(token string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(token) }
