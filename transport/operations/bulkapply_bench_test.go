//go:build unix

package operations

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/persistence"
)

// windowItems is how many items are under way at once in a benchmark.
const windowItems = 256

// deliver has so many collections take a command each, a window of them at once.
func (b *bench) deliver(n int, command func(i int) any) {
	b.t.Helper()
	window, failed := make(chan struct{}, windowItems), make(chan error, n)
	for i := range n {
		window <- struct{}{}
		b.service.Host.Deliver(&entity.Envelope{
			Entity:  persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: fmt.Sprintf("c%d", i)},
			Command: command(i), Meta: entity.Meta{Principal: "tom", RequestID: "t"},
			Reply: func(_ entity.Answer, err error) {
				if err != nil {
					failed <- err
				}
				<-window
			}})
	}
	for range windowItems {
		window <- struct{}{}
	}
	if len(failed) > 0 {
		b.t.Fatalf("%d of %d: %v", len(failed), n, <-failed)
	}
}

// processorTime is what the process has used of the processors: it says more than the clock where others use them, too.
func processorTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkApply/metadata: an item of a task through the host into a store in memory, each of another collection of a type.
func BenchmarkApply(b *testing.B) {
	for _, bytes := range []int{1 << 10, 10 << 10} {
		b.Run(fmt.Sprintf("metadata=%d", bytes), func(b *testing.B) {
			s := start(b, vfs.NewMem())
			must[any](s, "type.put", "sets", `{}`)
			body := []byte(`{"Keywords":["old"],"Entries":[` + strings.Repeat(`{"Topic":"OCEANS","Term":"ICE"},`, bytes/32) + `{}]}`)
			hash, err := jsonvalue.Check(body)
			if err != nil {
				b.Fatal(err)
			}
			s.deliver(b.N, func(int) any {
				return &collection.Write{Create: true, Type: "sets",
					Changes: []collection.Change{{Op: collection.OpPut, Part: collection.MetadataPart, Body: body, Hash: uint64(hash)}}}
			})
			list, p := fields.Parse([]byte("["+newKeyword+"]"), nil, "")
			if p != nil {
				b.Fatal(p)
			}
			b.ReportAllocs()
			before := processorTime(b)
			b.ResetTimer()
			s.deliver(b.N, func(int) any { return &collection.Apply{Task: "t", Type: "sets", Instructions: list} })
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "items/s")
			b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}
