package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"concord/actors/script/quickjs"
	"concord/transport"
	"concord/transport/kinvey"
)

// TestKinveyEntities: what is stored is the content alone, as it came; to read and save it again changes nothing.
func TestKinveyEntities(t *testing.T) {
	s := newStack(t)
	ann, _, hers, _ := speakersOf(t, s, `{}`)
	if got, want := s.ask("GET", speaker, "").is(200).member("value"), `{"_acl":{"creator":"ann"},"room":"hall","volume":5}`; got != want {
		t.Errorf("stored is %s", got)
	}
	written := s.written()
	if again := ann.save(hers, "").is(200).entity(5); !cmp.Equal(again, hers) || s.written() != written {
		t.Errorf("saved again: %v, %d records", again, s.written()-written)
	}
	kmd := hers.change()
	if kmd["lmt"] != "2026-01-01T00:00:00.001Z" || kmd["ect"] != kmd["lmt"] {
		t.Errorf("_kmd %v", kmd)
	}
	hers["volume"] = 6
	if kmd = ann.save(hers, "").is(200).entity(6).change(); kmd["lmt"] != "2026-01-01T00:00:00.003Z" || kmd["ect"] != "2026-01-01T00:00:00.001Z" {
		t.Errorf("_kmd %v", kmd)
	}
	s.ask("PUT", speakers+"/documents/ours", `{"value": {"_id": "x", "n": 1.50, "_kmd": 7, "<": "\u00e9"}}`).is(201)
	text := string(s.ask("GET", speakers+"/documents/ours", "", winner("")).is(200).body)
	if want := `{"_id":"ours","n":1.50,"<":"\u00e9","_kmd":{"lmt":"2026-01-01T00:00:00.003Z","ect":"2026-01-01T00:00:00.003Z","version":4}}`; text != want {
		t.Errorf("shown as %s", text)
	}
	s.ask("PUT", speakers+"/documents/list", `{"value": [1]}`).is(201)
	s.ask("GET", speakers+"/documents/list", "", winner("")).is(400)
}

// TestKinveyAnswersBesideOurs: entity and envelope have one address, and the header tells which is meant.
func TestKinveyAnswersBesideOurs(t *testing.T) {
	s := newStack(t)
	ann, _, hers, _ := speakersOf(t, s, `{}`)
	for _, options := range [][]func(*http.Request){nil, {winner("")}} {
		a := s.ask("GET", speaker, "", options...).is(200)
		if a.header.Get("ETag") != `"v2"` || a.header.Get("Vary") != kinvey.HeaderProperties {
			t.Errorf("ETag %s, Vary %q", a.header.Get("ETag"), a.header.Get("Vary"))
		}
		s.ask("GET", speaker, "", append(options, header("If-None-Match", `"v2"`))...).is(304)
		s.ask("HEAD", speaker, "", options...).is(200)
	}
	hers["volume"] = 7
	first := ann.save(hers, "", header("Idempotency-Key", "k")).is(200)
	written := s.written()
	if again := ann.save(hers, "", header("Idempotency-Key", "k")).is(200); string(again.body) != string(first.body) || s.written() != written {
		t.Errorf("first %s, again %s", first.body, again.body)
	}
	if a := ann.save(hers, "client", header("Idempotency-Key", "k")).is(409); a.problem().Code != "key-reused" {
		t.Errorf("another policy: %s", a.body)
	}
	hers["_kmd"] = record{"lmt": hers.lmt()}
	if a := ann.save(hers, "", header("Idempotency-Key", "k")).is(409); a.problem().Code != "key-reused" {
		t.Errorf("another base: %s", a.body)
	}
	dry := s.ask("PUT", speaker+"?dryRun=true", `{"volume": 9}`, winner("")).is(200)
	if dry.member("changed") != "true" || ann.pull()["volume"] != 7.0 {
		t.Errorf("dry run: %s", dry.body)
	}
	ann.save(record{"volume": 9}, "", header("If-Match", `"v1"`)).is(412)

	token := s.ask("POST", "/api/v1/locks/collection:main:speakers", "", by("ann")).is(201).text("token")
	bob := app{s, "bob", speaker}
	if a := bob.save(record{"volume": 9}, "").is(409); a.problem().Code != "locked" || a.text("error") != "locked" {
		t.Errorf("locked: %s", a.body)
	}
	bob.save(record{"volume": 9}, "", header("Prefer", "respond-async")).is(202)
	if a := ann.save(record{"volume": 9}, "", header("Lock-Token", token)).is(200); a.header.Get("Lock-Fence") != "1" {
		t.Errorf("Lock-Fence %q", a.header.Get("Lock-Fence"))
	}
}

func TestKinveyDeletions(t *testing.T) {
	s := newStack(t)
	ann, _, hers, _ := speakersOf(t, s, `{}`)
	hers["volume"] = 7
	ann.save(hers, "").is(200)
	s.ask("DELETE", speaker+"?baseVersion=2&policy=client", "", winner("client")).is(400)
	if a := s.ask("DELETE", speaker+"?baseVersion=2", "", winner("")); a.conflict()["volume"] != 7.0 {
		t.Errorf("conflict: %s", a.body)
	}
	if a := s.ask("DELETE", speaker+"?baseVersion=2", "", winner("server")).is(201); string(a.body) != `{"count":0}` {
		t.Errorf("the server wins: %s", a.body)
	}
	s.ask("DELETE", speaker+"?dryRun=true", "", winner("")).is(200)
	if a := s.ask("DELETE", speaker+"?baseVersion=2", "", winner("client")).is(200); string(a.body) != `{"count":1}` || a.header.Get("Concord-Resolution") != "client" {
		t.Errorf("the client wins: %s", a.body)
	}
	if a := s.ask("DELETE", speaker, "", winner("")).is(404); a.text("error") != "EntityNotFound" {
		t.Errorf("once more: %s", a.body)
	}
}

// TestKinveyLongEntities: an entity that is too long for a refusal is left out of it, and can be read.
func TestKinveyLongEntities(t *testing.T) {
	s := newStack(t)
	ann, bob, hers, his := speakersOf(t, s, `{}`)
	hers["text"], his["volume"] = strings.Repeat("\"<", 50_000), 6
	ann.save(hers, "").is(200)
	a := bob.save(his, "").is(409)
	if a.text("error") != "EntityConflict" || a.member("debug") != "" || a.member("debugBytes") == "" {
		t.Errorf("%.300s", a.body)
	}
	bob.save(his, "server").is(201).entity(5)
	his["_kmd"] = bob.pull()["_kmd"]
	bob.save(his, "merged").is(200).entity(6)
}

func TestKinveyWrongInput(t *testing.T) {
	s := newStack(t)
	speakersOf(t, s, `{}`)
	written := s.written()
	const properties = "header " + kinvey.HeaderProperties
	for name, row := range map[string]struct{ header, body, path string }{
		"a policy that nobody knows":   {`{"ConflictResolutionWinner": "me"}`, `{}`, properties},
		"one of ours":                  {`{"ConflictResolutionWinner": "merge"}`, `{}`, properties},
		"a policy that is no string":   {`{"ConflictResolutionWinner": ["client"]}`, `{}`, properties},
		"no policy, but said so":       {`{"ConflictResolutionWinner": null}`, `{}`, properties},
		"two policies":                 {`{"ConflictResolutionWinner": "client", "ConflictResolutionWinner": "server"}`, `{}`, properties},
		"no JSON":                      {`client`, `{}`, properties},
		"no object":                    {`["client"]`, `{}`, properties},
		"an empty header":              {``, `{}`, properties},
		"a header without end":         {`{"x": "` + strings.Repeat("x", 2000) + `"}`, `{}`, properties},
		"no entity":                    {`{}`, ``, ""},
		"no object as entity":          {`{}`, `[1]`, ""},
		"half an entity":               {`{}`, `{"volume": `, "/volume"},
		"a member twice":               {`{}`, `{"volume": 1, "volume": 2}`, "/volume"},
		"another document's entity":    {`{}`, `{"_id": "s2"}`, "/_id"},
		"an id that is a number":       {`{}`, `{"_id": 1}`, "/_id"},
		"a _kmd that is no object":     {`{}`, `{"_kmd": "2026"}`, "/_kmd"},
		"a time that is a number":      {`{}`, `{"_kmd": {"lmt": 1767225600000}}`, "/_kmd/lmt"},
		"a time that is none":          {`{}`, `{"_kmd": {"lmt": "yesterday"}}`, "/_kmd/lmt"},
		"no time, but said so":         {`{}`, `{"_kmd": {"lmt": null}}`, "/_kmd/lmt"},
		"a version that is a fraction": {`{}`, `{"_kmd": {"lmt": "2026-01-01T00:00:00.001Z", "version": 1.5}}`, "/_kmd/version"},
		"an entity that is too deep":   {`{}`, `{"volume": ` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`, "/volume" + strings.Repeat("/0", 62)},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.ask("PUT", speaker, row.body, header(kinvey.HeaderProperties, row.header)).is(400)
			p := a.problem()
			if len(p.Errors) != 1 || p.Errors[0].Path != row.path {
				t.Errorf("places %+v, not %s", p.Errors, row.path)
			}
			if a.text("error") != "BadRequest" || a.text("description") != p.Title || !strings.Contains(a.text("debug"), p.Errors[0].Message) {
				t.Errorf("in Kinvey's form: %s", a.body)
			}
		})
	}
	s.ask("PUT", speaker, `{}`, winner("client"), winner("server")).is(400)
	s.ask("GET", speaker, "", winner("me")).is(400)
	s.ask("GET", speaker+"?version=1", "", winner("")).is(400)
	s.ask("DELETE", speaker, "", winner("me")).is(400)
	if s.written() != written {
		t.Error("something was written")
	}
}

// TestKinveyRefusals: also what is refused before the operation is asked is in Kinvey's form.
func TestKinveyRefusals(t *testing.T) {
	s := newStack(t, func(s *stack) {
		s.gate.Auth = principals(t, map[string]map[string][]transport.Right{"ann": {"main": {transport.RightRead}}})
	})
	if a := s.ask("GET", speaker, "", winner("")).is(401); a.text("error") != "InvalidCredentials" || a.text("debug") == "" {
		t.Errorf("%s", a.body)
	}
	ann := header("Authorization", "Bearer ann")
	if a := s.ask("PUT", speaker, `{}`, winner(""), ann).is(403); a.text("error") != "InsufficientCredentials" {
		t.Errorf("%s", a.body)
	}
	if a := s.ask("GET", speaker, "", winner(""), ann).is(404); a.text("error") != "EntityNotFound" {
		t.Errorf("%s", a.body)
	}
}

func TestKinveyScriptsThatFail(t *testing.T) {
	for name, row := range map[string]struct{ source, want string }{
		"it throws":             {`throw new Error("no")`, "BLRuntimeError"},
		"it does not end":       {`for (;;) {}`, "BLTimeoutError"},
		"it returns a function": {`return customEntityMerge`, "BLRuntimeError"},
		"it reads what is not":  {`return req.body`, "BLRuntimeError"},
		"it returns nothing":    {`return`, "BLRuntimeError"},
		"it returns no object":  {`return null`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t, func(s *stack) {
				pool := quickjs.NewPool(quickjs.Options{Command: []string{os.Args[0], workerArgument},
					Bounds: quickjs.Bounds{Workers: 1, Timeout: 200 * time.Millisecond}, Wall: 20 * time.Second})
				s.world.Scripts, s.service.Scripts = pool, pool
				s.Cleanup(pool.Close)
			})
			source, err := json.Marshal("function customEntityMerge(clientEntity, serverEntity) {" + row.source + "}")
			if err != nil {
				t.Fatal(err)
			}
			ann, bob, hers, his := speakersOf(t, s, fmt.Sprintf(`{"conflict": {"script": {"source": %s}}}`, source))
			hers["volume"], his["volume"] = 7, 6
			ann.save(hers, "").is(200)
			a := bob.save(his, "server-logic")
			if row.want == "" {
				if a.is(404).text("error") != "EntityNotFound" || a.text("resolution") != "server-logic" {
					t.Errorf("%s", a.body)
				}
				return
			}
			if a.is(409).text("error") != row.want || a.problem().Code != "merge-failed" {
				t.Errorf("%s", a.body)
			}
			if got := ann.pull()["volume"]; got != 7.0 {
				t.Errorf("volume %v", got)
			}
		})
	}
}
