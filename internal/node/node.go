// Package node wires one node of Concord: store, committer, host, operations, the two APIs and the fan-out. cmd and the
// tests of the whole go through here; it holds no rule of its own.
package node

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"concord/actors"
	"concord/actors/entity"
	"concord/actors/host"
	"concord/actors/jobs"
	"concord/actors/script/quickjs"
	"concord/internal/telemetry"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/transport"
	"concord/transport/fanout"
	"concord/transport/httpapi"
	"concord/transport/natsapi"
	"concord/transport/operations"
)

// Options of a node.
type Options struct {
	Data     string // directory
	Memory   bool   // keep everything in memory instead
	FS       vfs.FS // nil: the operating system's, or memory; for tests
	NATSHost string
	NATSPort int    // 0: a free one
	NATSURL  string // external servers instead of the embedded one
	HTTPHost string
	HTTPPort int
	Auth     transport.Authenticator
	AuthOff  bool
	Clock    *host.TestClock // nil: the system's
	Prefix   string          // of subjects
	Version  string
	Debug    bool

	Scripts *quickjs.Options // how merge scripts are run; nil: they are not

	Limits      operations.Limits
	Transport   transport.Limits
	CMRMaxBytes int // of a bulk update in the words of CMR; 0: the default
	Bounds      host.Bounds
	Store       pebblestore.Options
	Retention   pebblestore.Policy // of collections
	Outcomes    uint64             // bytes that the memory of idempotency keys may take
	Jobs        jobs.Settings      // the zero value: the default
	Tasks       jobs.TaskSettings  // of bulk; the zero value: the default
	Events      fanout.Config
	// LinkEvents is the stream of link updates; without a name it is CONCORD_LINKS, with the bounds of Events.
	LinkEvents fanout.Config
	BackupDir  string

	// Fatal is told of an error after which the node cannot go on; it must end the process.
	Fatal func(error)
	Log   zerolog.Logger
}

// Node is one running node.
type Node struct {
	options Options
	log     zerolog.Logger
	metrics *telemetry.Metrics
	store   *pebblestore.Store
	comm    *persistence.Committer
	host    *host.Host
	clock   host.Clock
	tail    *fanout.Tail
	links   *fanout.Tail // of link updates
	service *operations.Service
	scripts *quickjs.Pool // nil: merge scripts are off
	gate    *transport.Gate
	api     *natsapi.Server
	ns      *server.Server
	nc      *nats.Conn // of the API
	events  *nats.Conn // of the fan-out, so that its batches do not stand in the way of answers
	trimmer *pebblestore.Trimmer
	holders *jobs.Holders  // of what retention leaves for roll-backs
	release *jobs.Releases // nil: retention keeps all
	jobs    *jobs.Driver
	checker *jobs.Checker
	indexer *jobs.Indexer
	tasks   *jobs.Tasks
	http    *httpapi.Server
	listen  net.Listener
	cleanup func() error

	running  sync.WaitGroup
	working  sync.WaitGroup // on jobs: it ends before the host closes
	stopHost context.CancelFunc
	stopTail context.CancelFunc
	stopJobs context.CancelFunc
	ready    atomic.Bool
	started  time.Time
	requests atomic.Uint64
	prefix   string // of request ids
}

// Start brings a node up. When it returns, requests are answered.
func Start(o Options) (*Node, error) {
	n := &Node{options: o, log: o.Log, metrics: telemetry.New(o.Version), started: time.Now(), prefix: requestPrefix(),
		cleanup: func() error { return nil }}
	if err := n.start(); err != nil {
		return nil, errors.Join(err, n.Stop(context.Background()))
	}
	n.ready.Store(true)
	return n, nil
}

func (n *Node) start() (err error) {
	if err := n.openStore(); err != nil {
		return err
	}
	if n.clock, err = n.startClock(); err != nil {
		return err
	}
	if err := n.connect(); err != nil {
		return err
	}
	if err := n.startCore(); err != nil {
		return err
	}
	return n.startAPIs()
}

func (n *Node) openStore() (err error) {
	o := n.options.Store
	o.FS = n.options.FS
	dir := filepath.Join(n.options.Data, "store")
	if n.options.Memory {
		dir = "store"
		if o.FS == nil {
			o.FS = vfs.NewMem()
		}
	}
	o.ID = uuid.NewString()
	o.Warn = func(text string) { n.log.Warn().Msg(text) }
	o.Fatal = func(err error) {
		if errors.Is(err, persistence.ErrCorrupt) {
			n.metrics.Corrupt()
		}
		n.options.Fatal(err)
	}
	n.store, err = pebblestore.Open(dir, o)
	return err
}

// testClockStart is where the test clock begins on an empty store.
var testClockStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (n *Node) startClock() (host.Clock, error) {
	c := n.options.Clock
	if c == nil {
		return host.SystemClock{}, nil
	}
	c.Set(testClockStart)
	newest, err := n.store.NewestTime()
	if err != nil {
		return nil, err
	}
	c.Set(newest)
	return c, nil
}

func (n *Node) connect() (err error) {
	if n.options.NATSURL == "" {
		if n.ns, n.cleanup, err = startNATS(n.options, n.log); err != nil {
			n.cleanup = func() error { return nil }
			return err
		}
	}
	if n.nc, err = connect(n.options, n.ns, n.log); err != nil {
		return err
	}
	n.events, err = connect(n.options, n.ns, n.log)
	return err
}

// startCore starts what decides and commits.
func (n *Node) startCore() (err error) {
	lockKey, err := n.lockKey()
	if err != nil {
		return err
	}
	kinds := actors.Kinds(n.options.Limits.Actors, lockKey)
	if err := n.startTails(kinds); err != nil {
		return err
	}
	n.newRetention()
	if err := n.newJobs(); err != nil {
		return err
	}
	watchers, board := operations.NewWatchers(), operations.NewBoard()
	if err := n.meterLocks(board); err != nil {
		return err
	}
	edits, err := n.meterEdits()
	if err != nil {
		return err
	}
	n.comm = persistence.NewCommitter(n.store, persistence.CommitMetrics{Group: n.metrics.Group, Synced: n.metrics.Synced},
		n.observers(board, watchers, edits)...)
	world := &entity.World{Store: n.store, Committer: n.comm, Now: n.clock.Now, Started: n.clock.Now(), Recent: entity.NewRecent(),
		Panicked: func(id persistence.EntityID, requestID string, cause any, stack []byte) {
			n.metrics.Panicked()
			n.log.Error().Stringer("entity", id).Str("requestId", requestID).Interface("cause", cause).
				Bytes("stack", stack).Msg("a decision panicked")
		},
		Failed: func(id persistence.EntityID, requestID string, err error) {
			n.metrics.Failed()
			n.log.Error().Stringer("entity", id).Str("requestId", requestID).Err(err).Msg("a command failed")
		}}
	world.Scripts = n.startScripts()
	n.host = host.New(kinds, world, n.store, n.comm, n.clock, n.options.Bounds, host.Observer{
		Activated: n.metrics.Activated, Passivated: n.metrics.Passivated, Refused: n.metrics.Refused, Broken: n.options.Fatal,
	}, runtimeLogger(n.log))
	n.service = &operations.Service{Host: n.host, Store: n.store, Clock: n.clock, Limits: n.options.Limits,
		NewID: func() string { return uuid.Must(uuid.NewV7()).String() }, Watchers: watchers, Board: board, LockKey: lockKey, Admin: admin{n},
		Scripts: world.Scripts,
		Failed: func(requestID string, err error) {
			n.log.Error().Str("requestId", requestID).Err(err).Msg("a request failed")
		}}
	n.gate = &transport.Gate{Auth: n.options.Auth, Now: n.clock.Now, Limits: n.options.Transport,
		Exists: transport.NewProviders(n.service.ProviderExists).Exists}
	n.watchGauges()
	n.run()
	if err := n.service.SettleSources(context.Background()); err != nil {
		return err
	}
	return n.service.SettleBulkNames(context.Background())
}

// The key that lock tokens are made of is the store's: made once, and kept in it, also in its backups.
const lockKeyName = persistence.SecretPrefix + "locks"

func (n *Node) lockKey() (key [32]byte, err error) {
	kept, err := n.store.Cursor(lockKeyName)
	if err == nil && len(kept) == len(key) {
		return [32]byte(kept), nil
	}
	if err != nil && !errors.Is(err, persistence.ErrNotFound) {
		return key, fmt.Errorf("read the key of the locks: %w", err)
	}
	if _, err := rand.Read(key[:]); err != nil {
		return key, fmt.Errorf("make the key of the locks: %w", err)
	}
	// It goes to the log before anything that is granted with it: no token is told that a crash takes the key of.
	if err := n.store.SetCursor(lockKeyName, key[:]); err != nil {
		return key, fmt.Errorf("keep the key of the locks: %w", err)
	}
	return key, nil
}

// run starts the goroutines of the node; Stop waits for each.
func (n *Node) run() {
	hostContext, stopHost := context.WithCancel(context.Background())
	tailContext, stopTail := context.WithCancel(context.Background())
	jobsContext, stopJobs := context.WithCancel(context.Background())
	n.stopHost, n.stopTail, n.stopJobs = stopHost, stopTail, stopJobs
	n.running.Go(func() {
		if err := n.comm.Run(context.Background()); err != nil {
			n.options.Fatal(err)
		}
	})
	n.running.Go(func() {
		if err := n.host.Run(hostContext); err != nil {
			n.options.Fatal(err)
		}
	})
	for _, tail := range []*fanout.Tail{n.tail, n.links} {
		n.running.Go(func() {
			if err := tail.Run(tailContext); err != nil {
				n.log.Error().Err(err).Msg("the fan-out ended")
			}
		})
	}
	n.running.Go(func() { n.upkeep(hostContext) })
	n.working.Go(func() { n.jobs.Run(jobsContext) })
	n.working.Go(func() { n.indexer.Run(jobsContext) })
	n.working.Go(func() { n.tasks.Run(jobsContext) })
	n.working.Go(func() {
		if err := n.checker.Run(jobsContext); err != nil {
			n.log.Error().Err(err).Msg("the check of links ended")
		}
	})
	if n.release != nil {
		n.working.Go(func() { n.release.Run(jobsContext) })
	}
	n.running.Go(func() {
		if err := n.trimmer.Run(hostContext); err != nil {
			n.log.Error().Err(err).Msg("retention ended")
		}
	})
}

func (n *Node) watchGauges() {
	n.metrics.Watch("entities_active", "Entities in memory.", func() float64 { return float64(n.host.Active()) })
	n.metrics.Watch("commands_in_flight", "Commands that wait for their answer.", func() float64 { return float64(n.host.InFlight()) })
	n.metrics.Watch("fanout_oldest_age_seconds", "Age of the oldest event that is being published, 0 if none is.", func() float64 {
		return n.tail.Waiting().Seconds()
	})
	n.metrics.WatchLabelled("store_disk_bytes", "Bytes of the store on disk, by kind of file.", "kind", map[string]func() float64{
		"tables": func() float64 { return float64(n.store.DiskUsage().Tables) },
		"log":    func() float64 { return float64(n.store.DiskUsage().Log) },
	})
	n.metrics.Watch("store_low_space", "1 while the disk is within its reserve and writes are refused.", func() float64 {
		if errors.Is(n.store.Writable(), persistence.ErrLowSpace) {
			return 1
		}
		return 0
	})
}

// requestID names a request: in its answer, its log lines and its event.
func (n *Node) requestID() string {
	return n.prefix + strconv.FormatUint(n.requests.Add(1), 36)
}

// requestPrefix tells the request ids of this start from those of any other.
func requestPrefix() string {
	var b [5]byte
	_, _ = rand.Read(b[:]) // never fails
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:])) + "-"
}

// NATSAddress is where clients reach the node over NATS.
func (n *Node) NATSAddress() string {
	if n.ns == nil {
		return n.options.NATSURL
	}
	return n.ns.ClientURL()
}

// HTTPAddress is where clients reach the node over HTTP.
func (n *Node) HTTPAddress() string {
	if n.listen == nil {
		return ""
	}
	return "http://" + n.listen.Addr().String()
}

// Stop refuses new requests, answers those that were taken, syncs and closes everything. It also clears up after a
// start that failed half-way.
func (n *Node) Stop(ctx context.Context) error {
	n.ready.Store(false)
	var errs []error
	errs = append(errs, n.closeDoors(ctx))
	if n.stopHost != nil {
		errs = append(errs, n.stopCore(ctx))
	}
	return errors.Join(append(errs, n.abandon())...)
}

// closeDoors shuts both at once, so that a slow caller at the one does not keep the other open.
func (n *Node) closeDoors(ctx context.Context) error {
	var httpErr, natsErr error
	var doors sync.WaitGroup
	if n.http != nil {
		doors.Go(func() { httpErr = n.http.Shutdown(ctx) })
	}
	if n.api != nil {
		doors.Go(func() { natsErr = n.api.Stop(ctx) })
	}
	doors.Wait()
	return errors.Join(httpErr, natsErr)
}

// stopCore waits until every command is answered and every goroutine of the core has ended.
func (n *Node) stopCore(ctx context.Context) error {
	n.stopJobs()
	n.working.Wait()
	n.host.Close()
	err := n.host.Drain(ctx)
	if n.scripts != nil {
		n.scripts.Close()
	}
	n.stopHost()
	n.comm.Close()
	n.stopTail()
	n.running.Wait()
	return err
}

// abandon closes what is open.
func (n *Node) abandon() error {
	var errs []error
	for _, nc := range []*nats.Conn{n.nc, n.events} {
		if nc != nil {
			nc.Close()
		}
	}
	if n.ns != nil {
		n.ns.Shutdown()
		n.ns.WaitForShutdown()
	}
	errs = append(errs, n.cleanup())
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	return errors.Join(errs...)
}
