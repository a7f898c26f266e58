package jsonvalue

import (
	"testing"
)

func TestTextKeepsTheSpelling(t *testing.T) {
	for _, row := range [][2]string{
		{" { \"a\" : [ 1.0 , 1E2 , -0 ] } ", `{"a":[1.0,1E2,-0]}`},
		{`{"b":1,"a":2}`, `{"b":1,"a":2}`},
		{`["\u0041\/","é"]`, `["\u0041\/","é"]`},
		{`{"caf\u00e9\/":null}`, `{"café/":null}`},
		{`{"\"\\\b\f\n\r\t\u0001\u007f":{}}`, "{\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7f\":{}}"},
		{`[true,false,null,[],{}]`, `[true,false,null,[],{}]`},
		{"[1e999999999999999999999,\n0.10,\"\"]", `[1e999999999999999999999,0.10,""]`},
	} {
		text, want := row[0], row[1]
		v := mustParse(t, text)
		if got := string(v.Text()); got != want || v.Size() != len(want) {
			t.Errorf("%s: %s (size %d), want %s", text, got, v.Size(), want)
		}
	}
}

func TestParseCopiesItsInput(t *testing.T) {
	text := []byte(`{"name":"value"}`)
	v, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	clear(text)
	if got := string(v.Text()); got != `{"name":"value"}` {
		t.Errorf("value became %s", got)
	}
}

func TestAccessors(t *testing.T) {
	v := mustParse(t, `{"n":null,"t":true,"f":false,"d":1.50,"s":"a\u0062c","l":[1,2],"o":{"x":1}}`)
	get := func(name string) *Value {
		member, ok := v.Get(name)
		if !ok {
			t.Fatalf("no member %q", name)
		}
		return member
	}
	for name, kind := range map[string]Kind{
		"n": Null, "t": Bool, "f": Bool, "d": Number, "s": String, "l": Array, "o": Object,
	} {
		if got := get(name).Kind(); got != kind {
			t.Errorf("%s: %v, want %v", name, got, kind)
		}
	}
	if !get("t").Bool() || get("f").Bool() || get("n").Bool() {
		t.Error("booleans differ")
	}
	if got := get("s").Str(); got != "abc" || get("d").Str() != "" {
		t.Errorf("string is %q", got)
	}
	for name, literal := range map[string]string{"n": "null", "t": "true", "d": "1.50", "s": `"a\u0062c"`, "l": ""} {
		if got := get(name).Literal(); got != literal {
			t.Errorf("%s: literal %q, want %q", name, got, literal)
		}
	}
	if v.Len() != 7 || get("l").Len() != 2 || get("s").Len() != 0 {
		t.Error("lengths differ")
	}
	if _, ok := v.Get("missing"); ok {
		t.Error("missing is null")
	}
	if _, ok := get("l").Get("0"); ok {
		t.Error("an array has members")
	}
	if len(v.Members()) != 7 || v.Elements() != nil || len(get("l").Elements()) != 2 {
		t.Error("members or elements differ")
	}
	if v.Depth() != 2 || get("n").Depth() != 0 {
		t.Errorf("depth %d", v.Depth())
	}
	if got := (&Value{}); !Equal(got, NewNull()) || string(got.Text()) != "null" {
		t.Errorf("the zero Value is %s", got.Text())
	}
}

func TestConstructors(t *testing.T) {
	one, err := NewNumber("1")
	if err != nil {
		t.Fatal(err)
	}
	for want, v := range map[string]*Value{
		`null`:             NewNull(),
		`true`:             NewBool(true),
		`"a\"\n\u001f/é"`:  NewString("a\"\n\x1f/é"),
		`"\\"`:             NewString(`\`),
		"\"\uFFFDx\"":      NewString("\xff\xfex"),
		`[]`:               NewArray(),
		`[1,null]`:         NewArray(one, nil, NewNull()),
		`{}`:               NewObject(),
		`{"a":null,"b":1}`: NewObject(Member{"a", one}, Member{"b", one}, Member{"c", nil}, Member{"a", NewNull()}),
		"{\"\uFFFD\":1}":   NewObject(Member{"\xff", one}),
	} {
		if got := string(v.Text()); got != want || !Equal(v, mustParse(t, want)) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := NewString("a\"\n").Str(); got != "a\"\n" {
		t.Errorf("string is %q", got)
	}
}

func TestWithAndWithout(t *testing.T) {
	v := mustParse(t, `{"a":1,"b":2,"c":3}`)
	null := NewNull()
	for name, row := range map[string]struct {
		got  *Value
		want string
	}{
		"in its place":          {With(v, "b", null), `{"a":1,"b":null,"c":3}`},
		"at the end":            {With(v, "d", null), `{"a":1,"b":2,"c":3,"d":null}`},
		"missing child":         {With(v, "a", nil), `{"b":2,"c":3}`},
		"onto a missing object": {With(nil, "a", null), `{"a":null}`},
		"onto an array":         {With(NewArray(null), "a", null), `{"a":null}`},
		"without the first":     {Without(v, "a"), `{"b":2,"c":3}`},
		"without the last":      {Without(v, "c"), `{"a":1,"b":2}`},
		"without from an array": {Without(NewArray(null), "a"), `{}`},
		"without from nothing":  {Without(nil, "a"), `{}`},
	} {
		if got := string(row.got.Text()); got != row.want {
			t.Errorf("%s: %s, want %s", name, got, row.want)
		}
	}
	if Without(v, "x") != v {
		t.Error("a new object though nothing changed")
	}
	if got := string(v.Text()); got != `{"a":1,"b":2,"c":3}` {
		t.Errorf("input became %s", got)
	}
}

// TestSlicesAreClipped: an append to what an accessor returned must not reach the value.
func TestSlicesAreClipped(t *testing.T) {
	v := With(With(nil, "a", NewNull()), "b", NewNull())
	_ = append(v.Members()[:1:1], Member{"x", NewNull()})
	w := With(v, "c", NewNull())
	_ = append(v.Members(), Member{"y", NewNull()})
	if got := string(w.Text()); got != `{"a":null,"b":null,"c":null}` {
		t.Errorf("value became %s", got)
	}
}

func TestEqualOfMissing(t *testing.T) {
	if !Equal(nil, nil) || Equal(nil, NewNull()) || Equal(NewNull(), nil) {
		t.Error("missing is not like null, and is like missing")
	}
}

func TestKindString(t *testing.T) {
	if Null.String() != "null" || Object.String() != "object" {
		t.Error("kinds have other names")
	}
}
