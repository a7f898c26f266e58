package schema

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"concord/actors/jsonvalue"
)

func repeat(n int, element string) string {
	return "[" + strings.TrimSuffix(strings.Repeat(element+",", n), ",") + "]"
}

// counted is a text made of what each gives for 0 to n-1, with commas between.
func counted(n int, each func(int) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = each(i)
	}
	return strings.Join(parts, ",")
}

// doubling has n definitions, of which each applies the next twice.
func doubling(n int) string {
	return `{"$ref":"#/$defs/0","$defs":{` + counted(n, func(i int) string {
		return fmt.Sprintf(`"%d":{"allOf":[{"$ref":"#/$defs/%d"},{"$ref":"#/$defs/%d"}]}`, i, i+1, i+1)
	}) + fmt.Sprintf(`,"%d":true}}`, n)
}

// chain has n definitions, of which each refers to the next.
func chain(n int) string {
	return `{"$ref":"#/$defs/0","$defs":{` + counted(n, func(i int) string {
		return fmt.Sprintf(`"%d":{"$ref":"#/$defs/%d"}`, i, i+1)
	}) + fmt.Sprintf(`,"%d":{"type":"string"}}}`, n)
}

// shapesOfArrays are at least n texts of nested empty arrays; all with as many brackets look alike to the library's hash.
func shapesOfArrays(n int) []string {
	of := [][]string{{""}}
	for size := 1; len(of[size-1]) < n; size++ {
		var all []string
		for first := range size {
			for _, in := range of[first] {
				for _, rest := range of[size-1-first] {
					if rest != "" {
						rest = "," + rest
					}
					all = append(all, "["+in+"]"+rest)
				}
			}
		}
		of = append(of, all)
	}
	shapes := of[len(of)-1]
	for i := range shapes {
		shapes[i] = "[" + shapes[i] + "]"
	}
	return shapes
}

func nestedIn(depth int, open, core, end string) string {
	return strings.Repeat(open, depth) + core + strings.Repeat(end, depth)
}

// Without its bound each of these schemas takes the library seconds, gigabytes or for ever.
func TestHostileSchemasAreRefused(t *testing.T) {
	for name, test := range map[string]struct{ text, path string }{
		"giant exponent":            {`{"properties":{"a":{"const":[1,1e9999999]}}}`, "/properties/a/const/1"},
		"giant negative exponent":   {`{"minimum":1e-99999999999999999999}`, "/minimum"},
		"thousands of digits":       {`{"multipleOf":` + strings.Repeat("7", 5000) + `}`, "/multipleOf"},
		"a count beyond an integer": {`{"maxLength":18446744073709551616}`, "/maxLength"},
		"itself":                    {`{"$ref":"#"}`, ""},
		"itself by allOf":           {`{"allOf":[{"anyOf":[true,{"$ref":"#/allOf/0"}]}]}`, "/allOf/0"},
		"itself by not and if":      {`{"not":{"if":{"$dynamicRef":"#a"}},"$dynamicAnchor":"a"}`, ""},
		"itself by dependents":      {`{"items":{"dependentSchemas":{"a":{"$ref":"#/items"}}}}`, "/items"},
		"itself by an old keyword":  {`{"dependencies":{"a":{"$recursiveRef":"#"}}}`, ""},
		"two to the 40th":           {doubling(40), "/$defs/28"},
		"too many in one list":      {`{"allOf":` + repeat(3_999, `{"allOf":[true,true,true]}`) + `}`, "/allOf/999/allOf/2"},
		"too many for one value":    {`{"$ref":"#/$defs/a","$defs":{"a":{"allOf":` + repeat(200, `{"$ref":"#/$defs/b"}`) + `},"b":{"allOf":` + repeat(100, `true`) + `}}}`, "/$defs/a"},
		"too many schemas":          {`{"$defs":{` + counted(5_000, func(i int) string { return `"` + strconv.Itoa(i) + `":{}` }) + `}}`, "/$defs/3999"},
		"too many values":           {`{"enum":` + repeat(30_000, "1") + `}`, ""},
		"names that collide":        {`{"required":[` + strings.Join(shapesOfArrays(16_000), ",") + `]}`, ""},
		"a long pattern":            {`{"pattern":"` + strings.Repeat("x", 1_001) + `"}`, "/pattern"},
		"a large program":           {`{"items":{"pattern":"(?:` + strings.Repeat("x", 900) + `){1000}"}}`, "/items/pattern"},
		"many large programs":       {`{"patternProperties":{` + counted(100, func(i int) string { return fmt.Sprintf(`"x{%d}":true`, 900+i) }) + `}}`, "/patternProperties/x{911}"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(parse(t, test.text))
			refused, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("refused with %v", err)
			}
			if refused.Path != test.path || len(refused.Reason) > 200 {
				t.Errorf("refused with %.300s", refused)
			}
		})
	}
}

const costly = " is too costly to check against the schema"

// Without its bound each of these values takes the library seconds, gigabytes or for ever.
func TestHostileValuesAreOneViolation(t *testing.T) {
	const size = 512 << 10
	selfTwice := `{"allOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}}]}`
	wide := `{"allOf":` + repeat(3_000, `{"type":"object"}`) + `}`
	members := `{` + counted(40_000, func(i int) string { return `"` + strconv.Itoa(i) + `":0` }) + `}`
	for name, test := range map[string]struct{ schema, value, want string }{
		"giant exponent":                {`true`, `{"a":[1,1e9999999]}`, "/a/1 " + tooLong},
		"thousands of digits":           {`{"type":"integer"}`, strings.Repeat("7", 100_000), " " + tooLong},
		"two to the 60th, by depth":     {selfTwice, nestedIn(60, `{"a":`, `1`, `}`), costly},
		"the same by elements":          {`{"items":{"$ref":"#"},"contains":{"$ref":"#"}}`, nestedIn(60, `[`, `1`, `]`), costly},
		"the same by patterns":          {`{"patternProperties":{"a":{"$ref":"#"},"^a":{"$ref":"#"}}}`, nestedIn(60, `{"a":`, `1`, `}`), costly},
		"the same by the rest":          {`{"items":{"$ref":"#"},"anyOf":[{"unevaluatedItems":{"$ref":"#"}}]}`, nestedIn(60, `[`, `1`, `]`), costly},
		"many members, many schemas":    {wide, members, costly},
		"many values, a large enum":     {`{"items":{"enum":` + repeat(15_000, "1.5") + `}}`, repeat(size/4, "1.7"), costly},
		"long numbers, again and again": {`{"items":{"enum":` + repeat(2_000, "[1]") + `}}`, repeat(size/400, `[0.`+strings.Repeat("7", 380)+`e-200]`), costly},
		"long integers":                 {`{"items":{"type":"integer","allOf":` + repeat(100, `{"type":"integer"}`) + `}}`, repeat(size/400, `0.`+strings.Repeat("7", 380)+`e-200`), costly},
		"many missing names":            {`{"items":{"required":[` + counted(10_000, func(i int) string { return `"` + strconv.Itoa(i) + `"` }) + `]}}`, repeat(size/3, "{}"), costly},
		"many names that depend":        {`{"items":{"dependentRequired":{"a":[` + counted(10_000, func(i int) string { return `"` + strconv.Itoa(i) + `"` }) + `]}}}`, repeat(size/8, `{"a":1}`), costly},
		"a slow pattern":                {`{"pattern":"(a?){1000}a{900}"}`, `"` + strings.Repeat("a", size) + `"`, costly},
		"a slow pattern of names":       {`{"patternProperties":{"(a?){1000}a{900}":true}}`, `{"` + strings.Repeat("a", size) + `":1}`, costly},
		"slow names":                    {`{"propertyNames":{"pattern":"(a?){1000}a{900}"}}`, `{"` + strings.Repeat("a", size) + `":1}`, costly},
		"slow divisions":                {`{"items":{"multipleOf":0.` + strings.Repeat("3", 390) + `e-400}}`, repeat(size/9, "7e-400"), costly},
		"lengths, again and again":      {`{"allOf":` + repeat(3_900, `{"maxLength":1}`) + `}`, `"` + strings.Repeat("a", size) + `"`, costly},
		"a long chain":                  {`{"items":` + strings.ReplaceAll(chain(1_900), "#/", "#/items/") + `}`, repeat(5_000, "1"), costly},
		"unique, at every depth":        {`{"uniqueItems":true,"items":{"$ref":"#"}}`, nestedIn(60, `[`, counted(size/8, strconv.Itoa), `]`), costly},
		"a chain in a chain":            {strings.Replace(chain(3_900), `{"type":"string"}`, `{"items":{"$ref":"#"}}`, 1), nestedIn(63, `[`, `1`, `]`), costly},
	} {
		t.Run(name, func(t *testing.T) {
			got := lines(compile(t, test.schema), parse(t, test.value), "")
			if len(got) != 1 || got[0] != test.want {
				t.Errorf("%.300q", got)
			}
		})
	}
}

// What collides in the hash of the library is told apart in time in proportion to its size.
func TestUniqueItemsThatCollide(t *testing.T) {
	s := compile(t, `{"uniqueItems":true}`)
	shapes := shapesOfArrays(16_000)
	if got := lines(s, parse(t, "["+strings.Join(shapes, ",")+"]"), ""); got != nil {
		t.Errorf("%.300q", got)
	}
	got := lines(s, parse(t, "["+strings.Join(shapes, ",")+","+shapes[7]+"]"), "")
	if want := fmt.Sprintf(" must not have equal elements, such as 7 and %d", len(shapes)); len(got) != 1 || got[0] != want {
		t.Errorf("%.300q", got)
	}
}

// A value within the bounds may have any number of violations: the answer stays small, and the same.
func TestTheAnswerIsBounded(t *testing.T) {
	long := strings.Repeat("n", 2_000)
	for name, test := range map[string]struct{ schema, value string }{
		"many wrong elements":  {`{"items":{"type":"string"}}`, repeat(20_000, "1")},
		"many wrong members":   {`{"additionalProperties":false}`, `{` + counted(20_000, func(i int) string { return `"` + strconv.Itoa(i) + `":0` }) + `}`},
		"many long numbers":    {`true`, repeat(20_000, "1e999")},
		"long names":           {`{"additionalProperties":{"additionalProperties":false}}`, `{"` + long + `":{"` + long + `":1},"short":{"` + long + `":1,"a":1}}`},
		"long texts of schema": {`{"pattern":"` + strings.Repeat("(é)", 200) + `"}`, `"x"`},
		"many alternatives":    {`{"anyOf":` + repeat(1_000, `{"minLength":5}`) + `}`, `"x"`},
	} {
		t.Run(name, func(t *testing.T) {
			s, v := compile(t, test.schema), parse(t, test.value)
			got := lines(s, v, "/documents/a")
			if len(got) == 0 || len(got) > violationsMax {
				t.Errorf("%d violations", len(got))
			}
			for _, line := range got {
				if len(line) > pathMaxBytes+300 {
					t.Errorf("a violation of %d bytes", len(line))
				}
			}
			if again := lines(s, v, "/documents/a"); strings.Join(got, "\n") != strings.Join(again, "\n") {
				t.Errorf("%.300q, and then %.300q", got, again)
			}
		})
	}
}

func TestMessagesShowNothingOfTheValue(t *testing.T) {
	const secret = "Xq7secret"
	s := compile(t, `{"properties":{
		"a":{"const":1},"b":{"enum":[1,2]},"c":{"pattern":"^a"},"d":{"maxLength":2},"e":{"not":{}},"f":{"anyOf":[{"const":1},{"const":2}]},
		"g":{"oneOf":[true,true]},"h":{"maximum":5},"i":{"multipleOf":7},"j":{"type":"null"},"k":false,"l":{"uniqueItems":true},
		"m":{"contains":{"const":1}},"n":{"contains":true,"maxContains":1},"o":{"minProperties":2},"p":{"contains":true,"minContains":3}}}`)
	text := `"` + secret + `"`
	value := `{"a":T,"b":T,"c":T,"d":T,"e":T,"f":T,"g":T,"h":8181818181,"i":8181818181,"j":T,"k":T,"l":[T,T],"m":[T],"n":[T,T],"o":{"x":T},"p":[T]}`
	got := s.Check(parse(t, strings.ReplaceAll(value, "T", text)), "")
	if len(got) != 16 {
		t.Errorf("%d violations of 16: %v", len(got), got)
	}
	for _, violation := range got {
		if strings.Contains(violation.Message, secret) || strings.Contains(violation.Message, "8181") || strings.Contains(violation.Message, "does not fit") {
			t.Errorf("%v", violation)
		}
	}
}

func TestDepthIsNoHarm(t *testing.T) {
	s := compile(t, `{"items":{"$ref":"#"},"type":"array"}`)
	got := s.Check(parse(t, nestedIn(jsonvalue.MaxDepth, "[", "", "]")), "")
	if got != nil {
		t.Errorf("%v", got)
	}
}
