package operations

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"concord/actors/bulk"
	"concord/actors/problem"
	"concord/transport/api"
)

// TestUploadsOfTargets: an item a line, as it comes from any editor, and what is wrong by the number of its line.
func TestUploadsOfTargets(t *testing.T) {
	b := start(t, vfs.NewMem())
	long := strings.Repeat("x", bulk.ValueMaxBytes)
	for name, row := range map[string]struct {
		text   string
		list   string
		wrong  []string // places
		reason string   // of the first
	}{
		"ids":                          {text: "a\nb\nc\n", list: "a b c"},
		"no line end at the end":       {text: "a\nb", list: "a b"},
		"the line ends of Windows":     {text: "a\r\nb\r\n", list: "a b"},
		"a byte order mark":            {text: "\uFEFFa\nb", list: "a b"},
		"blank lines":                  {text: "\n\na\n \t \r\n\nb\n\n", list: "a b"},
		"blanks around ids":            {text: "  a\n\tb  \n", list: "a b"},
		"texts of JSON":                {text: "\"a\"\n\"\\u0062\"\n", list: "a b"},
		"objects of JSON":              {text: `{"id":"a"}` + "\n" + ` {"version":3,"id":"b"} `, list: "a b"},
		"all of them":                  {text: "\uFEFF{\"id\":\"a\"}\n\"b\"\nc", list: "a b c"},
		"a long value":                 {text: `{"id":"a","value":"` + long[2:] + `"}`, list: "a"},
		"nothing":                      {text: "\n", wrong: []string{"/targets/upload"}, reason: "no lines"},
		"a mark and nothing":           {text: "\uFEFF\r\n", wrong: []string{"/targets/upload"}},
		"a mark in the middle":         {text: "a\n\uFEFFb", wrong: []string{"line 2"}},
		"columns":                      {text: "id,name\na,Ann\n", wrong: []string{"line 1", "line 2"}},
		"bad ids, blank lines counted": {text: "a\n\n-\nb\nc d\n", wrong: []string{"line 3", "line 5"}, reason: "is no id"},
		"no UTF-8":                     {text: "a\n\xff\xfe\n", wrong: []string{"line 2"}},
		"no UTF-8 in JSON":             {text: "{\"id\":\"\xff\"}", wrong: []string{"line 1/id"}},
		"half an object":               {text: "a\n{\"id\":\n", wrong: []string{"line 2/id"}},
		"an object of several lines":   {text: "{\n\"id\":\"a\"\n}", wrong: []string{"line 1", "line 2", "line 3"}},
		"two texts in a line":          {text: `"a" "b"`, wrong: []string{"line 1"}},
		"an unknown member":            {text: "a\n{\"id\":\"b\",\"Value\":1}", wrong: []string{"line 2/Value"}, reason: `"value" is meant`},
		"a list":                       {text: `["a"]`, wrong: []string{"line 1"}},
		"twice, in two forms":          {text: "a\nb\n\n{\"id\":\"a\"}\n\"b\"", wrong: []string{"line 4", "line 5"}, reason: `"a" is there already, at line 1`},
		"a value that is too long":     {text: `{"id":"a","value":"` + long + `"}`, wrong: []string{"line 1/value"}},
		"a value that nothing takes":   {text: "a\n{\"id\":\"b\", \"value\" :1}", wrong: []string{"line 2/value"}, reason: "no instruction"},
		"a line that is too long":      {text: "a\n" + strings.Repeat("x", bulk.ValueMaxBytes+bulkLineRestMaxBytes+1) + "\nb", wrong: []string{"line 2"}, reason: "a line of more than"},
	} {
		t.Run(name, func(t *testing.T) {
			ask := asking
			if strings.Contains(row.text, `"value":`) {
				ask = valuing
			}
			body := ask(`{"upload":"` + b.upload([]byte(row.text)) + `"}`)
			if row.wrong == nil {
				if got := listed(b.list(must[api.BulkTask](b, "bulk.submit", "", body).Task)); got != row.list {
					t.Errorf("the list: %s, not %s", got, row.list)
				}
				return
			}
			p := b.refused(problem.Invalid, "bulk.submit", "", body)
			var at []string
			for _, e := range p.Errors {
				at = append(at, e.Path)
			}
			if strings.Join(at, ",") != strings.Join(row.wrong, ",") || !strings.Contains(p.Errors[0].Message, row.reason) {
				t.Errorf("%v, want it at %q: %s", p, row.wrong, row.reason)
			}
		})
	}
}

// TestWhoseUpload: one that is open, or another's, or gone, is not taken.
func TestWhoseUpload(t *testing.T) {
	b := start(t, vfs.NewMem())
	closed := b.upload([]byte("a"))
	open := must[struct{ Upload string }](b, "upload.open", "", "").Upload
	b.refused(problem.WrongState, "bulk.submit", "", asking(`{"upload":"`+open+`"}`))
	b.refused(problem.NotFound, "bulk.submit", "", asking(`{"upload":"`+closed+`"}`), as("bob"))
	must[api.BulkTask](b, "bulk.submit", "", asking(`{"upload":"`+closed+`"}`))
	must[api.BulkTask](b, "bulk.submit", "", asking(`{"upload":"`+closed+`"}`)) // and again
}

// TestLinesDoNotDependOnChunks: wherever the chunks end, the items are the same.
func TestLinesDoNotDependOnChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{"a", "\r\n", "\n", "\"b\"", `{"id":"c"}`, "\uFEFF", " ", "-", "\xff"})).Draw(t, "text"), "")
		whole := readAll(splitAt(text))
		cuts := rapid.SliceOfN(rapid.IntRange(0, len(text)), 0, 5).Draw(t, "cuts")
		if got := readAll(splitAt(text, cuts...)); got != whole {
			t.Fatalf("cut at %v: %s, not %s", cuts, got, whole)
		}
	})
}

// splitAt are the pieces of a text; a cut that is before the one in front of it makes an empty one.
func splitAt(text string, cuts ...int) (chunks []string) {
	last := 0
	for _, cut := range cuts {
		cut = max(cut, last)
		chunks, last = append(chunks, text[last:cut]), cut
	}
	return append(chunks, text[last:])
}

// readAll says what is read of an upload in chunks.
func readAll(chunks []string) string {
	t := bulkTargets{by: targetsUpload, lines: func(yield func(importLine, error) bool) {
		l := lineSplitter{most: bulk.ValueMaxBytes + bulkLineRestMaxBytes, yield: yield}
		for _, chunk := range chunks {
			if !l.chunk([]byte(chunk)) {
				return
			}
		}
		l.end()
	}}
	var told strings.Builder
	for target, err := range t.each() {
		fmt.Fprintln(&told, target.place, target.id, string(target.key), string(target.value), target.version, target.fault, err)
	}
	return told.String()
}

// FuzzUploadLines: whatever comes, a line is an item or refused as invalid; what is taken has a valid id or a key.
func FuzzUploadLines(f *testing.F) {
	for _, seed := range []string{"a\nb", "\uFEFFa\r\n", `{"id":"a","value":{"x":[1]},"version":7}`, `{"key":{"/metadata/a":null}}`, `"a"`, "{\n}", "\xff"} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		if cut < 0 || cut > len(text) {
			cut = 0
		}
		if whole, cutUp := readAll([]string{string(text)}), readAll([]string{string(text[:cut]), string(text[cut:])}); whole != cutUp {
			t.Errorf("cut at %d: %s, not %s", cut, cutUp, whole)
		}
		targets := bulkTargets{by: targetsUpload, lines: func(yield func(importLine, error) bool) {
			l := lineSplitter{most: 1000, yield: yield}
			_ = l.chunk(text)
			l.end()
		}}
		judge(t, &targets)
	})
}

// FuzzTargets: whatever comes, targets are read or refused as invalid.
func FuzzTargets(f *testing.F) {
	for _, seed := range []string{`{"ids":["a","b"]}`, `{"keys":[{"/metadata/a":1}]}`, `{"items":[{"id":"a","value":1},{"key":{"/metadata/a":"x"},"version":2}]}`,
		`{"query":{"/metadata/a":"x"}}`, `{"all":true}`, `{"upload":"u"}`, `{"ids":"ALL"}`, `{}`, `{"ids":["\ud800"]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := &Service{Limits: DefaultLimits}
		request, err := openEnvelope(append(append([]byte(`{"targets":`), text...), '}'), "", "targets")
		if err != nil {
			return
		}
		targets, err := readTargets(request)
		if err != nil {
			if p := problem.Of(err); p.Code != problem.Invalid || len(p.Errors) == 0 {
				t.Errorf("%s: %v", text, err)
			}
			return
		}
		if targets.by == targetsUpload {
			return
		}
		judge(t, &targets)
		if targets.named() {
			o := &bulkOrder{targets: targets, typ: "t"}
			var faults bulkFaults
			if err := s.checkTargets(context.Background(), o, &faults); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	})
}

func judge(t *testing.T, targets *bulkTargets) {
	if !targets.named() {
		return
	}
	for target, err := range targets.each() {
		p, refused := errors.AsType[*problem.Problem](target.fault)
		switch {
		case err != nil:
			t.Error(err)
		case target.fault != nil && (!refused || p.Code != problem.Invalid || len(p.Errors) == 0):
			t.Errorf("place %d: %v", target.place, target.fault)
		case target.fault == nil && (target.key == nil) == (checkID(target.id, "") != nil):
			t.Errorf("place %d: id %q, key %s", target.place, target.id, target.key)
		}
	}
}

// TestWhatIsThereTwice: as a map has it, whatever the hashes are.
func TestWhatIsThereTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfN(rapid.StringMatching(`[a-f]{1,2}`), 0, 200).Draw(t, "ids")
		most := rapid.IntRange(1, 300).Draw(t, "most")
		h := newIDHashes(0)
		var want []idPair
		first := map[string]uint32{}
		for i, id := range ids {
			h.add(id, uint32(i), uint32(i+10))
			if at, again := first[id]; again {
				want = append(want, idPair{id, at, uint32(i + 10)})
			} else {
				first[id] = uint32(i + 10)
			}
		}
		if rapid.Bool().Draw(t, "one hash") {
			for i := range h.list {
				h.list[i].hash = 7 // equal hashes of different ids are no duplicates
			}
		}
		got, err := h.twice(most, func(rows []uint32) ([]string, error) {
			texts := make([]string, len(rows))
			for i, row := range rows {
				if texts[i] = ids[row]; i > 0 && row <= rows[i-1] {
					t.Fatalf("rows %v", rows)
				}
			}
			return texts, nil
		})
		if want = want[:min(len(want), most)]; err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%v, not %v: %v", got, want, err)
		}
	})
}

// TestAMillionIDs measures what a list of the longest kind takes, from an upload and of all.
func TestAMillionIDs(t *testing.T) {
	if os.Getenv("CONCORD_MILLION") == "" {
		t.Skip("LEFT OUT without CONCORD_MILLION: a million ids by upload")
	}
	fs := vfs.Default
	if os.Getenv("CONCORD_MILLION") == "mem" {
		fs = vfs.NewMem()
	} else {
		t.Chdir(t.TempDir())
	}
	b := start(t, fs)
	var text strings.Builder
	for i := range bulk.ItemsMax {
		fmt.Fprintf(&text, "C%010d-PROVIDER_OF_DATA\n", i)
	}
	upload := b.upload([]byte(text.String()))
	text.Reset()
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	peak, stop := make(chan uint64), make(chan struct{})
	go func() {
		most := uint64(0)
		for {
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(10 * time.Millisecond):
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			}
		}
	}()
	begun := time.Now()
	task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"upload":"`+upload+`"}`))
	took := time.Since(begun)
	close(stop)
	runtime.ReadMemStats(&after)
	t.Logf("%d items by upload: %v; heap before %d MiB, at most %d MiB", task.Total, took, before.HeapAlloc>>20, <-peak>>20)
	begun = time.Now()
	items, pages := 0, 0
	for next := ""; ; {
		page := must[api.BulkItemPage](b, "bulk.items", task.Task, "", param("limit", "1000"), param("cursor", next))
		items, pages = items+len(page.Items), pages+1
		if next = page.Next; next == "" {
			break
		}
	}
	t.Logf("%d items in %d pages: %v", items, pages, time.Since(begun))
}
