package sample

import (
	"math/rand/v2"
	"strconv"

	"concord/internal/marc"
)

// Catalogue is a made-up catalogue. Its records follow from the seed and their number alone: the same
// on every machine, in any order, however many are asked for. Its methods may be called concurrently.
type Catalogue struct {
	seed uint64
}

// New returns the catalogue of that seed.
func New(seed uint64) Catalogue { return Catalogue{seed} }

// Authority is an authority record and what it says: the source file that it belongs to, and its
// heading in one line.
type Authority struct {
	Source    string // "names" or "subjects"
	NaturalID string
	Heading   string
	Tag       string // 100, 110, 150 or 151
	Record    marc.Record
}

const (
	namesSource    = "names"
	subjectsSource = "subjects"

	// The prefixes of ids; those of authorities are letters only, as the code of a source file must be.
	bibPrefix     = "smb"
	namePrefix    = "smn"
	subjectPrefix = "sms"
	datasetPrefix = "smd"
)

// Name returns the authority record of the name of that rank, from 0. The rank is below [NamesMax].
func (c Catalogue) Name(rank int) Authority {
	b := builder{r: c.stream(nameRecord, rank)}
	return b.authority(namesSource, numbered(namePrefix, rank), c.name(rank))
}

// Subject returns the authority record of the subject of that rank, from 0, below [SubjectsMax].
func (c Catalogue) Subject(rank int) Authority {
	b := builder{r: c.stream(subjectRecord, rank)}
	return b.authority(subjectsSource, numbered(subjectPrefix, rank), c.subject(rank))
}

// NamesMax returns the number of different names that there are.
func NamesMax() int { return namesMax }

// SubjectsMax returns the number of different subjects that there are.
func SubjectsMax() int { return subjectsMax }

// BibsMax returns the number of records of a catalogue, which the headings bound.
func BibsMax() int { return min(nameGrowth.bibsFor(namesMax), subjectGrowth.bibsFor(subjectsMax)) }

func (b *builder) authority(source, id string, h heading) Authority {
	b.rec.Leader = "00000nz  a2200000n  4500"
	entered := b.date()
	b.control("001", id)
	b.control("003", "SMPL")
	b.control("005", b.timestamp())
	b.control("008", entered[2:]+"n||aznnnaabn          |a aaa     d")
	b.data("040", "  ", "a", "SMPL", "b", "eng", "c", "SMPL")
	b.heading(h.tag, h.ind1, ' ', h)
	if b.chance(30) {
		// A see-from tracing: the heading as a reader might look for it.
		b.data("4"+h.tag[1:], string(h.ind1)+" ", "a", h.subfields[0].Value+" (variant)")
	}
	b.data("670", "  ", "a", b.oneOf(publishers)+", "+decimal(1900+b.r.IntN(125)), "b", "(p. "+decimal(1+b.r.IntN(400))+")")
	return Authority{Source: source, NaturalID: id, Heading: h.text(), Tag: h.tag, Record: b.rec}
}

// stream tells apart the random numbers that are drawn for different things of the same number.
type stream uint64

const (
	bibRecord stream = (iota + 1) << 32
	nameHeading
	nameRecord
	subjectRecord
	datasetRecord
)

func (c Catalogue) stream(s stream, n int) *rand.Rand {
	return rand.New(rand.NewPCG(c.seed, uint64(s)+uint64(n)))
}

// numbered returns the n-th id with that prefix, counting from 1.
func numbered(prefix string, n int) string { return prefix + padded(n+1, 8) }

func decimal(n int) string { return strconv.Itoa(n) }

// padded returns n with leading zeros, in width digits at least.
func padded(n, width int) string {
	s := strconv.Itoa(n)
	for len(s) < width {
		s = "0" + s
	}
	return s
}
