package cmr

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"concord/actors/jsonvalue"
)

// nameMaxRunes bounds the name of a task, as CMR's schema says it. What the operation says of its bytes comes on top.
const nameMaxRunes = 255

// violations are what is wrong with a body by CMR's schema, in the words of the validator that CMR uses: "#" is the body.
type violations []string

func (v *violations) add(at, format string, args ...any) {
	if len(*v) < textsMax {
		*v = append(*v, at+": "+fmt.Sprintf(format, args...))
	}
}

// checkSchema holds the body against CMR's schema. It tells all that is wrong, up to a bound: what is missing, what is
// unknown, and then what is wrong with the rest, in the order of the schema.
func checkSchema(b *body) []string {
	var v violations
	body := b.rest
	if !v.is(body, "#", jsonvalue.Object) {
		return v
	}
	for _, key := range []string{keyType, keyField, keyConceptIDs} {
		if member(body, key) == nil {
			v.add("#", "required key [%s] not found", key)
		}
	}
	keys := []struct {
		name  string
		check func(*jsonvalue.Value, string)
	}{
		{keyConceptIDs, func(_ *jsonvalue.Value, at string) { v.ids(b.ids, at) }}, {keyName, v.name}, {keyCollections, v.collections},
		{keyType, func(x *jsonvalue.Value, at string) { v.oneOf(x, at, isType) }},
		{keyField, func(x *jsonvalue.Value, at string) { v.oneOf(x, at, isField) }},
		{keyValue, v.value}, {keyFind, v.find},
	}
	for _, m := range body.Members() {
		known := false
		for _, k := range keys {
			known = known || k.name == m.Name
		}
		if !known {
			v.add("#", "extraneous key [%s] is not permitted", cut(m.Name))
		}
	}
	for _, k := range keys {
		if x := member(body, k.name); x != nil {
			k.check(x, "#/"+k.name)
		}
	}
	return v
}

// is says that the value is of the kind.
func (v *violations) is(x *jsonvalue.Value, at string, kind jsonvalue.Kind) bool {
	if x.Kind() != kind {
		v.add(at, "expected type: %s, found: %s", nameOfKind(kind, nil), nameOfKind(x.Kind(), x))
	}
	return x.Kind() == kind
}

// nameOfKind is what the validator calls a kind.
func nameOfKind(kind jsonvalue.Kind, x *jsonvalue.Value) string {
	switch kind {
	case jsonvalue.Object:
		return "JSONObject"
	case jsonvalue.Array:
		return "JSONArray"
	case jsonvalue.String:
		return "String"
	case jsonvalue.Bool:
		return "Boolean"
	case jsonvalue.Number:
		if _, err := strconv.ParseInt(x.Literal(), 10, 32); err == nil {
			return "Integer"
		}
		return "Number"
	default:
		return "Null"
	}
}

func (v *violations) some(x *jsonvalue.Value, at string) bool {
	if !v.is(x, at, jsonvalue.Array) {
		return false
	}
	if x.Len() == 0 {
		v.add(at, "expected minimum item count: 1, found: 0")
	}
	return true
}

// ids are strings, at least one.
func (v *violations) ids(text []byte, at string) {
	count := 0
	if text[0] == '[' {
		for start, end := range elements(text) {
			if text[start] != '"' && len(*v) < textsMax {
				v.is(outline(text[start:end]), at+"/"+strconv.Itoa(count), jsonvalue.String)
			}
			count++
		}
	}
	if count == 0 {
		v.some(outline(text), at)
	}
}

func (v *violations) name(x *jsonvalue.Value, at string) {
	if !v.is(x, at, jsonvalue.String) {
		return
	}
	switch n := utf8.RuneCountInString(x.Str()); {
	case n == 0:
		v.add(at, "expected minLength: 1, actual: 0")
	case n > nameMaxRunes:
		v.add(at, "expected maxLength: %d, actual: %d", nameMaxRunes, n)
	}
}

func (v *violations) collections(x *jsonvalue.Value, at string) {
	if !v.some(x, at) {
		return
	}
	for i, e := range x.Elements() {
		at := at + "/" + strconv.Itoa(i)
		if !v.is(e, at, jsonvalue.Object) {
			continue
		}
		for _, key := range []string{"short-name", "version"} {
			if name := member(e, key); name == nil {
				v.add(at, "required key [%s] not found", key)
			} else {
				v.is(name, at+"/"+key, jsonvalue.String)
			}
		}
	}
}

func (v *violations) oneOf(x *jsonvalue.Value, at string, known func(string) bool) {
	if v.is(x, at, jsonvalue.String) && !known(x.Str()) {
		v.add(at, "%s is not a valid enum value", cut(x.Str()))
	}
}

func isType(name string) bool {
	for _, t := range updateTypes {
		if string(t) == name {
			return true
		}
	}
	return false
}

func isField(name string) bool { _, ok := updateFields[name]; return ok }

// find is an object. A name that begins with $ would be an operator of ours; no field of CMR's has such a name.
func (v *violations) find(x *jsonvalue.Value, at string) {
	if !v.is(x, at, jsonvalue.Object) {
		return
	}
	for _, m := range x.Members() {
		if strings.HasPrefix(m.Name, "$") {
			v.add(at, "extraneous key [%s] is not permitted", cut(m.Name))
		}
	}
}

// value is an object, or a list of them. CMR's validator tells of both, as neither fits.
func (v *violations) value(x *jsonvalue.Value, at string) {
	fits := x.Kind() == jsonvalue.Object
	if x.Kind() == jsonvalue.Array {
		fits = x.Len() > 0 && !slices.ContainsFunc(x.Elements(), func(e *jsonvalue.Value) bool { return e.Kind() != jsonvalue.Object })
	}
	if fits {
		return
	}
	v.add(at, "#: 0 subschemas matched instead of one")
	if x.Kind() != jsonvalue.Array {
		v.is(x, at, jsonvalue.Object)
		return
	}
	v.some(x, at)
	for i, e := range x.Elements() {
		v.is(e, at+"/"+strconv.Itoa(i), jsonvalue.Object)
	}
}
