package fields

import (
	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

// Result is what one instruction makes of one part of a collection.
type Result struct {
	Value    *jsonvalue.Value // nil: the part is as it was
	Matched  bool             // the instruction found what it is about; without that nothing changes
	Changed  bool             // Value is there
	Warnings []problem.FieldError
}

// Apply applies the instruction to one part that it is about: v, which stands at the path at (/metadata, /documents/<id>).
// item is the value of the target, nil if it has none. Neither is written to; the result shares with both. The problem
// names a place in the collection, or, after the word item, in the item.
func (in *Instruction) Apply(v *jsonvalue.Value, at jsonvalue.Pointer, item *jsonvalue.Value) (Result, *problem.Problem) {
	e, p := in.start(item)
	if p != nil {
		return Result{}, p
	}
	got := e.part(v, at)
	if e.end(); e.problem != nil {
		return Result{Warnings: e.warnings}, e.problem
	}
	return Result{Value: got, Matched: e.matched, Changed: got != nil, Warnings: e.warnings}, nil
}

func (in *Instruction) start(item *jsonvalue.Value) (*edit, *problem.Problem) {
	a, p := in.bind(item)
	if p != nil {
		return nil, p
	}
	return &edit{in: in, action: a}, nil
}

func (e *edit) end() {
	if e.problem == nil && e.action.finish != nil {
		e.action.finish(e)
	}
}

// Record is a collection, as far as it is loaded: its metadata, if an instruction is about them, and the documents that
// any instruction is about. A document that is not there is one that the collection does not have.
type Record struct {
	Metadata  *jsonvalue.Value
	Documents []Document
}

// Document is one document of a Record.
type Document struct {
	ID    string
	Value *jsonvalue.Value
}

// Status is what became of an item.
type Status string

// The ends of an item that instructions can bring about.
const (
	Updated   Status = "UPDATED"   // something is different
	Unchanged Status = "UNCHANGED" // what was to be done was done already
	Skipped   Status = "SKIPPED"   // no instruction found what it is about
	Failed    Status = "FAILED"    // an instruction could not be applied: none is
)

// Outcome is what all instructions make of one collection.
type Outcome struct {
	Status   Status
	Metadata *jsonvalue.Value // the new ones; nil: as they were
	// Documents are those that are different, in the order of the record.
	Documents []Document
	Warnings  []problem.FieldError
	// Problem is that of Failed; its member instruction is the index of the one that could not be applied.
	Problem *problem.Problem
}

// ApplyAll applies the instructions in their order, each to what those before have made: all or none. A dry run is the
// same call.
func ApplyAll(list []*Instruction, r Record, item *jsonvalue.Value) Outcome {
	w := newWork(r)
	for i, in := range list {
		e, p := in.start(item)
		if p == nil {
			w.apply(e)
			p = e.problem
			w.addWarnings(e.warnings)
		}
		if p != nil {
			return Outcome{Status: Failed, Problem: p.With("instruction", i), Warnings: w.warnings}
		}
		w.matched = w.matched || e.matched
	}
	return w.outcome(r)
}

// work is a record on its way through instructions.
type work struct {
	metadata  *jsonvalue.Value
	documents []Document
	places    map[string]int // of documents
	changed   map[int]bool   // documents
	matched   bool
	warnings  []problem.FieldError
}

func newWork(r Record) *work {
	w := &work{metadata: r.Metadata, documents: make([]Document, len(r.Documents)), places: make(map[string]int, len(r.Documents)), changed: map[int]bool{}}
	copy(w.documents, r.Documents)
	for i, d := range r.Documents {
		w.places[d.ID] = i
	}
	return w
}

func (w *work) addWarnings(more []problem.FieldError) {
	w.warnings = append(w.warnings, more[:min(len(more), warningsMax-len(w.warnings))]...)
}

func (w *work) apply(e *edit) {
	switch part := e.in.Part; part.Kind {
	case Metadata:
		if w.metadata != nil {
			if got := e.part(w.metadata, jsonvalue.Pointer{tokenMetadata}); got != nil {
				w.metadata = got
			}
		}
	case OneDocument:
		if i, ok := w.places[part.Document]; ok {
			w.document(e, i)
		}
	case EveryDocument:
		for i := range w.documents {
			if w.document(e, i); e.problem != nil {
				return
			}
		}
	}
	e.end()
}

func (w *work) document(e *edit, i int) {
	d := &w.documents[i]
	if got := e.part(d.Value, jsonvalue.Pointer{tokenDocuments, d.ID}); got != nil {
		d.Value, w.changed[i] = got, true
	}
}

// outcome compares with what was there before: one instruction may have undone what another one did.
func (w *work) outcome(r Record) Outcome {
	o := Outcome{Status: Skipped, Warnings: w.warnings}
	if w.matched {
		o.Status = Unchanged
	}
	if w.metadata != r.Metadata && !jsonvalue.Equal(w.metadata, r.Metadata) {
		o.Status, o.Metadata = Updated, w.metadata
	}
	for i, d := range w.documents {
		if w.changed[i] && !jsonvalue.Equal(d.Value, r.Documents[i].Value) {
			o.Status, o.Documents = Updated, append(o.Documents, d)
		}
	}
	return o
}
