package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors"
	"concord/actors/bulk"
	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/host"
	"concord/actors/provider"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

// realWorld is a node without its doors: a store, a committer, a host, and the driver of bulk tasks.
type realWorld struct {
	t      testing.TB
	host   *host.Host
	store  *pebblestore.Store
	driver *Tasks
	ended  chan string
	number uint64
	stop   func()
}

func newRealWorld(t testing.TB, dir string, fs vfs.FS, settings TaskSettings) *realWorld {
	t.Helper()
	store, err := pebblestore.Open(dir, pebblestore.Options{FS: fs, Fatal: func(err error) { t.Errorf("store: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	w := &realWorld{t: t, store: store, ended: make(chan string, 1000)}
	c := persistence.NewCommitter(store, persistence.CommitMetrics{}, func(g []*persistence.Entry) { w.driver.Committed(g) },
		func(g []*persistence.Entry) { w.host.Committed(g) })
	world := &entity.World{Store: store, Recent: entity.NewRecent(), Committer: c, Now: time.Now, Started: time.Now(),
		Panicked: func(id persistence.EntityID, _ string, cause any, stack []byte) {
			t.Errorf("%v panicked: %v\n%s", id, cause, stack)
		},
		Failed: func(id persistence.EntityID, _ string, err error) { t.Errorf("command of %v failed: %v", id, err) }}
	log := slog.New(slog.DiscardHandler)
	w.host = host.New(actors.Kinds(actors.DefaultLimits, [32]byte{}), world, store, c, host.SystemClock{}, host.DefaultBounds, host.Observer{
		Activated: func(time.Duration, error) {}, Passivated: func() {}, Refused: func(string) {}, Broken: func(err error) { t.Error(err) },
	}, log)
	o := TaskObserver{Items: func(*bulk.State, bulk.ItemState, uint64) {}, Ended: func(state string) { w.ended <- state }}
	w.driver = NewTasks(store, NewCourtesy(w.host), settings, o, log)
	ctx, cancel := context.WithCancel(context.Background())
	driving, halt := context.WithCancel(context.Background())
	var running, working sync.WaitGroup
	working.Go(func() { w.driver.Run(driving) })
	running.Go(func() {
		if err := c.Run(context.Background()); err != nil {
			t.Errorf("committer: %v", err)
		}
	})
	running.Go(func() {
		if err := w.host.Run(ctx); err != nil {
			t.Errorf("host: %v", err)
		}
	})
	w.stop = sync.OnceFunc(func() {
		halt()
		working.Wait()
		w.host.Close()
		if err := w.host.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		cancel()
		c.Close()
		running.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(w.stop)
	return w
}

// do gives an entity a command, and waits for the answer.
func (w *realWorld) do(id persistence.EntityID, command any) entity.Answer {
	w.t.Helper()
	a, err := ask(context.Background(), w.host, id, command, entity.Meta{Principal: "ann", Kind: "person", RequestID: "r"})
	if err != nil {
		w.t.Fatalf("%T for %v: %v", command, id, err)
	}
	return a
}

// fill makes collections with metadata of about a kibibyte, many at once.
func (w *realWorld) fill(names []string) {
	body := []byte(`{"title":"` + strings.Repeat("t", 900) + `","keywords":["jazz","blues","swing"]}`)
	room := make(chan struct{}, 256)
	for _, name := range names {
		room <- struct{}{}
		w.host.Deliver(&entity.Envelope{Entity: collectionID("p", name), Meta: entity.Meta{Principal: "ann"},
			Command: &collection.Write{Create: true, Changes: []collection.Change{{Op: collection.OpPut, Part: collection.MetadataPart, Body: body}}},
			Reply: func(_ entity.Answer, err error) {
				if err != nil {
					w.t.Error(err)
				}
				<-room
			}})
	}
	for range cap(room) {
		room <- struct{}{}
	}
}

// accept has a task begin that puts a keyword to each collection.
func (w *realWorld) accept(names []string, keyword string) persistence.EntityID {
	w.t.Helper()
	w.number++
	id := taskID(fmt.Sprintf("task-%d-%s", w.number, keyword))
	home := persistence.EntityID{Kind: persistence.KindProvider, Provider: "p", ID: "p"}
	var next provider.Result
	if err := json.Unmarshal(w.do(home, &provider.Next{Counter: bulk.CounterTasks}).Body, &next); err != nil {
		w.t.Fatal(err)
	}
	rows := make([]bulk.Row, len(names))
	for i, name := range names {
		rows[i] = bulk.Row{Collection: name}
	}
	chunks := uint32(0)
	for ; len(rows) > bulk.ChunkRows; chunks++ {
		w.do(id, &bulk.Stage{Number: chunks, PerChunk: bulk.ChunkRows, Rows: rows[:bulk.ChunkRows]})
		rows = rows[bulk.ChunkRows:]
	}
	w.do(id, &bulk.Accept{Chunks: chunks, Stage: bulk.Stage{Number: chunks, PerChunk: bulk.ChunkRows, Rows: rows},
		Task:    bulk.State{Number: next.Number, Name: id.ID, OnLocked: bulk.OnLockedWait, Retention: time.Hour},
		Request: bulk.Request{Instructions: fmt.Appendf(nil, `[{"type":"ADD_TO_EXISTING","path":"/metadata/keywords","value":[%q]}]`, keyword)}})
	return id
}

func (w *realWorld) task(id persistence.EntityID) bulk.State {
	w.t.Helper()
	s, err := w.driver.state(id)
	if err != nil {
		w.t.Fatal(err)
	}
	return *s
}

// end waits until so many tasks have ended.
func (w *realWorld) end(tasks int) {
	for range tasks {
		<-w.ended
	}
}

// TestTasksOfARealNode has tasks that overlap, on a real store, host and collections.
func TestTasksOfARealNode(t *testing.T) {
	fs := vfs.NewMem()
	w := newRealWorld(t, "store", fs, DefaultTaskSettings)
	names := shelves(0, 2500)
	w.fill(names)
	first := w.accept(names, "first")
	second := w.accept(names[:1500], "second")
	w.end(2)
	third := w.accept(names, "third")
	w.stop()
	w = newRealWorld(t, "store", fs, DefaultTaskSettings) // it goes on where it was
	if w.task(third).Status.Open() {
		w.end(1)
	}
	for _, c := range []struct {
		id    persistence.EntityID
		items uint64
	}{{first, 2500}, {second, 1500}, {third, 2500}} {
		if s := w.task(c.id); s.Status != bulk.Complete || s.Counts != (bulk.Counts{Updated: c.items}) {
			t.Errorf("%s is %s with %+v", c.id.ID, s.Status, s.Counts)
		}
	}
	for i, name := range names {
		id := collectionID("p", name)
		p, err := w.store.Part(id, collection.MetadataPart)
		if err != nil {
			t.Fatal(err)
		}
		body, err := w.store.Body(id, p.Place)
		if err != nil {
			t.Fatal(err)
		}
		want, version := `"swing","first","second","third"]`, uint64(4)
		if i >= 1500 {
			want, version = `"swing","first","third"]`, 3
		}
		if head, err := w.store.Head(id); err != nil || head.Version != version || !strings.Contains(string(body), want) {
			t.Fatalf("%s is at version %d (%v): %s", name, head.Version, err, body)
		}
	}
}

// BenchmarkTask is how many items a task gets through in a second, on disk, with nobody else there.
func BenchmarkTask(b *testing.B) {
	for _, items := range []int{1000, 25_000, 250_000} {
		for _, window := range []int{8, 16, 32, 64, 128, 256} {
			b.Run(fmt.Sprintf("items=%d/window=%d", items, window), func(b *testing.B) {
				settings := DefaultTaskSettings
				settings.Window = window
				w := newRealWorld(b, b.TempDir(), nil, settings)
				names := shelves(0, items)
				w.fill(names)
				var took time.Duration
				b.ResetTimer()
				for n := range b.N {
					begun := time.Now()
					id := w.accept(names, fmt.Sprintf("word%d", n))
					accepted := time.Since(begun)
					w.end(1)
					if s := w.task(id); s.Counts.Updated != uint64(items) {
						b.Fatalf("%s with %+v", s.Status, s.Counts)
					}
					took += time.Since(begun) - accepted
				}
				b.ReportMetric(float64(items*b.N)/took.Seconds(), "items/s")
			})
		}
	}
}
