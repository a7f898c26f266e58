package lookup

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
	"concord/actors/lookup/lookuppb"
	"concord/actors/problem"
	"concord/persistence"
)

func valueOf(t rapid.TB, text string) *jsonvalue.Value {
	t.Helper()
	v, err := jsonvalue.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// setOf is what a type declares.
func setOf(t rapid.TB, keys, indexes string) *Set {
	t.Helper()
	k, refused := ParseKeys(valueOf(t, keys), "/keys")
	if refused != nil {
		t.Fatal(refused)
	}
	i, refused := ParseIndexes(valueOf(t, indexes), "/indexes")
	if refused != nil {
		t.Fatal(refused)
	}
	return NewSet(k, i)
}

func TestWhatIsDeclaredWrongly(t *testing.T) {
	many := func(one string, n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = strings.ReplaceAll(one, "N", fmt.Sprint(i))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	for text, want := range map[string][2]string{
		`keys {}`:              {"/x", "must be a list"},
		`keys [[]]`:            {"/x/0", "a key is a list of 1 to 8 paths"},
		`keys ["/metadata/a"]`: {"/x/0", "a key is a list of 1 to 8 paths"},
		`keys [` + many(`"/metadata/N"`, 9) + `]`:                            {"/x/0", "a key is a list of 1 to 8 paths"},
		`keys ` + many(`["/metadata/N"]`, 17):                                {"/x", "17 keys: a type has at most 16"},
		`keys [["/metadata/a/*"]]`:                                           {"/x/0/0", "* is for indexes"},
		`keys [["/metadata/a","/documents/d/a"]]`:                            {"/x/0/1", "must be a JSON Pointer below /metadata"},
		`keys [["/metadata/a","/metadata/a"]]`:                               {"/x/0/1", "is there twice"},
		`keys [["/metadata/a","/metadata/b"],["/metadata/b","/metadata/a"]]`: {"/x/1", "is there twice"},
		`indexes null`:                                            {"/x", "must be a list"},
		`indexes ["/metadata"]`:                                   {"/x/0", "must be a JSON Pointer below /metadata"},
		`indexes ["/metadatax/a"]`:                                {"/x/0", "must be a JSON Pointer below /metadata"},
		`indexes [["/metadata/a"]]`:                               {"/x/0", "must be a JSON Pointer below /metadata"},
		`indexes ["/metadata/~2"]`:                                {"/x/0", "must be a JSON Pointer below /metadata: "},
		`indexes ["/metadata/a","/metadata/a"]`:                   {"/x/1", "is there twice"},
		`indexes ["/metadata/` + strings.Repeat("x", 1100) + `"]`: {"/x/0", "the limit is 1024"},
		`indexes ` + many(`"/metadata/N"`, 33):                    {"/x", "33 indexes: a type has at most 32"},
	} {
		part, text, _ := strings.Cut(text, " ")
		parse := ParseKeys
		if part == "indexes" {
			parse = ParseIndexes
		}
		_, refused := parse(valueOf(t, text), "/x")
		if refused == nil || refused.Code != problem.Invalid || refused.Errors[0].Path != want[0] || !strings.Contains(refused.Errors[0].Message, want[1]) {
			t.Errorf("%s %.80s: %v, want %v", part, text, refused, want)
		}
	}
}

// TestWhatIsTheSame: a key is the same in another order, and nothing else is.
func TestWhatIsTheSame(t *testing.T) {
	a := setOf(t, `[["/metadata/a","/metadata/b"],["/metadata/c"]]`, `["/metadata/d","/metadata/c"]`)
	b := setOf(t, `[["/metadata/c"],["/metadata/b","/metadata/a"]]`, `["/metadata/c","/metadata/d"]`)
	if a.Fingerprint != b.Fingerprint || a.Lookups[0].Number != b.Lookups[1].Number {
		t.Error("another order is another set")
	}
	numbers := map[uint64]bool{}
	for _, s := range []*Set{a, setOf(t, `[["/metadata/a"],["/metadata/a/b"],["/metadata/a\u0000/b"],["/metadata/a","/metadata/b","/metadata/c"]]`,
		`["/metadata/a","/metadata/*","/metadata/a/*","/metadata/~1a"]`)} {
		for _, n := range s.Numbers() {
			if numbers[n] {
				t.Errorf("%x is there twice", n)
			}
			numbers[n] = true
		}
	}
	if NewSet(nil, nil).Print() != 0 || a.Print() == 0 {
		t.Error("only what declares nothing has no fingerprint")
	}
}

func TestTerms(t *testing.T) {
	const keys, indexes = `[["/metadata/n"],["/metadata/n","/metadata/v"]]`, `["/metadata/p/*/n","/metadata/n","/metadata/*","/metadata/l/0"]`
	for metadata, want := range map[string]string{
		`{}`:                  ``,
		`{"n":"a"}`:           `[n]=sa n=sa *=sa`,
		`{"n":"a","v":1.50}`:  `[n]=sa [n v]=2:sa4:n1.5 n=sa *=n1.5 *=sa`,
		`{"n":null,"v":true}`: `[n]=lnull [n v]=5:lnull5:ltrue n=lnull *=lnull *=ltrue`,
		`{"n":["a"],"v":"a"}`: `*=sa`,
		`{"n":{"a":1}}`:       ``,
		`{"p":[{"n":1},{"n":2},{"n":1e0},{"m":3},4]}`: `p/*/n=n1 p/*/n=n2`,
		`{"p":{"a":{"n":"x"},"n":"y"}}`:               `p/*/n=sx`,
		`{"l":["a","b"],"p":[]}`:                      `l/0=sa`,
		`{"l":{"0":"c"}}`:                             `l/0=sc`,
	} {
		s := setOf(t, keys, indexes)
		terms, refused := s.Terms(valueOf(t, metadata))
		if refused != nil {
			t.Fatal(refused)
		}
		var m lookuppb.Terms
		if err := proto.Unmarshal(terms, &m); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range s.Lookups {
			for _, f := range m.GetFound() {
				for _, term := range f.GetTerms() {
					if f.GetLookup() == l.Number {
						name := strings.NewReplacer("the key ", "[", "the index ", "", "/metadata/", "", " with ", " ").Replace(l.String())
						if l.Key {
							name += "]"
						}
						got = append(got, name+term)
					}
				}
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", metadata, strings.Join(got, " "), want)
		}
		if Fingerprint(terms) != s.Fingerprint {
			t.Errorf("%s: fingerprint %x, want %x", metadata, Fingerprint(terms), s.Fingerprint)
		}
	}
}

// drawScalar is a scalar, often one that is like another one.
func drawScalar(t *rapid.T, name string) *jsonvalue.Value {
	long := strings.Repeat("x", rapid.IntRange(37, 42).Draw(t, "long"))
	return valueOf(t, rapid.SampledFrom([]string{`1`, `1.0`, `10e-1`, `"1"`, `"n1"`, `"a"`, `"A"`, `""`, `null`, `"null"`, `true`, `false`, `"true"`, `0`, `-0.0`,
		`"2:sa"`, `"a\u0000"`, `"a\u0000b"`, `"` + long + `"`, `1` + strings.Repeat("0", 50), `1e50`, `1e51`, `"é"`}).Draw(t, name))
}

// TestTermsTellValuesApart: values have the same term if they are equal, all of them, and only then. A term is short and has
// no NUL.
func TestTermsTellValuesApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3).Draw(t, "paths")
		a, b, equal := make([]*jsonvalue.Value, n), make([]*jsonvalue.Value, n), true
		for i := range n {
			a[i], b[i] = drawScalar(t, "a"), drawScalar(t, "b")
			if rapid.IntRange(0, 2).Draw(t, "same") > 0 {
				b[i] = a[i]
			}
			equal = equal && jsonvalue.Equal(a[i], b[i])
		}
		x, y := Term(a...), Term(b...)
		if (x == y) != equal {
			t.Fatalf("%q and %q, and the values are equal: %v", x, y, equal)
		}
		if len(x) > 1+clearMaxBytes || strings.Contains(x, "\x00") || len(x) > persistence.TermMaxBytes {
			t.Fatalf("%q", x)
		}
	})
}

// drawStanding is what a collection may be found by.
func drawStanding(t *rapid.T) Standing {
	s := Standing{Type: rapid.SampledFrom([]string{"t", "u"}).Draw(t, "type")}
	keys := rapid.SampledFrom([]string{`[]`, `[["/metadata/a"]]`}).Draw(t, "keys")
	indexes := rapid.SampledFrom([]string{`[]`, `["/metadata/a"]`, `["/metadata/*"]`, `["/metadata/l/*","/metadata/a"]`}).Draw(t, "indexes")
	metadata := jsonvalue.NewObject(jsonvalue.Member{Name: "a", Value: drawScalar(t, "a")},
		jsonvalue.Member{Name: "l", Value: jsonvalue.NewArray(drawScalar(t, "l"), drawScalar(t, "l"))})
	terms, refused := setOf(t, keys, indexes).Terms(metadata)
	if refused != nil {
		t.Fatal(refused)
	}
	if s.Terms = terms; rapid.IntRange(0, 3).Draw(t, "none") == 0 {
		s.Terms = nil
	}
	return s
}

// TestChanges: whatever a collection was found by and is found by, the changes make the entries of the one those of the
// other, and each change is needed.
func TestChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, after := drawStanding(t), drawStanding(t)
		entries := func(s Standing) map[string]bool {
			all := map[string]bool{}
			for _, c := range Changes(Standing{}, s) {
				if c.Removed || all[c.Name+" "+c.Term] || c.Part != "" {
					t.Fatalf("%+v", c)
				}
				all[c.Name+" "+c.Term] = true
			}
			return all
		}
		are := entries(before)
		for _, c := range Changes(before, after) {
			if are[c.Name+" "+c.Term] != c.Removed {
				t.Fatalf("needless: %+v", c)
			}
			if are[c.Name+" "+c.Term] = true; c.Removed {
				delete(are, c.Name+" "+c.Term)
			}
		}
		if want := entries(after); !maps.Equal(are, want) {
			t.Fatalf("%v, want %v", slices.Sorted(maps.Keys(are)), slices.Sorted(maps.Keys(want)))
		}
		if same := Changes(after, after); same != nil {
			t.Fatalf("nothing is %v", same)
		}
	})
}

// FuzzStanding: whatever is stored, reading it ends, and the same bytes are the same entries.
func FuzzStanding(f *testing.F) {
	f.Add([]byte{9, 1, 2, 3, 4, 5, 6, 7, 8})
	terms, _ := setOf(f, `[["/metadata/a"]]`, `["/metadata/*"]`).Terms(valueOf(f, `{"a":1,"b":["x"],"c":"y"}`))
	f.Add(terms)
	f.Fuzz(func(t *testing.T, stored []byte) {
		Fingerprint(stored)
		s := Standing{"t", stored}
		if Changes(s, Standing{"t", slices.Clone(stored)}) != nil || len(Changes(Standing{}, s)) != len(Changes(s, Standing{})) {
			t.Error("the same is not the same")
		}
	})
}

// FuzzQuery: whatever is asked is answered by asks or by a refusal that names a place.
func FuzzQuery(f *testing.F) {
	for _, text := range []string{`{}`, `[]`, `{"/metadata/a":1}`, `{"/metadata/a":1,"/metadata/b":[]}`, `{"/metadata/a":"x","/metadata/b":null}`, `{"/metadata/l/*":1}`} {
		f.Add(text)
	}
	s := setOf(f, `[["/metadata/a","/metadata/b"]]`, `["/metadata/a","/metadata/l/*"]`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := jsonvalue.Parse([]byte(text))
		if err != nil {
			return
		}
		d := Declared{s, func(n uint64) bool { return n == s.Lookups[1].Number }}
		asks, refused := d.Query(v, "/q")
		if refused == nil == (len(asks) == 0) || refused != nil && (len(refused.Errors) != 1 || !strings.HasPrefix(refused.Errors[0].Path, "/q")) {
			t.Errorf("%v, %v", asks, refused)
		}
		if _, refused := d.Key(v, "/q"); refused == nil {
			t.Error("a key that is not built is asked for")
		}
	})
}
