package operations

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collection"
	"concord/actors/problem"
	"concord/transport/api"
)

// step is one request of a scenario, and what must come of it.
type step struct {
	op, body string
	options  []option
	code     problem.Code // "" for a success
	path     string       // in a refusal's errors
	version  uint64       // after a success
	same     bool         // the request changes nothing
}

func on(document string, o ...option) []option { return append(o, inDocument(document)) }

var scenarios = map[string][]step{
	"put leaves out what it leaves out": {
		{op: "collection.put", body: `{"metadata":{"t":1},"documents":{"a":1,"b":2}}`, version: 1},
		{op: "collection.put", body: `{"metadata":{"t":2}}`, version: 2},
		{op: "document.get", options: on("a"), version: 1},
		{op: "collection.put", body: `{"documents":{"a":1}}`, version: 3},
		{op: "document.get", options: on("b"), code: problem.NotFound},
		{op: "document.get", options: on("a"), version: 1},
	},
	"a change that changes nothing makes no version": {
		{op: "collection.put", body: `{"documents":{"a":{"n":1}}}`, version: 1},
		{op: "collection.put", body: `{"documents":{"a":{ "n" : 1.0e0 }}}`, version: 1, same: true},
		{op: "document.put", body: `{"value":{"n":1.00}}`, options: on("a"), version: 1, same: true},
		{op: "collection.patch", body: `{"changes":[]}`, version: 1, same: true},
		{op: "collection.put", body: `{}`, version: 1, same: true},
		{op: "collection.put", body: `{"documents":{"a":{"n":true}}}`, version: 2},
	},
	"If-Match": {
		{op: "collection.put", body: `{}`, options: []option{with("If-Match", `"v1"`)}, code: problem.PreconditionFailed},
		{op: "collection.put", body: `{}`, version: 1},
		{op: "collection.put", body: `{"metadata":{"a":1}}`, options: []option{with("If-Match", `"v1"`)}, version: 2},
		{op: "collection.put", body: `{"metadata":{"a":2}}`, options: []option{with("If-Match", `"v1"`)}, code: problem.PreconditionFailed},
		{op: "collection.put", body: `{"metadata":{"a":2}}`, options: []option{with("If-Match", `"v1", "v2"`)}, version: 3},
		{op: "collection.put", body: `{"metadata":{"a":3}}`, options: []option{with("If-Match", `*`)}, version: 4},
		{op: "collection.put", body: `{}`, options: []option{with("If-Match", `v1`)}, code: problem.Invalid, path: "header If-Match"},
		{op: "collection.put", body: `{}`, options: []option{with("If-Match", `W/"v1"`)}, code: problem.Invalid, path: "header If-Match"},
	},
	"If-None-Match creates only": {
		{op: "collection.put", body: `{}`, options: []option{with("If-None-Match", `*`)}, version: 1},
		{op: "collection.put", body: `{}`, options: []option{with("If-None-Match", `*`)}, code: problem.PreconditionFailed},
		{op: "collection.put", body: `{}`, options: []option{with("If-None-Match", `"v1"`)}, code: problem.Invalid, path: "header If-None-Match"},
	},
	"staleness is judged part by part": {
		{op: "collection.put", body: `{"metadata":{"t":1},"documents":{"a":1,"b":1}}`, version: 1},
		{op: "document.put", body: `{"value":2}`, options: on("a"), version: 2},
		{op: "document.put", body: `{"value":2,"baseVersion":1}`, options: on("b"), version: 3},
		{op: "document.put", body: `{"value":3,"baseVersion":1}`, options: on("a"), code: problem.VersionConflict},
		{op: "collection.put", body: `{"metadata":{"t":2},"baseVersion":1}`, version: 4},
		{op: "collection.put", body: `{"documents":{},"baseVersion":2}`, code: problem.VersionConflict},
		{op: "collection.put", body: `{"documents":{"a":9},"baseVersion":3}`, version: 5},
		{op: "collection.patch", body: `{"changes":[{"op":"put-document","id":"n","value":1,"baseVersion":1}]}`, version: 6},
		{op: "collection.patch", body: `{"changes":[{"op":"put-document","id":"b","value":1}],"baseVersion":4}`, code: problem.VersionConflict},
		{op: "document.put", body: `{"value":1,"baseVersion":99}`, options: on("a"), code: problem.VersionConflict},
	},
	"a stale write never brings a deleted collection back": {
		{op: "collection.put", body: `{"documents":{"a":1}}`, version: 1},
		{op: "collection.delete", version: 2},
		{op: "collection.put", body: `{"documents":{"a":2},"baseVersion":1}`, code: problem.VersionConflict},
		{op: "collection.put", body: `{"metadata":{"x":2},"baseVersion":1}`, code: problem.VersionConflict},
		{op: "document.put", body: `{"value":1}`, options: on("a"), code: problem.NotFound},
		{op: "collection.delete", code: problem.NotFound},
		{op: "collection.get", code: problem.NotFound},
		{op: "collection.put", body: `{"documents":{"b":1}}`, version: 3},
		{op: "document.get", options: on("a"), code: problem.NotFound},
		{op: "document.put", body: `{"value":1,"baseVersion":1}`, options: on("a"), code: problem.VersionConflict},
		{op: "document.put", body: `{"value":1,"baseVersion":3}`, options: on("a"), version: 4},
	},
	"a base from before a revival is stale": {
		{op: "collection.put", body: `{"documents":{"a":1}}`, version: 1},
		{op: "collection.delete", version: 2},
		{op: "collection.revert", body: `{"to":1}`, version: 3},
		{op: "document.get", options: on("a"), version: 1},
		{op: "document.put", body: `{"value":2,"baseVersion":2}`, options: on("a"), code: problem.VersionConflict},
		{op: "document.put", body: `{"value":2,"baseVersion":3}`, options: on("a"), version: 4},
	},
	"many changes, one version": {
		{op: "collection.put", body: `{"metadata":{"k":1},"documents":{"a":{"x":1},"b":{"y":[1]}}}`, version: 1},
		{op: "collection.patch", version: 2, body: `{"changes":[
			{"op":"put-document","id":"c","value":{"z":1}},
			{"op":"merge-document","id":"a","value":{"x":null,"w":2}},
			{"op":"patch-document","id":"b","value":[{"op":"add","path":"/y/-","value":2}]},
			{"op":"patch-document","id":"b","value":[{"op":"test","path":"/y/1","value":2.0}]},
			{"op":"merge-metadata","value":{"l":2}},
			{"op":"patch-metadata","value":[{"op":"remove","path":"/k"}]}]}`},
		{op: "collection.patch", body: `{"changes":[{"op":"remove-document","id":"a"},{"op":"remove-document","id":"a"}]}`, code: problem.NotFound},
		{op: "collection.patch", body: `{"changes":[{"op":"remove-document","id":"a"},{"op":"put-document","id":"a","value":{"w":2}}]}`, version: 2, same: true},
	},
	"all or nothing": {
		{op: "collection.put", body: `{"documents":{"a":{"x":1}}}`, version: 1},
		{op: "collection.patch", body: `{"changes":[{"op":"put-document","id":"b","value":1},{"op":"patch-document","id":"a","value":[{"op":"test","path":"/x","value":2}]}]}`, code: problem.WrongState, path: "/changes/1/0"},
		{op: "document.get", options: on("b"), code: problem.NotFound},
	},
	"JSON Patch across documents": {
		{op: "collection.put", body: `{"metadata":{"m":1},"documents":{"a":{"x":1}}}`, version: 1},
		{op: "collection.patch", body: `[{"op":"move","from":"/documents/a","path":"/documents/b"},{"op":"copy","from":"/documents/b/x","path":"/metadata/x"}]`,
			options: []option{with("Content-Type", "application/json-patch+json")}, version: 2},
		{op: "document.get", options: on("a"), code: problem.NotFound},
		{op: "document.get", options: on("b"), version: 2},
		{op: "collection.patch", body: `[{"op":"remove","path":"/metadata"}]`, options: []option{with("Content-Type", "application/json-patch+json")}, code: problem.Invalid, path: "/metadata"},
		{op: "collection.patch", body: `[{"op":"remove","path":"/documents"}]`, options: []option{with("Content-Type", "application/json-patch+json")}, code: problem.Invalid, path: "/0/path"},
	},
	"merge patch of the whole": {
		{op: "collection.put", body: `{"metadata":{"m":1,"n":1},"documents":{"a":{"x":1},"b":1}}`, version: 1},
		{op: "collection.patch", body: `{"metadata":{"m":null},"documents":{"a":{"y":2},"b":null,"c":[1],"d":null}}`,
			options: []option{with("Content-Type", "application/merge-patch+json")}, version: 2},
		{op: "collection.patch", body: `{"metadata":null,"documents":null}`, options: []option{with("Content-Type", "application/merge-patch+json; charset=utf-8")}, version: 3},
		{op: "collection.patch", body: `{"metadata":7}`, options: []option{with("Content-Type", "application/merge-patch+json")}, code: problem.Invalid, path: "/metadata"},
	},
	"what is fixed at creation": {
		{op: "collection.put", body: `{"format":"marc","type":"bib"}`, version: 1},
		{op: "collection.put", body: `{"format":"marc","type":"bib","metadata":{"a":1}}`, version: 2},
		{op: "collection.put", body: `{"format":"json"}`, code: problem.Invalid, path: "/format"},
		{op: "collection.put", body: `{"type":"other"}`, code: problem.Invalid, path: "/type"},
		{op: "collection.put", body: `{"format":"xml"}`, code: problem.Invalid, path: "/format"},
	},
	"conditions on one document": {
		{op: "collection.put", body: `{"documents":{"a":1,"b":1}}`, version: 1},
		{op: "document.put", body: `{"value":2}`, options: on("b", with("If-Match", `"v1"`)), version: 2},
		{op: "document.put", body: `{"value":2}`, options: on("a", with("If-Match", `"v1"`)), version: 3},
		{op: "document.put", body: `{"value":3}`, options: on("b", with("If-Match", `"v1"`)), code: problem.PreconditionFailed},
		{op: "document.put", body: `{"value":3}`, options: on("b", with("If-Match", `"v3"`)), version: 4},
		{op: "document.put", body: `{"value":3}`, options: on("b", with("If-None-Match", `*`)), code: problem.PreconditionFailed},
		{op: "document.put", body: `{"value":3}`, options: on("c", with("If-None-Match", `*`)), version: 5},
		{op: "document.delete", options: on("c", with("If-Match", `"v2"`)), code: problem.PreconditionFailed},
		{op: "document.delete", options: on("c", with("If-Match", `"v5"`)), version: 6},
		{op: "document.delete", options: on("c"), code: problem.NotFound},
	},
	"a dry run stores nothing": {
		{op: "collection.put", body: `{}`, options: []option{param("dryRun", "true")}, version: 1},
		{op: "collection.get", code: problem.NotFound},
		{op: "collection.put", body: `{}`, version: 1},
		{op: "collection.put", body: `{"metadata":{"a":1}}`, options: []option{param("dryRun", "true")}, version: 2},
		{op: "collection.get", version: 1},
		{op: "collection.put", body: `{"baseVersion":7,"metadata":{"a":1}}`, options: []option{param("dryRun", "true")}, code: problem.VersionConflict},
	},
	"idempotency keys": {
		{op: "collection.put", body: `{"metadata":{"a":1}}`, options: []option{with("Idempotency-Key", "k1")}, version: 1},
		{op: "collection.put", body: `{"metadata":{"a":2}}`, version: 2},
		{op: "collection.put", body: `{"metadata":{"a":1}}`, options: []option{with("Idempotency-Key", "k1")}, version: 1},
		{op: "collection.put", body: `{"metadata":{"a":9}}`, options: []option{with("Idempotency-Key", "k1")}, code: problem.KeyReused},
		{op: "collection.put", body: `{"metadata":{"a":1}}`, options: []option{with("Idempotency-Key", "k1"), with("If-Match", `"v2"`)}, code: problem.KeyReused},
		{op: "collection.put", body: `{"metadata":{"a":3}}`, options: []option{with("Idempotency-Key", "k1"), as("bob")}, version: 3},
		{op: "collection.put", body: `{"metadata":{"a":3}}`, options: []option{with("Idempotency-Key", "noop")}, version: 3, same: true},
		{op: "collection.put", body: `{"metadata":{"a":4}}`, version: 4},
		{op: "collection.put", body: `{"metadata":{"a":3}}`, options: []option{with("Idempotency-Key", "noop")}, version: 3, same: true},
		{op: "collection.put", body: `{"metadata":{"a":5},"baseVersion":1}`, options: []option{with("Idempotency-Key", "refused")}, code: problem.VersionConflict},
		{op: "collection.put", body: `{"metadata":{"a":5}}`, options: []option{with("Idempotency-Key", "refused")}, version: 5},
	},
}

func TestScenarios(t *testing.T) {
	for name, steps := range scenarios {
		t.Run(name, func(t *testing.T) {
			b := start(t, vfs.NewMem())
			for i, s := range steps {
				s.run(t, b, i)
			}
		})
	}
}

func (s step) run(t *testing.T, b *bench, i int) {
	t.Helper()
	reply, p := b.do(s.op, "c", s.body, s.options...)
	if s.code != "" {
		if p == nil || p.Code != s.code {
			t.Fatalf("step %d: %s %s: %v %v, want %s", i, s.op, s.body, reply, p, s.code)
		}
		if s.path != "" && (len(p.Errors) == 0 || p.Errors[0].Path != s.path) {
			t.Fatalf("step %d: %s %s: %v, want path %s", i, s.op, s.body, p, s.path)
		}
		return
	}
	if p != nil {
		t.Fatalf("step %d: %s %s: %v", i, s.op, s.body, p)
	}
	if reply.Version != s.version {
		t.Fatalf("step %d: %s %s: version %d, want %d: %s", i, s.op, s.body, reply.Version, s.version, reply.Body)
	}
	if s.same != strings.Contains(string(reply.Body), `"changed":false`) {
		t.Fatalf("step %d: %s %s: %s", i, s.op, s.body, reply.Body)
	}
}

// TestWrongBodies: a problem that names the place, and nothing changed.
func TestWrongBodies(t *testing.T) {
	b := start(t, vfs.NewMem())
	_ = must[collection.Result](b, "collection.put", "c", `{"documents":{"a":1}}`)
	deep := strings.Repeat(`[`, 65) + strings.Repeat(`]`, 65)
	for _, c := range []struct{ op, body, path string }{
		{"collection.put", `{"Metadata":{}}`, "/Metadata"},
		{"collection.put", `{"metadata":{},"metadata":{}}`, "/metadata"},
		{"collection.put", `{"metadata":{"a":{"x":1,"\u0078":2}}}`, "/metadata/a/x"},
		{"collection.put", `{"metadata":[]}`, "/metadata"},
		{"collection.put", `{"documents":[]}`, "/documents"},
		{"collection.put", `{"documents":{"":1}}`, "/documents/"},
		{"collection.put", `{"documents":{"..":1}}`, "/documents/.."},
		{"collection.put", `{"documents":{"a\u0000":1}}`, "/documents/a\x00"},
		{"collection.put", `{"documents":{"` + strings.Repeat("x", 257) + `":1}}`, "/documents/" + strings.Repeat("x", 257)},
		{"collection.put", `{"baseVersion":-1}`, "/baseVersion"},
		{"collection.put", `{"baseVersion":1.5}`, "/baseVersion"},
		{"collection.put", `{"baseVersion":"1"}`, "/baseVersion"},
		{"collection.put", `{"policy":"mine"}`, "/policy"},
		{"collection.put", `{"onLocked":"wait"}`, "/onLocked"},
		{"collection.put", `{"reason":7}`, "/reason"},
		{"collection.put", `{"type":"-"}`, "/type"},
		{"collection.put", `[]`, ""},
		{"collection.put", `{"metadata":{}}x`, ""},
		{"collection.put", "{\"metadata\":{\"a\":\"\xff\"}}", "/metadata/a"},
		{"collection.put", `{"documents":{"a":` + deep + `}}`, ""},
		{"collection.patch", `{}`, "/changes"},
		{"collection.patch", `{"changes":[{}]}`, "/changes/0/op"},
		{"collection.patch", `{"changes":[{"op":"put-document","value":1}]}`, "/changes/0/id"},
		{"collection.patch", `{"changes":[{"op":"put-document","id":"a"}]}`, "/changes/0/value"},
		{"collection.patch", `{"changes":[{"op":"put-metadata","id":"a","value":{}}]}`, "/changes/0/id"},
		{"collection.patch", `{"changes":[{"op":"patch-document","id":"a","value":[{"op":"add","path":"x","value":1}]}]}`, "/changes/0/value/0/path"},
		{"collection.revert", `{}`, "/to"},
		{"collection.revert", `{"to":9}`, "/to"},
	} {
		p := b.refused(problem.Invalid, c.op, "c", c.body)
		if len(p.Errors) == 0 || c.path != "" && p.Errors[0].Path != c.path {
			t.Errorf("%s %.80s: %v, want path %q", c.op, c.body, p, c.path)
		}
	}
	if got := must[api.Collection](b, "collection.get", "c", ""); got.Version != 1 || got.Seq != 1 {
		t.Fatalf("something changed: %+v", got)
	}
}

func TestLimits(t *testing.T) {
	b := start(t, vfs.NewMem())
	large := `"` + strings.Repeat("x", 512<<10) + `"`
	p := b.refused(problem.TooLarge, "collection.put", "c", `{"documents":{"a":`+large+`}}`)
	if p.Errors[0].Path != "/documents/a" {
		t.Fatal(p)
	}
	b.refused(problem.TooLarge, "collection.put", "c", `{"metadata":{"a":`+large+`}}`)
	var many strings.Builder
	for i := range 10_001 {
		fmt.Fprintf(&many, `%s"d%d":%d`, strings.Repeat(",", min(i, 1)), i, i)
	}
	b.refused(problem.TooLarge, "collection.put", "c", `{"documents":{`+many.String()+`}}`)
	b.refused(problem.NotFound, "collection.get", "c", "")
}

// TestPagesAreOfOneVersion: a reader that pages sees one version, whatever is written meanwhile.
func TestPagesAreOfOneVersion(t *testing.T) {
	b := start(t, vfs.NewMem())
	var documents strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&documents, `%s"d%04d":{"v":1}`, strings.Repeat(",", min(i, 1)), i)
	}
	_ = must[collection.Result](b, "collection.put", "c", `{"documents":{`+documents.String()+`}}`)
	seen, next := 0, ""
	for page := 0; ; page++ {
		var options []option
		if next != "" {
			options = append(options, param("cursor", next))
		}
		c := must[api.Collection](b, "collection.get", "c", "", options...)
		if c.Version != 1 {
			t.Fatalf("page %d is of version %d", page, c.Version)
		}
		for id, text := range c.Documents {
			if string(text) != `{"v":1}` {
				t.Fatalf("%s is %s", id, text)
			}
		}
		seen += len(c.Documents)
		if next = c.Next; next == "" {
			break
		}
		_ = must[collection.Result](b, "document.put", "c", fmt.Sprintf(`{"value":{"v":%d}}`, page+2), inDocument("d2499"))
		_ = must[collection.Result](b, "document.delete", "c", ``, inDocument(fmt.Sprintf("d%d", 2000+page)))
	}
	if seen != 2500 {
		t.Fatalf("%d documents seen", seen)
	}
}

func TestFields(t *testing.T) {
	b := start(t, vfs.NewMem())
	_ = must[collection.Result](b, "collection.put", "c",
		`{"metadata":{"a":1,"b":2},"documents":{"x":{"t":1,"u":2},"y":{"u":3}}}`)
	c := must[api.Collection](b, "collection.get", "c", "", param("fields", "/metadata/a,/documents/*/t"))
	if string(c.Metadata) != `{"a":1}` || string(c.Documents["x"]) != `{"t":1}` {
		t.Fatalf("%s %s", c.Metadata, c.Documents)
	}
	c = must[api.Collection](b, "collection.get", "c", "", param("document", "y"), param("fields", "/documents/y"))
	if c.Metadata != nil || len(c.Documents) != 1 || string(c.Documents["y"]) != `{"u":3}` {
		t.Fatalf("%s %s", c.Metadata, c.Documents)
	}
	b.refused(problem.Invalid, "collection.get", "c", "", param("fields", "title"))
}

// TestJSONPatchNamesValidDocuments: no way in stores a document under an id that is none.
func TestJSONPatchNamesValidDocuments(t *testing.T) {
	b := start(t, vfs.NewMem())
	_ = must[collection.Result](b, "collection.put", "c", `{}`)
	for _, id := range []string{"..", ".", "a\\u0000b", "a\\nb", strings.Repeat("x", 5000)} {
		b.refused(problem.Invalid, "collection.patch", "c", `[{"op":"add","path":"/documents/`+id+`","value":1}]`,
			with("Content-Type", "application/json-patch+json"))
	}
}

// TestDiffPages: a diff that ends a page with the metadata goes on behind it.
func TestDiffPages(t *testing.T) {
	b := start(t, vfs.NewMem())
	large := func(c string) string { return `"` + strings.Repeat(c, 300<<10) + `"` }
	_ = must[collection.Result](b, "collection.put", "c", `{"metadata":{"m":1},"documents":{"a":1,"b":1}}`)
	_ = must[collection.Result](b, "collection.put", "c", `{"metadata":{"m":`+large("x")+`}}`)
	_ = must[collection.Result](b, "document.put", "c", `{"value":`+large("y")+`}`, inDocument("a"))
	_ = must[collection.Result](b, "document.put", "c", `{"value":`+large("z")+`}`, inDocument("b"))
	var paths []string
	for next, pages := "", 0; pages == 0 || next != ""; pages++ {
		if pages == 4 {
			t.Fatal("it does not end")
		}
		options := []option{param("from", "1")}
		if next != "" {
			options = append(options, param("cursor", next))
		}
		d := must[api.Diff](b, "collection.diff", "c", "", options...)
		for _, c := range d.Changes {
			paths = append(paths, c.Path)
		}
		next = d.Next
	}
	if got := strings.Join(paths, " "); got != "/metadata/m /documents/a /documents/b" {
		t.Fatal(got)
	}
}

// TestBaseWithoutParts: a base from the future is stale, also where nothing is touched.
func TestBaseWithoutParts(t *testing.T) {
	b := start(t, vfs.NewMem())
	b.refused(problem.VersionConflict, "collection.put", "c", `{"baseVersion":5}`)
	_ = must[collection.Result](b, "collection.put", "c", `{}`)
	b.refused(problem.VersionConflict, "collection.put", "c", `{"baseVersion":5}`)
	b.refused(problem.Invalid, "collection.put", "c", ``)
}
