package bench

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// ledger records, in order, what fake contenders were asked to do.
type ledger struct {
	mu    sync.Mutex
	lines []string
}

func (l *ledger) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// fake is a contender in memory.
type fake struct {
	name     string
	ledger   *ledger
	startErr error
	readErr  error
	mu       sync.Mutex
	docs     map[int]string
	open     int
}

func (f *fake) Name() string { return f.name }

func (f *fake) Start(_ context.Context, dir string) error {
	f.ledger.add("start " + f.name)
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	f.docs = map[int]string{}
	return f.startErr
}

func (f *fake) Client(i int) (Client, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open++
	if i == 0 {
		f.ledger.add("load " + f.name)
	}
	return fakeClient{f}, nil
}

func (f *fake) Stop() error {
	f.ledger.add("stop " + f.name)
	if f.open != 0 {
		return errors.New("clients are open")
	}
	return nil
}

type fakeClient struct{ *fake }

func (c fakeClient) Update(_ context.Context, key int, payload []byte) error {
	time.Sleep(100 * time.Microsecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.docs[key] = string(payload)
	return nil
}

func (c fakeClient) Read(_ context.Context, key int) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return []byte(c.docs[key]), c.readErr
}

func (c fakeClient) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	return nil
}

func shortUpdates() Workload {
	return Workload{Name: "updates", Clients: 2, Keys: 50, PayloadBytes: 128, Duration: 10 * time.Millisecond}
}

func TestRunInterleavesAndReportsWhatIsMissing(t *testing.T) {
	var l ledger
	reads := shortUpdates()
	reads.Name, reads.ReadShare = "reads", 1
	report, err := Run(t.Context(), Plan{
		Contenders: []Contender{
			&fake{name: "ours", ledger: &l},
			&fake{name: "gone", ledger: &l, startErr: ErrNotInstalled{"gone-server", "gone"}},
			&fake{name: "deaf", ledger: &l, readErr: errors.ErrUnsupported},
		},
		Ours: "ours", Workloads: []Workload{shortUpdates(), reads}, Rounds: 2, Dir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := "start ours, load ours, start gone, start deaf, load deaf, " + // the first loads are preloads
		"load ours, load deaf, load ours, load deaf, " + // round 1: updates, reads
		"load ours, load deaf, load ours, " + // round 2: deaf has no reads
		"stop deaf, stop ours"
	if got := strings.Join(l.lines, ", "); got != want {
		t.Errorf("order is\n%s\nwant\n%s", got, want)
	}
	for _, row := range report.Results {
		switch row.Name + " " + row.Workload {
		case "ours updates", "deaf updates", "ours reads":
			if len(row.Rounds) != 2 || row.MaxMs == 0 || row.Errors != 0 {
				t.Errorf("%s %s: %+v", row.Name, row.Workload, row)
			}
		case "gone updates", "gone reads":
			if !strings.Contains(row.NotInstalled, "gone-server") {
				t.Errorf("%s: %q does not name the program", row.Name, row.NotInstalled)
			}
		case "deaf reads":
			if !row.Unsupported {
				t.Error("deaf has no reads, but the row does not say so")
			}
		}
	}
	if len(report.Results) != 6 {
		t.Errorf("%d rows, want 6: none may be left out", len(report.Results))
	}
}

func TestRunStopsAllAndRemovesItsDataAfterAFailure(t *testing.T) {
	var l ledger
	dir := t.TempDir()
	_, err := Run(t.Context(), Plan{
		Contenders: []Contender{
			&fake{name: "good", ledger: &l},
			&fake{name: "bad", ledger: &l, startErr: errors.New("port taken")},
		},
		Workloads: []Workload{shortUpdates()}, Rounds: 1, Dir: dir,
	})
	if err == nil || !strings.Contains(err.Error(), "start bad: port taken") {
		t.Errorf("error is %v", err)
	}
	if want := []string{"start good", "start bad", "stop good"}; !slices.Equal(l.lines, want) {
		t.Errorf("order is %v, want %v", l.lines, want)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestPlanIsCheckedBeforeAnythingStarts(t *testing.T) {
	var l ledger
	good := func() Plan {
		return Plan{Contenders: []Contender{&fake{name: "a", ledger: &l}}, Workloads: []Workload{shortUpdates()}, Rounds: 1}
	}
	for name, spoil := range map[string]func(*Plan){
		"no rounds":        func(p *Plan) { p.Rounds = 0 },
		"no contender":     func(p *Plan) { p.Contenders = nil },
		"twice the same":   func(p *Plan) { p.Contenders = append(p.Contenders, p.Contenders[0]) },
		"unknown ours":     func(p *Plan) { p.Ours = "b" },
		"twice a workload": func(p *Plan) { p.Workloads = append(p.Workloads, p.Workloads[0]) },
		"no clients":       func(p *Plan) { p.Workloads[0].Clients = 0 },
		"too many keys":    func(p *Plan) { p.Workloads[0].Keys = keysMax + 1 },
		"tiny payload":     func(p *Plan) { p.Workloads[0].PayloadBytes = payloadMinBytes - 1 },
		"no duration":      func(p *Plan) { p.Workloads[0].Duration = 0 },
		"negative rate":    func(p *Plan) { p.Workloads[0].RatePerSecond = -1 },
		"half a read":      func(p *Plan) { p.Workloads[0].ReadShare = 1.5 },
	} {
		p := good()
		spoil(&p)
		if _, err := Run(t.Context(), p); err == nil {
			t.Errorf("%s: was taken", name)
		}
	}
	if len(l.lines) != 0 {
		t.Errorf("something started: %v", l.lines)
	}
}
