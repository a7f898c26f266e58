package quickjs

import (
	"strconv"

	"concord/actors/jsonvalue"
)

// doubleDigits is how many significant digits every double keeps.
const doubleDigits = 15

// exactNumbers says if JavaScript can hold every number in text, which has passed jsonvalue.Check: if the shortest spelling
// of its nearest double means the same decimal.
func exactNumbers(text []byte) bool {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case c == '-' || '0' <= c && c <= '9':
			end := numberEnd(text, i)
			if !exactNumber(text[i:end]) {
				return false
			}
			i = end - 1
		}
	}
	return true
}

// numberEnd is the place after the number literal at i.
func numberEnd(text []byte, i int) int {
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case '0' <= c && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
		default:
			return i
		}
	}
	return i
}

func exactNumber(literal []byte) bool {
	digits := 0
	for _, c := range literal {
		switch c {
		case 'e', 'E':
			digits = doubleDigits + 1 // it may be out of range
		case '-', '+', '.':
		default:
			digits++
		}
	}
	if digits <= doubleDigits {
		return true
	}
	s := string(literal)
	double, err := strconv.ParseFloat(s, 64)
	return err == nil && jsonvalue.CompareNumbers(strconv.FormatFloat(double, 'e', -1, 64), s) == 0
}
