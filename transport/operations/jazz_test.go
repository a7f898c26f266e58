package operations

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"concord/internal/realdata"
	"concord/transport/api"
)

type jazzAuthority struct {
	Source    string          `json:"source"`
	NaturalID string          `json:"naturalId"`
	Uses      int             `json:"uses"`
	Record    json.RawMessage `json:"record"`
}

type jazzRecord struct {
	ID     string          `json:"id"`
	Record json.RawMessage `json:"record"`
}

// jazz imports the real records and the authorities that were made of them, and returns how often each is used.
func (b *bench) jazz(t *testing.T) (uses map[string]int, records map[string]string) {
	t.Helper()
	uses, records = map[string]int{}, map[string]string{}
	must[any](b, "source.put", "names", `{"name":"Names","codes":["jzn"],"baseUrl":"http://id.loc.gov/authorities/names/"}`)
	must[any](b, "source.put", "subjects", `{"name":"Subjects","codes":["jzs"],"baseUrl":"http://id.loc.gov/authorities/subjects/"}`)
	var items []api.AuthorityItem
	for _, a := range realdata.Decode[jazzAuthority](t, "jazz-authorities.jsonl") {
		uses[a.Source+":"+a.NaturalID] = a.Uses
		items = append(items, api.AuthorityItem{Source: a.Source, NaturalID: a.NaturalID, Record: a.Record})
	}
	body, err := json.Marshal(api.ImportRequest{Items: items})
	if err != nil {
		t.Fatal(err)
	}
	if in := must[api.Imported](b, "authority.import", "", string(body)); in.Created != len(items) {
		t.Fatalf("imported %+v", in)
	}
	var documents []string
	for _, r := range realdata.Decode[jazzRecord](t, "jazz-bibs.jsonl") {
		records[r.ID] = compact(r.Record)
		documents = append(documents, fmt.Sprintf("%q:%s", r.ID, r.Record))
	}
	must[any](b, "collection.put", "jazz", `{"format":"marc","documents":{`+strings.Join(documents, ",")+`}}`)
	return uses, records
}

// given is what link.auto adds to a field: the id of an authority, and its URI.
var given = regexp.MustCompile(`,\{"0":"http://id\.loc\.gov/authorities/(\w+)/(\w+)"\},\{"9":"(\w+):(\w+)"\}`)

// TestJazzIsLinked: each field of the real records that shows the heading of an authority is linked to it, and nothing else
// in them has changed.
func TestJazzIsLinked(t *testing.T) {
	b := start(t, vfs.NewMem())
	uses, records := b.jazz(t)
	got := must[api.AutoLinked](b, "link.auto", "", `{"collection":"jazz"}`)
	want := api.AutoLinked{Collection: "jazz", Documents: 999, Changed: 999, Linked: 4318, None: 240, Versions: []uint64{2}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got): %s", diff)
	}
	linked := map[string]int{}
	options := []option{param("collection", "jazz"), param("limit", "1000")}
	for next := "-"; next != ""; options = append(options[:2:2], param("cursor", next)) {
		page := must[api.LinkPage](b, "link.list", "", "", options...)
		for _, l := range page.Items {
			linked[l.Authority] += len(l.Fields)
		}
		next = page.Next
	}
	if diff := cmp.Diff(uses, linked); diff != "" {
		t.Errorf("uses of authorities (-want +got): %s", diff)
	}
	for id, record := range records {
		now := b.document("jazz", id)
		for _, link := range given.FindAllStringSubmatch(now, -1) {
			if link[1] != link[3] || link[2] != link[4] {
				t.Errorf("%s: a link is %s", id, link[0])
			}
		}
		if now = given.ReplaceAllString(now, ""); now != record {
			t.Fatalf("%s is %s, was %s", id, now, record)
		}
	}
}
