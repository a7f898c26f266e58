package suite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"concord/internal/bench"
	"concord/transport"
)

// script merges by hand what no rule could.
const script = `function merge(base, client, server, ctx) {
  const result = {};
  for (const name in server) result[name] = server[name];
  for (const name in client) if (JSON.stringify(client[name]) !== JSON.stringify(base[name])) result[name] = client[name];
  result.merges = (server.merges || 0) + 1;
  return result;
}`

// scripts has clients write one collection each, always on its first version: a script merges each time.
func (m Merges) scripts(ctx context.Context, c *Concord) (measures []Measure, err error) {
	conns, closeAll, err := c.connections(scriptClients)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	for _, size := range []int{payloadBytes, scriptBytes} {
		name := fmt.Sprintf("script, %d KiB", size>>10)
		base, client, server := largeSides(size, 0)
		ids := func(worker int) string { return fmt.Sprintf("script-%d-%d", size, worker) }
		for worker := range scriptClients {
			if err := scripted(ctx, conns[worker], ids(worker), script, base, server); err != nil {
				return nil, err
			}
		}
		var rates, p50s, p99s []float64
		for round := range m.Rounds {
			m.say("%s, round %d of %d", name, round+1, m.Rounds)
			sample, err := m.loop(ctx, scriptClients, func(ctx context.Context, worker int) error {
				answer, err := conns[worker].askOf(ctx, "document.put", ids(worker), `{"document":"d","baseVersion":1,"policy":"server-logic","value":`+client+`}`)
				if err == nil && !bytes.Contains(answer, []byte(`"resolution":"server-logic"`)) {
					err = fmt.Errorf("the answer is %s", answer)
				}
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			rates = append(rates, sample.OpsPerSecond())
			p50s, p99s = append(p50s, ms(&sample.Latency, 0.5)), append(p99s, ms(&sample.Latency, 0.99))
		}
		note := fmt.Sprintf("%d clients, a collection each, the default number of workers", scriptClients)
		measures = append(measures, measured(name, "/s", rates, 0, note), measured(name+" p50", "ms", p50s, 0, note), measured(name+" p99", "ms", p99s, 0, note))
	}
	return measures, nil
}

// scripted makes a collection at version 2, of a type with the script.
func scripted(ctx context.Context, conn *connection, id, source, base, server string) error {
	for _, one := range []struct{ operation, body string }{
		{"type.put", fmt.Sprintf(`{"conflict":{"script":{"source":%q}}}`, source)},
		{"collection.put", fmt.Sprintf(`{"type":%q,"documents":{"d":%s}}`, id, base)},
		{"document.put", `{"document":"d","value":` + server + `}`},
	} {
		if _, err := conn.askOf(ctx, one.operation, id, one.body); err != nil {
			return err
		}
	}
	return nil
}

// isolation updates collections at a share of what the server can do, alone and while every worker runs scripts that do
// not end.
func (m Merges) isolation(ctx context.Context, c *Concord) ([]Measure, error) {
	conns, closeAll, err := c.connections(m.Clients)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	update := func(ctx context.Context, worker int) error {
		return conns[worker].write(ctx, collection(rand.IntN(m.Collections)), benchDocument, payload(), nil)
	}
	m.say("capacity")
	full, err := m.loop(ctx, m.Clients, update)
	if err != nil {
		return nil, err
	}
	rate := capacityShare * full.OpsPerSecond()
	var ratios, alone, beside, loops []float64
	for round := range m.Rounds {
		m.say("%.0f updates a second beside endless scripts, round %d of %d", rate, round+1, m.Rounds)
		calm, err := bench.OpenLoop(ctx, m.Clients, rate, m.span(), update)
		if err != nil {
			return nil, err
		}
		var storm *bench.Sample
		killed, err := m.endless(ctx, c, func() (err error) {
			storm, err = bench.OpenLoop(ctx, m.Clients, rate, m.span(), update)
			return err
		})
		if err != nil {
			return nil, err
		}
		if calm.Errors+storm.Errors > 0 {
			return nil, fmt.Errorf("%d updates failed: %w", calm.Errors+storm.Errors, errors.Join(calm.FirstError, storm.FirstError))
		}
		alone, beside = append(alone, ms(&calm.Latency, 0.99)), append(beside, ms(&storm.Latency, 0.99))
		ratios, loops = append(ratios, beside[round]/alone[round]), append(loops, killed)
	}
	note := fmt.Sprintf("%.0f updates/s, 30 %% of capacity, while every worker runs endless loops", rate)
	return []Measure{measured("update p99, alone", "ms", alone, 0, note), measured("update p99, beside loops", "ms", beside, 0, note),
		measured("loops ended", "/s", loops, 0, "by their deadline; each a 409 merge-failed"),
		measured("isolation", "x", ratios, targetLoops, "p99 beside loops against p99 alone, in the same round")}, nil
}

// endless has clients write collections whose scripts do not end, for as long as the other load lasts. It returns how many
// were ended a second.
func (m Merges) endless(ctx context.Context, c *Concord, other func() error) (perSecond float64, err error) {
	conns, closeAll, err := c.connections(loopClients)
	if err != nil {
		return 0, err
	}
	defer closeAll()
	id := func(worker int) string { return "endless-" + strconv.Itoa(worker) }
	for worker, conn := range conns {
		if err := scripted(ctx, conn, id(worker), "function merge() { for (;;) {} }", "1", strconv.FormatInt(time.Now().UnixMilli(), 10)); err != nil {
			return 0, err
		}
	}
	looping, stop := context.WithCancel(ctx)
	defer stop()
	var ended atomic.Int64
	var clients sync.WaitGroup
	failures := make([]error, loopClients)
	begin := time.Now()
	for worker, conn := range conns {
		clients.Go(func() {
			for looping.Err() == nil && failures[worker] == nil {
				failures[worker] = conn.failingMerge(ctx, id(worker))
				ended.Add(1)
			}
		})
	}
	err = other()
	stop()
	clients.Wait()
	return float64(ended.Load()) / time.Since(begin).Seconds(), errors.Join(append(failures, err)...)
}

// failingMerge is an update whose script must be stopped.
func (c *connection) failingMerge(ctx context.Context, id string) error {
	answer, err := c.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: c.put + id,
		Data: []byte(`{"document":"d","baseVersion":1,"policy":"server-logic","value":3}`)})
	if err != nil {
		return err
	}
	if answer.Header.Get(transport.HeaderServiceCode) != "409" || !bytes.Contains(answer.Data, []byte(`"reason":"timeout"`)) {
		return fmt.Errorf("an endless script came to %.300s", answer.Data)
	}
	return nil
}
