package pebblestore_test

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors"
	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/lock"
	"concord/actors/provider"
	"concord/actors/upload"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/persistence/recordpb"
)

// kinds are the real ones, and one more: what is committed and rebuilt here is what a node commits and rebuilds.
var kinds = withMixed(actors.Kinds(actors.DefaultLimits, [32]byte{}))

// fold is what cmd gives the store's upkeep.
var fold = persistence.Fold{
	Record: func(before persistence.Head, rec *recordpb.Record, hash []byte) (persistence.Head, persistence.Projection, error) {
		k, ok := kinds[persistence.Kind(rec.GetKind())]
		if !ok {
			return before, persistence.Projection{}, fmt.Errorf("%w: unknown kind %d", persistence.ErrCorrupt, rec.GetKind())
		}
		return k.Rebuild(before, rec, hash)
	},
	Part: func(e persistence.EntityID, part string, info []byte) ([]persistence.IndexChange, error) {
		return kinds[e.Kind].Index(part, info)
	},
	State: func(e persistence.EntityID, before, after []byte) ([]persistence.IndexChange, error) {
		return kinds[e.Kind].Found(before, after)
	},
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Logf(format string, args ...any)
}

const testPartitions = 4

// small makes files so small that little data makes many of them.
func small(o *pebble.Options) {
	o.MemTableSize = 64 << 10
	o.L0CompactionThreshold = 2
	o.LBaseMaxBytes = 64 << 10
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = 64 << 10
	}
}

func options(fs vfs.FS) pebblestore.Options {
	return pebblestore.Options{FS: fs, Partitions: testPartitions, CacheBytes: 1 << 20, ID: "test"}.Tune(small)
}

func open(t tester, o pebblestore.Options) *pebblestore.Store {
	t.Helper()
	s, err := pebblestore.Open("data", o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return s
}

func closeStore(t tester, s *pebblestore.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

// line is a committer without goroutines: entries gather until somebody needs them to be durable.
type line struct {
	journal []persistence.Journal
	group   []*persistence.Entry
	done    []func()
	last    persistence.LSN
	durable persistence.LSN
	pins    map[persistence.EntityID][]persistence.Pin // that the next version of the entity comes with, of the version before
	pinsAt  uint64                                     // 0; or the version that all pins are of, which then are wrong
	observe func([]*persistence.Entry)
	fail    func(error)
}

func (l *line) Submit(e *persistence.Entry, done func()) persistence.LSN {
	for i := range e.Records {
		if r := &e.Records[i]; r.Beside.Content {
			for _, p := range l.pins[e.Entity] {
				p.Version = cmp.Or(l.pinsAt, r.Beside.Version-1)
				r.Beside.Pins = append(r.Beside.Pins, p)
			}
			delete(l.pins, e.Entity)
		}
	}
	l.group, l.done = append(l.group, e), append(l.done, done)
	l.last++
	return l.last
}

func (l *line) After(lsn persistence.LSN, done func()) {
	if lsn > l.durable {
		l.flush()
	}
	done()
}

func (l *line) Durable() persistence.LSN { return l.durable }

func (l *line) Last() persistence.LSN { return l.last }

func (l *line) Closed() <-chan struct{} { return nil }

func (l *line) flush() {
	group, done := l.group, l.done
	l.group, l.done = nil, nil
	if len(group) > 0 {
		for _, j := range l.journal {
			wait, err := j.Append(group)
			if err == nil {
				err = wait()
			}
			if err != nil {
				l.fail(err)
			}
		}
		if l.observe != nil {
			l.observe(group)
		}
	}
	l.durable = l.last
	for _, d := range done {
		d()
	}
}

// world is a store with live entities on it, without goroutines.
type world struct {
	t     tester
	store *pebblestore.Store
	line  *line
	now   time.Time
	world *entity.World
	live  map[persistence.EntityID]entity.Live
}

var worldStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newWorld runs on the store; what it commits is also appended to the copies.
func newWorld(t tester, s *pebblestore.Store, copies ...*pebblestore.Store) *world {
	w := &world{t: t, store: s, now: worldStart, live: make(map[persistence.EntityID]entity.Live)}
	w.line = &line{journal: []persistence.Journal{s}, pins: make(map[persistence.EntityID][]persistence.Pin), fail: func(err error) { t.Fatalf("append: %v", err) }}
	for _, c := range copies {
		w.line.journal = append(w.line.journal, c)
	}
	w.world = &entity.World{Store: s, Committer: w.line, Now: func() time.Time { return w.now },
		Alarm: func(persistence.EntityID, time.Time) {},
		Panicked: func(id persistence.EntityID, _ string, cause any, stack []byte) {
			t.Fatalf("%v: %v\n%s", id, cause, stack)
		},
		Failed: func(id persistence.EntityID, _ string, err error) { t.Fatalf("%v: %v", id, err) }}
	return w
}

// answered is what a caller was told.
type answered struct {
	entity.Answer
	err error
}

// do sends one command. The answer is there once the line is flushed.
func (w *world) do(id persistence.EntityID, command any, m entity.Meta) *answered {
	w.t.Helper()
	a := new(answered)
	w.entity(id).Handle(&entity.Envelope{Entity: id, Command: command, Meta: m,
		Reply: func(answer entity.Answer, err error) { *a = answered{answer, err} }})
	return a
}

func (w *world) entity(id persistence.EntityID) entity.Live {
	w.t.Helper()
	if live, ok := w.live[id]; ok {
		return live
	}
	live, err := kinds[id.Kind].Activate(id, w.world)
	if err != nil {
		w.t.Fatalf("activate %v: %v", id, err)
	}
	w.live[id] = live
	return live
}

// pin has the next version of the entity pin the one before it.
func (w *world) pin(id persistence.EntityID, holder string, until time.Time) {
	w.line.pins[id] = append(w.line.pins[id], persistence.Pin{Holder: holder, Until: until})
}

// passivate drops all live entities: the next command loads them from the store.
func (w *world) passivate() {
	w.line.flush()
	clear(w.live)
}

// advance moves the clock, firing the timers that become due.
func (w *world) advance(d time.Duration) {
	w.line.flush()
	w.now = w.now.Add(d)
	for p := range w.store.Partitions() {
		var due []persistence.Timer
		for timer, err := range w.store.Timers(persistence.Partition(p)) {
			if err != nil {
				w.t.Fatalf("timers: %v", err)
			}
			if !timer.Due.After(w.now) {
				due = append(due, timer)
			}
		}
		for _, timer := range due {
			w.entity(timer.Entity).Fire(timer.Name, timer.Due, func(entity.Answer, error) {})
		}
	}
	w.line.flush()
}

func collectionID(n int) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindCollection, Provider: "lib", ID: fmt.Sprintf("c%d", n)}
}

func providerID(n int) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindProvider, Provider: fmt.Sprintf("lib%d", n), ID: "self"}
}

func uploadID(n int) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindUpload, Provider: "lib", ID: fmt.Sprintf("u%d", n)}
}

// chooser draws what a history is made of: rapid's, or a seeded one.
type chooser interface {
	n(name string, below int) int
}

type seeded struct{ *rand.Rand }

func (s seeded) n(_ string, below int) int { return s.IntN(below) }

func newSeeded(seed uint64) seeded { return seeded{rand.New(rand.NewPCG(seed, 7))} }

// document is a JSON text of about size bytes that says n.
func document(n, size int) []byte {
	return fmt.Appendf(nil, `{"n":%d,"text":%q}`, n, strings.Repeat("x", max(size-24, 0)))
}

func put(part string, body []byte) collection.Change {
	hash, err := jsonvalue.Check(body)
	if err != nil {
		panic(err)
	}
	return collection.Change{Op: collection.OpPut, Part: part, Path: "/", Body: body, Hash: uint64(hash)}
}

// history is a random life of a few entities.
type history struct {
	*world
	choose      chooser
	collections int
	parts       int
	values      int
	days        bool // the clock may move by more than hours
}

// step does one random thing.
func (h *history) step() {
	switch h.choose.n("what", 17) {
	case 0:
		h.advance(time.Duration(1+h.choose.n("minutes", 90)) * time.Minute)
	case 1:
		if h.days && h.choose.n("long", 3) == 0 {
			h.advance(time.Duration(1+h.choose.n("hours", 40)) * time.Hour)
		}
	case 2:
		h.line.flush()
	case 3:
		h.passivate()
	case 4, 5:
		h.provider()
	case 6:
		h.upload()
	case 7:
		h.mixed()
	case 8:
		h.bulk()
	case 9, 10, 11:
		h.lock()
	default:
		h.collection()
	}
}

// meta names a caller, in half of the cases with a key; few keys, so that some are used again.
func (h *history) meta() entity.Meta {
	m := entity.Meta{Principal: []string{"ann", "bob"}[h.choose.n("principal", 2)], RequestID: "r"}
	if k := h.choose.n("key", 12); k < 6 {
		digest := sha256.Sum256([]byte{byte(k)})
		m.Key, m.KeyDigest = fmt.Sprintf("k%d", k), digest[:]
	}
	return m
}

func (h *history) collection() {
	id := collectionID(h.choose.n("collection", h.collections))
	switch h.choose.n("command", 14) {
	case 0:
		h.do(id, &collection.Delete{}, h.meta())
	case 1, 2:
		head, _ := h.store.Head(id)
		h.do(id, &collection.Revert{To: uint64(h.choose.n("to", int(head.Version)+2))}, h.meta())
	case 3:
		h.do(id, h.write(2, true), h.meta())
	default:
		h.do(id, h.write(1+h.choose.n("changes", 4), false), h.meta())
	}
}

// lock does something about the lock of a collection that needs no token: those are not for the store.
func (h *history) lock() {
	id, m := collectionID(h.choose.n("collection", h.collections)), h.meta()
	m.Session = fmt.Sprint(h.choose.n("session", 2))
	head, _ := h.store.Head(id)
	ticket := lock.ID(lock.TicketID, uint64(h.choose.n("ticket", int(head.Seq)+2)))
	commands := []lock.Command{
		lock.Acquire{TTL: time.Duration(1+h.choose.n("ttl", 60)) * time.Minute}, lock.Acquire{Wait: true}, lock.Acquire{TakeOverOwn: true},
		lock.Contest{Note: "please", Acquire: h.choose.n("acquire", 2) == 0}, lock.Withdraw{}, lock.Break{Reason: "tidy"},
		lock.Claim{Ticket: ticket}, lock.KeepAlive{Ticket: ticket}, lock.Leave{Ticket: ticket}, lock.Tick{},
	}
	switch n := h.choose.n("command", len(commands)+4); {
	case n < len(commands):
		h.do(id, &collection.Locking{Command: commands[n]}, m)
	default:
		w := h.write(1, false)
		w.Park = true
		h.do(id, w, m)
	}
}

func (h *history) write(changes int, replace bool) *collection.Write {
	w := &collection.Write{Create: true, ReplaceDocuments: replace}
	for range changes {
		value := h.choose.n("value", h.values)
		part := fmt.Sprintf("d%02d", h.choose.n("part", h.parts))
		switch op := h.choose.n("op", 10); {
		case op == 0:
			w.Changes = append(w.Changes, put(collection.MetadataPart, document(value, 40)))
		case op <= 2 && !replace:
			w.Changes = append(w.Changes, collection.Change{Op: collection.OpRemoveIfThere, Part: part, Path: "/"})
		case op == 3:
			w.Changes = append(w.Changes, put(part, document(value, 33<<10))) // beside its record
		default:
			w.Changes = append(w.Changes, put(part, document(value, 40+h.choose.n("size", 300))))
		}
	}
	return w
}

func (h *history) provider() {
	id := providerID(h.choose.n("provider", 2))
	name, owner := fmt.Sprintf("n%d", h.choose.n("name", 4)), fmt.Sprintf("o%d", h.choose.n("owner", 2))
	commands := []provider.Command{
		&provider.Issue{ID: "issued-" + name}, &provider.Next{Counter: "task"},
		&provider.Reserve{Scope: "code", Name: name, Owner: owner}, &provider.Reserve{Scope: "code", Name: name, Owner: owner},
		&provider.Confirm{Scope: "code", Name: name, Owner: owner}, &provider.Release{Scope: "code", Name: name, Owner: owner},
	}
	h.do(id, commands[h.choose.n("command", len(commands))], h.meta())
}

func (h *history) upload() {
	id := uploadID(h.choose.n("upload", 3))
	m := h.meta()
	m.Principal = "ann"
	switch h.choose.n("command", 6) {
	case 0:
		h.do(id, &upload.Open{}, m)
	case 1:
		h.do(id, &upload.Close{}, m)
	default:
		a := h.do(id, &upload.Open{}, entity.Meta{Principal: "ann"})
		h.line.flush()
		if a.err == nil {
			size := []int{100, 33 << 10}[h.choose.n("chunk", 2)]
			h.do(id, &upload.Append{Offset: h.uploaded(id), Chunk: document(h.choose.n("value", 9), size)}, m)
		}
	}
}

// uploaded is how many bytes an upload has.
func (h *history) uploaded(id persistence.EntityID) uint64 {
	head, err := h.store.Head(id)
	if err != nil {
		return 0
	}
	state, err := upload.Behavior{}.DecodeState(head.State)
	if err != nil {
		h.t.Fatalf("state of %v: %v", id, err)
	}
	return state.Size
}
