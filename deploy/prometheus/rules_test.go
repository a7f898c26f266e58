// Package prometheus_test checks the alert rules: promtool runs their tests, and the tests themselves are tried on rules
// that are wrong.
package prometheus_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const (
	rulesFile = "rules.yml"
	testsFile = "rules_test.yml"
)

// rules is the form of a file of rules, as far as it matters here.
type rules struct {
	Groups []struct {
		Name  string
		Rules []map[string]any
	}
}

func readRules(t *testing.T) rules {
	t.Helper()
	var r rules
	content, err := os.ReadFile(rulesFile)
	if err == nil {
		err = yaml.Unmarshal(content, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// alerts calls see with every alert of the rules.
func (r rules) alerts(see func(name string, rule map[string]any)) {
	for _, g := range r.Groups {
		for _, rule := range g.Rules {
			if name, isAlert := rule["alert"].(string); isAlert {
				see(name, rule)
			}
		}
	}
}

func promtool(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed")
	}
	b, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	return string(b), err
}

func TestRules(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "--lint=all", "--lint-fatal", rulesFile}, {"test", "rules", testsFile}} {
		if out, err := promtool(t, args...); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// Each alert says how bad it is, what happened and what to do.
func TestAlertsAreComplete(t *testing.T) {
	readRules(t).alerts(func(name string, rule map[string]any) {
		labels, _ := rule["labels"].(map[string]any)
		if s := labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s: severity %v", name, s)
		}
		notes, _ := rule["annotations"].(map[string]any)
		for _, note := range []string{"summary", "description"} {
			if text, _ := notes[note].(string); len(text) < 20 {
				t.Errorf("%s: %s %q", name, note, text)
			}
		}
	})
}

// metrics that the service has. Each that is of use to an operator at night stands in a rule.
var metrics = []string{
	"concord_requests_total", "concord_request_duration_seconds", "concord_commit_duration_seconds", "concord_commit_group_entries",
	"concord_entities_active", "concord_commands_in_flight", "concord_refused_total", "concord_fanout_pending_records",
	"concord_fanout_published_total", "concord_fanout_oldest_age_seconds",
	"concord_fanout_links_pending_records", "concord_fanout_links_published_total", "concord_store_low_space", "concord_store_disk_bytes",
	"concord_activations_total", "concord_activation_duration_seconds", "concord_panics_total", "concord_idempotency_early_loss_total",
	"concord_corruption_detected_total", "concord_build_info", "process_start_time_seconds",
	"concord_lock_wait_seconds", "concord_parked_updates_total", "concord_merge_scripts_total",
	"concord_propagations_total", "concord_propagation_waiting_collections",
	"concord_bulk_items_total", "concord_bulk_undone_items_total", "concord_bulk_tasks_open", "concord_bulk_waiting_collections",
}

func TestRulesNameMetricsThatExist(t *testing.T) {
	known := make(map[string]bool) // and whether a rule uses it
	for _, m := range metrics {
		known[m] = false
	}
	name := regexp.MustCompile(`(^|[^:a-z_])((concord|process)_[a-z_]+)`)
	for _, g := range readRules(t).Groups {
		for _, rule := range g.Rules {
			for _, found := range name.FindAllStringSubmatch(rule["expr"].(string), -1) {
				metric := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(found[2], "")
				if _, exists := known[metric]; !exists {
					t.Errorf("%s is no metric of ours", metric)
				}
				known[metric] = true
			}
		}
	}
	for metric, used := range known {
		if !used {
			t.Errorf("%s is in no rule", metric)
		}
	}
}

// The tests of the rules must notice an alert that never fires, and one that always does.
func TestTheTestsNotice(t *testing.T) {
	comparison := regexp.MustCompile(`(>|==) (?:2 \* \S+|[0-9.]+)$|(>|==) [0-9.]+`)
	for plant, change := range map[string]func(string) string{
		"never fires": func(string) string { return "vector(1) > 2" },
		"always fires": func(expr string) string {
			if strings.HasPrefix(expr, "absent") {
				return "vector(1)"
			}
			return comparison.ReplaceAllString(expr, ">= -1")
		},
	} {
		readRules(t).alerts(func(name string, _ map[string]any) {
			t.Run(name+" "+plant, func(t *testing.T) {
				broken := readRules(t)
				broken.alerts(func(n string, rule map[string]any) {
					if n == name {
						rule["expr"] = change(rule["expr"].(string))
					}
				})
				if out, err := tryRules(t, broken, name); err == nil || !strings.Contains(out, "FAILED") || !strings.Contains(out, "got:") {
					t.Errorf("was not noticed: %v\n%s", err, out)
				}
			})
		})
	}
}

// tryRules runs the tests that mention the alert on other rules.
func tryRules(t *testing.T, r rules, alert string) (out string, err error) {
	t.Helper()
	var tests map[string]any
	content, err := os.ReadFile(testsFile)
	if err == nil {
		err = yaml.Unmarshal(content, &tests)
	}
	if err != nil {
		t.Fatal(err)
	}
	tests["tests"] = slices.DeleteFunc(tests["tests"].([]any), func(test any) bool {
		text, err := yaml.Marshal(test)
		return err == nil && !bytes.Contains(text, []byte(alert))
	})
	dir := t.TempDir()
	for name, value := range map[string]any{rulesFile: map[string]any{"groups": plain(r)}, testsFile: tests} {
		text, err := yaml.Marshal(value)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return promtool(t, "test", "rules", filepath.Join(dir, testsFile))
}

func plain(r rules) []map[string]any {
	var groups []map[string]any
	for _, g := range r.Groups {
		groups = append(groups, map[string]any{"name": g.Name, "rules": g.Rules})
	}
	return groups
}

// The rules are for people, too: no tabs, no line beyond the screen.
func TestRulesCanBeRead(t *testing.T) {
	for _, name := range []string{rulesFile, testsFile} {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range bytes.Split(content, []byte("\n")) {
			if len(line) > 130 || bytes.ContainsRune(line, '\t') {
				t.Errorf("%s:%d: too long, or a tab", name, i+1)
			}
		}
	}
}
