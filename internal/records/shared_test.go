package records

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"concord/internal/realdata"
)

func TestRealRecords(t *testing.T) {
	bibs, authorities := realdata.Read(t, "jazz-bibs.jsonl"), realdata.Read(t, "jazz-authorities.jsonl")
	for _, row := range []struct {
		text    []byte
		format  Format
		o       Options
		items   int
		firstID string
	}{
		{bibs, JSONL, Options{Value: "record"}, 999, "03-0018137"},
		{bibs, MARCJSON, Options{}, 999, "03-0018137"},
		{authorities, JSONL, Options{ID: "naturalId", Value: "record"}, 1692, "jzn00000001"},
		{authorities, MARCJSON, Options{}, 1692, "jzn00000001"},
	} {
		t.Run(fmt.Sprintf("%s of %d", row.format, row.items), func(t *testing.T) {
			if got := Detect(row.text[:2048], ""); got != MARCJSON {
				t.Errorf("detected %q", got)
			}
			items := readItems(t, row.text, row.format, row.o)
			if len(items) != row.items || items[0].ID != row.firstID {
				t.Fatalf("%d items, the first is %q", len(items), items[0].ID)
			}
			rest := row.text
			for _, it := range items {
				var found bool
				if _, rest, found = bytes.Cut(rest, it.Value); !found {
					t.Fatalf("row %d: its bytes are not those of the file: %s", it.Row, it.Value)
				}
			}
			for i, it := range copied(t, items, row.format, row.o) {
				if it.ID != items[i].ID || !bytes.Equal(it.Value, items[i].Value) {
					t.Errorf("row %d came back as %s %s", i+1, it.ID, it.Value)
				}
			}
			for i, it := range copied(t, items, ISO2709, Options{}) {
				if it.ID != items[i].ID || len(it.Value) != len(items[i].Value) {
					t.Errorf("row %d came back from ISO 2709 as %s %s", i+1, it.ID, it.Value)
				}
			}
		})
	}
}

func readItems(t testing.TB, text []byte, format Format, o Options) (items []Item) {
	t.Helper()
	r := newReader(t, string(text), format, o)
	for {
		it, err := r.Next()
		if errors.Is(err, io.EOF) {
			return items
		}
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, it)
	}
}

func BenchmarkReader(b *testing.B) {
	text := realdata.Read(b, "jazz-bibs.jsonl")
	for _, format := range []Format{JSONL, MARCJSON} {
		b.Run(string(format)+"/999", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				r, err := NewReader(bytes.NewReader(text), format, Options{Value: "record"})
				for err == nil {
					_, err = r.Next()
				}
				if !errors.Is(err, io.EOF) {
					b.Fatal(err)
				}
			}
		})
	}
}
