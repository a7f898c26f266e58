// Package realdata finds the real records and official suites that tests look at. They are no part of the repository: they
// stand in ../shared/data beside it, or where CONCORD_SHARED_DATA points. Without them a test is left out, and says so.
package realdata

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// variable names another place than the one beside the repository.
const variable = "CONCORD_SHARED_DATA"

// File is the path of a file of real data; the test is left out, loudly, if it is not there.
func File(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv(variable)
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared", "data")
	}
	file := filepath.Join(dir, name)
	if _, err := os.Stat(file); err != nil {
		t.Skipf("\n*** NOT TESTED with real data: %v ***\n*** set %s to the folder that holds %s ***", err, variable, name)
	}
	return file
}

// root is the folder of the module: a test runs in that of its package.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = up
	}
	t.Fatal(err)
	return ""
}

// Read is the content of a file of real data.
func Read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(File(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Lines are the lines of a file of JSON lines.
func Lines(t testing.TB, name string) (lines [][]byte) {
	t.Helper()
	for line := range bytes.Lines(Read(t, name)) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			lines = append(lines, line)
		}
	}
	return lines
}

// Decode reads each line of a file of JSON lines.
func Decode[T any](t testing.TB, name string) (list []T) {
	t.Helper()
	for i, line := range Lines(t, name) {
		var one T
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatalf("%s, line %d: %v", name, i+1, err)
		}
		list = append(list, one)
	}
	return list
}
