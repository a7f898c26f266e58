package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/child"
	"concord/cmd/concord/internal/show"
	"concord/cmd/concord/internal/suite"
	"concord/internal/bench"
	"concord/internal/bench/contenders"
)

// Defaults of a bench: the figures of the targets.
const (
	benchClients     = 64
	benchCollections = 100_000
	benchDuration    = 10 * time.Second
	benchWarmUp      = 2 * time.Second
	benchRounds      = 3
	benchPayload     = 1024
	benchHotKeys     = 10
)

// benchInput is what a bench is told.
type benchInput struct {
	clients, collections, rounds, payload int
	duration, warmUp                      time.Duration
	against                               []string
	data, url                             string
	keys, quiet                           bool
	rate                                  float64
}

// workloads are the loads by the names of their commands.
var workloads = []struct {
	name, short string
	change      func(*bench.Workload)
}{
	{"updates", "Updates of collections, each as likely as the others", func(*bench.Workload) {}},
	{"reads", "Reads of the newest version of a document", func(w *bench.Workload) { w.ReadShare = 1 }},
	{"hot", "Updates of ten hot collections", func(w *bench.Workload) { w.Distribution = bench.Hot(benchHotKeys) }},
	{"latency", "Updates by one client: how long each takes", func(w *bench.Workload) { w.Clients = 1 }},
}

func (a *app) bench() *cobra.Command {
	var in benchInput
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure Concord against other systems, and against itself",
		Long: `Measure Concord on this machine: against other systems, which are started for it and take turns, and against itself,
small against large. A speed is a ratio: machines differ, and are noisy.

echo is the limit of request and reply: an endpoint that returns the request. As Concord it runs as a process of its
own, with the same NATS server, connections and endpoint settings.

Contenders: ` + strings.Join(contenders.Names(), ", ") + `;
postgres means both of its kinds.`,
		Example: `  concord bench updates
  concord bench all --against echo,postgres,redis -o json
  concord bench reads --collections 1000 --duration 2s --rounds 1 --data mem:
  concord bench growth --documents 100000 --versions 100000 --collections 1000000`,
		Args: group, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, w := range workloads {
		cmd.AddCommand(a.benchOf(w.name, w.short, []string{w.name}, &in))
	}
	var all []string
	for _, w := range workloads {
		all = append(all, w.name)
	}
	cmd.AddCommand(a.benchOf("all", "All of these, and locks", all, &in),
		a.benchLocks(), a.benchMerge(), a.benchLinks(), a.benchBulk(), a.benchEdit(), a.benchGrowth(), a.benchMemory(), a.benchActivation(), a.benchStart())
	return cmd
}

func (a *app) benchOf(name, short string, loads []string, in *benchInput) *cobra.Command {
	cmd := &cobra.Command{Use: name, Short: short, Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runBench(cmd.Context(), loads, in) }}
	f := cmd.Flags()
	f.IntVar(&in.clients, "clients", benchClients, "connections, each with one request at a time")
	f.IntVar(&in.collections, "collections", benchCollections, "collections, one document each")
	f.DurationVar(&in.duration, "duration", benchDuration, "of one turn")
	f.DurationVar(&in.warmUp, "warm-up", benchWarmUp, "before each turn, not counted")
	f.IntVar(&in.rounds, "rounds", benchRounds, "turns of each contender")
	f.IntVar(&in.payload, "payload", benchPayload, "bytes of a document")
	f.Float64Var(&in.rate, "rate", 0, "operations a second, whatever the answers do; 0: as many as the clients can")
	f.StringSliceVar(&in.against, "against", []string{suite.EchoName}, "contenders, with commas between; none: only Concord")
	f.StringVar(&in.data, "data", "", "directory for everybody's data, removed afterwards; mem: has Concord keep all in memory")
	f.StringVar(&in.url, "url", "", "use the server that runs there; it gets the provider "+suite.DefaultProvider)
	f.BoolVar(&in.keys, "idempotency-keys", false, "every update of Concord has a key, as those of its own client have")
	f.BoolVar(&in.quiet, "quiet", false, "say nothing in between")
	cmd.MarkFlagsMutuallyExclusive("data", "url")
	return cmd
}

func (in *benchInput) plan(loads []string) (bench.Plan, error) {
	plan := bench.Plan{Ours: suite.Name, Rounds: in.rounds}
	if in.data != "mem:" {
		plan.Dir = in.data
	}
	for _, w := range workloads {
		if !slices.Contains(loads, w.name) {
			continue
		}
		load := bench.Workload{Name: w.name, Clients: in.clients, Keys: in.collections, PayloadBytes: in.payload, Preload: true,
			RatePerSecond: in.rate, WarmUp: in.warmUp, Duration: in.duration}
		w.change(&load)
		plan.Workloads = append(plan.Workloads, load)
	}
	plan.Contenders = []bench.Contender{&suite.Concord{URL: in.url, Memory: in.data == "mem:", Keys: in.keys}}
	for _, name := range in.against {
		switch name {
		case suite.EchoName:
			plan.Contenders = append(plan.Contenders, &suite.Echo{})
		case "", "none":
		default:
			chosen, err := contenders.Select([]string{name}, contenders.Options{})
			if err != nil {
				return plan, usageError{err}
			}
			plan.Contenders = append(plan.Contenders, chosen...)
		}
	}
	return plan, nil
}

func (a *app) runBench(ctx context.Context, loads []string, in *benchInput) error {
	plan, err := in.plan(loads)
	if err != nil {
		return err
	}
	plan.Progress = a.progress(in.quiet)
	var report benchReport
	report.Report, err = bench.Run(ctx, plan)
	if err == nil && len(loads) == len(workloads) && in.url == "" {
		locks := suite.Locks{Clients: in.clients, Scopes: in.collections, Duration: in.duration, Rounds: in.rounds, Passes: benchPasses,
			Contests: benchContests, Dir: plan.Dir, Memory: in.data == "mem:", Progress: plan.Progress}
		var measured suite.Report
		measured, err = locks.Run(ctx)
		report.Locks = &measured
	}
	if len(report.Results) == 0 {
		return err
	}
	return errors.Join(err, a.writeBench(report))
}

// benchReport is what a bench has found; Locks is there if all was asked for.
type benchReport struct {
	bench.Report
	Locks *suite.Report `json:"locks,omitempty"`
}

func (a *app) writeBench(r benchReport) error {
	switch {
	case a.format == show.JSON:
		return show.Encode(a.out, show.JSON, r)
	case a.format == show.JSONL:
		for _, result := range r.Results {
			if err := show.Encode(a.out, show.JSONL, result); err != nil {
				return err
			}
		}
		if r.Locks == nil {
			return nil
		}
		for _, m := range r.Locks.Measures {
			if err := show.Encode(a.out, show.JSONL, m); err != nil {
				return err
			}
		}
		return nil
	case r.Locks == nil:
		return r.WriteTable(a.out)
	}
	if err := r.WriteTable(a.out); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(a.out, "locks"); err != nil {
		return err
	}
	return r.Locks.WriteTable(a.out)
}

// progress says on standard error what begins.
func (a *app) progress(quiet bool) func(string) {
	return func(text string) {
		if !quiet {
			a.sayf("%s %s", time.Now().Format("15:04:05"), text)
		}
	}
}

// suiteOf is a command that measures Concord against itself.
func (a *app) suiteOf(name, short, example string, run func(context.Context, string, func(string)) (suite.Report, error)) *cobra.Command {
	var dir string
	var quiet bool
	cmd := &cobra.Command{
		Use: name, Short: short, Example: example, Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			report, err := run(cmd.Context(), dir, a.progress(quiet))
			if err != nil {
				return err
			}
			if a.format == show.Table {
				return report.WriteTable(a.out)
			}
			return report.WriteJSON(a.out)
		},
	}
	cmd.Flags().StringVar(&dir, "data", "", "directory for the data, removed afterwards")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "say nothing in between")
	return cmd
}

// Sizes of the bench of locks that are no flags of `bench all`.
const (
	benchPasses   = 1000
	benchContests = 10_000
)

func (a *app) benchLocks() *cobra.Command {
	var l suite.Locks
	cmd := a.suiteOf("locks", "How fast do locks come, go and change hands, and do contests of one collection slow another down?",
		"  concord bench locks --clients 16 --duration 2s --rounds 1 --passes 200",
		func(ctx context.Context, dir string, progress func(string)) (suite.Report, error) {
			l.Dir, l.Progress = dir, progress
			return l.Run(ctx)
		})
	f := cmd.Flags()
	f.IntVar(&l.Clients, "clients", benchClients, "connections that acquire and release, each one lock at a time")
	f.IntVar(&l.Scopes, "scopes", benchCollections, "collections that they lock")
	f.DurationVar(&l.Duration, "duration", benchDuration, "of one turn")
	f.IntVar(&l.Rounds, "rounds", benchRounds, "turns")
	f.IntVar(&l.Passes, "passes", benchPasses, "hand-overs, and contests, one after the other")
	f.Float64Var(&l.Contests, "contests", benchContests, "contests of one collection that are attempted a second while another is updated")
	return cmd
}

// benchLarge is how many large documents are merged.
const benchLarge = 200

func (a *app) benchMerge() *cobra.Command {
	var m suite.Merges
	cmd := a.suiteOf("merge", "What do stale writes cost: many at the same documents, large documents, merge scripts; and do endless scripts slow others down?",
		"  concord bench merge --clients 16 --collections 1000 --duration 2s --rounds 1 --passes 20",
		func(ctx context.Context, dir string, progress func(string)) (suite.Report, error) {
			m.Dir, m.Progress = dir, progress
			return m.Run(ctx)
		})
	f := cmd.Flags()
	f.IntVar(&m.Clients, "clients", benchClients, "connections, each with one request at a time")
	f.IntVar(&m.Collections, "collections", benchCollections, "collections of the uniform updates")
	f.DurationVar(&m.Duration, "duration", benchDuration, "of one turn")
	f.IntVar(&m.Rounds, "rounds", benchRounds, "turns")
	f.IntVar(&m.Passes, "passes", benchLarge, "merges of large documents")
	f.StringSliceVar(&m.Parts, "parts", suite.MergeParts, "what to measure, with commas between")
	return cmd
}

// Sizes of the bench of links: small enough for a look. docs/BENCHMARKS.md has those of the targets.
const (
	benchAuthorities = 50_000
	benchNamed       = 10_000
	benchLinksFew    = 10_000
	benchLinksMany   = 100_000
)

func (a *app) benchLinks() *cobra.Command {
	var l suite.Links
	cmd := a.suiteOf("links", "How fast do authorities come in, and linked fields follow a change; and does that slow others down?",
		"  concord bench links --parts change --links 10000,100000,1000000",
		func(ctx context.Context, dir string, progress func(string)) (suite.Report, error) {
			l.Dir, l.Progress = dir, progress
			return l.Run(ctx)
		})
	f := cmd.Flags()
	f.IntVar(&l.Authorities, "authorities", benchAuthorities, "authorities that are imported into one source")
	f.IntVar(&l.Named, "named", benchNamed, "links to one authority, which is renamed")
	f.IntSliceVar(&l.Sizes, "links", []int{benchLinksFew, benchLinksMany}, "links that follow a base URL, the fewest first, with commas between")
	f.IntVar(&l.Origin, "origin", benchLinksFew, "links that follow a base URL by either algorithm")
	benchOthers(f, &l.Clients, &l.Collections, &l.Duration, &l.Rounds)
	f.StringSliceVar(&l.Parts, "parts", suite.LinkParts, "what to measure, with commas between")
	return cmd
}

func (a *app) benchGrowth() *cobra.Command {
	var g suite.Growth
	cmd := a.suiteOf("growth", "Does an update cost more where there is more?", "  concord bench growth --documents 100000 --versions 0 --collections 0",
		func(ctx context.Context, dir string, progress func(string)) (suite.Report, error) {
			g.Dir, g.Progress = dir, progress
			return g.Run(ctx)
		})
	f := cmd.Flags()
	f.IntVar(&g.Documents, "documents", 100_000, "documents of the large collection, against 10; 0: leave this out")
	f.IntVar(&g.Versions, "versions", 100_000, "versions of the old collection, against 10; 0: leave this out")
	f.IntVar(&g.Collections, "collections", 1_000_000, "collections of the large server, against 1,000; 0: leave this out")
	f.IntVar(&g.Updates, "updates", 20_000, "updates of one turn")
	f.IntVar(&g.Clients, "clients", benchClients, "connections, each with one request at a time")
	f.IntVar(&g.Rounds, "rounds", 5, "turns of each side")
	return cmd
}

func (a *app) benchMemory() *cobra.Command {
	var m suite.Memory
	cmd := a.suiteOf("memory", "How much memory does an active entity take?", "  concord bench memory --entities 10000",
		func(ctx context.Context, dir string, progress func(string)) (suite.Report, error) {
			m.Dir, m.Progress = dir, progress
			return m.Run(ctx)
		})
	cmd.Flags().IntVar(&m.Entities, "entities", 200_000, "collections that are active")
	return cmd
}

func (a *app) benchActivation() *cobra.Command {
	var v suite.Activation
	cmd := a.suiteOf("activation", "How long does it take to load an entity?", "  concord bench activation --collections 10000 --deep 10 --versions 1000",
		func(ctx context.Context, dir string, progress func(string)) (suite.Report, error) {
			v.Dir, v.Progress = dir, progress
			return v.Run(ctx)
		})
	f := cmd.Flags()
	f.IntVar(&v.Collections, "collections", 1_000_000, "collections on the server")
	f.IntVar(&v.Deep, "deep", 100, "further collections with many versions")
	f.IntVar(&v.Versions, "versions", 10_000, "versions of those")
	return cmd
}

func (a *app) benchStart() *cobra.Command {
	var b suite.Begin
	cmd := a.suiteOf("start", "How long does a start take, until an old collection is read?", "  concord bench start --collections 10000 --versions 2 --crash",
		func(ctx context.Context, dir string, progress func(string)) (suite.Report, error) {
			b.Dir, b.Progress = dir, progress
			return b.Run(ctx)
		})
	f := cmd.Flags()
	f.IntVar(&b.Collections, "collections", 1_000_000, "collections on the server")
	f.IntVar(&b.Versions, "versions", 10, "versions of each")
	f.IntVar(&b.Rounds, "rounds", 5, "starts")
	f.BoolVar(&b.Crash, "crash", false, "kill the server before, instead of stopping it")
	return cmd
}

// benchEcho is the server of the contender echo.
func (a *app) benchEcho() *cobra.Command {
	var dir, ready string
	cmd := &cobra.Command{
		Use: suite.EchoCommand, Short: "Serve the echo of a bench", Hidden: true, Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			tune()
			if dir == "" || ready == "" {
				return usagef("--data and --ready-file are needed")
			}
			return suite.ServeEcho(cmd.Context(), dir, func(url string) error {
				return writeReady(ready, child.Addresses{NATS: url})
			})
		},
	}
	cmd.Flags().StringVar(&dir, "data", "", "directory for JetStream")
	cmd.Flags().StringVar(&ready, "ready-file", "", "file that gets the address")
	return cmd
}
