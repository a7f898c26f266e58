package httpapi_test

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestKinveyPage types what docs/KINVEY.md says, and gets the answers that it promises.
func TestKinveyPage(t *testing.T) {
	for _, program := range []string{"bash", "curl", "sed"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("LEFT OUT: there is no %s here to type the commands of docs/KINVEY.md", program)
		}
	}
	page, err := os.ReadFile("../../docs/KINVEY.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands strings.Builder
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(page, -1) {
		commands.Write(block[1])
	}
	var want []string
	for _, promise := range regexp.MustCompile(`(?m) # (\d{3})\b.*$`).FindAllStringSubmatch(commands.String(), -1) {
		want = append(want, promise[1])
	}
	s := newStack(t, withScripts)
	web := httptest.NewServer(s.server)
	defer web.Close()
	text := "set -euo pipefail\n" + strings.ReplaceAll(commands.String(), "http://127.0.0.1:8080", web.URL)
	out, err := exec.CommandContext(t.Context(), "bash", "-c", text).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var got []string
	for _, line := range regexp.MustCompile(`(?m) (\d{3})$`).FindAllStringSubmatch(string(out), -1) {
		got = append(got, line[1])
	}
	if len(want) < 10 || !slices.Equal(got, want) {
		t.Errorf("answers %v, promised are %v:\n%s", got, want, out)
	}
	if e := (app{s, "ann", speaker}).pull(); e["volume"] != 6.0 {
		t.Errorf("in the end: %v", e)
	}
}
