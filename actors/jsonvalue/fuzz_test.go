package jsonvalue

import (
	"bytes"
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

var seeds = []string{
	``, `null`, `0`, `-0.0e+00`, `1e999999999`, `"\ud83d\ude00\u0000"`, `"\ud83d"`, "\"\xff\"", "\uFEFF1",
	`[1,[2,{"a":3}]]`, `{"a":1,"b":{"c":[true,false,null]}}`, `{"a":1,"\u0061":2}`, ` [ ] `, `[1,]`, `{"a"}`,
	`{"":{"":""},"~":"/","é":"🎷"}`, nested(MaxDepth, ""), nested(MaxDepth+1, ""),
}

// FuzzCheck: Check and Parse agree with one another in all, and with jsontext about what is JSON,
// the depth apart.
func FuzzCheck(f *testing.F) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		hash, err := Check(text)
		v, parseErr := Parse(text)
		var refused, parseRefused *SyntaxError
		if errors.As(err, &refused) != errors.As(parseErr, &parseRefused) || refused != nil && *refused != *parseRefused {
			t.Fatalf("Check: %v, Parse: %v", err, parseErr)
		}
		if refused != nil && (refused.Offset < 0 || refused.Offset > len(text)) {
			t.Fatalf("offset %d of %d", refused.Offset, len(text))
		}
		if refused == nil || refused.Reason != reasonDepth {
			if valid := jsontext.Value(text).IsValid(); valid != (err == nil) {
				t.Fatalf("Check: %v, jsontext: %v", err, valid)
			}
		}
		if err != nil {
			_, membersErr := Members(text)
			_, elementsErr := Elements(text)
			if membersErr == nil || elementsErr == nil {
				t.Fatalf("Check: %v, but read in parts", err)
			}
			return
		}
		tokens, err := hashTokens(jsontext.NewDecoder(bytes.NewReader(text)))
		if err != nil || v.Hash() != hash || Hash(tokens) != hash {
			t.Fatalf("hash %x, of the tree %x, of the tokens %x, %v", hash, v.Hash(), tokens, err)
		}
		checkText(t, v, hash)
		checkParts(t, text, v)
	})
}

// checkText: the compact text is the same value and a fixed point.
func checkText(t *testing.T, v *Value, hash Hash) {
	compact := v.Text()
	if v.Size() != len(compact) {
		t.Fatalf("size %d of %s", v.Size(), compact)
	}
	if got, err := Check(compact); err != nil || got != hash {
		t.Fatalf("%s: %v, hash %x, was %x", compact, err, got, hash)
	}
	w, err := Parse(compact)
	if err != nil || !Equal(v, w) || !bytes.Equal(w.Text(), compact) {
		t.Fatalf("%s became %v, %v", compact, w, err)
	}
}

// checkParts: reading an object or array member by member gives the members of the tree.
func checkParts(t *testing.T, text []byte, v *Value) {
	members, err := Members(text)
	if (v.Kind() == Object) != (err == nil) || len(members) != len(v.Members()) {
		t.Fatalf("%d members, %v", len(members), err)
	}
	for i, m := range v.Members() {
		if members[i].Name != m.Name || members[i].Hash != m.Value.Hash() || members[i].Kind != m.Value.Kind() {
			t.Fatalf("member %d is %+v", i, members[i])
		}
	}
	elements, err := Elements(text)
	if (v.Kind() == Array) != (err == nil) || len(elements) != len(v.Elements()) {
		t.Fatalf("%d elements, %v", len(elements), err)
	}
	for i, e := range v.Elements() {
		if elements[i].Hash != e.Hash() || elements[i].Kind != e.Kind() {
			t.Fatalf("element %d is %+v", i, elements[i])
		}
	}
}

// FuzzCompareNumbers: an order on numbers, and no panic on anything else.
func FuzzCompareNumbers(f *testing.F) {
	for _, seed := range [][2]string{
		{"1", "1.0"}, {"-0", "0e9"}, {"1e999999999999999999", "10e999999999999999998"}, {"", "e"}, {"-.", "1e+"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		ab, ba := CompareNumbers(a, b), CompareNumbers(b, a)
		x, errX := NewNumber(a)
		y, errY := NewNumber(b)
		if errX != nil || errY != nil {
			return
		}
		if ab != -ba || Equal(x, y) != (ab == 0) || (x.Hash() == y.Hash()) != (ab == 0) {
			t.Fatalf("%s and %s: %d, %d", a, b, ab, ba)
		}
	})
}

// FuzzPatch: Apply writes through nothing, keeps the bounds, and says the same of the patch's text.
func FuzzPatch(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"a":[1,{"b":2}]}`, `[{"op":"move","from":"/a/1","path":"/c"},{"op":"copy","from":"","path":"/d"}]`},
		{`[[],{}]`, `[{"op":"add","path":"/0/-","value":[]},{"op":"test","path":"/1","value":{}}]`},
		{`1`, `[{"op":"replace","path":"","value":{"~/":0}},{"op":"remove","path":"/~0~1"}]`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, docText, patchText []byte) {
		doc, err := Parse(docText)
		if err != nil {
			return
		}
		p, err := ParsePatch(patchText)
		if err != nil {
			return
		}
		before := doc.Text()
		got, err := p.Apply(doc, Limits{})
		if !bytes.Equal(doc.Text(), before) {
			t.Fatalf("%s became %s", before, doc.Text())
		}
		again, err2 := ParsePatch(p.Text())
		if err2 != nil {
			t.Fatalf("%s: %v", p.Text(), err2)
		}
		got2, err2 := again.Apply(doc, Limits{})
		var refused, refused2 *PatchError
		if errors.As(err, &refused) != errors.As(err2, &refused2) || refused != nil && *refused != *refused2 {
			t.Fatalf("%v and then %v", err, err2)
		}
		if err != nil {
			return
		}
		if !Equal(got, got2) {
			t.Fatalf("%s and then %s", got.Text(), got2.Text())
		}
		text := got.Text()
		if _, err := Check(text); err != nil || len(text) > max(patchMaxBytes, len(before)) {
			t.Fatalf("%d bytes: %v", len(text), err)
		}
	})
}

// FuzzPointer: a pointer is its string, and names nothing that is not there.
func FuzzPointer(f *testing.F) {
	for _, seed := range []string{"", "/", "/a~1b/~0/-", "/00", "a", "/~2"} {
		f.Add(seed, `{"a/b":{"~":[0]},"":[[1]]}`)
	}
	f.Fuzz(func(t *testing.T, text, doc string) {
		p, err := ParsePointer(text)
		if err != nil {
			return
		}
		if p.String() != text {
			t.Fatalf("%q became %q", text, p.String())
		}
		v, err := Parse([]byte(doc))
		if err != nil {
			return
		}
		at, ok := v.At(p)
		_, err = Patch{{Op: OpTest, Path: p, Value: NewNull()}}.Apply(v, Limits{})
		if errors.Is(err, ErrTarget) == ok || ok && (err == nil) != (at.Kind() == Null) {
			t.Fatalf("at %q: %v, test: %v", text, ok, err)
		}
	})
}

// FuzzMergePatch: once is twice, and neither input changes.
func FuzzMergePatch(f *testing.F) {
	f.Add([]byte(`{"a":{"b":1},"c":[1]}`), []byte(`{"a":{"b":null,"d":{}},"c":null}`))
	f.Add([]byte(`[1]`), []byte(`{"a":{"b":null}}`))
	f.Fuzz(func(t *testing.T, targetText, patchText []byte) {
		target, err := Parse(targetText)
		if err != nil {
			return
		}
		patch, err := Parse(patchText)
		if err != nil {
			return
		}
		before, change := target.Text(), patch.Text()
		merged := MergePatch(target, patch)
		if !Equal(MergePatch(merged, patch), merged) {
			t.Fatalf("%s twice into %s is not once", change, before)
		}
		text := merged.Text()
		if _, err := Check(text); err != nil || len(text) > len(before)+len(change) {
			t.Fatalf("%s into %s: %s, %v", change, before, text, err)
		}
		if !bytes.Equal(before, target.Text()) || !bytes.Equal(change, patch.Text()) {
			t.Fatal("MergePatch wrote through its input")
		}
	})
}

// FuzzDiff: the patch leads from one value to the other, through its text too.
func FuzzDiff(f *testing.F) {
	f.Add([]byte(`{"a":[1,2,3],"b":{"c":"d"}}`), []byte(`{"a":[0,1,3],"b":{"e":"d"}}`))
	f.Add([]byte(`[[1],[2],[3],[4]]`), []byte(`[[2],[5],[1],[4],[4]]`))
	f.Fuzz(func(t *testing.T, textA, textB []byte) {
		a, err := Parse(textA)
		if err != nil {
			return
		}
		b, err := Parse(textB)
		if err != nil {
			return
		}
		p, err := ParsePatch(Diff(a, b).Text())
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Apply(a, Limits{MaxBytes: a.Size() + b.Size()})
		if err != nil || !Equal(got, b) {
			t.Fatalf("%s from %s to %s: %v", p.Text(), a.Text(), b.Text(), err)
		}
		same := Equal(a, b)
		if same != (len(p) == 0) || same != (len(Changes(a, b)) == 0) || same && a.Hash() != b.Hash() {
			t.Fatalf("%s and %s: equal %v, %d operations", a.Text(), b.Text(), same, len(p))
		}
	})
}
