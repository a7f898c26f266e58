package links

import (
	"slices"
	"strings"
	"testing"

	"concord/actors/problem"
)

func TestWhichLinksAreFound(t *testing.T) {
	body := record("001 n1", "100 1_ $a Ellington, Duke $0 http://x/n1 $9 a1", "245 $a Works $9 none",
		"650 _0 $a Jazz", "650 _0 $9 é/~ $a Blues $0 first $0 second", "700 $a Strayhorn $9 a1")
	want := []Link{
		{Authority: "a1", Field: "100", Path: "/fields/1/100", URI: "http://x/n1", HasURI: true},
		{Authority: "é/~", Field: "650", Path: "/fields/4/650", URI: "first", HasURI: true},
		{Authority: "a1", Field: "700", Path: "/fields/5/700"},
	}
	if d := read(t, body, MARC); !slices.Equal(d.Links, want) {
		t.Errorf("%+v", d.Links)
	}
	none, p := NewRules(nil, "")
	if d, q := Read(body, MARC, none, ""); p != nil || q != nil || len(d.Links) != 0 {
		t.Errorf("without rules: %+v, %v", d, q)
	}
	if d, p := Read(body, MARC, nil, ""); p != nil || !slices.Equal(d.Links, want) {
		t.Errorf("without any said: %+v, %v", d, p)
	}

	body = []byte(`{"z":{"in":{"uri":"u","authorityId":"a2"},"authorityId":"a1","label":"L"},"a/b~c":[0,{"authorityId":"a3","uri":null}]}`)
	want = []Link{
		{Authority: "a1", Path: "/z"},
		{Authority: "a2", Path: "/z/in", URI: "u", HasURI: true},
		{Authority: "a3", Path: "/a~1b~0c/1"},
	}
	if d := read(t, body, JSON); !slices.Equal(d.Links, want) {
		t.Errorf("%+v", d.Links)
	}
}

// TestWhatMayHaveLinks: a document without any is seen at a glance, and none with some is missed.
func TestWhatMayHaveLinks(t *testing.T) {
	for body, want := range map[Format]map[string]bool{
		MARC: {`{"9":"a"}`: true, `{ "9" : "a"}`: true, `{"\u0039":"a"}`: true, `{"99":"a"}`: false, `{"a":"9 lives"}`: false, `{"leader":9}`: false, ``: false},
		JSON: {`{"authorityId":"a"}`: true, `{"\u0061uthorityId":"a"}`: true, `{"authorityi\u0064":1}`: true, `{"authority":"a"}`: false,
			`{"\u4e00":"\ud83d\ude00"}`: false, `{}`: false, ``: false},
	} {
		for text, may := range want {
			if MayHaveLinks([]byte(text), body) != may {
				t.Errorf("%s %s: %v", body, text, !may)
			}
		}
	}
}

// TestWhatIsNoMARC: a record is refused with the place that is wrong, if it may have links.
func TestWhatIsNoMARC(t *testing.T) {
	fields := func(text string) string {
		return `{"leader":"","fields":[{"700":{"subfields":[{"9":"a1"}]}},` + text + `]}`
	}
	subs := func(text string) string { return fields(`{"245":{"subfields":[{"a":"x"},` + text + `]}}`) }
	for body, want := range map[string]struct{ path, says string }{
		`"9"`:                             {"", "must be an object"},
		`["9"]`:                           {"", "must be an object"},
		`{"9":1}`:                         {"", "has no fields"},
		`{"leader":"9","fields":{}}"9"`:   {"/fields", "must be an array"},
		`{"leader":["9"],"fields":[]}`:    {"/leader", "must be a text"},
		`{"leader":null,"x":"9"}`:         {"/leader", "must be a text"},
		`{"fields":[],"fields":[],"9":`:   {"/fields", "duplicate"},
		`{"fields":["9"]}`:                {"/fields/0", "must be an object"},
		fields(`{}`):                      {"/fields/1", "has no tag"},
		fields(`{"001":"x","002":"y"}`):   {"/fields/1/002", "second member"},
		fields(`{"24":{}}`):               {"/fields/1/24", "three characters"},
		fields(`{"2455":{}}`):             {"/fields/1/2455", "three characters"},
		fields(`{"":"x"}`):                {"/fields/1/", "three characters"},
		fields(`{"001":{}}`):              {"/fields/1/001", "must be a text"},
		fields(`{"001":5}`):               {"/fields/1/001", "must be a text"},
		fields(`{"245":"x"}`):             {"/fields/1/245", "must be an object with subfields"},
		fields(`{"245":{"ind1":"1"}}`):    {"/fields/1/245", "has no subfields"},
		fields(`{"245":{"subfields":1}}`): {"/fields/1/245/subfields", "must be an array"},
		fields(`{"245":{"subfields":[],"subfields":[]}}`): {"/fields/1/245/subfields", "duplicate"},
		subs(`"a"`):                             {"/fields/1/245/subfields/1", "must be an object"},
		subs(`{}`):                              {"/fields/1/245/subfields/1", "has no code"},
		subs(`{"a":"x","b":"y"}`):               {"/fields/1/245/subfields/1/b", "second member"},
		subs(`{"ab":"x"}`):                      {"/fields/1/245/subfields/1/ab", "one character"},
		subs(`{"":"x"}`):                        {"/fields/1/245/subfields/1/", "one character"},
		subs(`{"a":1}`):                         {"/fields/1/245/subfields/1/a", "must be a text"},
		subs(`{"a":null}`):                      {"/fields/1/245/subfields/1/a", "must be a text"},
		`{"fields":[{"700":{"subfields":[{"9":`: {"/fields/0/700/subfields/0/9", "is not JSON"},
		`{"fields":[]} {"9":1}`:                 {"", "more after its end"},

		fields(`{"650":{"subfields":[{"9":""}]}}`):                                 {"/fields/1/650/subfields/0/9", "is empty"},
		fields(`{"650":{"subfields":[{"9":"a"},{"0":"x"},{"9":"a"}]}}`):            {"/fields/1/650/subfields/2/9", "second subfield 9"},
		fields(`{"650":{"subfields":[{"9":"a\u0000"}]}}`):                          {"/fields/1/650/subfields/0/9", "no id"},
		fields(`{"650":{"subfields":[{"9":".."}]}}`):                               {"/fields/1/650/subfields/0/9", "no id"},
		fields(`{"650":{"subfields":[{"9":"` + strings.Repeat("x", 257) + `"}]}}`): {"/fields/1/650/subfields/0/9", "too long"},

		// what we do not look at
		fields(`{"245":{"subfields":[{"9":"a"},{"9":""}]}}`):                                   {},
		fields(`{"650":{"ind1":7,"subfields":[],"more":{}}},{"X é":{"subfields":[{"é":""}]}}`): {},
		fields(`{"650":{"subfields":[{"9":"` + strings.Repeat("x", 256) + `"}]}}`):             {},
		`{"fields":[{"700":{"subfields":[{"9":"a"}]}}],"more":[1.0]}`:                          {},
		`{"no":"MARC"}`: {},
	} {
		t.Run(body[:min(len(body), 100)], func(t *testing.T) {
			d, p := Read([]byte(body), MARC, DefaultRules, "/documents/x")
			refusedAt(t, p, want.path, want.says)
			if (d == nil) != (p != nil) {
				t.Errorf("%+v, %v", d, p)
			}
		})
	}
}

func TestWhatIsNoLinkInJSON(t *testing.T) {
	for body, want := range map[string]struct{ path, says string }{
		`{"a":{"authorityId":""}}`:                    {"/a/authorityId", "is empty"},
		`{"authorityId":"a\nb"}`:                      {"/authorityId", "no id"},
		`{"authorityId":"."}`:                         {"/authorityId", "no id"},
		`[{"authorityId":"a","uri":1}]`:               {"/0/uri", "must be a text or null"},
		`{"authorityId":"a","label":{"en":"x"}}`:      {"/label", "must be a text or null"},
		`{"authorityId":"a","authorityId":"b"}`:       {"/authorityId", "duplicate"},
		`{"authorityId":"a"`:                          {"", "is not JSON"},
		`{"authorityId":"a"} x`:                       {"", "more after its end"},
		`{"authorityId":7,"uri":1,"label":[]}`:        {},
		`{"authorityId":"a","uri":null,"label":null}`: {},
	} {
		t.Run(body, func(t *testing.T) {
			_, p := Read([]byte(body), JSON, nil, "/documents/x")
			refusedAt(t, p, want.path, want.says)
		})
	}
}

// refusedAt wants an `invalid` problem at the path below /documents/x; without words it wants none.
func refusedAt(t *testing.T, p *problem.Problem, path, says string) {
	t.Helper()
	if says == "" {
		if p != nil {
			t.Error(p)
		}
		return
	}
	if p == nil || p.Code != problem.Invalid || len(p.Errors) != 1 {
		t.Fatalf("%v; want %s at %s", p, says, path)
	}
	if e := p.Errors[0]; e.Path != "/documents/x"+path || !strings.Contains(e.Message, says) {
		t.Errorf("%s: %s; want %s: %s", e.Path, e.Message, path, says)
	}
}

// TestTextsOfLinks: what a user's write to a linked field is held against.
func TestTextsOfLinks(t *testing.T) {
	for name, row := range map[string]struct {
		a, b  string // fields
		tag   string
		same  bool
		head  string
		shows bool // a shows the heading
	}{
		"the same":                       {"700 $a A, $d 1 $9 a", "700 $a A, $d 1 $9 a", "100", true, "100 $a A, $d 1", true},
		"punctuation apart":              {"700 $a A, $d 1. $9 a", "700 $a A $d 1 $9 a", "100", false, "100 $a A $d 1", true},
		"white space apart":              {"700 $a A  B $9 a", "700 $a A B $9 a", "100", false, "100 $a A B", true},
		"other subfields do not count":   {"700 $e x $a A $4 y $9 a", "700 $a A $e z $9 a", "100", true, "100 $a A", true},
		"$0 does not count":              {"700 $a A $0 x $9 a", "700 $a A $0 y $9 a", "100", true, "100 $a A", true},
		"another name":                   {"700 $a A $9 a", "700 $a B $9 a", "100", false, "100 $a B", false},
		"a date is missing":              {"700 $a A $9 a", "700 $a A $d 1 $9 a", "100", false, "100 $a A $d 1", false},
		"a date is too many":             {"700 $a A $d 1 $9 a", "700 $a A $9 a", "100", false, "100 $a A", false},
		"another order":                  {"700 $a A $c 1 $d 2 $9 a", "700 $a A $d 2 $c 1 $9 a", "100", false, "100 $a A $d 2 $c 1", false},
		"the case counts":                {"700 $a a $9 a", "700 $a A $9 a", "100", false, "100 $a A", false},
		"a title of the field counts":    {"700 $a A $t T $9 a", "700 $a A $9 a", "100", false, "100 $a A", false},
		"subdivisions do not":            {"650 $a A $x X $9 a", "650 $a A $x Y $9 a", "150", true, "150 $a A $x Z", true},
		"another tag of the field":       {"100 $a A $9 a", "700 $a A $9 a", "100", true, "100 $a A", true},
		"moved subfields":                {"240 $a T $9 a", "240 $a T $t x $9 a", "100", true, "100 $a A $t T.", true},
		"no rule, nothing is controlled": {"700 $a A $9 a", "700 $a B $9 a", "150", true, "150 $a A", false},
		"no rule for a heading in JSON":  {"700 $a A $9 a", "700 $a A $9 a", "100", true, "json A", false},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := read(t, record(row.a), MARC), read(t, record("245 $a x", row.b), MARC)
			if a.SameText(0, b, 0, row.tag) != row.same || b.SameText(0, a, 0, row.tag) != row.same {
				t.Errorf("the same text: %v", !row.same)
			}
			if a.ShowsHeading(0, heading(t, row.head)) != row.shows {
				t.Errorf("shows the heading: %v", !row.shows)
			}
		})
	}
	d := read(t, []byte(`[{"authorityId":"a","label":"Jazz."},{"authorityId":"a","label":"Jazz"},{"authorityId":"a"},{"authorityId":"a","label":null}]`), JSON)
	jazz := Heading{Tag: "150", Label: "Jazz"}
	if d.SameText(0, d, 1, "150") || d.SameText(1, d, 2, "") || !d.SameText(2, d, 3, "") || !d.SameText(1, d, 1, "") {
		t.Error("the texts of links in JSON are their labels")
	}
	if !d.ShowsHeading(0, &jazz) || !d.ShowsHeading(1, &jazz) || d.ShowsHeading(2, &jazz) || d.ShowsHeading(1, &Heading{Label: "Blues"}) {
		t.Error("a link in JSON shows the heading in its label")
	}
}
