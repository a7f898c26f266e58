package jsonvalue

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePatchRefuses(t *testing.T) {
	for name, row := range map[string]struct{ text, path, reason string }{
		"not JSON":               {`[{"op":}]`, "/0/op", reasonCharacter},
		"duplicate op":           {`[{"op":"add","op":"remove","path":"/a"}]`, "/0/op", reasonDuplicate},
		"no array":               {`{"op":"remove","path":"/a"}`, "", "a patch is an array of operations"},
		"no object":              {`[{"op":"remove","path":"/a"},"remove"]`, "/1", "an operation is an object"},
		"no op":                  {`[{"path":"/a"}]`, "/0/op", "missing member"},
		"op is null":             {`[{"op":null,"path":"/a"}]`, "/0/op", "not a string"},
		"op in capitals":         {`[{"op":"ADD","path":"/a","value":1}]`, "/0/op", "unknown operation"},
		"member in capitals":     {`[{"op":"add","Path":"/a","value":1}]`, "/0/path", "missing member"},
		"no path":                {`[{"op":"remove"}]`, "/0/path", "missing member"},
		"path is a number":       {`[{"op":"remove","path":1}]`, "/0/path", "not a string"},
		"path without slash":     {`[{"op":"remove","path":"a"}]`, "/0/path", "pointer does not begin with a slash"},
		"path with a bad escape": {`[{"op":"remove","path":"/~2"}]`, "/0/path", "pointer has a ~ that is neither ~0 nor ~1"},
		"path that ends in ~":    {`[{"op":"remove","path":"/a~"}]`, "/0/path", "pointer has a ~ that is neither ~0 nor ~1"},
		"add without value":      {`[{"op":"add","path":"/a"}]`, "/0/value", "missing member"},
		"fourth without value": {
			`[{"op":"remove","path":""},{"op":"remove","path":""},{"op":"remove","path":""},{"op":"test","path":""}]`,
			"/3/value", "missing member",
		},
		"move without from":    {`[{"op":"move","path":"/a"}]`, "/0/from", "missing member"},
		"copy from null":       {`[{"op":"copy","path":"/a","from":null}]`, "/0/from", "not a string"},
		"copy from a bad path": {`[{"op":"copy","path":"/a","from":"b"}]`, "/0/from", "pointer does not begin with a slash"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParsePatch([]byte(row.text))
			var got *SyntaxError
			if !errors.As(err, &got) || got.Path != row.path || got.Reason != row.reason {
				t.Errorf("ParsePatch(%s): %v, want %s at %q", row.text, err, row.reason, row.path)
			}
		})
	}
}

func TestParsePatchIgnoresWhatTheOperationDoesNotDefine(t *testing.T) {
	text := `[
		{"op":"remove","path":"/a","value":1,"from":7},
		{"op":"add","path":"/b","value":null,"from":null,"note":"x"},
		{"op":"copy","path":"/c","from":"","value":{}}]`
	want := `[{"op":"remove","path":"/a"},{"op":"add","path":"/b","value":null},{"op":"copy","from":"","path":"/c"}]`
	p, err := ParsePatch([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(p.Text())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestApply(t *testing.T) {
	for name, row := range map[string]struct{ doc, patch, want string }{
		"no operation keeps the spelling": {`{"a":1.0}`, `[]`, `{"a":1.0}`},
		"add keeps the place of a member": {
			`{"a":1,"b":2}`, `[{"op":"add","path":"/a","value":{}}]`, `{"a":{},"b":2}`,
		},
		"add puts a new member last": {
			`{"b":2}`, `[{"op":"add","path":"/a","value":1}]`, `{"b":2,"a":1}`,
		},
		"add to a member named -": {
			`{"-":1}`, `[{"op":"add","path":"/-","value":2}]`, `{"-":2}`,
		},
		"add at the length appends": {`[1]`, `[{"op":"add","path":"/1","value":2}]`, `[1,2]`},
		"empty member name":         {`{"":{"":1}}`, `[{"op":"replace","path":"//","value":2}]`, `{"":{"":2}}`},
		"null is a value":           {`{"a":null}`, `[{"op":"test","path":"/a","value":null}]`, `{"a":null}`},
		"test compares decimals":    {`1.0`, `[{"op":"test","path":"","value":10e-1}]`, `1.0`},
		"move onto itself":          {`{"a":1}`, `[{"op":"move","from":"/a","path":"/a"}]`, `{"a":1}`},
		"move to the parent": {
			`{"a":{"b":1}}`, `[{"op":"move","from":"/a/b","path":"/a"}]`, `{"a":1}`,
		},
		"move to the root": {`{"a":{"b":1}}`, `[{"op":"move","from":"/a","path":""}]`, `{"b":1}`},
		"move in an array counts after the removal": {
			`[1,2,3]`, `[{"op":"move","from":"/0","path":"/2"}]`, `[2,3,1]`,
		},
		"names that share a beginning are no parents": {
			`{"a":1}`, `[{"op":"move","from":"/a","path":"/ab"}]`, `{"ab":1}`,
		},
		"a copy is a copy": {
			`{"a":{"x":[1]}}`,
			`[{"op":"add","path":"/a/y","value":0},{"op":"copy","from":"/a","path":"/b"},
			  {"op":"add","path":"/a/x/-","value":2},{"op":"add","path":"/b/x/0","value":3}]`,
			`{"a":{"x":[1,2],"y":0},"b":{"x":[3,1],"y":0}}`,
		},
		"a copy into itself": {
			`{"a":[1]}`, `[{"op":"copy","from":"/a","path":"/a/-"},{"op":"add","path":"/a/1/-","value":2}]`,
			`{"a":[1,[1,2]]}`,
		},
		"an added value stays as it was given": {
			`[]`,
			`[{"op":"add","path":"/-","value":[1]},{"op":"copy","from":"/0","path":"/-"},
			  {"op":"remove","path":"/0/0"}]`,
			`[[],[1]]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := ParsePatch([]byte(row.patch))
			if err != nil {
				t.Fatal(err)
			}
			got, err := p.Apply(mustParse(t, row.doc), Limits{})
			if err != nil || string(got.Text()) != row.want {
				t.Errorf("%s with %s: %v, %v, want %s", row.doc, row.patch, got, err, row.want)
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	for name, row := range map[string]struct {
		doc, patch string
		want       PatchError
	}{
		"missing parent": {
			`{"a":1}`, `[{"op":"test","path":"/a","value":1},{"op":"add","path":"/x/y/z","value":1}]`,
			PatchError{1, OpAdd, "/x", "no such member", ErrTarget},
		},
		"parent is a string": {
			`{"a":"b"}`, `[{"op":"add","path":"/a/b","value":1}]`,
			PatchError{0, OpAdd, "/a/b", "not inside an object or array, but a string", ErrTarget},
		},
		"- is no element": {
			`[1]`, `[{"op":"remove","path":"/-"}]`,
			PatchError{0, OpRemove, "/-", "no such element", ErrTarget},
		},
		"- on the way": {
			`[[]]`, `[{"op":"add","path":"/-/0","value":1}]`,
			PatchError{0, OpAdd, "/-", "no such element", ErrTarget},
		},
		"index with a sign": {
			`[1]`, `[{"op":"replace","path":"/+0","value":1}]`,
			PatchError{0, OpReplace, "/+0", "no such element", ErrTarget},
		},
		"index beyond 64 bits": {
			`[1]`, `[{"op":"add","path":"/18446744073709551616","value":1}]`,
			PatchError{0, OpAdd, "/18446744073709551616", "no such element", ErrTarget},
		},
		"index in other digits": {
			`[1]`, `[{"op":"test","path":"/٠","value":1}]`,
			PatchError{0, OpTest, "/٠", "no such element", ErrTarget},
		},
		"replace of nothing": {
			`{}`, `[{"op":"replace","path":"/a","value":1}]`,
			PatchError{0, OpReplace, "/a", "no such member", ErrTarget},
		},
		"remove the document": {
			`{}`, `[{"op":"remove","path":""}]`,
			PatchError{0, OpRemove, "", "the whole document cannot be removed", ErrOperation},
		},
		"move into a child": {
			`{"a":{"b":{}}}`, `[{"op":"move","from":"/a","path":"/a/b/c"}]`,
			PatchError{0, OpMove, "/a/b/c", "a value cannot be moved into itself", ErrOperation},
		},
		"move of nothing onto itself": {
			`{}`, `[{"op":"move","from":"/a","path":"/a"}]`,
			PatchError{0, OpMove, "/a", "no such member", ErrTarget},
		},
		"copy of nothing": {
			`{"a":[]}`, `[{"op":"copy","from":"/a/0","path":"/b"}]`,
			PatchError{0, OpCopy, "/a/0", "no such element", ErrTarget},
		},
		"test of another kind": {
			`{"a":1}`, `[{"op":"test","path":"/a","value":true}]`,
			PatchError{0, OpTest, "/a", "value differs", ErrTest},
		},
		"test of what the patch did": {
			`{"a":1}`, `[{"op":"replace","path":"/a","value":2},{"op":"test","path":"/a","value":1}]`,
			PatchError{1, OpTest, "/a", "value differs", ErrTest},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := ParsePatch([]byte(row.patch))
			if err != nil {
				t.Fatal(err)
			}
			checkRefused(t, p, mustParse(t, row.doc), Limits{}, row.want)
		})
	}
}

func TestApplyRefusesMalformedOperations(t *testing.T) {
	for _, op := range []Operation{{Op: OpAdd}, {Op: OpReplace}, {Op: OpTest}} {
		want := PatchError{0, op.Op, "", "no value", ErrOperation}
		checkRefused(t, Patch{op}, NewNull(), Limits{}, want)
	}
	want := PatchError{0, "spam", "", "unknown operation", ErrOperation}
	checkRefused(t, Patch{{Op: "spam"}}, NewNull(), Limits{}, want)
}

func TestApplyIsBounded(t *testing.T) {
	ten := mustParse(t, `["12345678"]`)
	double := Operation{Op: OpCopy, From: Pointer{}, Path: Pointer{"-"}}
	bomb := make(Patch, 100)
	for i := range bomb {
		bomb[i] = double
	}
	tests := make(Patch, 5)
	for i := range tests {
		tests[i] = Operation{Op: OpTest, Path: Pointer{"0"}, Value: NewString("12345678")}
	}
	deep := Operation{Op: OpAdd, Path: Pointer{"0"}, Value: mustParse(t, nested(MaxDepth-1, ""))}
	for name, row := range map[string]struct {
		patch  Patch
		limits Limits
		want   PatchError
	}{
		"copy bomb": {
			bomb, Limits{},
			PatchError{16, OpCopy, "/-", "document grows too large", ErrLimit},
		},
		"result too large": {
			Patch{double}, Limits{MaxBytes: 24},
			PatchError{0, OpCopy, "/-", "document grows too large", ErrLimit},
		},
		"too many operations": {
			tests, Limits{MaxOperations: 4},
			PatchError{4, OpTest, "/0", "too many operations", ErrLimit},
		},
		"too deep": {
			Patch{deep}, Limits{MaxDepth: MaxDepth - 1},
			PatchError{0, OpAdd, "/0", "document grows too deep", ErrLimit},
		},
		"too deep by copy": {
			Patch{deep, {Op: OpCopy, From: Pointer{"0"}, Path: Pointer{"0", "-"}}}, Limits{},
			PatchError{1, OpCopy, "/0/-", "document grows too deep", ErrLimit},
		},
		"too much work": {
			tests, Limits{MaxSteps: 1},
			PatchError{0, OpTest, "/0", "patch takes too much work", ErrLimit},
		},
	} {
		t.Run(name, func(t *testing.T) { checkRefused(t, row.patch, ten, row.limits, row.want) })
	}

	shrink := Patch{{Op: OpReplace, Path: Pointer{"0"}, Value: NewString("1234567")}}
	if _, err := shrink.Apply(ten, Limits{MaxBytes: 1}); err != nil {
		t.Errorf("a document beyond the bound cannot be made smaller: %v", err)
	}
	between := Patch{double, {Op: OpRemove, Path: Pointer{"1"}}}
	if _, err := between.Apply(ten, Limits{MaxBytes: 13}); err != nil {
		t.Errorf("no room between the operations: %v", err)
	}
}

func checkRefused(t *testing.T, p Patch, doc *Value, limits Limits, want PatchError) {
	t.Helper()
	before := string(doc.Text())
	got, err := p.Apply(doc, limits)
	var refused *PatchError
	if !errors.As(err, &refused) || got != nil {
		t.Fatalf("%s with %.300s: %v, %v, want %v", before, p.Text(), got, err, &want)
	}
	if *refused != want || !errors.Is(err, want.Cause) {
		t.Errorf("got %v (%v), want %v (%v)", refused, refused.Cause, &want, want.Cause)
	}
	if after := string(doc.Text()); after != before {
		t.Errorf("%s became %s", before, after)
	}
}
