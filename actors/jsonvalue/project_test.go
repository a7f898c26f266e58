package jsonvalue

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestProject(t *testing.T) {
	const doc = `{"id":7,"title":"Blue","tracks":[{"no":1,"name":"So What"},{"name":"Freddie"},{"no":3},"?",[5]],
		"label":{"name":"Columbia","no":8163},"*":"star"}`
	for name, row := range map[string]struct{ paths, want string }{
		"one":                           {"/title", `{"title":"Blue"}`},
		"two, in the order of the text": {"/title /id", `{"id":7,"title":"Blue"}`},
		"deep":                          {"/label/no", `{"label":{"no":8163}}`},
		"whole subtree":                 {"/label", `{"label":{"name":"Columbia","no":8163}}`},
		"whole beats part":              {"/label/no /label", `{"label":{"name":"Columbia","no":8163}}`},
		"each element":                  {"/tracks/*/no", `{"tracks":[{"no":1},{},{"no":3},[]]}`},
		"one element":                   {"/tracks/1", `{"tracks":[{"name":"Freddie"}]}`},
		"each member":                   {"/*/no", `{"tracks":[],"label":{"no":8163}}`},
		"star and name":                 {"/*/no /label/name", `{"tracks":[],"label":{"name":"Columbia","no":8163}}`},
		"member called star":            {"/*", doc},
		"missing member":                {"/year", `{}`},
		"missing below":                 {"/label/year", `{"label":{}}`},
		"into a scalar":                 {"/title/x", `{}`},
		"no path":                       {"-", `{}`},
		"the root":                      {"", doc},
	} {
		t.Run(name, func(t *testing.T) {
			var paths []Pointer
			for text := range strings.SplitSeq(row.paths, " ") {
				if text == "-" {
					continue
				}
				p, err := ParsePointer(text)
				if err != nil {
					t.Fatal(err)
				}
				paths = append(paths, p)
			}
			got := Project(mustParse(t, doc), paths)
			if want := mustParse(t, row.want); string(got.Text()) != string(want.Text()) {
				t.Errorf("%s, want %s", got.Text(), want.Text())
			}
		})
	}
	if got := Project(NewNull(), []Pointer{{"a"}}); got != nil {
		t.Errorf("of a scalar: %s", got.Text())
	}
}

func TestProjectLaws(t *testing.T) {
	tokens := rapid.SampledFrom([]string{"a", "b", "", "*"})
	drawnPaths := rapid.SliceOfN(rapid.Map(rapid.SliceOfN(tokens, 0, 3), func(p []string) Pointer { return p }), 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		v := drawnTree.Draw(t, "value")
		paths := drawnPaths.Draw(t, "paths")
		before := string(v.Text())
		got := Project(v, paths)
		if string(v.Text()) != before {
			t.Fatal("Project wrote through its input")
		}
		if got == nil {
			return
		}
		if again := Project(got, paths); again == nil || !Equal(again, got) {
			t.Fatalf("%s twice with %q is not once", before, paths)
		}
		for _, p := range paths {
			if want, ok := v.At(p); ok && strings.Trim(strings.Join(p, ""), "ab") == "" {
				if at, ok := got.At(p); !ok || !Equal(at, want) {
					t.Fatalf("%s lost %q", before, p)
				}
			}
		}
	})
}
