package sample

import (
	"math/bits"
	"math/rand/v2"
	"strings"

	"concord/internal/marc"
)

// A heading is known by its rank: rank 0 came into the catalogue first and is used most. The text of a
// heading follows from seed and rank alone, and two ranks never have the same text; so a record and an
// authority agree on it without a table in memory.

// heading is the text of an authority: the tag it has in its own record, and its parts.
type heading struct {
	tag       string // 100, 110, 150 or 151 of MARC 21 authority
	ind1      byte
	subfields []marc.Subfield
}

// text is the heading in one line, as a list of headings shows it.
func (h heading) text() string {
	parts := make([]string, len(h.subfields))
	for i, s := range h.subfields {
		parts[i] = s.Value
	}
	return strings.Join(parts, " ")
}

// growth says how a catalogue comes by its headings of one sort. Each of the first records brings a new
// one, lest a small catalogue have next to none; after that it is one record in so many.
type growth struct {
	firstBibs   int
	bibsPerHead int
}

var (
	nameGrowth    = growth{firstBibs: 64, bibsPerHead: 2}
	subjectGrowth = growth{firstBibs: 64, bibsPerHead: 8}
)

// known returns how many headings the first bibs records have brought.
func (g growth) known(bibs int) int {
	if bibs <= g.firstBibs {
		return bibs
	}
	return g.firstBibs + (bibs-g.firstBibs+g.bibsPerHead-1)/g.bibsPerHead
}

// bibsFor returns the largest number of records that bring no more than that many headings, of which
// there are firstBibs at least.
func (g growth) bibsFor(headings int) int {
	return g.firstBibs + (headings-g.firstBibs)*g.bibsPerHead
}

// NamesIn returns how many names the first bibs records of a catalogue use: exactly those of rank 0 to
// NamesIn(bibs)-1, each at least once.
func NamesIn(bibs int) int { return nameGrowth.known(bibs) }

// SubjectsIn is to subjects what NamesIn is to names.
func SubjectsIn(bibs int) int { return subjectGrowth.known(bibs) }

// One name in eight is a corporate body, one subject in six a place.
const (
	namesPerBody     = 8
	firstBody        = 5
	subjectsPerPlace = 6
	firstPlace       = 4
)

// The number of different headings that the word lists can make, and so the bounds of a catalogue.
var (
	persons     = len(onsets) * len(middles) * len(endings) * len(forenames) * len(initials)
	placeNames  = len(onsets) * len(middles) * len(placeEndings)
	corporate   = placeNames * len(bodies) * len(units)
	topical     = len(topics) * (len(subdivisions) + 1) * (scopePlaces + 1) * (len(genres) + 1)
	geographic  = placeNames * (len(subdivisions) + 1)
	namesMax    = min(persons/(namesPerBody-1), corporate) * namesPerBody
	subjectsMax = min(topical/(subjectsPerPlace-1), geographic) * subjectsPerPlace
)

// scopePlaces is the number of places that topics are divided by.
const scopePlaces = 40

// name returns the name of that rank.
func (c Catalogue) name(rank int) heading {
	before := (rank + namesPerBody - firstBody - 1) / namesPerBody // corporate bodies of lower rank
	if rank%namesPerBody == firstBody {
		return c.body(before)
	}
	return c.person(rank-before, rank)
}

func (c Catalogue) person(n, rank int) heading {
	pick := digits(c.scatter(n, persons))
	surname := pick.of(onsets) + pick.of(middles) + pick.of(endings)
	a := surname + ", " + pick.of(forenames) + pick.of(initials)
	h := heading{tag: "100", ind1: '1'}
	r := c.stream(nameHeading, rank)
	born := 1820 + r.IntN(170)
	switch chance := r.IntN(100); {
	case chance < 45 && born < 1940:
		h.add('a', a+",").add('d', decimal(born)+"-"+decimal(born+25+r.IntN(60)))
	case chance < 65:
		h.add('a', a+",").add('d', decimal(born)+"-")
	case chance < 70:
		h.add('a', a+",").add('c', "Dr.")
	default:
		h.add('a', a)
	}
	return h
}

func (c Catalogue) body(n int) heading {
	pick := digits(c.scatter(n, corporate))
	h := heading{tag: "110", ind1: '2'}
	a := pick.placeName() + " " + pick.of(bodies)
	if unit := pick.of(units); unit != "" {
		h.add('a', a+".").add('b', unit)
	} else {
		h.add('a', a)
	}
	return h
}

// subject returns the subject of that rank. The plain ones come first, and so are used most; the higher
// the rank, the more it is divided.
func (c Catalogue) subject(rank int) heading {
	before := (rank + subjectsPerPlace - firstPlace - 1) / subjectsPerPlace // places of lower rank
	if rank%subjectsPerPlace == firstPlace {
		h := heading{tag: "151", ind1: ' '}
		h.add('a', c.place(before%placeNames))
		return *h.divide('x', subdivisions, before/placeNames)
	}
	n := rank - before
	topic := (n + int(c.seed%uint64(len(topics)))) % len(topics)
	n /= len(topics)
	h := heading{tag: "150", ind1: ' '}
	h.add('a', topics[topic])
	// The topic turns the list, lest all topics be divided in the same order.
	if x := n % (len(subdivisions) + 1); x > 0 {
		h.add('x', subdivisions[(x+topic)%len(subdivisions)])
	}
	n /= len(subdivisions) + 1
	if z := n % (scopePlaces + 1); z > 0 {
		h.add('z', c.place(z-1))
	}
	return *h.divide('v', genres, n/(scopePlaces+1))
}

// place returns the n-th place name.
func (c Catalogue) place(n int) string {
	pick := digits(c.scatter(n, placeNames))
	return pick.placeName()
}

// add appends a subfield and returns h, so that a heading reads like a line.
func (h *heading) add(code byte, value string) *heading {
	h.subfields = append(h.subfields, marc.Subfield{Code: code, Value: value})
	return h
}

// divide adds the n-th subdivision of list, counting from 1; the 0-th is none.
func (h *heading) divide(code byte, list []string, n int) *heading {
	if n > 0 {
		h.add(code, list[n-1])
	}
	return h
}

// digits is a number that is read as a choice from one list after the other, in mixed radix.
type digits uint64

func (d *digits) of(list []string) string {
	n := digits(len(list))
	choice := list[*d%n]
	*d /= n
	return choice
}

func (d *digits) placeName() string { return d.of(onsets) + d.of(middles) + d.of(placeEndings) }

// scatter maps 0..size-1 onto itself so that neighbours have nothing in common. It is a bijection as
// long as the prime does not divide size, and no list is that long.
func (c Catalogue) scatter(n, size int) uint64 {
	const prime = 2_654_435_761
	return (uint64(n)*prime + c.seed%uint64(size)) % uint64(size)
}

// zipf draws a rank below n, about k times less often for rank k than for the first: Zipf's law with
// exponent 1, in which every octave of ranks is drawn equally often. Whole numbers only, so that the
// same seed gives the same bytes on every machine.
func zipf(r *rand.Rand, n int) int {
	low := 1 << r.IntN(bits.Len(uint(n)))
	return low + r.IntN(min(low, n+1-low)) - 1
}
