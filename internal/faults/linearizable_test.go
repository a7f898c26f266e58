package faults

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// The history that the checker judges: one register a collection, with its version.
type (
	registerInput struct {
		op    string // "get", "put", "cas"
		key   int
		value string
		base  uint64
	}
	registerOutput struct {
		unknown  bool
		conflict bool
		version  uint64
		value    string
	}
	registerState struct {
		version uint64
		value   string
	}
)

// registerModel is what a collection with one document promises. An update without an answer may have had its effect
// at any time after its start, or never: it is given an end after all others.
var registerModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[int][]porcupine.Operation{}
		for _, o := range history {
			k := o.Input.(registerInput).key
			byKey[k] = append(byKey[k], o)
		}
		var parts [][]porcupine.Operation
		for _, p := range byKey {
			parts = append(parts, p)
		}
		return parts
	},
	Init: func() any { return registerState{} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(registerState), input.(registerInput), output.(registerOutput)
		after := registerState{s.version + 1, in.value}
		switch {
		case in.op == "get":
			return out.version == s.version && out.value == s.value, s
		case out.unknown && in.op == "cas" && in.base != s.version:
			return true, s
		case out.unknown:
			return true, after
		case out.conflict:
			return in.op == "cas" && in.base != s.version, s
		case in.op == "cas" && in.base != s.version:
			return false, s
		default:
			return out.version == after.version, after
		}
	},
	DescribeOperation: func(input, output any) string {
		return fmt.Sprintf("%+v -> %+v", input, output)
	},
}

const (
	linearizableKeys    = 12
	linearizableClients = 12
)

// TestLinearizable runs readers and writers over a few hot collections while the process is killed and paused, and has
// the history checked. At least 500 operations a second must get through, or the test proves nothing.
func TestLinearizable(t *testing.T) {
	for round := range count("CONCORD_LINEARIZABLE_ROUNDS", 3) {
		t.Run(fmt.Sprint(round), func(t *testing.T) { linearizableRound(t, uint64(round), 20_000) })
	}
}

func linearizableRound(t *testing.T, seed uint64, operations int64) {
	p := startProcess(t)
	history := &history{start: time.Now()}
	var left atomic.Int64
	left.Store(operations)
	var clients sync.WaitGroup
	for c := range linearizableClients {
		clients.Go(func() {
			l := &link{p: p}
			defer l.close()
			client(l, history, c, rand.New(rand.NewPCG(seed, uint64(c))), &left)
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	var faults sync.WaitGroup
	faults.Go(func() { disturb(ctx, p, rand.New(rand.NewPCG(seed, 99))) })
	clients.Wait()
	took := time.Since(history.start)
	cancel()
	faults.Wait()
	rate := float64(len(history.operations)) / took.Seconds()
	t.Logf("%d operations (%d unknown), %.0f/s, %d starts", len(history.operations), history.unknown, rate, p.started)
	if rate < 500 {
		t.Errorf("only %.0f operations a second", rate)
	}
	result, info := porcupine.CheckOperationsVerbose(registerModel, history.operations, 2*time.Minute)
	if result != porcupine.Ok {
		file, err := os.CreateTemp("", "concord-history-*.html")
		if err == nil {
			err = porcupine.Visualize(registerModel, info, file)
		}
		t.Fatalf("history is %s; drawn in %s (%v)", result, file.Name(), err)
	}
}

// disturb kills and pauses the process a few times.
func disturb(ctx context.Context, p *process, rng *rand.Rand) {
	for fault := 0; ; fault++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration(150+rng.IntN(250)) * time.Millisecond):
		}
		if fault%2 == 0 {
			p.kill()
			p.start()
			continue
		}
		p.signal(syscall.SIGSTOP)
		<-time.After(time.Duration(50+rng.IntN(300)) * time.Millisecond)
		p.signal(syscall.SIGCONT)
	}
}

type history struct {
	start      time.Time
	mu         sync.Mutex
	operations []porcupine.Operation
	unknown    int
}

func (h *history) add(client int, in registerInput, out registerOutput, call, end time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := porcupine.Operation{ClientId: client, Input: in, Output: out,
		Call: call.Sub(h.start).Nanoseconds(), Return: end.Sub(h.start).Nanoseconds()}
	if out.unknown {
		h.unknown++
		o.ClientId, o.Return = 1000+h.unknown, math.MaxInt64
	}
	h.operations = append(h.operations, o)
}

// client makes operations until enough are made.
func client(l *link, h *history, id int, rng *rand.Rand, left *atomic.Int64) {
	seen := make(map[int]uint64)
	for n := 0; left.Add(-1) >= 0; n++ {
		key := rng.IntN(linearizableKeys)
		in := registerInput{op: "get", key: key, value: fmt.Sprintf("%d-%d", id, n)}
		switch r := rng.IntN(10); {
		case r < 4:
			in.op = "put"
		case r < 6 && seen[key] > 0:
			in.op, in.base = "cas", seen[key]
		}
		call := time.Now()
		out, ok := operate(l, in)
		if !ok {
			left.Add(1)
			waitALittle()
			continue // it had no effect, and is not part of the history
		}
		h.add(id, in, out, call, time.Now())
		if !out.unknown && !out.conflict {
			seen[key] = out.version
		}
	}
}

// operate makes one operation; ok is false if it certainly had no effect.
func operate(l *link, in registerInput) (out registerOutput, ok bool) {
	subject, body := "", ""
	switch in.op {
	case "get":
		subject, body = fmt.Sprintf("document.get.p.k%d", in.key), `{"document":"d"}`
	case "put":
		subject, body = fmt.Sprintf("collection.put.p.k%d", in.key), fmt.Sprintf(`{"documents":{"d":{"n":%q}}}`, in.value)
	case "cas":
		subject = fmt.Sprintf("document.put.p.k%d", in.key)
		body = fmt.Sprintf(`{"document":"d","value":{"n":%q},"baseVersion":%d}`, in.value, in.base)
	}
	a, err := l.request(context.Background(), subject, body, "")
	if _, unknown := errors.AsType[errUnknown](err); unknown {
		return registerOutput{unknown: true}, in.op != "get" && l.nc != nil
	}
	switch a.status {
	case 0:
		r := mustResult(a)
		return registerOutput{version: r.Version, value: r.Value.N}, true
	case 404:
		return registerOutput{}, in.op == "get"
	case 409:
		return registerOutput{conflict: true}, true
	default:
		return out, false
	}
}
