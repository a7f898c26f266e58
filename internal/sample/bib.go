package sample

import (
	"slices"
	"strings"
	"unicode/utf8"

	"concord/internal/marc"
)

const (
	extraNamesMax    = 5
	extraSubjectsMax = 4
)

// Bib returns the bibliographic record of that number, from 0 and below [BibsMax]. Its headings
// (100, 110, 700, 710, 650, 651) have exactly the subfields of the authorities [Catalogue.Name] and
// [Catalogue.Subject], and behind them at most a relator ($4). The lengths in its leader are 0.
func (c Catalogue) Bib(n int) marc.Record {
	b := &bib{builder: builder{r: c.stream(bibRecord, n)}, c: c}
	b.kind = b.drawKind()
	b.minimal = b.chance(25)
	b.lang = languages[zipf(b.r, len(languages))]
	b.year = 2024 - zipf(b.r, 200)
	b.names = b.ranks(n, nameGrowth, extraNamesMax)
	b.subjects = b.ranks(n, subjectGrowth, extraSubjectsMax)
	b.drawTitle()

	b.fixed(n)
	b.kind.numbers(b)
	if !b.minimal {
		b.data("035", "  ", "a", "(SMPL)"+decimal(n+1))
	}
	b.data("040", "  ", "a", "SMPL", "b", "eng", "e", "rda", "c", "SMPL")
	if !b.minimal {
		b.data("050", " 4", "a", b.kind.class+decimal(1+b.r.IntN(9000)), "b", "."+initial(b.title)+decimal(11+b.r.IntN(88))+" "+decimal(b.year))
	}
	b.mainEntry()
	b.description()
	if !b.minimal {
		b.types()
		b.kind.notes(b)
	}
	b.addedEntries()
	if !b.minimal {
		b.data("852", "8 ", "b", b.oneOf(branches), "h", b.kind.class+decimal(1+b.r.IntN(999)), "p", padded(b.r.IntN(2_000_000_000), 14))
	}
	b.original()
	return b.rec
}

// fixed adds the leader and 00X.
func (b *bib) fixed(n int) {
	level := " "
	if b.minimal {
		level = "7"
	}
	b.rec.Leader = "00000n" + b.kind.leader + "a2200000" + level + "i 4500"
	b.rec.Fields = make([]marc.Field, 0, 32)
	b.control("001", numbered(bibPrefix, n))
	b.control("003", "SMPL")
	b.control("005", b.timestamp())
	if b.kind.physical != "" {
		b.control("007", b.kind.physical)
	}
	b.control("008", b.date()[2:]+b.kind.dates+decimal(b.year)+b.kind.dateTo+b.country+b.kind.fixed+b.language+" d")
}

// bib is a bibliographic record in the making.
type bib struct {
	builder
	c                 Catalogue
	kind              material
	lang              language
	language          string // code of the text
	country           string // code of the place of publication
	year              int
	minimal           bool   // leader/17: a record of minimal level has few headings, no notes and no shelf
	title, vernacular string // romanized and, for some, in its own script
	script            string // code of that script
	names, subjects   []int  // ranks
}

// ranks draws the headings of record n: the new one that it brings, if it does, and some of the known
// ones, none twice. At least one in all.
func (b *bib) ranks(n int, g growth, extraMax int) []int {
	var ranks []int
	before, known := g.known(n), g.known(n+1)
	if known > before {
		ranks = append(ranks, before)
	}
	if b.minimal {
		extraMax = 1
	}
	for range 1 + zipf(b.r, extraMax) {
		if k := zipf(b.r, known); !slices.Contains(ranks, k) {
			ranks = append(ranks, k)
		}
	}
	b.r.Shuffle(len(ranks), func(i, j int) { ranks[i], ranks[j] = ranks[j], ranks[i] })
	return ranks
}

// drawTitle draws title, language and country; one record in fifteen is in another script.
func (b *bib) drawTitle() {
	b.language, b.country = b.lang.code, b.lang.country
	if b.r.IntN(15) > 0 {
		b.title = b.oneOf(b.lang.nouns) + " " + b.lang.of + " " + b.c.place(zipf(b.r, placeNames))
		return
	}
	s := scripts[b.r.IntN(len(scripts))]
	pair := s.titles[b.r.IntN(len(s.titles))]
	b.vernacular, b.title = pair[0], pair[1]
	b.script, b.language, b.country = s.code, s.language, s.country
}

// mainEntry adds 1XX. A serial has none: whoever made it is in 7XX.
func (b *bib) mainEntry() {
	if b.kind.serial {
		return
	}
	b.nameEntry("1", b.names[0])
	b.names = b.names[1:]
}

func (b *bib) nameEntry(hundred string, rank int) {
	h := b.c.name(rank)
	var relator []marc.Subfield
	if h.tag == "100" {
		relator = []marc.Subfield{{Code: '4', Value: b.oneOf(b.kind.relators)}}
	}
	b.heading(hundred+h.tag[1:], h.ind1, ' ', h, relator...)
}

// description adds 245 to 300.
func (b *bib) description() {
	link := ""
	if b.vernacular != "" {
		link = "880-01"
	}
	subtitle := ""
	if b.chance(45) {
		subtitle = b.oneOf(b.lang.subtitle)
	}
	entry := "1"
	if b.kind.serial {
		entry = "0"
	}
	b.data("245", entry+"0", "6", link, "a", b.title, "b", subtitle)
	if !b.minimal && b.chance(12) {
		b.data("246", "3 ", "a", b.title+" ("+b.lang.code+")")
	}
	if b.chance(15) {
		b.data("250", "  ", "a", decimal(2+b.r.IntN(8))+". ed.")
	}
	b.kind.edition(b)
	b.data("264", " 1", "a", b.c.place(zipf(b.r, scopePlaces))+" :", "b", publishers[zipf(b.r, len(publishers))]+",", "c", decimal(b.year))
	b.data("300", "  ", b.kind.extent(b)...)
}

// types adds the RDA types, 336 to 338, and for some a series, 490.
func (b *bib) types() {
	b.data("336", "  ", "b", b.kind.content, "2", "rdacontent")
	b.data("337", "  ", "b", b.kind.media, "2", "rdamedia")
	b.data("338", "  ", "b", b.kind.carrier, "2", "rdacarrier")
	if b.chance(25) {
		b.data("490", "0 ", "a", b.oneOf(publishers)+" : "+b.oneOf(topics), "v", decimal(1+b.r.IntN(300)))
	}
}

// addedEntries adds 650 to 710.
func (b *bib) addedEntries() {
	for _, rank := range b.subjects {
		h := b.c.subject(rank)
		b.heading("65"+h.tag[2:], ' ', '4', h) // second indicator: source not specified
	}
	for _, rank := range b.names {
		b.nameEntry("7", rank)
	}
}

// original adds the title in its own script, linked to 245.
func (b *bib) original() {
	if b.vernacular != "" {
		b.data("880", "10", "6", "245-01/"+b.script, "a", b.vernacular)
	}
}

// tracks lists pieces as a contents note does.
func (b *bib) tracks(low, high int) string { return b.some(tunes, low, high, " -- ") }

func initial(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return s[:size]
}

func (b *bib) performers() string {
	parts := make([]string, 1+b.r.IntN(4))
	for i := range parts {
		n := b.r.IntN(64) // a note is not a heading, so that anybody will do
		parts[i] = strings.TrimSuffix(b.c.person(n, n).subfields[0].Value, ",") + ", " + b.oneOf(players)
	}
	return strings.Join(parts, " ; ")
}
