package schema

import (
	"encoding/json"
	"maps"
	"math/big"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"concord/actors/jsonvalue"
)

// rule is one schema, reduced to what is work in it. It applies other rules to the value itself, to its members or to its
// elements; which of them the library would skip is not known beforehand, so that all of them count.
type rule struct {
	place string // JSON Pointer in the schema
	kinds uint   // bits of the kinds of values that it looks at; 0: all

	inPlace    []*rule
	properties map[string]*rule
	otherwise  *rule   // for members that properties does not name
	members    []*rule // for any member
	names      *rule   // for the name of any member
	prefix     []*rule
	elements   []*rule // for any element

	values         int // in const and enum
	constants      int // numbers among them
	limits         int // to compare a number with
	required       int // names that are looked for in an object
	instructions   int // of the pattern, and of those of names
	nameProgram    int
	countsLetters  bool // of a string
	readsThrough   bool // looks at all that is in an array
	cost           int  // evaluations for one value; 0: not known yet
	beingEvaluated bool
}

// plan makes the rules of the compiled schema. It refuses one that applies a schema to the same value without end, or more
// often than schemaCostMax.
func (s *Schema) plan() error {
	known := map[*jsonschema.Schema]*rule{}
	s.root = ruleOf(s.compiled, known)
	for in := range known {
		s.unevaluated = s.unevaluated || in.UnevaluatedItems != nil || in.UnevaluatedProperties != nil
		replaceAssertions(in)
	}
	byPlace := slices.SortedFunc(maps.Values(known), func(a, b *rule) int { return strings.Compare(a.place, b.place) })
	for _, r := range byPlace {
		if err := r.price(); err != nil {
			return err
		}
	}
	return nil
}

func (r *rule) price() error {
	if r.cost > 0 {
		return nil
	}
	if r.beingEvaluated {
		return &Error{r.place, "is applied to the same value again and again, without end"}
	}
	r.beingEvaluated = true
	cost := 1
	for _, in := range r.inPlace {
		if err := in.price(); err != nil {
			return err
		}
		cost += in.cost
		if cost > schemaCostMax {
			return &Error{r.place, "applies too many schemas to one value"}
		}
	}
	r.cost, r.beingEvaluated = cost, false
	return nil
}

func ruleOf(s *jsonschema.Schema, known map[*jsonschema.Schema]*rule) *rule {
	if s == nil {
		return nil
	}
	if r, ok := known[s]; ok {
		return r
	}
	r := &rule{place: placeOf(s)}
	known[s] = r
	of := func(s *jsonschema.Schema) *rule { return ruleOf(s, known) }
	all := func(list []*jsonschema.Schema) (rules []*rule) {
		for _, s := range list {
			if s != nil {
				rules = append(rules, of(s))
			}
		}
		return rules
	}
	r.inPlace = all(inPlaceOf(s))
	r.properties = make(map[string]*rule, len(s.Properties))
	for name, property := range s.Properties {
		r.properties[name] = of(property)
	}
	if additional, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		r.otherwise = of(additional)
	}
	r.members = all(append(slices.Collect(maps.Values(s.PatternProperties)), s.UnevaluatedProperties))
	r.names = of(s.PropertyNames)
	r.prefix = all(s.PrefixItems)
	r.elements = all([]*jsonschema.Schema{s.Items2020, s.Contains, s.UnevaluatedItems})
	r.weigh(s)
	return r
}

// inPlaceOf are the schemas that s applies to the same value; some are nil.
func inPlaceOf(s *jsonschema.Schema) []*jsonschema.Schema {
	list := slices.Concat(s.AllOf, s.AnyOf, s.OneOf, []*jsonschema.Schema{s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else})
	if s.DynamicRef != nil {
		// There is one $id, hence one anchor of the name: it is the target whoever refers to it.
		list = append(list, s.DynamicRef.Ref)
	}
	for _, dependent := range s.Dependencies {
		if d, ok := dependent.(*jsonschema.Schema); ok {
			list = append(list, d)
		}
	}
	return slices.AppendSeq(list, maps.Values(s.DependentSchemas))
}

// placeOf is the fragment of the location. It unescapes, for the library has escaped it.
func placeOf(s *jsonschema.Schema) string {
	_, fragment, _ := strings.Cut(s.Location, "#")
	place, err := url.PathUnescape(fragment)
	if err != nil {
		return ""
	}
	return place
}

// weigh fills in what the assertions of the schema itself cost.
func (r *rule) weigh(s *jsonschema.Schema) {
	if s.Types != nil {
		for _, name := range s.Types.ToStrings() {
			r.kinds |= 1 << kindsByType[name]
			if name == "integer" {
				r.limits++
			}
		}
	}
	if s.Const != nil {
		r.weighValue(*s.Const)
	}
	if s.Enum != nil {
		r.weighValue(s.Enum.Values)
	}
	for _, limit := range []*big.Rat{s.Minimum, s.Maximum, s.ExclusiveMinimum, s.ExclusiveMaximum, s.MultipleOf} {
		if limit != nil {
			r.limits += 1 + (limit.Num().BitLen()+limit.Denom().BitLen())/128
		}
	}
	r.required = len(s.Required)
	for _, names := range s.DependentRequired {
		r.required += 1 + len(names)
	}
	if s.Pattern != nil {
		r.instructions = s.Pattern.(program).instructions
	}
	for p := range s.PatternProperties {
		r.nameProgram += p.(program).instructions
	}
	r.countsLetters = s.MinLength != nil || s.MaxLength != nil
	r.readsThrough = s.UniqueItems
}

func (r *rule) weighValue(v any) {
	r.values++
	switch v := v.(type) {
	case json.Number:
		r.constants += numberSteps(v.String()) / numberMinSteps
	case []any:
		for _, e := range v {
			r.weighValue(e)
		}
	case map[string]any:
		for _, m := range v {
			r.weighValue(m)
		}
	}
}

var kindsByType = map[string]jsonvalue.Kind{
	"null": jsonvalue.Null, "boolean": jsonvalue.Bool, "number": jsonvalue.Number, "integer": jsonvalue.Number,
	"string": jsonvalue.String, "array": jsonvalue.Array, "object": jsonvalue.Object,
}
