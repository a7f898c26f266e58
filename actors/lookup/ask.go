package lookup

import (
	"slices"
	"strings"
	"time"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

// Ask is a term that is asked for.
type Ask struct {
	Lookup *Lookup
	Term   string
}

// Index is the index of a type that it is asked of.
func (a Ask) Index(typ string) string { return IndexName(typ, a.Lookup.Number) }

// Declared is a set, and what of it was built.
type Declared struct {
	*Set
	Built func(lookup uint64) bool
}

// Key reads {path: value, ...}, with exactly the paths of one key; path is where it stands in the request. A key that is not
// declared is `schema-invalid`, one that is being built `index-building`, everything else that is wrong `invalid`.
func (d Declared) Key(v *jsonvalue.Value, path string) (Ask, *problem.Problem) {
	asked, refused := read(v, path)
	if refused != nil {
		return Ask{}, refused
	}
	for _, l := range d.lookups() {
		if l.Key && len(l.Paths) == len(asked) && asked.has(l) {
			if !d.Built(l.Number) {
				return Ask{}, building(l, path)
			}
			return asked.ask(l), nil
		}
	}
	return Ask{}, d.undeclared(path, "there is no key of these paths", func(l *Lookup) bool { return l.Key })
}

// Query reads {path: value, ...} of declared indexes. A key counts, too, if all of its paths are there. All that it returns
// must hold.
func (d Declared) Query(v *jsonvalue.Value, path string) ([]Ask, *problem.Problem) {
	asked, refused := read(v, path)
	if refused != nil {
		return nil, refused
	}
	asks, missing := d.cover(asked, d.Built)
	if missing == "" {
		return asks, nil
	}
	whole, never := d.cover(asked, func(uint64) bool { return true })
	if never != "" {
		return nil, d.undeclared(path+jsonvalue.Pointer{never}.String(), "there is no such index", func(*Lookup) bool { return true })
	}
	i := slices.IndexFunc(whole, func(a Ask) bool { return !d.Built(a.Lookup.Number) })
	return nil, building(whole[i].Lookup, path)
}

// cover finds lookups that together are about all paths, of those that are good; or a path that none is about. Keys come
// first: they say more.
func (d Declared) cover(asked values, good func(uint64) bool) (asks []Ask, missing string) {
	covered := make(map[string]bool, len(asked))
	for _, l := range d.lookups() {
		fresh := slices.ContainsFunc(l.Paths, func(p Path) bool { return !covered[p.below.String()] })
		if !good(l.Number) || !asked.has(l) || !fresh {
			continue
		}
		asks = append(asks, asked.ask(l))
		for _, p := range l.Paths {
			covered[p.below.String()] = true
		}
	}
	for _, a := range asked {
		if !covered[a.below] {
			return nil, a.path
		}
	}
	return asks, ""
}

func (d Declared) lookups() []*Lookup {
	if d.Set == nil {
		return nil
	}
	return d.Lookups
}

// undeclared names what there is.
func (d Declared) undeclared(path, what string, which func(*Lookup) bool) *problem.Problem {
	var names []string
	for _, l := range d.lookups() {
		if which(l) {
			names = append(names, l.String())
		}
	}
	list := "nothing of that sort"
	if len(names) > 0 {
		list = strings.Join(names, ", ")
	}
	p := problem.New(problem.SchemaInvalid, "%s; the type declares %s", what, list)
	p.Errors = []problem.FieldError{{Path: path, Message: p.Detail}}
	return p
}

// buildingRetry is when to come back: most types are built by then.
const buildingRetry = time.Second

func building(l *Lookup, path string) *problem.Problem {
	p := problem.New(problem.IndexBuilding, "%s is still being built", l)
	p.RetryAfter = buildingRetry
	p.Errors = []problem.FieldError{{Path: path, Message: p.Detail}}
	return p
}

// value is what is asked for at a path.
type value struct {
	path  string // as it was asked
	below string
	is    *jsonvalue.Value
}

type values []value

// read reads what is asked, in the order in which it came.
func read(v *jsonvalue.Value, path string) (values, *problem.Problem) {
	switch {
	case v.Kind() != jsonvalue.Object || v.Len() == 0:
		return nil, problem.At(path, "must be an object {path: value, ...}")
	case v.Len() > keysMax*keyPathsMax+indexesMax:
		return nil, problem.At(path, "has %d paths, more than a type can declare", v.Len())
	}
	asked := make(values, 0, v.Len())
	for _, m := range v.Members() {
		at := path + jsonvalue.Pointer{m.Name}.String()
		p, refused := parsePath(jsonvalue.NewString(m.Name), at)
		switch {
		case refused != nil:
			return nil, refused
		case !Scalar(m.Value):
			return nil, problem.At(at, "must be a string, a number, true, false or null: what a key or an index finds")
		}
		asked = append(asked, value{m.Name, p.below.String(), m.Value})
	}
	return asked, nil
}

func (all values) at(p Path) *jsonvalue.Value {
	below := p.below.String()
	for i := range all {
		if all[i].below == below {
			return all[i].is
		}
	}
	return nil
}

// has says that there is a value for each path of the lookup.
func (all values) has(l *Lookup) bool {
	return !slices.ContainsFunc(l.Paths, func(p Path) bool { return all.at(p) == nil })
}

func (all values) ask(l *Lookup) Ask {
	is := make([]*jsonvalue.Value, len(l.Paths))
	for i, p := range l.Paths {
		is[i] = all.at(p)
	}
	return Ask{l, Term(is...)}
}
