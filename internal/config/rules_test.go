package config

import (
	"strings"
	"testing"
)

func TestRules(t *testing.T) {
	for name, row := range map[string]struct {
		args []string
		want string // in the error; empty: taken
	}{
		"auth off on localhost":     {args: []string{"--http", "localhost:80", "--nats", "[::1]:4222"}},
		"auth off on 127.8.8.8":     {args: []string{"--http", "127.8.8.8:80"}},
		"auth off on mapped":        {args: []string{"--http", "[::ffff:127.0.0.1]:80"}},
		"auth off, NATS elsewhere":  {args: []string{"--nats-url", "nats://10.0.0.1:4222"}, want: "nats.url = nats://10.0.0.1:4222 (flag --nats-url) is not on loopback"},
		"auth off, one NATS of two": {args: []string{"--nats-url", "nats://127.0.0.1:1,bus:2"}, want: "nats.url"},
		"auth off, NATS beside us":  {args: []string{"--nats-url", "nats://127.0.0.1:4222", "--nats", "0.0.0.0:1"}},
		"auth off, HTTP open": {args: []string{"--http", "0.0.0.0:8080"}, want: "http.listen = 0.0.0.0:8080 (flag --http) is not on loopback, " +
			"and auth = off (default) lets everybody in who reaches it: use 127.0.0.1, or list who may call with auth = file:PATH"},
		"auth off, HTTP on every address": {args: []string{"--http", ":8080"}, want: "http.listen"},
		"auth off, HTTP on a name":        {args: []string{"--http", "myhost:8080"}, want: "http.listen"},
		"auth off, NATS open":             {args: []string{"--nats", "[::]:4222"}, want: "nats.listen = [::]:4222 (flag --nats)"},
		"auth by file, HTTP open":         {args: []string{"--http", ":8080", "--auth", "file:principals.json"}},
		"auth by file, NATS open":         {args: []string{"--nats", ":4222", "--auth", "file:principals.json"}, want: "no users of its own"},

		"test clock on loopback": {args: []string{"--test-clock"}},
		"test clock in the open": {args: []string{"--test-clock", "--http", ":8080", "--auth", "file:p"}, want: "test.clock = true (flag --test-clock) is for tests on loopback"},

		"one port for both":     {args: []string{"--http", "127.0.0.1:7", "--nats", "127.0.0.1:7"}, want: "is taken by nats.listen"},
		"a free port for each":  {args: []string{"--http", "127.0.0.1:0", "--nats", "127.0.0.1:0"}},
		"port of no server":     {args: []string{"--http", "127.0.0.1:4222", "--nats-url", "localhost"}},
		"document over request": {args: []string{"--set", "limits.document=2MiB"}, want: "limits.document = 2MiB (flag --set) does not fit into limits.request = 1MiB (default)"},
		"both raised":           {args: []string{"--set", "limits.document=2MiB", "--set", "limits.request=3MiB"}},
		"document over version": {args: []string{"--set", "limits.version.bytes=256KiB"}, want: "limits.document = 512KiB (default) does not fit into limits.version.bytes"},
		"metadata over request": {args: []string{"--set", "limits.metadata=2MiB"}, want: "limits.metadata"},
		"type over request":     {args: []string{"--set", "limits.type=1MiB"}, want: "limits.type = 1MiB (flag --set) does not fit into limits.request"},
		"page over request":     {args: []string{"--set", "limits.page.bytes=2MiB"}, want: "limits.page.bytes"},
		"chunk as base64":       {args: []string{"--set", "limits.upload.chunk=800KiB"}, want: "limits.upload.chunk = 800KiB (flag --set), as base64, does not fit into limits.request"},
		"default over page":     {args: []string{"--set", "limits.page.items=50"}, want: "limits.page.default = 100 (default) does not fit into limits.page.items = 50"},
		"small pages":           {args: []string{"--set", "limits.page.items=50", "--set", "limits.page.default=50"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sources{args: row.args}.load(t)
			switch {
			case row.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}
