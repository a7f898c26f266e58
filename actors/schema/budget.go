package schema

import (
	"strconv"
	"strings"

	"concord/actors/jsonvalue"
)

// budget is the work that one check may still cost. It is spent by going the way that the library would go, without
// judging anything: that is far cheaper, and stops in time where schemas and values multiply (two references to the
// schema itself, one member deeper, double the work with each level).
type budget struct {
	left        int
	unevaluated bool // it is kept in mind which members and elements have been evaluated
}

func (b *budget) spend(steps int) bool {
	b.left -= steps
	return b.left >= 0
}

// evaluate spends what r costs for v; depth is how many evaluations it is inside of. It says if the budget suffices.
func (b *budget) evaluate(r *rule, v *jsonvalue.Value, depth int) bool {
	if r == nil {
		return true
	}
	// An error is as long as its path, and a reference looks at all above it.
	if !b.spend(evaluationSteps + depth/8) {
		return false
	}
	if r.kinds != 0 && r.kinds&(1<<v.Kind()) == 0 {
		return true
	}
	if !b.spend(r.values / 16) {
		return false
	}
	for _, in := range r.inPlace {
		if !b.evaluate(in, v, depth+1) {
			return false
		}
	}
	switch v.Kind() {
	case jsonvalue.Number:
		return b.spend((r.constants + r.limits) * numberSteps(v.Literal()))
	case jsonvalue.String:
		return b.text(r, v.Str())
	case jsonvalue.Array:
		return b.array(r, v, depth+1)
	case jsonvalue.Object:
		return b.object(r, v, depth+1)
	default:
		return true
	}
}

// evaluationSteps is what it costs to look at a value at all.
const evaluationSteps = 3

func (b *budget) text(r *rule, s string) bool {
	steps := 0
	if r.countsLetters {
		steps = len(s) / 32
	}
	if r.instructions > 0 {
		steps += matchSteps(r.instructions, len(s))
	}
	return b.spend(steps)
}

func (b *budget) array(r *rule, v *jsonvalue.Value, depth int) bool {
	elements := v.Elements()
	if !b.spend(r.constants*numberMaxSteps + b.within(len(elements))) {
		return false
	}
	if r.readsThrough && !b.read(v) {
		return false
	}
	for i, e := range elements {
		if i < len(r.prefix) && !b.evaluate(r.prefix[i], e, depth) {
			return false
		}
		for _, in := range r.elements {
			if !b.evaluate(in, e, depth) {
				return false
			}
		}
	}
	return true
}

func (b *budget) object(r *rule, v *jsonvalue.Value, depth int) bool {
	members := v.Members()
	if !b.spend(r.constants*numberMaxSteps + r.required + b.within(len(members))) {
		return false
	}
	for i := range members {
		m := &members[i]
		property, ok := r.properties[m.Name]
		if !ok {
			property = r.otherwise
		}
		if !b.evaluate(property, m.Value, depth) {
			return false
		}
		if r.nameProgram > 0 && !b.spend(matchSteps(r.nameProgram, len(m.Name))) {
			return false
		}
		if r.names != nil && !b.evaluate(r.names, jsonvalue.NewString(m.Name), depth) {
			return false
		}
		for _, in := range r.members {
			if !b.evaluate(in, m.Value, depth) {
				return false
			}
		}
	}
	return true
}

// within is what it costs to look at n members or elements, apart from what is in them.
func (b *budget) within(n int) int {
	if b.unevaluated {
		return 2 * n
	}
	return n / 2
}

// read spends what it costs to write v in its canonical form.
func (b *budget) read(v *jsonvalue.Value) bool {
	if v.Kind() == jsonvalue.Number {
		return b.spend(numberSteps(v.Literal()))
	}
	if !b.spend(1 + len(v.Str())/64) {
		return false
	}
	for _, e := range v.Elements() {
		if !b.read(e) {
			return false
		}
	}
	for _, m := range v.Members() {
		if !b.spend(1+len(m.Name)/64) || !b.read(m.Value) {
			return false
		}
	}
	return true
}

// numberSteps is what it costs to compare a number, as a rational, with another: numberMinSteps if it is of usual size, and
// numberMaxSteps if it is as long as it may be.
func numberSteps(literal string) int {
	steps := numberMinSteps + len(literal)/8
	if at := strings.IndexAny(literal, "eE"); at >= 0 {
		if e, err := strconv.Atoi(literal[at+1:]); err == nil {
			steps += min(max(e, -e), numberMaxDigits) / 8
		}
	}
	return min(steps, numberMaxSteps)
}

const (
	numberMinSteps = 8
	numberMaxSteps = numberMinSteps + 2*numberMaxDigits/8
)
