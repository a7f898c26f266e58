package operations

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/links"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport/api"
)

// marcField is a MARC field: tag, then "a=text" for each subfield.
func marcField(tag string, subfields ...string) string {
	var list []string
	for _, s := range subfields {
		code, value, _ := strings.Cut(s, "=")
		list = append(list, fmt.Sprintf(`{"%s":"%s"}`, code, value))
	}
	return fmt.Sprintf(`{"%s":{"ind1":"1","ind2":" ","subfields":[%s]}}`, tag, strings.Join(list, ","))
}

func marcRecord(fields ...string) string {
	return `{"leader":"00000nam a2200000 a 4500","fields":[` + strings.Join(fields, ",") + `]}`
}

// library has a source and two authorities of it.
func library(b *bench) {
	b.t.Helper()
	must[api.LinkChanged](b, "source.put", "names", `{"name":"Names","codes":["n"],"baseUrl":"http://id/names/"}`)
	b.authority("davis", "n1", "a=Davis, Miles,", "d=1926-1991")
	b.authority("evans", "n2", "a=Evans, Bill")
}

func (b *bench) authority(id, naturalID string, heading ...string) api.LinkChanged {
	b.t.Helper()
	return must[api.LinkChanged](b, "authority.put", "", fmt.Sprintf(`{"source":"names","naturalId":"%s","record":%s}`, naturalID,
		marcRecord(marcField("100", heading...))), inDocument(id))
}

func (b *bench) document(collection, id string) string {
	b.t.Helper()
	return compact(must[api.Document](b, "document.get", collection, "", inDocument(id)).Value)
}

// indexed are the entries of the link indexes, one line each.
func (b *bench) indexed() (lines []string) {
	b.t.Helper()
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
				lines = append(lines, fmt.Sprintf("%s %s %s/%s %d@%d", name, e.Term, e.Entity, e.Part, v.Links, v.Revision))
			}
		}
	}
	return lines
}

func (b *bench) wantIndexed(want ...string) {
	b.t.Helper()
	if got := b.indexed(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		b.t.Errorf("the indexes hold\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// relink brings a source or an authority to documents of a collection.
func (b *bench) relink(collectionID string, c *collection.Relink) (collection.Relinked, error) {
	b.t.Helper()
	type answer struct {
		entity.Answer
		err error
	}
	answered := make(chan answer, 1)
	b.service.Host.Deliver(&entity.Envelope{Entity: persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: collectionID},
		Command: c, Meta: entity.Meta{Principal: "concord", Kind: "service"}, Reply: func(a entity.Answer, err error) { answered <- answer{a, err} }})
	a := <-answered
	var r collection.Relinked
	if a.err == nil {
		if err := json.Unmarshal(a.Body, &r); err != nil {
			b.t.Fatal(err)
		}
	}
	return r, a.err
}

// TestLinkedDocuments: the life of the links of one record, from its first write to the collection's end.
func TestLinkedDocuments(t *testing.T) {
	b := start(t, vfs.NewMem())
	library(b)
	const title = `{"245":{"ind1":"0","ind2":"0","subfields":[{"a":"Kind of blue"}]}}`
	must[collection.Result](b, "collection.put", "c", `{"format":"marc","documents":{"d":`+
		marcRecord(marcField("100", "a=Davis, Miles,", "d=1926-1991", "9=davis"), title, marcField("700", "a=Evans, Bill", "9=evans"))+`}}`)
	davis := marcField("100", "a=Davis, Miles,", "d=1926-1991", "0=http://id/names/n1", "9=davis")
	evans := marcField("700", "a=Evans, Bill", "0=http://id/names/n2", "9=evans")
	if got := b.document("c", "d"); got != marcRecord(davis, title, evans) {
		t.Errorf("a new link has no URI: %s", got)
	}
	b.wantIndexed("links.source names c/d 2@1", "links.authority davis c/d 1@1", "links.authority evans c/d 1@1")

	for name, put := range map[string]string{
		"the text of a link":    marcRecord(marcField("100", "a=Davies", "9=davis"), title, evans),
		"a link to nobody":      marcRecord(davis, title, evans, marcField("700", "a=x", "9=nobody")),
		"two authorities":       marcRecord(marcField("100", "a=x", "9=davis", "9=evans")),
		"no MARC":               `{"fields":{"100":"9"},"9":"davis"}`,
		"a subject by a person": marcRecord(marcField("650", "a=Davis, Miles", "9=davis")),
	} {
		_, p := b.do("document.put", "c", `{"value":`+put+`}`, inDocument("d"))
		if p == nil || len(p.Errors) == 0 || !strings.HasPrefix(p.Errors[0].Path, "/documents/d/") {
			t.Errorf("%s: %v", name, p)
		}
	}
	same := must[collection.Result](b, "document.put", "c", `{"value":`+marcRecord(
		marcField("100", "a=Davis, Miles,", "d=1926-1991", "0=http://older/n1", "9=davis"), title, evans)+`}`, inDocument("d"))
	if same.Changed || same.Version != 1 {
		t.Errorf("an older URI was set right, which changes nothing: %+v", same)
	}
	must[collection.Result](b, "document.put", "c", `{"value":`+marcRecord(davis, title)+`}`, inDocument("d"))
	b.wantIndexed("links.source names c/d 1@1", "links.authority davis c/d 1@1")

	must[collection.Result](b, "collection.revert", "c", `{"to":1}`)
	if got := b.document("c", "d"); got != marcRecord(davis, title, evans) {
		t.Errorf("reverted: %s", got)
	}
	b.wantIndexed("links.source names c/d 2@1", "links.authority davis c/d 1@1", "links.authority evans c/d 1@1")
	must[collection.Result](b, "document.delete", "c", "", inDocument("d"))
	b.wantIndexed()
}

// TestRelinkCommand: what a job asks of a collection.
func TestRelinkCommand(t *testing.T) {
	b := start(t, vfs.NewMem())
	library(b)
	davis := func(uri string) string {
		return marcRecord(marcField("100", "a=Davis, Miles,", "d=1926-1991", "0="+uri, "9=davis"))
	}
	must[collection.Result](b, "collection.put", "c", `{"format":"marc","documents":{"a":`+davis("")+`,"b":`+davis("")+`,"plain":{"x":1}}}`)
	moved := &links.Source{ID: "names", BaseURL: "https://new/", Revision: 2}
	ask := func() *collection.Relink {
		return &collection.Relink{Job: "j", Documents: []string{"a", "b", "gone", "plain"}, Source: moved}
	}
	first, err := b.relink("c", ask())
	if err != nil || first.Updated != 2 || first.Documents != 2 || first.Looked != 4 || first.Version != 2 || !first.Changed {
		t.Fatalf("%+v, %v", first, err)
	}
	if got := b.document("c", "b"); got != davis("https://new/n1") {
		t.Errorf("b is %s", got)
	}
	b.wantIndexed("links.source names c/a 1@2", "links.source names c/b 1@2", "links.authority davis c/a 1@1", "links.authority davis c/b 1@1")
	again, err := b.relink("c", ask())
	if err != nil || again.Changed || again.Version != 2 || again.Unchanged != 2 || again.Updated != 0 {
		t.Errorf("once more: %+v, %v", again, err)
	}
	older, err := b.relink("c", &collection.Relink{Documents: []string{"a"}, Source: &links.Source{ID: "names", BaseURL: "http://id/names/", Revision: 1}})
	if err != nil || older.Changed || older.Superseded != 1 {
		t.Errorf("an older one: %+v, %v", older, err)
	}
	history := must[api.HistoryPage](b, "collection.history", "c", "")
	if v := history.Items[0]; !v.Relinked || v.Propagation != "j" || v.Principal != "concord" {
		t.Errorf("the history says %+v", v)
	}
	none, err := b.relink("nothing", ask())
	if err != nil || none.Looked != 4 || none.Changed {
		t.Errorf("of no collection: %+v, %v", none, err)
	}
	must[struct{}](b, "lock.acquire", "c", `{}`, as("bob"))
	if _, err := b.relink("c", &collection.Relink{Documents: []string{"a"}, Source: &links.Source{ID: "names", Revision: 3}}); !isLocked(err) {
		t.Errorf("under bob's lock: %v", err)
	}
}

// TestWaitingLinks: where the type accepts it, a field may name an authority that is not there yet.
func TestWaitingLinks(t *testing.T) {
	b := start(t, vfs.NewMem())
	library(b)
	must[struct{}](b, "type.put", "t", `{"links":{"unknownAuthority":"accept"}}`)
	must[collection.Result](b, "collection.put", "c", `{"format":"marc","type":"t","documents":{"d":`+marcRecord(marcField("700", "a=Hall", "9=hall"))+`}}`)
	b.wantIndexed("links.authority hall c/d 1@0", "links.waiting hall c/d 1@0")
	b.clock.Set(b.clock.Now().Add(time.Second))
	hall := &links.Authority{ID: "hall", Source: "names", NaturalID: "n3", Revision: 1, Heading: links.Heading{Tag: "100", Subfields: []links.Subfield{{Code: "a", Value: "Hall, Jim"}}}}
	r, err := b.relink("c", &collection.Relink{Documents: []string{"d"}, Authority: hall, Source: &links.Source{ID: "names", BaseURL: "http://id/names/", Revision: 1}})
	if err != nil || r.Updated != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := b.document("c", "d"); got != marcRecord(marcField("700", "a=Hall", "0=http://id/names/n3", "9=hall")) {
		t.Errorf("linked: %s", got)
	}
	b.wantIndexed("links.source names c/d 1@1", "links.authority hall c/d 1@1")
}

// TestLinksInJSON: an object with authorityId is a link.
func TestLinksInJSON(t *testing.T) {
	b := start(t, vfs.NewMem())
	library(b)
	must[collection.Result](b, "collection.put", "c", `{"documents":{"d":{"n":1.0,"by":[{"authorityId":"davis","role":"trumpet"}]}}}`)
	if got := b.document("c", "d"); got != `{"n":1.0,"by":[{"authorityId":"davis","uri":"http://id/names/n1","role":"trumpet"}]}` {
		t.Errorf("linked: %s", got)
	}
	b.refused(problem.LinkedField, "document.put", "c", `{"value":{"by":{"authorityId":"nobody"}}}`, inDocument("e"))
	must[struct{}](b, "type.put", "off", `{"links":{"enabled":false}}`)
	must[collection.Result](b, "collection.put", "plain", `{"type":"off","documents":{"d":{"authorityId":"nobody"}}}`)
}

// TestLifeOfLinks: what a deleted collection leaves in the indexes is none of the life after it.
func TestLifeOfLinks(t *testing.T) {
	b := start(t, vfs.NewMem())
	library(b)
	put := `{"format":"marc","documents":{"d":` + marcRecord(marcField("100", "a=Davis", "9=davis")) + `}}`
	must[collection.Result](b, "collection.put", "c", put)
	must[collection.Result](b, "collection.delete", "c", "")
	if n := must[api.LinkPage](b, "link.list", "", "", param("authority", "davis")); len(n.Items) != 0 {
		t.Errorf("of a deleted collection: %+v", n)
	}
	must[collection.Result](b, "collection.put", "c", `{"format":"marc","documents":{"other":`+marcRecord(marcField("100", "a=Evans", "9=evans"))+`}}`)
	if n := must[api.LinkPage](b, "link.list", "", "", param("source", "names")); len(n.Items) != 1 || n.Items[0].Document != "other" {
		t.Errorf("of its next life: %+v", n)
	}
	must[collection.Result](b, "collection.put", "c", put)
	if n := must[api.LinkPage](b, "link.list", "", "", param("authority", "davis")); len(n.Items) != 1 {
		t.Errorf("linked again: %+v", n)
	}
}

func isLocked(err error) bool {
	p, ok := errors.AsType[*problem.Problem](err)
	return ok && p.Code == problem.Locked
}
