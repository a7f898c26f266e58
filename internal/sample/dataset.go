package sample

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// Dataset returns the description of a made-up data set, as science metadata has it, with the number
// from 0. ShortName and Version together are unique; keywords, platforms and data centers are skewed as
// headings are. The member "id" comes first.
func (c Catalogue) Dataset(n int) ([]byte, error) {
	b := &builder{r: c.stream(datasetRecord, n)}
	topic := keywordTopics[zipf(b.r, len(keywordTopics))]
	platform := platforms[zipf(b.r, len(platforms))]
	year := 1978 + b.r.IntN(45)
	level := decimal(1 + b.r.IntN(4))
	d := dataset{
		ID:        numbered(datasetPrefix, n),
		ShortName: fmt.Sprintf("%s_%s_L%s_%06d", platform.short, strings.ReplaceAll(topic.name, " ", ""), level, n/2),
		Version:   padded(1+n%2, 3),
		EntryTitle: fmt.Sprintf("%s %s from %s, level %s, %s", b.oneOf([]string{"Daily", "Monthly", "8-day", "Swath"}),
			strings.ToLower(topic.terms[0]), platform.long, level, b.oneOf([]string{"global", "northern hemisphere", "coastal zone"})),
		Abstract:           b.some(abstracts, 2, 6, " "),
		CollectionDataType: "SCIENCE_QUALITY",
		ProcessingLevel:    processingLevel{ID: level},
		ScienceKeywords:    b.keywords(),
		Platforms:          []platformUse{b.platform(platform)},
		DataCenters:        b.dataCenters(),
		TemporalExtents:    b.period(year),
		SpatialExtent:      b.area(),
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encode data set %d: %w", n, err)
	}
	return text, nil
}

type dataset struct {
	ID                 string          `json:"id"`
	ShortName          string          `json:"ShortName"`
	Version            string          `json:"Version"`
	EntryTitle         string          `json:"EntryTitle"`
	Abstract           string          `json:"Abstract"`
	CollectionDataType string          `json:"CollectionDataType"`
	ProcessingLevel    processingLevel `json:"ProcessingLevel"`
	ScienceKeywords    []keyword       `json:"ScienceKeywords"`
	Platforms          []platformUse   `json:"Platforms"`
	DataCenters        []dataCenter    `json:"DataCenters"`
	TemporalExtents    []temporal      `json:"TemporalExtents"`
	SpatialExtent      rectangle       `json:"SpatialExtent"`
}

type processingLevel struct {
	ID string `json:"Id"`
}

type keyword struct {
	Category       string `json:"Category"`
	Topic          string `json:"Topic"`
	Term           string `json:"Term"`
	VariableLevel1 string `json:"VariableLevel1,omitzero"`
}

type platformUse struct {
	Type        string       `json:"Type"`
	ShortName   string       `json:"ShortName"`
	LongName    string       `json:"LongName"`
	Instruments []instrument `json:"Instruments"`
}

type instrument struct {
	ShortName string `json:"ShortName"`
}

type dataCenter struct {
	Roles     []string `json:"Roles"`
	ShortName string   `json:"ShortName"`
	LongName  string   `json:"LongName"`
	Contact   contact  `json:"ContactInformation"`
}

type contact struct {
	RelatedURLs []relatedURL `json:"RelatedUrls"`
}

type relatedURL struct {
	ContentType string `json:"URLContentType"`
	Type        string `json:"Type"`
	URL         string `json:"URL"`
}

type temporal struct {
	Beginning string `json:"BeginningDateTime"`
	Ending    string `json:"EndingDateTime,omitzero"`
}

type rectangle struct {
	West  int `json:"WestBoundingCoordinate"`
	North int `json:"NorthBoundingCoordinate"`
	East  int `json:"EastBoundingCoordinate"`
	South int `json:"SouthBoundingCoordinate"`
}

func (b *builder) keywords() []keyword {
	list := make([]keyword, 0, 6)
	for range 1 + zipf(b.r, 6) {
		topic := keywordTopics[zipf(b.r, len(keywordTopics))]
		k := keyword{Category: "EARTH SCIENCE", Topic: topic.name, Term: topic.terms[zipf(b.r, len(topic.terms))]}
		if b.chance(40) {
			k.VariableLevel1 = b.oneOf(variables)
		}
		if !slices.Contains(list, k) {
			list = append(list, k)
		}
	}
	return list
}

func (b *builder) platform(p platform) platformUse {
	use := platformUse{Type: p.kind, ShortName: p.short, LongName: p.long}
	for _, name := range p.instruments[:1+b.r.IntN(len(p.instruments))] {
		use.Instruments = append(use.Instruments, instrument{name})
	}
	return use
}

func (b *builder) dataCenters() []dataCenter {
	list := make([]dataCenter, 0, 2)
	for _, role := range []string{"ARCHIVER", "PROCESSOR"}[:1+b.r.IntN(2)] {
		c := centers[zipf(b.r, len(centers))]
		home := relatedURL{"DataCenterURL", "HOME PAGE", "https://" + strings.ToLower(c[0]) + ".example.org/"}
		list = append(list, dataCenter{[]string{role}, c[0], c[1], contact{[]relatedURL{home}}})
	}
	return list
}

func (b *builder) period(year int) []temporal {
	t := temporal{Beginning: decimal(year) + "-" + padded(1+b.r.IntN(12), 2) + "-01T00:00:00Z"}
	if b.chance(60) {
		t.Ending = decimal(min(year+1+b.r.IntN(20), 2025)) + "-12-31T23:59:59Z"
	}
	return []temporal{t}
}

func (b *builder) area() rectangle {
	west, south := b.r.IntN(180)-180, b.r.IntN(80)-90
	return rectangle{West: west, South: south, East: west + 10 + b.r.IntN(170), North: south + 5 + b.r.IntN(85)}
}

type keywordTopic struct {
	name  string
	terms []string
}

type platform struct {
	kind, short, long string
	instruments       []string
}

// The vocabularies of the data sets, made up as the words of the catalogue are.
var (
	keywordTopics = []keywordTopic{
		{"OCEAN", []string{"SEA TEMPERATURE", "WAVES", "SALT", "COLOUR OF WATER", "TIDES"}},
		{"AIR", []string{"DUST", "OZONE", "WIND", "WATER VAPOUR", "CLOUD COVER"}},
		{"LAND", []string{"SOIL MOISTURE", "HEIGHT", "LAND USE", "FIRE"}},
		{"SNOW AND ICE", []string{"SEA ICE", "SNOW DEPTH", "GLACIER MASS"}},
		{"LIFE", []string{"LEAF AREA", "PLANKTON", "FOREST COVER"}},
		{"SUN", []string{"IRRADIANCE", "PARTICLES"}},
	}
	variables = []string{"ANOMALY", "MEAN", "MAXIMUM", "TREND", "UNCERTAINTY"}
	platforms = []platform{
		{"Earth Observation Satellites", "TERN-3", "Third Tern Mission", []string{"HERMES", "SALTRAD"}},
		{"Earth Observation Satellites", "KESTREL", "Kestrel Polar Orbiter", []string{"KIS", "KAM", "KLID"}},
		{"Aircraft", "PETREL-A", "Petrel Research Aircraft", []string{"DROPPER"}},
		{"Ground Stations", "MAST-NET", "Network of Tall Masts", []string{"ANEMO", "THERMO"}},
		{"In Situ Ocean-based Platforms", "DRIFTER", "Surface Drifters", []string{"CTD-S"}},
	}
	centers = [][2]string{
		{"HBR-OCEAN", "Harbour Centre for Ocean Data"}, {"NORDICE", "Nordic Ice Archive"},
		{"AIRLAB", "Laboratory for the Air, Østfjord"}, {"TERRA-X", "Land Use Exchange"}, {"SOLARIUM", "Solar Data Office"},
	}
	abstracts = []string{
		"This data set holds gridded values with their uncertainty and a quality flag for each cell.",
		"Values under cloud are left out; a mask tells cloud from land.",
		"The algorithm was tuned against buoys and moored instruments in three campaigns.",
		"Files are daily; the grid is regular in latitude and longitude (0.25°).",
		"A known fault in the second year of the mission is described in the user guide.",
		"Users of an earlier version should read the notes on the changed calibration (±0.1 K).",
		"Access is open, and the producers would like to hear of any use.",
	}
)
