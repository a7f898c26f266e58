package faults

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"concord/actors/lock/scenario"
	"concord/transport"
)

// shelves is a running service with collections that bulk tasks and others write. It is safe for concurrent use, but for
// what may end the test.
type shelves struct {
	t    *testing.T
	d    *httpDoor
	keys atomic.Int64
}

const (
	shelfReaders  = 8  // that read collections at once
	shelfMakers   = 32 // that make them: the disk takes what comes together for one
	shelfMaxTries = 3000
)

func newShelves(t *testing.T, address func() string) *shelves {
	d := newHTTPDoor(address)
	d.client.Transport = &http.Transport{MaxIdleConnsPerHost: shelfMakers + shelfReaders}
	return &shelves{t: t, d: d}
}

// stop ends the process in order. A connection that was made and never used would hold it up for seconds.
func (s *shelves) stop(p *process) {
	s.t.Helper()
	s.d.client.CloseIdleConnections()
	p.stop()
}

// readsOnly says that a call changes nothing.
func readsOnly(op string) bool {
	_, verb, _ := strings.Cut(op, ".")
	return slices.Contains([]string{"get", "list", "items", "history", "records", "results"}, verb)
}

// ask repeats a call with its key until there is an answer: the process may be away. A refusal is an answer, too.
func (s *shelves) ask(c call) reply {
	if !readsOnly(c.op) && c.header[transport.HeaderIdempotencyKey] == "" {
		c.header = maps.Clone(c.header)
		if c.header == nil {
			c.header = map[string]string{}
		}
		c.header[transport.HeaderIdempotencyKey] = fmt.Sprintf("%s-%d", s.t.Name(), s.keys.Add(1))
	}
	var r reply
	var err error
	for range shelfMaxTries {
		if r, err = s.d.do(c); err == nil && r.code != "unavailable" && r.code != "overloaded" {
			return r
		}
		waitALittle()
	}
	s.t.Errorf("no answer to %s %s: %v %s", c.op, c.id, err, r.text)
	return reply{code: "no-answer"}
}

// must is ask, and the answer must be no refusal. It may end the test.
func (s *shelves) must(c call) reply {
	s.t.Helper()
	r := s.ask(c)
	if r.code != "" {
		s.t.Fatalf("%s %s %s%s: %s", c.op, c.id, c.raw, c.body, r.text)
	}
	return r
}

// each does something for each of a list, several at once.
func (s *shelves) each(ids []string, do func(id string)) {
	s.t.Helper()
	s.eachBy(shelfReaders, ids, do)
}

func (s *shelves) eachBy(hands int, ids []string, do func(id string)) {
	s.t.Helper()
	var next atomic.Int64
	var all sync.WaitGroup
	for range hands {
		all.Go(func() {
			for {
				at := int(next.Add(1)) - 1
				if at >= len(ids) || s.t.Failed() {
					return
				}
				do(ids[at])
			}
		})
	}
	all.Wait()
	if s.t.Failed() {
		s.t.FailNow()
	}
}

// create makes collections with a body each.
func (s *shelves) create(ids []string, body func(id string) string) {
	s.t.Helper()
	s.eachBy(shelfMakers, ids, func(id string) {
		if r := s.ask(call{op: "collection.put", id: id, raw: []byte(body(id))}); r.code != "" {
			s.t.Errorf("create %s: %s", id, r.text)
		}
	})
}

// empty is a collection that nothing has been done to.
func empty(string) string { return `{"metadata":{"Log":[]}}` }

// idsOf are the ids of so many collections.
func idsOf(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s%05d", prefix, i)
	}
	return ids
}

// bulkTask is a task as it is read.
type bulkTask struct {
	Task            string
	Number          uint64
	Name            string
	State           string
	DryRun          bool
	AcceptedAt      time.Time
	Counts          map[string]uint64
	Total           uint64
	WaitingForLocks uint64
}

func (b *bulkTask) ended() bool {
	return b.State == "COMPLETE" || b.State == "CANCELLED" || b.State == "PARTIALLY_CANCELLED"
}

// taskIn reads a task. Its counts add up at every read.
func (s *shelves) taskIn(r reply) (b bulkTask) {
	if err := json.Unmarshal(r.text, &b); err != nil {
		s.t.Errorf("%v: %s", err, r.text)
	}
	sum := uint64(0)
	for _, n := range b.Counts {
		sum += n
	}
	if sum != b.Total || len(b.Counts) != 6 || b.ended() && b.Counts["pending"] != 0 || b.ended() && b.WaitingForLocks != 0 {
		s.t.Errorf("a task that does not add up: %s", r.text)
	}
	return b
}

func (s *shelves) task(id string) bulkTask {
	s.t.Helper()
	return s.taskIn(s.must(call{op: "bulk.get", id: id}))
}

// submit asks for a task.
func (s *shelves) submit(body string, query ...string) bulkTask {
	s.t.Helper()
	c := call{op: "bulk.submit", raw: []byte(body), query: map[string]string{}}
	for _, name := range query {
		c.query[name] = "true"
	}
	return s.taskIn(s.must(c))
}

// upload is the id of a closed upload of nobody in particular.
func (s *shelves) upload(content []byte) string {
	s.t.Helper()
	return s.uploadOf(scenario.Party{}, content)
}

// uploadOf is the id of a closed upload of somebody.
func (s *shelves) uploadOf(by scenario.Party, content []byte) string {
	s.t.Helper()
	id, _ := s.must(call{op: "upload.open", by: by}).body["upload"].(string)
	for offset := 0; offset < len(content); offset += uploadMaxChunk {
		s.must(call{op: "upload.append", id: id, by: by, body: map[string]any{"offset": offset, "data": content[offset:min(len(content), offset+uploadMaxChunk)]}})
	}
	s.must(call{op: "upload.close", id: id, by: by})
	return id
}

const uploadMaxChunk = 512 << 10

const (
	bulkMaxWait = 20 * time.Second // for anything to come of a task
	bulkPause   = 5 * time.Millisecond
)

// await reads a task until it is as it should be. It waits as long as something comes of the task's items.
func (s *shelves) await(id, what string, is func(bulkTask) bool) bulkTask {
	s.t.Helper()
	var b bulkTask
	last := uint64(0)
	for until := time.Now().Add(bulkMaxWait); time.Now().Before(until); {
		if b = s.task(id); is(b) {
			return b
		}
		if pending := b.Counts["pending"]; pending != last {
			last, until = pending, time.Now().Add(bulkMaxWait)
		}
		<-time.After(bulkPause)
	}
	for _, all := range pages[bulkTask](s, call{op: "bulk.list", query: map[string]string{"open": "true"}}) {
		s.t.Logf("open: %+v", all)
	}
	s.t.Fatalf("task %s never %s: %+v", id, what, b)
	return b
}

func (s *shelves) end(id string) bulkTask {
	s.t.Helper()
	return s.await(id, "ends", func(b bulkTask) bool { return b.ended() })
}

// done waits until so many items of a task have come out.
func (s *shelves) done(id string, items uint64) bulkTask {
	s.t.Helper()
	return s.await(id, fmt.Sprintf("has done %d", items), func(b bulkTask) bool { return b.Total-b.Counts["pending"] >= items })
}

// bulkItem is an item as it is read.
type bulkItem struct {
	Row           uint64
	ID            string
	State         string
	Code          string
	Message       string
	VersionBefore uint64
	VersionAfter  uint64
	Diff          json.RawMessage
}

// pages reads a list, all of it.
func pages[T any](s *shelves, c call) (all []T) {
	s.t.Helper()
	query := maps.Clone(c.query)
	for cursor, more := "", true; more; more = cursor != "" {
		c.query = maps.Clone(query)
		if c.query == nil {
			c.query = map[string]string{}
		}
		if c.query["limit"] == "" {
			c.query["limit"] = "100"
		}
		if cursor != "" {
			c.query["cursor"] = cursor
		}
		r := s.ask(c)
		var page struct {
			Items []T
			Next  string
		}
		if err := json.Unmarshal(r.text, &page); err != nil || r.code != "" {
			s.t.Errorf("%s %s: %v %s", c.op, c.id, err, r.text)
			return nil
		}
		all, cursor = append(all, page.Items...), page.Next
	}
	return all
}

// items are those of a task: one for each row, in order, and the counts are theirs.
func (s *shelves) items(b bulkTask) []bulkItem {
	s.t.Helper()
	all := pages[bulkItem](s, call{op: "bulk.items", id: b.Task, query: map[string]string{"limit": "1000"}})
	counted := map[string]uint64{}
	for i := range all {
		if all[i].Row != uint64(i) {
			s.t.Fatalf("task %d: row %d at place %d", b.Number, all[i].Row, i)
		}
		counted[strings.ToLower(all[i].State)]++
	}
	for _, state := range slices.Sorted(maps.Keys(b.Counts)) {
		if counted[state] != b.Counts[state] {
			s.t.Errorf("task %d has %d items that are %s, and counts %d", b.Number, counted[state], state, b.Counts[state])
		}
	}
	if uint64(len(all)) != b.Total {
		s.t.Errorf("task %d has %d items, and says %d", b.Number, len(all), b.Total)
	}
	return all
}

// bulkVersion is a version in a history.
type bulkVersion struct {
	Version   uint64
	Type      string
	Bulk      string
	Principal string
}

// history is that of a collection, the oldest first.
func (s *shelves) history(id string) []bulkVersion {
	all := pages[bulkVersion](s, call{op: "collection.history", id: id})
	slices.Reverse(all)
	return all
}

// shelf is a collection as it is read.
type shelf struct {
	Version  uint64
	Metadata struct {
		Log []string
	}
	Documents map[string]json.RawMessage
}

func (s *shelves) shelf(id string) (k shelf) {
	r := s.ask(call{op: "collection.get", id: id})
	if err := json.Unmarshal(r.text, &k); err != nil || r.code != "" {
		s.t.Errorf("%s: %v %s", id, err, r.text)
	}
	return k
}

// marks is what has an item of a task leave a mark in the log of its collection, as often as it is applied.
func marks(mark string) string {
	return `[{"type":"ADD_TO_EXISTING","path":"/metadata/Log","value":` + quoted(mark) + `,"distinct":false}]`
}

// marking is the body of a task that leaves marks in collections.
func marking(mark string, ids []string, more ...string) string {
	list, err := json.Marshal(ids)
	if err != nil {
		panic(err) // texts always marshal
	}
	return `{"targets":{"ids":` + string(list) + `},"instructions":` + marks(mark) + strings.Join(append([]string{""}, more...), ",") + `}`
}

// account is what tasks did, as they say.
type account struct {
	s     *shelves
	tasks map[string]bulkTask
	marks map[string]string              // of tasks
	said  map[string]map[string]bulkItem // of collections, by task
}

// accountOf reads tasks that have ended, and their items.
func (s *shelves) accountOf(tasks map[string]string) *account {
	s.t.Helper()
	l := &account{s: s, tasks: map[string]bulkTask{}, marks: tasks, said: map[string]map[string]bulkItem{}}
	for id := range tasks {
		b := s.end(id)
		l.tasks[id] = b
		for _, item := range s.items(b) {
			if l.said[item.ID] == nil {
				l.said[item.ID] = map[string]bulkItem{}
			}
			if twice, ok := l.said[item.ID][id]; ok {
				s.t.Errorf("task %d has %s in rows %d and %d", b.Number, item.ID, twice.Row, item.Row)
			}
			l.said[item.ID][id] = item
		}
	}
	return l
}

// library has collections: those of a service (shelves), or of a store that nothing runs on (stacks).
type library interface {
	history(id string) []bulkVersion
	shelf(id string) shelf
}

// judge holds a collection against what tasks say of it: one version for each that has updated it, none for others, in the order
// of their numbers, and their marks, each once. It returns how many versions are of others.
func (l *account) judge(from library, id string) (others uint64) {
	var log []string
	last, seen := uint64(0), map[string]bool{}
	history := from.history(id)
	for _, v := range history {
		if v.Bulk == "" {
			others++
			continue
		}
		b, item := l.tasks[v.Bulk], l.said[id][v.Bulk]
		switch {
		case seen[v.Bulk]:
			l.s.t.Errorf("%s: task %d has made version %d, too", id, b.Number, v.Version)
		case item.State != "UPDATED" || b.DryRun:
			l.s.t.Errorf("%s: version %d is of task %d, which says %+v", id, v.Version, b.Number, item)
		case item.VersionAfter != v.Version || item.VersionBefore != v.Version-1:
			l.s.t.Errorf("%s: task %d has made version %d, and says %+v", id, b.Number, v.Version, item)
		case b.Number <= last:
			l.s.t.Errorf("%s: version %d is of task %d, behind one of task %d", id, v.Version, b.Number, last)
		}
		last, seen[v.Bulk] = max(last, b.Number), true
		log = append(log, l.marks[v.Bulk])
	}
	for task, item := range l.said[id] {
		if b := l.tasks[task]; item.State == "UPDATED" && !seen[task] && !b.DryRun {
			l.s.t.Errorf("%s: task %d has no version, and says %+v", id, b.Number, item)
		}
	}
	if k := from.shelf(id); !slices.Equal(k.Metadata.Log, log) || k.Version != uint64(len(history)) {
		l.s.t.Errorf("%s: version %d with the log %v, want %d with %v", id, k.Version, k.Metadata.Log, len(history), log)
	}
	return others
}

// numbered is the text of a number.
func numbered(n uint64) string { return strconv.FormatUint(n, 10) }
