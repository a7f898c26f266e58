package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"concord/actors/problem"
	"concord/transport"
	"concord/transport/cmr"
	"concord/transport/dossier"
	"concord/transport/folio"
	"concord/transport/kinvey"
	"concord/transport/operations"
	"concord/transport/schema"
)

const prefix = "concord.v1"

func table() []*transport.Operation { return (&operations.Service{}).Table() }

func aliases() []*transport.Alias {
	s := &operations.Service{}
	return slices.Concat(dossier.Aliases(table()), kinvey.Aliases(table(), s.Timed()), cmr.Aliases(table(), s.BulkWords(), cmr.DefaultLimits),
		folio.Aliases(table(), s.BulkWords()))
}

// document is a JSON document as a tree.
type document map[string]any

func parse(t *testing.T, text []byte) document {
	t.Helper()
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("no JSON: %v\n%.300s", err, text)
	}
	return d
}

// at follows a JSON Pointer; nil: there is nothing.
func (d document) at(pointer string) any {
	var node any = map[string]any(d)
	for token := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		members, ok := node.(map[string]any)
		if !ok {
			return nil
		}
		node = members[token]
	}
	return node
}

func object(t *testing.T, d document, pointer string) map[string]any {
	t.Helper()
	o, ok := d.at(pointer).(map[string]any)
	if !ok {
		t.Fatalf("%s is no object", pointer)
	}
	return o
}

// references are the values of all $ref members.
func references(node any) (refs []string) {
	switch node := node.(type) {
	case map[string]any:
		if ref, ok := node["$ref"].(string); ok {
			refs = append(refs, ref)
		}
		for _, v := range node {
			refs = append(refs, references(v)...)
		}
	case []any:
		for _, v := range node {
			refs = append(refs, references(v)...)
		}
	}
	return refs
}

func resolve(t *testing.T, d document) {
	t.Helper()
	refs := references(map[string]any(d))
	if len(refs) == 0 {
		t.Error("no references: the walk is broken")
	}
	for _, ref := range refs {
		pointer, local := strings.CutPrefix(ref, "#")
		if !local || d.at(pointer) == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	}
}

// compile makes a validator of the schema at the pointer of the document.
func compile(t *testing.T, d document, pointer string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("mem:doc", map[string]any(d)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:doc#" + pointer)
	if err != nil {
		t.Fatalf("%s: %v", pointer, err)
	}
	return s
}

func validate(s *jsonschema.Schema, text string) error {
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

func escape(token string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(token) }

func TestDocumentsAreDeterministic(t *testing.T) {
	for name, generate := range map[string]func() []byte{
		"OpenAPI":  func() []byte { return schema.OpenAPI(table(), aliases(), "1.2.3") },
		"AsyncAPI": func() []byte { return schema.AsyncAPI(table(), prefix, "1.2.3") },
		"Wire":     func() []byte { return schema.Wire(table(), aliases(), prefix) },
	} {
		if !bytes.Equal(generate(), generate()) {
			t.Errorf("%s: two runs differ", name)
		}
	}
}

func TestOpenAPIHasEveryOperation(t *testing.T) {
	d := parse(t, schema.OpenAPI(table(), aliases(), "1.2.3"))
	if d["openapi"] != "3.1.0" || d.at("/info/version") != "1.2.3" {
		t.Errorf("openapi %v, version %v", d["openapi"], d.at("/info/version"))
	}
	resolve(t, d)
	for _, op := range table() {
		t.Run(op.Name, func(t *testing.T) {
			at := "/paths/" + escape(op.Path) + "/" + strings.ToLower(op.Method)
			if got := d.at(at + "/operationId"); got != op.Name {
				t.Fatalf("operationId %v", got)
			}
			if (op.Body != nil) != (d.at(at+"/requestBody/content/application~1json") != nil) {
				t.Error("a JSON body where there is none, or none where there is")
			}
			for _, mediaType := range op.Types {
				if d.at(at+"/requestBody/content/"+escape(mediaType)) == nil {
					t.Errorf("no body of type %s", mediaType)
				}
			}
			success := fmt.Sprintf("%s/responses/%d", at, op.Status)
			if op.Answer != nil && d.at(success+"/content/application~1json/schema") == nil {
				t.Error("no answer")
			}
			if (op.Stream != nil) != (d.at(success+"/content/text~1event-stream") != nil) {
				t.Error("a stream where there is none, or none where there is")
			}
			checkParameters(t, op, object(t, d, at))
			for _, status := range []string{"400", "401", "403", "404", "429", "500", "503", "504"} {
				if d.at(at+"/responses/"+status) == nil {
					t.Errorf("no response %s", status)
				}
			}
		})
	}
}

func checkParameters(t *testing.T, op *transport.Operation, described map[string]any) {
	t.Helper()
	var got []string
	list, _ := described["parameters"].([]any)
	for _, p := range list {
		p := p.(map[string]any)
		got = append(got, fmt.Sprintf("%s %s", p["in"], p["name"]))
		if p["in"] == "path" && (p["required"] != true || !strings.Contains(op.Path, fmt.Sprintf("{%s}", p["name"]))) {
			t.Errorf("%s is not in the path, or not required", p["name"])
		}
	}
	if n := strings.Count(op.Path, "{"); n != strings.Count(strings.Join(got, "\n"), "path ") {
		t.Errorf("%d ids in the path, described are %v", n, got)
	}
	want := []string{"header Concord-Deadline"}
	for _, p := range op.Params {
		want = append(want, "query "+p.Name)
	}
	if op.Writes && (op.HasID || op.Inner != "") {
		want = append(want, "header If-Match", "header If-None-Match", "header Idempotency-Key", "header Concord-Session",
			"header Concord-Dry-Run")
	}
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("%s is not described", name)
		}
	}
}

func TestExamplesFitTheirSchemas(t *testing.T) {
	d := parse(t, schema.OpenAPI(table(), aliases(), "1.2.3"))
	for _, op := range table() {
		content, _ := d.at("/paths/" + escape(op.Path) + "/" + strings.ToLower(op.Method) + "/requestBody/content").(map[string]any)
		for mediaType, m := range content {
			t.Run(op.Name+" "+mediaType, func(t *testing.T) {
				example, err := json.Marshal(m.(map[string]any)["example"])
				if err != nil || string(example) == "null" {
					t.Fatalf("no example: %v", err)
				}
				s := compile(t, d, "/paths/"+escape(op.Path)+"/"+strings.ToLower(op.Method)+"/requestBody/content/"+
					escape(mediaType)+"/schema")
				if err := validate(s, string(example)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestSchemasSayWhatTheTypesSay has a row for each thing that a tag of a type can say.
func TestSchemasSayWhatTheTypesSay(t *testing.T) {
	d := parse(t, schema.OpenAPI(table(), aliases(), "1.2.3"))
	for name, row := range map[string]struct {
		schema string
		valid  []string
		wrong  []string
	}{
		"an unknown member of a request is wrong": {"RevertRequest", []string{`{"to":1}`}, []string{`{"to":1,"too":2}`}},
		"what is not omitempty is needed":         {"RevertRequest", nil, []string{`{}`}},
		"an enum is closed":                       {"PutRequest", []string{`{"format":"marc"}`}, []string{`{"format":"xml"}`}},
		"an unsigned number is not negative":      {"PutRequest", []string{`{"baseVersion":0}`}, []string{`{"baseVersion":-1}`}},
		"raw JSON is any value": {"DocumentPutRequest",
			[]string{`{"value":null}`, `{"value":[1]}`, `{"value":{"a":{}}}`, `{"value":"x"}`}, []string{`{"value":1,"values":2}`}},
		"an embedded type's members are its own": {"PutRequest", []string{`{"reason":"r"}`}, []string{`{"CommonRequest":{}}`}},
		"an array is not null":                   {"PatchRequest", []string{`{"changes":[]}`}, []string{`{"changes":null}`}},
		"an answer may grow":                     {"UploadResult", []string{`{"upload":"u","size":1,"closed":true,"expires":"2026-01-01T00:00:00Z","more":1}`}, []string{`{"upload":"u"}`}},
		"a problem has members of its kind": {"ProblemBody",
			[]string{`{"type":"t","title":"t","status":409,"code":"version-conflict","requestId":"r","currentVersion":7}`},
			[]string{`{"type":"t","title":"t","status":409,"code":"no-such-code","requestId":"r"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			s := compile(t, d, "/components/schemas/"+row.schema)
			for _, text := range row.valid {
				if err := validate(s, text); err != nil {
					t.Errorf("%s: %v", text, err)
				}
			}
			for _, text := range row.wrong {
				if validate(s, text) == nil {
					t.Errorf("%s passes", text)
				}
			}
		})
	}
	if got := d.at("/components/schemas/RevertRequest/properties/to/description"); got != "Version whose content becomes the newest" {
		t.Errorf("doc of RevertRequest.To: %v", got)
	}
}

func TestAsyncAPIHasEveryOperation(t *testing.T) {
	d := parse(t, schema.AsyncAPI(table(), prefix, "1.2.3"))
	resolve(t, d)
	for _, op := range table() {
		if got := d.at("/channels/" + op.Name + "/address"); got != schema.Subject(op, prefix) {
			t.Errorf("%s: address %v", op.Name, got)
		}
		if d.at("/operations/"+op.Name+"/action") != "receive" || d.at("/operations/"+op.Name+"/reply/channel") == nil {
			t.Errorf("%s: no request with a reply", op.Name)
		}
	}
	if d.at("/operations/events/action") != "send" || d.at("/channels/events/address") != "concord.v1.event.{kind}.{provider}.{entity}" {
		t.Error("no event stream")
	}
	if d.at("/operations/links/action") != "send" || d.at("/channels/links/address") != "concord.v1.links.{provider}.{source}" {
		t.Error("no stream of link updates")
	}
	for name := range object(t, d, "/components/messages") {
		if d.at("/components/messages/"+name+"/payload") != nil {
			compile(t, d, "/components/messages/"+name+"/payload")
		}
	}
}

func TestEndpointSchemasStandAlone(t *testing.T) {
	// Parts of the messages that natsapi takes, by operation.
	takes := map[string]string{
		"collection.get":    `{"version":3,"document":["a","b"]}`,
		"collection.delete": `{"dryRun":true,"reason":"r"}`,
		"collection.patch":  `[{"op":"remove","path":"/documents/a"}]`,
		"document.get":      `{"document":"a/b"}`,
		"document.put":      `{"document":"a/b","value":1}`,
		"type.put": `{"lock":{"ttl":7.5,"contest":{"cooldown":0},"lockedStatus":423},"conflict":{"allowed":["merged"],"default":null,` +
			`"rules":[{"path":"/metadata/n","strategy":"counter"}],"script":{"source":"x"}},"schemas":{"metadata":true,"documents":{"a":[1]}},` +
			`"links":{"enabled":false,"rules":[{"bib":"240","authority":"100","subfields":"t","require":{"t":true},"move":{"t":"a"}}]}}`,
		"upload.close": `{}`,
	}
	refuses := map[string]string{
		"collection.get": `{"versions":3}`, "document.get": `{}`, "document.put": `{"value":1}`, "upload.close": `{"upload":"u"}`,
		"type.put": `{"conflict":{"allowed":["merge-all"]}}`,
	}
	for _, op := range table() {
		t.Run(op.Name, func(t *testing.T) {
			metadata := schema.Endpoint(op)
			if metadata["right"] != string(op.Right) || metadata["doc"] != op.Doc {
				t.Errorf("right %q, doc %q", metadata["right"], metadata["doc"])
			}
			for _, name := range slices.Sorted(maps.Keys(metadata)) {
				if !strings.HasPrefix(name, "schema.") {
					continue
				}
				var compact bytes.Buffer
				if err := json.Compact(&compact, []byte(metadata[name])); err != nil || compact.String() != metadata[name] {
					t.Errorf("%s is not compact JSON: %v", name, err)
				}
				compile(t, parse(t, []byte(metadata[name])), "")
			}
			asked := compile(t, parse(t, []byte(metadata["schema.request"])), "")
			if text, ok := takes[op.Name]; ok && validate(asked, text) != nil {
				t.Errorf("%s: %v", text, validate(asked, text))
			}
			if text, ok := refuses[op.Name]; ok && validate(asked, text) == nil {
				t.Errorf("%s passes", text)
			}
			if (op.Answer != nil) != (metadata["schema.response"] != "") {
				t.Error("schema.response")
			}
		})
	}
}

func TestWireNamesEverything(t *testing.T) {
	text := string(schema.Wire(table(), aliases(), prefix))
	for _, op := range table() {
		for _, want := range []string{"| `" + op.Name + "` |", "`" + schema.Subject(op, prefix) + "`", "`" + op.Method + " " + op.Path + "`"} {
			if !strings.Contains(text, want) {
				t.Errorf("no %s", want)
			}
		}
	}
	for _, c := range problem.Codes() {
		if !strings.Contains(text, fmt.Sprintf("| `%s` | %d |", c, c.Status())) {
			t.Errorf("no code %s", c)
		}
	}
	for _, h := range []string{transport.HeaderIfMatch, transport.HeaderIdempotencyKey, transport.HeaderDryRun} {
		if !strings.Contains(text, "| `"+h+"` |") {
			t.Errorf("no header %s", h)
		}
	}
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "|") && !strings.HasSuffix(line, "|") {
			t.Errorf("half a row: %s", line)
		}
	}
}
