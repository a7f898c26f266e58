package links

// DefaultRules are the 22 of FOLIO's mod-entities-links, all with auto.
var DefaultRules = mustRules([]Rule{
	{Bib: "100", Authority: "100", Subfields: "abcdjq", Require: noTitle},
	{Bib: "110", Authority: "110", Subfields: "abcdgn", Require: noTitle},
	{Bib: "111", Authority: "111", Subfields: "aceqdgn", Require: noTitle},
	{Bib: "130", Authority: "130", Subfields: titleCodes},
	{Bib: "240", Authority: "100", Subfields: "fghklmnoprst", Require: title, Move: titleIntoA},
	{Bib: "240", Authority: "110", Subfields: "dfghklmnoprst", Require: title, Move: titleIntoA},
	{Bib: "240", Authority: "111", Subfields: "dfghklnpst", Require: title, Move: titleIntoA},
	{Bib: "600", Authority: "100", Subfields: "abcdgjqfhklmnoprst"},
	{Bib: "610", Authority: "110", Subfields: "abcdgfhklmnoprst"},
	{Bib: "611", Authority: "111", Subfields: "acdefghklnpqst"},
	{Bib: "630", Authority: "130", Subfields: titleCodes},
	{Bib: "650", Authority: "150", Subfields: "abg"},
	{Bib: "651", Authority: "151", Subfields: "ag"},
	{Bib: "655", Authority: "155", Subfields: "a"},
	{Bib: "700", Authority: "100", Subfields: personCodes},
	{Bib: "710", Authority: "110", Subfields: corporateCodes},
	{Bib: "711", Authority: "111", Subfields: meetingCodes},
	{Bib: "730", Authority: "130", Subfields: titleCodes},
	{Bib: "800", Authority: "100", Subfields: personCodes},
	{Bib: "810", Authority: "110", Subfields: corporateCodes},
	{Bib: "811", Authority: "111", Subfields: meetingCodes},
	{Bib: "830", Authority: "130", Subfields: titleCodes},
})

// What several of the default rules control: a name with the titles under it, or a uniform title.
const (
	titleCodes     = "adfghklmnoprst"
	personCodes    = "abcdjqfhklmnoprstg"
	corporateCodes = "abcfhklmoprstdgn"
	meetingCodes   = "aceqfhklpstdgn"
)

var (
	noTitle    = map[string]bool{"t": false}
	title      = map[string]bool{"t": true}
	titleIntoA = map[string]string{"t": "a"}
)

func mustRules(list []Rule) *Rules {
	for i := range list {
		list[i].Auto = true
	}
	r, p := NewRules(list, "")
	if p != nil {
		panic("links: the default rules are not valid: " + p.Error())
	}
	return r
}
