package marc

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"concord/internal/realdata"
)

// sharedRecords returns the records of a file of real data as texts of MARC-in-JSON. The data is no
// part of the repository.
func sharedRecords(t testing.TB, name string) []jsontext.Value {
	t.Helper()
	var texts []jsontext.Value
	for _, text := range realdata.Lines(t, name) {
		var line struct {
			Record jsontext.Value `json:"record"`
		}
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, line.Record)
	}
	return texts
}

// The real records say the same, byte by byte, after JSON -> ISO 2709 -> JSON, but for the lengths in
// the leader, which are those of the ISO 2709 record that it came from.
func TestRealRecordsRoundTrip(t *testing.T) {
	for name, want := range map[string]int{"jazz-bibs.jsonl": 999, "jazz-authorities.jsonl": 1692} {
		t.Run(name, func(t *testing.T) {
			texts := sharedRecords(t, name)
			if len(texts) != want {
				t.Fatalf("%d records, want %d", len(texts), want)
			}
			changedLeaders := 0
			r := NewReader(bytes.NewReader(asISO2709(t, texts)))
			for _, text := range texts {
				rec, err := r.Next()
				if err != nil {
					t.Fatal(err)
				}
				got, err := rec.AppendJSON(nil)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, text) {
					changedLeaders++
				}
				if !bytes.Equal(maskLengths(got), maskLengths(text)) {
					t.Errorf("got  %s\nwant %s", got, text)
				}
			}
			if _, err := r.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("after the last record: %v", err)
			}
			t.Logf("%d records equal; %d of them had other lengths in the leader", len(texts), changedLeaders)
		})
	}
}

// yaz-marcdump must find the same in our ISO 2709 of the real records as stood in the original.
func TestYazReadsRealRecords(t *testing.T) {
	texts := sharedRecords(t, "jazz-bibs.jsonl")
	file := filepath.Join(t.TempDir(), "real.mrc")
	if err := os.WriteFile(file, asISO2709(t, texts), 0o600); err != nil {
		t.Fatal(err)
	}
	theirs := jsontext.NewDecoder(bytes.NewReader(yaz(t, "-i", "marc", "-o", "json", file)))
	for _, text := range texts {
		value, err := theirs.ReadValue()
		if err != nil {
			t.Fatal(err)
		}
		got, err := FromJSON(value)
		if err != nil {
			t.Fatal(err)
		}
		want, err := FromJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(unstructured(want), unstructured(got)); diff != "" {
			t.Error(diff)
		}
	}
}

func asISO2709(t testing.TB, texts []jsontext.Value) []byte {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out)
	for _, text := range texts {
		rec, err := FromJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

// maskLengths hides leader/00-04, 10-11, 12-16 and 20-23 in a text that begins with the leader.
func maskLengths(text []byte) []byte {
	text = bytes.Clone(text)
	leader := text[len(`{"leader":"`):]
	for _, part := range [][]byte{leader[:5], leader[10:17], leader[20:24]} {
		copy(part, "-------")
	}
	return text
}

func BenchmarkRealRecords(b *testing.B) {
	texts := sharedRecords(b, "jazz-bibs.jsonl")
	iso := asISO2709(b, texts)
	var recs []Record
	for _, text := range texts {
		rec, err := FromJSON(text)
		if err != nil {
			b.Fatal(err)
		}
		recs = append(recs, rec)
	}
	textBytes := 0
	for _, text := range texts {
		textBytes += len(text)
	}
	for name, run := range map[string]struct {
		bytes int
		pass  func() error
	}{
		"read/iso2709":  {len(iso), func() error { return drain(NewReader(bytes.NewReader(iso))) }},
		"write/iso2709": {len(iso), func() error { return writeAll(NewWriter(io.Discard), recs) }},
		"read/json":     {textBytes, func() error { return decodeAll(texts) }},
		"write/json":    {textBytes, func() error { return encodeAll(recs) }},
	} {
		b.Run(name+"/999", func(b *testing.B) {
			b.SetBytes(int64(run.bytes))
			b.ReportAllocs()
			for b.Loop() {
				if err := run.pass(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func drain(r *Reader) error {
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func writeAll(w *Writer, recs []Record) error {
	for _, rec := range recs {
		if err := w.Write(rec); err != nil {
			return err
		}
	}
	return nil
}

func decodeAll(texts []jsontext.Value) error {
	for _, text := range texts {
		if _, err := FromJSON(text); err != nil {
			return err
		}
	}
	return nil
}

func encodeAll(recs []Record) (err error) {
	var buf []byte
	for _, rec := range recs {
		if buf, err = rec.AppendJSON(buf[:0]); err != nil {
			return err
		}
	}
	return nil
}
