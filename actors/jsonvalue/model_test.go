package jsonvalue

import (
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"
)

// What the laws draw. Few names and few scalars, so that two drawn values have much in common.

var (
	drawnNames   = rapid.SampledFrom([]string{"a", "b", "c", "", "0", "1", "~/", "é", "\"\\\n"})
	drawnStrings = rapid.OneOf(
		rapid.SampledFrom([]string{"", "x", "y", "1", "null", "é🎷", "\u0000\"\\/"}),
		rapid.StringN(0, 8, -1),
	)
)

func drawnScalar(t *rapid.T) *Value {
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return NewNull()
	case 1:
		return NewBool(rapid.Bool().Draw(t, "bool"))
	case 2, 3:
		v, err := NewNumber(numberLiteral.Draw(t, "number"))
		if err != nil {
			t.Fatal(err)
		}
		return v
	default:
		return NewString(drawnStrings.Draw(t, "string"))
	}
}

// drawnValue draws trees of up to depth levels.
func drawnValue(depth int) *rapid.Generator[*Value] {
	return rapid.Custom(func(t *rapid.T) *Value {
		shape := rapid.IntRange(0, 4).Draw(t, "shape")
		switch {
		case depth > 0 && shape < 2:
			return NewArray(rapid.SliceOfN(drawnValue(depth-1), 0, 6).Draw(t, "elements")...)
		case depth > 0 && shape < 4:
			members := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Member {
				return Member{Name: drawnNames.Draw(t, "name"), Value: drawnValue(depth-1).Draw(t, "value")}
			}), 0, 6)
			return NewObject(members.Draw(t, "members")...)
		default:
			return drawnScalar(t)
		}
	})
}

var drawnTree = drawnValue(3)

// drawnLike draws a value that has much in common with v.
func drawnLike(t *rapid.T, v *Value) *Value {
	if rapid.IntRange(0, 9).Draw(t, "replace") == 0 {
		return drawnValue(1).Draw(t, "other")
	}
	switch v.Kind() {
	case Array:
		var elements []*Value
		for _, e := range v.Elements() {
			switch rapid.IntRange(0, 5).Draw(t, "element") {
			case 0: // removed
			case 1:
				elements = append(elements, drawnValue(1).Draw(t, "inserted"), e)
			case 2:
				elements = append(elements, drawnLike(t, e))
			default:
				elements = append(elements, e)
			}
		}
		return NewArray(elements...)
	case Object:
		var members []Member
		for _, m := range v.Members() {
			switch rapid.IntRange(0, 5).Draw(t, "member") {
			case 0: // removed
			case 1:
				added := Member{Name: drawnNames.Draw(t, "name"), Value: drawnScalar(t)}
				members = append(members, m, added)
			case 2:
				members = append(members, Member{Name: m.Name, Value: drawnLike(t, m.Value)})
			default:
				members = append(members, m)
			}
		}
		return NewObject(members...)
	case Null, Bool, Number, String:
	}
	return v
}

// respell writes v in another way: members shuffled, numbers and strings spelled anew, white space
// put in.
func respell(t *rapid.T, v *Value) string {
	space := rapid.SampledFrom([]string{"", "", "", " ", "\n\t", "\r "})
	pad := func(s string) string { return space.Draw(t, "space") + s + space.Draw(t, "space") }
	switch v.Kind() {
	case Number:
		return pad(respellNumber(t, v.Literal()))
	case String:
		return pad(respellString(t, v.Str()))
	case Array:
		var parts []string
		for _, e := range v.Elements() {
			parts = append(parts, respell(t, e))
		}
		return pad("[" + pad(strings.Join(parts, ",")) + "]")
	case Object:
		var parts []string
		for _, m := range v.Members() {
			parts = append(parts, pad(respellString(t, m.Name))+":"+respell(t, m.Value))
		}
		parts = rapid.Permutation(parts).Draw(t, "order")
		return pad("{" + pad(strings.Join(parts, ",")) + "}")
	case Null, Bool:
	}
	return pad(v.Literal())
}

func respellString(t *rapid.T, s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		escape := rapid.IntRange(0, 3).Draw(t, "escape") == 0
		switch {
		case r > 0xFFFF && escape:
			r -= 0x10000
			b.WriteString(unitEscape(0xD800 + r>>10))
			b.WriteString(unitEscape(0xDC00 + r&0x3FF))
		case r == '/' && escape:
			b.WriteString(`\/`)
		case escape || r < ' ' || r == '"' || r == '\\':
			b.WriteString(unitEscape(r))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func unitEscape(r rune) string {
	digits := strconv.FormatInt(int64(r), 16)
	return `\u` + strings.Repeat("0", 4-len(digits)) + digits
}

// respellNumber writes the number with other zeros, another exponent and another point.
func respellNumber(t *rapid.T, literal string) string {
	sign, digits, exponent := pieces(literal)
	if digits == "" && rapid.Bool().Draw(t, "minus zero") {
		sign = "-"
	}
	digits += strings.Repeat("0", rapid.IntRange(0, 25).Draw(t, "zeros"))
	point := rapid.IntRange(0, len(digits)).Draw(t, "point")
	whole, fraction := digits[:point], digits[point:]
	exponent -= point
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	if fraction != "" {
		fraction = "." + fraction
	}
	if exponent == 0 && rapid.Bool().Draw(t, "no exponent") {
		return sign + whole + fraction
	}
	mark := rapid.SampledFrom([]string{"e", "E", "e0"}).Draw(t, "e")
	if exponent < 0 {
		mark = strings.TrimSuffix(mark, "0") + "-"
	}
	return sign + whole + fraction + mark + strconv.Itoa(max(exponent, -exponent))
}

// pieces splits a number into its sign, digits without zeros at the ends, and the exponent for the
// point before the digits.
func pieces(literal string) (sign, digits string, exponent int) {
	literal, negative := strings.CutPrefix(literal, "-")
	mantissa, e, _ := strings.Cut(strings.ToLower(literal), "e")
	exponent, _ = strconv.Atoi(e)
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	exponent += len(whole) - (len(whole+fraction) - len(digits))
	digits = strings.TrimRight(digits, "0")
	if digits == "" {
		return "", "", 0
	}
	if negative {
		sign = "-"
	}
	return sign, digits, exponent
}

// canonical is the dumb version of Equal: a text that equal values share.
func canonical(v *Value) string {
	switch v.Kind() {
	case Number:
		return rational(v.Literal()).String()
	case String:
		return strconv.Quote(v.Str())
	case Array:
		var parts []string
		for _, e := range v.Elements() {
			parts = append(parts, canonical(e))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case Object:
		var parts []string
		for _, m := range v.Members() {
			parts = append(parts, strconv.Quote(m.Name)+":"+canonical(m.Value))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ",") + "}"
	case Null, Bool:
	}
	return v.Literal()
}
