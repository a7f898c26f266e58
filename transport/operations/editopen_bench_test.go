package operations

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collection"
	"concord/transport/api"
)

// BenchmarkEditOpen/rows: a session of an upload, in a store in memory. What a row costs must not grow with their number.
func BenchmarkEditOpen(b *testing.B) {
	for _, rows := range []int{1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			s := start(b, vfs.NewMem())
			must[any](s, "type.put", "sets", `{}`)
			s.deliver(rows, func(int) any { return &collection.Write{Create: true, Type: "sets"} })
			var file strings.Builder
			for i := range rows {
				fmt.Fprintf(&file, "%d,c%d\n", i, i)
			}
			body := `{"upload":"` + s.upload([]byte("n,id\n"+file.String())) + `","columns":["id"],"type":"sets"}`
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				opened := must[api.EditSession](s, "edit.open", "", body)
				b.StopTimer()
				if opened.Counts.Matched != uint64(rows) {
					b.Fatalf("%+v", opened.Counts)
				}
				must[any](s, "edit.close", opened.Session, "")
				b.StartTimer()
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
