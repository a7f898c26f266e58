package jsonvalue

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCanonicalNumber(t *testing.T) {
	for literal, want := range map[string]string{
		"0":                           "0",
		"-0":                          "0",
		"0.00e7":                      "0",
		"12":                          "12",
		"-12":                         "-12",
		"12.0":                        "12",
		"1e3":                         "1000",
		"120e-1":                      "12",
		"12.50":                       "12.5",
		"-0.05":                       "-0.05",
		"5e-2":                        "0.05",
		"9007199254740993":            "9007199254740993",
		"9007199254740993.0":          "9007199254740993",
		"1e20":                        "100000000000000000000",
		"1e21":                        "1e21",
		"10e20":                       "1e21",
		"1" + strings.Repeat("0", 21): "1e21",
		"1e-21":                       "0.000000000000000000001",
		"1e-22":                       "1e-22",
		"-15e399":                     "-1.5e400",
		"-150e398":                    "-1.5e400",
		"1e1000000000000000000":       "1e1000000000000000000",
		"0.1e1000000000000000001":     "1e1000000000000000000",
		"1.5e-12000000000000000005":   "1.5e-12000000000000000005",
	} {
		if got := CanonicalNumber(literal); got != want {
			t.Errorf("CanonicalNumber(%s) = %s, want %s", literal, got, want)
		}
	}
}

func TestCanonicalNumberIsShared(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := numberLiteral.Draw(t, "a"), numberLiteral.Draw(t, "b")
		if rapid.Bool().Draw(t, "respell") {
			b = respellNumber(t, a)
		}
		x, y := CanonicalNumber(a), CanonicalNumber(b)
		if (x == y) != (CompareNumbers(a, b) == 0) {
			t.Fatalf("%s is %s, %s is %s", a, x, b, y)
		}
		if _, err := NewNumber(x); err != nil || CompareNumbers(a, x) != 0 || CanonicalNumber(x) != x {
			t.Fatalf("%s is %s, %v", a, x, err)
		}
	})
}

func TestSum(t *testing.T) {
	for name, row := range map[string]struct {
		plus, minus, want string // want is empty if there is no sum
	}{
		"nothing":                   {"", "", "0"},
		"one":                       {"1.0", "", "1"},
		"counts":                    {"12 15", "10", "17"},
		"no binary fractions":       {"0.3 0.2", "0.1", "0.4"},
		"beyond 2^53":               {"9007199254740993 9007199254740993", "1", "18014398509481985"},
		"nothing is left":           {"1e3", "1000", "0"},
		"zero has no place":         {"0e999999999 1", "-0e-999999999", "1"},
		"digits far apart":          {"1e999999999 1", "", ""},
		"far apart below the point": {"1 1e-999999999", "", ""},
		"equal large exponents":     {"1e999999999 2e999999999", "", "3e999999999"},
		"exponent beyond 64 bits":   {"1e99999999999999999999 1", "", ""},
		"just as many digits":       {"1e19 1", "", "10000000000000000001"},
		"one digit too many":        {"1e20 1", "", ""},
		"a carry too many":          {"99999999999999999999 1.0", "1", "99999999999999999999"},
		"a sum with a carry":        {"99999999999999999999 2", "", ""},
		"a text":                    {`"1" 1`, "", ""},
		"a null is taken away":      {"1", "null", ""},
	} {
		t.Run(name, func(t *testing.T) {
			values := func(text string) (all []*Value) {
				for word := range strings.FieldsSeq(text) {
					all = append(all, mustParse(t, word))
				}
				return all
			}
			got, ok := Sum(values(row.plus), values(row.minus), 20)
			if ok != (row.want != "") || ok && got.Literal() != row.want {
				t.Errorf("sum %v, %v; want %q", got, ok, row.want)
			}
		})
	}
}

func TestSumIsExact(t *testing.T) {
	literals := rapid.SliceOfN(numberLiteral, 0, 4)
	rapid.Check(t, func(t *rapid.T) {
		want := new(big.Rat)
		var plus, minus []*Value
		for _, literal := range literals.Draw(t, "plus") {
			want.Add(want, rational(literal))
			plus = append(plus, mustParseRapid(t, literal))
		}
		for _, literal := range literals.Draw(t, "minus") {
			want.Sub(want, rational(literal))
			minus = append(minus, mustParseRapid(t, literal))
		}
		got, ok := Sum(plus, minus, 1000)
		if !ok || rational(got.Literal()).Cmp(want) != 0 || CanonicalNumber(got.Literal()) != got.Literal() {
			t.Fatalf("sum %v, %v; want %s", got, ok, want)
		}
	})
}

// FuzzSum: any two numbers have a sum that leads back, or none; and it takes no time for it, whatever their exponents.
func FuzzSum(f *testing.F) {
	f.Add("1", "2.5e-1")
	f.Add("1e999999999", "-0")
	f.Add("1e999999999999999999", "1e-999999999999999999")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, errX := NewNumber(a)
		y, errY := NewNumber(b)
		if errX != nil || errY != nil {
			return
		}
		sum, ok := Sum([]*Value{x, y}, nil, 100)
		other, okOther := Sum([]*Value{y, x}, nil, 100)
		if ok != okOther || ok && sum.Literal() != other.Literal() {
			t.Fatalf("%s + %s: %v, %v", a, b, sum, other)
		}
		if !ok {
			return
		}
		if back, ok := Sum([]*Value{sum}, []*Value{y}, 200); !ok || !Equal(back, x) {
			t.Fatalf("%s + %s = %s, less %s: %v", a, b, sum.Literal(), b, back)
		}
	})
}

func TestObjectOf(t *testing.T) {
	members := []Member{{Name: "b", Value: NewNull()}, {Name: "", Value: NewString("x")}}
	if got := string(ObjectOf(members).Text()); got != `{"b":null,"":"x"}` {
		t.Error(got)
	}
}
