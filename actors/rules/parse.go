package rules

import (
	"crypto/sha256"
	"errors"

	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/lock"
	"concord/actors/lookup"
	"concord/actors/problem"
)

// Parse reads the text of a collection type. Every part is optional; what is left out is as in None. It is strict: an
// unknown member, a wrong kind of value and anything out of bounds are an `invalid` *problem.Problem that names the
// place by its JSON Pointer; the type is None then. Times are seconds, kept to the microsecond. Texts of one JSON value
// set the same. Parse compiles rules and schemas: see Memo.
func Parse(text []byte) (*Type, error) {
	root, err := jsonvalue.Parse(text)
	if err != nil {
		return None, syntax(err)
	}
	t := *None
	var keys, indexes []*lookup.Lookup
	t.Hash = sha256.Sum256(text)
	err = object{
		{"lock", lockObject(&t.Lock)},
		{"requireVersion", boolean(&t.RequireVersion)},
		{"conflict", conflictObject(&t.Conflict)},
		{"schemas", schemasObject(&t.Schemas)},
		{"keys", parsed(&keys, lookup.ParseKeys)},
		{"indexes", parsed(&indexes, lookup.ParseIndexes)},
		{"fields", parsed(&t.Fields, fields.ParseAliases)},
		{"links", linksObject(&t.Links)},
	}.read(root, "")
	if err != nil {
		return None, err
	}
	if err := t.Lock.Validate(); err != nil {
		return None, explained(err, root)
	}
	t.Lookups = lookup.NewSet(keys, indexes)
	return &t, nil
}

// parsed is a part that another package reads.
func parsed[T any](into *T, parse func(*jsonvalue.Value, string) (T, *problem.Problem)) reader {
	return func(v *jsonvalue.Value, path string) error {
		read, refused := parse(v, path)
		if refused != nil {
			return refused
		}
		*into = read
		return nil
	}
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

// status is what a caller is told of a lock.
func status(into *int) reader {
	return func(v *jsonvalue.Value, path string) error {
		if err := count(into)(v, path); err != nil || *into != 409 && *into != 423 {
			return problem.At(path, "must be 409 or 423")
		}
		return nil
	}
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
