package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"concord/cmd/concord/internal/suite"
)

// benchSizes are the items of the tasks that the targets are about.
var benchSizes = []int{1000, 25_000, 250_000}

func (a *app) benchBulk() *cobra.Command {
	var b suite.Bulk
	cmd := a.suiteOf("bulk", "How many items a second does a bulk task do, does an item cost more among many, and does that slow others down?",
		"  concord bench bulk --parts speed --items 1000,25000 --rounds 1",
		func(ctx context.Context, dir string, progress func(string)) (suite.Report, error) {
			b.Dir, b.Progress = dir, progress
			return b.Run(ctx)
		})
	f := cmd.Flags()
	f.IntSliceVar(&b.Sizes, "items", benchSizes, "items of the tasks, the fewest first, with commas between")
	benchOthers(f, &b.Clients, &b.Collections, &b.Duration, &b.Rounds)
	f.StringSliceVar(&b.Parts, "parts", suite.BulkParts, "what to measure, with commas between")
	return cmd
}

// benchOthers are the flags of those who update other collections meanwhile, and of the turns.
func benchOthers(f *pflag.FlagSet, clients, collections *int, duration *time.Duration, rounds *int) {
	f.IntVar(clients, "clients", benchClients, "connections that update other collections meanwhile")
	f.IntVar(collections, "collections", benchCollections, "collections that they update")
	f.DurationVar(duration, "duration", benchDuration, "of one turn of theirs")
	f.IntVar(rounds, "rounds", benchRounds, "turns")
}

// benchSessions are the records of the sessions that the targets are about.
var benchSessions = []int{1000, 25_000, 100_000}

// What a session is measured beside.
const (
	benchBeside    = 100_000 // collections
	benchDocuments = 1000    // of each collection
)

func (a *app) benchEdit() *cobra.Command {
	var b suite.Edit
	cmd := a.suiteOf("edit", "How many records a second does a bulk edit session change and take back, what is stored for it, and does that slow others down?",
		"  concord bench edit --parts speed,store --records 1000,25000 --rounds 1",
		func(ctx context.Context, dir string, progress func(string)) (suite.Report, error) {
			b.Dir, b.Progress = dir, progress
			return b.Run(ctx)
		})
	f := cmd.Flags()
	f.IntSliceVar(&b.Sizes, "records", benchSessions, "records of the sessions, the fewest first, with commas between")
	f.IntVar(&b.Beside, "beside", benchBeside, "collections beside a session of the fewest records, against none")
	f.IntVar(&b.Documents, "documents", benchDocuments, "documents of each collection of a session of the fewest records, against none")
	benchOthers(f, &b.Clients, &b.Collections, &b.Duration, &b.Rounds)
	f.StringSliceVar(&b.Parts, "parts", suite.EditParts, "what to measure, with commas between")
	return cmd
}
