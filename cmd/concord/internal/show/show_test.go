package show

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestGridAlignsWhatIsWide(t *testing.T) {
	g := NewGrid(false, "ID", "TITLE", "BY")
	g.Row("1", "青い列車", "ann")
	g.Row("22", "Blue Train", "")
	g.Row("3", "", "bob")
	var b bytes.Buffer
	if err := g.Write(&b); err != nil {
		t.Fatal(err)
	}
	want := "ID  TITLE       BY\n" + "1   青い列車    ann\n" + "22  Blue Train\n" + "3               bob\n"
	if b.String() != want {
		t.Errorf("grid is\n%s, want\n%s", b.String(), want)
	}
}

func TestColourIsForTerminals(t *testing.T) {
	none := func(string) string { return "" }
	if Colour(&bytes.Buffer{}, none) {
		t.Error("a buffer got colour")
	}
	if got := Paint(false, Red, "x"); got != "x" {
		t.Errorf("%q", got)
	}
	if got := Paint(true, Red, "x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("%q", got)
	}
	g := NewGrid(true, "A", "B")
	g.Cells(Cell{"x", Yellow}, Cell{"y", Plain})
	var b bytes.Buffer
	if err := g.Write(&b); err != nil || !strings.Contains(b.String(), "\x1b[33mx\x1b[0m  y") {
		t.Errorf("%q, %v: colour must not count as width", b.String(), err)
	}
}

func TestCompact(t *testing.T) {
	for text, want := range map[string]string{
		`{"a": [1,  2]}`:  `{"a":[1,2]}`,
		`"0123456789012"`: `"012345678…`,
		"no\x1bJSON":      `no\u001bJS…`,
	} {
		if got := Compact([]byte(text), 11); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

func TestIndentedKeepsLinesAndNumbers(t *testing.T) {
	if got := Indented([]byte(`{"n":1.00,"s":"<&>"}`), "  "); got != "{\n    \"n\": 1.00,\n    \"s\": \"<&>\"\n  }" {
		t.Error(got)
	}
}

func TestEncodeKeepsRawJSON(t *testing.T) {
	var b bytes.Buffer
	if err := Encode(&b, JSONL, map[string]json.RawMessage{"v": json.RawMessage(`"<1.00>"`)}); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != "{\"v\":\"<1.00>\"}\n" {
		t.Errorf("%q", got)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", 100: "100"} {
		if got := Thousands(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	for want, got := range map[string]string{
		"0 records": Count(0, "record"), "1 record": Count(1, "record"), "1,000 records": Count(uint64(1000), "record"),
		"1 entity": Count(int64(1), "entity"), "2 entities": Count(2, "entity"), "1 content": Count(1, "content"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestProgressTellsWhatIsLeft(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b, "import", "record", 1000)
	p.Read(250)
	p.Done(500, 2)
	got := p.text(p.begin.Add(10*time.Second), "record")
	p.Note("the service works")
	if noted := p.text(p.begin.Add(time.Second), "record"); noted != "import: the service works" {
		t.Errorf("%q", noted)
	}
	p.End()
	if want := "import: 500 records, 50/s, 2 failed, 25 %, 30s left"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestGaugeTellsHowFarAJobIs(t *testing.T) {
	for want, r := range map[string][2]Reading{
		"job: REQUESTED": {{State: "REQUESTED"}, {State: "REQUESTED"}},
		"job: RUNNING, 250 of 1,000 links, 25 %, 20/s, 38s left": {
			{State: "PLANNED", Total: 1000, Done: 50}, {State: "RUNNING", Total: 1000, Done: 250}},
		"job: RUNNING, 1 of 1 link, 100 %, 1 failed, waits": {
			{State: "RUNNING", Total: 1, Done: 1}, {State: "RUNNING", Total: 1, Done: 1, Failed: 1, Waiting: "waits"}},
	} {
		var b bytes.Buffer
		g := NewGauge(&b, "job", "link")
		g.Set(r[0])
		g.Set(r[1])
		if got := g.text(g.begin.Add(10 * time.Second)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		g.End()
	}
	g := NewGauge(&bytes.Buffer{}, "job", "link")
	defer g.End()
	if got := g.text(time.Now()); got != "job: waiting for the service" {
		t.Errorf("%q", got)
	}
}
