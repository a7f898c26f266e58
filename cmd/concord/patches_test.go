package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
	"concord/transport/client"
)

// collectionValue is {metadata, documents} after changes, part by part.
func collectionValue(t testing.TB, whole string, changes []client.Change) (string, error) {
	t.Helper()
	v := parsed(t, whole)
	for _, change := range changes {
		at := jsonvalue.Pointer{"metadata"}
		if change.ID != "" {
			at = jsonvalue.Pointer{"documents", change.ID}
		}
		part, _ := v.At(at)
		part, err := apply(part, []client.Change{change})
		if err != nil {
			return "", err
		}
		if change.ID == "" {
			v = jsonvalue.With(v, "metadata", part)
			continue
		}
		documents, _ := v.Get("documents")
		v = jsonvalue.With(v, "documents", jsonvalue.With(documents, change.ID, part))
	}
	return string(v.Text()), nil
}

func parsed(t testing.TB, text string) *jsonvalue.Value {
	t.Helper()
	v, err := jsonvalue.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

const wholeCollection = `{"metadata":{"a":1,"l":[1,2]},"documents":{"x":{"a":1,"o":{"b":[1]}},"y":[1,2]}}`

// TestAPatchTakenApartMeansTheSame: the changes make of a collection what the standard patch makes of it.
func TestAPatchTakenApartMeansTheSame(t *testing.T) {
	paths := []string{"", "/a", "/l", "/l/0", "/l/-", "/o", "/o/b", "/o/b/0", "/0", "/new"}
	rapid.Check(t, func(rt *rapid.T) {
		var operations []string
		for i := range rapid.IntRange(1, 4).Draw(rt, "operations") {
			part := rapid.SampledFrom([]string{"/metadata", "/documents/x", "/documents/y", "/documents/z"}).Draw(rt, fmt.Sprint("part ", i))
			path := part + rapid.SampledFrom(paths).Draw(rt, fmt.Sprint("path ", i))
			from := part + rapid.SampledFrom(paths).Draw(rt, fmt.Sprint("from ", i))
			op := rapid.SampledFrom([]string{"add", "remove", "replace", "move", "copy", "test"}).Draw(rt, fmt.Sprint("op ", i))
			if strings.Count(path, "/") < 2 && op != "test" {
				op = "add" // the metadata itself cannot go
			}
			operations = append(operations, fmt.Sprintf(`{"op":%q,"path":%q,"from":%q,"value":{"n":%d}}`, op, path, from, i))
		}
		text := "[" + strings.Join(operations, ",") + "]"
		patch, err := jsonvalue.ParsePatch([]byte(text))
		if err != nil {
			rt.Skip("no patch")
		}
		want, refused := patch.Apply(parsed(t, wholeCollection), jsonvalue.DefaultLimits())
		changes, err := jsonPatchChanges([]byte(text))
		if err != nil {
			rt.Fatalf("%s: %v", text, err)
		}
		got, err := collectionValue(t, wholeCollection, changes)
		if removes := slices.ContainsFunc(changes, func(c client.Change) bool { return c.Op == "remove-document" }); refused != nil {
			if err == nil && !removes { // whether a document that is removed is there the service judges
				rt.Fatalf("%s: %v, but the changes make %s", text, refused, got)
			}
			return
		}
		if err != nil || !jsonvalue.Equal(parsed(t, got), want) {
			rt.Fatalf("%s: %s, %v; want %s", text, got, err, want.Text())
		}
	})
}

func TestAMergePatchTakenApartMeansTheSame(t *testing.T) {
	for _, text := range []string{`{}`, `{"metadata":{"a":null,"m":{"n":1}}}`, `{"metadata":null}`,
		`{"documents":{"x":{"o":{"b":2},"a":null},"y":null,"z":{"n":1},"s":"text"}}`, `{"documents":{"y":[3]},"metadata":{}}`} {
		changes, err := mergePatchChanges([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got, err := collectionValue(t, wholeCollection, changes)
		want := jsonvalue.MergePatch(parsed(t, wholeCollection), parsed(t, strings.ReplaceAll(text, `"metadata":null`, `"metadata":{"a":null,"l":null}`)))
		if err != nil || !jsonvalue.Equal(parsed(t, got), want) {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want.Text())
		}
	}
	for _, text := range []string{`[]`, `{"metadata":1}`, `{"documents":null}`, `{"documents":{"x":1,"x":2}}`, `{"Metadata":{}}`} {
		if changes, err := mergePatchChanges([]byte(text)); err == nil {
			t.Errorf("%s became %v", text, changes)
		}
	}
}

// FuzzPatchesTakenApart: every text is taken apart or refused.
func FuzzPatchesTakenApart(f *testing.F) {
	f.Add([]byte(`[{"op":"move","from":"/documents/x/a","path":"/documents/x"}]`))
	f.Add([]byte(`{"documents":{"x":null,"y":{"a":[1]}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, take := range []func([]byte) ([]client.Change, error){
			func(b []byte) ([]client.Change, error) { return jsonPatchChanges(b) },
			func(b []byte) ([]client.Change, error) { return mergePatchChanges(b) },
		} {
			changes, err := take(text)
			if err != nil {
				continue
			}
			if _, err := collectionValue(t, wholeCollection, changes); err != nil {
				continue // it does not apply to this one
			}
		}
	})
}

func TestResolveTakesItsValueInEitherWay(t *testing.T) {
	for given, want := range map[string]string{
		"put demo --resolve ours":             "put demo --resolve=ours",
		"put --resolve demo":                  "put --resolve demo",
		"put --resolve /documents/x=ours -o":  "put --resolve=/documents/x=ours -o",
		"put demo --resolve":                  "put demo --resolve",
		"put --resolve --resolve theirs":      "put --resolve --resolve=theirs",
		"lock demo --run -- x --resolve ours": "lock demo --run -- x --resolve ours",
	} {
		if got := strings.Join(joinResolve(strings.Fields(given)), " "); got != want {
			t.Errorf("%s became %s", given, got)
		}
	}
}
