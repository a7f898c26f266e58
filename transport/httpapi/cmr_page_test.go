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

// TestCMRPage types what docs/CMR.md says, and gets the answers that it promises.
func TestCMRPage(t *testing.T) {
	for _, program := range []string{"bash", "curl", "grep", "sleep"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("LEFT OUT: there is no %s here to type the commands of docs/CMR.md", program)
		}
	}
	page, err := os.ReadFile("../../docs/CMR.md")
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
	c := newCMRStack(t)
	web := httptest.NewServer(c.server)
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
	c.becomes("C1-PROV1", `{"Platforms":[{"ShortName":"Aqua","LongName":"Earth Observing System, Aqua"}]}`, 2)
	if message := c.status("1").Message; message == nil || !strings.Contains(strings.ReplaceAll(string(page), "\n", " "), *message) {
		t.Error("the page says something else than the task")
	}
}
