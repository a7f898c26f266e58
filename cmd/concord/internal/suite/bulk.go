package suite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"concord/transport/client"
)

// Bulk measures bulk tasks: how many items a second, whether an item costs more among many, what memory they take, how soon
// the end is known, and what others feel of them.
type Bulk struct {
	Sizes       []int // items of a task, the fewest first
	Clients     int   // connections of the others, each with one request at a time
	Collections int   // that they update
	Duration    time.Duration
	Rounds      int
	Parts       []string // of BulkParts
	Dir         string
	Memory      bool // the server keeps everything in memory
	Progress    func(string)
}

// Targets of bulk tasks.
const (
	targetItems    = 10_000 // a second
	targetItemCost = 1.2    // of the largest task against the smallest
)

// bulkRepeats is how many small tasks stand for one: a short time is mostly noise.
const bulkRepeats = 5

// BulkParts are the parts of the bench of bulk tasks.
var BulkParts = []string{"speed", "others"}

// Run measures, on a server of its own.
func (b Bulk) Run(ctx context.Context) (Report, error) {
	for _, part := range b.Parts {
		if !slices.Contains(BulkParts, part) {
			return newReport("bulk"), fmt.Errorf("bulk: part %q is unknown; known are %s", part, strings.Join(BulkParts, ", "))
		}
	}
	if len(b.Sizes) == 0 || slices.Min(b.Sizes) < 1 || !slices.IsSorted(b.Sizes) {
		return newReport("bulk"), errors.New("bulk: the sizes of tasks are numbers from 1 on, the smallest first")
	}
	c := &Concord{Memory: b.Memory}
	var measures []Measure
	err := own(ctx, b.Dir, c, func(string) error {
		t, err := b.open(ctx, c)
		if err != nil {
			return err
		}
		defer t.close()
		for i, part := range []func(context.Context, *taskBench) ([]Measure, error){b.speed, b.others} {
			if !slices.Contains(b.Parts, BulkParts[i]) {
				continue
			}
			more, err := part(ctx, t)
			if err != nil {
				return fmt.Errorf("%s: %w", BulkParts[i], err)
			}
			measures = append(measures, more...)
		}
		return nil
	})
	if err != nil {
		return newReport("bulk", measures...), fmt.Errorf("bulk: %w", err)
	}
	return newReport("bulk", measures...), nil
}

func (b Bulk) say(format string, args ...any) {
	if b.Progress != nil {
		b.Progress("bulk: " + fmt.Sprintf(format, args...))
	}
}

func (b Bulk) largest() int { return b.Sizes[len(b.Sizes)-1] }

// open makes the collections.
func (b Bulk) open(ctx context.Context, c *Concord) (*taskBench, error) {
	b.say("%d collections with the description of a data set each", b.largest())
	return newTaskBench(ctx, c, b.largest())
}

// ran is what the tasks of one size came to.
type ran struct {
	perItem            []float64 // seconds, by round
	rates              []float64
	accepted, notices  []float64
	before, peak, rest []float64 // MiB of the server
}

// speed runs tasks of all sizes in turns.
func (b Bulk) speed(ctx context.Context, t *taskBench) ([]Measure, error) {
	came := make([]ran, len(b.Sizes))
	for round := range b.Rounds {
		for i, size := range b.Sizes {
			repeats := 1
			if size < b.largest() {
				repeats = bulkRepeats
			}
			b.say("tasks of %d items, round %d of %d", size, round+1, b.Rounds)
			if err := t.round(ctx, size, repeats, &came[i]); err != nil {
				return nil, err
			}
		}
	}
	b.say("all %d collections, to see how long the list takes", b.largest())
	all, err := t.acceptAll(ctx, b.largest(), b.Rounds)
	if err != nil {
		return nil, err
	}
	var measures []Measure
	for i, size := range b.Sizes {
		measures = append(measures, came[i].measures(size, t.bytes)...)
	}
	measures = append(measures, measured(fmt.Sprintf("accepted, all of %d", b.largest()), "s", all, 0, "the list is every collection of the provider"))
	if last := len(b.Sizes) - 1; last > 0 {
		var ratios []float64
		for round := range b.Rounds {
			ratios = append(ratios, came[last].perItem[round]/came[0].perItem[round])
		}
		measures = append(measures, measured("cost of an item", "x", ratios, targetItemCost,
			fmt.Sprintf("among %d against among %d, in the same round", b.largest(), b.Sizes[0])))
	}
	return measures, nil
}

func (r *ran) measures(size, bytes int) []Measure {
	name := fmt.Sprintf(", %d", size)
	rate := measured("items"+name, "/s", r.rates, 0, fmt.Sprintf("FIND_AND_UPDATE of the science keywords, one version each, of metadata of %d bytes on average; from the answer to the notice of the end", bytes))
	rate.AtLeast = targetItems
	return []Measure{rate,
		measured("accepted"+name, "s", r.accepted, 0, "a list of ids, uploaded before"),
		measured("notice"+name, "ms", r.notices, 0, "from the last version to the event of the end at the client"),
		measured("memory before"+name, "MiB", r.before, 0, "resident memory of the server"),
		measured("memory at most"+name, "MiB", r.peak, 0, "while the task runs"),
		measured("memory after"+name, "MiB", r.rest, 0, "left alone for a while")}
}

// others updates other collections alone, and while tasks run.
func (b Bulk) others(ctx context.Context, t *taskBench) ([]Measure, error) {
	o := others{server: t.server, clients: b.Clients, collections: b.Collections, duration: b.Duration, rounds: b.Rounds, say: b.say}
	return o.beside(ctx, "a task", fmt.Sprintf("one task of %d items after the other", b.largest()),
		func(ctx, going context.Context) (float64, error) { return t.until(ctx, going, b.largest()) })
}

// until runs a task to its end, or until it is told to stop; how many items it has done by then.
func (t *taskBench) until(ctx, going context.Context, size int) (items float64, err error) {
	task, _, err := t.submit(ctx, size)
	if err != nil {
		return 0, err
	}
	last, err := t.client.WaitBulk(going, task.Task)
	if err != nil && going.Err() == nil {
		return 0, err
	}
	if going.Err() == nil {
		return float64(last.Counts.Done()), nil
	}
	if _, err := t.client.BulkCancel(ctx, task.Task); err != nil && !client.IsCode(err, "wrong-state") {
		return 0, err
	}
	if last, err = t.client.WaitBulk(ctx, task.Task); err != nil {
		return 0, err
	}
	return float64(last.Counts.Done()), nil
}
