package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

const (
	roundsMax = 100
	// settle lets what one contender left undone (compaction, write-back) end before the next has its turn.
	settle = 200 * time.Millisecond
)

// Plan is a whole run.
type Plan struct {
	Contenders []Contender // have their turn in this order, in every round
	Ours       string      // the contender that is compared with all others; may be empty
	Workloads  []Workload  // one after the other, in every round
	Rounds     int
	Dir        string       // where a directory for the run is made, and removed; empty: the system's
	Progress   func(string) // is told what begins; may be nil
}

// Run starts all contenders, preloads them, measures every workload in interleaved rounds, stops them
// and removes their data. Only one contender is under load at a time. A contender that is not installed
// stands in the report by name. If something else fails, Run returns what was measured until then
// along with the error. Nothing of it runs any more when it returns.
func Run(ctx context.Context, plan Plan) (report Report, err error) {
	if err := plan.validate(); err != nil {
		return Report{}, err
	}
	dir, err := plan.makeDir()
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	r := &run{plan: plan, dir: dir}
	defer func() { err = errors.Join(err, r.stop()) }()
	if err = r.start(ctx); err == nil {
		err = r.measureAll(ctx)
	}
	return r.report(), err
}

func (p Plan) validate() error {
	if p.Rounds < 1 || p.Rounds > roundsMax {
		return fmt.Errorf("plan: rounds must be 1 to %d", roundsMax)
	}
	if len(p.Contenders) == 0 || len(p.Workloads) == 0 {
		return errors.New("plan: at least one contender and one workload are needed")
	}
	seen := map[string]bool{}
	for _, c := range p.Contenders {
		if seen[c.Name()] {
			return fmt.Errorf("plan: contender %s is named twice", c.Name())
		}
		seen[c.Name()] = true
	}
	if p.Ours != "" && !seen[p.Ours] {
		return fmt.Errorf("plan: %s is not among the contenders", p.Ours)
	}
	loads := map[Load]bool{}
	for _, w := range p.Workloads {
		if err := w.validate(); err != nil {
			return fmt.Errorf("plan: %w", err)
		}
		if loads[w.load()] {
			return fmt.Errorf("plan: workload %q stands there twice", w.Name)
		}
		loads[w.load()] = true
	}
	return nil
}

// makeDir makes the run's directory, which servers that run as another user can search.
func (p Plan) makeDir() (string, error) {
	dir, err := os.MkdirTemp(p.Dir, "concord-bench-")
	if err != nil {
		return "", fmt.Errorf("directory of the run: %w", err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", errors.Join(fmt.Errorf("directory of the run: %w", err), os.Remove(dir))
	}
	return dir, nil
}

// run is a Run under way.
type run struct {
	plan     Plan
	dir      string
	entrants []*entrant
	results  []*Result
}

// entrant is a contender of a run: either up, or missing from this machine.
type entrant struct {
	Contender
	missing *ErrNotInstalled
}

func (r *run) progress(format string, arguments ...any) {
	if r.plan.Progress != nil {
		r.plan.Progress(fmt.Sprintf(format, arguments...))
	}
}

// start brings up and preloads all contenders that are installed.
func (r *run) start(ctx context.Context) error {
	keys, payloadBytes := r.plan.preload()
	for _, c := range r.plan.Contenders {
		r.progress("start %s", c.Name())
		dir := filepath.Join(r.dir, c.Name())
		if err := os.Mkdir(dir, 0o711); err != nil {
			return fmt.Errorf("start %s: %w", c.Name(), err)
		}
		err := c.Start(ctx, dir)
		if missing, ok := errors.AsType[ErrNotInstalled](err); ok {
			r.entrants = append(r.entrants, &entrant{c, &missing})
			continue
		}
		if err != nil {
			return fmt.Errorf("start %s: %w", c.Name(), err)
		}
		r.entrants = append(r.entrants, &entrant{c, nil})
		if keys == 0 {
			continue
		}
		r.progress("preload %s with %s", c.Name(), counted(keys, "key"))
		if err := Preload(ctx, c, keys, payloadBytes); err != nil {
			return err
		}
	}
	return nil
}

// preload returns how many keys of which size some workload needs at its beginning.
func (p Plan) preload() (keys, payloadBytes int) {
	for _, w := range p.Workloads {
		if w.preloads() && w.Keys > keys {
			keys, payloadBytes = w.Keys, w.PayloadBytes
		}
	}
	return keys, payloadBytes
}

// stop ends all contenders that are up, the last one first.
func (r *run) stop() error {
	var all error
	for i := len(r.entrants) - 1; i >= 0; i-- {
		if e := r.entrants[i]; e.missing == nil {
			if err := e.Stop(); err != nil {
				all = errors.Join(all, fmt.Errorf("stop %s: %w", e.Name(), err))
			}
		}
	}
	return all
}

// measureAll goes through all workloads in every round, and through all contenders in every workload, so
// that also figures of different workloads come from the same minutes.
func (r *run) measureAll(ctx context.Context) error {
	turns := make([]turn, len(r.plan.Workloads))
	for i, w := range r.plan.Workloads {
		turns[i] = turn{w, newPicker(w.Distribution, w.Keys), r.newRows(w)}
	}
	for round := range r.plan.Rounds {
		for _, t := range turns {
			for i, e := range r.entrants {
				if e.missing != nil || t.rows[i].Unsupported {
					continue
				}
				r.progress("round %d of %d, %s, %s: %s", round+1, r.plan.Rounds, t.Name, counted(t.Clients, "client"), e.Name())
				if err := r.measureOne(ctx, e, t, t.rows[i]); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// turn is one workload and its row for every entrant.
type turn struct {
	Workload
	pick picker
	rows []*Result
}

// measureOne adds a round to row. One contender's garbage is collected before the next has its turn,
// since those that are embedded share this process.
func (r *run) measureOne(ctx context.Context, e *entrant, t turn, row *Result) error {
	runtime.GC()
	time.Sleep(settle)
	m, err := measure(ctx, e.Contender, t.Workload, t.pick)
	if errors.Is(err, errors.ErrUnsupported) {
		row.Unsupported = true
		return nil
	}
	if err != nil {
		return err
	}
	row.Rounds = append(row.Rounds, m)
	return nil
}

// newRows adds a row for every entrant to the results.
func (r *run) newRows(w Workload) []*Result {
	rows := make([]*Result, len(r.entrants))
	for i, e := range r.entrants {
		rows[i] = newResult(e.Contender, w, r.plan.Ours)
		if e.missing != nil {
			rows[i].NotInstalled = e.missing.Error()
		}
	}
	r.results = append(r.results, rows...)
	return rows
}

// report sums up what has been measured.
func (r *run) report() Report {
	results := make([]Result, len(r.results))
	for i, row := range r.results {
		row.sumUp()
		results[i] = *row
	}
	report := newReport(results, r.plan.Ours)
	if volatile, err := inMemory(r.dir); err == nil && volatile {
		report.Warnings = append(report.Warnings, r.dir+" is in memory: a sync costs nothing there, so no figure counts")
	}
	return report
}
