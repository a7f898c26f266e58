package rules

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

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

// required is an object that must have the members named.
func required(o object, names ...string) reader {
	return func(v *jsonvalue.Value, path string) error {
		if err := o.read(v, path); err != nil {
			return err
		}
		for _, name := range names {
			if _, given := v.Get(name); !given {
				return problem.At(path+"/"+name, "is missing")
			}
		}
		return nil
	}
}

// orNull takes null for left out.
func orNull(read reader) reader {
	return func(v *jsonvalue.Value, path string) error {
		if v.Kind() == jsonvalue.Null {
			return nil
		}
		return read(v, path)
	}
}

func text(into *string) reader {
	return func(v *jsonvalue.Value, path string) error {
		if v.Kind() != jsonvalue.String {
			return problem.At(path, "must be a string")
		}
		*into = v.Str()
		return nil
	}
}

func pointer(into *jsonvalue.Pointer) reader {
	return func(v *jsonvalue.Value, path string) error {
		var s string
		if err := text(&s)(v, path); err != nil {
			return err
		}
		p, err := jsonvalue.ParsePointer(s)
		if err != nil {
			return problem.At(path, "must be a JSON Pointer: %v", err)
		}
		*into = p
		return nil
	}
}
