package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// typed types what a page says to a service of its own, and fails the test unless that answers as the page promises.
func typed(t *testing.T, name string, server http.Handler) (page, out string) {
	t.Helper()
	for _, program := range []string{"bash", "curl", "grep", "sed", "sleep"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("LEFT OUT: there is no %s here to type the commands of docs/%s", program, name)
		}
	}
	text, err := os.ReadFile("../../docs/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var commands strings.Builder
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(text, -1) {
		commands.Write(block[1])
	}
	var want []string
	for _, promise := range regexp.MustCompile(`(?m) # (\d{3})\b.*$`).FindAllStringSubmatch(commands.String(), -1) {
		want = append(want, promise[1])
	}
	web := httptest.NewServer(server)
	defer web.Close()
	script := "set -euo pipefail\n" + strings.ReplaceAll(commands.String(), "http://127.0.0.1:8080", web.URL)
	said, err := exec.CommandContext(t.Context(), "bash", "-c", script).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	var got []string
	for _, line := range regexp.MustCompile(`(?m) (\d{3})$`).FindAllStringSubmatch(string(said), -1) {
		got = append(got, line[1])
	}
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("answers %v, promised are %v:\n%s", got, want, said)
	}
	return string(text), string(said)
}

// TestCMRPage types what docs/CMR.md says, and gets the answers that it promises.
func TestCMRPage(t *testing.T) {
	c := newCMRStack(t)
	page, _ := typed(t, "CMR.md", c.server)
	c.becomes("C1-PROV1", `{"Platforms":[{"ShortName":"Aqua","LongName":"Earth Observing System, Aqua"}]}`, 2)
	if message := c.status("1").Message; message == nil || !strings.Contains(strings.ReplaceAll(page, "\n", " "), *message) {
		t.Error("the page says something else than the task")
	}
}
