package schema

import (
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// replaceAssertions puts our own code in place of two keywords of the library: its uniqueItems compares each with each
// where hashes collide, and anybody can make them collide ([[],[]] and [[[]]] do); its errors of propertyNames name another
// place if siblings follow.
func replaceAssertions(s *jsonschema.Schema) {
	if s.UniqueItems {
		s.UniqueItems = false
		s.Extensions = append(s.Extensions, uniqueItems{})
	}
	if s.PropertyNames != nil {
		s.Extensions = append(s.Extensions, propertyNames{s.PropertyNames})
		s.PropertyNames = nil
	}
}

type propertyNames struct{ of *jsonschema.Schema }

func (p propertyNames) Validate(ctx *jsonschema.ValidatorContext, v any) {
	object, _ := v.(map[string]any)
	for name := range object {
		if ctx.Validate(p.of, name, []string{name}) != nil {
			ctx.AddErr(&jsonschema.ValidationError{
				InstanceLocation: append(slices.Clone(ctx.ValueLocation()), name),
				ErrorKind:        &kind.PropertyNames{Property: name},
			})
		}
	}
}

type uniqueItems struct{}

func (uniqueItems) Validate(ctx *jsonschema.ValidatorContext, v any) {
	array, _ := v.([]any)
	seen := make(map[string]int, len(array))
	var text []byte
	for i, e := range array {
		text = appendCanonical(text[:0], e)
		if first, ok := seen[string(text)]; ok {
			ctx.AddError(&kind.UniqueItems{Duplicates: [2]int{first, i}})
			return
		}
		seen[string(text)] = i
	}
}

// appendCanonical appends a text that equal values share, and no others.
func appendCanonical(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, 'n')
	case bool:
		return strconv.AppendBool(dst, v)
	case string:
		return strconv.AppendQuote(dst, v)
	case json.Number:
		if plain := strings.Trim(v.String(), "123456789"); plain == "" {
			return append(dst, v...)
		}
		exact, ok := new(big.Rat).SetString(v.String())
		if !ok {
			return append(dst, v...)
		}
		return append(dst, exact.RatString()...)
	case []any:
		dst = append(dst, '[')
		for _, e := range v {
			dst = append(appendCanonical(dst, e), ',')
		}
		return append(dst, ']')
	case map[string]any:
		dst = append(dst, '{')
		for _, name := range slices.Sorted(maps.Keys(v)) {
			dst = append(strconv.AppendQuote(dst, name), ':')
			dst = append(appendCanonical(dst, v[name]), ',')
		}
		return append(dst, '}')
	}
	return dst
}
