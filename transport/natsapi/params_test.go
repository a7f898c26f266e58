package natsapi

import (
	"errors"
	"strings"
	"testing"

	"concord/actors/problem"
	"concord/transport"
)

var getLike = &transport.Operation{Name: "document.get", Inner: "document", Params: []transport.Param{
	{Name: "version", Type: transport.TypeInteger}, {Name: "fields", Type: transport.TypeString, Repeat: true},
	{Name: "dryRun", Type: transport.TypeBoolean},
}}

func TestParams(t *testing.T) {
	for body, want := range map[string]string{
		`{"document":"x"}`: "",
		`{"document":"x","version":3,"fields":["/a","b"]}`: "",
		`{"document":"x","version":"3"}`:                   "",
		``:                                                 "/document",
		`{}`:                                               "/document",
		`{"document":".."}`:                                "/document",
		`{"document":"x","Version":3}`:                     "/Version",
		`{"document":"x","version":[3]}`:                   "/version",
		`{"document":"x","fields":[["a"]]}`:                "/fields",
		`{"document":"x","document":"y"}`:                  "",
		`[1]`:                                              "",
		`{`:                                                "",
	} {
		r := &transport.Request{Op: getLike, Body: []byte(body)}
		err := params(r)
		p, refused := errors.AsType[*problem.Problem](err)
		if want != "" && (!refused || p.Errors[0].Path != want) {
			t.Errorf("%s: %v, want path %s", body, err, want)
		}
	}
}

// TestReplySubjects: answers go to inboxes alone.
func TestReplySubjects(t *testing.T) {
	for reply, want := range map[string]bool{
		"_INBOX.abc": true, "_R_.abc": true, "": false, "concord.v1.collection.delete.p.c": false, "_INBOX": false,
		"_INBOX.*": false, "_INBOX.>": false, "_INBOX.a b": false, "$JS.API.STREAM.DELETE.CONCORD_EVENTS": false,
	} {
		if answerable(reply) != want {
			t.Errorf("reply subject %q: %v", reply, !want)
		}
	}
}

// FuzzParams: parameters are read or refused, never a panic, and what is read passes the common check or is refused there.
func FuzzParams(f *testing.F) {
	f.Add([]byte(`{"document":"x","version":3,"fields":["/a"]}`))
	f.Add([]byte(`{"document":{"a":1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := &transport.Request{Op: getLike, Body: body}
		if err := params(r); err != nil {
			if p := problem.Of(err); p.Code != problem.Invalid {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if r.Inner != "" && !transport.ValidDocumentID(r.Inner) {
			t.Fatalf("document %q got in", r.Inner)
		}
		if err := transport.CheckParams(r); err != nil && !strings.HasPrefix(err.Error(), "invalid") {
			t.Fatal(err)
		}
	})
}
