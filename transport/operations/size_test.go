package operations

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
)

// What is longest when it is sent: JSON writes these with six bytes each.
const (
	escaped  = "\u2028" // three bytes
	escaped1 = "\x01"
)

// longest is an id or a name of so many bytes that ends in the number.
func longest(bytes, n int) string {
	tail := fmt.Sprintf("%06d", n)
	return strings.Repeat(escaped, (bytes-len(tail))/len(escaped)) + tail
}

// quoted is the text as JSON.
func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// largeDocument is a document of about so many bytes.
func largeDocument(bytes int) string { return quoted(strings.Repeat("x", bytes-2)) }

// putDocuments writes documents, a few in one request.
func putDocuments(b *bench, ids []string, value func(n int) string, options ...option) {
	b.t.Helper()
	const each = 200
	for from := 0; from < len(ids); from += each {
		var changes []string
		for n, id := range ids[from:min(from+each, len(ids))] {
			changes = append(changes, fmt.Sprintf(`{"op":"put-document","id":%s,"value":%s}`, quoted(id), value(from+n)))
		}
		must[any](b, "collection.patch", "c", `{"changes":[`+strings.Join(changes, ",")+`]}`, options...)
	}
}

// pagesOf are all pages of an answer. None may be longer than an answer may be.
func pagesOf[A any](b *bench, operation, id string, next func(A) string, options ...option) []A {
	b.t.Helper()
	var pages []A
	for cursor := ""; ; {
		asked := options
		if cursor != "" {
			asked = append(asked[:len(asked):len(asked)], param("cursor", cursor))
		}
		reply, p := b.do(operation, id, "", asked...)
		if p != nil {
			b.t.Fatal(p)
		}
		if most := transport.DefaultLimits.RequestMaxBytes; len(reply.Body) > most {
			b.t.Errorf("%s: page %d has %d bytes: the limit is %d", operation, len(pages)+1, len(reply.Body), most)
		}
		var page A
		if err := json.Unmarshal(reply.Body, &page); err != nil {
			b.t.Fatalf("%s: %v", operation, err)
		}
		if pages = append(pages, page); next(page) == "" {
			return pages
		}
		if cursor = next(page); len(pages) > 1000 {
			b.t.Fatalf("%s: does not end", operation)
		}
	}
}

func manyIDs(count, bytes int) []string {
	ids := make([]string, count)
	for n := range ids {
		ids[n] = longest(bytes, n)
	}
	return ids
}

// TestAnswersAreBounded has a row for each way in which a page could be longer than an answer may be.
func TestAnswersAreBounded(t *testing.T) {
	large(t)
	const half = 512 << 10
	metadata := `{"m":` + largeDocument(half-16) + `}`
	for name, row := range map[string]struct {
		put   string // what the collection is made of
		ids   []string
		value func(n int) string
		pages int // at least
	}{
		"large metadata, large documents":  {`{"metadata":` + metadata + `}`, manyIDs(3, 256), func(int) string { return largeDocument(half) }, 4},
		"large metadata, medium documents": {`{"metadata":` + metadata + `}`, manyIDs(20, 256), func(int) string { return largeDocument(100 << 10) }, 3},
		"long ids":                         {`{}`, manyIDs(2500, 256), func(int) string { return "1" }, 3},
		"one large document":               {`{}`, manyIDs(1, 256), func(int) string { return largeDocument(half) }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, vfs.NewMem())
			must[any](b, "collection.put", "c", row.put)
			putDocuments(b, row.ids, row.value)
			pages := pagesOf(b, "collection.get", "c", func(c api.Collection) string { return c.Next })
			if len(pages) < row.pages {
				t.Errorf("%d pages", len(pages))
			}
			seen := make(map[string]bool)
			for i, page := range pages {
				if (len(page.Metadata) > 0) != (i == 0) {
					t.Errorf("page %d: metadata of %d bytes", i+1, len(page.Metadata))
				}
				if i > 0 && len(page.Documents) == 0 {
					t.Errorf("page %d is empty", i+1)
				}
				for id := range page.Documents {
					seen[id] = true
				}
			}
			if len(seen) != len(row.ids) {
				t.Errorf("%d documents are shown, not %d", len(seen), len(row.ids))
			}
		})
	}
}

// TestBlameIsBounded: principals and names may be long, and each entry has them.
func TestBlameIsBounded(t *testing.T) {
	large(t)
	const documents = 2500
	for name, row := range map[string]struct {
		members, nameBytes int
		whole              bool // the metadata is named as one
	}{
		"metadata beside documents": {200, 64, false},
		"metadata fills a page":     {330, 64, false},
		"metadata does not fit":     {900, 256, true},
		"one very long name":        {1, 480 << 10, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, vfs.NewMem())
			ann := as(strings.Repeat(escaped, transport.DefaultLimits.HeaderMaxBytes/len(escaped)))
			var members []string
			for n := range row.members {
				members = append(members, quoted(longest(row.nameBytes, n))[:]+":1")
			}
			put := strings.ReplaceAll(`{"metadata":{`+strings.Join(members, ",")+`}}`, `\u2028`, escaped)
			must[any](b, "collection.put", "c", put, ann)
			putDocuments(b, manyIDs(documents, 256), func(int) string { return "1" }, ann)
			pages := pagesOf(b, "collection.blame", "c", func(p api.Blame) string { return p.Next }, param("limit", "1000"))
			if (pages[0].Whole != nil) != row.whole || (len(pages[0].Metadata) != row.members) != row.whole {
				t.Errorf("whole %v, %d members", pages[0].Whole, len(pages[0].Metadata))
			}
			seen := 0
			for i, page := range pages {
				if i > 0 && (len(page.Metadata) > 0 || page.Whole != nil || len(page.Documents) == 0) {
					t.Errorf("page %d: %d members, %v, %d documents", i+1, len(page.Metadata), page.Whole, len(page.Documents))
				}
				seen += len(page.Documents)
			}
			if seen != documents {
				t.Errorf("%d documents are named, not %d", seen, documents)
			}
		})
	}
}

// TestListsAreBounded: histories, events and lists of collections whose items are as long as they can be.
func TestListsAreBounded(t *testing.T) {
	b := start(t, vfs.NewMem())
	ann := as(strings.Repeat(escaped, transport.DefaultLimits.HeaderMaxBytes/len(escaped)))
	session := with(transport.HeaderSession, strings.Repeat(escaped, transport.DefaultLimits.HeaderMaxBytes/len(escaped)))
	reason := quoted(strings.Repeat(escaped1, reasonMaxBytes))
	const versions = 160
	must[any](b, "collection.put", "c", `{}`)
	for n := range versions {
		var changes []string
		documents := 1
		if n < 20 {
			documents = 130 // more bytes than an event names
		}
		for d := range documents {
			changes = append(changes, fmt.Sprintf(`{"op":"put-document","id":%s,"value":%d}`, quoted(longest(256, d)), n))
		}
		must[any](b, "collection.patch", "c", `{"changes":[`+strings.Join(changes, ",")+`],"reason":`+reason+`}`, ann, session)
	}
	seen := 0
	for _, page := range pagesOf(b, "collection.history", "c", func(p api.HistoryPage) string { return p.Next }, param("limit", "1000")) {
		for _, v := range page.Items {
			if seen++; v.Version != versions+2-uint64(seen) {
				t.Fatalf("version %d at place %d", v.Version, seen)
			}
		}
	}
	if seen != versions+1 {
		t.Errorf("%d versions", seen)
	}
	seen = 0
	for _, page := range pagesOf(b, "collection.events", "c", func(p api.EventPage) string { return p.Next }, param("limit", "1000")) {
		for _, e := range page.Items {
			if seen++; e.Seq != uint64(seen) {
				t.Fatalf("seq %d at place %d", e.Seq, seen)
			}
		}
	}
	if seen != versions+1 {
		t.Errorf("%d events", seen)
	}
	b.service.Limits.PageMaxItems = 10_000
	for n := range 3000 {
		must[any](b, "collection.put", fmt.Sprintf("%0128d", n), `{"type":"`+strings.Repeat("t", 128)+`"}`)
	}
	seen = 0
	for _, page := range pagesOf(b, "collection.list", "", func(p api.CollectionPage) string { return p.Next }, param("limit", "10000")) {
		seen += len(page.Items)
	}
	if seen != 3001 {
		t.Errorf("%d collections", seen)
	}
}

// TestDiffsAreBounded: each operation and each change repeats the path to its place, which may be long.
func TestDiffsAreBounded(t *testing.T) {
	large(t)
	const half = 512 << 10
	many := func(count int, value string) func(v int) string {
		return func(v int) string {
			return "[" + strings.TrimSuffix(strings.Repeat(fmt.Sprintf(value+",", v), count), ",") + "]"
		}
	}
	for name, row := range map[string]struct {
		value     func(version int) string
		documents int
	}{
		"a large value":     {func(v int) string { return quoted(strings.Repeat(fmt.Sprint(v), half-2)) }, 3},
		"many small values": {many(60_000, `"%d"`), 2},
		"many members":      {many(9_000, `{"kept":"0123456789012345678901234567890","v":%d}`), 2},
		"a long name on the way": {func(v int) string {
			return `{` + quoted(strings.Repeat(escaped1, 80_000)) + `:` + many(20, `{"k":[0,%d]}`)(v) + `}`
		}, 2},
		"many documents":           {func(v int) string { return fmt.Sprint(v) }, 2000},
		"a name at each of many":   {func(v int) string { return many(5, `{"`+strings.Repeat(`\u0001`, 15_000)+`":[1,2,%d]}`)(v) }, 2},
		"documents of half a page": {func(v int) string { return quoted(strings.Repeat(fmt.Sprint(v), 200<<10)) }, 4},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, vfs.NewMem())
			must[any](b, "collection.put", "c", `{}`)
			ids := manyIDs(row.documents, 256)
			each := 1
			if row.documents > 10 {
				each = len(ids)
			}
			for v := range 2 {
				for from := 0; from < len(ids); from += each {
					putDocuments(b, ids[from:from+each], func(int) string { return row.value(v + 1) })
				}
			}
			made := len(must[api.HistoryPage](b, "collection.history", "c", "", param("limit", "1000")).Items)
			from, to := fmt.Sprint((made-1)/2+1), fmt.Sprint(made)
			pages := pagesOf(b, "collection.diff", "c", func(d api.Diff) string { return d.Next }, param("from", from), param("to", to))
			touched := make(map[string]bool)
			for _, page := range pages {
				for _, c := range page.Changes {
					touched[strings.Join(strings.SplitN(c.Path, "/", 4)[:3], "/")] = true
				}
			}
			if len(touched) != row.documents {
				t.Errorf("%d documents differ, not %d", len(touched), row.documents)
			}
		})
	}
}

// TestConflictsAreBounded: what an answer tells of conflicts and of contents fits, however it is written.
func TestConflictsAreBounded(t *testing.T) {
	for name, unit := range map[string]string{"markup": "<", "long characters": escaped, "names with escapes": "n"} {
		t.Run(name, func(t *testing.T) {
			side := func(text string) string {
				members := make([]string, 150)
				for i := range members {
					member, length := fmt.Sprint("m", i), 2000
					if name == "names with escapes" {
						member, length = longest(2400, i), 500
					}
					members[i] = `"` + member + `":"` + strings.Repeat(unit, length/len(unit)) + text + `"`
				}
				return `{` + strings.Join(members, ",") + `}`
			}
			b := start(t, vfs.NewMem())
			_ = must[any](b, "collection.put", "c", `{"documents":{"a":`+side("b")+`}}`)
			_ = must[any](b, "document.put", "c", `{"value":`+side("s")+`}`, inDocument("a"))
			bounded := func(body []byte) {
				if most := transport.DefaultLimits.RequestMaxBytes; len(body) > most {
					t.Errorf("%d bytes: the limit is %d", len(body), most)
				}
			}
			stale := func(policy string) string {
				return `{"baseVersion":1,"policy":"` + policy + `","value":` + side("c") + `}`
			}
			bounded(b.refused(problem.VersionConflict, "document.put", "c", stale("merge"), inDocument("a")).Body("r"))
			for _, policy := range []string{"merge-client", "server"} {
				reply, p := b.do("document.put", "c", stale(policy), inDocument("a"), param("dryRun", "true"))
				if p != nil {
					t.Fatal(p)
				}
				bounded(reply.Body)
			}
		})
	}
}
