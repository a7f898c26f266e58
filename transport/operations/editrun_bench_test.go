package operations

import (
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/bulk"
	"concord/actors/editsession"
	"concord/actors/fields"
	"concord/actors/undo"
	"concord/persistence"
	"concord/transport"
)

// BenchmarkRollbackList works out what a roll-back takes back: one walk over the session's rows and those of its runs.
func BenchmarkRollbackList(b *testing.B) {
	for _, rows := range []int{10_000, 100_000} {
		for _, runs := range []int{1, 3} {
			b.Run(fmt.Sprintf("rows=%d/runs=%d", rows, runs), func(b *testing.B) { benchmarkRollbackList(b, rows, runs) })
		}
	}
}

func benchmarkRollbackList(b *testing.B, rows, runs int) {
	e := madeUpSession(b, rows, runs)
	r := &transport.Request{Provider: "p", ID: e.session, Caller: transport.Caller{Principal: "ann", All: true}}
	session, err := e.service.editNow(r)
	if err != nil {
		b.Fatal(err)
	}
	run, err := session.state.Plan(editsession.Target{Initial: true}, undo.Skip)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		m := &runMaker{service: e.service, id: session.id, session: session, run: run}
		count := 0
		for target, err := range m.undone() {
			if err != nil || len(target.undo) != runs {
				b.Fatalf("%+v: %v", target, err)
			}
			count++
		}
		if count != rows {
			b.Fatalf("%d rows", count)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// madeUpSession has rows and runs whose collections never were: nobody works on tasks here.
func madeUpSession(b *testing.B, rows, runs int) *editing {
	b.Helper()
	e := &editing{bench: start(b, vfs.NewMem()), session: "s"}
	list := make([]editsession.Row, rows)
	for i := range list {
		list[i] = editsession.Row{Line: uint64(i + 1), Collection: fmt.Sprintf("c%07d", i), State: editsession.Matched}
	}
	id := persistence.EntityID{Kind: persistence.KindEditSession, Provider: "p", ID: e.session}
	stage := editsession.Stage{List: 1, PerChunk: editsession.ChunkRows}
	for ; len(list) > editsession.ChunkRows; list = list[editsession.ChunkRows:] {
		stage.Rows = list[:editsession.ChunkRows]
		one := stage
		e.send(id, &one)
		stage.Number++
	}
	stage.Rows = list
	e.send(id, &editsession.Open{Session: editsession.State{From: editsession.FromIDs}, Lifetime: time.Hour, Chunks: stage.Number, Stage: stage})
	for n := range runs {
		e.madeUpRun(rows, uint64(n+1))
	}
	return e
}

// madeUpRun is a step that has written every record.
func (e *editing) madeUpRun(rows int, version uint64) {
	e.t.Helper()
	s := e.run1("apply")
	id := bulkID("p", s.Runs[len(s.Runs)-1].Task)
	e.send(id, &bulk.Start{})
	outcomes := make([]bulk.Outcome, bulk.ProgressMaxItems)
	for i := range outcomes {
		outcomes[i] = bulk.Outcome{State: fields.Updated, VersionBefore: version, VersionAfter: version + 1}
	}
	for from := 0; from < rows; from += len(outcomes) {
		e.send(id, &bulk.Progress{From: uint64(from), Rows: outcomes[:min(len(outcomes), rows-from)]})
	}
	e.send(id, &bulk.Finish{})
}
