package kinvey

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
)

// FuzzEntity: whatever is sent is an entity or is refused as the caller's mistake; and what is shown of an entity is, sent
// back, the same content.
func FuzzEntity(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `[]`, `null`, `{"volume": 5}`, ` { "_id" : "s1", "volume":5.0e1, "_acl":{"creator":"ann"}, "_kmd":{"lmt":"2026-01-01T00:00:00.001Z","ect":"x","version":3} } `,
		`{"_id": "\u0073\u0031"}`, `{"_id": "s2"}`, `{"_kmd": 1}`, `{"_kmd": {"lmt": ""}}`, `{"_kmd": {"lmt": "2026-01-01T00:00:00+23:59"}}`,
		`{"_kmd": {"lmt": "0000-01-01T00:00:00Z", "version": -1}}`, `{"\u005fid": "s1", "a": {"_id": 7}}`, `{"<": "\ud83d\ude00"}`, `{"a": 1, "a": 1}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := readEntity(body, "s1")
		if err != nil {
			if p := problem.Of(err); p.Code != problem.Invalid || len(p.Errors) != 1 {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if _, err := jsonvalue.Check(e.content); err != nil {
			t.Fatalf("content %q: %v", e.content, err)
		}
		written := time.Date(2026, 1, 1, 0, 0, 0, 1_000_000, time.UTC)
		shown, err := shownEntity("s1", &api.TimedDocument{Version: 7, Modified: written, Value: e.content})
		if err != nil {
			t.Fatalf("%q is not shown: %v", e.content, err)
		}
		again, err := readEntity(shown, "s1")
		if err != nil || string(again.content) != string(e.content) || again.lmt != "2026-01-01T00:00:00.001Z" || again.version != 7 {
			t.Fatalf("%q is shown as %q, which is read as %+v, %v", e.content, shown, again, err)
		}
	})
}

// FuzzProperties: whatever the header says is a policy that is known, or none, or refused.
func FuzzProperties(f *testing.F) {
	for _, header := range []string{``, `{}`, `{"ConflictResolutionWinner": "client"}`, `{"conflictresolutionwinner": "client"}`,
		`{"ConflictResolutionWinner": 1}`, `{"ConflictResolutionWinner": "\u0063lient"}`, `{"a": {"ConflictResolutionWinner": "me"}}`, `[`, "\xff"} {
		f.Add(header)
	}
	f.Fuzz(func(t *testing.T, header string) {
		policy, err := winner(&transport.Request{Trigger: header})
		if err != nil {
			if p := problem.Of(err); p.Code != problem.Invalid || policy != "" {
				t.Fatalf("policy %q, refused with %v", policy, err)
			}
			return
		}
		if policy != "" && !slices.Contains(winners, policy) {
			t.Fatalf("policy %q", policy)
		}
	})
}

func TestRefusalsHaveNamesThatClientsKnow(t *testing.T) {
	failed := func(reason string) error { return problem.New(problem.MergeFailed, "no").With("reason", reason) }
	for name, row := range map[string]struct {
		err  error
		want string
	}{
		"a stale base":                       {problem.New(problem.VersionConflict, "no"), "EntityConflict"},
		"a base that is no longer kept":      {problem.New(problem.BaseUnavailable, "no"), "EntityConflict"},
		"a script that does not compile":     {failed("syntax"), "BLSyntaxError"},
		"a script that throws":               {failed("threw"), "BLRuntimeError"},
		"a script that takes too long":       {failed("timeout"), "BLTimeoutError"},
		"a script that takes too much":       {failed("memory"), "BLViolationError"},
		"no scripts here":                    {failed("off"), "BLInternalError"},
		"a script that changes meet":         {problem.New(problem.MergeFailed, "no"), "BLRuntimeError"},
		"too much to do":                     {problem.New(problem.Overloaded, "no"), "KinveyInternalErrorRetry"},
		"our own mistake":                    {errors.New("secret"), "KinveyInternalErrorStop"},
		"what that system does not know":     {problem.New(problem.LockLost, "no"), "lock-lost"},
		"a base that the type wants to know": {problem.New(problem.PreconditionRequired, "no"), "precondition-required"},
	} {
		t.Run(name, func(t *testing.T) {
			p := problem.Of(refuse(row.err))
			if got, _ := member[string](p, memberError); got != row.want {
				t.Errorf("%s", got)
			}
			if text, _ := member[string](p, memberDescription); text != p.Code.Title() || strings.Contains(p.Error(), "secret") {
				t.Errorf("description %q of %v", text, p)
			}
			if _, told := member[string](p, memberDebug); told == (row.want == "EntityConflict") {
				t.Errorf("debug of %v", p)
			}
		})
	}
}

func TestRefusalsAreShort(t *testing.T) {
	p := problem.Of(refuse(problem.At("/a", "%s", strings.Repeat("é", 10_000))))
	text, _ := member[string](p, memberDebug)
	if len(text) > textMaxBytes+len("…") || !strings.HasSuffix(text, "é…") {
		t.Errorf("%d bytes", len(text))
	}
}

// TestPlacesAreThoseOfTheEntity: our envelope around it is none of the caller's business.
func TestPlacesAreThoseOfTheEntity(t *testing.T) {
	for given, want := range map[string]string{"/value/a/0": "/a/0", "/value": "", "/policy": "/policy", "header X": "header X"} {
		if got := problem.Of(placed(problem.At(given, "wrong"))).Errors[0].Path; got != want {
			t.Errorf("%s is shown as %s", given, got)
		}
	}
	other := fmt.Errorf("read: %w", errors.ErrUnsupported)
	if !errors.Is(placed(other), errors.ErrUnsupported) {
		t.Error("an error that is no refusal has changed")
	}
}
