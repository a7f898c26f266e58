package operations

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"concord/actors/collection"
	"concord/actors/links"
	"concord/persistence"
	"concord/transport/api"
)

// strayLinks are the entries of the link indexes that are not what the documents of the store say, in both directions, and the
// links of living documents that readers of the index would not find.
func (b *bench) strayLinks(id string) (stray []string) {
	b.t.Helper()
	entity := persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: id}
	head, err := b.store.Head(entity)
	if err != nil {
		b.t.Fatal(err)
	}
	state, err := collection.Behavior{}.DecodeState(head.State)
	if err != nil {
		b.t.Fatal(err)
	}
	said := make(map[string]bool)
	for part, err := range b.store.Parts(entity, "") {
		if err != nil {
			b.t.Fatal(err)
		}
		entries, err := collection.Behavior{}.Index(part.ID, part.Info)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, e := range entries {
			v, err := links.DecodeIndexValue(e.Value)
			if err != nil {
				b.t.Fatal(err)
			}
			line := fmt.Sprintf("%s %s %s %+v", e.Name, e.Term, part.ID, v)
			said[line] = true
			if state.Live() && part.Version >= state.Born && v.Version < state.Born {
				stray = append(stray, "hidden: "+line)
			}
		}
	}
	for _, name := range []string{links.IndexBySource, links.IndexByAuthority, links.IndexWaiting} {
		for p := range b.store.Partitions() {
			for e, err := range b.store.IndexTerms(persistence.Partition(p), persistence.IndexKey{Kind: persistence.KindCollection, Name: name}) {
				if err != nil {
					b.t.Fatal(err)
				}
				v, err := links.DecodeIndexValue(e.Value)
				if err != nil {
					b.t.Fatal(err)
				}
				if e.Entity != id {
					continue
				}
				line := fmt.Sprintf("%s %s %s %+v", name, e.Term, e.Part, v)
				if !said[line] {
					stray = append(stray, "nobody says: "+line)
				}
				delete(said, line)
			}
		}
	}
	for line := range said {
		stray = append(stray, "missing: "+line)
	}
	slices.Sort(stray)
	return stray
}

var (
	byDavis = marcField("100", "a=Davis, Miles,", "d=1926-1991", "9=davis")
	byEvans = marcField("700", "a=Evans, Bill", "9=evans")
)

// TestNoLifeLeavesLinksToTheNext: a document of an earlier life that is written anew leaves no entry behind, also if a revert
// brings the earlier life back.
func TestNoLifeLeavesLinksToTheNext(t *testing.T) {
	b := start(t, vfs.NewMem())
	library(b)
	b.marc("c", marcRecord(byDavis))
	must[collection.Result](b, "document.put", "c", `{"value":`+marcRecord(byDavis, byEvans)+`}`, inDocument("d1"))
	must[collection.Result](b, "collection.delete", "c", "")
	b.marc("c", marcRecord(byDavis))
	if stray := b.strayLinks("c"); len(stray) > 0 {
		t.Errorf("in its second life:\n%s", strings.Join(stray, "\n"))
	}
	must[collection.Result](b, "collection.revert", "c", `{"to":1}`)
	if stray := b.strayLinks("c"); len(stray) > 0 {
		t.Errorf("after the revert:\n%s", strings.Join(stray, "\n"))
	}
	if n := must[api.LinkPage](b, "link.list", "", "", param("authority", "evans")); len(n.Items) != 0 {
		t.Errorf("nothing is linked to evans: %+v", n)
	}
}

// TestLinksOfAnyLives: whatever happens to a collection, its index is what its documents say.
func TestLinksOfAnyLives(t *testing.T) {
	b := start(t, vfs.NewMem())
	library(b)
	n, urls := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		n++
		id := fmt.Sprintf("c%d", n)
		version := uint64(0)
		done := func(operation, body string, options ...option) {
			if reply, p := b.do(operation, id, body, options...); p == nil {
				version = reply.Version
			}
		}
		record := func() string {
			fields := []string{marcField("245", "a="+rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "title"))}
			for _, f := range []string{byDavis, byEvans} {
				if rapid.Bool().Draw(rt, "linked") {
					fields = append(fields, f)
				}
			}
			return marcRecord(fields...)
		}
		for range rapid.IntRange(1, 14).Draw(rt, "steps") {
			document := rapid.SampledFrom([]string{"d1", "d2"}).Draw(rt, "document")
			switch rapid.IntRange(0, 6).Draw(rt, "step") {
			case 0:
				done("collection.put", `{"format":"marc","documents":{"`+document+`":`+record()+`}}`)
			case 1:
				done("collection.delete", "")
			case 2, 3:
				done("document.put", `{"value":`+record()+`}`, inDocument(document))
			case 4:
				done("document.delete", "", inDocument(document))
			case 5:
				urls++
				must[api.LinkChanged](b, "source.patch", "names", fmt.Sprintf(`{"baseUrl":"http://id/%d/"}`, urls))
				source := must[api.Source](b, "source.get", "names", "")
				r, err := b.relink(id, &collection.Relink{Documents: []string{"d1", "d2"},
					Source: &links.Source{ID: "names", BaseURL: source.BaseURL, Revision: source.URLRevision}})
				if err != nil {
					rt.Fatal(err)
				}
				version = max(version, r.Version)
			default:
				if version > 0 {
					done("collection.revert", fmt.Sprintf(`{"to":%d}`, rapid.Uint64Range(1, version).Draw(rt, "to")))
				}
			}
			if version == 0 {
				continue
			}
			if stray := b.strayLinks(id); len(stray) > 0 {
				rt.Fatalf("at version %d:\n%s", version, strings.Join(stray, "\n"))
			}
		}
	})
}

// TestARevivedCollectionIsBroughtUpToDate: a base URL changes while a collection is deleted; what comes back follows.
func TestARevivedCollectionIsBroughtUpToDate(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	library(b)
	b.shelf("c", 3)
	must[collection.Result](b, "collection.delete", "c", "")
	b.job(must[api.LinkChanged](b, "source.patch", "names", `{"baseUrl":"https://new.example/"}`).Propagation)
	must[collection.Result](b, "collection.revert", "c", `{"to":1}`)
	b.waitFor(func() bool { return strings.Contains(b.document("c", "d002"), "https://new.example/n2") })
	if text := b.document("c", "d000"); strings.Contains(text, "http://id/names/") {
		t.Errorf("it shows the old base URL: %s", text)
	}
}

// TestTheFormatOfTheNextLife: links are read as the collection is now, not as it was before it was deleted.
func TestTheFormatOfTheNextLife(t *testing.T) {
	b := start(t, vfs.NewMem())
	library(b)
	b.marc("c", marcRecord(byDavis))
	must[collection.Result](b, "collection.delete", "c", "")
	must[collection.Result](b, "collection.put", "c", `{"documents":{"d":{"by":{"authorityId":"davis"}}}}`)
	if got := b.document("c", "d"); got != `{"by":{"authorityId":"davis","uri":"http://id/names/n1"}}` {
		t.Errorf("linked: %s", got)
	}
}

// TestParkedLinks: an update that waits for a lock is settled like any other when its turn comes: it needs to know what it links
// to, and what it links to may have changed.
func TestParkedLinks(t *testing.T) {
	b := start(t, vfs.NewMem())
	library(b)
	b.marc("c", marcRecord(byDavis))
	grant := must[api.Grant](b, "lock.acquire", "c", `{}`, as("bob"))
	put := must[api.Parked](b, "document.put", "c", `{"onLocked":"queue","value":`+marcRecord(byEvans)+`}`, inDocument("new"))
	wrong := must[api.Parked](b, "document.put", "c", `{"onLocked":"queue","value":`+marcRecord(marcField("700", "a=x", "9=nobody"))+`}`, inDocument("other"))
	b.authority("evans", "n7", "a=Evans, Bill")
	if _, p := b.do("lock.release", "c", "", as("bob"), with("Lock-Token", grant.Token)); p != nil {
		t.Fatal(p)
	}
	operation := func(id string) (o api.Operation) {
		b.waitFor(func() bool {
			o = must[api.Operation](b, "operation.get", "c", "", inDocument(id))
			return o.State != "waiting"
		})
		return o
	}
	if got := operation(put.Operation); got.State != "done" || got.Version != 2 {
		t.Errorf("the parked write: %+v", got)
	}
	if got := operation(wrong.Operation); got.State != "failed" || got.Problem == nil {
		t.Errorf("the parked write that links to nobody: %+v", got)
	}
	if got := compact(must[api.Document](b, "document.get", "c", "", inDocument("new"), param("version", "2")).Value); got != marcRecord(marcField("700", "a=Evans, Bill", "0=http://id/names/n7", "9=evans")) {
		t.Errorf("what the parked write has stored: %s", got)
	}
}
