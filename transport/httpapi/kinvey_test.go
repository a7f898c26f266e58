package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"concord/actors/script/quickjs"
	"concord/transport/kinvey"
)

const (
	speakers  = "/api/v1/providers/main/collections/speakers"
	speaker   = speakers + "/documents/s1"
	speakType = "/api/v1/providers/main/types/speaker"
)

// louder is Kinvey's own function, as an operator would have it there: of two volumes the greater one stays.
const louder = `function customEntityMerge(clientEntity, serverEntity) {
  var mergedEntity = clientEntity;
  if (serverEntity.volume > clientEntity.volume) mergedEntity.volume = serverEntity.volume;
  return mergedEntity;
}`

// record is an entity as a client of Kinvey's holds it.
type record map[string]any

// change is the _kmd of an entity.
func (e record) change() map[string]any { kmd, _ := e["_kmd"].(map[string]any); return kmd }

func (e record) lmt() any { return e.change()["lmt"] }

// content is what is neither its id nor of its changes.
func (e record) content() string {
	c := record{}
	for name, v := range e {
		if name != "_id" && name != "_kmd" {
			c[name] = v
		}
	}
	text, _ := json.Marshal(c)
	return string(text)
}

// app is one of Kinvey's clients: the program of one user, who wants conflicts to be settled in one way.
type app struct {
	*stack
	user string
	path string
}

// winner is the header that says who wins; "": nobody is named.
func winner(policy string) func(*http.Request) {
	if policy == "" {
		return header(kinvey.HeaderProperties, `{}`)
	}
	return header(kinvey.HeaderProperties, fmt.Sprintf(`{"ConflictResolutionWinner": %q, "tenant": 7}`, policy))
}

func (a app) pull() (e record) {
	a.Helper()
	a.ask("GET", a.path, "", by(a.user), winner("")).is(200).into(&e)
	return e
}

// save sends an entity. Each save comes in a millisecond of its own.
func (a app) save(e record, policy string, options ...func(*http.Request)) *answer {
	a.Helper()
	a.clock.Set(a.clock.Now().Add(time.Millisecond))
	return a.saveAtOnce(e, policy, options...)
}

func (a app) saveAtOnce(e record, policy string, options ...func(*http.Request)) *answer {
	a.Helper()
	text, err := json.Marshal(e)
	if err != nil {
		a.Fatal(err)
	}
	return a.ask("PUT", a.path, string(text), append(options, by(a.user), winner(policy))...)
}

// entity is the answer as an entity with that volume.
func (a *answer) entity(volume float64) (e record) {
	a.Helper()
	a.into(&e)
	if e["volume"] != volume || e["_id"] != "s1" || e.lmt() == nil {
		a.Errorf("%v where a volume of %v was expected", e, volume)
	}
	return e
}

// conflict is the answer as a refusal, with the server's entity.
func (a *answer) conflict() (server record) {
	a.Helper()
	p := a.is(409).problem()
	if p.Code != "version-conflict" || a.text("error") != "EntityConflict" || a.text("description") == "" {
		a.Errorf("conflict %s", a.body)
	}
	if err := json.Unmarshal([]byte(a.text("debug")), &server); err != nil {
		a.Errorf("debug %s: %v", a.text("debug"), err)
	}
	return server
}

// withScripts has the stack run merge scripts, in worker processes as the service does.
func withScripts(s *stack) {
	pool := quickjs.NewPool(quickjs.Options{Command: []string{os.Args[0], workerArgument}, Bounds: quickjs.Bounds{Workers: 1, Timeout: 5 * time.Second}})
	s.world.Scripts, s.service.Scripts = pool, pool
	s.Cleanup(pool.Close)
}

// speakersOf makes the collection, and a speaker at volume 5, which ann and bob have.
func speakersOf(t *testing.T, s *stack, kind string) (ann, bob app, hers, his record) {
	t.Helper()
	s.ask("PUT", speakType, kind, by("root")).is(201)
	s.ask("PUT", speakers, `{"type": "speaker"}`, by("root")).is(201)
	ann, bob = app{s, "ann", speaker}, app{s, "bob", speaker}
	ann.save(record{"_id": "s1", "volume": 5, "room": "hall", "_acl": record{"creator": "ann"}}, "").is(201).entity(5)
	return ann, bob, ann.pull(), bob.pull()
}

// TestKinveyTutorial is the tutorial of Kinvey's conflict resolution: two users read a speaker at volume 5. Ann turns it
// up to 7, and saves. Bob turns his up to 6, and saves, too.
func TestKinveyTutorial(t *testing.T) {
	begin := func(t *testing.T) (ann, bob app, his record) {
		s := newStack(t, withScripts)
		kind, err := json.Marshal(map[string]any{"conflict": map[string]any{"script": map[string]any{"source": louder}}})
		if err != nil {
			t.Fatal(err)
		}
		ann, bob, hers, his := speakersOf(t, s, string(kind))
		hers["volume"], his["volume"] = 7, 6
		ann.save(hers, "").is(200).entity(7)
		return ann, bob, his
	}
	t.Run("nobody is to win: bob is told what ann has saved", func(t *testing.T) {
		ann, bob, his := begin(t)
		server := bob.save(his, "").conflict()
		if diff := cmp.Diff(ann.pull(), server); diff != "" {
			t.Errorf("read (-) and debug (+): %s", diff)
		}
		if server["volume"] != 7.0 {
			t.Errorf("the server's entity is %v", server)
		}
	})
	t.Run("the client wins: bob's volume is saved over ann's", func(t *testing.T) {
		ann, bob, his := begin(t)
		a := bob.save(his, "client").is(200)
		a.entity(6)
		if got := a.header.Get("Concord-Resolution"); got != "client" {
			t.Errorf("Concord-Resolution %q", got)
		}
		if got := ann.pull()["volume"]; got != 6.0 {
			t.Errorf("volume %v", got)
		}
	})
	t.Run("the server wins: bob gets ann's volume, and nothing is saved", func(t *testing.T) {
		_, bob, his := begin(t)
		written := bob.written()
		a := bob.save(his, "server").is(201)
		a.entity(7)
		if got := a.header.Get("Concord-Resolution"); got != "server" || bob.written() != written {
			t.Errorf("Concord-Resolution %q, %d records more", got, bob.written()-written)
		}
	})
	t.Run("bob merges by hand: what he was told is what he builds on", func(t *testing.T) {
		ann, bob, his := begin(t)
		server := bob.save(his, "").conflict()
		his["volume"], his["_kmd"] = 6.5, server["_kmd"]
		bob.save(his, "merged").is(200).entity(6.5)
		if got := ann.pull()["volume"]; got != 6.5 {
			t.Errorf("volume %v", got)
		}
	})
	for _, policy := range []string{"server-logic", "custom-logic"} {
		t.Run(policy+": the operator's function keeps the greater volume", func(t *testing.T) {
			ann, bob, his := begin(t)
			his["colour"] = "red"
			a := bob.save(his, policy).is(200)
			if e := a.entity(7); e["colour"] != "red" || a.header.Get("Concord-Resolution") != "server-logic" {
				t.Errorf("%v, Concord-Resolution %q", e, a.header.Get("Concord-Resolution"))
			}
			if got := ann.pull().content(); got != `{"_acl":{"creator":"ann"},"colour":"red","room":"hall","volume":7}` {
				t.Errorf("stored %s", got)
			}
		})
	}
}

// TestKinveyDefects: what the sample of that tutorial gets wrong is right here.
func TestKinveyDefects(t *testing.T) {
	begin := func(t *testing.T, kind string) (s *stack, ann, bob app, hers, his record) {
		s = newStack(t)
		ann, bob, hers, his = speakersOf(t, s, kind)
		return s, ann, bob, hers, his
	}
	t.Run("looking and saving are one step", func(t *testing.T) {
		s, ann, _, hers, _ := begin(t, `{}`)
		const clients = 8
		var all sync.WaitGroup
		statuses := make([]int, clients)
		for i := range clients {
			body, err := json.Marshal(record{"volume": 100 + i, "_kmd": hers["_kmd"]})
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() { statuses[i] = s.ask("PUT", speaker, string(body), by("u"), winner("")).status })
		}
		all.Wait()
		saved := 0
		for _, status := range statuses {
			if status == 200 {
				saved++
			}
		}
		if saved != 1 {
			t.Errorf("%d of them saved: %v; the volume is %v", saved, statuses, ann.pull()["volume"])
		}
	})
	t.Run("two saves in one millisecond are two", func(t *testing.T) {
		_, ann, bob, hers, his := begin(t, `{}`)
		hers["volume"], his["volume"] = 7, 6
		ann.saveAtOnce(hers, "").is(200)
		server := bob.saveAtOnce(his, "").conflict()
		if server.lmt() != his.lmt() {
			t.Fatalf("this was not one millisecond: %v, %v", server.lmt(), his.lmt())
		}
		delete(his.change(), "version") // a client that keeps the times alone
		bob.saveAtOnce(his, "").conflict()
		his["_kmd"] = server["_kmd"]
		bob.saveAtOnce(his, "merged").is(200).entity(6)
	})
	t.Run("whoever says nothing of a base can be refused", func(t *testing.T) {
		s, ann, _, hers, _ := begin(t, `{}`)
		hers["volume"] = 7
		s.ask("PUT", speakType, `{"requireVersion": true}`, by("root")).is(200)
		ann.save(record{"volume": 8, "_kmd": record{}}, "").is(428)
		ann.save(record{"volume": 8}, "merged").is(428)
		ann.save(hers, "").is(200)
		app{s, "ann", speakers + "/documents/s2"}.save(record{"volume": 1}, "", header("If-None-Match", "*")).is(201)
		s.ask("PUT", speakType, `{}`, by("root")).is(200)
		ann.save(record{"volume": 8}, "").is(200).entity(8) // it can also be left to the clients, as there
	})
	t.Run("what was deleted is not brought back", func(t *testing.T) {
		s, ann, bob, _, his := begin(t, `{}`)
		if a := s.ask("DELETE", speaker, "", by("ann"), winner("")).is(200); string(a.body) != `{"count":1}` {
			t.Errorf("deletion: %s", a.body)
		}
		his["volume"] = 6
		for _, policy := range []string{"", "merged", "server-logic"} {
			if server := bob.save(his, policy).conflict(); server != nil {
				t.Errorf("policy %q: the server's entity is %v", policy, server)
			}
		}
		if a := bob.save(his, "server").is(404); a.text("error") != "EntityNotFound" || a.text("resolution") != "server" {
			t.Errorf("the deletion wins: %s", a.body)
		}
		s.ask("GET", speaker, "", winner("")).is(404)
		back := bob.save(his, "client").is(201).entity(6) // asked for
		if back.change()["ect"] != back.lmt() || back.lmt() != ann.pull().lmt() {
			t.Errorf("made at %v, changed at %v", back.change()["ect"], back.lmt())
		}
	})
	t.Run("what was merged by hand does not go over a third write", func(t *testing.T) {
		_, ann, bob, hers, his := begin(t, `{}`)
		hers["volume"], his["volume"] = 7, 6
		hers = ann.save(hers, "").is(200).entity(7)
		his["_kmd"] = bob.save(his, "").conflict()["_kmd"]
		hers["volume"] = 8
		ann.save(hers, "").is(200)
		his["_kmd"] = bob.save(his, "merged").conflict()["_kmd"]
		bob.save(his, "merged").is(200).entity(6)
	})
	t.Run("the type says which policies there are", func(t *testing.T) {
		_, ann, bob, hers, his := begin(t, `{"conflict": {"allowed": ["server"], "default": "server"}}`)
		hers["volume"], his["volume"] = 7, 6
		ann.save(hers, "").is(200)
		if a := bob.save(his, "client").is(403); a.text("error") != "InsufficientCredentials" {
			t.Errorf("refused: %s", a.body)
		}
		bob.save(his, "").is(201).entity(7)
	})
	t.Run("what each has changed is known", func(t *testing.T) {
		_, ann, bob, hers, his := begin(t, `{"conflict": {"rules": [{"path": "/documents/*/volume", "strategy": "counter"}]}}`)
		hers["volume"], his["volume"], his["room"] = 7, 6, "porch"
		ann.save(hers, "").is(200)
		if e := bob.save(his, "server-logic").is(200).entity(8); e["room"] != "porch" {
			t.Errorf("merged: %v", e)
		}
	})
	t.Run("the library's tutorial script as it is: whoever comes last", func(t *testing.T) {
		s := newStack(t, withScripts)
		_, bob, hers, his := speakersOf(t, s, `{"conflict": {"script": {"source": "var customEntityMerge = function(clientEntity, serverEntity){ return clientEntity; };"}}}`)
		hers["volume"], his["volume"] = 7, 6
		bob.save(hers, "").is(200)
		bob.save(his, "custom-logic").is(200).entity(6)
	})
}

// TestKinveyBaseThatIsNone: a time at which nothing was saved is no time that a client can have read. It is never taken for
// "no conflict".
func TestKinveyBaseThatIsNone(t *testing.T) {
	for name, lmt := range map[string]string{
		"before all":        "2025-01-01T00:00:00.000Z",
		"between two saves": "2026-01-01T00:00:00.150Z",
		"after all":         "2027-01-01T00:00:00.000Z",
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			ann, bob, hers, his := speakersOf(t, s, `{}`)
			s.clock.Set(start.Add(time.Second))
			hers["volume"] = 7
			ann.save(hers, "").is(200)
			his["volume"], his["_kmd"] = 6, record{"lmt": lmt}
			for _, policy := range []string{"", "merged", "server-logic"} {
				a := bob.save(his, policy)
				if server := a.conflict(); server["volume"] != 7.0 || !strings.Contains(a.text("detail"), lmt) || a.member("baseVersion") != "" {
					t.Errorf("policy %q: %s", policy, a.body)
				}
			}
			bob.save(his, "server").is(201).entity(7)
			bob.save(his, "client").is(200).entity(6)
		})
	}
	s := newStack(t)
	s.ask("PUT", speakers, `{}`).is(201)
	bob := app{s, "bob", speaker}
	bob.save(record{"volume": 1, "_kmd": record{"lmt": "2026-01-01T00:00:00.000Z"}}, "").conflict()
	app{s, "bob", speakers + "x/documents/s1"}.save(record{"volume": 1, "_kmd": record{"lmt": "2026-01-01T00:00:00.000Z"}}, "").is(404)
}
