package marc

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzReader holds the reader to its contract on any input: it ends, it never panics, and what it
// returns can be written and read again with the same meaning.
func FuzzReader(f *testing.F) {
	f.Add([]byte(smallISO))
	f.Add([]byte(swapped))
	f.Add([]byte("\ufeff" + smallISO + "\r\n" + smallISO))
	f.Add([]byte(patch(smallISO, 9, " ")))
	f.Add([]byte(patch(smallISO, 43, "00002") + smallISO))
	f.Add([]byte("00026nam a2200025 a 4500\x1e\x1d"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := NewReader(bytes.NewReader(in))
		last := int64(-1)
		// A record takes a byte at least, so that this loop sees the end or finds a reader that stands still.
		for range len(in) + 1 {
			rec, err := r.Next()
			if bad, ok := errors.AsType[*RecordError](err); ok {
				if bad.Offset < 0 || bad.Offset > int64(len(in)) || bad.Offset < last {
					t.Fatalf("error at byte %d after one at byte %d", bad.Offset, last)
				}
				last = bad.Offset
				continue
			}
			if err != nil {
				return
			}
			checkForms(t, rec)
		}
		t.Fatal("the reader does not come to an end")
	})
}

// checkForms writes rec in both forms and compares what comes back.
func checkForms(t *testing.T, rec Record) {
	t.Helper()
	text, err := rec.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	fromJSON, err := FromJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rec, fromJSON); diff != "" {
		t.Fatal(diff)
	}
	var out bytes.Buffer
	if err := NewWriter(&out).Write(rec); err != nil {
		if errors.Is(err, ErrTooLarge) {
			return
		}
		t.Fatal(err)
	}
	fromISO, err := NewReader(&out).Next()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(unstructured(rec), unstructured(fromISO)); diff != "" {
		t.Fatal(diff)
	}
}

func FuzzFromJSON(f *testing.F) {
	f.Add([]byte(smallJSON))
	f.Add([]byte(`{"fields":[{"001":""}],"leader":"00000nam a2200000 a 4500"}`))
	f.Add([]byte(`{"leader":"00000nam a2200000 a 4500","fields":[{"245":{"ind1":"\"","ind2":"\\","subfields":[{"9":"\u0000"}]}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		rec, err := FromJSON(text)
		if !bytes.Equal(text, before) {
			t.Fatal("the input was written to")
		}
		if err != nil {
			if _, ok := errors.AsType[*PathError](err); !ok {
				t.Fatalf("%v has no path", err)
			}
			return
		}
		checkForms(t, rec)
	})
}
