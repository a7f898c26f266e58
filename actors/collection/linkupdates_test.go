package collection

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"concord/actors/collection/collectionpb"
	"concord/actors/entity"
	"concord/actors/links/linkspb"
	"concord/persistence"
)

var linkedAt = entity.Stamp{Entity: persistence.EntityID{Kind: persistence.KindCollection, Provider: "main", ID: "jazz"}, Seq: 12, Version: 9,
	Time: time.UnixMilli(1711618800000).UTC()}

// names is the source of the authorities below.
var names = &linkspb.Source{Id: "names", BaseUrl: "http://id.loc.gov/authorities/names/", Revision: 4}

// tableOfNames is the table of a document with links to the authorities a, b...; the natural id of a is na.
func tableOfNames(authorities ...string) *linkspb.Table {
	t := &linkspb.Table{Sources: []*linkspb.Source{names}}
	for _, a := range authorities {
		t.Entries = append(t.Entries, &linkspb.Entry{Authority: a, Revision: 2, NaturalId: "n" + a, Source: 1, Tag: "100", Fields: []string{"100"}})
	}
	return t
}

func document(id string, t *linkspb.Table, effects ...*collectionpb.LinkEffect) *collectionpb.LinkedDocument {
	return &collectionpb.LinkedDocument{Id: id, Table: t, Effects: effects}
}

func uriOf(authority, field string, number uint32) *collectionpb.LinkEffect {
	return &collectionpb.LinkEffect{Authority: authority, Field: field, Number: number, Uri: true}
}

func payload(l *collectionpb.Linked) []byte { return marshal(&collectionpb.Saved{Linked: l}) }

// TestLinkUpdates: what other systems are told, by what has happened.
func TestLinkUpdates(t *testing.T) {
	subfield := func(code, value string) *linkspb.Subfield { return &linkspb.Subfield{Code: code, Value: value} }
	newName := []*collectionpb.FieldText{
		{Field: "100", Authority: "a", Subfields: []*linkspb.Subfield{subfield("a", "New name"), subfield("q", "")}},
		{Field: "700", Authority: "a", Subfields: []*linkspb.Subfield{subfield("a", "New name"), subfield("q", ""), subfield("t", "")}},
	}
	for name, row := range map[string]struct {
		linked *collectionpb.Linked
		source string
		want   string // the updates, as JSON
	}{
		"the base URL of a source": {
			&collectionpb.Linked{Job: "j1", Relink: true, Source: names, Documents: []*collectionpb.LinkedDocument{
				document("d1", tableOfNames("a", "b"), uriOf("a", "100", 0), uriOf("b", "700", 1), uriOf("a", "700", 2)),
				document("d2", tableOfNames("a"), uriOf("a", "100", 0))}}, "names",
			`[{"authorityId":"a","type":"UPDATE","updateTargets":[{"field":"100","links":[{"linkId":0,"instanceId":"d1"},{"linkId":0,"instanceId":"d2"}]},` +
				`{"field":"700","links":[{"linkId":2,"instanceId":"d1"}]}],` +
				`"subfieldsChanges":[{"field":"100","subfields":[{"code":"0","value":"http://id.loc.gov/authorities/names/na"}]},` +
				`{"field":"700","subfields":[{"code":"0","value":"http://id.loc.gov/authorities/names/na"}]}]},` +
				`{"authorityId":"b","type":"UPDATE","updateTargets":[{"field":"700","links":[{"linkId":1,"instanceId":"d1"}]}],` +
				`"subfieldsChanges":[{"field":"700","subfields":[{"code":"0","value":"http://id.loc.gov/authorities/names/nb"}]}]}]`},
		"a heading, with the natural id": {
			&collectionpb.Linked{Job: "j2", Relink: true, Source: names, Authority: &linkspb.Authority{Id: "a", Source: "names", NaturalId: "na"}, Texts: newName,
				Documents: []*collectionpb.LinkedDocument{document("d1", tableOfNames("a"),
					&collectionpb.LinkEffect{Authority: "a", Field: "100", Uri: true, Text: true})}}, "names",
			`[{"authorityId":"a","type":"UPDATE","updateTargets":[{"field":"100","links":[{"linkId":0,"instanceId":"d1"}]}],` +
				`"subfieldsChanges":[{"field":"100","subfields":[{"code":"a","value":"New name"},{"code":"q","value":""},` +
				`{"code":"0","value":"http://id.loc.gov/authorities/names/na"}]}]}]`},
		"a heading alone: $0 is not told of": {
			&collectionpb.Linked{Relink: true, Source: names, Texts: newName, Documents: []*collectionpb.LinkedDocument{document("d1", tableOfNames("a"),
				&collectionpb.LinkEffect{Authority: "a", Field: "700", Number: 3, Text: true})}}, "names",
			`[{"authorityId":"a","type":"UPDATE","updateTargets":[{"field":"700","links":[{"linkId":3,"instanceId":"d1"}]}],` +
				`"subfieldsChanges":[{"field":"700","subfields":[{"code":"a","value":"New name"},{"code":"q","value":""},{"code":"t","value":""}]}]}]`},
		"a deleted authority": {
			&collectionpb.Linked{Job: "j3", Relink: true, Authority: &linkspb.Authority{Id: "a", Source: "names", NaturalId: "na", Deleted: true},
				Documents: []*collectionpb.LinkedDocument{document("d1", nil, &collectionpb.LinkEffect{Authority: "a", Field: "100", Unlinked: true})}}, "names",
			`[{"authorityId":"a","type":"DELETE","updateTargets":[{"field":"100","links":[{"linkId":0,"instanceId":"d1"}]}]}]`},
		"a link that ends with a last $0": {
			&collectionpb.Linked{Job: "j3", Relink: true, Source: names, Authority: &linkspb.Authority{Id: "a", Source: "names", NaturalId: "n9"},
				Documents: []*collectionpb.LinkedDocument{document("d1", nil,
					&collectionpb.LinkEffect{Authority: "a", Field: "100", Unlinked: true, Uri: true})}}, "names",
			`[{"authorityId":"a","type":"DELETE","updateTargets":[{"field":"100","links":[{"linkId":0,"instanceId":"d1"}]}],` +
				`"subfieldsChanges":[{"field":"100","subfields":[{"code":"0","value":"http://id.loc.gov/authorities/names/n9"}]}]}]`},
		"two natural ids of one authority, since a document is behind": {
			&collectionpb.Linked{Relink: true, Source: names, Documents: []*collectionpb.LinkedDocument{
				document("d1", tableOfNames("a"), uriOf("a", "100", 0)),
				document("d2", &linkspb.Table{Sources: []*linkspb.Source{names}, Entries: []*linkspb.Entry{{Authority: "a", NaturalId: "old", Source: 1}}},
					uriOf("a", "100", 0))}}, "names",
			`[{"authorityId":"a","type":"UPDATE","updateTargets":[{"field":"100","links":[{"linkId":0,"instanceId":"d1"}]}],` +
				`"subfieldsChanges":[{"field":"100","subfields":[{"code":"0","value":"http://id.loc.gov/authorities/names/na"}]}]},` +
				`{"authorityId":"a","type":"UPDATE","updateTargets":[{"field":"100","links":[{"linkId":0,"instanceId":"d2"}]}],` +
				`"subfieldsChanges":[{"field":"100","subfields":[{"code":"0","value":"http://id.loc.gov/authorities/names/old"}]}]}]`},
		"a JSON document, of an authority without source": {
			&collectionpb.Linked{Relink: true, Authority: &linkspb.Authority{Id: "a"},
				Texts: []*collectionpb.FieldText{{Authority: "a", Subfields: []*linkspb.Subfield{subfield("label", "New name")}}},
				Documents: []*collectionpb.LinkedDocument{document("d1", &linkspb.Table{Entries: []*linkspb.Entry{{Authority: "a", NaturalId: "x1"}}},
					&collectionpb.LinkEffect{Authority: "a", Uri: true, Text: true})}}, NoSource,
			`[{"authorityId":"a","type":"UPDATE","updateTargets":[{"field":"","links":[{"linkId":0,"instanceId":"d1"}]}],` +
				`"subfieldsChanges":[{"field":"","subfields":[{"code":"label","value":"New name"},{"code":"uri","value":"x1"}]}]}]`},
		"a user's write tells nothing": {
			&collectionpb.Linked{Documents: []*collectionpb.LinkedDocument{document("d1", tableOfNames("a"))}}, NoSource, ``},
		"a relink that has only taken note of a revision": {
			&collectionpb.Linked{Relink: true, Source: names, Documents: []*collectionpb.LinkedDocument{document("d1", tableOfNames("a"))}}, "names", ``},
		"no links at all": {nil, NoSource, ``},
	} {
		t.Run(name, func(t *testing.T) {
			source, messages, err := LinkUpdatesOf(payload(row.linked), linkedAt)
			if err != nil || source != row.source {
				t.Fatalf("source %q, %v; want %q", source, err, row.source)
			}
			if row.want == "" {
				if len(messages) != 0 {
					t.Fatalf("tells %+v", messages)
				}
				return
			}
			if len(messages) != 1 {
				t.Fatalf("%d messages", len(messages))
			}
			m := messages[0]
			if diff := cmp.Diff(row.want, text(t, m.Updates)); diff != "" {
				t.Errorf("updates (-want +got): %s", diff)
			}
			m.Updates = nil
			want := LinkUpdates{ID: "collection/main/jazz#12/links/1", JobID: row.linked.GetJob(), Tenant: "main", TS: "1711618800000",
				Collection: "jazz", Version: 9, Part: 1, Parts: 1}
			if diff := cmp.Diff(want, m); diff != "" {
				t.Errorf("message (-want +got): %s", diff)
			}
		})
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestLinkUpdatesTellEachLinkOnce: whatever an event has done to links, its messages tell of each of them once, of no other,
// and of at most 100 each; and a repetition is the same, byte by byte.
func TestLinkUpdatesTellEachLinkOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		linked := &collectionpb.Linked{Relink: true, Source: names}
		want := map[string]bool{}
		authorities := []string{"a", "b", "c"}
		for d := range rapid.IntRange(0, 200).Draw(t, "documents") {
			doc := document(fmt.Sprintf("d%03d", d), tableOfNames(authorities...))
			for n := range rapid.IntRange(0, 3).Draw(t, "effects") {
				e := &collectionpb.LinkEffect{Authority: rapid.SampledFrom(authorities).Draw(t, "authority"),
					Field: rapid.SampledFrom([]string{"100", "700", ""}).Draw(t, "field"), Number: uint32(n),
					Uri: rapid.Bool().Draw(t, "uri"), Text: rapid.Bool().Draw(t, "text"), Unlinked: rapid.Bool().Draw(t, "unlinked")}
				doc.Effects = append(doc.Effects, e)
				want[fmt.Sprint(doc.Id, e.Number, e.Authority, e.Field, e.Unlinked)] = true
			}
			linked.Documents = append(linked.Documents, doc)
		}
		_, messages, err := LinkUpdatesOf(payload(linked), linkedAt)
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		for i, m := range messages {
			if m.Part != i+1 || m.Parts != len(messages) || m.ID != fmt.Sprintf("collection/main/jazz#12/links/%d", i+1) {
				t.Fatalf("message %d is %s, part %d of %d", i, m.ID, m.Part, m.Parts)
			}
			before := told
			for _, u := range m.Updates {
				for _, target := range u.UpdateTargets {
					for _, l := range target.Links {
						told++
						if key := fmt.Sprint(l.InstanceID, l.LinkID, u.AuthorityID, target.Field, u.Type == LinkDeleted); !want[key] {
							t.Fatalf("tells of %s", key)
						}
					}
				}
			}
			if n := told - before; n == 0 || n > LinkUpdatesMaxLinks || i < len(messages)-1 && n < LinkUpdatesMaxLinks {
				t.Fatalf("message %d of %d has %d links", i, len(messages), n)
			}
		}
		if told != len(want) {
			t.Fatalf("tells of %d links, want %d", told, len(want))
		}
		_, again, err := LinkUpdatesOf(payload(linked), linkedAt)
		if diff := cmp.Diff(messages, again); diff != "" || err != nil {
			t.Fatalf("a repetition differs: %s %v", diff, err)
		}
	})
}

// TestLinkUpdatesCostNothingWithout: most events have no links, and are not decoded for that.
func TestLinkUpdatesCostNothingWithout(t *testing.T) {
	plain := marshal(&collectionpb.Saved{State: &collectionpb.State{Format: "marc", Documents: 1000}, Blame: make([]*collectionpb.Member, 0)})
	users := payload(&collectionpb.Linked{Documents: []*collectionpb.LinkedDocument{document("d1", tableOfNames("a"))}})
	for _, p := range [][]byte{plain, users, nil} {
		if n := testing.AllocsPerRun(100, func() {
			if HasLinkUpdates(p) {
				t.Error("has link updates")
			}
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	}
}

// FuzzLinkUpdates: no payload makes it panic, and the quick look never overlooks what there is.
func FuzzLinkUpdates(f *testing.F) {
	f.Add(payload(&collectionpb.Linked{Relink: true, Source: names, Documents: []*collectionpb.LinkedDocument{
		document("d1", tableOfNames("a"), uriOf("a", "100", 0))}}))
	f.Add([]byte{0x2a, 0x02, 0x18, 0x01})
	f.Fuzz(func(t *testing.T, p []byte) {
		_, messages, err := LinkUpdatesOf(p, linkedAt)
		if err != nil || len(messages) > 0 {
			return
		}
		var saved collectionpb.Saved
		if proto.Unmarshal(p, &saved) != nil || !saved.GetLinked().GetRelink() || len(saved.ProtoReflect().GetUnknown()) > 0 {
			return
		}
		if twice := marshal(&saved); HasLinkUpdates(twice) != HasLinkUpdates(p) {
			t.Skip("a member that stands twice: nobody writes that")
		}
		for _, d := range saved.GetLinked().GetDocuments() {
			if len(d.GetEffects()) > 0 {
				t.Errorf("tells nothing of %v", saved.GetLinked())
			}
		}
	})
}
