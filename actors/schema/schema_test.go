package schema

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"concord/actors/jsonvalue"
)

func parse(t testing.TB, text string) *jsonvalue.Value {
	t.Helper()
	v, err := jsonvalue.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%.100s: %v", text, err)
	}
	return v
}

func compile(t testing.TB, text string) *Schema {
	t.Helper()
	s, err := Compile(parse(t, text))
	if err != nil {
		t.Fatalf("%.200s: %v", text, err)
	}
	return s
}

// lines are the violations as text, one a line: path and message.
func lines(s *Schema, v *jsonvalue.Value, at string) []string {
	var text []string
	for _, violation := range s.Check(v, at) {
		text = append(text, violation.Path+" "+violation.Message)
	}
	return text
}

// recordSchema is for the metadata of a bibliographic record.
const recordSchema = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"$id": "https://catalogue.example/schemas/record",
	"title": "Bibliographic record",
	"type": "object",
	"required": ["title", "language", "contributors"],
	"properties": {
		"title": {"type": "string", "minLength": 1, "maxLength": 300},
		"language": {"enum": ["eng", "fre", "ger"]},
		"year": {"type": "integer", "minimum": 1400, "maximum": 2100},
		"price": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01},
		"isbn": {"type": "string", "pattern": "^97[89][0-9]{10}$", "format": "isbn"},
		"subjects": {"type": "array", "items": {"$ref": "#heading"}, "uniqueItems": true, "maxItems": 5},
		"contributors": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/person"},
			"contains": {"properties": {"role": {"const": "author"}}, "required": ["role"]}},
		"parent": {"$ref": "https://catalogue.example/schemas/record"},
		"uri": {"anyOf": [{"type": "null"}, {"type": "string", "pattern": "^https?://"}]},
		"extent": {"oneOf": [{"type": "integer"}, {"type": "number", "minimum": 10}]},
		"series": {"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}, "minProperties": 1},
		"notes": {"type": "object", "patternProperties": {"^5[0-9]{2}$": {"type": "string"}}, "additionalProperties": false}
	},
	"dependentRequired": {"isbn": ["year"]},
	"if": {"properties": {"format": {"const": "video"}}, "required": ["format"]},
	"then": {"required": ["minutes"]},
	"unevaluatedProperties": {"type": ["string", "integer"]},
	"$defs": {
		"heading": {"$anchor": "heading", "type": "string", "not": {"const": "Unknown"}},
		"person": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "role": true, "died": false}}
	}
}`

func TestViolationsOfARecord(t *testing.T) {
	s := compile(t, recordSchema)
	record := func(more string) string {
		return `{"title":"Kind of Blue","language":"eng","contributors":[{"name":"Davis, Miles","role":"author"}]` + more + `}`
	}
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"a record that fits": {record(`,"year":1959.0,"price":12.50,"isbn":"9780306810213","subjects":["Jazz","Modal jazz"],"uri":null,
			"parent":` + record(``) + `,"notes":{"500":"Sextet"},"shelf":"J 12"`), nil},
		"no object":                {`[]`, []string{" must be object"}},
		"members that are missing": {`{}`, []string{"/contributors is required", "/language is required", "/title is required"}},
		"wrong type":               {record(`,"year":"1959"`), []string{"/year must be integer"}},
		"no integer":               {record(`,"year":1959.5`), []string{"/year must be integer"}},
		"too early and too late": {record(`,"year":1399,"parent":` + record(`,"year":2100.5e0`)),
			[]string{"/parent/year must be integer", "/year must be at least 1400"}},
		"price": {record(`,"price":0.015`), []string{"/price must be a multiple of 0.01"}},
		"price and isbn": {record(`,"price":0,"isbn":"978"`),
			[]string{"/isbn does not match ^97[89][0-9]{10}$", "/price must be more than 0", "/year is required, since there is isbn"}},
		"language":       {record(`,"parent":` + strings.Replace(record(``), "eng", "dut", 1)), []string{"/parent/language is none of the 3 values that are allowed"}},
		"empty title":    {`{"title":"","language":"eng","contributors":[]}`, []string{"/contributors has no element of the kind that it must contain", "/contributors must have at least 1 elements", "/title must have at least 1 characters"}},
		"equal subjects": {record(`,"subjects":["Jazz","Blues","\u004aazz"]`), []string{"/subjects must not have equal elements, such as 0 and 2"}},
		"a subject that is not allowed, by an anchor": {record(`,"subjects":["Unknown"]`), []string{"/subjects/0 fits what it must not fit"}},
		"too many subjects":                           {record(`,"subjects":["1","2","3","4","5","6"]`), []string{"/subjects must have at most 5 elements"}},
		"a contributor without a name":                {strings.Replace(record(``), "name", "nom", 1), []string{"/contributors/0/name is required"}},
		"a member that must not be there":             {strings.Replace(record(``), `"role"`, `"died":1991,"role"`, 1), []string{"/contributors/0/died is not allowed here"}},
		"no alternative":                              {record(`,"uri":7`), []string{"/uri fits none of the 2 alternatives"}},
		"the alternative for strings":                 {record(`,"uri":"x"`), []string{"/uri does not match ^https?://"}},
		"two alternatives":                            {record(`,"extent":10`), []string{"/extent fits alternatives 0 and 1, of which only one is allowed"}},
		"the same of 10.0 and 1e1":                    {record(`,"extent":1e1`), []string{"/extent fits alternatives 0 and 1, of which only one is allowed"}},
		"a name, and siblings after it": {record(`,"parent":` + record(`,"series":{"Upper":1,"lower":{},"a/b~c":0},"uri":null,"year":1950`)),
			[]string{"/parent/series/Upper has a name that is not allowed", "/parent/series/a~1b~0c has a name that is not allowed"}},
		"no member":              {record(`,"series":{}`), []string{"/series must have at least 1 members"}},
		"additional":             {record(`,"notes":{"500":1,"600":"x"}`), []string{"/notes/500 must be string", "/notes/600 is not allowed here"}},
		"unevaluated":            {record(`,"extra":{}`), []string{"/extra must be integer or string"}},
		"then":                   {record(`,"format":"video"`), []string{"/minutes is required"}},
		"format is not asserted": {record(`,"isbn":"9790306810213","year":1`), []string{"/year must be at least 1400"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, lines(s, parse(t, test.text), "")); diff != "" {
				t.Error(diff)
			}
			for i := range test.want {
				test.want[i] = "/documents/blue" + test.want[i]
			}
			if diff := cmp.Diff(test.want, lines(s, parse(t, test.text), "/documents/blue")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNumbersAreExact(t *testing.T) {
	for _, test := range []struct {
		schema, value string
		fits          bool
	}{
		{`{"const":9007199254740993}`, `9007199254740993`, true},
		{`{"const":9007199254740993}`, `9007199254740992`, false},
		{`{"maximum":9007199254740992}`, `9007199254740993`, false},
		{`{"enum":[9007199254740993,"x"]}`, `9007199254740992`, false},
		{`{"const":1}`, `1.0`, true},
		{`{"const":[{"a":1.50}]}`, `[{"a":15e-1}]`, true},
		{`{"enum":[1.0]}`, `1`, true},
		{`{"const":true}`, `1`, false},
		{`{"const":0}`, `-0.0`, true},
		{`{"type":"integer"}`, `1.0`, true},
		{`{"type":"integer"}`, `1e400`, true},
		{`{"type":"integer"}`, `1.5`, false},
		{`{"type":"integer"}`, `15e-1`, false},
		{`{"multipleOf":0.1}`, `0.3`, true},
		{`{"multipleOf":1e-400}`, `0.3`, true},
		{`{"exclusiveMinimum":0.1}`, `0.1000000000000000000000000000000000000001`, true},
		{`{"uniqueItems":true}`, `[1,true,"1",[1],{"1":1}]`, true},
		{`{"uniqueItems":true}`, `[9007199254740993,9007199254740992]`, true},
		{`{"uniqueItems":true}`, `[10,1e1]`, false},
		{`{"uniqueItems":true}`, `[-0,0.0]`, false},
		{`{"uniqueItems":true}`, `[{"a":[1],"b":2},{"b":2.0,"a":[1.0]}]`, false},
		{`{"uniqueItems":true}`, `[["a","b"],["a\",\"b"]]`, true},
	} {
		if got := compile(t, test.schema).Check(parse(t, test.value), ""); (len(got) == 0) != test.fits {
			t.Errorf("%s under %s: %v", test.value, test.schema, got)
		}
	}
}

func TestCompileNamesThePlace(t *testing.T) {
	for text, want := range map[string]string{
		`7`:                            " must be an object, true or false",
		`{"type":"text"}`:              "/type is none of the 7 values that are allowed",
		`{"type":["string","string"]}`: "/type fits none of the 2 alternatives",
		`{"properties":{"a/b":{"minLength":-1}}}`:                    "/properties/a~1b/minLength must be at least 0",
		`{"properties":{"y":{"items":[{}]}}}`:                        "/properties/y/items must be boolean or object",
		`{"required":"title"}`:                                       "/required must be array",
		`{"allOf":[]}`:                                               "/allOf must have at least 1 elements",
		`{"pattern":"(?=x)"}`:                                        "/pattern is no regular expression of RE2",
		`{"patternProperties":{"(":true}}`:                           "/patternProperties/( is no regular expression of RE2",
		`{"$schema":"http://json-schema.org/draft-07/schema#"}`:      "/$schema must be https://json-schema.org/draft/2020-12/schema",
		`{"items":{"$schema":"file:///etc/passwd"}}`:                 "/items/$schema must be https://json-schema.org/draft/2020-12/schema",
		`{"$ref":"file:///etc/passwd"}`:                              "/$ref must be a place in this schema, and begin with #",
		`{"$ref":"https://json-schema.org/draft/2020-12/schema"}`:    "/$ref must be a place in this schema, and begin with #",
		`{"$ref":"other.json"}`:                                      "/$ref must be a place in this schema, and begin with #",
		`{"items":{"$dynamicRef":"http://a/#x"}}`:                    "/items/$dynamicRef must be a place in this schema, and begin with #",
		`{"items":{"$ref":"#/$defs/a"}}`:                             "/items/$ref names no schema in this schema",
		`{"items":{"$ref":"#a"},"title":"a"}`:                        "/items/$ref names no schema in this schema",
		`{"items":{"$ref":"#/x"},"x":{}}`:                            "/items/$ref names no schema in this schema",
		`{"$ref":"#%"}`:                                              "/$ref must be percent-encoded",
		`{"$id":"http://a/b","items":{"$id":"c"}}`:                   "/items/$id must be a URL, and only the whole schema may have one",
		`{"items":{"$vocabulary":{"x":true}}}`:                       "/items/$vocabulary is for schemas of schemas only",
		`{"$id":":"}`:                                                "/$id must be a URL, and only the whole schema may have one",
		`{"$defs":{"a":{"$anchor":"x"},"b":{"$dynamicAnchor":"x"}}}`: "/$defs/b/$dynamicAnchor names two places",
	} {
		_, err := Compile(parse(t, text))
		refused, ok := errors.AsType[*Error](err)
		if !ok {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := refused.Path + " " + refused.Reason; got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

func TestWhatNamesNothingOutsideIsTaken(t *testing.T) {
	for _, text := range []string{
		`true`, `false`, `{}`,
		`{"$id":"file:///etc/passwd","items":{"$ref":"#"}}`,
		`{"$id":"urn:isbn:9780306810213","items":{"$ref":"urn:isbn:9780306810213#"}}`,
		`{"$id":"https://json-schema.org/draft/2020-12/schema","items":{"$ref":"#/$defs/a"},"$defs":{"a":{}}}`,
		`{"properties":{"$ref":{"const":{"$ref":"http://a/","$id":7,"$schema":"x"}},"$id":{},"$schema":true}}`,
		`{"$defs":{"a b%":{"type":"string"}},"items":{"$ref":"#/$defs/a%20b%25"}}`,
		`{"$dynamicAnchor":"node","properties":{"next":{"$dynamicRef":"#node"}}}`,
		`{"unknown":{"$ref":"http://a/"},"default":1}`,
	} {
		compile(t, text)
	}
}
