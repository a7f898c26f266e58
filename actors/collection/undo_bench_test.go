package collection

import (
	"fmt"
	"testing"

	"concord/actors/entity"
	"concord/actors/undo"
)

// BenchmarkUndo takes back one version of a record of 1 KiB, the store left out: restored, and merged with what somebody else
// wrote. Apply beside it is what made that version. Neither documents nor versions beyond those make a difference.
func BenchmarkUndo(b *testing.B) {
	for _, size := range []struct{ documents, versions int }{{1, 2}, {1000, 2}, {1, 1000}} {
		s := newShelf(b)
		documents := make(map[string]string, size.documents)
		for i := range size.documents {
			documents[fmt.Sprintf("d%04d", i)] = `{"n":1}`
		}
		s.put("", "", documents)
		for i := range size.versions - 1 {
			s.put("", "", map[string]string{"d0000": itoa(i)})
		}
		s.put("", datasetOf(1<<10), nil)
		command := func() *Apply {
			return &Apply{Task: "task", Instructions: instructions(b,
				`{"type":"FIND_AND_UPDATE","path":"/metadata/ScienceKeywords","find":{"Term":"TERM 1"},"value":{"Term":"TERM ONE"}}`)}
		}
		name := fmt.Sprintf("documents=%d/versions=%d", size.documents, size.versions)
		b.Run(name+"/apply", func(b *testing.B) { s.repeats(b, command()) })
		made := s.written(func() { s.apply(command(), false) })
		back := func(c undo.OnConflict) *Apply { return &Apply{Task: "back", Undo: &Undo{[]undo.Span{made}, c}} }
		b.Run(name+"/restore", func(b *testing.B) { s.repeats(b, back(undo.Skip)) })
		s.byBob("", map[string]string{"d0000": `"others"`})
		b.Run(name+"/merge", func(b *testing.B) { s.repeats(b, back(undo.Merge)) })
	}
}

// repeats decides on the command again and again, with the facts that it wants, and stores nothing.
func (s *shelf) repeats(b *testing.B, c Command) {
	m := entity.Meta{Principal: "ann", Time: s.now, Seq: s.seq + 1, Entity: s.id}
	at := entity.Stamp{Entity: s.id, Seq: s.seq + 1, Version: s.version + 1, Time: s.now, Principal: "ann"}
	_, known, err := s.decided(c, m)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
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
}
