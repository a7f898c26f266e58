package entity_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"concord/actors/collection"
	"concord/persistence"
)

// A look back finds every document as it was, wherever its contents stand: in the record of the version, in an older one, or, if
// the version was large, beside it. The histories are longer than what is looked up version by version.
func TestLookBack(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inBubble(t, func(n *node) {
				h := lookBack{node: n, id: collectionID("c"), random: rand.New(rand.NewPCG(seed, 1))}
				for range 15 {
					h.write()
				}
				for range 15 {
					h.revert(h.random.Uint64N(uint64(len(h.versions))) + 1)
				}
			})
		})
	}
}

// lookBack is a collection, and beside it full copies of its versions.
type lookBack struct {
	*node
	id       persistence.EntityID
	random   *rand.Rand
	versions []map[string]string // documents, from version 1 on
}

// write puts some documents, one of them large sometimes, and removes some, all in one version.
func (h *lookBack) write() {
	h.t.Helper()
	next := make(map[string]string)
	if len(h.versions) > 0 {
		next = maps.Clone(h.versions[len(h.versions)-1])
	}
	w := &collection.Write{Create: true}
	for i := range 4 {
		id := fmt.Sprintf("d%d", i)
		_, there := next[id]
		switch h.random.IntN(5) {
		case 0:
			if there {
				w.Changes = append(w.Changes, collection.Change{Op: collection.OpRemove, Part: id, Path: "/" + id})
				delete(next, id)
			}
		case 1, 2:
			next[id] = fmt.Sprintf(`{"n":%d, "text":%q}`, h.random.Uint64(), strings.Repeat("x", h.random.IntN(2)*h.random.IntN(40_000)))
			w.Changes = append(w.Changes, put(id, next[id]).Changes...)
		}
	}
	if len(w.Changes) == 0 {
		return
	}
	if r := h.do(h.id, w, by("ann")); r.err != nil {
		h.t.Fatal(r.err)
	}
	h.versions = append(h.versions, next)
}

// revert goes back to a version, and looks at every document. At times, nothing of the collection is in memory before.
func (h *lookBack) revert(to uint64) {
	h.t.Helper()
	if h.random.IntN(2) == 0 {
		delete(h.live, h.id)
	}
	r := h.do(h.id, &collection.Revert{To: to}, by("ann"))
	if r.err != nil {
		h.t.Fatalf("revert to version %d: %v", to, r.err)
	}
	want := h.versions[to-1]
	if int(r.Version) > len(h.versions) {
		h.versions = append(h.versions, want)
	}
	for i := range 4 {
		id := fmt.Sprintf("d%d", i)
		if got := h.document(id); got != want[id] {
			h.t.Fatalf("reverted to version %d of %d, %s is %.60q, and was %.60q", to, len(h.versions), id, got, want[id])
		}
	}
}

// document is the text of a document; "" if there is none.
func (h *lookBack) document(id string) string {
	p, err := h.store.Part(h.id, id)
	if errors.Is(err, persistence.ErrNotFound) || p.Removed {
		return ""
	}
	var body []byte
	if err == nil {
		body, err = h.store.Body(h.id, p.Place)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return string(body)
}
