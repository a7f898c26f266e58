package links

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHeadingOfARecord(t *testing.T) {
	for name, row := range map[string]struct {
		record string
		want   Heading
		kind   string
		key    string
	}{
		"a person": {string(record("001 n1", "100 1_ $a Lovano, Joe, $d 1952-", "400 $a Joe, L.")),
			Heading{"100", []Subfield{{"a", "Lovano, Joe,"}, {"d", "1952-"}}, "Lovano, Joe, 1952-"}, "100", "Lovano, Joe, 1952-"},
		"a title under a person": {string(record("100 $a E. $t Works. $k Selections.")),
			Heading{"100", []Subfield{{"a", "E."}, {"t", "Works."}, {"k", "Selections."}}, "E. Works. Selections."}, "100t", "E. Works. Selections"},
		"a subject with subdivisions": {string(record("150 $a Jazz $x History /")),
			Heading{"150", []Subfield{{"a", "Jazz"}, {"x", "History /"}}, "Jazz History /"}, "150", "Jazz History"},
		"what belongs to the record is left out": {string(record("100 $6 880-01 $a A $w nne $0 x $9 y $8 1 $1 rwo")),
			Heading{"100", []Subfield{{"a", "A"}, {"w", "nne"}, {"1", "rwo"}}, "A"}, "100", "A"},
		"empty subfields are left out": {string(record("100 $a A $b  $d 1")),
			Heading{"100", []Subfield{{"a", "A"}, {"d", "1"}}, "A 1"}, "100", "A 1"},
		"white space is kept, but not in the key": {`{"fields":[{"130":{"subfields":[{"a":" A \t B "}]}}]}`,
			Heading{"130", []Subfield{{"a", " A \t B "}}, " A \t B "}, "130", "A B"},
		"JSON": {`{"heading":"Jazz; music: .,;:/ ","also":[]}`, Heading{Label: "Jazz; music: .,;:/ "}, "", "Jazz; music"},
	} {
		t.Run(name, func(t *testing.T) {
			got, p := HeadingOf([]byte(row.record), "/record")
			if p != nil {
				t.Fatal(p)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
			if got.Type() != row.kind || got.Key() != row.key || !got.Equal(&row.want) {
				t.Errorf("type %q, key %q", got.Type(), got.Key())
			}
		})
	}
}

func TestWhatHasNoHeading(t *testing.T) {
	many := strings.Repeat(" $a x", headingMaxSubfields)
	for body, want := range map[string]struct{ path, says string }{
		``:                                     {"", "is not JSON"},
		`[]`:                                   {"", "must be an object"},
		`{}`:                                   {"/heading", "is missing"},
		`{"heading":null}`:                     {"/heading", "must be a text"},
		`{"heading":["x"]}`:                    {"/heading", "must be a text"},
		`{"heading":""}`:                       {"/heading", "has no text"},
		`{"heading":" . "}`:                    {"/heading", "has no text"},
		`{"heading":"x"} 1`:                    {"", "more after its end"},
		`{"heading":"x","heading":"y"}`:        {"/heading", "duplicate"},
		`{"heading":"x","leader":1}`:           {"/leader", "must be a text"},
		`{"leader":"x"}`:                       {"", "has no fields"},
		string(record("001 x", "245 $a x")):    {"/fields", "has no 1XX"},
		string(record("100 $a x", "110 $a y")): {"/fields/1/110", "second 1XX"},
		string(record("100 $0 x $9 y")):        {"/fields/0/100", "has no text"},
		string(record("100 $w x $a .")):        {"/fields/0/100", "has no text"},
		string(record("100" + many + " $b y")): {"/fields/0/100", "101 subfields; the limit of a heading is 100"},
		string(record("100 $a " + strings.Repeat("x", headingMaxBytes+1))): {"/fields/0/100", "the limit is 8192 bytes"},
		`{"heading":"` + strings.Repeat("x", headingMaxBytes+1) + `"}`:     {"/heading", "the limit is 8192 bytes"},
		`{"fields":[{"100":{"subfields":[{"a":1}]}}]}`:                     {"/fields/0/100/subfields/0/a", "must be a text"},
		`{"fields":[{"100":"x"}]}`:                                         {"/fields/0/100", "must be an object with subfields"},
		string(record("100" + many)):                                       {},
		string(record("1XX $a no heading", "100 $a x")):                    {},
	} {
		t.Run(body[:min(len(body), 80)], func(t *testing.T) {
			h, p := HeadingOf([]byte(body), "/documents/x")
			refusedAt(t, p, want.path, want.says)
			if p != nil && h.Key() != "" {
				t.Errorf("%+v beside a problem", h)
			}
		})
	}
}

func TestHeadingsAreEqualIfFieldsAre(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want bool
	}{
		{"100 $a A", "100 $a A", true}, {"100 $a A", "110 $a A", false}, {"100 $a A $b B", "100 $a A B", false},
		{"100 $a A", "100 $a A $1 x", false}, {"100 $a A $0 x", "100 $a A $9 y", true}, {"json A", "json A", true}, {"json A", "json B", false},
		{"100 $a A $d D", "100 $d D $a A", false},
	} {
		a, b := heading(t, row.a), heading(t, row.b)
		if a.Equal(b) != row.want || b.Equal(a) != row.want {
			t.Errorf("%s and %s: %v", row.a, row.b, !row.want)
		}
	}
}

// folio are the 22 rules as their own table has them: field, heading, subfields in the field, and whether the heading has a
// $t (+), has none (-), or either.
var folio = strings.Fields(`
100<100- abcdjq  110<110- abcdgn  111<111- aceqdgn  130<130 adfghklmnoprst
240<100+ fghklmnoprsa  240<110+ dfghklmnoprsa  240<111+ dfghklnpsa
600<100 abcdgjqfhklmnoprst  610<110 abcdgfhklmnoprst  611<111 acdefghklnpqst  630<130 adfghklmnoprst
650<150 abg  651<151 ag  655<155 a
700<100 abcdjqfhklmnoprstg  710<110 abcfhklmoprstdgn  711<111 aceqfhklpstdgn  730<130 adfghklmnoprst
800<100 abcdjqfhklmnoprstg  810<110 abcfhklmoprstdgn  811<111 aceqfhklpstdgn  830<130 adfghklmnoprst`)

// TestTheDefaultRules: of an authority with all letters, each rule takes its own; and none but these is there.
func TestTheDefaultRules(t *testing.T) {
	if len(folio) != 44 {
		t.Fatalf("%d words", len(folio))
	}
	allowed := map[string]bool{}
	for i := 0; i < len(folio); i += 2 {
		bib, authority, codes := folio[i][:3], folio[i][4:7], folio[i+1]
		for _, title := range []bool{false, true} {
			h := Heading{Tag: authority}
			for c := 'a'; c <= 'z'; c++ {
				if c != 't' || title {
					h.Subfields = append(h.Subfields, Subfield{string(c), "new " + string(c)})
				}
			}
			may := !strings.HasSuffix(folio[i], "-") && !strings.HasSuffix(folio[i], "+") || title == strings.HasSuffix(folio[i], "+")
			if why := DefaultRules.Allows(bib, &h); (why == "") != may {
				t.Errorf("%s, title %v: %q", folio[i], title, why)
			}
			allowed[bib+authority] = true
			texts := map[string]string{}
			for _, s := range DefaultRules.Texts(bib, &h) {
				texts[s.Code] = s.Value
			}
			for c := 'a'; c <= 'z'; c++ {
				source := string(c)
				if bib == "240" && c == 'a' {
					source = "t"
				}
				want := "new " + source
				if source == "t" && !title {
					want = ""
				}
				if got, controlled := texts[string(c)]; controlled != strings.ContainsRune(codes, c) || controlled && got != want {
					t.Errorf("%s, title %v: $%c is %q, %v", folio[i], title, c, got, controlled)
				}
			}
		}
	}
	for bib := range 1000 {
		for authority := 100; authority < 200; authority++ {
			h := Heading{Tag: fmt.Sprint(authority), Subfields: []Subfield{{"a", "A"}}}
			key := fmt.Sprintf("%03d%d", bib, authority)
			if DefaultRules.find(key[:3], key[3:]) != nil != allowed[key] {
				t.Errorf("%s<%s: %v", key[:3], key[3:], !allowed[key])
			}
			if !allowed[key] && (DefaultRules.Allows(key[:3], &h) == "" || DefaultRules.Texts(key[:3], &h) != nil) {
				t.Errorf("%s<%s is allowed", key[:3], key[3:])
			}
		}
	}
}

func TestWhyAFieldMustNotBeLinked(t *testing.T) {
	for _, row := range []struct{ field, heading, says string }{
		{"700", "100 $a A", ""}, {"700", "100 $a A $t T", ""}, {"240", "100 $a A $t T", ""}, {"", "100 $a A", ""}, {"", "json A", ""},
		{"100", "100 $a A $t T", "must not have a subfield t"}, {"240", "100 $a A", "must have a subfield t"},
		{"700", "150 $a A", "no linking rule lets a field 700 name an authority with a heading 150"},
		{"245", "130 $a A", "no linking rule"}, {"700", "json A", "not MARC"}, {"650", "162 $a A", "no linking rule"},
	} {
		if why := DefaultRules.Allows(row.field, heading(t, row.heading)); (why == "") != (row.says == "") || !strings.Contains(why, row.says) {
			t.Errorf("%s <- %s: %q", row.field, row.heading, why)
		}
	}
}

func TestTextsThatAHeadingGives(t *testing.T) {
	for _, row := range []struct {
		field, heading string
		want           []Subfield
	}{
		{"", "100 $a A $d D", []Subfield{{"label", "A D"}}},
		{"655", "155 $a A $x X", []Subfield{{"a", "A"}}},
		{"651", "151 $g G $a A", []Subfield{{"g", "G"}, {"a", "A"}}},
		{"100", "100 $d D $a A $c 1 $c 2", []Subfield{{"d", "D"}, {"a", "A"}, {"c", "1"}, {"c", "2"}, {"b", ""}, {"j", ""}, {"q", ""}}},
		{"240", "111 $a A $t T $k K", []Subfield{{"a", "T"}, {"k", "K"}, {"d", ""}, {"f", ""}, {"g", ""}, {"h", ""}, {"l", ""}, {"n", ""}, {"p", ""}, {"s", ""}}},
		{"245", "100 $a A", nil},
	} {
		if diff := cmp.Diff(row.want, DefaultRules.Texts(row.field, heading(t, row.heading))); diff != "" {
			t.Errorf("%s <- %s: %s", row.field, row.heading, diff)
		}
	}
}
