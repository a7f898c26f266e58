package lookup

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"concord/actors/jsonvalue"
	"concord/actors/lookup/lookuppb"
	"concord/actors/problem"
)

// Terms are what metadata are found by under the set, in the form in which the state of a collection keeps them: nil if the
// set has nothing. nil metadata have no terms. What has more than its bounds is `too-large`: what is left out of an index
// would make its answers wrong.
func (s *Set) Terms(metadata *jsonvalue.Value) ([]byte, *problem.Problem) {
	if s == nil {
		return nil, nil
	}
	m := &lookuppb.Terms{Fingerprint: s.Fingerprint}
	var c counting
	for _, l := range s.Lookups {
		terms := c.terms(l, metadata)
		if c.refused != nil {
			return nil, c.refused
		}
		if len(terms) > 0 {
			m.Found = append(m.Found, &lookuppb.Found{Lookup: l.Number, Terms: slices.Sorted(maps.Keys(terms))})
		}
	}
	slices.SortFunc(m.Found, func(a, b *lookuppb.Found) int { return cmp.Compare(a.GetLookup(), b.GetLookup()) })
	b, err := proto.Marshal(m)
	if err != nil {
		panic("lookup: terms of JSON values are valid UTF-8: " + err.Error())
	}
	return b, nil
}

// fingerprintField is the number of Terms.fingerprint.
const fingerprintField = 1

// Fingerprint is that of the set that terms were made under; 0 of none.
func Fingerprint(terms []byte) uint64 {
	for b := terms; len(b) > 0; {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return 0
		}
		if b = b[n:]; number == fingerprintField && kind == protowire.Fixed64Type {
			print, _ := protowire.ConsumeFixed64(b)
			return print
		}
		if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
			return 0
		}
		b = b[n:]
	}
	return 0
}

// counting is the bounds of one collection on their way.
type counting struct {
	found   int
	values  int
	refused *problem.Problem
}

// terms are those under one lookup.
func (c *counting) terms(l *Lookup, metadata *jsonvalue.Value) map[string]struct{} {
	terms := make(map[string]struct{})
	if metadata == nil {
		return terms
	}
	if !l.Key {
		c.walk(l, metadata, l.Paths[0].below, terms)
		return terms
	}
	values := make([]*jsonvalue.Value, len(l.Paths))
	for i, p := range l.Paths {
		v, ok := metadata.At(p.below)
		if !ok || !Scalar(v) {
			return terms
		}
		values[i] = v
	}
	c.add(l, Term(values...), terms)
	return terms
}

// walk goes down the path of an index.
func (c *counting) walk(l *Lookup, v *jsonvalue.Value, rest jsonvalue.Pointer, terms map[string]struct{}) {
	for ; len(rest) > 0 && c.refused == nil; rest = rest[1:] {
		if rest[0] != jsonvalue.AnyToken {
			below, ok := v.At(rest[:1])
			if !ok {
				return
			}
			v = below
			continue
		}
		for _, m := range v.Members() {
			c.walk(l, m.Value, rest[1:], terms)
		}
		for _, e := range v.Elements() {
			c.walk(l, e, rest[1:], terms)
		}
		return
	}
	if c.refused == nil && Scalar(v) {
		c.add(l, Term(v), terms)
	}
}

func (c *counting) add(l *Lookup, term string, terms map[string]struct{}) {
	if _, known := terms[term]; !known {
		terms[term] = struct{}{}
		c.found++
	}
	c.values++
	switch at := l.Paths[0].Text; {
	case c.found > termsMax:
		c.refused = tooMany(at, "the metadata have more than %d values that they are found by", termsMax)
	case c.values > valuesMax:
		c.refused = tooMany(at, "keys and indexes lead to more than %d values of the metadata", valuesMax)
	}
}

func tooMany(path, format string, limit int) *problem.Problem {
	p := problem.New(problem.TooLarge, format, limit).With("limit", limit)
	p.Errors = []problem.FieldError{{Path: path, Message: p.Detail}}
	return p
}

// Scalar says that the value can be looked up.
func Scalar(v *jsonvalue.Value) bool {
	return v.Kind() != jsonvalue.Array && v.Kind() != jsonvalue.Object
}

// clearMaxBytes is how long what a term says may be to stand in it as it is.
const clearMaxBytes = 40

// hashBytes is how much of a SHA-256 stands for what is longer: nobody can make two values that share it.
const hashBytes = 20

// Term is what scalars are found by, of an index one, of a key those of its paths in their order: equal ones share it, and no
// others. It is short, and has no NUL.
func Term(values ...*jsonvalue.Value) string {
	text := scalar(values[0])
	if len(values) > 1 {
		var all strings.Builder
		for _, v := range values {
			one := scalar(v)
			all.WriteString(strconv.Itoa(len(one)) + ":" + one)
		}
		text = all.String()
	}
	if len(text) <= clearMaxBytes && strings.IndexByte(text, 0) < 0 {
		return "=" + text
	}
	hash := sha256.Sum256([]byte(text))
	return "#" + hex.EncodeToString(hash[:hashBytes])
}

// scalar is a text that equal scalars share: a letter for the kind, and the value.
func scalar(v *jsonvalue.Value) string {
	switch v.Kind() {
	case jsonvalue.String:
		return "s" + v.Str()
	case jsonvalue.Number:
		return "n" + jsonvalue.CanonicalNumber(v.Literal())
	case jsonvalue.Bool, jsonvalue.Null, jsonvalue.Array, jsonvalue.Object:
	}
	return "l" + v.Literal()
}
