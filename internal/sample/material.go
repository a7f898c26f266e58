package sample

// material is what sets one kind of record apart: MARC 21 leader/06-07, 007, 008/06-14 and 18-34, the
// RDA types, and the fields that only it has.
type material struct {
	percent  int    // of the catalogue
	leader   string // leader/06-08
	serial   bool
	physical string // 007
	dates    string // 008/06, type of date
	dateTo   string // 008/11-14
	fixed    string // 008/18-34
	class    string // first letters of the call number
	content  string // 336 $b
	media    string // 337 $b
	carrier  string // 338 $b
	relators []string

	numbers func(*bib)          // adds 020 to 034
	edition func(*bib)          // adds 255 to 260
	extent  func(*bib) []string // subfields of 300
	notes   func(*bib)          // adds 310 to 588
}

var materials = []material{
	{
		percent: 55, leader: "am ", dates: "s", dateTo: "    ", fixed: "a    b    001 0  ",
		class: "DA", content: "txt", media: "n", carrier: "nc",
		relators: []string{"aut", "edt", "trl", "ill"},
		numbers:  func(b *bib) { b.data("020", "  ", "a", b.isbn13(), "q", "(pbk.)") },
		edition:  func(*bib) {},
		extent: func(b *bib) []string {
			return []string{"a", decimal(48+b.r.IntN(700)) + " pages :", "b", "illustrations ;", "c", decimal(18+b.r.IntN(14)) + " cm"}
		},
		notes: (*bib).bookNotes,
	},
	{
		percent: 15, leader: "jm ", physical: "sd fsngnnmmned", dates: "s", dateTo: "    ", fixed: "jznn        n    ",
		class: "M", content: "prm", media: "s", carrier: "sd",
		relators: []string{"prf", "cmp", "cnd", "sng"},
		numbers:  func(b *bib) { b.data("028", "02", "a", "KR "+padded(b.r.IntN(100_000), 5), "b", "Kestrel Records") },
		edition:  func(*bib) {},
		extent: func(b *bib) []string {
			return []string{"a", b.oneOf([]string{"1 audio disc", "2 audio discs"}) + " (" + decimal(31+b.r.IntN(48)) + " min.) :", "b", "digital, stereo ;", "c", "12 cm"}
		},
		notes: func(b *bib) {
			b.data("505", "0 ", "a", b.tracks(5, 22))
			b.data("511", "0 ", "a", b.performers())
			b.data("500", "  ", "a", "Recorded in "+b.c.place(b.r.IntN(scopePlaces))+", "+decimal(b.year-b.r.IntN(3)))
		},
	},
	{
		percent: 10, leader: "cm ", dates: "s", dateTo: "    ", fixed: "sna  g n      nn ",
		class: "M", content: "ntm", media: "n", carrier: "nc",
		relators: []string{"cmp", "arr", "lyr"},
		numbers:  func(b *bib) { b.data("028", "32", "a", "N.M. "+padded(b.r.IntN(10_000), 4), "b", "Nordwind Musik") },
		edition:  func(*bib) {},
		extent: func(b *bib) []string {
			return []string{"a", "1 score (" + decimal(4+b.r.IntN(200)) + " pages) ;", "c", "31 cm"}
		},
		notes: func(b *bib) {
			b.data("500", "  ", "a", "For "+b.some(players, 1, 4, ", "))
			b.data("505", "0 ", "a", b.tracks(3, 12))
		},
	},
	{
		percent: 10, leader: "em ", physical: "aj canzn", dates: "s", dateTo: "    ", fixed: "a       a  0   1 ",
		class: "G", content: "cri", media: "n", carrier: "nb",
		relators: []string{"ctg", "srv", "edt"},
		numbers: func(b *bib) {
			b.data("034", "1 ", "a", "a", "b", decimal(b.scale()), "d", "E"+padded(b.r.IntN(180), 3)+"0000", "f", "N"+padded(b.r.IntN(90), 3)+"0000")
		},
		edition: func(b *bib) { b.data("255", "  ", "a", "Scale 1:"+decimal(b.scale())) },
		extent: func(b *bib) []string {
			return []string{"a", "1 map :", "b", "color ;", "c", decimal(30+b.r.IntN(60)) + " x " + decimal(40+b.r.IntN(80)) + " cm"}
		},
		notes: func(b *bib) {
			b.data("500", "  ", "a", "Relief shown by hachures and spot heights")
			b.data("500", "  ", "a", "Insets: "+b.c.place(b.r.IntN(500))+" -- "+b.c.place(b.r.IntN(500)))
		},
	},
	{
		percent: 10, leader: "as ", serial: true, dates: "c", dateTo: "9999", fixed: "qr p       0   a0",
		class: "AP", content: "txt", media: "n", carrier: "nc",
		relators: []string{"edt", "isb"},
		numbers:  func(b *bib) { b.data("022", "  ", "a", b.issn()) },
		edition:  func(*bib) {},
		extent:   func(*bib) []string { return []string{"a", "volumes :", "b", "illustrations ;", "c", "28 cm"} },
		notes: func(b *bib) {
			b.data("310", "  ", "a", "Quarterly")
			b.data("362", "0 ", "a", "Vol. 1, no. 1 ("+decimal(b.year)+")-")
			b.data("588", "  ", "a", "Latest issue consulted: Vol. "+decimal(2+b.r.IntN(40)))
			b.data("500", "  ", "a", b.oneOf(sentences))
		},
	},
}

func (b *bib) bookNotes() {
	b.data("504", "  ", "a", b.lang.note)
	if b.chance(40) {
		b.data("500", "  ", "a", b.oneOf(sentences))
	}
	if b.chance(15) {
		b.data("505", "0 ", "a", b.some(topics, 4, 24, " -- "))
	}
	if b.chance(60) {
		b.data("520", "  ", "a", b.some(sentences, 1, 7, " "))
	}
}

// scale is the same each time it is asked for in one record.
func (b *bib) scale() int { return 5_000 * (1 + b.year%40) }

func (b *bib) drawKind() material {
	chance := b.r.IntN(100)
	for _, m := range materials {
		if chance -= m.percent; chance < 0 {
			return m
		}
	}
	panic("sample: the shares of the materials do not add up to 100")
}
