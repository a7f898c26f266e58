package jsonvalue

import (
	"math/big"
	"strconv"
	"strings"
)

// Sum returns the exact sum of the numbers of plus less those of minus, in the spelling of CanonicalNumber. It returns
// false if one of them is no number, or if the digits from the highest to the lowest of all of them, or those of the
// sum, are more than maxDigits: 1e999999999 + 1 has a value, but nobody wants to see it. Order does not matter.
func Sum(plus, minus []*Value, maxDigits int) (*Value, bool) {
	var terms []term
	for i, v := range append(plus[:len(plus):len(plus)], minus...) {
		t, ok := newTerm(v)
		if !ok {
			return nil, false
		}
		if i >= len(plus) {
			t.negative = !t.negative
		}
		if t.digits != "" {
			terms = append(terms, t)
		}
	}
	if len(terms) == 0 {
		return &Value{kind: Number, literal: "0"}, true
	}
	high, low := terms[0].high, terms[0].low()
	for _, t := range terms {
		high, low = max(high, t.high), min(low, t.low())
	}
	if high-low > int64(maxDigits) {
		return nil, false
	}
	var sum, summand big.Int
	for _, t := range terms {
		summand.SetString(t.digits+strings.Repeat("0", int(t.low()-low)), 10)
		if t.negative {
			summand.Neg(&summand)
		}
		sum.Add(&sum, &summand)
	}
	total := newDecimal(sum.String())
	if total.size() > maxDigits {
		return nil, false
	}
	total.exponent = total.exponent.plus(low)
	return &Value{kind: Number, literal: total.canonical()}, true
}

// term is a summand: sign × 0.digits × 10^high. Zero has no digits.
type term struct {
	negative bool
	digits   string
	high     int64
}

// low is the place of the last digit.
func (t term) low() int64 { return t.high - int64(len(t.digits)) }

// newTerm returns false for what is no number, and for exponents that take more than 64 bits.
func newTerm(v *Value) (term, bool) {
	if v == nil || v.kind != Number {
		return term{}, false
	}
	d := newDecimal(v.literal)
	high, ok := d.exponent.small()
	return term{negative: d.negative, digits: d.whole + d.fraction, high: high}, ok
}

// small returns x as an integer if it is less than 10^18.
func (x exponent) small() (int64, bool) {
	if x.negative {
		return -x.tail, x.head == ""
	}
	return x.tail, x.head == ""
}

// canonicalMaxZeros is how many zeros a canonical number has at most that say nothing but where its point is.
const canonicalMaxZeros = 20

// CanonicalNumber returns the spelling that all literals of one number share: without an exponent as long as that
// takes no more than 20 zeros before or behind the digits (1000, 0.5), else with one (1.5e400). The literal must be one
// of RFC 8259, section 6.
func CanonicalNumber(literal string) string {
	if isCanonicalInteger(literal) {
		return literal
	}
	return newDecimal(literal).canonical()
}

// isCanonicalInteger recognises most integers as they are written.
func isCanonicalInteger(literal string) bool {
	digits := strings.TrimPrefix(literal, "-")
	if len(digits) > canonicalMaxZeros || digits == "0" && digits != literal {
		return false
	}
	for i := range len(digits) {
		if !isDigit(digits[i]) {
			return false
		}
	}
	return true
}

func (d decimal[T]) canonical() string {
	if d.sign() == 0 {
		return "0"
	}
	digits := string(d.whole) + string(d.fraction)
	sign := ""
	if d.negative {
		sign = "-"
	}
	point, ok := d.exponent.small()
	size := int64(len(digits))
	switch {
	case ok && -canonicalMaxZeros <= point && point <= 0:
		return sign + "0." + strings.Repeat("0", int(-point)) + digits
	case ok && 0 < point && point < size:
		return sign + digits[:point] + "." + digits[point:]
	case ok && size <= point && point <= size+canonicalMaxZeros:
		return sign + digits + strings.Repeat("0", int(point-size))
	}
	if size > 1 {
		digits = digits[:1] + "." + digits[1:]
	}
	return sign + digits + "e" + d.exponent.plus(-1).String()
}

// String returns x as an integer literal.
func (x exponent) String() string {
	text := strconv.FormatInt(x.tail, 10)
	if x.head != "" {
		text = x.head + strings.Repeat("0", exponentTailDigits-len(text)) + text
	}
	if x.negative {
		text = "-" + text
	}
	return text
}
