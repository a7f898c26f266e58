package sample

// Every list here is made up or of everyday words; none is taken from a real catalogue. The parts of
// names are prefix-free within their list (a test sees to it), so that different choices of parts make
// different names.

// Surnames and place names are an onset, a middle and an ending. The accents are of many languages; the
// letter "e" with a combining acute is there because MARC-8 sources come decomposed.
var (
	onsets = []string{
		"Bar", "Čer", "Dal", "Eng", "Fjel", "Gor", "Häm", "Iz", "Jor", "Kal", "Łub", "Mor",
		"Nov", "Øst", "Pel", "Quin", "Rad", "Ser", "Šim", "Tor", "Ulm", "Var", "Wes", "Zel",
	}
	middles = []string{
		"a", "be\u0301", "chi", "da", "ě", "fo", "gi", "ho", "i", "je", "ko", "lü",
		"ma", "nå", "o", "pi", "rä", "sa", "ti", "u", "vo", "wi", "ya", "zo",
	}
	endings = []string{
		"nen", "ska", "tić", "bauer", "cken", "dez", "feld", "gren", "hart", "kov",
		"lund", "mann", "părescu", "quist", "rson", "şoğlu", "vács", "witz", "yama", "zzi",
	}
	placeEndings = []string{
		"burg", "dorf", "fjörður", "grad", "ham", "ków", "mouth", "nes", "polis", "stad", "ton", "ville",
	}
)

var (
	forenames = []string{
		"Ada", "Ana María", "Anselm", "Běla", "Bruno", "Carla", "Chidi", "Clément", "Dagný", "David",
		"Doğan", "Edith", "Emil", "Erzsébet", "Fatima", "Fiona", "Françoise", "Georg", "Giulia", "Hana",
		"Henrik", "Ida", "Inês", "Ivo", "Jan", "Jörg", "Joséphine", "Júlia", "Kari", "Kenji",
		"Ladislav", "Leïla", "Lucía", "Łucja", "Mahmud", "Märta", "Mateo", "Mei", "Miloš", "Nadia",
		"Niamh", "Nuno", "Ólafur", "Olga", "Paola", "Pavel", "Rosa", "Rūta", "Samuel", "Siân",
		"Sofia", "Søren", "Tadeusz", "Tereza", "Tuấn", "Ursula", "Viktor", "Wanda", "Yusuf", "Zoë",
	}
	initials = []string{"", " J.", " M."}

	bodies = []string{
		"Academy of Sciences", "Archive Society", "Chamber Choir", "Choral Union", "City Museum",
		"College of Music", "Film Institute", "Folk Ensemble", "Geological Survey", "Harbour Board",
		"Historical Commission", "Hydrographic Office", "Institute of Cartography", "Jazz Orchestra",
		"Library Association", "Observatory", "Philharmonic", "Press Club", "String Quartet", "University",
	}
	units = []string{
		"", "Department of Maps", "Division of Prints", "Faculty of Letters", "Library", "Music Section",
		"Office of the Registrar", "Press", "School of Design", "Workshop of Bookbinding",
	}
)

var (
	topics = []string{
		"Accordion music", "Almanacs", "Amateur theatre", "Bakeries", "Ballads", "Barges", "Beekeeping",
		"Bells", "Bookbinding", "Botanical illustration", "Brass bands", "Bridges", "Canals", "Carnivals",
		"Cataloguing", "Ceramics", "Children's songs", "City planning", "Clocks", "Coastal erosion",
		"Dance music", "Dialects", "Dictionaries", "Drainage", "Emigration", "Fables", "Ferries", "Fishing",
		"Forests", "Gardens", "Glaciers", "Glass", "Harbours", "Hymns", "Inland navigation", "Jazz",
		"Lace", "Letter writing", "Libraries", "Lighthouses", "Markets", "Mills", "Mountain railways",
		"Music halls", "Ornithology", "Palaeography", "Paper", "Puppets", "Rivers", "Roads", "Salt mines",
		"Sea stories", "Seeds", "Songbooks", "String quartets", "Surveying", "Tides", "Travel", "Weaving", "Wind",
	}
	subdivisions = []string{
		"History", "Catalogs", "Bibliography", "Economic aspects", "Social aspects", "Law and legislation",
		"Study and teaching", "Terminology", "Philosophy", "Psychology", "Research", "Statistics",
		"Conservation", "Equipment and supplies", "Early works", "Translations", "In art", "In literature",
		"Societies", "Collectors", "Exhibitions", "Museums", "Names", "Public opinion",
	}
	genres = []string{"Maps", "Periodicals", "Scores", "Exhibitions catalogues", "Handbooks", "Diaries", "Pictorial works", "Sources"}
)

// language is one in which the titles of the catalogue are. A title is a noun, the preposition and a
// place, which spares us the grammar.
type language struct {
	code     string // MARC code list for languages
	country  string // MARC code list for countries
	of       string
	nouns    []string
	subtitle []string
	note     string
}

var languages = []language{
	{
		"eng", "xxk", "from",
		[]string{"Letters", "Songs", "Tales", "A history of the canals", "Notes on weaving", "Voices", "The winter journals", "Twelve walks", "The lost maps", "News"},
		[]string{"a study in sources", "with a memoir of the author", "the early years", "essays and fragments", "a handbook"},
		"Includes bibliographical references and index",
	},
	{
		"ger", "gw ", "aus",
		[]string{"Briefe", "Lieder", "Erzählungen", "Über die Mühlen", "Gespräche", "Märchen und Schwänke", "Urkunden", "Neue Gedichte", "Träume"},
		[]string{"eine Einführung", "Beiträge zur Geschichte", "mit einem Nachwort", "Quellen und Übersichten"},
		"Enthält Literaturverzeichnis und Register",
	},
	{
		"fre", "fr ", "de",
		[]string{"Lettres", "Chansons", "Mémoires", "Les forêts", "Récits d'été", "Études", "L'île perdue", "Poèmes choisis"},
		[]string{"essai", "d'après les archives", "recueil de pièces rares", "avec une préface inédite"},
		"Comprend des références bibliographiques et un index",
	},
	{
		"spa", "sp ", "de",
		[]string{"Cartas", "Canciones", "Cuentos", "El camino y la niña", "Crónicas", "Paisajes", "Los años de niebla"},
		[]string{"una introducción", "edición crítica", "ensayos sobre la montaña", "antología"},
		"Incluye referencias bibliográficas e índice",
	},
	{
		"cze", "xr ", "z",
		[]string{"Dopisy", "Písně", "Pohádky", "Příběhy", "Žluté květy", "Kroniky", "Řeky a mlýny"},
		[]string{"výbor z díla", "úvod do dějin", "s doslovem autora", "prameny a poznámky"},
		"Obsahuje bibliografii a rejstřík",
	},
}

// script is one in which some titles are, beside their romanization. Its code is for subfield 6 of the
// linked fields ("MARC 21, Appendix A, Control subfields").
type script struct {
	code     string
	language string
	country  string
	titles   [][2]string // in the script, romanized
}

var scripts = []script{
	{"(N", "rus", "ru ", [][2]string{{"Письма с севера", "Pisʹma s severa"}, {"Река и мельница", "Reka i melʹnit͡sa"}, {"Зимние песни", "Zimnie pesni"}}},
	{"(S", "gre", "gr ", [][2]string{{"Τραγούδια της θάλασσας", "Tragoudia tēs thalassas"}, {"Ο παλιός μύλος", "Ho palios mylos"}}},
	{"$1", "chi", "cc ", [][2]string{{"山水小記", "Shan shui xiao ji"}, {"河上的橋", "He shang de qiao"}}},
	{"$1", "jpn", "ja ", [][2]string{{"冬の歌", "Fuyu no uta"}, {"港と風", "Minato to kaze"}}},
	{"(3/r", "ara", "ua ", [][2]string{{"رسائل من الجبل", "Rasāʼil min al-jabal"}, {"أغاني البحر", "Aghānī al-baḥr"}}},
	{"(2/r", "heb", "is ", [][2]string{{"שירי החורף", "Shire ha-ḥoref"}, {"הגשר והנהר", "ha-Gesher ṿeha-nahar"}}},
}

var (
	publishers = []string{"Alder Press", "Blåmann Forlag", "Černý kos", "Editorial Marea", "Fährmann Verlag", "Grey Heron", "Harbour & Sons", "Imprimerie du Pont", "Kestrel Records", "Lantern Editions", "Nordwind Musik", "Tidewater Maps"}
	tunes      = []string{"Blue lantern", "Ferryman's waltz", "Seven bridges", "Rain on the mill", "Night market", "Žába", "Little anchor", "Herbstlied", "La niña del faro", "North pier", "Slow tide", "Paper moon over the quay", "Polka for Märta", "The clockmaker", "Valse d'été", "Windmill blues", "Two oars", "Kolem řeky", "Lamplighter's reel", "Schlaf, kleiner Hafen", "Salt road", "Last tram home", "Für Ida", "O vento do norte"}
	players    = []string{"piano", "violin", "accordion", "double bass", "clarinet", "tenor saxophone", "percussion", "voice", "guitar", "trumpet"}
	sentences  = []string{
		"Follows four families along the river from the first mill to the last ferry.",
		"Brings together documents that were scattered over three archives.",
		"Describes how the harbour was built, flooded and built again.",
		"The author walked the old road in both directions and noted what had changed.",
		"Éditions et traductions are compared in an appendix.",
		"With drawings after the lost originals, and a list of those who paid for them.",
		"Argues that the bell-founders came by sea, not over the passes.",
		"Reprints the songs as they were printed on broadsheets, misprints included.",
	}
	branches = []string{"MAIN", "MUSIC", "MAPS", "STACK", "BRANCH-N", "BRANCH-S"}
)
