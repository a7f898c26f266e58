package fields

import (
	"slices"
	"strconv"
	"strings"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/schema"
)

// Alias is a field of a collection type: a name for a path, and what is allowed there.
type Alias struct {
	Path       jsonvalue.Pointer // from the collection
	Operations []Type            // none: all
	Distinct   bool              // the list types drop what is there already; true if nothing is said
	MaxItems   int               // how long an instruction may make the list; 0: as long as it likes
	Schema     *schema.Schema    // of an element that an instruction adds or changes; nil: any
}

// ParseAliases reads the part `fields` of a collection type. Paths in the problem begin with path. All that is wrong is told
// at once.
func ParseAliases(v *jsonvalue.Value, path string) (map[string]Alias, *problem.Problem) {
	var f faults
	switch {
	case v.Kind() != jsonvalue.Object:
		return nil, problem.At(path, "must be an object, and is %s", kindOf(v))
	case v.Len() > aliasesMax:
		return nil, problem.At(path, "has %d fields; a type has at most %d", v.Len(), aliasesMax)
	}
	all := make(map[string]Alias, v.Len())
	for _, m := range v.Members() {
		at := below(path, m.Name)
		if !isAliasName(m.Name) {
			f.add(at, "a field has a name of 1 to %d letters, digits, _ and -, the first a letter or digit", aliasMaxBytes)
		}
		all[m.Name] = f.alias(m.Value, at)
	}
	if p := f.problem(); p != nil {
		return nil, p
	}
	return all, nil
}

func (f *faults) alias(v *jsonvalue.Value, path string) Alias {
	a := Alias{Distinct: true}
	ok := f.object(v, path,
		member{"path", f.path(&a.Path)},
		member{"operations", f.operations(&a.Operations)},
		member{"distinct", f.boolean(&a.Distinct)},
		member{"maxItems", f.count(&a.MaxItems)},
		member{"schema", f.schema(&a.Schema)},
	)
	if _, given := v.Get("path"); ok && !given {
		f.add(path+"/path", "is missing")
	}
	return a
}

func (f *faults) operations(into *[]Type) func(*jsonvalue.Value, string) {
	return func(v *jsonvalue.Value, path string) {
		if v.Kind() != jsonvalue.Array || v.Len() == 0 {
			f.add(path, "must be a list of one update type or more")
			return
		}
		for i, e := range v.Elements() {
			name := Type(e.Str())
			switch {
			case typeOf(name) == nil:
				f.add(element(path, i), "must be an update type: one of %s", strings.Join(typeNames(), ", "))
			case slices.Contains(*into, name):
				f.add(element(path, i), "is there twice")
			default:
				*into = append(*into, name)
			}
		}
	}
}

// count is a whole number by its value, 64.0 is one; from 1 on.
func (f *faults) count(into *int) func(*jsonvalue.Value, string) {
	return func(v *jsonvalue.Value, path string) {
		if v.Kind() == jsonvalue.Number {
			n, err := strconv.Atoi(jsonvalue.CanonicalNumber(v.Literal()))
			if err == nil && 1 <= n && n <= itemsMax {
				*into = n
				return
			}
		}
		f.add(path, "must be a whole number from 1 to %d", itemsMax)
	}
}

func isAliasName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '_' || c == '-'):
		default:
			return false
		}
	}
	return name != "" && len(name) <= aliasMaxBytes
}
