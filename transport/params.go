package transport

import (
	"strconv"
	"time"
	"unicode/utf8"

	"concord/actors/problem"
)

// CheckParams judges the parameters of a request by the operation's list: names, number, type. Both APIs come through
// here, so that a parameter means the same over both.
func CheckParams(r *Request) error {
	for name, values := range r.Params {
		p := r.Op.param(name)
		switch {
		case p == nil:
			return problem.At(name, "%s has no parameter of this name", r.Op.Name)
		case len(values) > 1 && !p.Repeat:
			return problem.At(name, "is given %d times", len(values))
		}
		for _, v := range values {
			if !p.Type.fits(v) {
				return problem.At(name, "must be %s", p.Type.words())
			}
		}
	}
	return nil
}

func (op *Operation) param(name string) *Param {
	for i := range op.Params {
		if op.Params[i].Name == name {
			return &op.Params[i]
		}
	}
	return nil
}

func (t ParamType) fits(v string) bool {
	switch t {
	case TypeInteger:
		_, err := strconv.ParseUint(v, 10, 53)
		return err == nil
	case TypeBoolean:
		return v == "true" || v == "false"
	case TypeTime:
		_, err := time.Parse(time.RFC3339Nano, v)
		return err == nil
	default:
		return utf8.ValidString(v)
	}
}

func (t ParamType) words() string {
	switch t {
	case TypeInteger:
		return "a whole number from 0 on"
	case TypeBoolean:
		return "true or false"
	case TypeTime:
		return "an RFC 3339 time, such as 2026-01-31T12:00:00Z"
	default:
		return "a string of valid UTF-8"
	}
}
