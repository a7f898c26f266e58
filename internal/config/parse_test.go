package config

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "1B": 1, "512KiB": 512 << 10, "512 kib": 512 << 10, "20MB": 20_000_000, "8kb": 8000, "1TiB": 1 << 40,
		"3GiB": 3 << 30, "1tb": 1e12, "007": 7, "9223372036854775807": math.MaxInt64,
		"": -1, "KiB": -1, "-1": -1, "+1": -1, "1.5GiB": -1, "1K": -1, "1Kb/s": -1, "1  MB": -1, " 1": -1, "1 ": 1, "0x10": -1,
		"9223372036854775808": -1, "8388608TiB": -1, "99999999999999999999MB": -1, "1\u00a0MB": -1, "1_000": -1,
	} {
		got, err := ParseSize(text)
		if (want < 0) != (err != nil) || want >= 0 && got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 1: "1B", 1000: "1kB", 1024: "1KiB", 512 << 10: "512KiB", 20_000_000: "20MB", 1 << 40: "1TiB", 1025: "1025B",
	} {
		if got := FormatSize(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "30s": 30 * time.Second, "10m": 10 * time.Minute, "1h30m": 90 * time.Minute, "24h": day, "14d": 14 * day,
		"1d12h": 36 * time.Hour, "1.5h": 90 * time.Minute, "0d": 0, "106751d": 106751 * day, "250ms": 250 * time.Millisecond,
		"": -1, "d": -1, "-1s": -1, "+1s": -1, ".5s": -1, "1": -1, "14": -1, "1d2d": -1, "1h2d": -1, "-1d": -1, "+1d": -1, "1.5d": -1,
		"106752d": -1, "106751d24h": -1, "9999999999999d": -1, "1w": -1, "1d-1h": -1, "1d ": -1, "9223372036854775808ns": -1,
	} {
		got, err := ParseDuration(text)
		if (want < 0) != (err != nil) || want >= 0 && got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 10 * time.Minute: "10m", 2 * time.Hour: "2h", day: "24h", 14 * day: "14d", 36 * time.Hour: "36h",
		90 * time.Second: "1m30s", time.Hour + time.Second: "1h0m1s", 20 * time.Minute: "20m", 100 * time.Millisecond: "100ms",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	var keys []string
	for _, s := range Settings() {
		keys = append(keys, s.Key)
	}
	for typed, want := range map[string]string{
		"limits.documents": "limits.document", "limit.document": "limits.document", "document": "limits.document",
		"events.max-age": "events.maxAge", "events.maxage": "events.maxAge", "dta": "data", "adta": "data", "nats": "nats.listen",
		"http": "http.listen", "loglevel": "log.level", "chunk": "limits.upload.chunk", "testclock": "test.clock",
		"retention.version": "retention.versions", "NATS_URL": "nats.url", "cache": "store.cache",
	} {
		if got := nearest(typed, keys); got != want {
			t.Errorf("%s: %s, want %s", typed, got, want)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "acb", 1}, {"abc", "ab", 1},
		{"kitten", "sitting", 3}, {"ca", "abc", 3},
	} {
		if got := edits(row.a, row.b); got != row.want {
			t.Errorf("%s to %s: %d, want %d", row.a, row.b, got, row.want)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, seed := range []string{"512KiB", "20MB", "1", "99999999999999999999", "1 tib", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := ParseSize(text)
		if err != nil {
			return
		}
		if again, err := ParseSize(FormatSize(n)); n < 0 || err != nil || again != n {
			t.Errorf("%q is %d, written %s, read %d, %v", text, n, FormatSize(n), again, err)
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"14d", "1d12h", "1h30m", "106751d23h", "1.5h", "0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDuration(text)
		if err != nil {
			return
		}
		if again, err := ParseDuration(FormatDuration(d)); d < 0 || err != nil || again != d {
			t.Errorf("%q is %v, written %s, read %v, %v", text, d, FormatDuration(d), again, err)
		}
	})
}

// FuzzSettings gives any text to any setting: it is refused, or shown in a form that means the same.
func FuzzSettings(f *testing.F) {
	for i, s := range Settings() {
		f.Add(uint8(i), s.Default())
	}
	f.Add(uint8(2), "nats://me:pw@[::1]:1,tls://x")
	f.Fuzz(func(t *testing.T, i uint8, text string) {
		c := Default()
		all := table(c)
		s := all[int(i)%len(all)]
		if err := s.value.set(text); err != nil {
			if s.value.show() != s.Default() {
				t.Errorf("%s: %q was refused, but left %q", s.Key, text, s.value.show())
			}
			return
		}
		shown := s.value.show()
		if err := s.value.set(shown); err != nil || s.value.show() != shown {
			t.Errorf("%s: %q is shown as %q, which is %v", s.Key, text, shown, err)
		}
		c.check()
	})
}

// FuzzMask: what is masked has no userinfo left, and masking it again changes nothing.
func FuzzMask(f *testing.F) {
	f.Add("nats://me:pw@host:1,tok@host")
	f.Add("a@b@c")
	f.Fuzz(func(t *testing.T, text string) {
		got := maskServers(text)
		for server := range strings.SplitSeq(got, ",") {
			front, _, found := strings.Cut(server, "@")
			if found && !strings.HasSuffix(front, "://"+masked) {
				t.Errorf("%q is masked as %q", text, got)
			}
		}
		if again := maskServers(got); again != got {
			t.Errorf("%q is masked as %q, then as %q", text, got, again)
		}
	})
}

func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"data: x\nlimits:\n  document: 1KiB\n", "{limits: {upload: 1MiB, upload.chunk: 64KiB}}", "a: &a [*a]", "? {a: b}\n: c\n",
		"--- !!null\n", "limits: {limits: {limits: 1}}", "<<: {data: x}", "\xff", "---\n---\n", "*a",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		l, problems := parseFile("f", content)
		for key, g := range l {
			if !isKey(key) || !strings.HasPrefix(g.origin, "file f:") {
				t.Errorf("%q of %q", key, g.origin)
			}
		}
		for _, p := range problems {
			if p.Error() == "" {
				t.Error("an error without words")
			}
		}
		l.apply(Default())
	})
}
