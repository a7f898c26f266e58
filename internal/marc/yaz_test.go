package marc

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

// yaz-marcdump (Index Data; Debian package yaz) is a second implementation, written by others.
func yaz(t *testing.T, args ...string) []byte {
	t.Helper()
	program, err := exec.LookPath("yaz-marcdump")
	if err != nil {
		t.Skip("NOT COMPARED with yaz-marcdump: the program is not here (apt-get install yaz)")
	}
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("yaz-marcdump %q: %v", args, err)
	}
	return out
}

// yazRecords are records whose text yaz takes as it is: it cuts C strings at NUL, for one.
func yazRecords() []Record {
	recs := []Record{
		small,
		record("001 b2", "008 020121s1999    cauuuu              eng d", "245 00$aŽlutý kůň /$cЯ. 林", "650 #0$aJazz$xHistory"),
		record("001 b3", "100 1#$aO'Neil, \"Kid\"$d1901-", "500 ##$aa\\b$5DE-1"),
		record("001 b4", "500 ##$aq\u0308 decomposed", "880 10$6245-01/$1$a日本語"),
	}
	for range 40 {
		rec := record("001 long")
		for range len(recs) {
			rec.Fields = append(rec.Fields, Field{Tag: "505", Ind1: '0', Ind2: ' ',
				Subfields: []Subfield{{'a', fmt.Sprint("Träck ", len(recs))}, {'t', "x"}}})
		}
		recs = append(recs, rec)
	}
	return recs
}

func TestYazReadsWhatWeWrite(t *testing.T) {
	want := yazRecords()
	var written bytes.Buffer
	w := NewWriter(&written)
	for _, rec := range want {
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "ours.mrc")
	if err := os.WriteFile(file, written.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if same := yaz(t, "-i", "marc", "-o", "marc", file); !bytes.Equal(same, written.Bytes()) {
		t.Errorf("yaz wrote it differently:\n%q\n%q", same, written.Bytes())
	}
	// As JSON it says what our own reader says, leader and all.
	texts := jsontext.NewDecoder(bytes.NewReader(yaz(t, "-i", "marc", "-o", "json", file)))
	ours := NewReader(&written)
	for range want {
		text, err := texts.ReadValue()
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := FromJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := ours.Next()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rec, theirs); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := texts.ReadValue(); !errors.Is(err, io.EOF) {
		t.Errorf("yaz read more records than we wrote: %v", err)
	}
}

func TestWeReadWhatYazWrites(t *testing.T) {
	want := yazRecords()
	args := []string{"-i", "json", "-o", "marc"}
	dir := t.TempDir()
	for i, rec := range want {
		text, err := rec.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, fmt.Sprintf("%03d.json", i)) // yaz takes one JSON record a file
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	r := NewReader(bytes.NewReader(yaz(t, args...)))
	for _, rec := range want {
		got, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(unstructured(rec), unstructured(got)); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last record: %v", err)
	}
}

// The commands that ErrMARC8 names must do what it says.
func TestYazConvertsAsErrMARC8Says(t *testing.T) {
	for name, row := range map[string]struct {
		in   string
		args []string
	}{
		"text in MARC-8, accent before the letter": {
			"00045nam  2200037   4500245000700000\x1e10\x1fa\xe2e\x1e\x1d",
			[]string{"-f", "marc-8", "-t", "utf-8", "-o", "marc", "-l", "9=97"},
		},
		"text in UTF-8, badly marked": {
			"00045nam  2200037   4500245000700000\x1e10\x1faé\x1e\x1d",
			[]string{"-o", "marc", "-l", "9=97"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "in.mrc")
			if err := os.WriteFile(file, []byte(row.in), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := NewReader(bytes.NewReader([]byte(row.in))).Next()
			if command := "yaz-marcdump " + strings.Join(row.args, " "); !errors.Is(err, ErrMARC8) || !strings.Contains(err.Error(), command) {
				t.Fatalf("got %v, want ErrMARC8 naming %q", err, command)
			}
			rec, err := NewReader(bytes.NewReader(yaz(t, append(row.args, file)...))).Next()
			if err != nil {
				t.Fatal(err)
			}
			if got := rec.Fields[0].Subfields[0].Value; got != "é" && got != "e\u0301" {
				t.Errorf("got %q", got)
			}
		})
	}
}
