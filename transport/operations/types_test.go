package operations

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"concord/actors"
	"concord/actors/collectiontype"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/transport"
	"concord/transport/api"
)

func TestTypeLife(t *testing.T) {
	fs := vfs.NewMem()
	b := start(t, fs)
	const first, second = " {\"lock\": {\"ttl\": 3.0e1,\n \"mode\":\"\\u0065xplicit\"}}", `{"requireVersion":true}`
	made := must[collectiontype.Result](b, "type.put", "t", first, with("Idempotency-Key", "k"))
	want := collectiontype.Result{Provider: "p", ID: "t", Version: 1, ETag: `"v1"`, Seq: 1, Changed: true}
	if made != want {
		t.Errorf("made %+v, want %+v", made, want)
	}
	if same := must[collectiontype.Result](b, "type.put", "t", `{"lock":{"mode":"explicit","ttl":30}}`); same.Changed || same.Version != 1 {
		t.Errorf("the same value: %+v", same)
	}
	must[collectiontype.Result](b, "type.put", "t", second, as("bob"), param("dryRun", "true"))
	must[collectiontype.Result](b, "type.put", "t", second, as("bob"), with("If-Match", `"v1"`))
	check := func() {
		t.Helper()
		if again := must[collectiontype.Result](b, "type.put", "t", first, with("Idempotency-Key", "k")); again != want {
			t.Errorf("a repeat is answered %+v, not %+v", again, want)
		}
		now := must[api.Type](b, "type.get", "t", "")
		if string(now.Value) != second || now.Version != 2 || now.Seq != 2 || now.Principal != "bob" || !now.Updated.Equal(b.clock.Now()) {
			t.Errorf("newest: %+v", now)
		}
		reply, p := b.do("type.get", "t", "", param("version", "1"))
		if p != nil || reply.Version != 1 || !strings.Contains(string(reply.Body), strings.TrimSpace(first)) {
			t.Errorf("version 1: %s, %v; want the bytes that were sent", reply.Body, p)
		}
	}
	check()
	b.stop()
	b = start(t, fs)
	check()
	b.refused(problem.KeyReused, "type.put", "t", second, with("Idempotency-Key", "k"))
	b.refused(problem.NotFound, "type.get", "t", "", param("version", "3"))
	b.refused(problem.NotFound, "type.get", "other", "")
	b.refused(problem.PreconditionFailed, "type.delete", "t", "", with("If-Match", `"v1"`))
	gone := must[collectiontype.Result](b, "type.delete", "t", "", param("reason", "unused"), with("If-Match", `"v2"`))
	if gone.Version != 3 || !gone.Changed {
		t.Errorf("deleted %+v", gone)
	}
	if p := b.refused(problem.NotFound, "type.get", "t", ""); len(p.Members) != 1 || p.Members[0].Value != uint64(3) {
		t.Errorf("deleted when? %+v", p)
	}
	if old := must[api.Type](b, "type.get", "t", "", param("version", "2")); string(old.Value) != second {
		t.Errorf("history: %+v", old)
	}
	var events []string
	for rec, err := range b.store.Records(persistence.EntityID{Kind: persistence.KindType, Provider: "p", ID: "t"}, 0) {
		if err != nil {
			t.Fatal(err)
		}
		e := transport.EventOf(rec)
		events = append(events, fmt.Sprintf("%s %s v%d %s%s", e.ID, e.Type, e.Version, e.Principal, rec.GetReason()))
	}
	if diff := cmp.Diff([]string{"type/p/t#1 type.saved v1 ann", "type/p/t#2 type.saved v2 bob", "type/p/t#3 type.deleted v3 annunused"},
		events); diff != "" {
		t.Error(diff)
	}
}

// What a collection reads of its type is in the head of the type's entity; derived records are a function of the log.
func TestTypeIsReadByItsCollections(t *testing.T) {
	b := start(t, vfs.NewMem())
	id := persistence.EntityID{Kind: persistence.KindType, Provider: "p", ID: "t"}
	reads := func(requireVersion bool, version uint64) {
		t.Helper()
		head, err := b.store.Head(id)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := rules.Decode(head.State); err != nil || got.RequireVersion != requireVersion || got.Version != version {
			t.Errorf("%+v, %v; want %v at version %d", got, err, requireVersion, version)
		}
	}
	must[any](b, "type.put", "t", `{"requireVersion":true}`)
	reads(true, 1)
	must[any](b, "type.delete", "t", "")
	reads(false, 0)
	must[any](b, "type.put", "t", `{"requireVersion":true}`)
	reads(true, 3)
	report, err := b.store.Verify(context.Background(), pebblestore.VerifyOptions{Fold: actors.Fold(actors.DefaultLimits)})
	if err != nil || report.Records != 3 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestTypesAreListed(t *testing.T) {
	b := start(t, vfs.NewMem())
	var want []string
	for n := range 7 {
		id := fmt.Sprintf("t%d", n)
		must[any](b, "type.put", id, `{}`)
		if n%3 == 0 {
			must[any](b, "type.delete", id, "")
			continue
		}
		want = append(want, id+" 1")
	}
	must[any](b, "collection.put", "t0", `{"type":"t1"}`) // another kind of the same name
	var got []string
	for _, page := range pagesOf(b, "type.list", "", func(p api.TypePage) string { return p.Next }, param("limit", "2")) {
		for _, item := range page.Items {
			got = append(got, fmt.Sprint(item.ID, " ", item.Version))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if other := must[api.TypePage](b, "type.list", "", "", func(r *transport.Request) { r.Provider = "q" }); len(other.Items) != 0 {
		t.Errorf("another provider has %v", other.Items)
	}
	if must[api.CollectionPage](b, "collection.list", "", "").Items[0].ID != "t0" {
		t.Error("the collection is not listed")
	}
}

func TestProviderOfATypeExists(t *testing.T) {
	b := start(t, vfs.NewMem())
	if b.service.ProviderExists("p") {
		t.Error("it exists before")
	}
	must[any](b, "type.put", "t", `{}`)
	if !b.service.ProviderExists("p") {
		t.Error("it does not exist")
	}
}

// A type says what holds for the collections of all: it takes the right to administer the provider.
func TestRightsOnTypes(t *testing.T) {
	b := start(t, vfs.NewMem())
	for operation, want := range map[string]transport.Right{
		"type.put": transport.RightAdmin, "type.delete": transport.RightAdmin, "type.get": transport.RightRead, "type.list": transport.RightRead,
	} {
		if got := b.table[operation].Right; got != want {
			t.Errorf("%s needs %s, want %s", operation, got, want)
		}
	}
}

func TestLargestType(t *testing.T) {
	b := start(t, vfs.NewMem())
	largest := `{` + strings.Repeat(" ", collectiontype.DefaultLimits.MaxBytes-2) + `}`
	must[any](b, "type.put", "t", largest)
	if reply, p := b.do("type.get", "t", ""); p != nil || len(reply.Body) > transport.DefaultLimits.RequestMaxBytes {
		t.Errorf("answer of %d bytes, %v", len(reply.Body), p)
	}
	b.refused(problem.TooLarge, "type.put", "u", largest+" ")
}
