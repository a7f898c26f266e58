package operations

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
)

const namesSource = `{"name":"Names","codes":["n","nb"],"type":"Names","baseUrl":"http://id.loc.gov/authorities/names","origin":"FOLIO"}`

func TestSourceLives(t *testing.T) {
	b := start(t, vfs.NewMem())
	put := must[api.LinkChanged](b, "source.put", "names", namesSource)
	if put.Version != 1 || !put.Changed || put.Propagation != "" {
		t.Errorf("creation: %+v", put)
	}
	if again := must[api.LinkChanged](b, "source.put", "names", namesSource); again.Changed {
		t.Errorf("the same again: %+v", again)
	}
	got := must[api.Source](b, "source.get", "names", "")
	if got.BaseURL != "http://id.loc.gov/authorities/names/" || got.URLRevision != 1 || !got.Selectable {
		t.Errorf("read: %+v", got)
	}
	moved := must[api.LinkChanged](b, "source.patch", "names", `{"baseUrl":"https://example.org:8080/n?q="}`)
	if moved.Version != 2 || !strings.Contains(moved.Propagation, "-id") {
		t.Errorf("new base URL: %+v", moved)
	}
	if got := must[api.Source](b, "source.get", "names", ""); got.URLRevision != 2 || got.Propagation != moved.Propagation {
		t.Errorf("read: %+v", got)
	}
}

func TestWrongSources(t *testing.T) {
	b := start(t, vfs.NewMem())
	for name, row := range map[string]struct {
		body, path string
	}{
		"nothing":                     {``, ""},
		"no JSON":                     {`{`, ""},
		"an unknown member":           {`{"name":"x","baseURL":"http://a.example"}`, "/baseURL"},
		"a base URL without a scheme": {`{"name":"x","baseUrl":"id.loc.gov/names"}`, "/baseUrl"},
		"a base URL without a host":   {`{"name":"x","baseUrl":"http:///names"}`, "/baseUrl"},
		"a number for a base URL":     {`{"name":"x","baseUrl":7}`, "/baseUrl"},
		"null for a base URL":         {`{"name":"x","baseUrl":null}`, "/baseUrl"},
		"a code with a digit":         {`{"name":"x","codes":["n","n1"]}`, "/codes/1"},
		"a code that is a number":     {`{"name":"x","codes":[7]}`, "/codes/0"},
		"codes that are no list":      {`{"name":"x","codes":"n"}`, "/codes"},
		"no name":                     {`{"codes":["n"]}`, "/name"},
		"a sequence of another shape": {`{"name":"x","codes":["n"],"sequence":7}`, "/sequence"},
		"a sequence without a start":  {`{"name":"x","codes":["n"],"sequence":{}}`, "/sequence/start"},
		"a start below 0":             {`{"name":"x","codes":["n"],"sequence":{"start":-1}}`, "/sequence/start"},
		"a sequence of two codes":     {`{"name":"x","codes":["n","m"],"sequence":{"start":1}}`, "/sequence"},
	} {
		t.Run(name, func(t *testing.T) {
			p := b.refused(problem.Invalid, "source.put", "names", row.body)
			if len(p.Errors) != 1 || p.Errors[0].Path != row.path {
				t.Errorf("%v, want a problem at %q", p, row.path)
			}
		})
	}
	b.refused(problem.NotFound, "source.get", "names", "")
	b.refused(problem.NotFound, "source.patch", "names", `{"type":"x"}`)
	b.refused(problem.NotFound, "source.delete", "names", "")
	b.refused(problem.NotFound, "source.next-id", "names", "")
	must[api.LinkChanged](b, "source.put", "names", namesSource)
	for name, patch := range map[string]string{"the name": `{"name":null}`, "all of it": `{"name":""}`} {
		if p := b.refused(problem.Invalid, "source.patch", "names", patch); p.Errors[0].Path != "/name" {
			t.Errorf("%s taken away: %v", name, p)
		}
	}
	b.refused(problem.PreconditionFailed, "source.put", "names", namesSource, with("If-None-Match", "*"))
	b.refused(problem.PreconditionFailed, "source.patch", "names", `{"type":"x"}`, with("If-Match", `"v7"`))
	b.refused(problem.VersionConflict, "source.patch", "names", `{"type":"x","baseVersion":7}`)
	b.refused(problem.WrongState, "source.next-id", "names", "")
}

func TestPatchesOfSources(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[api.LinkChanged](b, "source.put", "names", `{"name":"Names","codes":["n"],"type":"T","selectable":false,"origin":"O","sequence":{"start":3},"baseUrl":"http://a.example"}`)
	if dry := must[api.LinkChanged](b, "source.patch", "names", `{"baseUrl":null}`, param("dryRun", "true")); !dry.Changed || dry.Propagation != "" {
		t.Errorf("dry run: %+v", dry)
	}
	reply, p := b.do("source.patch", "names", `{"baseUrl":null,"type":null,"selectable":null,"origin":null,"sequence":null}`)
	if p != nil || reply.Status != 202 {
		t.Fatalf("%+v, %v", reply, p)
	}
	got := must[api.Source](b, "source.get", "names", "")
	if got.BaseURL != "" || got.Type != "" || !got.Selectable || got.Origin != "" || got.Sequence != nil || got.Name != "Names" || len(got.Codes) != 1 || got.Version != 2 {
		t.Errorf("%+v", got)
	}
}

// TestDeletesOfWhatIsInUse: a source goes when nothing refers to it, and not before; what is refused leaves it as it was.
func TestDeletesOfWhatIsInUse(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[api.LinkChanged](b, "source.put", "names", namesSource)
	must[api.LinkChanged](b, "source.put", "subjects", `{"name":"Subjects","codes":["sh"]}`)
	put := func(source string) {
		must[api.LinkChanged](b, "authority.put", "", `{"source":"`+source+`","naturalId":"n1","record":`+personal("X")+`}`, inAuthority("a"))
	}
	put("names")
	for _, options := range [][]option{nil, {param("dryRun", "true")}} {
		p := b.refused(problem.InUse, "source.delete", "names", "", options...)
		if p.Status() != 422 || len(p.Members) != 2 || p.Members[0].Value != 1 {
			t.Errorf("%v, members %v", p, p.Members)
		}
	}
	must[api.LinkChanged](b, "authority.delete", "", "", inAuthority("a"))
	b.refused(problem.InUse, "source.delete", "names", "") // it is kept for a while
	put("names")                                           // the refusals have not closed it
	put("subjects")                                        // it moves
	if deleted := must[api.LinkChanged](b, "source.delete", "names", ""); !deleted.Changed || deleted.Version != 2 {
		t.Errorf("%+v", deleted)
	}
	b.refused(problem.NotFound, "source.get", "names", "")
	b.refused(problem.InUse, "source.delete", "subjects", "")
	must[api.LinkChanged](b, "authority.delete", "", "", inAuthority("a"))
	b.clock.Set(b.clock.Now().Add(DefaultLimits.Actors.Authority.PurgeAfter))
	b.eventually("the authority is purged", func() bool { _, err := b.try("source.delete", "subjects", ""); return err == nil })
	b.refused(problem.NotFound, "authority.get", "", "", inAuthority("a"))
}

// TestDeletionAgainstCreation: whatever runs at the same time, no authority is left without its source.
func TestDeletionAgainstCreation(t *testing.T) {
	b := start(t, vfs.NewMem())
	for round := range 30 {
		must[api.LinkChanged](b, "source.put", "names", namesSource)
		id := fmt.Sprintf("a%d", round)
		var all sync.WaitGroup
		var put, deleted error
		all.Go(func() {
			if round%2 == 0 {
				_, put = b.try("authority.put", "", `{"source":"names","naturalId":"n1","record":`+personal("X")+`}`, inAuthority(id))
				return
			}
			got := must[api.Imported](b, "authority.import", "", `{"items":[{"id":"`+id+`","source":"names","naturalId":"n1","record":`+personal("X")+`}]}`)
			if got.Failed == 1 {
				put = problem.New(problem.Invalid, "refused")
			}
		})
		all.Go(func() { _, deleted = b.try("source.delete", "names", "") })
		all.Wait()
		if (put == nil) == (deleted == nil) {
			t.Fatalf("round %d: put %v, deleted %v", round, put, deleted)
		}
		if put == nil {
			must[api.LinkChanged](b, "source.put", "rest", `{"name":"Rest"}`)
			must[api.LinkChanged](b, "authority.put", "", `{"source":"rest","naturalId":"n1","record":`+personal("X")+`}`, inAuthority(id))
			must[api.LinkChanged](b, "source.delete", "names", "")
		}
	}
}

func TestLocalIDsAreGivenOnce(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[api.LinkChanged](b, "source.put", "names", `{"name":"Names","codes":["abc"],"sequence":{"start":10}}`)
	key := with(transport.HeaderIdempotencyKey, "k")
	for _, want := range []string{"abc10", "abc10"} {
		if got := must[api.NextID](b, "source.next-id", "names", "", key); got.ID != want {
			t.Errorf("under one key: %s", got.ID)
		}
	}
	given := make(map[string]bool)
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			got := must[api.NextID](b, "source.next-id", "names", "")
			mu.Lock()
			defer mu.Unlock()
			if given[got.ID] || got.ID == "abc10" {
				t.Errorf("%s is given twice", got.ID)
			}
			given[got.ID] = true
		})
	}
	all.Wait()
	if p := b.refused(problem.InUse, "source.patch", "names", `{"sequence":{"start":5}}`); p.Errors[0].Path != "/sequence/start" {
		t.Error(p)
	}
}
