package jsonvalue

import "strings"

// CompareNumbers compares two number literals (RFC 8259, section 6) as exact decimals: -1, 0 or +1
// as a is less than, equal to or greater than b. The time is linear in the literals, whatever their
// exponents say, and numbers of usual size cost no allocation. The result means nothing, but there
// is one, for texts that are not number literals.
func CompareNumbers(a, b string) int {
	return newDecimal(a).compare(newDecimal(b))
}

// decimal is the exact value of a number literal, in a form that equal numbers share: sign × 0.D ×
// 10^exponent, D being the digits without zeros at either end. Zero has no digits and no sign.
type decimal[T text] struct {
	negative        bool
	whole, fraction T // D is whole followed by fraction
	exponent        exponent
}

func newDecimal[T text](literal T) decimal[T] {
	var d decimal[T]
	if len(literal) > 0 && literal[0] == '-' {
		d.negative, literal = true, literal[1:]
	}
	i := 0
	for i < len(literal) && isDigit(literal[i]) {
		i++
	}
	d.whole, literal = trimLeadingZeros(literal[:i]), literal[i:]
	if len(literal) > 0 && literal[0] == '.' {
		i = 1
		for i < len(literal) && isDigit(literal[i]) {
			i++
		}
		d.fraction, literal = trimTrailingZeros(literal[1:i]), literal[i:]
	}
	shift := len(d.whole)
	if len(d.whole) == 0 {
		shift = -len(d.fraction)
		d.fraction = trimLeadingZeros(d.fraction)
		shift += len(d.fraction)
	}
	if len(d.fraction) == 0 {
		d.whole = trimTrailingZeros(d.whole)
		if len(d.whole) == 0 {
			return decimal[T]{}
		}
	}
	if len(literal) > 0 { // e or E
		literal = literal[1:]
	}
	d.exponent = newExponent(literal, int64(shift))
	return d
}

// size is the number of digits.
func (d decimal[T]) size() int { return len(d.whole) + len(d.fraction) }

func (d decimal[T]) digit(i int) byte {
	if i < len(d.whole) {
		return d.whole[i]
	}
	return d.fraction[i-len(d.whole)]
}

func (d decimal[T]) compare(e decimal[T]) int {
	switch {
	case d.sign() != e.sign():
		return compareInts(d.sign(), e.sign())
	case d.sign() == 0:
		return 0
	}
	c := d.exponent.compare(e.exponent)
	if c == 0 {
		c = d.compareDigits(e)
	}
	return c * d.sign()
}

func (d decimal[T]) sign() int {
	switch {
	case d.size() == 0:
		return 0
	case d.negative:
		return -1
	default:
		return +1
	}
}

func (d decimal[T]) compareDigits(e decimal[T]) int {
	for i := range min(d.size(), e.size()) {
		if c := compareInts(int(d.digit(i)), int(e.digit(i))); c != 0 {
			return c
		}
	}
	return compareInts(d.size(), e.size())
}

// exponentTailDigits is how many digits of an exponent are kept as an integer; they and the length
// of a text fit in an int64.
const exponentTailDigits = 18

const exponentUnit = 1_000_000_000_000_000_000 // 10^exponentTailDigits

// exponent is an integer of any size: sign × (head × 10^18 + tail). Each integer has one form: head
// has no leading zero, 0 <= tail < 10^18, and zero is not negative.
type exponent struct {
	negative bool
	head     string // decimal digits; empty in all numbers of usual size
	tail     int64
}

// newExponent adds shift to literal, which is empty or an integer with or without a sign.
func newExponent[T text](literal T, shift int64) exponent {
	var x exponent
	if len(literal) > 0 && (literal[0] == '-' || literal[0] == '+') {
		x.negative, literal = literal[0] == '-', literal[1:]
	}
	literal = trimLeadingZeros(literal)
	cut := max(0, len(literal)-exponentTailDigits)
	for i := cut; i < len(literal); i++ {
		x.tail = x.tail*10 + int64(literal[i]-'0')
	}
	if cut > 0 {
		x.head = string(literal[:cut])
	}
	return x.plus(shift)
}

// plus adds a number that is small beside 10^18.
func (x exponent) plus(shift int64) exponent {
	if x.negative {
		shift = -shift
	}
	x.tail += shift
	switch {
	case x.tail >= exponentUnit:
		x.tail -= exponentUnit
		x.head = increment(x.head)
	case x.tail < 0 && x.head != "":
		x.tail += exponentUnit
		x.head = decrement(x.head)
	case x.tail < 0:
		x.negative, x.tail = !x.negative, -x.tail
	}
	if x.head == "" && x.tail == 0 {
		x.negative = false
	}
	return x
}

func (x exponent) compare(y exponent) int {
	if x.negative != y.negative {
		if x.negative {
			return -1
		}
		return +1
	}
	c := compareInts(len(x.head), len(y.head))
	if c == 0 {
		c = strings.Compare(x.head, y.head)
	}
	if c == 0 {
		c = compareInts(x.tail, y.tail)
	}
	if x.negative {
		return -c
	}
	return c
}

// increment adds one to a decimal integer without leading zeros, of which the empty one is zero.
func increment(digits string) string {
	b := []byte(digits)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != '9' {
			b[i]++
			return string(b)
		}
		b[i] = '0'
	}
	return "1" + string(b)
}

// decrement subtracts one from a decimal integer without leading zeros that is not zero.
func decrement(digits string) string {
	b := []byte(digits)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] != '0' {
			b[i]--
			break
		}
		b[i] = '9'
	}
	return string(trimLeadingZeros(b))
}

func trimLeadingZeros[T text](digits T) T {
	for len(digits) > 0 && digits[0] == '0' {
		digits = digits[1:]
	}
	return digits
}

func trimTrailingZeros[T text](digits T) T {
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	return digits
}

func compareInts[I int | int64](a, b I) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return +1
	default:
		return 0
	}
}

// numberLiteral scans the number at pos (RFC 8259, section 6).
func (s *scanner) numberLiteral() *fault {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return s.unexpected()
	}
	if s.peek() == '.' {
		s.pos++
		if !s.digits() {
			return s.unexpected()
		}
	}
	if s.peek()|0x20 == 'e' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return s.unexpected()
		}
	}
	return nil
}

// digits skips digits and says if there was one.
func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.text) && isDigit(s.text[s.pos]) {
		s.pos++
	}
	return s.pos > start
}
