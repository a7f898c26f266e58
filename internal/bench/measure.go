package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Measurement is what one contender did in one round of one workload.
type Measurement struct {
	OpsPerSecond float64 `json:"opsPerSecond"`
	P50Ms        float64 `json:"p50Ms"`
	P99Ms        float64 `json:"p99Ms"`
	P999Ms       float64 `json:"p999Ms"`
	MaxMs        float64 `json:"maxMs"`
	Errors       int64   `json:"errors"`
	Conflicts    int64   `json:"conflicts"` // refused tries that were made again, warm-up included
	Missed       int64   `json:"missed"`    // open loop only: due but never begun
	FirstError   string  `json:"firstError,omitempty"`
}

// Measure opens w.Clients connections to the started contender, puts the load on it, and closes them.
// Failed operations are counted, not returned. The error is errors.ErrUnsupported (wrapped) if the
// contender does not have one of the workload's operations.
func Measure(ctx context.Context, c Contender, w Workload) (Measurement, error) {
	if err := w.validate(); err != nil {
		return Measurement{}, err
	}
	return measure(ctx, c, w, newPicker(w.Distribution, w.Keys))
}

// measure is Measure of a valid workload whose picker is made already.
func measure(ctx context.Context, c Contender, w Workload, pick picker) (m Measurement, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("measure %s, %s: %w", c.Name(), w.Name, err)
		}
	}()
	clients, err := openClients(c, w.Clients)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, closeClients(clients)) }()

	users := make([]*user, w.Clients)
	for i, client := range clients {
		users[i] = newUser(client, i, w, pick)
	}
	if err := users[0].probe(ctx); err != nil {
		return m, err
	}
	op := func(ctx context.Context, worker int) error { return users[worker].operate(ctx) }
	span := Span{w.WarmUp, w.Duration}
	var sample *Sample
	if w.RatePerSecond > 0 {
		sample, err = OpenLoop(ctx, w.Clients, w.RatePerSecond, span, op)
	} else {
		sample, err = ClosedLoop(ctx, w.Clients, span, op)
	}
	if err != nil {
		return m, err
	}
	return summarize(sample, clients), nil
}

func summarize(s *Sample, clients []Client) Measurement {
	m := Measurement{
		OpsPerSecond: s.OpsPerSecond(),
		P50Ms:        milliseconds(s.Latency.Quantile(0.50)),
		P99Ms:        milliseconds(s.Latency.Quantile(0.99)),
		P999Ms:       milliseconds(s.Latency.Quantile(0.999)),
		MaxMs:        milliseconds(s.Latency.Max()),
		Errors:       s.Errors,
		Missed:       s.Missed,
	}
	if s.FirstError != nil {
		m.FirstError = s.FirstError.Error()
	}
	for _, client := range clients {
		if c, ok := client.(Conflicted); ok {
			m.Conflicts += c.Conflicts()
		}
	}
	return m
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// user is one client at work: it draws keys and writes documents of its own.
type user struct {
	client    Client
	pick      picker
	random    *rand.Rand
	document  *document
	readShare float64
}

func newUser(client Client, i int, w Workload, pick picker) *user {
	return &user{
		client:    client,
		pick:      pick,
		random:    rand.New(rand.NewPCG(rand.Uint64(), uint64(i))),
		document:  newDocument(i, w.PayloadBytes),
		readShare: w.ReadShare,
	}
}

// operate does the next operation of the workload.
func (u *user) operate(ctx context.Context) error {
	if u.readShare > 0 && u.random.Float64() < u.readShare {
		return u.read(ctx)
	}
	return u.client.Update(ctx, u.pick(u.random), u.document.next())
}

func (u *user) read(ctx context.Context) error {
	key := u.pick(u.random)
	body, err := u.client.Read(ctx, key)
	if err == nil && len(body) == 0 {
		err = fmt.Errorf("read key %d: empty answer", key)
	}
	return err
}

// probe does one operation of each sort and returns an error only for one that the contender has not;
// any other failure shows in the loop, where it is counted.
func (u *user) probe(ctx context.Context) error {
	var read, update error
	if u.readShare > 0 {
		read = u.read(ctx)
	}
	if u.readShare < 1 {
		update = u.client.Update(ctx, u.pick(u.random), u.document.next())
	}
	for _, err := range []error{read, update} {
		if errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return nil
}

// openClients opens n connections, or none if one of them fails.
func openClients(c Contender, n int) ([]Client, error) {
	clients := make([]Client, 0, n)
	for i := range n {
		client, err := c.Client(i)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open client %d: %w", i, err), closeClients(clients))
		}
		clients = append(clients, client)
	}
	return clients, nil
}

func closeClients(clients []Client) error {
	var all error
	for i, client := range clients {
		if err := client.Close(); err != nil {
			all = errors.Join(all, fmt.Errorf("close client %d: %w", i, err))
		}
	}
	return all
}
