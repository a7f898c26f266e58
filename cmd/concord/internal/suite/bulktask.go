package suite

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"concord/internal/sample"
	"concord/transport"
	"concord/transport/client"
)

// Bounds of a bench of bulk tasks.
const (
	taskMaxWait    = 10 * time.Minute
	taskRSSEvery   = 20 * time.Millisecond
	taskLastLooked = 64 // collections at the end of a list: the last version is one of theirs
)

// taskBench has collections that descriptions of data sets are the metadata of, and runs tasks on the first of them.
type taskBench struct {
	server *Concord
	client *client.Client
	feed   *feed
	bytes  int // of metadata, on average
	value  int // that the next task writes: each changes every item
}

func newTaskBench(ctx context.Context, c *Concord, collections int) (*taskBench, error) {
	t := &taskBench{server: c}
	events := client.DefaultPrefix + ".event.bulk." + c.provider() + ".*"
	if err := streamed(ctx, c, events); err != nil {
		return nil, err
	}
	datasets := sample.New(1)
	err := c.all(ctx, collections, func(ctx context.Context, conn *connection, i int) error {
		metadata, err := datasets.Dataset(i)
		if err != nil {
			return err
		}
		_, err = conn.askOf(ctx, "collection.put", described(i), `{"metadata":`+string(metadata)+`}`)
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range taskLastLooked {
		metadata, err := datasets.Dataset(i)
		if err != nil {
			return nil, err
		}
		t.bytes += len(metadata) / taskLastLooked
	}
	if t.client, err = client.Connect(c.address(), client.Options{Provider: c.provider(), Timeout: taskMaxWait}); err != nil {
		return nil, err
	}
	t.feed, err = subscribe(c, events, func(e transport.Event) string {
		if strings.HasSuffix(e.Type, ".progressed") {
			return ""
		}
		return e.Entity + " " + e.Type
	})
	if err != nil {
		t.client.Close()
		return nil, err
	}
	return t, nil
}

func (t *taskBench) close() {
	t.feed.close()
	t.client.Close()
}

// described is a collection with the description of a data set.
func described(i int) string { return "b" + strconv.Itoa(i) }

// instructions change every item, each time to another value of the same length.
func (t *taskBench) instructions() json.RawMessage {
	t.value++
	return fmt.Appendf(nil, `[{"type":"FIND_AND_UPDATE","path":"/metadata/ScienceKeywords","find":{"Category":"EARTH SCIENCE"},"value":{"DetailedVariable":"VALUE %06d"}}]`, t.value)
}

// upload sends the ids of the first collections.
func (t *taskBench) upload(ctx context.Context, size int) (client.BulkTargets, error) {
	return t.client.BulkUpload(ctx, func(yield func(client.BulkTarget, error) bool) {
		for i := range size {
			if !yield(client.BulkTarget{ID: described(i)}, nil) {
				return
			}
		}
	})
}

// submit begins a task on the first collections, and tells how long it took until it was accepted.
func (t *taskBench) submit(ctx context.Context, size int) (*client.BulkTask, time.Duration, error) {
	targets, err := t.upload(ctx, size)
	if err != nil {
		return nil, 0, err
	}
	begin := time.Now()
	task, err := t.client.BulkSubmit(ctx, client.BulkRequest{Targets: targets, Instructions: t.instructions()})
	return task, time.Since(begin), err
}

// round runs tasks of one size, one after the other.
func (t *taskBench) round(ctx context.Context, size, repeats int, into *ran) error {
	before, err := settled(t.server.server.PID)
	if err != nil {
		return err
	}
	var rates, accepted, notices []float64
	stop := peakOf(t.server.server.PID)
	for range repeats {
		one, err := t.run(ctx, size)
		if err != nil {
			stop()
			return err
		}
		rates = append(rates, float64(size)/one.took.Seconds())
		accepted, notices = append(accepted, one.accepted.Seconds()), append(notices, float64(one.notice)/float64(time.Millisecond))
	}
	peak := stop()
	after, err := settled(t.server.server.PID)
	if err != nil {
		return err
	}
	into.rates, into.perItem = append(into.rates, median(rates)), append(into.perItem, 1/median(rates))
	into.accepted, into.notices = append(into.accepted, median(accepted)), append(into.notices, median(notices))
	into.before, into.peak, into.rest = append(into.before, mib(before)), append(into.peak, mib(max(peak, before))), append(into.rest, mib(after))
	return nil
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// taskRun is what one task came to.
type taskRun struct{ took, accepted, notice time.Duration }

// run runs one task and checks that it has written every item.
func (t *taskBench) run(ctx context.Context, size int) (r taskRun, err error) {
	task, accepted, err := t.submit(ctx, size)
	if err != nil {
		return r, err
	}
	begin := time.Now()
	r.accepted = accepted
	ended, err := t.end(ctx, task.Task)
	if err != nil {
		return r, err
	}
	r.took = ended.Sub(begin)
	last, err := t.client.BulkGet(ctx, task.Task)
	switch {
	case err != nil:
		return r, err
	case last.State != client.BulkComplete || last.Counts.Updated != uint64(size):
		return r, fmt.Errorf("task %s of %d items: %s with %+v", task.Task, size, last.State, last.Counts)
	}
	written, err := t.lastWritten(ctx, size)
	r.notice = ended.Sub(written)
	return r, err
}

// end waits for the event of the end, and says when it came.
func (t *taskBench) end(ctx context.Context, task string) (time.Time, error) {
	wait, cancel := context.WithTimeout(ctx, taskMaxWait)
	defer cancel()
	for {
		select {
		case n := <-t.feed.news:
			if n.about == task+" bulk.completed" {
				return n.at, nil
			}
		case <-wait.Done():
			return time.Time{}, fmt.Errorf("no event of the end of task %s: %w", task, wait.Err())
		}
	}
}

// lastWritten is when the last version of a task was made, by the server's clock, which is ours.
func (t *taskBench) lastWritten(ctx context.Context, size int) (last time.Time, err error) {
	for i := max(0, size-taskLastLooked); i < size; i++ {
		c, err := t.client.CollectionGet(ctx, described(i), client.WithoutDocuments())
		if err != nil {
			return last, err
		}
		if c.Updated.After(last) {
			last = c.Updated
		}
	}
	return last, nil
}

// acceptAll has tasks on all collections accepted, which are cancelled at once.
func (t *taskBench) acceptAll(ctx context.Context, collections, rounds int) (seconds []float64, err error) {
	for range rounds {
		begin := time.Now()
		task, err := t.client.BulkSubmit(ctx, client.BulkRequest{Targets: client.BulkTargets{All: true}, Instructions: t.instructions(), ItemsPerSecond: 1})
		if err != nil {
			return nil, err
		}
		seconds = append(seconds, time.Since(begin).Seconds())
		if task.Total != uint64(collections) {
			return nil, fmt.Errorf("all are %d collections, not %d", task.Total, collections)
		}
		if _, err := t.client.BulkCancel(ctx, task.Task); err != nil {
			return nil, err
		}
		if _, err := t.client.WaitBulk(ctx, task.Task); err != nil {
			return nil, err
		}
	}
	return seconds, nil
}

// peakOf looks at the resident memory of a process again and again; stop ends that, and tells the most that was seen.
func peakOf(pid int) (stop func() int64) {
	quit, peak := make(chan struct{}), make(chan int64)
	go func() {
		most := int64(0)
		tick := time.NewTicker(taskRSSEvery)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				peak <- most
				return
			case <-tick.C:
				if bytes, err := resident(pid); err == nil {
					most = max(most, bytes)
				}
			}
		}
	}()
	return func() int64 {
		close(quit)
		return <-peak
	}
}

// resident is how much memory a process has resident. It looks at Linux's /proc.
func resident(pid int) (bytes int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("resident memory: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if kib, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.Fields(kib)[0], 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("resident memory: /proc/%d/status does not say", pid)
}
