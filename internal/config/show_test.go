package config

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestShow(t *testing.T) {
	c, err := sources{file: "limits:\n  document: 102400\n", env: []string{"CONCORD_ACTIVE_IDLE=120m"}, args: []string{"--data=d"}}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	var table, list bytes.Buffer
	if err := c.Show(&table, "table"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"KEY VALUE ORIGIN", "data d flag --data", "nats.url - default", "limits.document 100KiB file concord.yaml:2",
		"active.idle 2h env CONCORD_ACTIVE_IDLE", "limits.upload.chunk 512KiB default", "events.maxAge 14d default",
	} {
		found := false
		for line := range strings.Lines(table.String()) {
			found = found || strings.Join(strings.Fields(line), " ") == want
		}
		if !found {
			t.Errorf("no line %q in\n%s", want, table.String())
		}
	}
	if err := c.Show(&list, "json"); err != nil {
		t.Fatal(err)
	}
	var shown []Shown
	if err := json.Unmarshal(list.Bytes(), &shown); err != nil || len(shown) != len(Settings()) {
		t.Fatalf("%d settings, %v", len(shown), err)
	}
	if shown[0] != (Shown{"data", "d", "flag --data"}) {
		t.Errorf("first is %+v", shown[0])
	}
	if err := c.Show(&list, "xml"); err == nil {
		t.Error("xml was taken")
	}
}

// What Show prints is taken again, so that it can be copied into a file.
func TestShownValuesAreTaken(t *testing.T) {
	for _, s := range Default().Shown() {
		if _, err := (sources{args: []string{"--set", s.Key + "=" + s.Value}}).load(t); err != nil {
			t.Error(err)
		}
	}
}

func TestSecretsStayHidden(t *testing.T) {
	for name, urls := range map[string]string{
		"password":           "nats://me:hush@127.0.0.1:4222",
		"token":              "hush@localhost",
		"second":             "nats://127.0.0.1:1,tls://me:hush@localhost:2",
		"refused by rule":    "nats://me:hush@10.0.0.1:4222",
		"no url":             "nats://me:hush@127.0.0.1:port",
		"wrong scheme":       "http://me:hush@127.0.0.1",
		"at sign inside":     "nats://me:hu@hush@127.0.0.1",
		"percent":            "nats://me:%hush@127.0.0.1",
		"hash inside":        "nats://me#hush@127.0.0.1",
		"slash inside":       "nats://me/hush@127.0.0.1",
		"comma inside":       "nats://me:hush,hush@127.0.0.1",
		"control characters": "nats://me:hush@127.0.0.1\x01",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := sources{env: []string{"CONCORD_NATS_URL=" + urls}}.load(t)
			var out bytes.Buffer
			if err != nil {
				out.WriteString(err.Error())
			} else if err := c.Show(&out, "json"); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "hush") {
				t.Error(out.String())
			}
		})
	}
}

func TestMarkdown(t *testing.T) {
	text := Markdown()
	if got, want := strings.Count(text, "\n"), len(Settings())+2; got != want {
		t.Errorf("%d lines, want %d", got, want)
	}
	for line := range strings.Lines(text) {
		if strings.Count(line, "|") != 5 {
			t.Errorf("not four cells: %s", line)
		}
	}
	for _, want := range []string{
		"| `limits.document` | `512KiB` | 1KiB to 4MiB | one document |",
		"| `nats.url` | - |", "| `retention.keep` | `all` | all, versions, days |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}
