package schema

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"concord/actors/problem"
)

// violationsOf tells what the library found, in our words: what it says itself shows the contents of the value.
func violationsOf(found *jsonschema.ValidationError, at string) []problem.FieldError {
	l := list{at: at}
	l.add(found)
	return sorted(l.violations)
}

// list gathers violations. Of far too many it keeps the first ones, for there may be a million.
type list struct {
	at         string
	violations []problem.FieldError
	last       string // path behind which none will be told
}

func (l *list) tell(place []string, format string, args ...any) {
	l.tellAt(l.at+pointer(place), format, args...)
}

func (l *list) tellAt(path, format string, args ...any) {
	if l.last != "" && path > l.last {
		return
	}
	l.violations = append(l.violations, problem.FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
	if len(l.violations) >= 32*violationsMax {
		l.violations = sorted(l.violations)
		if len(l.violations) == violationsMax {
			l.last = l.violations[violationsMax-1].Path
		}
	}
}

// tellBelow tells the same of members of the value at place.
func (l *list) tellBelow(place, names []string, format string, args ...any) {
	above := pointer(place)
	for _, name := range names {
		path := child(above, name)
		if len(path) > pathMaxBytes {
			path = above
		}
		l.tellAt(l.at+path, format, args...)
	}
}

func sorted(v []problem.FieldError) []problem.FieldError {
	slices.SortFunc(v, func(a, b problem.FieldError) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Message, b.Message))
	})
	v = slices.Compact(v)
	return v[:min(len(v), violationsMax)]
}

// add tells e: what has alternatives by one line, all else by its causes.
func (l *list) add(e *jsonschema.ValidationError) {
	place := e.InstanceLocation
	switch k := e.ErrorKind.(type) {
	case *kind.Schema, *kind.Group, *kind.AllOf, *kind.Reference:
		for _, cause := range e.Causes {
			l.add(cause)
		}
	case *kind.AnyOf:
		l.alternatives(e)
	case *kind.OneOf:
		if len(k.Subschemas) == 0 {
			l.alternatives(e)
			return
		}
		l.tell(place, "fits alternatives %d and %d, of which only one is allowed", k.Subschemas[0], k.Subschemas[1])
	case *kind.Required:
		l.tellBelow(place, k.Missing, "is required")
	case *kind.DependentRequired:
		l.tellBelow(place, k.Missing, "is required, since there is %s", short(k.Prop))
	case *kind.Dependency:
		l.tellBelow(place, k.Missing, "is required, since there is %s", short(k.Prop))
	case *kind.AdditionalProperties:
		l.tellBelow(place, k.Properties, "is not allowed here")
	default:
		l.tell(place, "%s", message(e.ErrorKind))
	}
}

// alternatives tells what is wrong by the only alternative that is for values of this type, or else that none fits.
func (l *list) alternatives(e *jsonschema.ValidationError) {
	var near []*jsonschema.ValidationError
	for _, cause := range e.Causes {
		if !otherType(cause, len(e.InstanceLocation)) {
			near = append(near, cause)
		}
	}
	if len(near) == 1 {
		l.add(near[0])
		return
	}
	l.tell(e.InstanceLocation, "fits none of the %d alternatives", len(e.Causes))
}

// otherType says if e is about the type of the value at a place of this length.
func otherType(e *jsonschema.ValidationError, length int) bool {
	for len(e.Causes) == 1 {
		if _, ok := e.ErrorKind.(*kind.Reference); !ok {
			break
		}
		e = e.Causes[0]
	}
	_, ok := e.ErrorKind.(*kind.Type)
	return ok && len(e.InstanceLocation) == length
}

// message is the text for what the library found. It quotes the schema where that is short, and never the value.
func message(found jsonschema.ErrorKind) string {
	switch k := found.(type) {
	case *kind.FalseSchema:
		return "is not allowed here"
	case *kind.Type:
		return "must be " + strings.Join(k.Want, " or ")
	case *kind.Const:
		return "is not the one value that is allowed"
	case *kind.Enum:
		return fmt.Sprintf("is none of the %d values that are allowed", len(k.Want))
	case *kind.Not:
		return "fits what it must not fit"
	case *kind.Pattern:
		return "does not match " + short(k.Want)
	case *kind.PropertyNames:
		return "has a name that is not allowed"
	case *kind.Format:
		return "is not in the format " + short(k.Want)
	}
	if text := numberMessage(found); text != "" {
		return text
	}
	return sizeMessage(found)
}

func numberMessage(found jsonschema.ErrorKind) string {
	switch k := found.(type) {
	case *kind.Minimum:
		return "must be at least " + decimal(k.Want)
	case *kind.Maximum:
		return "must be at most " + decimal(k.Want)
	case *kind.ExclusiveMinimum:
		return "must be more than " + decimal(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + decimal(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + decimal(k.Want)
	}
	return ""
}

func sizeMessage(found jsonschema.ErrorKind) string {
	switch k := found.(type) {
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters", k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d elements", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d elements", k.Want)
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %d members", k.Want)
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d members", k.Want)
	case *kind.UniqueItems:
		return fmt.Sprintf("must not have equal elements, such as %d and %d", k.Duplicates[0], k.Duplicates[1])
	case *kind.Contains:
		return "has no element of the kind that it must contain"
	case *kind.MinContains:
		return fmt.Sprintf("must have at least %d elements of a kind, and has %d", k.Want, len(k.Got))
	case *kind.MaxContains:
		return fmt.Sprintf("must have at most %d elements of a kind, and has %d", k.Want, len(k.Got))
	default:
		return "does not fit the schema"
	}
}

// decimal is the exact number if that is short.
func decimal(r *big.Rat) string {
	digits, exact := r.FloatPrec()
	if !exact {
		return "the limit"
	}
	return short(r.FloatString(digits))
}

// short is a text of the schema, without its end if it is long.
func short(text string) string {
	if len(text) <= shortMaxBytes {
		return text
	}
	return strings.ToValidUTF8(text[:shortMaxBytes], "") + "..."
}
