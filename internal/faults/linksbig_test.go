package faults

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// linkedDocuments is how many linked documents the large collection has: a few more than fit a version in `make check`,
// 100,000 in `make torture`.
func linkedDocuments() int { return count("CONCORD_LINKED_DOCUMENTS", 10_050) }

// TestOneLargeCollection has the links of one collection with very many documents follow, and kills the process meanwhile:
// the job makes as many versions as are needed, and not one more.
func TestOneLargeCollection(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	c := newCatalogue(t, p)
	c.source("names", "n", madeURLs["names"])
	c.model.sources["names"] = madeURLs["names"]
	a := dumbAuthority{source: "names", naturalID: "n1", heading: dumbHeading{"100", []dumbSub{{"a", "Emma"}}}}
	c.put("names:n1", a)
	c.model.authorities["names:n1"] = &a
	documents := map[string][]byte{}
	for n := range linkedDocuments() {
		documents[fmt.Sprintf("d%06d", n)] = fmt.Appendf(nil, `{"n": %d, "who":{"authorityId":"names:n1","label":"Emma","uri":%s}}`, n, quoted(c.model.uri("names:n1")))
	}
	c.load("large", "json", documents)
	c.adopt()
	for n := range 2 {
		url := fmt.Sprintf("http://large.example.org/%d/", n)
		id, r := c.setURL("names", url), c.model.setURL("names", url)
		<-time.After(time.Duration(20+100*n) * time.Millisecond) // the moment of the fault
		p.kill()
		p.start()
		j := c.settled(id, r)
		c.check("a large collection")
		t.Logf("%d documents in %d versions, %+v", linkedDocuments(), dumbVersions(linkedDocuments()), j.Counts)
	}
	c.auditAll()
	p.stop()
	checkStore(t, p)
}

const documentMaxBytes = 512 << 10

// TestOneBadRecordStopsNothing has a document that the new heading makes too large: it fails, with its cause, and all others
// follow. Once there is room in it, a retry brings it up to date.
func TestOneBadRecordStopsNothing(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	c, _ := madeCatalogue(t, p, 6)
	const id = "names:n5"
	link := fmt.Sprintf(`"who":{"authorityId":%s,"label":%s,"uri":%s}`, quoted(id), quoted(c.model.authorities[id].heading.label()), quoted(c.model.uri(id)))
	full := func(bytes int) []byte {
		return fmt.Appendf(nil, `{%s,"filling":%q}`, link, strings.Repeat("x", bytes-len(link)-len(`{,"filling":""}`)))
	}
	c.load("full", "json", map[string][]byte{"bad": full(documentMaxBytes - 3), "good": full(1000)})
	c.adopt()
	to := *c.model.authorities[id]
	to.heading.subs = []dumbSub{{"a", "A heading that is longer than the one before it, by more than what there is room for"}}
	job := c.put(id, to)
	r := c.model.change(id, to)
	j := c.end(job)
	if j.State != "COMPLETED_WITH_ERRORS" || j.Counts["failed"] != 1 || j.Counts["updated"]+j.Counts["unchanged"] != uint64(r.links-1) {
		t.Fatalf("%+v, want one link of %d to fail", j, r.links)
	}
	items, _ := c.must(call{op: "propagation.items", id: job}).body["items"].([]any)
	item, _ := items[0].(map[string]any)
	if len(items) != 1 || item["collection"] != "full" || item["document"] != "bad" || item["authority"] != id || item["cause"] == "" {
		t.Errorf("%v, want the bad document, and why", items)
	}
	c.madeBy(map[string]reached{job: r})
	bad := c.model.documents["full"]["bad"].(*dumbJSON)
	want := *bad
	*bad = dumbJSON{raw: string(full(documentMaxBytes - 3))}
	c.check("one bad record")
	// Its user makes room, and leaves the link as it is.
	value := full(documentMaxBytes - 5000)
	k := c.read("full")
	c.must(call{op: "document.put", id: "full", inner: "bad", raw: []byte(`{"baseVersion":` + strconv.FormatUint(k.versions["bad"], 10) + `,"value":` + string(value) + `}`)})
	c.must(call{op: "propagation.retry", id: job})
	j = c.end(job)
	if j.State != "COMPLETED" || j.Counts["failed"] != 0 || j.Counts["updated"]+j.Counts["unchanged"] != uint64(r.links) {
		t.Errorf("%+v, want all well after a retry", j)
	}
	var got, wanted struct{ Who json.RawMessage }
	if err := json.Unmarshal(c.read("full").documents["bad"], &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want.raw), &wanted); err != nil || string(got.Who) != string(wanted.Who) {
		t.Errorf("the link of the bad document is %s, want %s (%v)", got.Who, wanted.Who, err)
	}
	for _, source := range []string{"names", "subjects"} {
		if j := c.audit("source", source); j.Counts["updated"] != 0 {
			t.Errorf("an audit of %s: %+v", source, j)
		}
	}
}
