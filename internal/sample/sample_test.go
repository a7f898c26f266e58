package sample

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"concord/internal/marc"
	"concord/internal/records"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

func written(t testing.TB, kind Kind, format records.Format, n int, seed uint64) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, kind, format, n, seed); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A change here changes every sample that anybody has made: bump it knowingly.
func TestSameSeedSameBytes(t *testing.T) {
	for kind, want := range map[Kind]string{
		Bibs:     "b9b600a80ce635d3",
		Names:    "eb90d2b2b918802d",
		Subjects: "4f70ec889d56525e",
		Datasets: "0034b354742372a9",
	} {
		text := written(t, kind, records.JSONL, 300, 7)
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:8]) != want {
			t.Errorf("%s: %x, want %s", kind, sum[:8], want)
		}
		if part := written(t, kind, records.JSONL, 100, 7); !bytes.HasPrefix(text, part) {
			t.Errorf("%s: the first 100 depend on how many follow", kind)
		}
		if bytes.Equal(text, written(t, kind, records.JSONL, 300, 8)) {
			t.Errorf("%s: another seed makes the same", kind)
		}
	}
}

// Whatever is written, the reader of the format reads, with the ids that were meant.
func TestReadersReadIt(t *testing.T) {
	const n = 500
	for kind, formats := range map[Kind][]records.Format{
		Bibs: records.Formats(), Names: records.Formats(), Subjects: records.Formats(), Datasets: {records.JSONL},
	} {
		for _, format := range formats {
			t.Run(fmt.Sprintf("%s in %s", kind, format), func(t *testing.T) {
				text := written(t, kind, format, n, 3)
				detected := format
				if format == records.JSONL && kind != Datasets {
					detected = records.MARCJSON // which is what the records in it are
				}
				if got := records.Detect(text[:1024], ""); got != detected {
					t.Errorf("detected %q, want %q", got, detected)
				}
				var first, last string
				items := 0
				for it := range read(t, text, format) {
					if items++; items == 1 {
						first = it.ID
					}
					last = it.ID
				}
				if items != n || !strings.HasSuffix(first, "00000001") || !strings.HasSuffix(last, "00000500") {
					t.Errorf("%d items, from %q to %q", items, first, last)
				}
			})
		}
	}
}

// The authorities of some bibs are all that these use, and no other.
func TestAuthoritiesOfBibs(t *testing.T) {
	for _, bibs := range []int{0, 1, 64, 300} {
		text := written(t, Authorities, records.JSONL, bibs, 7)
		names := written(t, Names, records.JSONL, NamesIn(bibs), 7)
		subjects := written(t, Subjects, records.JSONL, SubjectsIn(bibs), 7)
		if !bytes.Equal(text, append(names, subjects...)) {
			t.Errorf("%d bibs: their authorities are not their names and subjects", bibs)
		}
	}
}

func read(t testing.TB, text []byte, format records.Format) func(func(records.Item) bool) {
	t.Helper()
	r, err := records.NewReader(bytes.NewReader(text), format, records.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return func(yield func(records.Item) bool) {
		for {
			it, err := r.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !yield(it) {
				return
			}
		}
	}
}

// In every format a record is the same.
func TestFormatsAgree(t *testing.T) {
	var want, got []string
	for it := range read(t, written(t, Bibs, records.MARCJSON, 200, 5), records.MARCJSON) {
		want = append(want, withoutLengths(string(it.Value)))
	}
	for it := range read(t, written(t, Bibs, records.ISO2709, 200, 5), records.ISO2709) {
		got = append(got, withoutLengths(string(it.Value)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// withoutLengths cuts the leader off, parts of which ISO 2709 computes.
func withoutLengths(text string) string { return text[len(`{"leader":"000000000000000000000000"`):] }

func TestWriteRefuses(t *testing.T) {
	for says, row := range map[string]struct {
		kind   Kind
		format records.Format
		n      int
	}{
		`unknown kind "maps"`:   {"maps", records.JSONL, 1},
		`unknown format "csv"`:  {Bibs, "csv", 1},
		"there are 0 to":        {Bibs, records.JSONL, BibsMax() + 1},
		"make up -1":            {Names, records.JSONL, -1},
		"no MARC records: want": {Datasets, records.ISO2709, 1},
	} {
		if err := Write(io.Discard, row.kind, row.format, row.n, 1); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	if _, err := ParseKind("maps"); err == nil {
		t.Error("maps were taken for a kind")
	}
	if k, err := ParseKind("subjects"); k != Subjects || err != nil {
		t.Errorf("got %q, %v", k, err)
	}
}

func TestWriteReportsABrokenFile(t *testing.T) {
	for _, format := range records.Formats() {
		in, out := io.Pipe()
		if err := in.CloseWithError(io.ErrClosedPipe); err != nil {
			t.Fatal(err)
		}
		if err := Write(out, Bibs, format, 10, 1); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// The records are of the size, the kinds and the scripts that a catalogue has.
func TestRecordsAreLifelike(t *testing.T) {
	const n = 5000
	c := New(11)
	var sizes []int
	kinds := map[string]int{}
	scripts880 := 0
	for i := range n {
		rec := c.Bib(i)
		text, err := rec.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(text))
		kinds[rec.Leader[6:8]]++
		checkFixedFields(t, rec)
		for _, f := range rec.Fields {
			if f.Tag == "880" {
				scripts880++
			}
		}
	}
	slices.Sort(sizes)
	low, middle, high := sizes[n/100], sizes[n/2], sizes[n*99/100]
	t.Logf("sizes: 1%% %d, median %d, 99%% %d, most %d; kinds %v; other scripts %d", low, middle, high, sizes[n-1], kinds, scripts880)
	if low < 600 || middle < 1000 || middle > 2000 || high > 3<<10 {
		t.Errorf("sizes are not those of a catalogue")
	}
	for _, kind := range []string{"am", "jm", "cm", "em", "as"} {
		if kinds[kind] < n/20 {
			t.Errorf("leader/06-07 %q: %d of %d", kind, kinds[kind], n)
		}
	}
	if scripts880 < n/30 || scripts880 > n/8 {
		t.Errorf("%d of %d records in another script", scripts880, n)
	}
}

// checkFixedFields counts the characters of 005 and 008, which have a fixed length in MARC 21, and sees
// to it that no value is empty.
func checkFixedFields(t *testing.T, rec marc.Record) {
	t.Helper()
	for _, f := range rec.Fields {
		if f.Tag == "008" && len(f.Value) != 40 || f.Tag == "005" && len(f.Value) != 16 {
			t.Errorf("%s: field %s is %q", rec.ControlNumber(), f.Tag, f.Value)
		}
		if !f.IsControl() && len(f.Subfields) == 0 {
			t.Errorf("%s: field %s is empty", rec.ControlNumber(), f.Tag)
		}
	}
}

func TestStandardNumbers(t *testing.T) {
	b := builder{r: New(1).stream(bibRecord, 1)}
	for range 1000 {
		isbn, sum := b.isbn13(), 0
		for i, d := range isbn {
			sum += (1 + 2*(i%2)) * int(d-'0')
		}
		if len(isbn) != 13 || sum%10 != 0 {
			t.Errorf("ISBN %s", isbn)
		}
		issn, sum := strings.Replace(b.issn(), "-", "", 1), 0
		for i, d := range issn {
			sum += (8 - i) * strings.IndexRune("0123456789X", d)
		}
		if len(issn) != 8 || sum%11 != 0 {
			t.Errorf("ISSN %s", issn)
		}
	}
}

// ShortName and Version are the alternate key of a data set.
func TestDatasets(t *testing.T) {
	seen := map[string]bool{}
	for i := range 2000 {
		text, err := New(2).Dataset(i)
		if err != nil {
			t.Fatal(err)
		}
		if !jsontext.Value(text).IsValid() || len(text) < 600 || len(text) > 3<<10 {
			t.Fatalf("data set %d has %d bytes: %s", i, len(text), text)
		}
		_, key, _ := bytes.Cut(text, []byte(`"ShortName":`))
		key, _, _ = bytes.Cut(key, []byte(`,"EntryTitle"`))
		if seen[string(key)] {
			t.Errorf("%s twice", key)
		}
		seen[string(key)] = true
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, kind := range Kinds() {
		const n = 1000
		b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := Write(io.Discard, kind, records.JSONL, n, 1); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "records/s") // of authorities: records whose they are
		})
	}
}
