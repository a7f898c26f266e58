package suite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Growth measures whether an update costs more where there is more: documents in its collection, versions of it,
// collections beside it. Small and large take turns on the same machine; what counts is the ratio within a round.
type Growth struct {
	Documents, Versions, Collections int // of the large side; 0: that part is left out
	Updates                          int // of one turn
	Clients                          int
	Rounds                           int
	Dir                              string // where the data goes; empty: the system's temporary directory
	Progress                         func(string)
}

// Sizes of the small side, and the targets.
const (
	smallDocuments    = 10
	smallVersions     = 10
	smallCollections  = 1000
	targetDocuments   = 1.2
	targetVersions    = 1.2
	targetCollections = 1.5
)

// Run measures. Each measure is the time of an update on the large side divided by that on the small one.
func (g Growth) Run(ctx context.Context) (Report, error) {
	var measures []Measure
	for _, part := range []struct {
		size int
		run  func(context.Context) (Measure, error)
	}{{g.Documents, g.documents}, {g.Versions, g.versions}, {g.Collections, g.collections}} {
		if part.size == 0 {
			continue
		}
		m, err := part.run(ctx)
		if err != nil {
			return newReport("growth", measures...), fmt.Errorf("growth: %w", err)
		}
		measures = append(measures, m)
	}
	return newReport("growth", measures...), nil
}

func (g Growth) say(format string, args ...any) {
	if g.Progress != nil {
		g.Progress(fmt.Sprintf(format, args...))
	}
}

// compare takes turns and returns the ratio of the times, round by round. A first turn of each warms up.
func (g Growth) compare(name string, target float64, note string, small, large func(round int) (float64, error)) (Measure, error) {
	var ratios []float64
	for round := -1; round < g.Rounds; round++ {
		g.say("growth, %s: round %d of %d", name, max(round+1, 0), g.Rounds)
		smallTook, err := small(round)
		if err != nil {
			return Measure{}, err
		}
		largeTook, err := large(round)
		if err != nil {
			return Measure{}, err
		}
		if round >= 0 {
			ratios = append(ratios, largeTook/smallTook)
		}
	}
	return measured(name, "x", ratios, target, note), nil
}

// turn times updates of documents that pick draws.
func (g Growth) turn(ctx context.Context, c *Concord, pick func() (id, document string)) (float64, error) {
	took, err := c.timed(ctx, g.Clients, g.Updates, func(ctx context.Context, conn *connection, _ int) error {
		id, document := pick()
		return conn.write(ctx, id, document, payload(), nil)
	})
	return took.Seconds(), err
}

func (g Growth) documents(ctx context.Context) (m Measure, err error) {
	c := &Concord{}
	err = own(ctx, g.Dir, c, func(string) error {
		g.say("growth, documents: make collections of %d and %d", smallDocuments, g.Documents)
		if err := errors.Join(c.documents(ctx, "small", smallDocuments), c.documents(ctx, "large", g.Documents)); err != nil {
			return err
		}
		side := func(id string, n int) func(int) (float64, error) {
			return func(int) (float64, error) {
				return g.turn(ctx, c, func() (string, string) { return id, documentName(rand.IntN(n)) })
			}
		}
		m, err = g.compare("documents", targetDocuments, fmt.Sprintf("update in a collection of %d against %d documents", g.Documents, smallDocuments),
			side("small", smallDocuments), side("large", g.Documents))
		return err
	})
	return m, err
}

// versions: the young collection is a new one in every round, or it would not be young for long.
func (g Growth) versions(ctx context.Context) (m Measure, err error) {
	c := &Concord{}
	err = own(ctx, g.Dir, c, func(string) error {
		g.say("growth, versions: make a collection of %d", g.Versions)
		if err := c.versions(ctx, "large", g.Versions); err != nil {
			return err
		}
		update := func(id string) (float64, error) {
			return g.turn(ctx, c, func() (string, string) { return id, benchDocument })
		}
		m, err = g.compare("versions", targetVersions,
			fmt.Sprintf("update of a collection with %d against %d versions, %d updates each", g.Versions, smallVersions, g.Updates),
			func(round int) (float64, error) {
				id := fmt.Sprintf("small%d", round+1)
				if err := c.versions(ctx, id, smallVersions); err != nil {
					return 0, err
				}
				return update(id)
			}, func(int) (float64, error) { return update("large") })
		return err
	})
	return m, err
}

// collections: two servers, of which one works at a time.
func (g Growth) collections(ctx context.Context) (m Measure, err error) {
	small, large := &Concord{}, &Concord{}
	err = own(ctx, g.Dir, small, func(dir string) error {
		second := filepath.Join(dir, "large")
		if err := os.Mkdir(second, 0o700); err != nil {
			return err
		}
		return own(ctx, second, large, func(string) error {
			g.say("growth, collections: make %d and %d", smallCollections, g.Collections)
			if err := errors.Join(small.Preload(ctx, smallCollections, payload()), large.Preload(ctx, g.Collections, payload())); err != nil {
				return err
			}
			side := func(c *Concord, n int) func(int) (float64, error) {
				return func(int) (float64, error) {
					return g.turn(ctx, c, func() (string, string) { return collection(rand.IntN(n)), benchDocument })
				}
			}
			m, err = g.compare("collections", targetCollections,
				fmt.Sprintf("update of one of %d against one of %d collections", g.Collections, smallCollections),
				side(small, smallCollections), side(large, g.Collections))
			return err
		})
	})
	return m, err
}
