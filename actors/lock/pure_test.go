package lock

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPure: nothing in here waits, draws lots or looks at the world.
func TestPure(t *testing.T) {
	allowed := []string{"concord/actors/bound", "concord/actors/problem", "concord/actors/lock/lockpb", "concord/internal/planted", "google.golang.org/protobuf/proto", "crypto/hmac",
		"crypto/sha256", "encoding/base64", "encoding/binary", "errors", "fmt", "math", "net/http", "slices", "strconv",
		"strings", "time", "unicode/utf8"}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if !slices.Contains(allowed, strings.Trim(i.Path.Value, `"`)) {
				t.Errorf("%s imports %s", name, i.Path.Value)
			}
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, forbidden := range []string{"time.Now", "time.Since", "time.After", "go func", "make(chan"} {
			if strings.Contains(string(text), forbidden) {
				t.Errorf("%s has %s", name, forbidden)
			}
		}
	}
}
