package operations

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/problem"
	"concord/actors/provider"
	"concord/actors/source"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// TestNamesAreUnique: what another has is refused where the request names it, and nothing of the request is kept.
func TestNamesAreUnique(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[api.LinkChanged](b, "source.put", "names", namesSource)
	for name, row := range map[string]struct{ body, path string }{
		"the name":                {`{"name":"Names","codes":["x"]}`, "/name"},
		"a code":                  {`{"name":"x","codes":["x","nb"]}`, "/codes/1"},
		"the base URL":            {`{"name":"x","codes":["x"],"baseUrl":"http://id.loc.gov/authorities/names/"}`, "/baseUrl"},
		"the base URL, with www.": {`{"name":"x","codes":["x"],"baseUrl":"http://www.id.loc.gov/authorities/names"}`, "/baseUrl"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, options := range [][]option{nil, {param("dryRun", "true")}} {
				p := b.refused(problem.NameTaken, "source.put", "other", row.body, options...)
				if p.Status() != 422 || len(p.Errors) != 1 || p.Errors[0].Path != row.path {
					t.Errorf("%v, want 422 at %s", p, row.path)
				}
			}
		})
	}
	must[api.LinkChanged](b, "source.put", "other", `{"name":"x","codes":["x"],"baseUrl":"https://id.loc.gov/authorities/names/"}`) // another scheme
	must[api.LinkChanged](b, "source.patch", "names", `{"codes":["n"]}`)
	must[api.LinkChanged](b, "source.patch", "other", `{"codes":["x","nb"]}`) // it was given back
	must[api.LinkChanged](b, "source.delete", "names", "")
	must[api.LinkChanged](b, "source.patch", "other", `{"name":"Names","codes":["n"]}`)
}

// TestTwoWantTheSame: of many that want the same names at once, exactly one gets them.
func TestTwoWantTheSame(t *testing.T) {
	b := start(t, vfs.NewMem())
	const sources = 8
	for round := range 5 {
		code := string(rune('a' + round))
		var won, lost int
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range sources {
			all.Go(func() {
				body := fmt.Sprintf(`{"name":"Name %d","codes":[%q,"own%c"],"baseUrl":"http://%s.example/"}`, round, code, 'a'+i, code)
				_, err := b.try("source.put", fmt.Sprintf("s%d-%d", round, i), body)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
				} else if p := problem.Of(err); p.Code == problem.NameTaken {
					lost++
				} else {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won != 1 || lost != sources-1 {
			t.Fatalf("round %d: %d won, %d lost", round, won, lost)
		}
		for i := range sources { // so that nobody has the codes of those who lost
			b.refused(problem.NotFound, "source.next-id", fmt.Sprintf("s%d-%d", round, sources+i), "")
		}
		page := must[api.SourcePage](b, "source.list", "", "")
		must[api.LinkChanged](b, "source.delete", page.Items[0].ID, "")
	}
	var codes []string
	for i := range sources {
		codes = append(codes, fmt.Sprintf("own%c", 'a'+i))
	}
	body, _ := encode(map[string]any{"name": "All", "codes": codes})
	must[api.LinkChanged](b, "source.put", "all", string(body))
}

// TestCrashBetweenTheSteps: the process ends after each step of a change of names, and starts again.
func TestCrashBetweenTheSteps(t *testing.T) {
	ctx := context.Background()
	moved := source.Fields{Name: new("Moved"), Codes: &[]string{"m"}}
	restart := func(b *bench, fs vfs.FS) *bench {
		b.stop()
		b = start(b.t, fs)
		if err := b.service.SettleSources(ctx); err != nil {
			t.Fatal(err)
		}
		return b
	}
	settled := func(b *bench) {
		t.Helper()
		state, err := b.service.sourceState(b.store, sourceID("p", "names"))
		if err != nil || !state.Settled() {
			t.Errorf("not settled: %+v, %v", state, err)
		}
	}

	t.Run("after the names were reserved", func(t *testing.T) {
		fs := vfs.NewMem()
		b := start(t, fs)
		must[api.LinkChanged](b, "source.put", "names", namesSource)
		take := []source.Name{{Scope: source.ScopeCode, Name: "m", Path: "/codes/0"}}
		if err := b.service.reserve(ctx, b.request("source.put"), sourceID("p", "names"), take, false); err != nil {
			t.Fatal(err)
		}
		b = restart(b, fs)
		settled(b)
		b.refused(problem.NameTaken, "source.put", "other", `{"name":"Other","codes":["m"]}`)
		b.clock.Set(b.clock.Now().Add(provider.ReservationTTL + time.Second))
		b.eventually("the reservation lapses", func() bool {
			_, err := b.try("source.put", "other", `{"name":"Other","codes":["m"]}`)
			return err == nil
		})
	})

	t.Run("after the change was made", func(t *testing.T) {
		for _, late := range []bool{false, true} {
			fs := vfs.NewMem()
			b := start(t, fs)
			must[api.LinkChanged](b, "source.put", "names", namesSource)
			id := sourceID("p", "names")
			take := []source.Name{{Scope: source.ScopeName, Name: "Moved"}, {Scope: source.ScopeCode, Name: "m"}}
			if err := b.service.reserve(ctx, b.request("source.put"), id, take, false); err != nil {
				t.Fatal(err)
			}
			if _, err := b.service.call(ctx, b.service.envelope(b.request("source.put"), id, &source.Put{Fields: moved}, "")); err != nil {
				t.Fatal(err)
			}
			if late { // the node was down for longer than a reservation holds
				b.clock.Set(b.clock.Now().Add(provider.ReservationTTL + time.Second))
				b.eventually("the reservations lapse", func() bool { return b.free(source.ScopeCode, "m") })
			}
			b = restart(b, fs)
			settled(b)
			b.refused(problem.NameTaken, "source.put", "other", `{"name":"Other","codes":["m"]}`)
			b.clock.Set(b.clock.Now().Add(provider.ReservationTTL + time.Second))
			b.refused(problem.NameTaken, "source.put", "other", `{"name":"Moved","codes":["o"]}`)
			must[api.LinkChanged](b, "source.put", "other", `{"name":"Names","codes":["n","nb"]}`) // the old ones are free
		}
	})

	t.Run("after a deletion was begun", func(t *testing.T) {
		fs := vfs.NewMem()
		b := start(t, fs)
		must[api.LinkChanged](b, "source.put", "names", namesSource)
		if err := b.service.tellSource(ctx, sourceID("p", "names"), &source.Close{}); err != nil {
			t.Fatal(err)
		}
		put := `{"source":"names","naturalId":"n1","record":` + personal("X") + `}`
		if p := b.refused(problem.Invalid, "authority.put", "", put, inAuthority("a")); p.Status() != 422 || p.Errors[0].Path != "/source" {
			t.Errorf("an authority of a source that is being deleted: %v", p)
		}
		b = restart(b, fs)
		settled(b)
		must[api.LinkChanged](b, "authority.put", "", put, inAuthority("a"))
	})

	t.Run("after the deletion", func(t *testing.T) {
		fs := vfs.NewMem()
		b := start(t, fs)
		must[api.LinkChanged](b, "source.put", "names", namesSource)
		id := sourceID("p", "names")
		for _, c := range []any{&source.Close{}, &source.Delete{}} {
			if err := b.service.tellSource(ctx, id, c); err != nil {
				t.Fatal(err)
			}
		}
		b = restart(b, fs)
		settled(b)
		must[api.LinkChanged](b, "source.put", "other", namesSource)
	})
}

// request is one of an operation, on nothing.
func (b *bench) request(operation string) *transport.Request {
	return &transport.Request{Op: b.table[operation], Provider: "p", RequestID: "r", Caller: transport.Caller{Principal: "ann", All: true}}
}

// free says that nobody has the name.
func (b *bench) free(scope, name string) bool {
	part, err := b.store.Part(persistence.EntityID{Kind: persistence.KindProvider, Provider: "p", ID: "p"}, scope+"/"+name)
	return err == nil && part.Removed
}

// eventually waits for what the service does by itself.
func (b *bench) eventually(what string, happened func() bool) {
	b.t.Helper()
	for range 1_000_000 {
		if happened() {
			return
		}
		runtime.Gosched()
	}
	b.t.Fatalf("in vain: %s", what)
}

// TestKeysOfSourceChanges: a repeat has the answer of the first, also when its names belong to another by now.
func TestKeysOfSourceChanges(t *testing.T) {
	b := start(t, vfs.NewMem())
	key := with(transport.HeaderIdempotencyKey, "k1")
	first, _ := b.do("source.put", "names", namesSource, key)
	moved, _ := b.do("source.patch", "names", `{"baseUrl":"http://a.example","name":"X","codes":["x"]}`, with(transport.HeaderIdempotencyKey, "k2"))
	must[api.LinkChanged](b, "source.put", "other", `{"name":"Names","codes":["n"]}`)
	if again, p := b.do("source.put", "names", namesSource, key); p != nil || string(again.Body) != string(first.Body) || again.Status != 201 {
		t.Errorf("again: %+v, %v", again, p)
	}
	again, p := b.do("source.patch", "names", `{"baseUrl":"http://a.example","name":"X","codes":["x"]}`, with(transport.HeaderIdempotencyKey, "k2"))
	if p != nil || again.Status != 202 || string(again.Body) != string(moved.Body) {
		t.Errorf("again: %+v, %v", again, p)
	}
	b.refused(problem.KeyReused, "source.put", "names", `{"name":"Y"}`, key)
	deleted, _ := b.do("source.delete", "names", "", with(transport.HeaderIdempotencyKey, "k3"))
	if again, p := b.do("source.delete", "names", "", with(transport.HeaderIdempotencyKey, "k3")); p != nil || string(again.Body) != string(deleted.Body) {
		t.Errorf("deleted again: %+v, %v", again, p)
	}
}
