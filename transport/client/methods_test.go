package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"concord/actors/problem"
	"concord/transport/api"
	"concord/transport/client"
)

// methodOf is the name of the method for an operation: document.put is DocumentPut.
func methodOf(operation string) string {
	var name strings.Builder
	for word := range strings.FieldsFuncSeq(operation, func(r rune) bool { return r == '.' || r == '-' }) {
		if word == "id" {
			word = "ID"
		}
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return name.String()
}

func TestEveryOperationHasAMethod(t *testing.T) {
	has := reflect.TypeFor[*client.Client]()
	for _, op := range api.Table() {
		if len(op.Files) > 0 {
			continue // files go over HTTP: the client reads pages
		}
		method, ok := has.MethodByName(methodOf(op.Name))
		if !ok {
			t.Errorf("%s has no method %s", op.Name, methodOf(op.Name))
			continue
		}
		answer := method.Type.Out(0)
		switch want := reflect.TypeOf(op.Answer); {
		case want == nil && answer == reflect.TypeFor[error]():
		case answer == reflect.TypeFor[json.RawMessage](): // of an operator's operation: shown as it is
		case answer.Kind() != reflect.Pointer || !answers(answer.Elem(), want):
			t.Errorf("%s answers %v, its method %v", op.Name, want, answer)
		}
		for _, also := range op.Also {
			// Of a parked write Result has the operation.
			if want := reflect.TypeOf(also.Answer); want != reflect.TypeFor[api.Parked]() && !answers(answer.Elem(), want) {
				t.Errorf("%s also answers %v, its method %v", op.Name, want, answer)
			}
		}
	}
}

// answers says that a type is the wanted one, or has it as one of several answers.
func answers(is, want reflect.Type) bool {
	if is == want {
		return true
	}
	for field := range fieldsOf(is) {
		if field == want || field.Kind() == reflect.Pointer && field.Elem() == want {
			return true
		}
	}
	return false
}

func fieldsOf(t reflect.Type) map[reflect.Type]bool {
	types := make(map[reflect.Type]bool)
	for i := 0; t.Kind() == reflect.Struct && i < t.NumField(); i++ {
		types[t.Field(i).Type] = true
	}
	return types
}

func TestLifeOfACollection(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{Principal: "ann"})
	created, err := c.CollectionPut(ctx, "demo", client.PutRequest{
		Metadata:  json.RawMessage(`{"title": "A <Demo>",  "n": 1.0}`),
		Documents: map[string]json.RawMessage{"x": json.RawMessage(`{"a": 1}`), "y/z": json.RawMessage(`[1,  2]`)},
	}, client.Reason("first"))
	if err != nil || created.Version != 1 || !created.Changed {
		t.Fatal(created, err)
	}
	read, err := c.CollectionGet(ctx, "demo")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(read.Metadata), `{"title": "A <Demo>",  "n": 1.0}`; got != want {
		t.Errorf("metadata is %s, want the bytes that were sent: %s", got, want)
	}
	if got, want := string(read.Documents["y/z"]), `[1,  2]`; got != want {
		t.Errorf("document is %s, want the bytes that were sent: %s", got, want)
	}
	steps := []struct {
		name string
		call func() (*client.Result, error)
	}{
		{"put a document", func() (*client.Result, error) {
			return c.DocumentPut(ctx, "demo", "x", json.RawMessage(`{"a":2}`), client.BaseVersion(1))
		}},
		{"many changes", func() (*client.Result, error) {
			return c.CollectionPatch(ctx, "demo", []client.Change{
				client.MergeDocument("x", json.RawMessage(`{"b":3}`)), client.RemoveDocument("y/z"),
				client.MergeMetadata(json.RawMessage(`{"n":null}`)),
			}, client.Reason("tidy"))
		}},
		{"merge patch", func() (*client.Result, error) {
			return c.CollectionMergePatch(ctx, "demo", json.RawMessage(`{"documents":{"x":{"c":4}}}`), client.IfMatch(3))
		}},
		{"JSON Patch", func() (*client.Result, error) {
			return c.CollectionJSONPatch(ctx, "demo", json.RawMessage(`[{"op":"remove","path":"/documents/x/c"}]`))
		}},
		{"revert", func() (*client.Result, error) { return c.CollectionRevert(ctx, "demo", 1) }},
		{"remove a document", func() (*client.Result, error) { return c.DocumentDelete(ctx, "demo", "y/z") }},
		{"delete", func() (*client.Result, error) { return c.CollectionDelete(ctx, "demo", client.Reason("done")) }},
	}
	for i, step := range steps {
		result, err := step.call()
		if err != nil || result.Version != uint64(i+2) {
			t.Fatalf("%s: %+v, %v; want version %d", step.name, result, err, i+2)
		}
	}
	var reasons []string
	for v, err := range c.History(ctx, "demo", client.Limit(3)) {
		if err != nil {
			t.Fatal(err)
		}
		reasons = append(reasons, fmt.Sprintf("%d %s %s", v.Version, v.Principal, v.Reason))
	}
	want := []string{"8 ann done", "7 ann ", "6 ann ", "5 ann ", "4 ann ", "3 ann tidy", "2 ann ", "1 ann first"}
	if diff := cmp.Diff(want, reasons); diff != "" {
		t.Error(diff)
	}
}

func TestDryRunStoresNothing(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{})
	if _, err := c.CollectionPut(ctx, "demo", client.PutRequest{}, client.DryRun()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CollectionGet(ctx, "demo"); !client.IsCode(err, problem.NotFound) {
		t.Errorf("after a dry run: %v, want not-found", err)
	}
}

func TestARefusalIsAProblem(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{})
	put := client.PutRequest{Documents: map[string]json.RawMessage{"x": json.RawMessage(`1`)}}
	if _, err := c.CollectionPut(ctx, "demo", put); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DocumentPut(ctx, "demo", "x", json.RawMessage(`2`)); err != nil {
		t.Fatal(err)
	}
	_, err := c.DocumentPut(ctx, "demo", "x", json.RawMessage(`3`), client.BaseVersion(1))
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || p.Code != problem.VersionConflict || p.Status != 409 || p.RequestID == "" || p.CurrentVersion() != 2 {
		t.Fatalf("%+v, %v", p, err)
	}
	var conflicts []struct {
		Path    string `json:"path"`
		Version uint64 `json:"version"`
	}
	if !p.Member("conflicts", &conflicts) || len(conflicts) != 1 || conflicts[0].Version != 2 {
		t.Errorf("conflicts are %+v in %s", conflicts, p.Raw)
	}
	if p.Member("nothing", &conflicts) {
		t.Error("a member that is not there was found")
	}
	for name, call := range map[string]func() error{
		"an id that no subject can hold": func() error { _, err := c.CollectionGet(ctx, "a.b"); return err },
		"a document id of dots":          func() error { _, err := c.DocumentGet(ctx, "demo", ".."); return err },
		"a provider that is none":        func() error { _, err := c.CollectionGet(ctx, "demo", client.In("*")); return err },
		"a parameter out of range":       func() error { _, err := c.CollectionList(ctx, client.Limit(0)); return err },
		"an unknown member":              func() error { _, err := c.CollectionGet(ctx, "demo", client.Set("verson", 1)); return err },
	} {
		if err := call(); !client.IsCode(err, problem.Invalid) {
			t.Errorf("%s: %v, want invalid", name, err)
		}
	}
}

func TestWhatIsNoJSONIsNotSent(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{})
	hostile := json.RawMessage(`1},"y":{"x":1`)
	if _, err := c.DocumentPut(ctx, "demo", "x", hostile); err == nil {
		t.Error("a value that closes its object was sent")
	}
	put := client.PutRequest{Documents: map[string]json.RawMessage{"x": hostile}}
	if _, err := c.CollectionPut(ctx, "demo", put); err == nil {
		t.Error("a document that closes its object was sent")
	}
	if _, err := c.Do(ctx, "collection.put", "demo", []byte(`[]`), client.Reason("x")); err == nil {
		t.Error("a member was set in an array")
	}
	if _, err := c.Do(ctx, "collection.pot", "demo", nil); err == nil {
		t.Error("an operation that is not in the table was called")
	}
}

func TestPagesAreOfOneVersion(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{})
	const documents = 2300 // more than two pages
	put := client.PutRequest{Documents: make(map[string]json.RawMessage, documents)}
	for i := range documents {
		put.Documents[fmt.Sprintf("d%05d", i)] = json.RawMessage(`{"n":1}`)
	}
	if _, err := c.CollectionPut(ctx, "demo", put); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for item, err := range c.Documents(ctx, "demo") {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("d%05d", seen); item.ID != want || item.Version != 1 || string(item.Value) != `{"n":1}` {
			t.Fatalf("item %d is %+v, want %s of version 1", seen, item, want)
		}
		if seen == 10 {
			change := []client.Change{client.PutDocument("d02200", json.RawMessage(`{"n":2}`)), client.RemoveDocument("d02201")}
			if _, err := c.CollectionPatch(ctx, "demo", change); err != nil {
				t.Fatal(err)
			}
		}
		seen++
	}
	if seen != documents {
		t.Errorf("%d documents, want %d", seen, documents)
	}
}

func TestCollectionsOfAProvider(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{Provider: "p"})
	want := []string{"a", "b", "c", "d", "e"}
	for _, id := range want {
		if _, err := c.CollectionPut(ctx, id, client.PutRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.CollectionPut(ctx, "elsewhere", client.PutRequest{}, client.In("q")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for item, err := range c.Collections(ctx, client.Limit(2)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for range c.Collections(ctx) {
		break // a caller may stop early
	}
}

func TestTypes(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{Principal: "ann"})
	const text = `{"lock":  {"ttl": 30.0}}`
	made, err := c.TypePut(ctx, "dossier", json.RawMessage(text), client.CreateOnly())
	if err != nil || made.Version != 1 || !made.Changed {
		t.Fatal(made, err)
	}
	if _, err := c.TypePut(ctx, "dossier", json.RawMessage(`{}`), client.CreateOnly()); !client.IsCode(err, problem.PreconditionFailed) {
		t.Errorf("made twice: %v", err)
	}
	if _, err := c.TypePut(ctx, "dossier", json.RawMessage(`{}`), client.IfMatch(1)); err != nil {
		t.Error(err)
	}
	old, err := c.TypeGet(ctx, "dossier", client.Version(1))
	if err != nil || string(old.Value) != text || old.Principal != "ann" || old.ETag != `"v1"` {
		t.Errorf("%+v, %v; want the bytes that were sent", old, err)
	}
	if _, err := c.TypePut(ctx, "catalogue", json.RawMessage(`{}`)); err != nil {
		t.Error(err)
	}
	var ids []string
	for item, err := range c.Types(ctx, client.Limit(1)) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, item.ID)
	}
	if diff := cmp.Diff([]string{"catalogue", "dossier"}, ids); diff != "" {
		t.Error(diff)
	}
	gone, err := c.TypeDelete(ctx, "dossier", client.Reason("unused"))
	if err != nil || gone.Version != 3 {
		t.Error(gone, err)
	}
	if _, err := c.TypeGet(ctx, "dossier"); !client.IsCode(err, problem.NotFound) {
		t.Errorf("after the deletion: %v", err)
	}
}

func TestUpload(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{})
	for _, size := range []int{0, 1, 512 << 10, 1300 << 10} {
		id, err := c.Upload(ctx, bytes.NewReader(make([]byte, size)))
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		closed, err := c.UploadClose(ctx, id)
		if err != nil || closed.Size != uint64(size) || !closed.Closed {
			t.Errorf("%d bytes: %+v, %v", size, closed, err)
		}
	}
	broken := errors.New("the disk is gone")
	if _, err := c.Upload(ctx, readerFunc(func([]byte) (int, error) { return 0, broken })); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAdminStatus(t *testing.T) {
	c := startService(t).connect(client.Options{})
	text, err := c.AdminStatus(context.Background())
	var status struct {
		Health string `json:"health"`
	}
	if err != nil || json.Unmarshal(text, &status) != nil || status.Health != "ok" {
		t.Errorf("%s, %v", text, err)
	}
}
