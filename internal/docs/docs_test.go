package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const root = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestWireIsWhatTheCodeSays: `make docs` was run.
func TestWireIsWhatTheCodeSays(t *testing.T) {
	want, err := document([]string{"wire"})
	if err != nil {
		t.Fatal(err)
	}
	if read(t, "docs/WIRE.md") != want {
		t.Error("docs/WIRE.md is not what the code says: run `make docs`")
	}
}

// TestBoundsAreWhatTheCodeSays: the README's table is the table of settings.
func TestBoundsAreWhatTheCodeSays(t *testing.T) {
	want, err := document([]string{"bounds"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(read(t, "README.md"), want) {
		t.Error("the README's table of bounds is not what the code says: run `make docs`")
	}
}

// TestReadmeCommands runs what the README tells a newcomer to type, against a service of its own: the first block brings
// the service up, the others use it. Only the test command is left to whoever runs this.
func TestReadmeCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("LEFT OUT with -short: the README's commands")
	}
	dir := t.TempDir()
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(read(t, "README.md"), -1)
	if len(blocks) < 3 {
		t.Fatalf("%d blocks of commands", len(blocks))
	}
	var script strings.Builder
	script.WriteString("set -euo pipefail\n")
	for i, b := range blocks {
		for line := range strings.Lines(b[1]) {
			if !strings.HasPrefix(line, "make check") {
				script.WriteString(line)
			}
		}
		if i == 0 {
			script.WriteString("export CONCORD_SERVER=$(sed -E 's/.*\"nats\":\"([^\"]*)\".*/\\1/' " + dir + "/ready.json)\n")
			script.WriteString("HTTP=$(sed -E 's/.*\"http\":\"([^\"]*)\".*/\\1/' " + dir + "/ready.json)\n")
		}
	}
	text := strings.ReplaceAll(script.String(), "http://127.0.0.1:8080", "$HTTP")
	cmd := exec.Command("bash", "-c", text)
	cmd.Dir, cmd.WaitDelay = root, 5*time.Second
	cmd.Env = append(os.Environ(), "DEMO_DIR="+dir, "DEMO_NATS=127.0.0.1:0", "DEMO_HTTP=127.0.0.1:0")
	t.Cleanup(func() { _ = exec.Command("bash", "-c", "kill $(cat "+dir+"/pid)").Run() })
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n--- output\n%s", err, text, out)
	}
}
