// Package resolve settles by hand what a three-way merge leaves open. It has no I/O: a Draft holds parts of a collection on
// three sides, and the places where they disagree; they are settled one by one, or in a file that a person edits (Render,
// Parse); then the Draft says what is to be written.
package resolve

import (
	"errors"
	"fmt"
	"slices"

	"concord/actors/jsonvalue"
	"concord/actors/merge"
)

// Part is the metadata or a document on three sides. nil is missing.
type Part struct {
	Document           string // "" is the metadata
	Base, Ours, Theirs *jsonvalue.Value
}

// place is where the part stands in the collection.
func (p *Part) place() jsonvalue.Pointer {
	if p.Document == "" {
		return jsonvalue.Pointer{"metadata"}
	}
	return jsonvalue.Pointer{"documents", p.Document}
}

// Side is what a place is settled with.
type Side string

// The sides. The zero value settles nothing.
const (
	Base   Side = "base"
	Ours   Side = "ours"
	Theirs Side = "theirs"
)

// ParseSide reads the name of a side.
func ParseSide(name string) (Side, bool) {
	s := Side(name)
	return s, s == Base || s == Ours || s == Theirs
}

// Clash is a place where ours and theirs disagree.
type Clash struct {
	Path               string // JSON Pointer from the collection; an element of a keyed list is named by its key
	Kind               merge.Kind
	Base, Ours, Theirs *jsonvalue.Value // nil: missing

	at      jsonvalue.Pointer
	part    int
	settled bool
}

// Of is the value on a side.
func (c *Clash) Of(s Side) *jsonvalue.Value {
	switch s {
	case Base:
		return c.Base
	case Ours:
		return c.Ours
	default:
		return c.Theirs
	}
}

// Draft is parts that are being merged: all is done but the clashes. It is not safe for concurrent use.
type Draft struct {
	rules   []merge.Rule
	parts   []Part
	merged  []*jsonvalue.Value
	clashes []*Clash
}

// New merges the parts by the rules; what a clash hides is theirs until it is settled. The error is that of rules which
// cannot be taken.
func New(parts []Part, rules []merge.Rule) (*Draft, error) {
	compiled, err := merge.Compile(rules)
	if err != nil {
		return nil, fmt.Errorf("the merge rules: %w", err)
	}
	d := &Draft{rules: rules, parts: parts, merged: make([]*jsonvalue.Value, len(parts))}
	for i := range parts {
		p := &parts[i]
		value, conflicts := merge.Merge(p.Base, p.Ours, p.Theirs, compiled, p.place(), merge.ServerSide)
		d.merged[i] = value
		for _, c := range conflicts {
			d.clashes = append(d.clashes, &Clash{Path: c.Path.String(), Kind: c.Kind, Base: c.Base, Ours: c.Client, Theirs: c.Server,
				at: c.Path, part: i})
		}
	}
	slices.SortStableFunc(d.clashes, func(a, b *Clash) int { return slices.Compare(a.at, b.at) })
	return d, nil
}

// Open are the clashes that are not settled, in order of their paths.
func (d *Draft) Open() []*Clash {
	return slices.DeleteFunc(slices.Clone(d.clashes), func(c *Clash) bool { return c.settled })
}

// Places is how many clashes there were before any was settled.
func (d *Draft) Places() int { return len(d.clashes) }

// Settle puts a value, nil for none, where the clash is. It is an error if there the metadata would be no object, or a list
// would not be one of keyed elements any more.
func (d *Draft) Settle(c *Clash, value *jsonvalue.Value) error {
	p := &d.parts[c.part]
	merged, err := d.set(d.merged[c.part], c.at, len(p.place()), value)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Path, err)
	}
	if p.Document == "" && (merged == nil || merged.Kind() != jsonvalue.Object) {
		return fmt.Errorf("%s: the metadata is an object", c.Path)
	}
	d.merged[c.part], c.settled = merged, true
	return nil
}

// SettleBelow settles the open clashes at the path and below it with a side, and says how many these were. A path "" is all.
func (d *Draft) SettleBelow(path jsonvalue.Pointer, with Side) (count int, err error) {
	for _, c := range d.Open() {
		if len(c.at) < len(path) || !slices.Equal(c.at[:len(path)], path) {
			continue
		}
		if err := d.Settle(c, c.Of(with)); err != nil {
			return count, err
		}
		count++
	}
	return count, nil
}

// errLost means that what is around the place is no more.
var errLost = errors.New("what is around it is not there any more")

// set is v with the value at a path below it, of which the first done tokens lead to v. v is not changed.
func (d *Draft) set(v *jsonvalue.Value, at jsonvalue.Pointer, done int, to *jsonvalue.Value) (*jsonvalue.Value, error) {
	if done == len(at) {
		return to, nil
	}
	if v == nil {
		return nil, errLost
	}
	switch v.Kind() {
	case jsonvalue.Object:
		child, _ := v.Get(at[done])
		child, err := d.set(child, at, done+1, to)
		if err != nil {
			return nil, err
		}
		return jsonvalue.With(v, at[done], child), nil
	case jsonvalue.Array:
		return d.setElement(v, at, done, to)
	default:
		return nil, errLost
	}
}

// setElement is set in a list of keyed elements. A new one goes to the end.
func (d *Draft) setElement(v *jsonvalue.Value, at jsonvalue.Pointer, done int, to *jsonvalue.Value) (*jsonvalue.Value, error) {
	key, ok := d.keyAt(at[:done])
	if !ok {
		return nil, errLost
	}
	elements := v.Elements()
	named := func(e *jsonvalue.Value) bool { return tokenOf(e, key) == at[done] }
	i := slices.IndexFunc(elements, named)
	var child *jsonvalue.Value
	if i >= 0 {
		child = elements[i]
	}
	child, err := d.set(child, at, done+1, to)
	switch {
	case err != nil:
		return nil, err
	case child != nil && tokenOf(child, key) != at[done]:
		return nil, fmt.Errorf("an element of this list is an object, whose %q is %q here", key, at[done])
	case child == nil && i >= 0:
		elements = slices.Concat(elements[:i], elements[i+1:])
	case child == nil:
	case i >= 0:
		elements = slices.Clone(elements)
		elements[i] = child
	default:
		elements = append(elements, child)
	}
	return jsonvalue.NewArray(elements...), nil
}

// tokenOf is how a path names an element; "" if it has no key that could.
func tokenOf(e *jsonvalue.Value, key string) string {
	if e.Kind() != jsonvalue.Object {
		return ""
	}
	v, ok := e.Get(key)
	switch {
	case ok && v.Kind() == jsonvalue.String:
		return v.Str()
	case ok && v.Kind() == jsonvalue.Number:
		return jsonvalue.CanonicalNumber(v.Literal())
	}
	return ""
}

// keyAt is the key of the elements of the list at a path: that of the most exact keyed rule.
func (d *Draft) keyAt(at jsonvalue.Pointer) (key string, ok bool) {
	var best jsonvalue.Pointer
	for i := range d.rules {
		r := &d.rules[i]
		if r.Strategy == merge.Keyed && covers(r.Path, at) && (!ok || moreExact(r.Path, best)) {
			key, best, ok = r.Key, r.Path, true
		}
	}
	return key, ok
}

func covers(pattern, path jsonvalue.Pointer) bool {
	return slices.EqualFunc(pattern, path, func(p, token string) bool { return p == jsonvalue.AnyToken || p == token })
}

// moreExact compares patterns that cover one path: the first token that is literal in one only decides.
func moreExact(p, q jsonvalue.Pointer) bool {
	for i := range p {
		if (p[i] == jsonvalue.AnyToken) != (q[i] == jsonvalue.AnyToken) {
			return q[i] == jsonvalue.AnyToken
		}
	}
	return false
}

// Result is what a part has come to.
type Result struct {
	Document string           // "" is the metadata
	Value    *jsonvalue.Value // nil: it is to be removed
}

// Results are the parts that are not as theirs, in the order of the parts.
func (d *Draft) Results() (results []Result) {
	for i := range d.parts {
		p, merged := &d.parts[i], d.merged[i]
		if !jsonvalue.Equal(merged, p.Theirs) {
			results = append(results, Result{p.Document, merged})
		}
	}
	return results
}

// Parts are the parts as they are now on our side, with theirs as the base: what a newer version is to be merged with.
func (d *Draft) Parts() []Part {
	parts := make([]Part, len(d.parts))
	for i := range d.parts {
		parts[i] = Part{Document: d.parts[i].Document, Base: d.parts[i].Theirs, Ours: d.merged[i]}
	}
	return parts
}
