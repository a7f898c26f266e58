package foreign

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"concord/actors/host"
	"concord/actors/jsonvalue"
	"concord/internal/node"
	"concord/internal/realdata"
	"concord/transport"
	"concord/transport/fanout"
	"concord/transport/operations"
)

func startNode(t *testing.T) *node.Node {
	t.Helper()
	n, err := node.Start(node.Options{
		Data: t.TempDir(), NATSHost: "127.0.0.1", HTTPHost: "127.0.0.1", Auth: transport.AuthOff{}, AuthOff: true,
		Prefix: "concord.v1", Version: "0.0.0", Limits: operations.DefaultLimits, Transport: transport.DefaultLimits,
		Bounds: host.DefaultBounds, Fatal: func(err error) { t.Error(err) }, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel),
		Events: fanout.Config{Stream: "CONCORD_EVENTS", MaxAge: time.Hour, MaxBytes: 1 << 30},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := n.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return n
}

// concord builds the command once.
func concord(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "concord")
	if out, err := exec.Command("go", "build", "-o", bin, "concord/cmd/concord").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestRealRecords imports 999 real records with the command line, and exports and compares them; then a JavaScript
// client does the same over plain NATS, and reads what the command line has imported.
func TestRealRecords(t *testing.T) {
	file := realdata.File(t, "jazz-bibs.jsonl")
	n, bin := startNode(t), concord(t)
	t.Logf("%s", run(t, ".", bin, "--server", n.NATSAddress(), "import", file, "--into", "jazz", "--per-collection", "50",
		"--format", "jsonl", "--value-member", "record"))
	exported := filepath.Join(t.TempDir(), "out.jsonl")
	run(t, ".", bin, "--server", n.NATSAddress(), "export", exported, "--format", "jsonl",
		"--starting-with", "jazz", "--value-member", "record")
	compareExport(t, file, exported)
	t.Run("JavaScript", func(t *testing.T) { javaScript(t, n, file) })
}

// compareExport compares two files of {"id", "record"} lines by value.
func compareExport(t *testing.T, want, got string) {
	t.Helper()
	wanted := lines(t, want)
	for id, text := range lines(t, got) {
		equal, err := jsonvalue.EqualText(wanted[id], text)
		if err != nil || !equal {
			t.Fatalf("%s came back as %.200s (%v)", id, text, err)
		}
		delete(wanted, id)
	}
	if len(wanted) > 0 {
		t.Fatalf("%d records are missing", len(wanted))
	}
}

func lines(t *testing.T, file string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{}
	for line := range strings.Lines(string(text)) {
		var r struct {
			ID            string
			Record, Value json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		found[r.ID] = append(r.Record, r.Value...)
	}
	return found
}

func javaScript(t *testing.T, n *node.Node, file string) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("LEFT OUT: node and npm are not here, so that no foreign client has read the records")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata")); err != nil {
		t.Fatal(err)
	}
	install := exec.Command(npm, "install", "--no-audit", "--no-fund", "--loglevel=error")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Skipf("LEFT OUT: npm cannot install the NATS client: %v\n%s", err, out)
	}
	file, err = filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", run(t, dir, "node", "client.mjs", strings.TrimPrefix(n.NATSAddress(), "nats://"), file, "jazz"))
}

// TestMetrics has promtool judge the metrics page after some traffic.
func TestMetrics(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("LEFT OUT: promtool is not here (Debian package prometheus)")
	}
	n, bin := startNode(t), concord(t)
	_ = exec.Command(bin, "--server", n.NATSAddress(), "get", "nothing").Run() // a refusal is counted, too
	page := run(t, ".", "curl", "-sf", n.HTTPAddress()+"/metrics")
	check := exec.Command("promtool", "check", "metrics")
	check.Stdin = strings.NewReader(page)
	if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("promtool: %v\n%s", err, out)
	}
	for _, name := range []string{"concord_requests_total{", "concord_commit_duration_seconds_count", "concord_build_info{",
		"concord_locks_held 0", `concord_lock_grants_total{how="acquired"} 0`,
		"concord_edit_sessions_open 0", `concord_edit_runs_total{kind="rollback"} 0`, `concord_bulk_undone_items_total{outcome="skipped"} 0`, "concord_lock_wait_seconds_count{"} {
		if !strings.Contains(page, name) {
			t.Errorf("no %s", name)
		}
	}
}
