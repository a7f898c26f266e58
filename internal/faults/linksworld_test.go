package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"concord/transport"
)

// catalogue is a running service with authorities and linked documents, and the model of what it should hold.
type catalogue struct {
	t     *testing.T
	p     *process
	d     *httpDoor
	model *dumbWorld

	versions map[string]uint64 // of the collections, as they should be
	relinked map[string]uint64 // the newest that a job has made
	called   map[string]string // authorities by the headings of a file
	keys     int
}

func newCatalogue(t *testing.T, p *process) *catalogue {
	return &catalogue{t: t, p: p, d: newHTTPDoor(p.httpAddress), versions: map[string]uint64{}, relinked: map[string]uint64{}, called: map[string]string{},
		model: &dumbWorld{sources: map[string]string{}, authorities: map[string]*dumbAuthority{}, documents: map[string]map[string]dumbDocument{}}}
}

const catalogueMaxTries = 3000

// insist repeats a call with its key until there is an answer: the process may be away.
func (c *catalogue) insist(one call) reply {
	c.t.Helper()
	c.keys++
	one.header = maps.Clone(one.header)
	if one.header == nil {
		one.header = map[string]string{}
	}
	if !strings.HasSuffix(one.op, ".get") && !strings.HasSuffix(one.op, ".list") && !strings.HasSuffix(one.op, ".items") && !strings.HasSuffix(one.op, ".history") {
		one.header[transport.HeaderIdempotencyKey] = "k" + strconv.Itoa(c.keys) + "-" + c.t.Name()
	}
	var r reply
	var err error
	for range catalogueMaxTries {
		r, err = c.d.do(one)
		if err == nil && r.code != "unavailable" && r.code != "overloaded" {
			return r
		}
		waitALittle()
	}
	c.t.Fatalf("no answer to %s %s: %v %s", one.op, one.id, err, r.text)
	return r
}

// must is insist, and the answer must be no refusal.
func (c *catalogue) must(one call) reply {
	c.t.Helper()
	r := c.insist(one)
	if r.code != "" {
		c.t.Fatalf("%s %s %s: %s", one.op, one.id, one.inner, r.text)
	}
	return r
}

// source makes a source, or gives it another base URL; it returns the job, if there is one.
func (c *catalogue) source(id, code, url string) (job string) {
	c.t.Helper()
	r := c.must(call{op: "source.put", id: id, body: map[string]any{"name": "The " + id, "codes": []string{code}, "baseUrl": url}})
	return jobIn(r)
}

func jobIn(r reply) string {
	job, _ := r.body["propagation"].(string)
	return job
}

// setURL changes a base URL.
func (c *catalogue) setURL(source, url string) (job string) {
	c.t.Helper()
	return jobIn(c.must(call{op: "source.patch", id: source, body: map[string]any{"baseUrl": url}}))
}

// put writes an authority as it should be.
func (c *catalogue) put(id string, a dumbAuthority) (job string) {
	c.t.Helper()
	if a.deleted {
		return jobIn(c.must(call{op: "authority.delete", inner: id}))
	}
	return jobIn(c.must(call{op: "authority.put", inner: id, body: map[string]any{"source": a.source, "naturalId": a.naturalID, "record": a.record()}}))
}

// record is the MARC record of an authority.
func (a dumbAuthority) record() map[string]any {
	var subs []map[string]string
	for _, s := range a.heading.subs {
		subs = append(subs, map[string]string{s.code: s.text})
	}
	return map[string]any{"leader": "00000nz  a2200000n  4500", "fields": []any{map[string]any{"001": a.naturalID},
		map[string]any{a.heading.tag: map[string]any{"ind1": " ", "ind2": " ", "subfields": subs}}}}
}

const loadMaxDocuments = 500 // of one version

// load writes documents into a collection, a bounded number in a version, and has the model know them as they come back.
func (c *catalogue) load(collection, format string, documents map[string][]byte) {
	c.t.Helper()
	c.must(call{op: "collection.put", id: collection, body: map[string]any{"format": format}})
	var body bytes.Buffer
	count := 0
	send := func() {
		if count > 0 {
			c.must(call{op: "collection.patch", id: collection, raw: fmt.Appendf(nil, `{"changes":[%s]}`, body.Bytes())})
		}
		body.Reset()
		count = 0
	}
	for _, id := range slices.Sorted(maps.Keys(documents)) {
		if count == loadMaxDocuments || body.Len()+len(documents[id]) > importMaxBytes {
			send()
		}
		if count++; count > 1 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"op":"put-document","id":%s,"value":%s}`, quoted(id), documents[id])
	}
	send()
}

// kept is a collection as it is read.
type kept struct {
	version   uint64
	format    string
	documents map[string][]byte
	versions  map[string]uint64 // that last wrote each document
}

// read is a whole collection, all pages.
func (c *catalogue) read(collection string) kept {
	c.t.Helper()
	k := kept{documents: map[string][]byte{}, versions: map[string]uint64{}}
	for cursor, more := "", true; more; more = cursor != "" {
		query := map[string]string{}
		if cursor != "" {
			query["cursor"] = cursor
		}
		r := c.must(call{op: "collection.get", id: collection, query: query})
		var page struct {
			Version          uint64
			Format           string
			Documents        map[string]json.RawMessage
			DocumentVersions map[string]uint64
			Next             string
		}
		if err := json.Unmarshal(r.text, &page); err != nil {
			c.t.Fatal(err)
		}
		if k.version != 0 && page.Version != k.version {
			c.t.Fatalf("%s: a page of version %d among those of %d", collection, page.Version, k.version)
		}
		k.version, k.format, cursor = page.Version, page.Format, page.Next
		for id, text := range page.Documents {
			k.documents[id] = text
		}
		maps.Copy(k.versions, page.DocumentVersions)
	}
	return k
}

// export is everything that there is.
func (c *catalogue) export() map[string]kept {
	c.t.Helper()
	all := map[string]kept{}
	for cursor, more := "", true; more; more = cursor != "" {
		query := map[string]string{"limit": "1000"}
		if cursor != "" {
			query["cursor"] = cursor
		}
		r := c.must(call{op: "collection.list", query: query})
		items, _ := r.body["items"].([]any)
		for _, item := range items {
			one, _ := item.(map[string]any)
			id, _ := one["id"].(string)
			all[id] = c.read(id)
		}
		cursor, _ = r.body["next"].(string)
	}
	return all
}

// adopt has the model take everything as it is.
func (c *catalogue) adopt() {
	c.t.Helper()
	for id, k := range c.export() {
		c.versions[id] = k.version
		documents := map[string]dumbDocument{}
		for name, body := range k.documents {
			documents[name] = &dumbJSON{raw: string(body)}
			if k.format == "marc" {
				d, err := cutMARC(body)
				if err != nil {
					c.t.Fatalf("%s, %s: %v", id, name, err)
				}
				documents[name] = d
			}
		}
		c.model.documents[id] = documents
	}
}

const differencesMax = 10 // that are told

// check compares everything with the model, byte by byte but for fields that were written anew, and the versions of the
// collections with what they should be.
func (c *catalogue) check(what string) {
	c.t.Helper()
	told := 0
	differ := func(format string, args ...any) {
		if told++; told <= differencesMax {
			c.t.Errorf(what+": "+format, args...)
		}
	}
	all := c.export()
	for id, documents := range c.model.documents {
		k := all[id]
		if k.version != c.versions[id] {
			differ("%s is at version %d, want %d", id, k.version, c.versions[id])
		}
		if len(k.documents) != len(documents) {
			differ("%s has %d documents, want %d", id, len(k.documents), len(documents))
		}
		for name, d := range documents {
			if err := d.same(k.documents[name]); err != nil {
				differ("%s, %s: %v", id, name, err)
			}
		}
	}
	if told > differencesMax {
		c.t.Errorf("%s: %d differences more", what, told-differencesMax)
	}
}

// job is a propagation as it is read.
type job struct {
	Propagation string
	State       string
	Cause       struct {
		Action   string
		Revision uint64
	}
	Total           uint64
	Counts          map[string]uint64
	Documents       uint64
	Collections     uint64
	Done            uint64
	WaitingForLocks uint64
	SupersededBy    string
	Message         string
}

func (j *job) ended() bool {
	return slices.Contains([]string{"COMPLETED", "COMPLETED_WITH_ERRORS", "CANCELLED", "SUPERSEDED", "FAILED"}, j.State)
}

// job reads a job. Its total is the sum of its counts, at every read.
func (c *catalogue) job(id string) job {
	c.t.Helper()
	r := c.must(call{op: "propagation.get", id: id})
	var j job
	if err := json.Unmarshal(r.text, &j); err != nil {
		c.t.Fatal(err)
	}
	sum := uint64(0)
	for _, n := range j.Counts {
		sum += n
	}
	if sum != j.Total || len(j.Counts) != 6 {
		c.t.Errorf("a job that does not add up: %s", r.text)
	}
	if j.ended() && j.Counts["pending"] != 0 {
		c.t.Errorf("a job that has ended, but goes on: %s", r.text)
	}
	return j
}

const (
	jobMaxWait = 60 * time.Second
	jobPause   = 5 * time.Millisecond
)

// await reads a job until it is as it should be.
func (c *catalogue) await(id, what string, is func(job) bool) job {
	c.t.Helper()
	var j job
	for until := time.Now().Add(jobMaxWait); time.Now().Before(until); {
		if j = c.job(id); is(j) {
			return j
		}
		<-time.After(jobPause)
	}
	c.t.Fatalf("job %s never %s: %+v", id, what, j)
	return j
}

// end waits until a job has ended.
func (c *catalogue) end(id string) job {
	c.t.Helper()
	return c.await(id, "ends", func(j job) bool { return j.ended() })
}

// judge looks at the counts of a job that has ended. Where links were corrected meanwhile, the job has found them right.
func (c *catalogue) judge(j job, r reached, corrections int) {
	c.t.Helper()
	all := j.Counts["updated"] == j.Total && j.Documents == r.documents()
	if corrections > 0 {
		all = j.Counts["updated"]+j.Counts["unchanged"] == j.Total
	}
	if j.State != "COMPLETED" || j.Total != uint64(r.links) || !all || j.Collections != uint64(len(r.collections)) || j.Done != j.Collections {
		c.t.Errorf("%+v, want %d links in %d documents of %d collections, all updated", j, r.links, r.documents(), len(r.collections))
	}
}

// correctionID is what the requests of the service's own corrections are called.
const correctionID = "link-correction"

// settled is end, and all has gone well: each link was counted once, and each collection has the versions that it should have.
// The service looks again at what was written shortly before a change or a crash, and may have corrected some of it before
// the job came to it: that is another version, and a link that the job finds right.
func (c *catalogue) settled(id string, r reached) job {
	c.t.Helper()
	j := c.end(id)
	c.judge(j, r, c.madeBy(map[string]reached{id: r}))
	return j
}

// madeBy looks at who made the new versions of all collections. Each job that has reached a collection has made as many as it
// should, or fewer where links were corrected, and nobody else has made any. It returns how many are corrections.
func (c *catalogue) madeBy(jobs map[string]reached) (corrections int) {
	c.t.Helper()
	for collection := range c.versions {
		by := c.writersSince(collection)
		corrected := by[correctionID]
		delete(by, correctionID)
		c.versions[collection] += corrected
		corrections += int(corrected)
		for id, r := range jobs {
			want := dumbVersions(r.collections[collection])
			if by[id] > want || by[id] < want && corrected == 0 {
				c.t.Errorf("%s has %d new versions by job %s, want %d", collection, by[id], id, want)
			}
			c.versions[collection] += by[id]
			delete(by, id)
			if want > 0 {
				c.relinked[collection] = c.versions[collection]
			}
		}
		if len(by) > 0 {
			c.t.Errorf("%s has new versions by %v", collection, by)
		}
	}
	return corrections
}

// writersSince counts the versions of a collection that are newer than what is known, by the ids of the requests that made
// them: the job, for those of a job.
func (c *catalogue) writersSince(collection string) map[string]uint64 {
	c.t.Helper()
	by := map[string]uint64{}
	for cursor, more := "", true; more; more = cursor != "" {
		query := map[string]string{"limit": "100"}
		if cursor != "" {
			query["cursor"] = cursor
		}
		page := c.must(call{op: "collection.history", id: collection, query: query})
		items, _ := page.body["items"].([]any)
		for _, item := range items {
			one, _ := item.(map[string]any)
			if number(one["version"]) <= c.versions[collection] {
				return by
			}
			request, _ := one["requestId"].(string)
			by[request]++
		}
		cursor, _ = page.body["next"].(string)
	}
	return by
}

// audit has the service hold everything against what it should be; how many links it repaired.
func (c *catalogue) audit(member, id string) job {
	c.t.Helper()
	r := c.must(call{op: "link.audit", body: map[string]any{member: id}})
	return c.end(jobIn(r))
}

// auditAll checks that an audit finds nothing wrong in any source.
func (c *catalogue) auditAll() {
	c.t.Helper()
	for _, source := range slices.Sorted(maps.Keys(c.model.sources)) {
		links := uint64(0)
		for _, documents := range c.model.documents {
			for _, d := range documents {
				for _, id := range d.authorities() {
					if a := c.model.authorities[id]; a != nil && a.source == source {
						links++
					}
				}
			}
		}
		j := c.audit("source", source)
		if j.State != "COMPLETED" || j.Counts["updated"] != 0 || j.Counts["unchanged"] != links || j.Total != links {
			c.t.Errorf("an audit of %s, which has %d links, found %+v", source, links, j)
		}
	}
}
