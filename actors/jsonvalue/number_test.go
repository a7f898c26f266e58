package jsonvalue

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCompareNumbers(t *testing.T) {
	zeros := strings.Repeat("0", 100)
	for name, row := range map[string]struct {
		a, b string
		want int
	}{
		"equal spelling":             {"12", "12", 0},
		"less":                       {"-1", "1", -1},
		"more digits":                {"10", "9", +1},
		"zeros":                      {"0", "-0.000e99", 0},
		"zero and negative":          {"0", "-1e-400", +1},
		"zero and positive":          {"-0", "1e-400", -1},
		"fraction":                   {"0.5", "0.49999", +1},
		"leading zeros of fraction":  {"0.05", "5e-2", 0},
		"trailing zeros":             {"1500", "1.5e3", 0},
		"prefix":                     {"1.2", "1.20001", -1},
		"prefix, negative":           {"-1.2", "-1.20001", +1},
		"exponent wins over digits":  {"9e99", "1e100", -1},
		"negative exponents":         {"1e-100", "9e-101", +1},
		"zeros in the exponent":      {"1e+0007", "10000000", 0},
		"shift cancels the exponent": {"1" + zeros + "e-100", "1", 0},
		"small with large exponent":  {"0." + zeros + "1e101", "1", 0},
		"exponent beyond 64 bits":    {"1e99999999999999999999", "1e99999999999999999998", +1},
		"and negative":               {"1e-99999999999999999999", "1e-99999999999999999998", -1},
		"carry into the head":        {"10e999999999999999999", "1e1000000000000000000", 0},
		"borrow from the head":       {"0.1e1000000000000000000", "1e999999999999999999", 0},
		"carry, negative":            {"0.1e-999999999999999999", "1e-1000000000000000000", 0},
		"borrow, negative":           {"10e-1000000000000000000", "1e-999999999999999999", 0},
		"carry through nines":        {"10e9999999999999999999999", "1e10000000000000000000000", 0},
		"exponents of both signs":    {"1e-1000000000000000000", "1e1000000000000000000", -1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := CompareNumbers(row.a, row.b); got != row.want {
				t.Errorf("CompareNumbers(%s, %s) = %d, want %d", row.a, row.b, got, row.want)
			}
			if got := CompareNumbers(row.b, row.a); got != -row.want {
				t.Errorf("CompareNumbers(%s, %s) = %d, want %d", row.b, row.a, got, -row.want)
			}
		})
	}
}

func TestNewNumber(t *testing.T) {
	for _, literal := range []string{"0", "-0.10", "1E5"} {
		v, err := NewNumber(literal)
		if err != nil || string(v.Text()) != literal {
			t.Errorf("NewNumber(%q): %v, %v", literal, v, err)
		}
	}
	for _, literal := range []string{"", " 1", "1 ", "01", "1e", "NaN", "1,2", "\"1\""} {
		if _, err := NewNumber(literal); err == nil {
			t.Errorf("NewNumber(%q): no error", literal)
		}
	}
}

// rational is the dumb version of decimal. It must not be asked for large exponents.
func rational(literal string) *big.Rat {
	r, ok := new(big.Rat).SetString(literal)
	if !ok {
		panic("not a number: " + literal)
	}
	return r
}

var numberLiteral = rapid.StringMatching(`-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?`)

func TestCompareNumbersIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := numberLiteral.Draw(t, "a"), numberLiteral.Draw(t, "b")
		if rapid.Bool().Draw(t, "respell") {
			b = respellNumber(t, a)
		}
		want := rational(a).Cmp(rational(b))
		if got := CompareNumbers(a, b); got != want {
			t.Fatalf("CompareNumbers(%s, %s) = %d, want %d", a, b, got, want)
		}
		if same := hashNumber(newDecimal(a)) == hashNumber(newDecimal(b)); same != (want == 0) {
			t.Fatalf("%s and %s: same hash %v", a, b, same)
		}
	})
}

func TestExponentIsExact(t *testing.T) {
	literals := rapid.StringMatching(`[+-]?0{0,2}(9{15,40}|10{15,40}|[0-9]{1,40})`)
	shifts := rapid.Int64Range(-1<<31, 1<<31)
	value := func(x exponent) *big.Int {
		head, _ := new(big.Int).SetString("0"+x.head, 10)
		n := head.Mul(head, big.NewInt(exponentUnit))
		n.Add(n, big.NewInt(x.tail))
		if x.negative {
			n.Neg(n)
		}
		return n
	}
	rapid.Check(t, func(t *rapid.T) {
		literal, shift := literals.Draw(t, "literal"), shifts.Draw(t, "shift")
		x := newExponent(literal, shift)
		want, _ := new(big.Int).SetString(literal, 10)
		want.Add(want, big.NewInt(shift))
		if value(x).Cmp(want) != 0 {
			t.Fatalf("%s + %d = %+v, want %v", literal, shift, x, want)
		}
		if x.tail < 0 || x.tail >= exponentUnit || strings.HasPrefix(x.head, "0") {
			t.Fatalf("%+v is not in its one form", x)
		}
		other := newExponent(literals.Draw(t, "other"), shifts.Draw(t, "other shift"))
		if got, want := x.compare(other), value(x).Cmp(value(other)); got != want {
			t.Fatalf("compare %+v with %+v: %d, want %d", x, other, got, want)
		}
	})
}
