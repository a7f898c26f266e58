package collection

import (
	"encoding/json"
	"fmt"
	"testing"

	"concord/actors/collection/collectionpb"
)

// BenchmarkLinkUpdates/links: the messages of one event that has brought so many links up to date, ten a document.
func BenchmarkLinkUpdates(b *testing.B) {
	for _, documents := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("links=%d", 10*documents), func(b *testing.B) {
			linked := &collectionpb.Linked{Job: "j", Relink: true, Source: names}
			for d := range documents {
				var authorities []string
				for a := range 10 {
					authorities = append(authorities, fmt.Sprintf("names:n%07d", (d*10+a)%1000))
				}
				doc := document(fmt.Sprintf("d%07d", d), tableOfNames(authorities...))
				for a := range 10 {
					doc.Effects = append(doc.Effects, uriOf(authorities[a], "700", uint32(a)))
				}
				linked.Documents = append(linked.Documents, doc)
			}
			p := payload(linked)
			b.ReportAllocs()
			for b.Loop() {
				_, messages, err := LinkUpdatesOf(p, linkedAt)
				if err != nil {
					b.Fatal(err)
				}
				for i := range messages {
					if _, err := json.Marshal(&messages[i]); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*10*documents), "ns/link")
		})
	}
}

// BenchmarkHasLinkUpdates/none: the look at an event without links, which every write pays.
func BenchmarkHasLinkUpdates(b *testing.B) {
	p := marshal(&collectionpb.Saved{State: &collectionpb.State{Format: "marc", Documents: 1000, Born: 1, DocumentsVersion: 7, Created: 1}})
	b.Run("none", func(b *testing.B) {
		for b.Loop() {
			if HasLinkUpdates(p) {
				b.Fatal("has link updates")
			}
		}
	})
}
