package faults

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestCorrections leaves documents with an old base URL behind, by a job that was cancelled. Whoever adds a link to such a
// document finds all of it right a moment later, without a job; behind a lock, and after a kill, once the lock is gone.
func TestCorrections(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	c, _ := madeCatalogue(t, p, 7)
	tokens := c.lockedBy(ann, lockLongSeconds, "made-1", "made-2")
	id := c.setURL("names", "http://corrected.example.org/")
	c.await(id, "waits", func(j job) bool { return j.WaitingForLocks == 2 && j.Done == j.Collections-2 })
	c.must(call{op: "propagation.cancel", id: id})
	c.end(id)
	c.model.sources["names"] = "http://corrected.example.org/"
	c.release("made-1", ann, tokens["made-1"])

	c.addLink("made-1", "d0", "")
	c.right("made-1", "d0")
	c.addLink("made-2", "d0", tokens["made-2"])
	p.kill()
	p.start()
	if k := c.read("made-2"); k.version != c.versions["made-2"] {
		t.Errorf("made-2, which is locked, is at version %d, want %d", k.version, c.versions["made-2"])
	}
	c.release("made-2", ann, tokens["made-2"])
	c.right("made-2", "d0")
	for _, id := range []string{"made-1", "made-2"} {
		if by := c.writersSince(id); by[correctionID] == 0 || len(by) != 1 {
			t.Errorf("%s has new versions by %v, want corrections alone", id, by)
		}
	}
	p.stop()
	checkStore(t, p)
}

// addLink adds a linked field to a record, under a lock if there is a token.
func (c *catalogue) addLink(collection, document, token string) {
	c.t.Helper()
	k := c.read(collection)
	d, err := cutMARC(k.documents[document])
	if err != nil {
		c.t.Fatal(err)
	}
	d.fields = append(d.fields, dumbField{raw: `{"700":{"ind1":"1","ind2":" ","subfields":[{"a":"Added"},{"9":"names:n1"}]}}`})
	d.between = slices.Insert(d.between, len(d.between)-1, ",")
	c.must(call{op: "document.put", id: collection, inner: document, by: ann, token: token,
		raw: fmt.Appendf(nil, `{"baseVersion":%d,"value":%s}`, k.versions[document], joined(d))})
	c.versions[collection]++
}

// right waits until every link of a record has the $0 that it should have.
func (c *catalogue) right(collection, document string) {
	c.t.Helper()
	wrong := ""
	for until := time.Now().Add(settleMaxWait); time.Now().Before(until); waitALittle() {
		d, err := cutMARC(c.read(collection).documents[document])
		if err != nil {
			c.t.Fatal(err)
		}
		wrong = ""
		for _, i := range d.links() {
			if f := &d.fields[i]; f.sub("0") != c.model.uri(f.authority()) {
				wrong = f.raw
			}
		}
		if wrong == "" {
			return
		}
	}
	c.t.Errorf("%s, %s: %s is never corrected", collection, document, wrong)
}
