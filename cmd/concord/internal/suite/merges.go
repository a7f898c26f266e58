package suite

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"concord/actors/jsonvalue"
	"concord/actors/merge"
	"concord/internal/bench"
	"concord/transport/client"
)

// Merges measures writes whose base is stale: many at the same documents against updates of many, how long large documents
// take, what merge scripts cost, and whether scripts that never end slow others down.
type Merges struct {
	Clients     int           // connections, each with one request at a time
	Collections int           // that uniform updates are drawn from
	Duration    time.Duration // of one turn of a load
	Rounds      int           // turns of each load
	Passes      int           // merges of large documents, one after the other
	Parts       []string      // of MergeParts
	Dir         string
	Memory      bool // the server keeps everything in memory
	Progress    func(string)
}

// How merges are measured.
const (
	mergeWarmUp    = time.Second
	mergeHot       = 10 // collections that all write
	scriptClients  = 8
	loopClients    = 8 // whose scripts never end: more than there are workers, so that the stream does not break
	capacityShare  = 0.3
	targetHot      = 0.8
	targetLargeMs  = 40
	targetLoops    = 1.5
	scriptBytes    = 50 << 10
	hotMemberBytes = payloadBytes/64 - len(`"m00":"",`) // so that the members of 64 clients make a document of the usual size
)

// MergeParts are the parts of the bench of merges.
var MergeParts = []string{"hot", "pure", "large", "scripts", "isolation"}

// Run measures, on a server of its own.
func (m Merges) Run(ctx context.Context) (Report, error) {
	for _, part := range m.Parts {
		if !slices.Contains(MergeParts, part) {
			return newReport("merge"), fmt.Errorf("merge: part %q is unknown; known are %s", part, strings.Join(MergeParts, ", "))
		}
	}
	c := &Concord{Memory: m.Memory, Args: []string{"--set", "merge.scripts=true"}}
	var measures []Measure
	err := own(ctx, m.Dir, c, func(string) error {
		if err := c.Preload(ctx, m.Collections, payload()); err != nil {
			return err
		}
		for i, part := range []func(context.Context, *Concord) ([]Measure, error){m.hot, m.pure, m.large, m.scripts, m.isolation} {
			if !slices.Contains(m.Parts, MergeParts[i]) {
				continue
			}
			more, err := part(ctx, c)
			if err != nil {
				return err
			}
			measures = append(measures, more...)
		}
		return nil
	})
	if err != nil {
		return newReport("merge", measures...), fmt.Errorf("merge: %w", err)
	}
	return newReport("merge", measures...), nil
}

func (m Merges) say(format string, args ...any) {
	if m.Progress != nil {
		m.Progress("merge: " + fmt.Sprintf(format, args...))
	}
}

func (m Merges) span() bench.Span { return bench.Span{WarmUp: mergeWarmUp, Duration: m.Duration} }

// loop is a closed loop that must have no errors.
func (m Merges) loop(ctx context.Context, clients int, op bench.Operation) (*bench.Sample, error) {
	sample, err := bench.ClosedLoop(ctx, clients, m.span(), op)
	if err == nil && sample.Errors > 0 {
		err = fmt.Errorf("%d operations failed: %w", sample.Errors, sample.FirstError)
	}
	return sample, err
}

// askOf sends a request of an operation about one entity.
func (c *connection) askOf(ctx context.Context, operation, id, body string) ([]byte, error) {
	return c.ask(ctx, &nats.Msg{Subject: client.DefaultPrefix + "." + operation + "." + DefaultProvider + "." + id, Data: []byte(body)})
}

// hot has all clients write the same ten documents: each its own member, built on the version of its last answer. Turns of
// uniform updates stand between.
func (m Merges) hot(ctx context.Context, c *Concord) ([]Measure, error) {
	conns, closeAll, err := c.connections(m.Clients)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	for key := range mergeHot {
		if _, err := conns[0].askOf(ctx, "collection.put", "hot"+strconv.Itoa(key), `{"documents":{"d":{}}}`); err != nil {
			return nil, err
		}
	}
	writers := make([]hotWriter, m.Clients)
	var merged atomic.Int64
	var uniform, rates, shares, ratios, p50s, p99s []float64
	for round := range m.Rounds {
		m.say("uniform updates and hot merges, round %d of %d", round+1, m.Rounds)
		even, err := m.loop(ctx, m.Clients, func(ctx context.Context, worker int) error {
			return conns[worker].write(ctx, collection(rand.IntN(m.Collections)), benchDocument, payload(), nil)
		})
		if err != nil {
			return nil, err
		}
		merged.Store(0)
		var all atomic.Int64
		hot, err := m.loop(ctx, m.Clients, func(ctx context.Context, worker int) error {
			stale, err := writers[worker].write(ctx, conns[worker], worker)
			all.Add(1)
			if stale {
				merged.Add(1)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("hot merges: %w", err)
		}
		uniform, rates = append(uniform, even.OpsPerSecond()), append(rates, hot.OpsPerSecond())
		shares = append(shares, float64(merged.Load())/float64(all.Load()))
		ratios = append(ratios, rates[round]/uniform[round])
		p50s, p99s = append(p50s, ms(&hot.Latency, 0.5)), append(p99s, ms(&hot.Latency, 0.99))
	}
	note := fmt.Sprintf("%d clients, %d collections, each its own member, base: the version of its last answer; no 409", m.Clients, mergeHot)
	ratio := measured("hot merges against uniform", "x", ratios, 0, "in the same round")
	ratio.AtLeast = targetHot
	return []Measure{measured("uniform updates", "/s", uniform, 0, fmt.Sprintf("%d clients, %d collections", m.Clients, m.Collections)),
		measured("hot merges", "/s", rates, 0, note), measured("hot merges p50", "ms", p50s, 0, note), measured("hot merges p99", "ms", p99s, 0, note),
		measured("of them stale", "share", shares, 0, "a three-way merge each"), ratio}, nil
}

// hotWriter is a client as it remembers what it was answered last for each hot collection.
type hotWriter struct{ bases [mergeHot]int64 }

func (h *hotWriter) write(ctx context.Context, conn *connection, worker int) (stale bool, err error) {
	key := rand.IntN(mergeHot)
	value := payload()
	value = value[len(value)-2-hotMemberBytes : len(value)-2] // without what closes it
	answer, err := conn.askOf(ctx, "collection.patch", "hot"+strconv.Itoa(key), fmt.Sprintf(
		`{"baseVersion":%d,"policy":"merge","changes":[{"op":"merge-document","id":"d","value":{"m%02d":"%s"}}]}`,
		max(h.bases[key], 1), worker, value))
	if err != nil {
		return false, err
	}
	h.bases[key], err = versionIn(answer)
	return bytes.Contains(answer, []byte(`"resolution":"merged"`)), err
}

// largeSides are a document of some size and two edits of it, all over it and on different members.
func largeSides(size, round int) (base, client, server string) {
	side := func(edits func(i int) bool, by string) string {
		var b strings.Builder
		b.WriteByte('{')
		for i := 0; b.Len() < size-160; i++ {
			if i > 0 {
				b.WriteByte(',')
			}
			name := "base"
			if edits(i) {
				name = by
			}
			fmt.Fprintf(&b, `"record%05d":{"title":"A record of some length, by %6s","round":%d,"tags":["a","b","c"]}`, i, name, round)
		}
		b.WriteByte('}')
		return b.String()
	}
	every := min(100, size>>9) // of a small one: every other record
	return side(func(int) bool { return false }, ""), side(func(i int) bool { return i%every == 0 }, "client"),
		side(func(i int) bool { return i%every == every/2 }, "server")
}

const largeBytes = 512 << 10

// pure merges large documents in this process: read three texts, merge, write one.
func (m Merges) pure(context.Context, *Concord) ([]Measure, error) {
	m.say("%d merges of large documents, without a service", m.Passes)
	base, client, server := largeSides(largeBytes, 0)
	var h bench.Histogram
	for range m.Passes {
		begin := time.Now()
		var sides [3]*jsonvalue.Value
		for i, text := range []string{base, client, server} {
			var err error
			if sides[i], err = jsonvalue.Parse([]byte(text)); err != nil {
				return nil, err
			}
		}
		value, conflicts := merge.Merge(sides[0], sides[1], sides[2], nil, jsonvalue.Pointer{"documents", "d"}, merge.Neither)
		if len(value.Text()) == 0 || len(conflicts) > 0 {
			return nil, fmt.Errorf("%d conflicts in a merge that has none", len(conflicts))
		}
		h.Record(time.Since(begin))
	}
	return m.bounded(quantiles("merge of 512 KiB", &h, "three-way, texts read and result written, no service")), nil
}

// bounded sets the target of the p99.
func (Merges) bounded(measures []Measure) []Measure {
	measures[len(measures)-1].Target = targetLargeMs
	return measures
}

// large merges large documents in the service.
func (m Merges) large(ctx context.Context, c *Concord) ([]Measure, error) {
	m.say("%d merges of large documents", m.Passes)
	conn, err := c.connect(0)
	if err != nil {
		return nil, err
	}
	defer conn.nc.Close()
	if _, err := conn.askOf(ctx, "collection.put", "large", `{}`); err != nil {
		return nil, err
	}
	var merges, puts bench.Histogram
	for pass := range m.Passes {
		base, client, server := largeSides(largeBytes, pass)
		version := int64(0)
		for i, text := range []string{base, server, client} {
			body := `{"document":"d","value":` + text
			if i == 2 {
				body += `,"policy":"merge","baseVersion":` + strconv.FormatInt(version-1, 10)
			}
			begin := time.Now()
			answer, err := conn.askOf(ctx, "document.put", "large", body+"}")
			took := time.Since(begin)
			if err != nil {
				return nil, err
			}
			if version, err = versionIn(answer); err != nil {
				return nil, err
			}
			switch stale := bytes.Contains(answer, []byte(`"resolution":"merged"`)); {
			case stale != (i == 2):
				return nil, fmt.Errorf("the answer is %s", answer)
			case stale:
				merges.Record(took)
			default:
				puts.Record(took)
			}
		}
	}
	return append(m.bounded(quantiles("stale update of 512 KiB", &merges, "the same in the service: one client")),
		quantiles("update of 512 KiB", &puts, "not stale, for comparison")...), nil
}
