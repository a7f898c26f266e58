package resolve_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"concord/actors/jsonvalue"
	"concord/cmd/concord/internal/resolve"
)

func TestTheFileShowsThreeSides(t *testing.T) {
	d, err := resolve.New([]resolve.Part{
		{Document: "x", Base: value(t, `{"a":{"n":1}}`), Ours: value(t, `{"a":[1.0,{}]}`), Theirs: value(t, `{}`)},
		{Document: "line\nbreak", Base: value(t, `1`), Ours: value(t, `"\u009b31m"`), Theirs: value(t, "\"\u009b\"")},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := resolve.Render([]string{"Settle it.", ""}, d.Open())
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/three-sides.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the file is\n%s", got)
	}
}

func TestAFileThatWouldBeTooLong(t *testing.T) {
	long := `"` + strings.Repeat("x", resolve.FileMaxBytes/2) + `"`
	d := draft(t, `1`, `2`, long)
	if _, err := resolve.Render(nil, d.Open()); err != nil {
		t.Errorf("half of it: %v", err)
	}
	d = draft(t, `1`, long[:len(long)-1]+`y"`, long)
	if _, err := resolve.Render(nil, d.Open()); !errors.Is(err, resolve.ErrTooLong) {
		t.Errorf("%v", err)
	}
	if _, err := resolve.Parse(make([]byte, resolve.FileMaxBytes+1)); err == nil {
		t.Error("it was read")
	}
}

func TestWhatAResultSays(t *testing.T) {
	for name, row := range map[string]struct{ result, want string }{
		"left as it is":           {"?", "theirs"},
		"nothing":                 {"", "theirs"},
		"ours":                    {"ours", `{"a":2}`},
		"base, with blanks":       {"  base \n\n", `{"a":1}`},
		"theirs, as on Windows":   {"theirs\r", "theirs"},
		"gone":                    {"remove", `{}`},
		"a value":                 {`"both"`, `{"a":"both"}`},
		"on several lines":        {"[\n\n  1,\n# not 2\n  -3\n]", `{"a":[1,-3]}`},
		"a word that is a string": {`"ours"`, `{"a":"ours"}`},
		"null is a value":         {"null", `{"a":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			d := draft(t, `{"a":1}`, `{"a":2}`, `{"a":3}`)
			answers, err := resolve.Parse([]byte("== /documents/x/a\n-- base\n1\n-- result\n" + row.result + "\n"))
			if err == nil {
				err = d.Take(answers)
			}
			if got := result(t, d); err != nil || got != row.want {
				t.Errorf("%s, %v; want %s", got, err, row.want)
			}
		})
	}
}

func TestFilesThatCannotBeUnderstood(t *testing.T) {
	for name, row := range map[string]struct{ file, want string }{
		"text before the first place":  {"hello\n", `line 1: stands outside of a place`},
		"no path":                      {"==\n-- result\nours\n== a/b\n", `line 4: there is no path after the mark`},
		"a path that is half a string": {"== \"/a\n", `line 1: the path is no JSON string`},
		"a place twice":                {"== /a\n== /a\n", `line 2: the path is in the file twice`},
		"a side of its own":            {"== /a\n-- mine\n", `line 2: "mine" is neither base, ours, theirs nor result`},
		"a side without a place":       {"-- base\n", `line 1: stands in no place`},
		"a side after the result":      {"== /a\n-- result\n-- base\n", `line 3: the result is the last of a place`},
		"two results":                  {"== /a\n-- result\n?\n-- result\n?\n", `line 4: the result is the last of a place`},
		"no JSON":                      {"== /a\n-- result\nmine\n", `line 2: the result is neither ours, theirs, base, remove nor JSON`},
		"two values":                   {"== /a\n-- result\n1\n2\n", `line 2: the result is neither`},
		"a name twice":                 {"== /a\n-- result\n{\"a\":1,\"a\":1}\n", `line 2: the result is neither`},
		"bytes":                        {"== /a\n-- base\n\xff\n", `line 3: is not UTF-8`},
		"a conflict that there is not": {"== /documents/x/b\n-- result\nours\n", `line 1: there is no such conflict`},
	} {
		t.Run(name, func(t *testing.T) {
			answers, err := resolve.Parse([]byte(row.file))
			if err == nil {
				err = draft(t, `{"a":1}`, `{"a":2}`, `{"a":3}`).Take(answers)
			}
			_, known := errors.AsType[*resolve.LineError](err)
			if err == nil || !known || !strings.HasPrefix(err.Error(), row.want) {
				t.Errorf("%v, want %s", err, row.want)
			}
		})
	}
}

// FuzzParse: every text is read or refused by its line. What is read names each path once, and its values are JSON.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "# nothing\n", "== /a\n-- base\n1\n-- ours\n2\n-- theirs\n(nothing)\n-- result\nours\n",
		"== \"/a\\n\"\n-- result\n{\n  \"x\": [1]\n}\n\n== /b\n-- result\n?\n", "== /a\r\n-- result\r\nremove\r\n", "==\n", "--\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		answers, err := resolve.Parse(file)
		if err != nil {
			if _, known := errors.AsType[*resolve.LineError](err); !known || len(answers) > 0 {
				t.Fatalf("%v: %v", err, answers)
			}
			return
		}
		seen := make(map[string]bool)
		for _, a := range answers {
			if _, err := jsonvalue.ParsePointer(a.Path); err != nil || seen[a.Path] || a.Line < 1 {
				t.Fatalf("%+v", a)
			}
			seen[a.Path] = true
			if a.Value != nil {
				if _, err := jsonvalue.Check(a.Value.Text()); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
