package quickjs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"concord/actors/script"
)

// unionByID is the merge of the benchmarks: the volume of the server, and every element of either side once.
const unionByID = `function merge(base, client, server, ctx) {
  const seen = new Set();
  const items = [];
  for (const item of server.items.concat(client.items)) {
    if (seen.has(item.id)) continue;
    seen.add(item.id);
    items.push(item);
  }
  return {...client, volume: server.volume, items};
}`

// entity is a document with some elements of about 125 bytes; its ids begin with first.
func entity(elements, first int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"title":"Blue Train","volume":%d,"items":[`, first)
	for i := range elements {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":"item-%d","label":"%s","count":%d,"price":%d.25,"tags":["a","b"]}`,
			first+i, strings.Repeat("x", 50), i, i)
	}
	b.WriteString(`]}`)
	return []byte(b.String())
}

// unionJob has sides that share half of their elements.
func unionJob(elements int) script.Job {
	base := entity(elements/2, elements/2)
	return script.Job{Source: unionByID, Parts: []script.Part{{
		Path: "/documents/a", Document: "a", Base: base, Client: entity(elements, 0), Server: entity(elements, elements/2),
	}}}
}

// BenchmarkPool is one call through the pool, with all that belongs to it: the check of the inputs, the line to the worker,
// a fresh realm, the script, the line back, the check of the result. The bytes are those of the three sides.
func BenchmarkPool(b *testing.B) {
	for _, elements := range []int{5, 400, 3200} {
		job := unionJob(elements)
		size := len(job.Parts[0].Base) + len(job.Parts[0].Client) + len(job.Parts[0].Server)
		b.Run(fmt.Sprintf("elements=%d", elements), func(b *testing.B) {
			p := newPool(b, Options{Bounds: Bounds{Timeout: 10 * time.Second}, ResultMaxBytes: 4 << 20})
			if o := run(b, p, job); o.Failure != nil {
				b.Fatalf("%+v", o.Failure)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if o := run(b, p, job); o.Failure != nil {
					b.Fatalf("%+v", o.Failure)
				}
			}
		})
	}
}

// BenchmarkStart is the start of a worker and one call of it.
func BenchmarkStart(b *testing.B) {
	job := unionJob(5)
	p := newPool(b, Options{Bounds: Bounds{Workers: 1}, WorkerMaxJobs: 1})
	for b.Loop() {
		if o := run(b, p, job); o.Failure != nil {
			b.Fatalf("%+v", o.Failure)
		}
	}
}
