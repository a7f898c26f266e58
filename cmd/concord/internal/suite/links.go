package suite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"concord/internal/bench"
)

// Links measures authorities and the fields that are linked to them: imports, one authority that many name, the change of a
// base URL that very many follow and what others feel of it, and the same change by the algorithm that it replaces.
type Links struct {
	Authorities int   // imported into one source
	Named       int   // links to one authority
	Sizes       []int // links that follow a base URL, the smallest first
	Origin      int   // links that follow a base URL by either algorithm
	Clients     int   // connections of the others, each with one request at a time
	Collections int   // that they update
	Duration    time.Duration
	Rounds      int
	Parts       []string // of LinkParts
	Dir         string
	Memory      bool // the server keeps everything in memory
	Progress    func(string)
}

// Targets of links.
const (
	targetImported  = 20_000 // a second
	targetLinks     = 40_000 // a second
	targetRewritten = 8_000  // rewritten a second
	targetChange    = 25     // seconds of the change of 1,000,000 links
	targetChangeOf  = 1_000_000
	targetOthers    = 2 // p99 of others meanwhile, against idle
	linkWarmUp      = time.Second
)

// LinkParts are the parts of the bench of links.
var LinkParts = []string{"import", "named", "change", "others", "origin"}

// Run measures, on a server of its own.
func (l Links) Run(ctx context.Context) (Report, error) {
	for _, part := range l.Parts {
		if !slices.Contains(LinkParts, part) {
			return newReport("links"), fmt.Errorf("links: part %q is unknown; known are %s", part, strings.Join(LinkParts, ", "))
		}
	}
	c := &Concord{Memory: l.Memory}
	var measures []Measure
	err := own(ctx, l.Dir, c, func(string) error {
		for i, part := range []func(context.Context, *Concord) ([]Measure, error){l.imports, l.named, l.change, l.others, l.origin} {
			if !slices.Contains(l.Parts, LinkParts[i]) {
				continue
			}
			more, err := part(ctx, c)
			if err != nil {
				return fmt.Errorf("%s: %w", LinkParts[i], err)
			}
			measures = append(measures, more...)
		}
		return nil
	})
	if err != nil {
		return newReport("links", measures...), fmt.Errorf("links: %w", err)
	}
	return newReport("links", measures...), nil
}

func (l Links) say(format string, args ...any) {
	if l.Progress != nil {
		l.Progress("links: " + fmt.Sprintf(format, args...))
	}
}

// imports fills one source, in ten equal parts: the last of them must not be slower for what is there.
func (l Links) imports(ctx context.Context, c *Concord) ([]Measure, error) {
	const tenths = 10
	l.say("%d authorities into one source", l.Authorities)
	s := &shelf{name: "imported", authorities: l.Authorities}
	if err := s.source(ctx, c, s.url(0)); err != nil {
		return nil, err
	}
	var rates []float64
	for part := range tenths {
		from, to := part*l.Authorities/tenths, (part+1)*l.Authorities/tenths
		begin := time.Now()
		if err := s.catalogue(ctx, c, from, to); err != nil {
			return nil, err
		}
		rates = append(rates, float64(to-from)/time.Since(begin).Seconds())
	}
	rate := measured("authorities imported", "/s", rates, 0, fmt.Sprintf("tenths of %d into one source; %d requests under way", l.Authorities, importRequests))
	rate.AtLeast = targetImported
	return []Measure{rate, measured("last tenth against first", "x", []float64{rates[tenths-1] / rates[0]}, 0, "rate; 1: it does not matter how many there are")}, nil
}

// named has one authority renamed that many documents name: of one collection, and of very many.
func (l Links) named(ctx context.Context, c *Concord) (measures []Measure, err error) {
	const few = 10 // documents of a collection
	for _, shape := range []struct {
		name        string
		collections int
	}{{"one", 1}, {"spread", max(l.Named/few, 1)}} {
		s := &shelf{name: shape.name, authorities: 1, documents: l.Named, collections: shape.collections, each: 1, even: true}
		l.say("%d documents of %d collections, linked to one authority", s.documents, s.collections)
		if err := s.fill(ctx, c); err != nil {
			return nil, err
		}
		conn, err := c.connect(0)
		if err != nil {
			return nil, err
		}
		var rates []float64
		for round := range l.Rounds {
			l.say("rename it, round %d of %d", round+1, l.Rounds)
			took, err := s.follow(ctx, conn, func() (string, error) { return s.rename(ctx, conn, round+1) })
			if err != nil {
				conn.nc.Close()
				return nil, err
			}
			rates = append(rates, float64(s.links())/took.Seconds())
		}
		conn.nc.Close()
		note := fmt.Sprintf("%d documents with one link each to the authority, %d collections", s.documents, s.collections)
		rate := measured("links renamed, "+shape.name, "/s", rates, 0, note)
		rate.AtLeast = targetRewritten
		measures = append(measures, rate)
	}
	return measures, nil
}

// change has base URLs change that fewer and more links follow, in turns.
func (l Links) change(ctx context.Context, c *Concord) (measures []Measure, err error) {
	conn, err := c.connect(0)
	if err != nil {
		return nil, err
	}
	defer conn.nc.Close()
	shelves := make([]*shelf, len(l.Sizes))
	for i, size := range l.Sizes {
		shelves[i] = linkedShelf("change"+strconv.Itoa(size), size)
		l.say("%d documents of %d collections, with %d links", shelves[i].documents, shelves[i].collections, shelves[i].links())
		if err := shelves[i].fill(ctx, c); err != nil {
			return nil, err
		}
	}
	took := make([][]float64, len(shelves))
	for round := range l.Rounds {
		for i, s := range shelves {
			l.say("a base URL with %d links changes, round %d of %d", s.links(), round+1, l.Rounds)
			d, err := s.follow(ctx, conn, func() (string, error) { return s.move(ctx, conn, s.url(round+1)) })
			if err != nil {
				return nil, err
			}
			took[i] = append(took[i], d.Seconds())
		}
	}
	for i, s := range shelves {
		measures = append(measures, s.measures(took[i])...)
	}
	if last := len(shelves) - 1; last > 0 {
		var ratios []float64
		for round := range l.Rounds {
			ratios = append(ratios, took[last][round]/float64(shelves[last].links())/(took[0][round]/float64(shelves[0].links())))
		}
		measures = append(measures, measured("cost of a link", "x", ratios, 0,
			fmt.Sprintf("among %d against among %d, in the same round", shelves[last].links(), shelves[0].links())))
	}
	return measures, nil
}

// measures are what a change of a base URL came to.
func (s *shelf) measures(seconds []float64) []Measure {
	var links, documents []float64
	for _, took := range seconds {
		links, documents = append(links, float64(s.links())/took), append(documents, float64(s.documents)/took)
	}
	note := fmt.Sprintf("%d links in %d documents of %d collections, skewed", s.links(), s.documents, s.collections)
	name := fmt.Sprintf(", %d", s.links())
	time, rate, rewritten := measured("change"+name, "s", seconds, 0, note), measured("links"+name, "/s", links, 0, note),
		measured("documents"+name, "/s", documents, 0, note)
	if s.links() == targetChangeOf {
		time.Target, rate.AtLeast, rewritten.AtLeast = targetChange, targetLinks, targetRewritten
	}
	return []Measure{time, rate, rewritten}
}

// others updates other collections at a share of what the server can do, alone and while base URLs change.
func (l Links) others(ctx context.Context, c *Concord) ([]Measure, error) {
	s := linkedShelf("beside", l.Sizes[len(l.Sizes)-1])
	l.say("%d documents of %d collections, with %d links", s.documents, s.collections, s.links())
	if err := errors.Join(s.fill(ctx, c), c.Preload(ctx, l.Collections, payload())); err != nil {
		return nil, err
	}
	conns, closeAll, err := c.connections(l.Clients + 1)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	span := bench.Span{WarmUp: linkWarmUp, Duration: l.Duration}
	update := func(ctx context.Context, worker int) error {
		return conns[worker].write(ctx, collection(rand.IntN(l.Collections)), benchDocument, payload(), nil)
	}
	l.say("capacity")
	full, err := bench.ClosedLoop(ctx, l.Clients, span, update)
	if err != nil || full.Errors > 0 {
		return nil, errors.Join(err, full.FirstError)
	}
	rate := capacityShare * full.OpsPerSecond()
	var ratios, alone, beside, links []float64
	for round := range l.Rounds {
		l.say("%.0f updates a second beside a change, round %d of %d", rate, round+1, l.Rounds)
		calm, err := bench.OpenLoop(ctx, l.Clients, rate, span, update)
		if err != nil {
			return nil, err
		}
		var busy *bench.Sample
		moved, err := s.moving(ctx, conns[l.Clients], round*movesMax, func() (err error) {
			busy, err = bench.OpenLoop(ctx, l.Clients, rate, span, update)
			return err
		})
		if err != nil {
			return nil, err
		}
		if calm.Errors+busy.Errors > 0 {
			return nil, fmt.Errorf("%d updates failed: %w", calm.Errors+busy.Errors, errors.Join(calm.FirstError, busy.FirstError))
		}
		alone, beside = append(alone, ms(&calm.Latency, 0.99)), append(beside, ms(&busy.Latency, 0.99))
		ratios, links = append(ratios, beside[round]/alone[round]), append(links, moved)
	}
	note := fmt.Sprintf("%.0f updates/s of %d other collections, 30 %% of capacity", rate, l.Collections)
	return []Measure{measured("update p99, alone", "ms", alone, 0, note), measured("update p99, beside changes", "ms", beside, 0, note),
		measured("links meanwhile", "/s", links, 0, fmt.Sprintf("one change of %d links after the other", s.links())),
		measured("isolation", "x", ratios, targetOthers, "p99 beside changes against p99 alone, in the same round")}, nil
}

// moving changes the base URL again and again for as long as the other load lasts; how many links followed a second.
func (s *shelf) moving(ctx context.Context, conn *connection, first int, other func() error) (perSecond float64, err error) {
	going, stop := context.WithCancel(ctx)
	var mover sync.WaitGroup
	var failed error
	moved, begin := 0.0, time.Now()
	mover.Go(func() {
		for n := first; going.Err() == nil; n++ {
			job, err := s.move(ctx, conn, s.url(n+1))
			if err != nil {
				failed = err
				return
			}
			done, err := s.watch(ctx, conn, job, going.Done())
			if moved += done; err != nil {
				failed = err
				return
			}
		}
	})
	err = other()
	took := time.Since(begin)
	stop()
	mover.Wait()
	return moved / took.Seconds(), errors.Join(failed, err)
}
