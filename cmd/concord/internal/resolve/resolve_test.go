package resolve_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
	"concord/actors/merge"
	"concord/cmd/concord/internal/resolve"
)

func value(t testing.TB, text string) *jsonvalue.Value {
	t.Helper()
	if text == "" {
		return nil
	}
	v, err := jsonvalue.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func text(v *jsonvalue.Value) string {
	if v == nil {
		return ""
	}
	return string(v.Text())
}

func pointer(t testing.TB, path string) jsonvalue.Pointer {
	t.Helper()
	p, err := jsonvalue.ParsePointer(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func draft(t testing.TB, base, ours, theirs string, rules ...merge.Rule) *resolve.Draft {
	t.Helper()
	d, err := resolve.New([]resolve.Part{{Document: "x", Base: value(t, base), Ours: value(t, ours), Theirs: value(t, theirs)}}, rules)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// result is what document x has come to: theirs if it stays as it is, "removed" if it goes.
func result(t testing.TB, d *resolve.Draft) string {
	t.Helper()
	switch results := d.Results(); {
	case len(results) == 0:
		return "theirs"
	case results[0].Value == nil:
		return "removed"
	default:
		return text(results[0].Value)
	}
}

func TestPlacesAreSettledWithASide(t *testing.T) {
	keyed := merge.Rule{Path: pointer(t, "/documents/*/people"), Strategy: merge.Keyed, Key: "id"}
	byName := merge.Rule{Path: pointer(t, "/documents/x/people"), Strategy: merge.Keyed, Key: "name"}
	for name, row := range map[string]struct {
		base, ours, theirs string
		rules              []merge.Rule
		with               map[string]resolve.Side
		want               string
		open               string
	}{
		"nothing disagrees": {base: `{"a":1,"b":1}`, ours: `{"a":2,"b":1}`, theirs: `{"a":1,"b":2}`, want: `{"a":2,"b":2}`},
		"what is open is theirs, and the rest is merged": {
			base: `{"a":1,"b":1}`, ours: `{"a":2,"b":2}`, theirs: `{"a":3,"b":1}`, want: `{"a":3,"b":2}`, open: "/documents/x/a"},
		"ours":   {base: `{"a":1}`, ours: `{"a":2}`, theirs: `{"a":3}`, with: map[string]resolve.Side{"": resolve.Ours}, want: `{"a":2}`},
		"theirs": {base: `{"a":1}`, ours: `{"a":2}`, theirs: `{"a":3}`, with: map[string]resolve.Side{"": resolve.Theirs}, want: `theirs`},
		"base":   {base: `{"a":1}`, ours: `{"a":2}`, theirs: `{"a":3}`, with: map[string]resolve.Side{"": resolve.Base}, want: `{"a":1}`},
		"a path settles what is below it, and nothing beside it": {
			base: `{"o":{"a":1,"b":1},"p":1}`, ours: `{"o":{"a":2,"b":2},"p":2}`, theirs: `{"o":{"a":3,"b":3},"p":3}`,
			with: map[string]resolve.Side{"/documents/x/o": resolve.Ours}, want: `{"o":{"a":2,"b":2},"p":3}`, open: "/documents/x/p"},
		"what we removed": {base: `{"a":1,"b":1}`, ours: `{"b":1}`, theirs: `{"a":3,"b":1}`,
			with: map[string]resolve.Side{"": resolve.Ours}, want: `{"b":1}`},
		"what they removed": {base: `{"a":1,"b":1}`, ours: `{"a":2,"b":1}`, theirs: `{"b":1}`,
			with: map[string]resolve.Side{"": resolve.Ours}, want: `{"b":1,"a":2}`},
		"a document that we removed":   {base: `1`, ours: ``, theirs: `2`, with: map[string]resolve.Side{"": resolve.Ours}, want: `removed`},
		"a document that they removed": {base: `1`, ours: `2`, theirs: ``, with: map[string]resolve.Side{"": resolve.Ours}, want: `2`},
		"a document that both made":    {base: ``, ours: `2`, theirs: `3`, with: map[string]resolve.Side{"": resolve.Base}, want: `removed`},
		"a list is one value": {base: `{"l":[1]}`, ours: `{"l":[1,2]}`, theirs: `{"l":[1,3]}`,
			with: map[string]resolve.Side{"/documents/x/l": resolve.Ours}, want: `{"l":[1,2]}`},
		"an element of a keyed list": {
			base: `{"people":[{"id":1,"n":"a"},{"id":2,"n":"b"}]}`, ours: `{"people":[{"id":1,"n":"A"},{"id":2,"n":"b"}]}`,
			theirs: `{"people":[{"id":1,"n":"AA"},{"id":2,"n":"B"}]}`, rules: []merge.Rule{keyed},
			with: map[string]resolve.Side{"/documents/x/people/1/n": resolve.Ours}, want: `{"people":[{"id":1,"n":"A"},{"id":2,"n":"B"}]}`},
		"an element of a keyed list that we removed": {
			base: `{"people":[{"id":"p","n":1},{"id":"q"}]}`, ours: `{"people":[{"id":"q"}]}`, theirs: `{"people":[{"id":"p","n":2},{"id":"q"}]}`,
			rules: []merge.Rule{keyed}, with: map[string]resolve.Side{"": resolve.Ours}, want: `{"people":[{"id":"q"}]}`},
		"an element of a keyed list that they removed goes to its end": {
			base: `{"people":[{"id":"p","n":1},{"id":"q"}]}`, ours: `{"people":[{"id":"p","n":2},{"id":"q"}]}`, theirs: `{"people":[{"id":"q"}]}`,
			rules: []merge.Rule{keyed}, with: map[string]resolve.Side{"": resolve.Ours}, want: `{"people":[{"id":"q"},{"id":"p","n":2}]}`},
		"the most exact rule names the key": {
			base: `{"people":[{"name":"p","n":1}]}`, ours: `{"people":[{"name":"p","n":2}]}`, theirs: `{"people":[{"name":"p","n":3}]}`,
			rules: []merge.Rule{keyed, byName}, with: map[string]resolve.Side{"/documents/x/people/p": resolve.Ours}, want: `{"people":[{"name":"p","n":2}]}`},
		"a list whose keys are of no use is one value": {
			base: `{"people":[]}`, ours: `{"people":[{"id":1},{"id":1}]}`, theirs: `{"people":[{"id":2}]}`, rules: []merge.Rule{keyed},
			with: map[string]resolve.Side{"/documents/x/people": resolve.Ours}, want: `{"people":[{"id":1},{"id":1}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			d := draft(t, row.base, row.ours, row.theirs, row.rules...)
			for path, side := range row.with {
				if n, err := d.SettleBelow(pointer(t, path), side); err != nil || n == 0 {
					t.Fatalf("%q settled %d places, %v", path, n, err)
				}
			}
			var open []string
			for _, c := range d.Open() {
				open = append(open, c.Path)
			}
			if got := strings.Join(open, " "); got != row.open {
				t.Errorf("open are %q, want %q", got, row.open)
			}
			if got := result(t, d); got != row.want {
				t.Errorf("it comes to %s, want %s", got, row.want)
			}
		})
	}
}

func TestTheMetadataStaysAnObject(t *testing.T) {
	d, err := resolve.New([]resolve.Part{{Base: value(t, `{"a":1}`), Ours: value(t, `{"a":2}`), Theirs: value(t, `{"a":3}`)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := d.Open()[0]
	if c.Path != "/metadata/a" {
		t.Fatalf("the clash is at %s", c.Path)
	}
	whole, err := resolve.New([]resolve.Part{{Ours: value(t, `{}`), Theirs: value(t, `{"a":1}`)}},
		[]merge.Rule{{Path: pointer(t, "/metadata"), Strategy: merge.Atomic}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []*jsonvalue.Value{nil, value(t, `[]`)} {
		if err := whole.Settle(whole.Open()[0], v); err == nil {
			t.Errorf("the metadata became %s", text(v))
		}
	}
}

func TestAKeyedElementKeepsItsKey(t *testing.T) {
	rule := merge.Rule{Path: pointer(t, "/documents/x"), Strategy: merge.Keyed, Key: "id"}
	d := draft(t, `[{"id":1}]`, `[{"id":1,"n":1}]`, ``, rule)
	if got := d.Open(); len(got) != 1 || got[0].Path != "/documents/x" {
		t.Fatalf("%+v", got)
	}
	d = draft(t, `[{"id":1,"n":0}]`, `[{"id":1,"n":1}]`, `[]`, rule)
	c := d.Open()[0]
	if err := d.Settle(c, value(t, `{"id":2}`)); err == nil || !strings.Contains(err.Error(), `whose "id" is "1" here`) {
		t.Errorf("%v", err)
	}
}

func TestARuleThatCannotBeTaken(t *testing.T) {
	if _, err := resolve.New(nil, []merge.Rule{{Path: pointer(t, "/nowhere"), Strategy: merge.Set}}); err == nil {
		t.Error("it was taken")
	}
}

// TestANewerVersionIsMergedWithWhatWasSettled: nothing that was settled is asked again.
func TestANewerVersionIsMergedWithWhatWasSettled(t *testing.T) {
	d := draft(t, `{"a":1,"b":1}`, `{"a":2,"b":1}`, `{"a":3,"b":1}`)
	if _, err := d.SettleBelow(nil, resolve.Ours); err != nil {
		t.Fatal(err)
	}
	again := func(theirs string) *resolve.Draft {
		parts := d.Parts()
		parts[0].Theirs = value(t, theirs)
		next, err := resolve.New(parts, nil)
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	if next := again(`{"a":3,"b":9}`); len(next.Open()) != 0 || result(t, next) != `{"a":2,"b":9}` {
		t.Errorf("open %v, %s", next.Open(), result(t, next))
	}
	if next := again(`{"a":4,"b":1}`); len(next.Open()) != 1 || text(next.Open()[0].Base) != `3` || text(next.Open()[0].Ours) != `2` {
		t.Errorf("open %v", next.Open())
	}
}

func values() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string { return anyValue(t, 3) })
}

func anyValue(t *rapid.T, depth int) string {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		return rapid.SampledFrom([]string{"1", "2", `"s"`, "null", "[1]", "[1,2]"}).Draw(t, "value")
	}
	var members []string
	for _, name := range []string{"a", "b", "c/d~", "é\\n"} {
		if rapid.Bool().Draw(t, "has "+name) {
			members = append(members, fmt.Sprintf(`"%s":%s`, name, anyValue(t, depth-1)))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// TestAllOursAndAllTheirsAreMerges: settled with one side alone the outcome is what a merge makes that prefers that side.
func TestAllOursAndAllTheirsAreMerges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		base, ours, theirs := values().Draw(rt, "base"), values().Draw(rt, "ours"), values().Draw(rt, "theirs")
		for side, prefer := range map[resolve.Side]merge.Side{resolve.Ours: merge.ClientSide, resolve.Theirs: merge.ServerSide} {
			d := draft(t, base, ours, theirs)
			if _, err := d.SettleBelow(nil, side); err != nil {
				rt.Fatal(err)
			}
			want, _ := merge.Merge(value(t, base), value(t, ours), value(t, theirs), nil, pointer(t, "/documents/x"), prefer)
			got := value(t, theirs)
			if results := d.Results(); len(results) > 0 {
				got = results[0].Value
			}
			if !jsonvalue.Equal(got, want) || len(d.Open()) != 0 {
				rt.Fatalf("%s: %s, want %s", side, text(got), text(want))
			}
		}
	})
}

// TestAFileIsReadAsItWasWritten: it names every place, open, and with a result filled in the place is settled with it.
func TestAFileIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := draft(t, values().Draw(rt, "base"), values().Draw(rt, "ours"), values().Draw(rt, "theirs"))
		open := d.Open()
		file, err := resolve.Render([]string{"one", "", "== two"}, open)
		if err != nil {
			rt.Fatal(err)
		}
		answers, err := resolve.Parse(file)
		if err != nil || len(answers) != len(open) {
			rt.Fatalf("%v, %v: %s", answers, err, file)
		}
		for i, a := range answers {
			if a.Path != open[i].Path || !a.Open {
				rt.Fatalf("%+v, want %s", a, open[i].Path)
			}
		}
		if err := d.Take(answers); err != nil || len(d.Open()) != len(open) {
			rt.Fatalf("a file as it was written settles %d, %v", len(open)-len(d.Open()), err)
		}
		result := values().Draw(rt, "result")
		answers, err = resolve.Parse([]byte(strings.ReplaceAll(string(file), "-- result\n?", "-- result\n"+result)))
		if err != nil || d.Take(answers) != nil || len(d.Open()) != 0 {
			rt.Fatalf("%v: %s", err, file)
		}
		for _, a := range answers {
			if text(a.Value) != text(value(t, result)) {
				rt.Fatalf("%s became %s", result, text(a.Value))
			}
		}
	})
}
