package sample

import (
	"math/rand/v2"
	"strings"

	"concord/internal/marc"
)

// builder makes one record, field by field in the order of the record.
type builder struct {
	rec marc.Record
	r   *rand.Rand
}

func (b *builder) control(tag, value string) {
	b.rec.Fields = append(b.rec.Fields, marc.Field{Tag: tag, Value: value})
}

// data adds a data field with two indicators and subfields given as code, value, code, value. A
// subfield with an empty value is left out.
func (b *builder) data(tag, indicators string, parts ...string) {
	f := marc.Field{Tag: tag, Ind1: indicators[0], Ind2: indicators[1], Subfields: make([]marc.Subfield, 0, len(parts)/2)}
	for i := 0; i < len(parts); i += 2 {
		if parts[i+1] != "" {
			f.Subfields = append(f.Subfields, marc.Subfield{Code: parts[i][0], Value: parts[i+1]})
		}
	}
	b.rec.Fields = append(b.rec.Fields, f)
}

// heading adds a field with the subfields of h exactly as they are, and others behind them.
func (b *builder) heading(tag string, ind1, ind2 byte, h heading, more ...marc.Subfield) {
	b.rec.Fields = append(b.rec.Fields, marc.Field{Tag: tag, Ind1: ind1, Ind2: ind2, Subfields: append(h.subfields, more...)})
}

// chance is true in percent of the cases.
func (b *builder) chance(percent int) bool { return b.r.IntN(100) < percent }

func (b *builder) oneOf(list []string) string { return list[b.r.IntN(len(list))] }

// some joins between low and high elements of list, none twice.
func (b *builder) some(list []string, low, high int, between string) string {
	parts := make([]string, min(low+b.r.IntN(high-low+1), len(list)))
	for i, k := range b.r.Perm(len(list))[:len(parts)] {
		parts[i] = list[k]
	}
	return strings.Join(parts, between)
}

// date draws a day, yyyymmdd.
func (b *builder) date() string {
	return decimal(1988+b.r.IntN(37)) + padded(1+b.r.IntN(12), 2) + padded(1+b.r.IntN(28), 2)
}

// timestamp draws a value of field 005.
func (b *builder) timestamp() string {
	return b.date() + padded(b.r.IntN(24), 2) + padded(b.r.IntN(60), 2) + padded(b.r.IntN(60), 2) + ".0"
}

// isbn13 draws an ISBN with its check digit (ISO 2108).
func (b *builder) isbn13() string {
	s := "978" + padded(b.r.IntN(1_000_000_000), 9)
	sum := 0
	for i := range len(s) {
		weight := 1 + 2*(i%2)
		sum += weight * int(s[i]-'0')
	}
	return s + decimal((10-sum%10)%10)
}

// issn draws an ISSN with its check character (ISO 3297).
func (b *builder) issn() string {
	s := padded(b.r.IntN(10_000_000), 7)
	sum := 0
	for i := range len(s) {
		sum += (8 - i) * int(s[i]-'0')
	}
	return s[:4] + "-" + s[4:] + string("0123456789X"[(11-sum%11)%11])
}
