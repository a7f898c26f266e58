package lookup

import (
	"slices"
	"strconv"
	"strings"

	"concord/actors/bound"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

// Bounds of what a type declares, and of what a collection is found by.
const (
	keysMax      = 16
	keyPathsMax  = 8
	indexesMax   = 32
	pathMaxBytes = 1024
	termsMax     = 1000   // of a collection, under all of them
	valuesMax    = 10_000 // that are looked at for these
)

// Bounds are the bounds of keys and indexes.
func Bounds() []bound.Bound {
	return []bound.Bound{
		bound.Fixed("keys", keysMax, "of one collection type"),
		bound.Fixed("paths of a key", keyPathsMax, "all of which have one value"),
		bound.Fixed("indexes", indexesMax, "of one collection type"),
		bound.Bytes("path of a key or index", pathMaxBytes, "as it is declared"),
		bound.Fixed("terms", termsMax, "that one collection is found by; a write of metadata that have more is refused"),
		bound.Fixed("values", valuesMax, "that keys and indexes lead to in one collection, equal ones too"),
	}
}

// ParseKeys reads the part `keys` of a collection type; path is where it stands.
func ParseKeys(v *jsonvalue.Value, path string) (keys []*Lookup, refused *problem.Problem) {
	if refused = list(v, path, "keys", keysMax); refused != nil {
		return nil, refused
	}
	for i, e := range v.Elements() {
		at := path + "/" + strconv.Itoa(i)
		if e.Kind() != jsonvalue.Array || e.Len() == 0 || e.Len() > keyPathsMax {
			return nil, problem.At(at, "a key is a list of 1 to %d paths", keyPathsMax)
		}
		paths := make([]Path, e.Len())
		for j, p := range e.Elements() {
			if paths[j], refused = parsePath(p, at+"/"+strconv.Itoa(j)); refused != nil {
				return nil, refused
			}
			if slices.Contains(paths[j].below, jsonvalue.AnyToken) {
				return nil, problem.At(at+"/"+strconv.Itoa(j), "a key has one value at each of its paths: * is for indexes")
			}
			if slices.ContainsFunc(paths[:j], func(o Path) bool { return slices.Equal(o.below, paths[j].below) }) {
				return nil, problem.At(at+"/"+strconv.Itoa(j), "is there twice")
			}
		}
		if keys, refused = with(keys, newLookup(true, paths), at); refused != nil {
			return nil, refused
		}
	}
	return keys, nil
}

// ParseIndexes reads the part `indexes`.
func ParseIndexes(v *jsonvalue.Value, path string) (indexes []*Lookup, refused *problem.Problem) {
	if refused = list(v, path, "indexes", indexesMax); refused != nil {
		return nil, refused
	}
	for i, e := range v.Elements() {
		at := path + "/" + strconv.Itoa(i)
		p, refused := parsePath(e, at)
		if refused == nil {
			indexes, refused = with(indexes, newLookup(false, []Path{p}), at)
		}
		if refused != nil {
			return nil, refused
		}
	}
	return indexes, nil
}

func list(v *jsonvalue.Value, path, of string, most int) *problem.Problem {
	switch {
	case v.Kind() != jsonvalue.Array:
		return problem.At(path, "must be a list")
	case v.Len() > most:
		return problem.At(path, "%d %s: a type has at most %d", v.Len(), of, most)
	}
	return nil
}

func with(all []*Lookup, l *Lookup, path string) ([]*Lookup, *problem.Problem) {
	for _, other := range all {
		if other.Number == l.Number {
			return nil, problem.At(path, "is there twice")
		}
	}
	return append(all, l), nil
}

// root is where paths begin.
const root = "/metadata"

func parsePath(v *jsonvalue.Value, path string) (Path, *problem.Problem) {
	const must = "must be a JSON Pointer below " + root
	text := v.Str()
	switch {
	case v.Kind() != jsonvalue.String || !strings.HasPrefix(text, root+"/"):
		return Path{}, problem.At(path, must)
	case len(text) > pathMaxBytes:
		return Path{}, problem.At(path, "has %d bytes: the limit is %d", len(text), pathMaxBytes)
	}
	p, err := jsonvalue.ParsePointer(text)
	if err != nil {
		return Path{}, problem.At(path, must+": %v", err)
	}
	return Path{Text: text, below: p[1:]}, nil
}
