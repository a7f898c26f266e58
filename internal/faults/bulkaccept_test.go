package faults

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/actors/bulk"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/transport"
)

const (
	acceptCycles  = 8
	acceptClients = 3
	acceptRows    = 450 // of a list with values: drafts of four chunks
	acceptMaxMs   = 150
	abandonEvery  = 4 // of the requests without an answer
	draftLives    = 3 * time.Hour
)

// asked is a request for a task, as its client knows it.
type asked struct {
	call   call
	name   string
	rows   uint64
	task   string // of an answer
	gaveUp bool   // nobody asks again
}

// TestBulkAcceptIsAtomic kills the process while tasks are being accepted. Who asks again with the same key gets the task of before, whole;
// what nobody asks for again is there whole or not at all, and its name is free then; drafts go.
func TestBulkAcceptIsAtomic(t *testing.T) {
	t.Parallel()
	p := startProcess(t, clockVariable+"=1")
	s := newShelves(t, p.httpAddress)
	s.create(idsOf("c", 3), empty)
	var all []*asked
	var mu sync.Mutex
	upload := s.upload([]byte(acceptList("u", true)))
	rng := rand.New(rand.NewPCG(41, 42))
	drafts := 0
	for cycle := range acceptCycles {
		stop := make(chan struct{})
		var clients sync.WaitGroup
		for n := range acceptClients {
			clients.Go(func() {
				list := s.submitUntil(stop, fmt.Sprintf("%d-%d", cycle, n), upload)
				mu.Lock()
				defer mu.Unlock()
				all = append(all, list...)
			})
		}
		<-time.After(time.Duration(20+rng.IntN(acceptMaxMs)) * time.Millisecond) // the moment of the fault
		p.kill()
		close(stop)
		clients.Wait()
		drafts += draftsOf(t, p)
		p.start()
		if err := advanceClock(p.httpAddress(), time.Second); err != nil {
			t.Fatal(err)
		}
	}
	s.repeat(all)
	s.judgeAccepted(all)
	if err := advanceClock(p.httpAddress(), draftLives); err != nil {
		t.Fatal(err)
	}
	s.tryNames(all)
	left := 0
	for range 10 { // a timer that was due while the process was away takes a moment
		s.stop(p)
		if left = draftsOf(t, p); left == 0 {
			break
		}
		p.start()
		waitALittle()
	}
	t.Logf("%d requests, %d drafts at kills, %d left", len(all), drafts, left)
	if left > 0 || drafts == 0 {
		t.Errorf("%d drafts at kills, and %d of them are left", drafts, left)
	}
	checkStore(t, p)
}

// acceptList are items with values, as JSON lines or as a list.
func acceptList(prefix string, lines bool) string {
	items := make([]string, acceptRows)
	for i := range items {
		items[i] = fmt.Sprintf(`{"id":"%s%d","value":{"n":%d}}`, prefix, i, i)
	}
	if lines {
		return strings.Join(items, "\n")
	}
	return strings.Join(items, ",")
}

// submitUntil asks for tasks, one after another, until one has no answer. What was answered has growing numbers.
func (s *shelves) submitUntil(stop <-chan struct{}, client, upload string) (list []*asked) {
	const look = `"instructions":[{"type":"ADD_TO_EXISTING","path":"/metadata/Log","valueFrom":"/n"}]}`
	last := uint64(0)
	for n := 0; ; n++ {
		select {
		case <-stop:
			return list
		default:
		}
		a := &asked{name: fmt.Sprintf("task %s-%d", client, n), rows: acceptRows}
		head := `{"name":` + quoted(a.name) + `,"targets":`
		switch n % 3 {
		case 0:
			head += `{"items":[` + acceptList("i", false) + `]},` + look
		case 1:
			head += `{"upload":"` + upload + `"},` + look
		default:
			a.rows = 3
			head += `{"all":true},"instructions":` + marks("m") + `}`
		}
		a.call = call{op: "bulk.submit", raw: []byte(head), header: map[string]string{transport.HeaderIdempotencyKey: "key " + a.name}}
		list = append(list, a)
		r, err := s.d.do(a.call)
		switch {
		case err != nil || r.code == "unavailable" || r.code == "overloaded":
			a.gaveUp = n%abandonEvery == abandonEvery-1 || n%abandonEvery == 0
			return list
		case r.code == "queue-full":
			a.gaveUp = true
			return list
		case r.code != "":
			s.t.Errorf("%s: %s", a.name, r.text)
			return list
		}
		b := s.taskIn(r)
		if a.task = b.Task; b.Number <= last {
			s.t.Errorf("%s has the number %d, and the one before has %d", a.name, b.Number, last)
		}
		last = b.Number
	}
}

// repeat sends every request again with its key.
func (s *shelves) repeat(all []*asked) {
	s.t.Helper()
	for _, a := range all {
		if a.gaveUp {
			continue
		}
		b := s.taskIn(s.must(a.call))
		if a.task != "" && a.task != b.Task {
			s.t.Errorf("%s is the task %s, and was %s", a.name, b.Task, a.task)
		}
		a.task = b.Task
	}
}

// judgeAccepted looks at all tasks that there are.
func (s *shelves) judgeAccepted(all []*asked) {
	s.t.Helper()
	byName := map[string]*asked{}
	for _, a := range all {
		byName[a.name] = a
	}
	tasks := pages[bulkTask](s, call{op: "bulk.list"})
	slices.SortFunc(tasks, func(a, b bulkTask) int { return cmp.Compare(a.Number, b.Number) })
	known := maps.Clone(byName)
	for i := range tasks {
		b := &tasks[i]
		a := byName[b.Name]
		delete(known, b.Name)
		switch {
		case a == nil || a.task != "" && a.task != b.Task || a.rows != b.Total:
			s.t.Errorf("%+v is not what was asked for: %+v", b, a)
			continue
		case i > 0 && b.Number == tasks[i-1].Number:
			s.t.Errorf("two tasks have the number %d", b.Number)
		case i > 0 && b.AcceptedAt.Before(tasks[i-1].AcceptedAt):
			s.t.Errorf("task %d was accepted before task %d", b.Number, tasks[i-1].Number)
		}
		a.task = b.Task
		s.items(s.end(b.Task))
	}
	for name, a := range known {
		if !a.gaveUp {
			s.t.Errorf("%s: there is no such task", name)
		}
	}
}

// tryNames takes the names of requests that nobody asks for again: those of tasks are taken, the others free.
func (s *shelves) tryNames(all []*asked) {
	s.t.Helper()
	free, taken := 0, 0
	for _, a := range all {
		if !a.gaveUp {
			continue
		}
		r := s.ask(call{op: "bulk.submit", raw: []byte(`{"name":` + quoted(a.name) + `,"targets":{"ids":["c00000"]},"instructions":` + marks("m") + `}`)})
		switch {
		case a.task == "" && r.code == "":
			free++
		case a.task != "" && r.code == "name-taken":
			taken++
		default:
			s.t.Errorf("%s, of task %q: %s", a.name, a.task, r.text)
		}
	}
	s.t.Logf("%d names are free again, %d are of tasks", free, taken)
}

// draftsOf counts the drafts in the store of a process that does not run.
func draftsOf(t *testing.T, p *process) (n int) {
	t.Helper()
	store, err := pebblestore.Open(p.storeDir(), pebblestore.Options{Fatal: func(err error) { t.Errorf("store: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	view := store.View()
	defer func() { _ = view.Close() }()
	for part := range view.Partitions() {
		for e, err := range view.IndexTerms(persistence.Partition(part), persistence.IndexKey{Kind: persistence.KindBulk, Name: bulk.IndexOpenTasks}) {
			if err != nil {
				t.Fatal(err)
			}
			if l, err := bulk.DecodeListed(e.Value); err != nil || l.Status == bulk.Draft {
				n++
			}
		}
	}
	return n
}
