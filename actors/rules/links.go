package rules

import (
	"strconv"

	"concord/actors/jsonvalue"
	"concord/actors/links"
	"concord/actors/problem"
)

// Links is what a type says of links to authorities. In None they are followed, an unknown authority is refused, and the
// rules are the default ones.
type Links struct {
	Off    bool         // nothing is a link
	Accept bool         // a link to an authority that is not there yet is taken, and waits for it
	Rules  *links.Rules // which MARC fields can be linked
}

// onUnknown is what becomes of a link to an authority that is not there.
type onUnknown string

const (
	refuse onUnknown = "refuse"
	accept onUnknown = "accept"
)

func linksObject(l *Links) reader {
	return func(v *jsonvalue.Value, path string) error {
		enabled, unknown := !l.Off, refuse
		err := object{
			{"enabled", boolean(&enabled)},
			{"unknownAuthority", choice(&unknown, refuse, accept)},
			{"rules", linkRules(&l.Rules)},
		}.read(v, path)
		l.Off, l.Accept = !enabled, unknown == accept
		return err
	}
}

// linkRules is a whole list in place of the default one: the empty one lets no MARC field be linked.
func linkRules(into **links.Rules) reader {
	return func(v *jsonvalue.Value, path string) error {
		if v.Kind() != jsonvalue.Array {
			return problem.At(path, "must be an array of linking rules")
		}
		if v.Len() > links.RulesMax {
			return problem.At(path, "must have at most %d rules", links.RulesMax)
		}
		list := make([]links.Rule, v.Len())
		for i, element := range v.Elements() {
			if err := linkRule(&list[i])(element, path+"/"+strconv.Itoa(i)); err != nil {
				return err
			}
		}
		compiled, p := links.NewRules(list, path)
		if p != nil {
			return p
		}
		*into = compiled
		return nil
	}
}

// linkRule reads one rule. What tags and codes may be, links.NewRules says.
func linkRule(into *links.Rule) reader {
	into.Auto = true
	return required(object{
		{"bib", text(&into.Bib)},
		{"authority", text(&into.Authority)},
		{"subfields", text(&into.Subfields)},
		{"require", mapOf(&into.Require, boolean)},
		{"move", mapOf(&into.Move, text)},
		{"auto", boolean(&into.Auto)},
	}, "bib", "authority", "subfields")
}

// mapOf is an object with any names.
func mapOf[T any](into *map[string]T, element func(*T) reader) reader {
	return func(v *jsonvalue.Value, path string) error {
		if v.Kind() != jsonvalue.Object {
			return problem.At(path, "must be an object")
		}
		*into = make(map[string]T, v.Len())
		for _, m := range v.Members() {
			var t T
			if len(m.Name) > nameMaxBytes {
				return problem.At(path, "has a member with a name of %d bytes", len(m.Name))
			}
			if err := element(&t)(m.Value, path+jsonvalue.Pointer{m.Name}.String()); err != nil {
				return err
			}
			(*into)[m.Name] = t
		}
		return nil
	}
}
