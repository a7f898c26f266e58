package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"concord/internal/bench"
	"concord/transport"
	"concord/transport/client"
)

// Locks measures locks: how many come and go, how soon the next in line has one, how soon a holder hears of a contest,
// and whether contests of one collection slow another one down.
type Locks struct {
	Clients  int           // that acquire and release, each one lock at a time
	Scopes   int           // that they draw from, each as likely as the others
	Duration time.Duration // of one turn of a load
	Rounds   int           // turns of each load
	Passes   int           // hand-overs, and contests, one after the other
	Contests float64       // of one scope, attempted a second while another collection is updated
	Dir      string
	Memory   bool // the server keeps everything in memory
	Progress func(string)
}

// How the other collection is updated, and who contests. A principal may contest a scope ten times a minute.
const (
	lockWarmUp        = time.Second
	isolationRate     = 200 // updates a second
	isolationWorkers  = 16
	contestWorkers    = 512
	contestConns      = 8
	contestPrincipals = 100_000
	targetIsolation   = 2
)

const (
	holder   = "ann"
	waiter   = "bob"
	longLock = `{"ttl":3600}`
)

// Run measures, on a server of its own.
func (l Locks) Run(ctx context.Context) (Report, error) {
	c := &Concord{Memory: l.Memory}
	var measures []Measure
	err := own(ctx, l.Dir, c, func(string) error {
		for _, part := range []func(context.Context, *Concord) ([]Measure, error){l.roundTrips, l.handOvers, l.prompts, l.isolation} {
			more, err := part(ctx, c)
			if err != nil {
				return err
			}
			measures = append(measures, more...)
		}
		return nil
	})
	if err != nil {
		return newReport("locks", measures...), fmt.Errorf("locks: %w", err)
	}
	return newReport("locks", measures...), nil
}

func (l Locks) say(format string, args ...any) {
	if l.Progress != nil {
		l.Progress("locks: " + fmt.Sprintf(format, args...))
	}
}

// on is a lock operation of somebody on a scope.
func (c *connection) on(ctx context.Context, operation, id, who, body string, header ...string) ([]byte, error) {
	msg := &nats.Msg{Subject: client.DefaultPrefix + "." + operation + "." + DefaultProvider + "." + id, Data: []byte(body),
		Header: nats.Header{transport.HeaderPrincipal: []string{who}}}
	for i := 0; i+1 < len(header); i += 2 {
		msg.Header[header[i]] = []string{header[i+1]}
	}
	return c.ask(ctx, msg)
}

// acquire gives the holder the lock.
func (c *connection) acquire(ctx context.Context, id, body string) (token string, err error) {
	text, err := c.on(ctx, "lock.acquire", id, holder, body)
	if err != nil {
		return "", err
	}
	return member(text, "token")
}

func (c *connection) release(ctx context.Context, id, who, token string) error {
	_, err := c.on(ctx, "lock.release", id, who, "", transport.HeaderLockToken, token)
	return err
}

// member is a member of an answer that is a string, and not empty.
func member(text []byte, name string) (value string, err error) {
	var members map[string]json.RawMessage
	if err = json.Unmarshal(text, &members); err == nil {
		err = json.Unmarshal(members[name], &value)
	}
	if err != nil || value == "" {
		return "", fmt.Errorf("no %s in the answer %.200s", name, text)
	}
	return value, nil
}

// roundTrips has clients acquire and release. No two of them draw the same scope.
func (l Locks) roundTrips(ctx context.Context, c *Concord) ([]Measure, error) {
	conns, closeAll, err := c.connections(l.Clients)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	each := max(l.Scopes/l.Clients, 1)
	var rates, p50s, p99s []float64
	for round := range l.Rounds {
		l.say("acquire and release, round %d of %d", round+1, l.Rounds)
		sample, err := bench.ClosedLoop(ctx, l.Clients, bench.Span{WarmUp: lockWarmUp, Duration: l.Duration}, func(ctx context.Context, worker int) error {
			id := "s" + strconv.Itoa(rand.IntN(each)*l.Clients+worker)
			token, err := conns[worker].acquire(ctx, id, "")
			if err != nil {
				return err
			}
			return conns[worker].release(ctx, id, holder, token)
		})
		if err != nil {
			return nil, err
		}
		if sample.Errors > 0 {
			return nil, fmt.Errorf("%d of the round trips failed: %w", sample.Errors, sample.FirstError)
		}
		rates = append(rates, sample.OpsPerSecond())
		p50s, p99s = append(p50s, ms(&sample.Latency, 0.5)), append(p99s, ms(&sample.Latency, 0.99))
	}
	note := fmt.Sprintf("acquire and release, %d clients, %d scopes (uniform)", l.Clients, l.Scopes)
	return []Measure{measured("round trips", "/s", rates, 0, note), measured("round trip p50", "ms", p50s, 0, note),
		measured("round trip p99", "ms", p99s, 0, note)}, nil
}

func ms(h *bench.Histogram, q float64) float64 {
	return float64(h.Quantile(q)) / float64(time.Millisecond)
}

// quantiles are the measures of one histogram.
func quantiles(name string, h *bench.Histogram, note string) []Measure {
	return []Measure{measured(name+" p50", "ms", []float64{ms(h, 0.5)}, 0, note), measured(name+" p99", "ms", []float64{ms(h, 0.99)}, 0, note)}
}

// handOvers has two pass a lock to and fro: the time is from the release until the other, who waits in the line, has it.
func (l Locks) handOvers(ctx context.Context, c *Concord) (measures []Measure, err error) {
	for _, way := range []struct {
		name string
		told func(context.Context, *Concord, string, string) (*feed, error)
	}{{"NATS event", offersByNATS}, {"SSE", offersBySSE}} {
		l.say("%d hand-overs, told by %s", l.Passes, way.name)
		var h bench.Histogram
		id := fmt.Sprintf("handover-%d", len(measures))
		if err := l.handOver(ctx, c, id, way.told, &h); err != nil {
			return nil, fmt.Errorf("hand-over, told by %s: %w", way.name, err)
		}
		measures = append(measures, quantiles("hand-over, "+way.name, &h, "release until the next in line has claimed, one at a time")...)
	}
	return measures, nil
}

func (l Locks) handOver(ctx context.Context, c *Concord, id string, told func(context.Context, *Concord, string, string) (*feed, error), h *bench.Histogram) error {
	conn, err := c.connect(0)
	if err != nil {
		return err
	}
	defer conn.nc.Close()
	has, waits := holder, waiter
	token, err := conn.acquire(ctx, id, longLock)
	if err != nil {
		return err
	}
	for range l.Passes {
		answer, err := conn.on(ctx, "lock.acquire", id, waits, `{"wait":true}`)
		if err != nil {
			return err
		}
		ticket, err := member(answer, "ticket")
		if err != nil {
			return err
		}
		offers, err := told(ctx, c, id, waits+"/"+ticket)
		if err != nil {
			return err
		}
		begin := time.Now()
		err = conn.release(ctx, id, has, token)
		if err == nil {
			_, err = offers.next(ctx, ticket)
		}
		offers.close()
		if err != nil {
			return err
		}
		if answer, err = conn.on(ctx, "lock.claim", id, waits, `{"ticket":"`+ticket+`"}`); err != nil {
			return err
		}
		h.Record(time.Since(begin))
		if token, err = member(answer, "token"); err != nil {
			return err
		}
		has, waits = waits, has
	}
	return conn.release(ctx, id, has, token)
}

// prompts has one hold locks and another contest them: the time is from the request until the holder hears of it.
func (l Locks) prompts(ctx context.Context, c *Concord) (measures []Measure, err error) {
	l.say("%d contests", l.Passes)
	conn, err := c.connect(0)
	if err != nil {
		return nil, err
	}
	defer conn.nc.Close()
	byNATS, err := promptsByNATS(c, holder)
	if err != nil {
		return nil, err
	}
	defer byNATS.close()
	bySSE, err := promptsBySSE(ctx, c, holder)
	if err != nil {
		return nil, err
	}
	defer bySSE.close()
	var natsTook, sseTook bench.Histogram
	for i := range l.Passes {
		id := "prompt" + strconv.Itoa(i) // one principal may contest a scope ten times a minute
		token, err := conn.acquire(ctx, id, longLock)
		if err != nil {
			return nil, err
		}
		begin := time.Now()
		if _, err := conn.on(ctx, "lock.contest", id, waiter, `{"note":"please"}`); err != nil {
			return nil, err
		}
		for _, one := range []struct {
			feed *feed
			took *bench.Histogram
		}{{byNATS, &natsTook}, {bySSE, &sseTook}} {
			at, err := one.feed.next(ctx, id)
			if err != nil {
				return nil, fmt.Errorf("prompt about %s: %w", id, err)
			}
			one.took.Record(at.Sub(begin))
		}
		if err := conn.release(ctx, id, holder, token); err != nil {
			return nil, err
		}
	}
	const note = "contest until the holder hears of it, one at a time"
	return append(quantiles("prompt, NATS event", &natsTook, note), quantiles("prompt, SSE", &sseTook, note)...), nil
}

// isolation updates a collection at a fixed rate, alone and while another one is contested.
func (l Locks) isolation(ctx context.Context, c *Concord) ([]Measure, error) {
	conns, closeAll, err := c.connections(isolationWorkers)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	if _, err := conns[0].ask(ctx, &nats.Msg{Subject: conns[0].create + "quiet", Data: []byte(`{}`)}); err != nil {
		return nil, err
	}
	if _, err := conns[0].acquire(ctx, "loud", longLock); err != nil {
		return nil, err
	}
	update := func() (*bench.Sample, error) {
		return bench.OpenLoop(ctx, isolationWorkers, isolationRate, bench.Span{WarmUp: lockWarmUp, Duration: l.Duration},
			func(ctx context.Context, worker int) error {
				return conns[worker].write(ctx, "quiet", benchDocument, payload(), nil)
			})
	}
	var ratios, alone, beside, rates []float64
	for round := range l.Rounds {
		l.say("updates beside %.0f contests a second, round %d of %d", l.Contests, round+1, l.Rounds)
		calm, err := update()
		if err != nil {
			return nil, err
		}
		storm, rate, err := l.storm(ctx, c, update)
		if err != nil {
			return nil, err
		}
		if calm.Errors+storm.Errors > 0 {
			return nil, fmt.Errorf("%d updates failed: %w", calm.Errors+storm.Errors, errors.Join(calm.FirstError, storm.FirstError))
		}
		alone, beside, rates = append(alone, ms(&calm.Latency, 0.99)), append(beside, ms(&storm.Latency, 0.99)), append(rates, rate)
		ratios = append(ratios, beside[round]/alone[round])
	}
	note := fmt.Sprintf("%d updates/s of one collection, while %.0f contests/s of another are attempted", isolationRate, l.Contests)
	return []Measure{measured("update p99, alone", "ms", alone, 0, note), measured("update p99, beside contests", "ms", beside, 0, note),
		measured("contests answered", "/s", rates, 0, "accepted or refused; fewer than attempted: the machine has no more"),
		measured("isolation", "x", ratios, targetIsolation, "p99 beside contests against p99 alone, in the same round")}, nil
}

// storm contests a lock for as long as the other load lasts. rate is how many contests a second were answered.
func (l Locks) storm(ctx context.Context, c *Concord, other func() (*bench.Sample, error)) (sample *bench.Sample, rate float64, err error) {
	conns, closeAll, err := c.connections(contestConns)
	if err != nil {
		return nil, 0, err
	}
	defer closeAll()
	var turn, answered atomic.Int64
	var contests *bench.Sample
	failed := make(chan error, 1)
	go func() {
		span := bench.Span{Duration: lockWarmUp + l.Duration}
		var err error
		contests, err = bench.OpenLoop(ctx, contestWorkers, l.Contests, span, func(ctx context.Context, worker int) error {
			who := "p" + strconv.FormatInt(turn.Add(1)%contestPrincipals, 10)
			err := conns[worker%contestConns].contest(ctx, "loud", who)
			if err == nil {
				answered.Add(1)
			}
			return err
		})
		failed <- err
	}()
	sample, err = other()
	if err = errors.Join(err, <-failed); err != nil {
		return nil, 0, err
	}
	if contests.FirstError != nil {
		return nil, 0, fmt.Errorf("contest: %w", contests.FirstError)
	}
	return sample, float64(answered.Load()) / (lockWarmUp + l.Duration).Seconds(), nil
}

// refusals are those that a contest may meet here: there are too many contestants, or the server is too busy for more.
var refusals = []string{"429", "409"}

// contest asks for a lock. That it is refused is an answer, too.
func (c *connection) contest(ctx context.Context, id, who string) error {
	answer, err := c.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: client.DefaultPrefix + ".lock.contest." + DefaultProvider + "." + id,
		Header: nats.Header{transport.HeaderPrincipal: []string{who}}})
	if err != nil {
		return err
	}
	if status := answer.Header.Get(transport.HeaderServiceCode); status != "" && !slices.Contains(refusals, status) {
		return fmt.Errorf("status %s: %.300s", status, answer.Data)
	}
	return nil
}
