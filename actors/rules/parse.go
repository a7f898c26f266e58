package rules

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"concord/actors/jsonvalue"
	"concord/actors/lock"
	"concord/actors/problem"
)

// later are parts of a collection type that this version does not offer: they are refused, not ignored.
var later = []string{"conflict", "schemas", "keys", "indexes", "fields", "links"}

// Parse reads the text of a collection type. Every part is optional; what is left out is as in None. It is strict: an
// unknown member, a wrong kind of value and anything out of bounds are an `invalid` *problem.Problem that names the
// place by its JSON Pointer. Times are seconds, kept to the microsecond. Texts of one JSON value set the same.
func Parse(text []byte) (Type, error) {
	root, err := jsonvalue.Parse(text)
	if err != nil {
		return None, syntax(err)
	}
	for _, name := range later {
		if _, given := root.Get(name); given {
			return None, problem.At("/"+name, "this version of Concord does not offer %q in a collection type yet: leave it out", name)
		}
	}
	t := None
	err = object{
		{"lock", lockObject(&t.Lock)},
		{"requireVersion", boolean(&t.RequireVersion)},
	}.read(root, "")
	if err != nil {
		return None, err
	}
	if err := t.Lock.Validate(); err != nil {
		return None, explained(err, root)
	}
	return t, nil
}

func lockObject(s *lock.Settings) reader {
	return object{
		{"mode", choice(&s.Mode, lock.Implicit, lock.Explicit, lock.Optimistic)},
		{"ttl", seconds(&s.TTL)},
		{"minTtl", seconds(&s.MinTTL)},
		{"maxTtl", seconds(&s.MaxTTL)},
		{"maxWaiters", count(&s.MaxWaiters)},
		{"waiterTtl", seconds(&s.WaiterTTL)},
		{"offerWindow", seconds(&s.OfferWindow)},
		{"contest", object{
			{"deadline", seconds(&s.ContestDeadline)},
			{"onTimeout", choice(&s.OnTimeout, lock.KeepOnTimeout, lock.ReleaseOnTimeout)},
			{"cooldown", seconds(&s.Cooldown)},
		}.read},
		{"lockedStatus", status(&s.LockedStatus)},
	}.read
}

// syntax turns an error of the JSON reader into a problem that names the place.
func syntax(err error) error {
	if s, ok := errors.AsType[*jsonvalue.SyntaxError](err); ok {
		return problem.At(s.Path, "%s at byte %d", s.Reason, s.Offset)
	}
	return problem.At("", "%v", err)
}

// explained adds to a refusal of something that the text does not hold that it is the default which does not fit.
func explained(err error, root *jsonvalue.Value) error {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || len(p.Errors) != 1 {
		return err
	}
	place, err := jsonvalue.ParsePointer(p.Errors[0].Path)
	if err != nil {
		return p
	}
	if _, given := root.At(place); given {
		return p
	}
	return problem.At(p.Errors[0].Path, "%s; this is the default: set it, too", p.Errors[0].Message)
}

// reader takes a value into what it was made for. path is the JSON Pointer of the value.
type reader func(v *jsonvalue.Value, path string) error

// object are all members that an object may have; none must be there.
type object []member

type member struct {
	name string
	read reader
}

func (o object) read(v *jsonvalue.Value, path string) error {
	if v.Kind() != jsonvalue.Object {
		return problem.At(path, "must be an object")
	}
	for _, m := range v.Members() {
		i := slices.IndexFunc(o, func(known member) bool { return known.name == m.Name })
		if i < 0 {
			return o.unknown(path, m.Name)
		}
		if err := o[i].read(m.Value, path+"/"+m.Name); err != nil {
			return err
		}
	}
	return nil
}

// nameMaxBytes is how long an unknown name may be to be repeated in the refusal.
const nameMaxBytes = 256

func (o object) unknown(path, name string) error {
	if len(name) > nameMaxBytes {
		return problem.At(path, "an unknown member, with a name of %d bytes", len(name))
	}
	path += jsonvalue.Pointer{name}.String()
	names := make([]string, len(o))
	for i, known := range o {
		if names[i] = known.name; strings.EqualFold(known.name, name) {
			return problem.At(path, "names are exact: %q is meant", known.name)
		}
	}
	return problem.At(path, "unknown member; known are %s", strings.Join(names, ", "))
}

func boolean(into *bool) reader {
	return func(v *jsonvalue.Value, path string) error {
		if v.Kind() != jsonvalue.Bool {
			return problem.At(path, "must be true or false")
		}
		*into = v.Bool()
		return nil
	}
}

func choice[S ~string](into *S, values ...S) reader {
	return func(v *jsonvalue.Value, path string) error {
		if v.Kind() != jsonvalue.String || !slices.Contains(values, S(v.Str())) {
			names := make([]string, len(values))
			for i, value := range values {
				names[i] = strconv.Quote(string(value))
			}
			return problem.At(path, "must be one of %s", strings.Join(names, ", "))
		}
		*into = S(v.Str())
		return nil
	}
}

// secondsMax is what a time can be read as; its own bounds are narrower.
const secondsMax = 1_000_000_000

func seconds(into *time.Duration) reader {
	return func(v *jsonvalue.Value, path string) error {
		if v.Kind() != jsonvalue.Number {
			return problem.At(path, "must be a number of seconds")
		}
		most := strconv.Itoa(secondsMax)
		if jsonvalue.CompareNumbers(v.Literal(), "0") < 0 || jsonvalue.CompareNumbers(v.Literal(), most) > 0 {
			return problem.At(path, "must be a number of seconds from 0 to %s", most)
		}
		f, _ := strconv.ParseFloat(v.Literal(), 64) // within its range by now
		*into = time.Duration(math.Round(f*1e6)) * time.Microsecond
		return nil
	}
}

// count is a whole number by its value: 64.0 is one.
func count(into *int) reader {
	return func(v *jsonvalue.Value, path string) error {
		if v.Kind() != jsonvalue.Number {
			return problem.At(path, "must be a whole number")
		}
		f, _ := strconv.ParseFloat(v.Literal(), 64)
		n := int(max(min(f, math.MaxInt32), -1))
		if n < 0 || jsonvalue.CompareNumbers(v.Literal(), strconv.Itoa(n)) != 0 {
			return problem.At(path, "must be a whole number from 0 to %d", math.MaxInt32)
		}
		*into = n
		return nil
	}
}

// status is what a caller is told of a lock.
func status(into *int) reader {
	return func(v *jsonvalue.Value, path string) error {
		if err := count(into)(v, path); err != nil || *into != 409 && *into != 423 {
			return problem.At(path, "must be 409 or 423")
		}
		return nil
	}
}
