package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// sources is what a test gives: a file's content, an environment, arguments.
type sources struct {
	file string
	env  []string
	args []string
}

func (s sources) load(t *testing.T) (*Config, error) {
	t.Helper()
	args := s.args
	if s.file != "" {
		path := filepath.Join(t.TempDir(), "concord.yaml")
		if err := os.WriteFile(path, []byte(s.file), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Chdir(filepath.Dir(path))
		args = append([]string{"--config", "concord.yaml"}, args...)
	}
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	flags := AddFlags(fs)
	flags.Environ = append([]string{"HOME=/root"}, s.env...)
	if err := fs.Parse(args); err != nil {
		return nil, ExplainFlag(err)
	}
	return flags.Load()
}

func TestLaterSourcesOverrideEarlierOnes(t *testing.T) {
	const file = "limits:\n  document: 100KiB\n"
	env := []string{"CONCORD_LIMITS_DOCUMENT=200KiB"}
	args := []string{"--set", "limits.document=300KiB"}
	for name, row := range map[string]struct {
		given      sources
		want       int
		wantOrigin string
	}{
		"nothing given":            {sources{}, 512 << 10, "default"},
		"file before default":      {sources{file: file}, 100 << 10, "file concord.yaml:2"},
		"environment before file":  {sources{file: file, env: env}, 200 << 10, "env CONCORD_LIMITS_DOCUMENT"},
		"flag before all":          {sources{file, env, args}, 300 << 10, "flag --set"},
		"flag before environment":  {sources{env: env, args: args}, 300 << 10, "flag --set"},
		"the last flag counts":     {sources{args: append(args, "--set=limits.document=1KiB")}, 1 << 10, "flag --set"},
		"the file may be in dots":  {sources{file: "limits.document: 2KiB"}, 2 << 10, "file concord.yaml:1"},
		"the file may be in flow":  {sources{file: "{limits: {document: 3KiB}}"}, 3 << 10, "file concord.yaml:1"},
		"a size may be plain":      {sources{file: "limits: {document: 4096}"}, 4 << 10, "file concord.yaml:1"},
		"a group of comments":      {sources{file: "limits:\n  # document: 1KiB\n"}, 512 << 10, "default"},
		"a file of comments alone": {sources{file: "# nothing\n"}, 512 << 10, "default"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := row.given.load(t)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Operations.Actors.Collection.DocumentMaxBytes; got != row.want {
				t.Errorf("limit is %d, want %d", got, row.want)
			}
			if got := c.Origin("limits.document"); got != row.wantOrigin {
				t.Errorf("origin is %q, want %q", got, row.wantOrigin)
			}
		})
	}
}

func TestFlagsAndSetAreOneSource(t *testing.T) {
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"set last":               {[]string{"--data", "a", "--set", "data=b"}, "b"},
		"flag last":              {[]string{"--set", "data=b", "--data=a"}, "a"},
		"value with equals sign": {[]string{"--set", "data=a=b"}, "a=b"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := sources{args: row.args}.load(t)
			if err != nil || c.Data != row.want {
				t.Fatalf("data is %v, %v; want %s", c, err, row.want)
			}
		})
	}
}

func TestEverySourceReachesEveryType(t *testing.T) {
	c, err := sources{
		file: "limits:\n  upload: 20MB\n  upload.chunk: 64KiB\nevents: {maxAge: 7d}\nauth: off\nretention:\n  keep: days\n  days: 30\n",
		env:  []string{"CONCORD_EVENTS_MAX_BYTES=1GiB", "CONCORD_ACTIVE_IDLE=90s", "CONCORD_DEBUG=on"},
		args: []string{"--data", "mem:", "--nats", "127.0.0.1:0", "--http=[::1]:0", "--test-clock", "--ready-file", "r", "--respawn=false"},
	}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Operations.Actors.Upload.UploadMaxBytes, want.Operations.Actors.Upload.ChunkMaxBytes = 20_000_000, 64<<10
	want.Events.MaxAge, want.Events.MaxBytes, want.Host.IdleMax = 7*24*time.Hour, 1<<30, 90*time.Second
	want.Retention.Keep, want.Retention.Days = KeepDays, 30
	want.Debug, want.TestClock = true, true
	want.Data, want.NATS.Listen, want.HTTP.Listen, want.ReadyFile = MemoryData, "127.0.0.1:0", "[::1]:0", "r"
	c.given, want.given = nil, nil
	if diff := cmp.Diff(want, c, cmp.AllowUnexported(Config{})); diff != "" {
		t.Error(diff)
	}
}

func TestRefusals(t *testing.T) {
	for name, row := range map[string]struct {
		given sources
		want  []string // all of them, in the error
	}{
		"unknown key in the file": {sources{file: "data: x\nlimits:\n  documents: 1MiB\n"},
			[]string{`unknown setting "limits.documents"`, "did you mean limits.document?", "(file concord.yaml:3)"}},
		"unknown group in the file": {sources{file: "limit:\n  document: 1MiB\n"},
			[]string{`unknown setting "limit.document"`, "did you mean limits.document?", "(file concord.yaml:2)"}},
		"unknown keys in an unknown group": {sources{file: "evnts:\n  maxage: 1d\n  max-bytes: 1GiB\n"},
			[]string{"did you mean events.maxAge? (file concord.yaml:2)", "did you mean events.maxBytes? (file concord.yaml:3)"}},
		"unknown group without members": {sources{file: "lgo: {}\n"}, []string{`unknown setting "lgo"`, "did you mean log.level?"}},
		"unknown key two groups down": {sources{file: "limits:\n  page:\n    byte: 64KiB\n"},
			[]string{`unknown setting "limits.page.byte"`, "did you mean limits.page.bytes?", "(file concord.yaml:3)"}},
		"another's name for a setting": {sources{file: "store:\n  cacheBytes: 1GiB\n"},
			[]string{`unknown setting "store.cacheBytes"`, "did you mean store.cache?"}},
		"unknown group of --set": {sources{args: []string{"--set", "event.stream=x"}},
			[]string{`unknown setting "event.stream"`, "did you mean events.stream?"}},
		"group in the environment": {sources{env: []string{"CONCORD_HTTP=:80"}},
			[]string{"unknown setting CONCORD_HTTP", "did you mean CONCORD_HTTP_LISTEN?"}},
		"unknown name in the environment": {sources{env: []string{"CONCORD_EVENTS_MAXAGE=1d"}},
			[]string{"unknown setting CONCORD_EVENTS_MAXAGE", "did you mean CONCORD_EVENTS_MAX_AGE?", "(environment)"}},
		"unknown key of --set": {sources{args: []string{"--set", "document=1"}},
			[]string{`unknown setting "document"`, "did you mean limits.document?", "(flag --set)"}},
		"unknown flag":              {sources{args: []string{"--test-clok"}}, []string{"unknown flag: --test-clok", "did you mean --test-clock?"}},
		"flag that is a key nearly": {sources{args: []string{"--limits-documnt=1"}}, []string{"did you mean --set limits.document=...?"}},
		"key that has a flag":       {sources{args: []string{"--http.listen=x"}}, []string{"did you mean --http?"}},
		"setting without a flag":    {sources{args: []string{"--limits.document=1"}}, []string{"did you mean --set limits.document=...?"}},
		"--set without a value":     {sources{args: []string{"--set", "debug"}}, []string{`--set takes key=value, not "debug"`}},
		"a group is no setting": {sources{args: []string{"--set", "retention=all"}},
			[]string{`"retention" is a group of settings`, "retention.keep, retention.versions, retention.days"}},
		"too large":               {sources{env: []string{"CONCORD_LIMITS_DOCUMENT=2GiB"}}, []string{`limits.document = "2GiB": too large: it must be 1KiB to 4MiB (env CONCORD_LIMITS_DOCUMENT)`}},
		"too small":               {sources{file: "active: {idle: 1ms}"}, []string{`active.idle = "1ms": too small: it must be 1s to 7d (file concord.yaml:1)`}},
		"negative":                {sources{args: []string{"--set", "admission.node=-1"}}, []string{`admission.node = "-1": too small: it must be 1 to 65536 (flag --set)`}},
		"no number":               {sources{args: []string{"--set", "admission.node=many"}}, []string{`admission.node = "many": not a whole number (flag --set)`}},
		"no size":                 {sources{args: []string{"--set", "store.cache=1.5GiB"}}, []string{"not a size, such as 512KiB, 20MB or 1048576"}},
		"no duration":             {sources{args: []string{"--set", "events.maxAge=14"}}, []string{"not a duration, such as 30s, 10m, 24h or 14d"}},
		"no bool":                 {sources{env: []string{"CONCORD_DEBUG=maybe"}}, []string{`debug = "maybe": neither true nor false (env CONCORD_DEBUG)`}},
		"no choice":               {sources{args: []string{"--log-level", "loud"}}, []string{"log.level", "one of trace, debug, info, warn, error (flag --log-level)"}},
		"no address":              {sources{args: []string{"--http", "8080"}}, []string{`http.listen = "8080": not an address: it must be host:port (flag --http)`}},
		"no port":                 {sources{args: []string{"--http", "localhost:http"}}, []string{`"http" is no port`}},
		"no auth":                 {sources{args: []string{"--auth", "none"}}, []string{"it must be off, or file:PATH"}},
		"no data":                 {sources{args: []string{"--data", ""}}, []string{"not a directory"}},
		"not in memory":           {sources{args: []string{"--data", "mem:x"}}, []string{"a path, or mem:"}},
		"a subject of the server": {sources{args: []string{"--set", "subject.prefix=$SYS"}}, []string{"subject.prefix"}},
		"an inbox":                {sources{args: []string{"--set", "subject.prefix=_INBOX.x"}}, []string{"subject.prefix"}},
		"control characters":      {sources{args: []string{"--data", "a\x00b"}}, []string{"without control characters"}},
		"endless text":            {sources{args: []string{"--data", strings.Repeat("a", 5000)}}, []string{"too long"}},
		"no value in the file":    {sources{file: "data:\n"}, []string{"data has no value (file concord.yaml:1)"}},
		"list in the file":        {sources{file: "data: [a, b]\n"}, []string{"data takes one value (file concord.yaml:1)"}},
		"list of settings":        {sources{file: "- data\n"}, []string{"must be keys with values (file concord.yaml:1)"}},
		"twice in the file": {sources{file: "limits:\n  document: 1KiB\nlimits.document: 2KiB\n"},
			[]string{"limits.document was given before: file concord.yaml:2 (file concord.yaml:3)"}},
		"aliases in the file":  {sources{file: "data: &a x\nbackup: {dir: *a}\n"}, []string{"anchors, aliases"}},
		"two documents":        {sources{file: "data: x\n---\ndata: y\n"}, []string{"one document"}},
		"no YAML":              {sources{file: "data: [\n"}, []string{"settings concord.yaml: yaml: line "}},
		"a file without end":   {sources{file: strings.Repeat("#", fileMaxBytes+1)}, []string{"more than 1MiB"}},
		"no file":              {sources{args: []string{"--config", "/nowhere.yaml"}}, []string{"read the settings: open /nowhere.yaml"}},
		"no file, environment": {sources{env: []string{"CONCORD_CONFIG=/nowhere.yaml"}}, []string{"open /nowhere.yaml"}},
		"wrong, though overridden": {sources{file: "debug: maybe\n", args: []string{"--debug"}},
			[]string{`debug = "maybe": neither true nor false (file concord.yaml:1)`}},
		"all at once": {sources{file: "datta: x\n", env: []string{"CONCORD_DEBUG=2", "CONCORD_X=1"}, args: []string{"--http", "x"}},
			[]string{"did you mean data?", "CONCORD_DEBUG", "CONCORD_X", "--http"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := row.given.load(t)
			if err == nil {
				t.Fatal("was taken")
			}
			for _, want := range row.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in: %v", want, err)
				}
			}
		})
	}
}

func TestForeignNamesInTheEnvironment(t *testing.T) {
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	flags := AddFlags(fs)
	flags.Foreign = []string{"CONCORD_TOKEN"}
	flags.Environ = []string{
		"CONCORD_TOKEN=secret",
		// what Kubernetes sets for services named concord and concord-nats
		"CONCORD_SERVICE_HOST=10.0.0.1", "CONCORD_SERVICE_PORT=4222", "CONCORD_SERVICE_PORT_HTTP=8080", "CONCORD_PORT=tcp://10.0.0.1:4222",
		"CONCORD_PORT_4222_TCP=tcp://10.0.0.1:4222", "CONCORD_PORT_4222_TCP_PROTO=tcp", "CONCORD_NATS_SERVICE_HOST=10.0.0.2",
		"CONCORD_NATS_PORT_4222_TCP_ADDR=10.0.0.2",
	}
	if _, err := flags.Load(); err != nil {
		t.Error(err)
	}
	for _, s := range Settings() {
		if serviceLink.MatchString(s.Env()) {
			t.Errorf("%s looks like a variable of Kubernetes", s.Env())
		}
	}
}

func TestLoadTakesTheProcess(t *testing.T) {
	t.Setenv("CONCORD_LOG_LEVEL", "warn")
	c, err := Load([]string{"--data", "x"})
	if err != nil || c.Data != "x" || c.Log.Level != "warn" {
		t.Errorf("loaded %+v, %v", c, err)
	}
	if _, err := Load([]string{"serve"}); err == nil || !strings.Contains(err.Error(), `unexpected argument "serve"`) {
		t.Errorf("a stray argument: %v", err)
	}
	if _, err := Load([]string{"--help"}); err != pflag.ErrHelp { //nolint:errorlint // pflag's own contract
		t.Errorf("help: %v", err)
	}
}
