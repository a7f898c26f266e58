package marc

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// anyRecord draws every record that Check accepts and ISO 2709 can hold.
func anyRecord() *rapid.Generator[Record] {
	character := rapid.Custom(func(t *rapid.T) byte { return byte(rapid.IntRange(' ', '~').Draw(t, "character")) })
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Map(func(r rune) rune {
			if recordTerminator <= r && r <= subfieldDelimiter {
				return -1
			}
			return r
		}, rapid.String().Draw(t, "text"))
	})
	subfield := rapid.Custom(func(t *rapid.T) Subfield {
		return Subfield{Code: byte(rapid.IntRange('!', '~').Draw(t, "code")), Value: text.Draw(t, "value")}
	})
	field := rapid.Custom(func(t *rapid.T) Field {
		f := Field{Tag: rapid.StringMatching(`00[0-9A-Za-z]|[0-9A-Za-z]{3}`).Draw(t, "tag")}
		if f.IsControl() {
			f.Value = text.Draw(t, "value")
			return f
		}
		f.Ind1, f.Ind2 = character.Draw(t, "ind1"), character.Draw(t, "ind2")
		if s := rapid.SliceOfN(subfield, 0, 6).Draw(t, "subfields"); len(s) > 0 {
			f.Subfields = s
		}
		return f
	})
	return rapid.Custom(func(t *rapid.T) Record {
		rec := Record{Leader: rapid.StringMatching(`[ -~]{24}`).Draw(t, "leader")}
		if f := rapid.SliceOfN(field, 0, 12).Draw(t, "fields"); len(f) > 0 {
			rec.Fields = f
		}
		return rec
	})
}

// unstructured blanks those parts of a leader that a writer of ISO 2709 computes.
func unstructured(rec Record) Record {
	b := []byte(rec.Leader)
	for _, part := range [][]byte{b[:5], b[9:17], b[20:]} {
		copy(part, "        ")
	}
	rec.Leader = string(b)
	return rec
}

func TestISO2709RoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(anyRecord(), 1, 4).Draw(t, "records")
		var out bytes.Buffer
		w := NewWriter(&out)
		for _, rec := range want {
			if err := w.Write(rec); err != nil {
				t.Fatal(err)
			}
		}
		first := bytes.Clone(out.Bytes())
		out.Reset()
		r := NewReader(bytes.NewReader(first))
		for _, rec := range want {
			got, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(unstructured(rec), unstructured(got)); diff != "" {
				t.Fatal(diff)
			}
			if err := w.Write(got); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(first, out.Bytes()) {
			t.Errorf("written again:\n%q\nwant\n%q", out.Bytes(), first)
		}
	})
}

func TestJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anyRecord().Draw(t, "record")
		text, err := want.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := FromJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// A byte of a good stream changed: the reader must come to an end, never return a record that Check
// refuses, and never lose the records that come well before and after.
func TestReaderSurvivesAChangedByte(t *testing.T) {
	good := strings.Repeat(smallISO, 3)
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(smallISO)-1).Draw(t, "at")
		in := patch(good, len(smallISO)+at, string([]byte{rapid.Byte().Draw(t, "byte")}))
		recs := readRest(t, NewReader(strings.NewReader(in)))
		if len(recs) < 2 {
			t.Errorf("%d of the 2 good records are left", len(recs))
		}
		for _, rec := range recs {
			if err := rec.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
