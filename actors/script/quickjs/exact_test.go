package quickjs

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
)

func TestNumbersThatJavaScriptHolds(t *testing.T) {
	for literal, want := range map[string]bool{
		"0": true, "-0": true, "0.0": true, "0e999": true, "1": true, "1.0": true, "10e-1": true, "0.1": true, "-2.50": true,
		"123456789012345":               true,
		"9007199254740991":              true,
		"9007199254740992":              true,
		"9007199254740993":              false,
		"9007199254740993.0":            false,
		"90071992547409930e-1":          false,
		"9007199254740994":              true,
		"10000000000000000000000":       true,
		"0.1000000000000000055511":      false, // the double that stands for 0.1, said longer
		"0.30000000000000004":           true,
		"0.300000000000000040":          true,
		"3.141592653589793":             true,
		"3.14159265358979323846":        false,
		"1.7976931348623157e308":        true,
		"1.7976931348623158e308":        false, // it is the same double as the one before
		"1e400":                         false,
		"-1e400":                        false,
		"5e-324":                        true,
		"4e-324":                        false,
		"1e-400":                        false,
		"123456789012345e294":           true,
		"123456789012345e295":           false,
		"1e22":                          true,
		"1e23":                          true,
		strings.Repeat("9", 400):        false,
		"1" + strings.Repeat("0", 300):  true,
		"1." + strings.Repeat("0", 999): true,
	} {
		if got := exactNumbers([]byte(literal)); got != want {
			t.Errorf("%.40s: %v, want %v", literal, got, want)
		}
		within := fmt.Sprintf(`{"9007199254740993":["1e400\\\"1e400",%s,true]}`, literal)
		if got := exactNumbers([]byte(within)); got != want {
			t.Errorf("%.80s: %v, want %v", within, got, want)
		}
	}
}

// aDocument draws JSON with what could get lost on the way through JavaScript.
func aDocument() *rapid.Generator[*jsonvalue.Value] {
	name := rapid.OneOf(rapid.SampledFrom([]string{"__proto__", "constructor", "toString", "hasOwnProperty", "length", "", "10", "2", "\x00", "\u2028"}), rapid.String())
	scalar := rapid.Custom(func(t *rapid.T) *jsonvalue.Value {
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return jsonvalue.NewString(rapid.String().Draw(t, "string"))
		case 1:
			return jsonvalue.NewBool(rapid.Bool().Draw(t, "bool"))
		case 2:
			return jsonvalue.NewNull()
		default:
			v, err := jsonvalue.NewNumber(aNumber().Draw(t, "number"))
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	})
	return rapid.Custom(func(t *rapid.T) *jsonvalue.Value {
		if rapid.Bool().Draw(t, "array") {
			return jsonvalue.NewArray(rapid.SliceOfN(scalar, 0, 6).Draw(t, "elements")...)
		}
		var members []jsonvalue.Member
		for range rapid.IntRange(0, 6).Draw(t, "members") {
			members = append(members, jsonvalue.Member{Name: name.Draw(t, "name"), Value: scalar.Draw(t, "value")})
		}
		return jsonvalue.NewArray(jsonvalue.NewObject(members...), scalar.Draw(t, "beside"))
	})
}

// aNumber draws a literal: doubles in several spellings, and decimals that may be none.
func aNumber() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		if rapid.Bool().Draw(t, "decimal") {
			literal := rapid.StringMatching(`-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,19})?(e-?[0-9]{1,3})?`)
			return literal.Draw(t, "literal")
		}
		double := rapid.Float64().Filter(func(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }).Draw(t, "double")
		format := rapid.SampledFrom([]byte("efg")).Draw(t, "format")
		return strconv.FormatFloat(double, format, -1, 64)
	})
}

// testEngine is an engine in this process, for scripts that are no danger.
func testEngine(t *testing.T) *engine {
	t.Helper()
	e, err := newEngine(func() { panic("a script that cannot be interrupted") })
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// mostLimits never matter.
var mostLimits = limits{MemoryMaxBytes: 64 << 20, StackMaxFrames: stackMaxFrames, RunNanos: time.Hour.Nanoseconds(),
	ResultMaxBytes: resultMaxBytes, ResultsMaxBytes: jobMaxBytes}

// Law: a document that a script may have comes back as the same value, whatever its numbers and names.
func TestDocumentsComeBackEqual(t *testing.T) {
	e := testEngine(t)
	const copies = `
const copy = (v) => Array.isArray(v) ? v.map(copy) : v !== null && typeof v === "object" ? members(v) : v;
function members(v) { const o = {}; for (const name of Object.keys(v)) o[name] = copy(v[name]); return o }
function merge(base, client) { return copy(client) }`
	taken := 0
	rapid.Check(t, func(t *rapid.T) {
		text := aDocument().Draw(t, "document").Text()
		if unfit(text) != "" {
			return
		}
		taken++
		a := e.run(&request{ID: 1, Source: copies, Parts: []part{{Path: "/metadata", Client: text}}, Limits: mostLimits})
		if a.Failure != nil {
			t.Fatalf("%s: %+v", text, a.Failure)
		}
		if same, err := jsonvalue.EqualText(text, a.Results[0].Text); err != nil || !same {
			t.Fatalf("%s came back as %s: %v", text, a.Results[0].Text, err)
		}
	})
	if taken == 0 {
		t.Error("no document was taken")
	}
}

// Law: a number is taken if and only if its shortest spelling as a double means the same; the short way agrees.
func TestShortNumbersAreJudgedLikeLongOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		literal := aNumber().Draw(t, "literal")
		double, err := strconv.ParseFloat(literal, 64)
		want := err == nil && jsonvalue.CompareNumbers(strconv.FormatFloat(double, 'f', -1, 64), literal) == 0
		if got := exactNumber([]byte(literal)); got != want {
			t.Fatalf("%s: %v, want %v", literal, got, want)
		}
	})
}
