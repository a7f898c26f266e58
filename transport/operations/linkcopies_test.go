package operations

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/links"
	"concord/persistence"
	"concord/transport/api"
)

// copies are records as another system has them: it knows nothing of Concord but what the messages on links say.
type copies map[string]map[string]any

func (c copies) keep(t *testing.T, id, text string) {
	t.Helper()
	var record map[string]any
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		t.Fatal(err)
	}
	c[id] = record
}

// message is what the other system reads of one.
type message struct {
	Updates []struct {
		AuthorityID   string
		Type          string
		UpdateTargets []struct {
			Field string
			Links []struct{ InstanceID string }
		}
		SubfieldsChanges []struct {
			Field     string
			Subfields []struct{ Code, Value string }
		}
	}
}

func (c copies) apply(t *testing.T, text []byte) {
	t.Helper()
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	for _, u := range m.Updates {
		changes := map[string][][2]string{}
		for _, s := range u.SubfieldsChanges {
			for _, one := range s.Subfields {
				changes[s.Field] = append(changes[s.Field], [2]string{one.Code, one.Value})
			}
		}
		if u.Type == "DELETE" {
			for _, target := range u.UpdateTargets {
				changes[target.Field] = append(changes[target.Field], [2]string{"9", ""})
			}
		}
		for _, target := range u.UpdateTargets {
			for _, l := range target.Links {
				c.change(t, l.InstanceID, target.Field, u.AuthorityID, changes[target.Field])
			}
		}
	}
}

// change sets subfields of the linked fields of one record.
func (c copies) change(t *testing.T, id, tag, authority string, changes [][2]string) {
	t.Helper()
	for _, f := range c[id]["fields"].([]any) {
		field, ok := f.(map[string]any)[tag].(map[string]any)
		if !ok || !slices.ContainsFunc(field["subfields"].([]any), func(s any) bool { return s.(map[string]any)["9"] == authority }) {
			continue
		}
		field["subfields"] = changed(field["subfields"].([]any), changes)
	}
}

// changed is the list with the changes: in place if there is one code alone, else in the order of FOLIO's fields.
func changed(subfields []any, changes [][2]string) []any {
	codes := map[string]bool{}
	for _, ch := range changes {
		codes[ch[0]] = true
	}
	if len(changes) == 1 {
		at := slices.IndexFunc(subfields, func(s any) bool { _, ok := s.(map[string]any)[changes[0][0]]; return ok })
		if changes[0][1] == "" {
			return slices.Delete(slices.Clone(subfields), at, at+1)
		}
		subfields[at] = map[string]any{changes[0][0]: changes[0][1]}
		return subfields
	}
	groups := map[string][]any{}
	group := func(code string) string {
		switch {
		case code == "0" || code == "9":
			return code
		case code >= "a":
			return "letters"
		}
		return "digits"
	}
	for _, ch := range changes {
		if ch[1] != "" {
			groups[group(ch[0])] = append(groups[group(ch[0])], map[string]any{ch[0]: ch[1]})
		}
	}
	for _, s := range subfields {
		for code := range s.(map[string]any) {
			if !codes[code] {
				groups[group(code)] = append(groups[group(code)], s)
			}
		}
	}
	return slices.Concat(groups["letters"], groups["0"], groups["9"], groups["digits"])
}

// follow applies what the collection's events after the seq tell, and returns the last seq and how many messages there were.
func (c copies) follow(b *bench, id persistence.EntityID, after uint64) (seq uint64, messages int) {
	b.t.Helper()
	seq = after
	for rec, err := range b.store.Records(id, after) {
		if err != nil {
			b.t.Fatal(err)
		}
		seq = rec.GetSeq()
		_, updates, err := collection.LinkUpdatesOf(rec.GetPayload(), entity.Stamp{Entity: id, Seq: seq, Version: rec.GetVersion(),
			Time: persistence.TimeOf(rec.GetTime())})
		if err != nil {
			b.t.Fatal(err)
		}
		for i := range updates {
			text, err := json.Marshal(updates[i])
			if err != nil {
				b.t.Fatal(err)
			}
			c.apply(b.t.(*testing.T), text)
			messages++
		}
	}
	return seq, messages
}

// TestCopiesFollow: who keeps a copy of the real records, and applies the messages on links to it, has the same records after
// each kind of change.
func TestCopiesFollow(t *testing.T) {
	b := start(t, vfs.NewMem())
	uses, records := b.jazz(t)
	must[api.AutoLinked](b, "link.auto", "", `{"collection":"jazz"}`)
	id := persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: "jazz"}
	ids := slices.Sorted(maps.Keys(records))
	c := copies{}
	for _, d := range ids {
		c.keep(t, d, b.document("jazz", d))
	}
	seq, _ := c.follow(b, id, 0)

	byUse := slices.SortedFunc(maps.Keys(uses), func(x, y string) int { return uses[y] - uses[x] })
	authority := func(n int, change func(*links.Authority)) *collection.Relink {
		one := must[api.Authority](b, "authority.get", "", "", inDocument(byUse[n]))
		heading, p := links.HeadingOf(one.Record, "")
		if p != nil {
			t.Fatal(p)
		}
		a := &links.Authority{ID: one.ID, Source: one.Source, NaturalID: one.NaturalID, Heading: heading, Revision: one.Revision + 1}
		change(a)
		source := &links.Source{ID: a.Source, BaseURL: "http://id.loc.gov/authorities/" + a.Source + "/", Revision: 1}
		if a.Source == "names" {
			source = &links.Source{ID: "names", BaseURL: "https://names.example/?id=", Revision: 2}
		}
		return &collection.Relink{Authority: a, Source: source}
	}
	heading := func(code, text string) func(*links.Authority) {
		return func(a *links.Authority) {
			record := fmt.Sprintf(`{"fields":[{"%s":{"ind1":" ","ind2":" ","subfields":[{"a":"New, Name"},{"%s":"%s"}]}}]}`, a.Heading.Tag, code, text)
			h, p := links.HeadingOf([]byte(record), "")
			if p != nil {
				t.Fatal(p)
			}
			a.Heading, a.HeadingAt = h, a.Revision
		}
	}
	for _, row := range []struct {
		name   string
		relink *collection.Relink
		links  int // that change
	}{
		{"a base URL", &collection.Relink{Source: &links.Source{ID: "names", BaseURL: "https://names.example/?id=", Revision: 2}}, -1},
		{"a heading", authority(0, heading("g", "also")), uses[byUse[0]]},
		{"a heading and the natural id", authority(1, func(a *links.Authority) { heading("b", "more")(a); a.NaturalID = "x1" }), uses[byUse[1]]},
		{"a natural id", authority(2, func(a *links.Authority) { a.NaturalID = "x2" }), uses[byUse[2]]},
		{"another source", authority(3, func(a *links.Authority) { a.Source = "local" }), uses[byUse[3]]},
		{"another type of heading", authority(4, func(a *links.Authority) { a.Heading.Tag, a.UnlinkedAt = "130", a.Revision }), uses[byUse[4]]},
		{"a deletion", authority(5, func(a *links.Authority) { a.Deleted, a.UnlinkedAt = true, a.Revision }), uses[byUse[5]]},
	} {
		row.relink.Job, row.relink.Documents = "j", ids
		did, err := b.relink("jazz", row.relink)
		if err != nil || did.Failed != 0 || row.links >= 0 && int(did.Updated) != row.links || did.Updated == 0 {
			t.Fatalf("%s: %+v, %v; want %d links", row.name, did, err, row.links)
		}
		var messages int
		if seq, messages = c.follow(b, id, seq); messages != (int(did.Updated)+99)/100 {
			t.Errorf("%s: %d messages for %d links", row.name, messages, did.Updated)
		}
		for _, d := range ids {
			was := c[d]
			c.keep(t, d, b.document("jazz", d))
			if !reflect.DeepEqual(c[d], was) {
				t.Fatalf("%s: %s (-record +copy): %s", row.name, d, cmp.Diff(c[d], was))
			}
		}
	}
}
