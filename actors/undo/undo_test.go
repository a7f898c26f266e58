package undo

import (
	"slices"
	"testing"
)

func TestForeign(t *testing.T) {
	for name, row := range map[string]struct {
		spans []Span
		now   uint64
		want  []Span
	}{
		"nobody else has written":              {[]Span{{1, 2}}, 2, nil},
		"spans that meet":                      {[]Span{{1, 2}, {2, 5}}, 5, nil},
		"somebody has written since":           {[]Span{{1, 2}}, 3, []Span{{3, 3}}},
		"somebody has written several":         {[]Span{{1, 2}}, 6, []Span{{3, 6}}},
		"somebody has written in between":      {[]Span{{1, 2}, {3, 4}}, 4, []Span{{3, 3}}},
		"somebody has written again and again": {[]Span{{1, 2}, {3, 4}, {4, 5}, {7, 8}}, 9, []Span{{3, 3}, {6, 7}, {9, 9}}},
	} {
		if got := Foreign(row.spans, row.now); !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}

func TestJoined(t *testing.T) {
	spans := []Span{{1, 2}, {2, 3}, {5, 6}, {6, 9}, {9, 10}, {12, 13}}
	if got, want := Joined(spans), []Span{{1, 3}, {5, 10}, {12, 13}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if spans[0] != (Span{1, 2}) {
		t.Errorf("the spans were changed: %v", spans)
	}
}

func TestGood(t *testing.T) {
	many := make([]Span, SpansMax+1)
	for i := range many {
		many[i] = Span{uint64(i + 1), uint64(i + 2)}
	}
	for name, row := range map[string]struct {
		spans []Span
		now   uint64
		want  bool
	}{
		"one":                          {[]Span{{1, 2}}, 2, true},
		"several":                      {[]Span{{1, 2}, {2, 3}, {7, 9}}, 20, true},
		"as many as can be":            {many[:SpansMax], 5000, true},
		"too many":                     {many, 5000, false},
		"none":                         {nil, 5, false},
		"before there was anything":    {[]Span{{0, 1}}, 5, false},
		"nothing in it":                {[]Span{{2, 2}}, 5, false},
		"backwards":                    {[]Span{{3, 2}}, 5, false},
		"not in order":                 {[]Span{{3, 4}, {1, 2}}, 5, false},
		"one over the other":           {[]Span{{1, 3}, {2, 4}}, 5, false},
		"of a version that is to come": {[]Span{{5, 6}}, 5, false},
	} {
		if got := Good(row.spans, row.now); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestTrail: a few lives of one record, told.
func TestTrail(t *testing.T) {
	step := func(run int, before uint64) func(*Trail) {
		return func(t *Trail) { t.Applied(run, Span{before, before + 1}) }
	}
	back := func(run, mark int, before uint64, c OnConflict) func(*Trail) {
		return func(t *Trail) { t.RolledBack(run, mark, Span{before, before + 1}, c) }
	}
	redo := func(run, of int, before uint64, c OnConflict) func(*Trail) {
		return func(t *Trail) { t.Redone(run, of, Span{before, before + 1}, c) }
	}
	for name, row := range map[string]struct {
		runs  []func(*Trail)
		mark  int
		since []Span
		of    int
		taken []Span
	}{
		"no run has written it":      {},
		"two steps":                  {[]func(*Trail){step(1, 1), step(2, 2)}, 0, []Span{{1, 2}, {2, 3}}, 1, nil},
		"the newer step alone":       {[]func(*Trail){step(1, 1), step(2, 2)}, 1, []Span{{2, 3}}, 1, nil},
		"a step that was taken back": {[]func(*Trail){step(1, 1), back(2, 0, 2, Skip)}, 0, nil, 2, []Span{{2, 3}}},
		"the step below one that was taken back begins where it began": {
			[]func(*Trail){step(1, 1), step(2, 2), back(3, 1, 3, Skip)}, 0, []Span{{1, 2}, {2, 4}}, 3, []Span{{3, 4}}},
		"others have written between the two": {
			[]func(*Trail){step(1, 1), step(2, 3), back(3, 1, 4, Skip)}, 0, []Span{{1, 2}, {3, 5}}, 3, []Span{{4, 5}}},
		"what others have written was forced away": {
			[]func(*Trail){step(1, 1), step(2, 2), back(3, 1, 4, Force)}, 0, []Span{{1, 2}, {2, 5}}, 3, []Span{{4, 5}}},
		"what others have written was merged": {
			[]func(*Trail){step(1, 1), step(2, 2), back(3, 1, 4, Merge)}, 0, []Span{{1, 2}}, 3, []Span{{4, 5}}},
		"a redo": {
			[]func(*Trail){step(1, 1), back(2, 0, 2, Skip), redo(3, 2, 3, Skip)}, 0, []Span{{1, 2}, {2, 4}}, 2, nil},
		"a roll-back to the moment after a roll-back takes what was redone": {
			[]func(*Trail){step(1, 1), step(2, 2), back(3, 1, 3, Skip), redo(4, 3, 4, Skip)}, 3, []Span{{2, 3}, {3, 5}}, 3, nil},
		"a roll-back to the moment after a redo leaves it": {
			[]func(*Trail){step(1, 1), back(2, 0, 2, Skip), redo(3, 2, 3, Skip), step(4, 4)}, 3, []Span{{4, 5}}, 2, nil},
		"the older of two roll-backs takes the newer one along": {
			[]func(*Trail){step(1, 1), step(2, 2), back(3, 1, 3, Skip), back(4, 0, 4, Skip)}, 0, nil, 3, []Span{{3, 4}, {4, 5}}},
		"the older of two roll-backs after the newer one was redone": {
			[]func(*Trail){step(1, 1), step(2, 2), back(3, 1, 3, Skip), back(4, 0, 4, Skip), redo(5, 4, 5, Skip)},
			0, []Span{{1, 2}, {2, 4}, {4, 6}}, 3, []Span{{3, 4}, {4, 6}}},
		"a step after a roll-back ends the redo": {
			[]func(*Trail){step(1, 1), back(2, 0, 2, Skip), step(3, 3)}, 0, []Span{{3, 4}}, 2, nil},
		"a roll-back that was skipped leaves its step to the next one": {
			[]func(*Trail){step(1, 1), step(2, 2), step(4, 4)}, 1, []Span{{2, 3}, {4, 5}}, 3, nil},
	} {
		var trail Trail
		for _, run := range row.runs {
			run(&trail)
		}
		if got := trail.Since(row.mark); !slices.Equal(got, row.since) {
			t.Errorf("%s: to be undone is %v, want %v", name, got, row.since)
		}
		if got := trail.Taken(row.of); !slices.Equal(got, row.taken) {
			t.Errorf("%s: to be redone is %v, want %v", name, got, row.taken)
		}
	}
}
