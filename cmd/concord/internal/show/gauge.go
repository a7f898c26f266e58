package show

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Reading is how far a job of the service is.
type Reading struct {
	State   string
	Total   int64 // items; 0: not known yet
	Done    int64 // failed ones included
	Failed  int64
	Waiting string // what it waits for, in words; empty: nothing
}

// Gauge tells a person how far a job of the service is, which goes on by itself: by a bar on a terminal, by a line a second
// elsewhere. Its methods may be called by many goroutines.
type Gauge struct {
	out  io.Writer
	what string
	unit string // of one item
	bar  *progressbar.ProgressBar

	mu    sync.Mutex
	now   Reading
	first Reading // when the look began: the rate is what was done since
	begin time.Time

	stop chan struct{}
	done chan struct{}
}

// NewGauge begins a gauge of items, named as one of them. End it.
func NewGauge(out io.Writer, what, unit string) *Gauge {
	g := &Gauge{out: out, what: what, unit: unit, begin: time.Now(), stop: make(chan struct{}), done: make(chan struct{})}
	if Terminal(out) {
		g.bar = progressbar.NewOptions64(-1, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(what),
			progressbar.OptionSetWidth(24), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false)) // the text has them
	}
	go g.run()
	return g
}

// Set tells the gauge how far the job is.
func (g *Gauge) Set(r Reading) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now == (Reading{}) {
		g.first, g.begin = r, time.Now()
	}
	g.now = r
	if g.bar == nil {
		return
	}
	if r.Total > 0 {
		g.bar.ChangeMax64(r.Total)
	}
	g.bar.Describe(g.text(time.Now()))
	_ = g.bar.Set64(r.Done) // a bar that cannot be drawn harms nobody
}

// End waits until nothing is written any more.
func (g *Gauge) End() {
	close(g.stop)
	<-g.done
	if g.bar != nil {
		_ = g.bar.Finish()
	}
}

func (g *Gauge) run() {
	defer close(g.done)
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-g.stop:
			return
		case now := <-tick.C:
			g.mu.Lock()
			text := g.text(now)
			g.mu.Unlock()
			if g.bar != nil {
				g.bar.Describe(text)
				continue
			}
			_, _ = fmt.Fprintln(g.out, text)
		}
	}
}

// text is the line. The caller holds the lock.
func (g *Gauge) text(now time.Time) string {
	r := g.now
	parts := []string{r.State}
	if r.Total > 0 {
		parts = append(parts, fmt.Sprintf("%s of %s", Thousands(r.Done), Count(r.Total, g.unit)))
		if g.bar == nil { // which shows it
			parts = append(parts, fmt.Sprintf("%d %%", 100*r.Done/r.Total))
		}
	}
	if rate := float64(r.Done-g.first.Done) / now.Sub(g.begin).Seconds(); rate > 0 {
		parts = append(parts, Thousands(int64(rate))+"/s")
		if left := r.Total - r.Done; left > 0 {
			parts = append(parts, time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second).String()+" left")
		}
	}
	if r.Failed > 0 {
		parts = append(parts, Thousands(r.Failed)+" failed")
	}
	if r.Waiting != "" {
		parts = append(parts, r.Waiting)
	}
	if r.State == "" {
		parts = []string{"waiting for the service"}
	}
	return g.what + ": " + strings.Join(parts, ", ")
}
