package jsonvalue

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestApplyAgreesWithTheDumbVersion draws patches and applies them twice.
func TestApplyAgreesWithTheDumbVersion(t *testing.T) {
	operations := rapid.SampledFrom([]string{
		OpAdd, OpAdd, OpCopy, OpCopy, OpMove, OpRemove, OpReplace, OpTest,
	})
	tokens := rapid.SampledFrom([]string{"a", "b", "c", "", "0", "1", "2", "-", "00"})
	pointers := rapid.SliceOfN(tokens, 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		doc := drawnValue(3).Draw(t, "doc")
		patch := make(Patch, rapid.IntRange(0, 12).Draw(t, "operations"))
		for i := range patch {
			patch[i] = Operation{
				Op:    operations.Draw(t, "op"),
				Path:  pointers.Draw(t, "path"),
				From:  pointers.Draw(t, "from"),
				Value: drawnValue(2).Draw(t, "value"),
			}
		}
		before, patchBefore := string(doc.Text()), string(patch.Text())
		limits := Limits{}.orDefault()
		e, dumb := newEditor(doc, limits), doc
		for i, op := range patch {
			want, ok := dumbApply(dumb, op)
			r := e.step(i, op, false)
			if ok != (r == nil) {
				t.Fatalf("%s with %s: %+v, dumb version %v", dumb.Text(), Patch{op}.Text(), r, ok)
			}
			if !ok {
				break
			}
			dumb = want
			if got := string(e.root.Text()); got != string(dumb.Text()) || e.bytes != len(got) {
				t.Fatalf("after %s: %s (%d bytes), dumb version %s", Patch{op}.Text(), got, e.bytes, dumb.Text())
			}
		}
		if string(doc.Text()) != before || string(patch.Text()) != patchBefore {
			t.Fatalf("%s became %s, %s became %s", before, doc.Text(), patchBefore, patch.Text())
		}
	})
}

// dumbApply is one operation, with a new tree each time.
func dumbApply(doc *Value, op Operation) (*Value, bool) {
	switch op.Op {
	case OpAdd:
		return dumbPut(doc, op.Path, op.Value, false)
	case OpReplace:
		return dumbPut(doc, op.Path, op.Value, true)
	case OpRemove:
		return dumbRemove(doc, op.Path)
	case OpTest:
		at, ok := doc.At(op.Path)
		return doc, ok && canonical(at) == canonical(op.Value)
	}
	value, ok := doc.At(op.From)
	if !ok {
		return nil, false
	}
	if op.Op == OpCopy {
		return dumbPut(doc, op.Path, value, false)
	}
	from, path := op.From.String(), op.Path.String()
	if from == path {
		return doc, true
	}
	if strings.HasPrefix(path, from+"/") {
		return nil, false
	}
	if doc, ok = dumbRemove(doc, op.From); !ok {
		return nil, false
	}
	return dumbPut(doc, op.Path, value, false)
}

func dumbPut(doc *Value, path Pointer, value *Value, replace bool) (*Value, bool) {
	if len(path) == 0 {
		return value, true
	}
	if len(path) > 1 {
		child, ok := doc.At(path[:1])
		if !ok {
			return nil, false
		}
		if value, ok = dumbPut(child, path[1:], value, replace); !ok {
			return nil, false
		}
		replace = true
	}
	_, exists := doc.At(path[:1])
	if replace && !exists {
		return nil, false
	}
	if doc.Kind() == Object {
		return With(doc, path[0], value), true
	}
	if doc.Kind() != Array {
		return nil, false
	}
	var elements []*Value
	placed := false
	for i, e := range doc.Elements() {
		if path[0] != fmt.Sprint(i) {
			elements = append(elements, e)
			continue
		}
		elements, placed = append(elements, value), true
		if !replace {
			elements = append(elements, e)
		}
	}
	if !placed && (path[0] == "-" || path[0] == fmt.Sprint(doc.Len())) {
		elements, placed = append(elements, value), true
	}
	return NewArray(elements...), placed
}

func dumbRemove(doc *Value, path Pointer) (*Value, bool) {
	if len(path) == 0 {
		return nil, false
	}
	child, ok := doc.At(path[:1])
	if !ok {
		return nil, false
	}
	if len(path) > 1 {
		if child, ok = dumbRemove(child, path[1:]); !ok {
			return nil, false
		}
		return dumbPut(doc, path[:1], child, true)
	}
	if doc.Kind() == Object {
		return Without(doc, path[0]), true
	}
	var elements []*Value
	for i, e := range doc.Elements() {
		if path[0] != fmt.Sprint(i) {
			elements = append(elements, e)
		}
	}
	return NewArray(elements...), true
}
