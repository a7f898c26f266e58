package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Edit measures bulk edit sessions: how many records a second a step, a roll-back and a redo do, whether a record costs more
// among many and beside many, what is stored for each, and what others feel of it.
type Edit struct {
	Sizes       []int // records of a session, the fewest first
	Beside      int   // collections beside those of a session of the fewest records, against none
	Documents   int   // of each collection of such a session, against none
	Clients     int   // connections of the others, each with one request at a time
	Collections int   // that they update
	Duration    time.Duration
	Rounds      int
	Parts       []string // of EditParts
	Dir         string
	Progress    func(string)
}

// Targets of bulk edit sessions.
const (
	targetEditCost     = 1.2                      // of a record, large against small
	targetEditedStored = 1.2*payloadBytes + 512.0 // bytes for a record that was edited
)

// EditParts are the parts of the bench of bulk edit sessions.
var EditParts = []string{"speed", "beside", "documents", "store", "others"}

// Run measures, each part on servers of its own.
func (b Edit) Run(ctx context.Context) (Report, error) {
	for _, part := range b.Parts {
		if !slices.Contains(EditParts, part) {
			return newReport("edit"), fmt.Errorf("edit: part %q is unknown; known are %s", part, strings.Join(EditParts, ", "))
		}
	}
	if len(b.Sizes) == 0 || slices.Min(b.Sizes) < 1 || !slices.IsSorted(b.Sizes) {
		return newReport("edit"), errors.New("edit: the sizes of sessions are numbers from 1 on, the smallest first")
	}
	var measures []Measure
	for i, part := range []func(context.Context) ([]Measure, error){b.speed, b.beside, b.documents, b.store, b.others} {
		if !slices.Contains(b.Parts, EditParts[i]) {
			continue
		}
		more, err := part(ctx)
		if err != nil {
			return newReport("edit", measures...), fmt.Errorf("edit: %s: %w", EditParts[i], err)
		}
		measures = append(measures, more...)
	}
	return newReport("edit", measures...), nil
}

func (b Edit) say(format string, args ...any) {
	if b.Progress != nil {
		b.Progress("edit: " + fmt.Sprintf(format, args...))
	}
}

func (b Edit) largest() int { return b.Sizes[len(b.Sizes)-1] }

// with runs fn on a server of its own with so many records, without documents.
func (b Edit) with(ctx context.Context, parent string, records int, fn func(e *editBench, dir string) error) error {
	return b.withDocuments(ctx, parent, records, 0, fn)
}

func (b Edit) withDocuments(ctx context.Context, parent string, records, documents int, fn func(e *editBench, dir string) error) error {
	c := &Concord{}
	return own(ctx, parent, c, func(dir string) error {
		b.say("%d records, with %d documents each", records, documents)
		e, err := newEditBench(ctx, c, records, documents)
		if err != nil {
			return err
		}
		defer func() { e.close() }() // of the last connection
		return fn(e, dir)
	})
}

// edited is what sessions of one size came to, by round.
type edited struct {
	opened  []float64   // seconds
	perItem [][]float64 // seconds, by move
}

// round runs sessions of one size, one after the other, with all moves each.
func (e *editBench) round(ctx context.Context, records, repeats int, into *edited) error {
	if into.perItem == nil {
		into.perItem = make([][]float64, len(editMoves))
	}
	var opened []float64
	took := make([][]float64, len(editMoves))
	for range repeats {
		session, matching, err := e.open(ctx, records)
		if err != nil {
			return err
		}
		opened = append(opened, matching.Seconds())
		for i, m := range editMoves {
			one, _, err := e.make(ctx, session, m, records)
			if err != nil {
				return err
			}
			took[i] = append(took[i], one.Seconds()/float64(records))
		}
		if _, err := e.client.EditClose(ctx, session); err != nil {
			return err
		}
	}
	into.opened = append(into.opened, median(opened))
	for i := range editMoves {
		into.perItem[i] = append(into.perItem[i], median(took[i]))
	}
	return nil
}

func (r *edited) measures(size int) []Measure {
	measures := []Measure{measured(fmt.Sprintf("opened, %d", size), "s", r.opened, 0, "matching of a list of ids, uploaded before")}
	for i, m := range editMoves {
		var rates []float64
		for _, seconds := range r.perItem[i] {
			rates = append(rates, 1/seconds)
		}
		rate := measured(fmt.Sprintf("%s, %d", m.name, size), "/s", rates, 0, "records of 1 KiB, one version each; from the request until its end is known")
		if m.name != "redo" { // of a redo, nothing is asked
			rate.AtLeast = targetItems
		}
		measures = append(measures, rate)
	}
	return measures
}

// cost compares a record on the large side with one on the small side, round by round, for each move.
func (r *edited) cost(small *edited, name, note string) (measures []Measure) {
	for i, m := range editMoves {
		var ratios []float64
		for round := range r.perItem[i] {
			ratios = append(ratios, r.perItem[i][round]/small.perItem[i][round])
		}
		measures = append(measures, measured("cost of a record, "+name+", "+m.name, "x", ratios, targetEditCost, note))
	}
	return measures
}

// speed runs sessions of all sizes in turns.
func (b Edit) speed(ctx context.Context) (measures []Measure, err error) {
	came := make([]edited, len(b.Sizes))
	err = b.with(ctx, b.Dir, b.largest(), func(e *editBench, _ string) error {
		for round := range b.Rounds {
			for i, size := range b.Sizes {
				b.say("sessions of %d records, round %d of %d", size, round+1, b.Rounds)
				if err := e.round(ctx, size, b.repeats(size), &came[i]); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, size := range b.Sizes {
		measures = append(measures, came[i].measures(size)...)
	}
	if last := len(b.Sizes) - 1; last > 0 {
		measures = append(measures, came[last].cost(&came[0], "session",
			fmt.Sprintf("in a session of %d against one of %d, in the same round", b.largest(), b.Sizes[0]))...)
	}
	return measures, nil
}

func (b Edit) repeats(size int) int {
	if size < b.largest() {
		return bulkRepeats
	}
	return 1
}

// beside runs sessions of the smallest size, alone and beside other collections.
func (b Edit) beside(ctx context.Context) ([]Measure, error) {
	size := b.Sizes[0]
	return b.against(ctx, "collections", fmt.Sprintf("in a session of %d, beside %d other collections against none, in the same round", size, b.Beside),
		editShelf{size, 0}, editShelf{size + b.Beside, 0})
}

// documents runs sessions of the smallest size, on collections without documents and with many.
func (b Edit) documents(ctx context.Context) ([]Measure, error) {
	size := b.Sizes[0]
	return b.against(ctx, "documents", fmt.Sprintf("in a session of %d, whose collections have %d documents each against none, in the same round", size, b.Documents),
		editShelf{size, 0}, editShelf{size, b.Documents})
}

// editShelf is what a server has.
type editShelf struct{ collections, documents int }

// against runs sessions of the smallest size on two servers, of which one works at a time, and compares the cost of a record.
func (b Edit) against(ctx context.Context, name, note string, small, large editShelf) ([]Measure, error) {
	size := b.Sizes[0]
	var few, many edited
	err := b.withDocuments(ctx, b.Dir, small.collections, small.documents, func(alone *editBench, dir string) error {
		second := filepath.Join(dir, "large")
		if err := os.Mkdir(second, 0o700); err != nil {
			return err
		}
		return b.withDocuments(ctx, second, large.collections, large.documents, func(among *editBench, _ string) error {
			for round := range b.Rounds {
				b.say("sessions of %d records, %s, round %d of %d", size, name, round+1, b.Rounds)
				err := errors.Join(alone.round(ctx, size, bulkRepeats, &few), among.round(ctx, size, bulkRepeats, &many))
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return many.cost(&few, name, note), nil
}

// store tells by how much the store grows with each move of one session.
func (b Edit) store(ctx context.Context) (measures []Measure, err error) {
	records := b.largest()
	err = b.with(ctx, b.Dir, records, func(e *editBench, dir string) error {
		session, _, err := e.open(ctx, records)
		if err != nil {
			return err
		}
		before, err := e.stored(ctx, dir)
		if err != nil {
			return err
		}
		for _, m := range editMoves {
			b.say("bytes of %s, %d records", m.name, records)
			_, ended, err := e.make(ctx, session, m, records)
			if err != nil {
				return err
			}
			after, err := e.stored(ctx, dir)
			if err != nil {
				return err
			}
			grown := float64(after-before) / float64(records)
			measures = append(measures, measured("stored, "+m.name, "bytes/record", []float64{grown}, targetEditedStored,
				fmt.Sprintf("growth of the store, flushed, by %d records of 1 KiB; the session says %.0f bytes are kept of each for roll-backs",
					records, float64(ended.Storage.Bytes)/float64(records))))
			before = after
		}
		return nil
	})
	return measures, err
}

// others updates other collections alone, and while steps are applied and taken back.
func (b Edit) others(ctx context.Context) (measures []Measure, err error) {
	err = b.with(ctx, b.Dir, b.largest(), func(e *editBench, _ string) (err error) {
		o := others{server: e.server, clients: b.Clients, collections: b.Collections, duration: b.Duration, rounds: b.Rounds, say: b.say}
		measures, err = o.beside(ctx, "a session", fmt.Sprintf("sessions of %d records, each with a step that is taken back", b.largest()),
			func(ctx, going context.Context) (float64, error) { return e.until(ctx, going, b.largest()) })
		return err
	})
	return measures, err
}
