package fields

import (
	"testing"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
)

// TestInputsStayAsTheyAre: neither record nor item is written to, and results share nothing that can be written to. What is
// returned as changed is different, and fits its bounds.
func TestInputsStayAsTheyAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, list := drawnRecord(t), drawnInstructions(t, 4)
		before := texts(r)
		o := ApplyAll(list, r, nil)
		if texts(r) != before {
			t.Fatalf("%s became %s", before, texts(r))
		}
		result := texts(after(r, o))
		ApplyAll(list, after(r, o), nil)
		if texts(r) != before || texts(after(r, o)) != result {
			t.Fatal("a later run wrote to a result")
		}
		checkOutcome(t, r, o)
	})
}

// checkOutcome is what holds of every outcome.
func checkOutcome(t rapid.TB, r Record, o Outcome) {
	changes := o.Metadata != nil || len(o.Documents) > 0
	if changes != (o.Status == Updated) || (o.Problem != nil) != (o.Status == Failed) {
		t.Fatalf("%s with problem %v", shown(o), o.Problem)
	}
	if o.Metadata != nil && (jsonvalue.Equal(o.Metadata, r.Metadata) || o.Metadata.Kind() != jsonvalue.Object || o.Metadata.Depth() > jsonvalue.MaxDepth) {
		t.Fatalf("metadata %s became %s", textOf(r.Metadata), textOf(o.Metadata))
	}
	was := map[string]*jsonvalue.Value{}
	for _, d := range r.Documents {
		was[d.ID] = d.Value
	}
	for _, d := range o.Documents {
		if old := was[d.ID]; old == nil || jsonvalue.Equal(old, d.Value) || d.Value.Depth() > jsonvalue.MaxDepth {
			t.Fatalf("%s became %s", textOf(old), textOf(d.Value))
		}
	}
	if o.Problem != nil {
		if o.Problem.Status() < 400 || o.Problem.Status() >= 500 || len(o.Problem.Errors) == 0 {
			t.Fatalf("a problem without a place: %v", o.Problem)
		}
	}
}

// TestDryRunIsRun: the same call gives the same outcome, to the byte.
func TestDryRunIsRun(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, list := drawnRecord(t), drawnInstructions(t, 4)
		dry, run := ApplyAll(list, r, nil), ApplyAll(list, r, nil)
		if shown(dry) != shown(run) || (dry.Problem == nil) != (run.Problem == nil) || dry.Problem != nil && dry.Problem.Error() != run.Problem.Error() {
			t.Fatalf("%s, then %s", shown(dry), shown(run))
		}
	})
}

// setLike are the types whose second run changes nothing: with REPLACE_TEXT, JSON_PATCH and CHANGE_KEY it may.
var setLike = []Type{
	AddToExisting, ClearAllAndReplace, ClearField, FindAndReplace, FindAndUpdate, FindAndRemove, FindAndUpdateHomePage, MergeByKey,
	AppendNewByKey, RemoveByKey, MergePatch, MARCFindAndAppend, MARCRemoveField, MARCRemoveSubfield,
}

// TestSecondRunChangesNothing of set-like instructions: UNCHANGED or, where what was found is gone, SKIPPED, or FAILED for
// want of a key.
func TestSecondRunChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := typeOf(rapid.SampledFrom(setLike).Draw(t, "type"))
		path := rapid.SampledFrom([]string{"/metadata/l", "/metadata/a", "/metadata/a/b/l", "/documents/*/l", "/documents/one"}).Draw(t, "path")
		text := instructionOf(t, *kind, path)
		in := taken(text)
		if in == nil {
			t.Skip("refused")
		}
		r := drawnRecord(t)
		first := ApplyAll([]*Instruction{in}, r, nil)
		again := ApplyAll([]*Instruction{in}, after(r, first), nil)
		if again.Status == Updated {
			t.Fatalf("%s on %s: %s, then %s", text, texts(r), shown(first), shown(again))
		}
		if again.Status == Failed && first.Status != Failed && kind.name != RemoveByKey {
			t.Fatalf("%s on %s: %s, then %v", text, texts(r), shown(first), again.Problem)
		}
	})
}

// TestOrderIsKept: many instructions are one after the other.
func TestOrderIsKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, list := drawnRecord(t), drawnInstructions(t, 5)
		all := ApplyAll(list, r, nil)
		step, matched := r, false
		for _, in := range list {
			o := ApplyAll([]*Instruction{in}, step, nil)
			if o.Status == Failed {
				if all.Status != Failed || all.Problem.Errors[0] != o.Problem.Errors[0] {
					t.Fatalf("%s fails alone by %v, with others %s", in.Type, o.Problem, shown(all))
				}
				return
			}
			step, matched = after(step, o), matched || o.Status != Skipped
		}
		if got := texts(after(r, all)); all.Status == Failed || !jsonvalue.Equal(after(r, all).Metadata, step.Metadata) || len(got) == 0 {
			t.Fatalf("%s, one by one %s", shown(all), texts(step))
		}
		for i, d := range after(r, all).Documents {
			if !jsonvalue.Equal(d.Value, step.Documents[i].Value) {
				t.Fatalf("%s, one by one %s", shown(all), texts(step))
			}
		}
		if matched != (all.Status != Skipped) {
			t.Fatalf("%s, one by one matched %v", shown(all), matched)
		}
	})
}

// TestApplyIsApplyAll: one instruction on one part says the same alone.
func TestApplyIsApplyAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawnRecord(t)
		in := drawnInstructions(t, 1)[0]
		if in.Part.Kind != Metadata {
			r.Documents = []Document{{"one", drawnValue(t, 3)}}
		}
		part, at := r.Metadata, jsonvalue.Pointer{"metadata"}
		switch in.Part.Kind {
		case Metadata:
		case OneDocument, EveryDocument:
			if !in.Part.Covers("one") {
				t.Skip("another document")
			}
			part, at = r.Documents[0].Value, jsonvalue.Pointer{"documents", "one"}
		}
		o := ApplyAll([]*Instruction{in}, r, nil)
		got, p := in.Apply(part, at, nil)
		want := map[Status]bool{Updated: got.Changed, Unchanged: got.Matched && !got.Changed, Skipped: !got.Matched && p == nil, Failed: p != nil}
		if !want[o.Status] || got.Changed != (got.Value != nil) {
			t.Fatalf("%+v %v, with others %s", got, p, shown(o))
		}
	})
}

// TestItemIsValue: a value that comes with the item does what the same value does in the instruction.
func TestItemIsValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := value(t, drawnInstruction(t))
		operand, ok := text.Get("value")
		fixed := taken(string(text.Text()))
		if !ok || fixed == nil {
			t.Skip("no value")
		}
		perItem := taken(string(jsonvalue.With(jsonvalue.Without(text, "value"), "valueFrom", jsonvalue.NewString("/v")).Text()))
		if !perItem.PerItem() || fixed.PerItem() {
			t.Fatal("which of them needs an item?")
		}
		r := drawnRecord(t)
		item := jsonvalue.NewObject(jsonvalue.Member{Name: "v", Value: operand})
		a, b := ApplyAll([]*Instruction{fixed}, r, item), ApplyAll([]*Instruction{perItem}, r, item)
		if shown(a) != shown(b) {
			t.Fatalf("%s, with the item %s", shown(a), shown(b))
		}
	})
}
