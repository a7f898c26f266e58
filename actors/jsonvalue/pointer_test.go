package jsonvalue

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsePointer(t *testing.T) {
	for text, want := range map[string]Pointer{
		"":            {},
		"/":           {""},
		"//":          {"", ""},
		"/a/b":        {"a", "b"},
		"/a~1b/m~0n":  {"a/b", "m~n"},
		"/~01":        {"~1"},
		"/~10":        {"/0"},
		"/ /\"\\/é/%": {" ", "\"\\", "é", "%"},
	} {
		got, err := ParsePointer(text)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v, -want +got:\n%s", text, err, diff)
		}
		if got.String() != text {
			t.Errorf("%q became %q", text, got.String())
		}
	}
	for _, text := range []string{"a", "a/b", "#/a", "/~", "/~2", "/a~/b", "/\xff", " /a"} {
		if got, err := ParsePointer(text); err == nil {
			t.Errorf("%q: %q, no error", text, got)
		}
	}
}

// TestAt has the example of RFC 6901, section 5, and what the section does not show.
func TestAt(t *testing.T) {
	v := mustParse(t, `{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8,
		"deep":{"":{"":[[9]]}},"-":10,"01":11}`)
	for text, want := range map[string]string{
		"":                          string(v.Text()),
		"/foo":                      `["bar","baz"]`,
		"/foo/0":                    `"bar"`,
		"/":                         `0`,
		"/a~1b":                     `1`,
		"/c%d":                      `2`,
		"/e^f":                      `3`,
		"/g|h":                      `4`,
		`/i\j`:                      `5`,
		`/k"l`:                      `6`,
		"/ ":                        `7`,
		"/m~0n":                     `8`,
		"/deep///0/0":               `9`,
		"/-":                        `10`,
		"/01":                       `11`,
		"/foo/2":                    "",
		"/foo/-":                    "",
		"/foo/00":                   "",
		"/foo/01":                   "",
		"/foo/-1":                   "",
		"/foo/+1":                   "",
		"/foo/1e0":                  "",
		"/foo/ 1":                   "",
		"/foo/":                     "",
		"/foo/0/0":                  "",
		"/missing":                  "",
		"/missing/more":             "",
		"/foo/4294967296":           "",
		"/foo/18446744073709551616": "",
	} {
		p, err := ParsePointer(text)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := v.At(p)
		if ok != (want != "") || ok && string(got.Text()) != want {
			t.Errorf("%q: %v, %v, want %s", text, got, ok, want)
		}
	}
	var missing *Value
	if _, ok := missing.At(nil); ok {
		t.Error("something is in a missing value")
	}
}
