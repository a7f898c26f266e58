package entity

import (
	"strconv"
	"testing"

	"concord/persistence"
)

// TestRecentIsBounded: what comes first goes first, and nothing is counted that is gone.
func TestRecentIsBounded(t *testing.T) {
	r, id := NewRecent(), persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: "c"}
	body := make([]byte, recentOneBytes)
	for v := range uint64(3 * RecentMaxBytes / recentOneBytes) {
		r.add(id, "doc"+strconv.Itoa(int(v%7)), Fact{Exists: true, Version: v, Body: body, Value: nil})
		if _, ok := r.get(id, "doc"+strconv.Itoa(int(v%7)), v); !ok {
			t.Fatalf("version %d is not remembered", v)
		}
		if r.bytes > RecentMaxBytes || r.bytes != len(r.parts)*recentOneBytes || len(r.order)-r.next != len(r.parts) {
			t.Fatalf("%d bytes in %d parts, %d in order", r.bytes, len(r.parts), len(r.order)-r.next)
		}
	}
	if _, ok := r.get(id, "doc0", 0); ok {
		t.Error("the first is still there")
	}
	r.add(id, "long", Fact{Exists: true, Version: 1, Body: make([]byte, recentOneBytes+1)})
	r.add(id, "gone", Fact{Version: 1})
	for _, part := range []string{"long", "gone"} {
		if _, ok := r.get(id, part, 1); ok {
			t.Errorf("%s is remembered", part)
		}
	}
	var none *Recent
	none.add(id, "a", Fact{Exists: true, Body: body})
	if _, ok := none.get(id, "a", 0); ok {
		t.Error("nothing remembers something")
	}
}
