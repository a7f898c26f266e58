package links

import (
	"slices"
	"testing"
)

func uri(text string) *string { return &text }

// TestWhatBecomesOfALinkedField: each effect of semantics, section 5, on fields in any order.
func TestWhatBecomesOfALinkedField(t *testing.T) {
	const u = "http://id.example/n1"
	for name, row := range map[string]struct {
		field   string
		effect  Effect
		heading string
		want    string
		same    bool // no byte changes
	}{
		"nothing": {"700 1_ $a Lovano, Joe $0 old $9 a1", Effect{}, "", "700 1_ $a Lovano, Joe $0 old $9 a1", true},

		// the base URL, the natural id or the source has changed
		"$0 is set in place":                   {"700 1_ $a Lovano, Joe $0 old $9 a1", Effect{URI: uri(u)}, "", "700 1_ $a Lovano, Joe $0 " + u + " $9 a1", false},
		"$0 is right already":                  {"700 $a Lovano, Joe $0 " + u + " $9 a1", Effect{URI: uri(u)}, "", "700 $a Lovano, Joe $0 " + u + " $9 a1", true},
		"$0 stands first":                      {"700 $0 old $9 a1 $a Lovano, Joe", Effect{URI: uri(u)}, "", "700 $0 " + u + " $9 a1 $a Lovano, Joe", false},
		"$0 stands behind $9":                  {"700 $a Lovano $9 a1 $0 old", Effect{URI: uri(u)}, "", "700 $a Lovano $9 a1 $0 " + u, false},
		"$0 stands last, behind digits":        {"700 $9 a1 $a Lovano $4 prf $0 old", Effect{URI: uri(u)}, "", "700 $9 a1 $a Lovano $4 prf $0 " + u, false},
		"no $0: it comes before $9":            {"700 $a Lovano $9 a1 $4 prf", Effect{URI: uri(u)}, "", "700 $a Lovano $0 " + u + " $9 a1 $4 prf", false},
		"no $0, $9 stands first":               {"700 $9 a1 $a Lovano", Effect{URI: uri(u)}, "", "700 $0 " + u + " $9 a1 $a Lovano", false},
		"no $0, $9 stands alone":               {"700 $9 a1", Effect{URI: uri(u)}, "", "700 $0 " + u + " $9 a1", false},
		"several $0: the first is the link's":  {"700 $a Lovano $0 old $0 (viaf)7 $9 a1", Effect{URI: uri(u)}, "", "700 $a Lovano $0 " + u + " $0 (viaf)7 $9 a1", false},
		"several $0: the others do not count":  {"700 $a Lovano $0 " + u + " $0 old $9 a1", Effect{URI: uri(u)}, "", "700 $a Lovano $0 " + u + " $0 old $9 a1", true},
		"an empty $0 is filled":                {"700 $a Lovano $0  $9 a1", Effect{URI: uri(u)}, "", "700 $a Lovano $0 " + u + " $9 a1", false},
		"$0 with a bare natural id":            {"700 $a Lovano $0 old $9 a1", Effect{URI: uri("n1")}, "", "700 $a Lovano $0 n1 $9 a1", false},
		"$0 goes":                              {"700 $a Lovano $0 old $9 a1", Effect{URI: uri("")}, "", "700 $a Lovano $9 a1", false},
		"$0 goes, but for others":              {"700 $0 old $0 (viaf)7 $9 a1", Effect{URI: uri("")}, "", "700 $0 (viaf)7 $9 a1", false},
		"no $0 is to go":                       {"700 $a Lovano $9 a1", Effect{URI: uri("")}, "", "700 $a Lovano $9 a1", true},
		"$0 with quotes, backslash, music, é":  {"700 $0 old $9 a1", Effect{URI: uri(`"\é🎷`)}, "", `700 $0 "\é🎷 $9 a1`, false},
		"indicators and text stay with new $0": {"700 12 $a  Lovano,  Joe. $e sax. $0 old $9 a1", Effect{URI: uri(u)}, "", "700 12 $a  Lovano,  Joe. $e sax. $0 " + u + " $9 a1", false},

		// the heading's type has changed, or the authority was deleted
		"unlinked":                    {"700 $a Lovano $0 old $9 a1", Effect{Unlink: true}, "", "700 $a Lovano $0 old", false},
		"unlinked, $9 first":          {"700 $9 a1 $a Lovano $0 old", Effect{Unlink: true}, "", "700 $a Lovano $0 old", false},
		"unlinked, $9 between":        {"700 $a Lovano $9 a1 $4 prf", Effect{Unlink: true}, "", "700 $a Lovano $4 prf", false},
		"unlinked, $9 alone":          {"700 $9 a1", Effect{Unlink: true}, "", "700", false},
		"unlinked with a last $0":     {"700 $a Lovano $0 old $9 a1", Effect{Unlink: true, URI: uri(u)}, "", "700 $a Lovano $0 " + u, false},
		"unlinked, $0 in $9's place":  {"700 $a Lovano $9 a1 $4 prf", Effect{Unlink: true, URI: uri(u)}, "", "700 $a Lovano $0 " + u + " $4 prf", false},
		"unlinked, and $0 goes":       {"700 $0 old $9 a1 $a Lovano", Effect{Unlink: true, URI: uri("")}, "", "700 $a Lovano", false},
		"unlinked, both go, all gone": {"700 $0 old $9 a1", Effect{Unlink: true, URI: uri("")}, "", "700", false},
		"unlinked with a last text":   {"700 $a Lovano $9 a1", Effect{Unlink: true}, "100 $a Lovano, Joe", "700 $a Lovano, Joe", false},

		// the heading has changed within its type
		"the name":                           {"700 $a Lovano, Joe $0 old $9 a1", Effect{}, "100 $a Lovano, Joseph", "700 $a Lovano, Joseph $0 old $9 a1", false},
		"the same name":                      {"700 $a Lovano, Joe $0 old $9 a1", Effect{}, "100 $a Lovano, Joe", "700 $a Lovano, Joe $0 old $9 a1", true},
		"dates come":                         {"700 $a Lovano $0 old $9 a1", Effect{}, "100 $a Lovano, $d 1952-", "700 $a Lovano, $d 1952- $0 old $9 a1", false},
		"dates go":                           {"700 $a Lovano, $d 1952- $0 old $9 a1", Effect{}, "100 $a Lovano", "700 $a Lovano $0 old $9 a1", false},
		"the authority's order counts":       {"700 $a A $d D $q Q $9 a1", Effect{}, "100 $a A $q Q $d D", "700 $a A $q Q $d D $9 a1", false},
		"repeats stay repeats":               {"700 $a A $c c1 $9 a1", Effect{}, "100 $a A $c c1 $c c2 $c c3", "700 $a A $c c1 $c c2 $c c3 $9 a1", false},
		"repeats get fewer":                  {"700 $a A $c c1 $c c2 $c c3 $9 a1", Effect{}, "100 $a A $c c3", "700 $a A $c c3 $9 a1", false},
		"repeats between others":             {"730 $a A $n 1 $p x $n 2 $p y $9 a1", Effect{}, "130 $a A $n 2 $p y $n 1 $p x", "730 $a A $n 2 $p y $n 1 $p x $9 a1", false},
		"other letters come behind":          {"700 $i with $e sax $a Lovano $9 a1", Effect{}, "100 $a Lovano, Joe", "700 $a Lovano, Joe $i with $e sax $9 a1", false},
		"$0 and $9 come behind letters":      {"700 $9 a1 $0 old $a Lovano $e sax", Effect{}, "100 $a Lovano, Joe", "700 $a Lovano, Joe $e sax $0 old $9 a1", false},
		"digits come last, in order":         {"700 $4 prf $5 DLC $a Lovano $2 x $9 a1", Effect{}, "100 $a Lovano, Joe", "700 $a Lovano, Joe $9 a1 $4 prf $5 DLC $2 x", false},
		"$6 and $8 are the field's own":      {"700 $6 880-01 $a Lovano $9 a1 $8 1", Effect{}, "100 $6 880-09 $a Lovano, Joe $8 7", "700 $a Lovano, Joe $9 a1 $6 880-01 $8 1", false},
		"$0 of the authority is not copied":  {"700 $a Lovano $9 a1", Effect{}, "100 $a Lovano, Joe $0 (x)1", "700 $a Lovano, Joe $9 a1", false},
		"$w of the authority is not copied":  {"700 $a Lovano $w x $9 a1", Effect{}, "100 $w nne $a Lovano, Joe", "700 $a Lovano, Joe $w x $9 a1", false},
		"several $0 stay in their order":     {"700 $0 old $a L $0 (viaf)7 $0 (x)8 $9 a1", Effect{}, "100 $a Lovano", "700 $a Lovano $0 old $0 (viaf)7 $0 (x)8 $9 a1", false},
		"with a new $0":                      {"700 $a L $0 old $0 (viaf)7 $9 a1", Effect{URI: uri(u)}, "100 $a Lovano", "700 $a Lovano $0 " + u + " $0 (viaf)7 $9 a1", false},
		"with a $0 that was not there":       {"700 $9 a1 $a L $4 prf", Effect{URI: uri(u)}, "100 $a Lovano", "700 $a Lovano $0 " + u + " $9 a1 $4 prf", false},
		"with $0 gone":                       {"700 $a L $0 old $0 (viaf)7 $9 a1", Effect{URI: uri("")}, "100 $a Lovano", "700 $a Lovano $0 (viaf)7 $9 a1", false},
		"an odd code is among the letters":   {"700 $! note $a L $9 a1", Effect{}, "100 $a Lovano", "700 $a Lovano $! note $9 a1", false},
		"a capital code is not the small":    {"700 $A note $a L $9 a1", Effect{}, "100 $a Lovano", "700 $a Lovano $A note $9 a1", false},
		"a field without text gets it":       {"700 $9 a1", Effect{}, "100 $a Lovano, $d 1952-", "700 $a Lovano, $d 1952- $9 a1", false},
		"a title goes with the name":         {"700 $a A $t Old $9 a1", Effect{}, "100 $a A", "700 $a A $9 a1", false},
		"subject: subdivisions are not ours": {"650 _0 $a Jazz $z France $x History $0 old $9 a1", Effect{}, "150 $a Jazz music", "650 _0 $a Jazz music $z France $x History $0 old $9 a1", false},
		"genre: $2 stays last":               {"655 _7 $a Jazz $2 fast $0 old $9 a1", Effect{}, "155 $a Jazz music", "655 _7 $a Jazz music $0 old $9 a1 $2 fast", false},
		"place":                              {"651 $a Chicago $x History $9 a1", Effect{}, "151 $a Chicago (Ill.)", "651 $a Chicago (Ill.) $x History $9 a1", false},
		"title under a person: $t is $a":     {"240 10 $a Old. $k Selections $l English $9 a1", Effect{}, "100 $a Ellington, Duke. $t Works. $k Selections", "240 10 $a Works. $k Selections $9 a1", false},
		"$t of the field 240 is not ours":    {"240 $a Old $t odd $9 a1", Effect{}, "100 $a E. $t New", "240 $a New $t odd $9 a1", false},
		"no rule for field and heading":      {"700 $a A $9 a1", Effect{}, "110 $a B", "700 $a A $9 a1", true},
		"no rule, but a new $0":              {"700 $a A $0 old $9 a1", Effect{URI: uri(u)}, "110 $a B", "700 $a A $0 " + u + " $9 a1", false},
	} {
		t.Run(name, func(t *testing.T) {
			row.effect.Heading = heading(t, row.heading)
			others := []string{"001 n1", "245 00 $a Friendly fire / $c Joe Lovano $9 no link", row.field, "949 $9 none $9 of ours"}
			body := record(others...)
			d := read(t, body, MARC)
			if len(d.Links) != 1 || d.Links[0].Authority != "a1" {
				t.Fatalf("%+v", d.Links)
			}
			got, changed := d.Rewrite([]Effect{row.effect})
			others[2] = row.want
			if lines := shown(t, got); !slices.Equal(lines, others) {
				t.Errorf("%q\nwant %q", lines, others)
			}
			if same := string(got) == string(body); same != row.same || changed[0] == row.same {
				t.Errorf("same %v, changed %v", same, changed)
			}
		})
	}
}

// TestWhatBecomesOfALinkInJSON: the same in JSON, with each byte.
func TestWhatBecomesOfALinkInJSON(t *testing.T) {
	for name, row := range map[string]struct {
		body   string
		effect Effect
		want   string
	}{
		"nothing":                          {`{ "authorityId" : "a1", "uri": "old" }`, Effect{}, `{ "authorityId" : "a1", "uri": "old" }`},
		"uri in place":                     {`{"uri":"old","authorityId":"a1","n":1.0}`, Effect{URI: uri("new")}, `{"uri":"new","authorityId":"a1","n":1.0}`},
		"uri is right, in another writing": {`{"authorityId":"a1","uri":"\u006eew"}`, Effect{URI: uri("new")}, `{"authorityId":"a1","uri":"\u006eew"}`},
		"no uri: behind the authorityId":   {`{"authorityId":"a1","x":[1, 2]}`, Effect{URI: uri("new")}, `{"authorityId":"a1","uri":"new","x":[1, 2]}`},
		"no uri, in the style around it":   {"{\n  \"x\": 1,\n  \"authorityId\": \"a1\"\n}", Effect{URI: uri("new")}, "{\n  \"x\": 1,\n  \"authorityId\": \"a1\",\n  \"uri\": \"new\"\n}"},
		"uri null is filled":               {`{"authorityId":"a1","uri": null}`, Effect{URI: uri("new")}, `{"authorityId":"a1","uri": "new"}`},
		"uri null need not go":             {`{"authorityId":"a1","uri": null}`, Effect{URI: uri("")}, `{"authorityId":"a1","uri": null}`},
		"uri goes":                         {`{"authorityId":"a1", "uri":"old", "x":1}`, Effect{URI: uri("")}, `{"authorityId":"a1", "x":1}`},
		"uri goes, it was first":           {`{ "uri":"old", "authorityId":"a1" }`, Effect{URI: uri("")}, `{ "authorityId":"a1" }`},
		"unlinked":                         {`{"authorityId":"a1", "uri":"old", "label":"L"}`, Effect{Unlink: true}, `{"uri":"old", "label":"L"}`},
		"unlinked, in the middle":          {`{"x": 1 , "authorityId":"a1" , "y": 2}`, Effect{Unlink: true}, `{"x": 1 , "y": 2}`},
		"unlinked, at the end":             {`{"x": 1 , "authorityId":"a1" }`, Effect{Unlink: true}, `{"x": 1 }`},
		"unlinked, alone":                  {`{ "authorityId":"a1" }`, Effect{Unlink: true}, `{  }`},
		"unlinked with a last uri":         {`{"authorityId":"a1", "label":"L"}`, Effect{Unlink: true, URI: uri("u")}, `{"uri":"u", "label":"L"}`},
		"unlinked, uri goes":               {`{"authorityId":"a1", "uri":"u", "label":"L"}`, Effect{Unlink: true, URI: uri("")}, `{"label":"L"}`},
		"unlinked, uri goes, it was first": {`{"uri":"u", "authorityId":"a1", "label":"L"}`, Effect{Unlink: true, URI: uri("")}, `{"label":"L"}`},
		"all goes":                         {`{"uri":"u", "authorityId":"a1", "label":"L"}`, Effect{Unlink: true, URI: uri(""), Heading: &Heading{}}, `{}`},
		"all but one go":                   {`{"x":0, "uri":"u", "authorityId":"a1", "label":"L"}`, Effect{Unlink: true, URI: uri(""), Heading: &Heading{}}, `{"x":0}`},
		"label in place":                   {`{"label":"old","authorityId":"a1"}`, Effect{Heading: &Heading{Label: "New"}}, `{"label":"New","authorityId":"a1"}`},
		"label of a MARC authority":        {`{"label":"old","authorityId":"a1"}`, Effect{Heading: &Heading{Tag: "100", Label: "New"}}, `{"label":"New","authorityId":"a1"}`},
		"label is right":                   {`{"label": "New" ,"authorityId":"a1"}`, Effect{Heading: &Heading{Label: "New"}}, `{"label": "New" ,"authorityId":"a1"}`},
		"no label: it comes":               {`{"authorityId":"a1"}`, Effect{Heading: &Heading{Label: "New"}}, `{"authorityId":"a1","label":"New"}`},
		"neither: uri, then label":         {`{"authorityId":"a1"}`, Effect{URI: uri("u"), Heading: &Heading{Label: "New"}}, `{"authorityId":"a1","uri":"u","label":"New"}`},
		"label comes, uri goes":            {`{"authorityId":"a1","uri":"u"}`, Effect{URI: uri(""), Heading: &Heading{Label: "New"}}, `{"authorityId":"a1","label":"New"}`},
		"the name written with escapes":    {`{"\u0061uthorityId":"a1"}`, Effect{URI: uri("u")}, `{"\u0061uthorityId":"a1","uri":"u"}`},
		"deep, in arrays":                  {`[[{"x":{"authorityId":"a1"}}]]`, Effect{URI: uri("u")}, `[[{"x":{"authorityId":"a1","uri":"u"}}]]`},
		"links within links are links":     {`{"authorityId":"a1","of":{"authorityId":"a2"}}`, Effect{URI: uri("u")}, `{"authorityId":"a1","uri":"u","of":{"authorityId":"a2","uri":"u"}}`},
		"what is no text is no link":       {`{"authorityId":["a1"],"of":{"authorityId":1,"in":{"authorityId":null}}}`, Effect{URI: uri("u")}, `{"authorityId":["a1"],"of":{"authorityId":1,"in":{"authorityId":null}}}`},
		"names are exact":                  {`{"AuthorityId":"a1","authorityID":"a2"}`, Effect{Unlink: true}, `{"AuthorityId":"a1","authorityID":"a2"}`},
	} {
		t.Run(name, func(t *testing.T) {
			d := read(t, []byte(row.body), JSON)
			effects := make([]Effect, len(d.Links))
			for i := range effects {
				effects[i] = row.effect
			}
			got, changed := d.Rewrite(effects)
			if string(got) != row.want {
				t.Errorf("%s\nwant %s", got, row.want)
			}
			if slices.Contains(changed, true) == (row.body == row.want) {
				t.Errorf("changed: %v", changed)
			}
		})
	}
}
