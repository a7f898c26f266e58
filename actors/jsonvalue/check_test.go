package jsonvalue

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func nested(depth int, inner string) string {
	return strings.Repeat("[", depth) + inner + strings.Repeat("]", depth)
}

func TestCheckAccepts(t *testing.T) {
	for name, text := range map[string]string{
		"null":                       `null`,
		"booleans":                   `[true,false]`,
		"white space everywhere":     " \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n",
		"empty containers":           `[{},[],[ ],{ }]`,
		"all escapes":                `"\"\\\/\b\f\n\r\t\u0041\ud83d\ude00"`,
		"escaped NUL":                `"\u0000"`,
		"DEL is no control here":     "\"\x7f\"",
		"U+FFFD is a letter":         "\"\uFFFD\"",
		"a noncharacter is one too":  "\"\uFFFF\"",
		"numbers":                    `[0,-0,10,-1.50,1e5,1E+5,1e-05,0.0e0]`,
		"huge exponent":              `1e999999999999999999999999`,
		"empty member name":          `{"":1}`,
		"names that differ in case":  `{"a":1,"A":2}`,
		"same name on two levels":    `{"a":{"a":{"a":1}}}`,
		"same name in two elements":  `[{"a":1},{"a":1}]`,
		"as deep as may be":          nested(MaxDepth, "1"),
		"composed is not decomposed": "{\"\u00e9\":1,\"e\u0301\":2}",
	} {
		t.Run(name, func(t *testing.T) {
			hash, err := Check([]byte(text))
			if err != nil {
				t.Fatalf("Check(%q): %v", text, err)
			}
			if parsed := mustParse(t, text).Hash(); parsed != hash {
				t.Errorf("hash %x, of the tree %x", hash, parsed)
			}
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	wide := func(last string) string {
		var b strings.Builder
		b.WriteString(`{"w":{`)
		for i := range 100 {
			b.WriteString(`"` + indexToken(i) + `":0,`)
		}
		b.WriteString(last + `}}`)
		return b.String()
	}
	for name, row := range map[string]struct {
		text string
		want SyntaxError
	}{
		"nothing":                       {``, SyntaxError{"", 0, reasonEnd}},
		"white space":                   {"  ", SyntaxError{"", 2, reasonEnd}},
		"byte order mark":               {"\uFEFF1", SyntaxError{"", 0, reasonCharacter}},
		"two values":                    {`1 2`, SyntaxError{"", 2, reasonTrailing}},
		"closed twice":                  {`{}}`, SyntaxError{"", 2, reasonTrailing}},
		"half a word":                   {`[tru]`, SyntaxError{"/0", 4, reasonCharacter}},
		"word in capitals":              {`True`, SyntaxError{"", 0, reasonCharacter}},
		"word that ends":                {`nul`, SyntaxError{"", 3, reasonEnd}},
		"not a number":                  {`NaN`, SyntaxError{"", 0, reasonCharacter}},
		"leading zero":                  {`[1,02]`, SyntaxError{"", 4, reasonCharacter}},
		"plus":                          {`+1`, SyntaxError{"", 0, reasonCharacter}},
		"bare minus":                    {`-`, SyntaxError{"", 1, reasonEnd}},
		"no digit after the point":      {`1.e5`, SyntaxError{"", 2, reasonCharacter}},
		"no digit before the point":     {`.5`, SyntaxError{"", 0, reasonCharacter}},
		"no digit in the exponent":      {`{"n":1e+}`, SyntaxError{"/n", 8, reasonCharacter}},
		"trailing comma in array":       {`[1,]`, SyntaxError{"/1", 3, reasonCharacter}},
		"trailing comma in object":      {`{"a":1,}`, SyntaxError{"", 7, reasonCharacter}},
		"unquoted name":                 {`{a:1}`, SyntaxError{"", 1, reasonCharacter}},
		"no colon":                      {`{"a" 1}`, SyntaxError{"", 5, reasonCharacter}},
		"comment":                       {`[1/**/]`, SyntaxError{"", 2, reasonCharacter}},
		"open array":                    {`{"a":[1`, SyntaxError{"/a", 7, reasonEnd}},
		"open string":                   {`["a`, SyntaxError{"/0", 3, reasonEnd}},
		"string that ends in backslash": {`"a\`, SyntaxError{"", 3, reasonEnd}},
		"line break in string":          {"[\"a\n\"]", SyntaxError{"/0", 3, reasonControl}},
		"unknown escape":                {`"\x41"`, SyntaxError{"", 1, reasonEscape}},
		"three hexadecimal digits":      {`"\u041"`, SyntaxError{"", 1, reasonEscape}},
		"lone high surrogate":           {`"a\ud83d"`, SyntaxError{"", 2, reasonSurrogate}},
		"lone low surrogate":            {`"\ude00"`, SyntaxError{"", 1, reasonSurrogate}},
		"two high surrogates":           {`"\ud83d\ud83d"`, SyntaxError{"", 1, reasonSurrogate}},
		"invalid UTF-8":                 {"{\"a\":\"12345678\xff\"}", SyntaxError{"/a", 14, reasonUTF8}},
		"overlong UTF-8":                {"\"\xc0\xaf\"", SyntaxError{"", 1, reasonUTF8}},
		"surrogate in UTF-8":            {"\"\xed\xa0\x80\"", SyntaxError{"", 1, reasonUTF8}},
		"UTF-8 cut by the quote":        {"[\"\xe2\x82\"]", SyntaxError{"/0", 2, reasonUTF8}},
		"invalid UTF-8 in a name":       {"{\"\xff\":1}", SyntaxError{"", 2, reasonUTF8}},
		"invalid UTF-8 outside":         {"[\xff]", SyntaxError{"/0", 1, reasonCharacter}},
		"duplicate":                     {`{"a":1,"b":{"c":1,"c":1}}`, SyntaxError{"/b/c", 18, reasonDuplicate}},
		"duplicate after unescaping":    {`{"a/b":1,"a\u002Fb":2}`, SyntaxError{"/a~1b", 9, reasonDuplicate}},
		"duplicate escaped twice":       {`{"\u0061":1,"\u0061":2}`, SyntaxError{"/a", 12, reasonDuplicate}},
		"duplicate empty name":          {`{"":1,"":1}`, SyntaxError{"/", 6, reasonDuplicate}},
		"duplicate in a wide object":    {wide(`"7":0`), SyntaxError{"/w/7", 696, reasonDuplicate}},
		"duplicate of the last":         {wide(`"z":0,"z":0`), SyntaxError{"/w/z", 702, reasonDuplicate}},
		"first of two duplicates":       {wide(`"9":0,"8":0`), SyntaxError{"/w/9", 696, reasonDuplicate}},
		"wide and escaped":              {wide(`"\u0031":0`), SyntaxError{"/w/1", 696, reasonDuplicate}},
		"one level too deep": {
			nested(MaxDepth+1, ""),
			SyntaxError{strings.Repeat("/0", MaxDepth), MaxDepth, reasonDepth},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Check([]byte(row.text))
			var got *SyntaxError
			if !errors.As(err, &got) {
				t.Fatalf("Check(%q): %v, want a SyntaxError", row.text, err)
			}
			if diff := cmp.Diff(row.want, *got); diff != "" {
				t.Errorf("Check(%q), -want +got:\n%s", row.text, diff)
			}
			_, err = Parse([]byte(row.text))
			var parsed *SyntaxError
			if !errors.As(err, &parsed) || *parsed != *got {
				t.Errorf("Parse says %v, Check %v", err, got)
			}
		})
	}
}

func TestSyntaxErrorIsBounded(t *testing.T) {
	name := strings.Repeat("n", errorPathMaxBytes)
	_, err := Check([]byte(`{"a":{"b":{"` + name + `":x}}}`))
	want := `unexpected character at "/a/b", byte 1038`
	if err == nil || err.Error() != want {
		t.Errorf("got %.200v, want %v", err, want)
	}
}

// TestHashIsKept guards the promise that a value keeps its hash.
func TestHashIsKept(t *testing.T) {
	for text, want := range map[string]Hash{
		`null`:                             0x9ae16a3b2f90404f,
		`0`:                                0x5662bcfe0eb2ba8c,
		`-12345678901234567890123.5e-7`:    0x3a503de78ca7fe0b,
		`1e123456789012345678901234567890`: 0x892de77876ebf3d9,
		`"jazz"`:                           0xc4ee42a44cef6f02,
		`[]`:                               0xc861027fd4de9ef9,
		`{}`:                               0xf94be04ac4ec1f42,
		`[1,[2],"3"]`:                      0x719b454fddc92702,
		`{"title":"Kind of Blue","tracks":[1,2]}`: 0x6e80743458d05532,
	} {
		got, err := Check([]byte(text))
		if err != nil || got != want {
			t.Errorf("%s: %#x, %v, want %#x", text, got, err, want)
		}
	}
}

func TestHashTellsApart(t *testing.T) {
	texts := []string{
		`null`, `true`, `false`, `0`, `1`, `-1`, `10`, `0.1`, `1e18`, `1e-18`, `""`, `"0"`, `"null"`,
		`[]`, `{}`, `[null]`, `[[]]`, `[{}]`, `[0]`, `[0,0]`, `[1,0]`, `[0,1]`, `[[0],1]`, `[0,[1]]`,
		`{"":null}`, `{"a":1}`, `{"a":"1"}`, `{"a":1,"b":2}`, `{"a":2,"b":1}`, `{"1":"a"}`,
		`{"a":{"b":2}}`, `1e1000000000000000000`, `1e-1000000000000000000`, `1e2000000000000000000`,
		`1234567890123456789`, `12345678901234567890`, `12345678901234567891`,
		`1234567890123456789000000000000000000001`,
	}
	seen := map[Hash]string{}
	for _, text := range texts {
		hash, err := Check([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[hash]; ok {
			t.Errorf("%s and %s have one hash", text, other)
		}
		seen[hash] = text
	}
}

func TestEqualText(t *testing.T) {
	for name, row := range map[string]struct {
		a, b string
		want bool
	}{
		"decimal and integer":       {`1`, `1.0`, true},
		"exponent":                  {`100`, `1e2`, true},
		"negative zero":             {`-0.0e7`, `0`, true},
		"beyond float64":            {`1e400`, `10e399`, true},
		"float64 would say equal":   {`9007199254740993`, `9007199254740992`, false},
		"a billion digits":          {`1e999999999`, `0.1e1000000000`, true},
		"one more":                  {`1e999999999`, `1e1000000000`, false},
		"true is not 1":             {`true`, `1`, false},
		"text is not number":        {`"1"`, `1`, false},
		"missing is not null":       {`{}`, `{"a":null}`, false},
		"order of members":          {`{"a":1,"b":[2]}`, `{"b":[2.0],"a":1}`, true},
		"order of elements":         {`[1,2]`, `[2,1]`, false},
		"escapes":                   {`"caf\u00e9\/"`, `"café/"`, true},
		"escaped name":              {`{"\u0061":1}`, `{"a":1}`, true},
		"emoji as surrogates":       {`"\ud83c\udfb7"`, `"🎷"`, true},
		"white space":               {` [ 1 ] `, `[1]`, true},
		"no normalisation of text":  {"\"\u00e9\"", "\"e\u0301\"", false},
		"white space in the string": {`" a"`, `"a"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := EqualText([]byte(row.a), []byte(row.b))
			if err != nil || got != row.want {
				t.Errorf("EqualText(%s, %s) = %v, %v, want %v", row.a, row.b, got, err, row.want)
			}
		})
	}
	for _, row := range [][2]string{{`[`, `1`}, {`1`, `[`}, {`[`, `[`}} {
		if _, err := EqualText([]byte(row[0]), []byte(row[1])); err == nil {
			t.Errorf("EqualText(%q, %q): no error", row[0], row[1])
		}
	}
}
