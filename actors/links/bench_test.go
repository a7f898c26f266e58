package links

import (
	"fmt"
	"strings"
	"testing"
)

// benchRecord is a record of about 2 KB with ten linked fields.
func benchRecord() []byte {
	var b strings.Builder
	b.WriteString(`{"leader":"00962njm a2200253 a 4500","fields":[{"001":"03-0018137"},{"005":"20020121132036.0"},` +
		`{"008":"020121s1999    cauuuu              eng d"},{"035":{"ind1":" ","ind2":" ","subfields":[{"a":"(Sirsi) a353305"}]}},` +
		`{"245":{"ind1":" ","ind2":" ","subfields":[{"a":"Friendly fire /"},{"c":"Joe Lovano and Greg Osby"}]}}`)
	for i := range 10 {
		fmt.Fprintf(&b, `,{"700":{"ind1":"1","ind2":" ","subfields":[{"a":"Lovano, Joe,"},{"d":"1952-"},{"4":"prf"},{"0":"http://id.loc.gov/authorities/names/n%07d"},{"9":"names:n%07d"}]}}`, i, i)
	}
	b.WriteString(`,{"949":{"ind1":" ","ind2":" ","subfields":[{"a":"5490"},{"w":"LC"},{"i":"30007007467409"}]}}]}`)
	return []byte(b.String())
}

func benchLinks(b *testing.B, effect func(i int) Effect) {
	body := benchRecord()
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	effects := make([]Effect, 10)
	for i := range effects {
		effects[i] = effect(i)
	}
	for b.Loop() {
		d, p := Read(body, MARC, DefaultRules, "")
		if p != nil {
			b.Fatal(p)
		}
		if out, _ := d.Rewrite(effects); len(out) == 0 {
			b.Fatal("nothing")
		}
	}
}

func BenchmarkRewriteURIs(b *testing.B) {
	uri := "https://authorities.example.org/names/n0000001"
	benchLinks(b, func(int) Effect { return Effect{URI: &uri} })
}

func BenchmarkRewriteHeadings(b *testing.B) {
	h := Heading{Tag: "100", Subfields: []Subfield{{"a", "Lovano, Joseph,"}, {"q", "(Joseph Salvatore),"}, {"d", "1952-"}}}
	benchLinks(b, func(int) Effect { return Effect{Heading: &h} })
}

func BenchmarkReadAlone(b *testing.B) {
	benchLinks(b, func(int) Effect { return Effect{} })
}

func BenchmarkMayHaveLinks(b *testing.B) {
	body := []byte(strings.ReplaceAll(string(benchRecord()), `"9"`, `"8"`))
	for _, f := range []Format{MARC, JSON} {
		b.Run(string(f), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if MayHaveLinks(body, f) {
					b.Fatal("none")
				}
			}
		})
	}
}
