package collection

import (
	"fmt"
	"strings"
	"testing"

	"concord/actors/entity"
)

// datasetOf is the metadata of a data set, of about so many bytes: lists of keywords and platforms, texts, a few numbers.
func datasetOf(bytes int) string {
	var b strings.Builder
	b.WriteString(`{"ShortName":"S","Version":"1.0","ScienceKeywords":[`)
	for i := 0; b.Len() < bytes/2; i++ {
		fmt.Fprintf(&b, `{"Category":"EARTH SCIENCE","Topic":"OCEANS","Term":"TERM %d","VariableLevel1":"LEVEL %d"},`, i, i%7)
	}
	b.WriteString(`{"Category":"EARTH SCIENCE"}]`)
	for i := 0; b.Len() < bytes; i++ {
		fmt.Fprintf(&b, `,"Member%02d":{"Text":"A few words about the data set, and about how they were made","Number":%d.50}`, i, i)
	}
	return b.String() + "}"
}

// BenchmarkApply/metadata: all that the collection does for one item that changes its metadata, the store left out.
func BenchmarkApply(b *testing.B) {
	for _, bytes := range []int{1 << 10, 10 << 10} {
		b.Run(fmt.Sprintf("metadata=%d", bytes), func(b *testing.B) {
			s := newShelf(b)
			s.put("", datasetOf(bytes), nil)
			c := &Apply{Task: "task", Instructions: instructions(b,
				`{"type":"FIND_AND_UPDATE","path":"/metadata/ScienceKeywords","find":{"Term":"TERM 1"},"value":{"Term":"TERM ONE"}}`)}
			m := entity.Meta{Principal: "ann", Time: s.now, Seq: 2, Entity: s.id}
			at := entity.Stamp{Entity: s.id, Seq: 2, Version: 2, Time: s.now, Principal: "ann"}
			known := entity.FactsOf(map[string]entity.Fact{MetadataPart: s.parts[MetadataPart]}, nil)
			b.ReportAllocs()
			for b.Loop() {
				if d, err := s.behavior.Decide(s.state, c, entity.Facts{}, m); err != nil || len(d.Wants) != 1 {
					b.Fatal(err, d.Wants)
				}
				d, err := s.behavior.Decide(s.state, c, known, m)
				if err != nil || len(d.Events) != 1 {
					b.Fatal(err, d.Events)
				}
				after := s.behavior.Evolve(s.state, d.Events[0], at)
				enc, beside := s.behavior.EncodeEvent(d.Events[0]), s.behavior.Project(s.state, d.Events[0], at)
				answer := s.behavior.Answer(s.state, after, c, entity.Case{Meta: m, Told: d.Told, At: at, Changed: true})
				if len(enc.Parts) != 1 || len(beside.Parts) != 1 || len(s.behavior.EncodeState(after)) == 0 || len(answer.Body) == 0 {
					b.Fatal("something is missing")
				}
			}
		})
	}
}
