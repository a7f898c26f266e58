package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"concord/internal/config"
)

// settings is the default configuration in a directory of the test, on free ports.
func settings(t *testing.T) *config.Config {
	t.Helper()
	c := config.Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	c.NATS.Listen, c.HTTP.Listen = "127.0.0.1:0", "127.0.0.1:0"
	return c
}

func find(t *testing.T, findings []Finding, name string) Finding {
	t.Helper()
	for _, f := range findings {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no finding %q in %+v", name, findings)
	return Finding{}
}

func names(findings []Finding) string {
	var all []string
	for _, f := range findings {
		all = append(all, f.Name)
	}
	return strings.Join(all, ", ")
}

func TestRunBeforeTheFirstStart(t *testing.T) {
	c := settings(t)
	findings := Run(t.Context(), c)
	const want = "cpu, memory, open files, clock, data, disk sync, file system, disk space, auth, nats, nats port, http port"
	if got := names(findings); got != want {
		t.Errorf("looked at %s, want %s", got, want)
	}
	if f := find(t, findings, "data"); f.Status != OK || !strings.Contains(f.Detail, "no store yet") {
		t.Errorf("data: %+v", f)
	}
	if f := find(t, findings, "disk sync"); f.Status == Fail || !strings.Contains(f.Detail, "over 50 writes") {
		t.Errorf("disk sync: %+v", f)
	}
	if _, err := os.Stat(c.Data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the data directory was made: %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(c.Data))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestRunInMemory(t *testing.T) {
	c := settings(t)
	c.Data = config.MemoryData
	findings := Run(t.Context(), c)
	if got := names(findings); got != "cpu, memory, open files, clock, data, auth, nats, nats port, http port" {
		t.Errorf("looked at %s", got)
	}
	if f := find(t, findings, "data"); f.Status != Warn {
		t.Errorf("data: %+v", f)
	}
}

func TestRunWhereNothingCanBeWritten(t *testing.T) {
	c := settings(t)
	c.Data = "/proc/no-such-directory"
	if f := find(t, Run(t.Context(), c), "disk sync"); f.Status != Fail || f.Advice == "" {
		t.Errorf("disk sync: %+v", f)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.Data = file
	if f := find(t, Run(t.Context(), c), "disk"); f.Status != Fail || !strings.Contains(f.Detail, "no directory") {
		t.Errorf("disk: %+v", f)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := settings(t)
	c.NATS.URL = "nats://127.0.0.1:1"
	findings := Run(ctx, c)
	for _, name := range []string{"disk sync", "nats"} {
		if f := find(t, findings, name); f.Status != Fail {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := settings(t)
	c.HTTP.Listen = l.Addr().String()
	if f := find(t, Run(t.Context(), c), "http port"); f.Status != Fail || !strings.Contains(f.Detail, "another program") {
		t.Errorf("http port: %+v", f)
	}
	if f := port(t.Context(), l.Addr().String(), true); f.Status != OK {
		t.Errorf("with a server running: %+v", f)
	}
}

func TestPrincipals(t *testing.T) {
	c := settings(t)
	path := filepath.Join(t.TempDir(), "principals.json")
	c.Auth = "file:" + path
	if f := principals(c); f.Status != Fail || !strings.Contains(f.Detail, path) {
		t.Errorf("without the file: %+v", f)
	}
	if err := os.WriteFile(path, []byte(`{"providers": ["P"], "principals": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if f := principals(c); f.Status != OK {
		t.Errorf("with the file: %+v", f)
	}
}

func TestWrite(t *testing.T) {
	findings := []Finding{
		ok("2 processors").named("cpu"),
		warn("mount a volume", "overlay").named("file system"),
	}
	var out bytes.Buffer
	if err := Write(&out, findings, "table"); err != nil {
		t.Fatal(err)
	}
	const want = "ok    cpu          2 processors\n" +
		"warn  file system  overlay\n" +
		"                   -> mount a volume\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
	out.Reset()
	if err := Write(&out, findings, "json"); err != nil {
		t.Fatal(err)
	}
	var report struct {
		Status   Status
		Findings []Finding
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil || report.Status != Warn || len(report.Findings) != 2 ||
		report.Findings[1] != findings[1] {
		t.Errorf("json: %+v, %v", report, err)
	}
	if err := Write(&out, findings, "xml"); err == nil {
		t.Error("xml was taken")
	}
}

func TestWorst(t *testing.T) {
	for _, row := range []struct {
		given []Status
		want  Status
	}{
		{nil, OK}, {[]Status{OK, OK}, OK}, {[]Status{OK, Warn, OK}, Warn}, {[]Status{Fail, Warn, OK}, Fail}, {[]Status{Warn, Fail}, Fail},
	} {
		var findings []Finding
		for _, s := range row.given {
			findings = append(findings, Finding{Status: s})
		}
		if got := Worst(findings); got != row.want {
			t.Errorf("%v: %s, want %s", row.given, got, row.want)
		}
	}
}
