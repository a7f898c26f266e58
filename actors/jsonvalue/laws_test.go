package jsonvalue

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func TestEqualIsByValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawnTree.Draw(t, "a")
		b := drawnLike(t, a)
		want := canonical(a) == canonical(b)
		if Equal(a, b) != want || Equal(b, a) != want {
			t.Fatalf("Equal(%s, %s), want %v", a.Text(), b.Text(), want)
		}
		if want != (a.Hash() == b.Hash()) {
			t.Fatalf("hashes of %s and %s, equal %v", a.Text(), b.Text(), want)
		}
		if same := bytes.Equal(AppendIdentity(nil, a), AppendIdentity(nil, b)); same != want {
			t.Fatalf("identities of %s and %s, equal %v", a.Text(), b.Text(), want)
		}
		if equal, err := EqualText(a.Text(), b.Text()); err != nil || equal != want {
			t.Fatalf("EqualText(%s, %s) = %v, %v", a.Text(), b.Text(), equal, err)
		}
		c := drawnLike(t, b)
		if Equal(a, b) && Equal(b, c) && !Equal(a, c) {
			t.Fatalf("not transitive: %s, %s, %s", a.Text(), b.Text(), c.Text())
		}
	})
}

func TestSpellingDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawnTree.Draw(t, "value")
		text := respell(t, v)
		hash, err := Check([]byte(text))
		if err != nil || hash != v.Hash() {
			t.Fatalf("Check(%q) = %x, %v; hash of %s is %x", text, hash, err, v.Text(), v.Hash())
		}
		w := mustParseRapid(t, text)
		if !Equal(v, w) || !Equal(w, v) || w.Hash() != hash {
			t.Fatalf("%s is not %q", v.Text(), text)
		}
		if diff := Diff(v, w); len(diff) != 0 {
			t.Fatalf("Diff of equal values: %s", diff.Text())
		}
	})
}

func TestTextIsTheValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := mustParseRapid(t, respell(t, drawnTree.Draw(t, "value")))
		text := v.Text()
		w := mustParseRapid(t, string(text))
		if !Equal(v, w) {
			t.Fatalf("%s became %s", canonical(v), text)
		}
		if !bytes.Equal(w.Text(), text) {
			t.Fatalf("%s became %s", text, w.Text())
		}
		if v.Size() != len(text) {
			t.Fatalf("size %d of %s", v.Size(), text)
		}
	})
}

func TestDiffApplies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawnTree.Draw(t, "a")
		b := drawnLike(t, a)
		before, after := a.Text(), b.Text()
		p := Diff(a, b)
		if !bytes.Equal(p.Text(), Diff(a, b).Text()) {
			t.Fatal("two patches for the same values")
		}
		if Equal(a, b) != (len(p) == 0) {
			t.Fatalf("Diff(%s, %s) = %s", before, after, p.Text())
		}
		read, err := ParsePatch(p.Text())
		if err != nil {
			t.Fatalf("ParsePatch(%s): %v", p.Text(), err)
		}
		got, err := read.Apply(a, Limits{MaxBytes: len(before) + len(after)})
		if err != nil || !Equal(got, b) {
			t.Fatalf("%s with %s: %v, want %s", before, p.Text(), err, after)
		}
		if len(p) > 0 && len(p.Text()) > len(`[{"op":"replace","path":"","value":}]`)+len(after) {
			t.Fatalf("%s is longer than a replacement by %s", p.Text(), after)
		}
		if !bytes.Equal(before, a.Text()) || !bytes.Equal(after, b.Text()) {
			t.Fatal("Diff or Apply wrote through its input")
		}
	})
}

func TestChangesNameWhatDiffers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawnTree.Draw(t, "a")
		b := drawnLike(t, a)
		changes := Changes(a, b)
		if Equal(a, b) != (len(changes) == 0) {
			t.Fatalf("%d changes from %s to %s", len(changes), a.Text(), b.Text())
		}
		for _, c := range changes {
			p, err := ParsePointer(c.Path)
			if err != nil {
				t.Fatal(err)
			}
			if c.Kind == Removed {
				if at, ok := a.At(p); !ok || !Equal(at, c.Before) || c.After != nil {
					t.Fatalf("%+v is not in %s", c, a.Text())
				}
				continue
			}
			if at, ok := b.At(p); !ok || !Equal(at, c.After) || (c.Before == nil) != (c.Kind == Added) {
				t.Fatalf("%+v is not in %s", c, b.Text())
			}
			if Equal(c.Before, c.After) {
				t.Fatalf("%+v changes nothing", c)
			}
		}
	})
}

// TestCommonIsLongest compares with the textbook table.
func TestCommonIsLongest(t *testing.T) {
	numbers := rapid.SliceOfN(rapid.IntRange(0, 5), 0, 30)
	rapid.Check(t, func(t *rapid.T) {
		a, b := numbers.Draw(t, "a"), numbers.Draw(t, "b")
		kept := commonClasses(a, b)
		last := pair{-1, -1}
		for _, p := range kept {
			if p.a <= last.a || p.b <= last.b || a[p.a] != b[p.b] {
				t.Fatalf("%v of %v and %v", kept, a, b)
			}
			last = p
		}
		longest := make([][]int, len(a)+1)
		for i := range longest {
			longest[i] = make([]int, len(b)+1)
			for j := range longest[i] {
				switch {
				case i == 0 || j == 0:
				case a[i-1] == b[j-1]:
					longest[i][j] = longest[i-1][j-1] + 1
				default:
					longest[i][j] = max(longest[i-1][j], longest[i][j-1])
				}
			}
		}
		if want := longest[len(a)][len(b)]; len(kept) != want {
			t.Fatalf("%d kept of %v and %v, want %d", len(kept), a, b, want)
		}
	})
}

func TestMergePatchLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target := drawnTree.Draw(t, "target")
		patch := drawnLike(t, target)
		before, change := target.Text(), patch.Text()
		merged := MergePatch(target, patch)
		if !Equal(MergePatch(merged, patch), merged) {
			t.Fatalf("%s twice into %s is not once", change, before)
		}
		if patch.Kind() != Object && merged != patch {
			t.Fatalf("%s into %s: %s", change, before, merged.Text())
		}
		if patch.Kind() == Object {
			for _, m := range patch.Members() {
				at, ok := merged.Get(m.Name)
				if ok == (m.Value.Kind() == Null) {
					t.Fatalf("%s into %s: %s", change, before, merged.Text())
				}
				was, _ := target.Get(m.Name)
				if ok && !Equal(at, MergePatch(was, m.Value)) {
					t.Fatalf("%s into %s: %s", change, before, merged.Text())
				}
			}
			for _, m := range target.Members() {
				_, named := patch.Get(m.Name)
				if at, _ := merged.Get(m.Name); !named && at != m.Value {
					t.Fatalf("%s into %s changed %q", change, before, m.Name)
				}
			}
		}
		if target.Kind() == Object && !Equal(MergePatch(target, NewObject()), target) {
			t.Fatalf("the empty patch changed %s", before)
		}
		if merged.Size() > len(before)+len(change) || merged.Depth() > max(target.Depth(), patch.Depth()) {
			t.Fatalf("%s into %s grew to %s", change, before, merged.Text())
		}
		if !bytes.Equal(before, target.Text()) || !bytes.Equal(change, patch.Text()) {
			t.Fatal("MergePatch wrote through its input")
		}
	})
}

func TestPointerRoundTrip(t *testing.T) {
	tokens := rapid.SliceOfN(rapid.OneOf(drawnNames, rapid.StringN(0, 6, -1)), 0, 5)
	rapid.Check(t, func(t *rapid.T) {
		p := Pointer(tokens.Draw(t, "tokens"))
		q, err := ParsePointer(p.String())
		if err != nil || len(p) != len(q) {
			t.Fatalf("%q became %q, %v", p, q, err)
		}
		for i := range p {
			if p[i] != q[i] {
				t.Fatalf("%q became %q", p, q)
			}
		}
	})
}

func mustParseRapid(t *rapid.T, text string) *Value {
	v, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("parse %q: %v", text, err)
	}
	return v
}
