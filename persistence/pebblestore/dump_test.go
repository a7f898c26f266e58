package pebblestore_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"concord/persistence"
	"concord/persistence/pebblestore"
)

func dump(t *testing.T, s *pebblestore.Store, o pebblestore.DumpOptions) (lines []pebblestore.DumpLine) {
	t.Helper()
	var b bytes.Buffer
	if err := s.Dump(&b, o); err != nil {
		t.Fatal(err)
	}
	for text := range strings.Lines(b.String()) {
		var line pebblestore.DumpLine
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// A dump shows every record once, and each can be read.
func TestDumpShowsEveryRecord(t *testing.T) {
	w := tamperWorld(t)
	defer w.close()
	lines := dump(t, w.store, pebblestore.DumpOptions{})
	if records := w.store.Raw(); len(lines) != len(records) {
		t.Errorf("%d lines for %d records", len(lines), len(records))
	}
	seen := make(map[string]bool)
	for _, line := range lines {
		seen[line.Family] = true
		if line.Error != "" {
			t.Errorf("%+v", line)
		}
		if line.Record != nil && len(line.Record.Hash) != 64 || line.Record == nil != (line.Family != "log") {
			t.Errorf("a record without its hash, or a hash without record: %+v", line)
		}
	}
	for _, family := range pebblestore.Families() {
		if !seen[family] {
			t.Errorf("no line is of family %s", family)
		}
	}
}

// A dump shows that there is a secret, and how long it is, but not what it is.
func TestDumpHidesSecrets(t *testing.T) {
	w := tamperWorld(t)
	defer w.close()
	secret := []byte("correct horse battery staple")
	if err := w.store.SetCursor(persistence.SecretPrefix+"test", secret); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, line := range dump(t, w.store, pebblestore.DumpOptions{Families: []string{"cursor"}, Bodies: true}) {
		if line.Name == persistence.SecretPrefix+"test" {
			found++
			if line.Size == nil || *line.Size != len(secret) || len(line.Value)+len(line.Body)+len(line.Error) > 0 {
				t.Errorf("%+v", line)
			}
		}
	}
	if found != 1 {
		t.Errorf("%d lines of the secret", found)
	}
}

// A dump can be of one entity, of some families, with contents or without.
func TestDumpFilters(t *testing.T) {
	w := tamperWorld(t)
	defer w.close()
	c := collectionID(9)
	lines := dump(t, w.store, pebblestore.DumpOptions{Entity: c, Bodies: true})
	var found []string
	for _, line := range lines {
		if line.Entity != "" && line.Entity != c.String() {
			t.Errorf("%+v", line)
		}
		found = append(found, line.Family)
		if line.Family == "log" && line.Seq == 4 && !strings.Contains(string(line.Record.Parts[0].Body), `"n":3`) {
			t.Errorf("the record has no content: %s", line.Record.Parts[0].Body)
		}
	}
	slices.Sort(found)
	want := []string{"edge", "head", "log", "log", "log", "log", "log", "outcome", "outcome", "outcome", "outcome", "outcome", "part",
		"part-at", "part-at", "pin", "seq", "seq", "stray", "stray", "stray", "version", "version"}
	if !slices.Equal(found, want) {
		t.Errorf("families %v, not %v", found, want)
	}
	for _, line := range dump(t, w.store, pebblestore.DumpOptions{Families: []string{"head", "body"}}) {
		if line.Family != "head" && line.Family != "body" || line.Body != nil {
			t.Errorf("%+v", line)
		}
	}
	if err := w.store.Dump(&bytes.Buffer{}, pebblestore.DumpOptions{Families: []string{"heads"}}); err == nil {
		t.Error("a family that does not exist was taken")
	}
}

// A record that cannot be read is a line that says so.
func TestDumpOfADamagedRecord(t *testing.T) {
	w := tamperWorld(t)
	defer w.close()
	x := tampered{t, w.store.DB()}
	for _, pair := range w.store.Raw('E', 'H', 'D', 'V', 'L', 'K', 'k', 'P')[:40] {
		x.set(pair.Key, []byte{0xF7})
	}
	damaged := 0
	for _, line := range dump(t, w.store, pebblestore.DumpOptions{}) {
		if line.Error != "" && bytes.Equal(line.Value, []byte{0xF7}) {
			damaged++
		}
	}
	if damaged < 30 {
		t.Errorf("%d lines say that their record is damaged", damaged)
	}
}
