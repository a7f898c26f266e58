package entity

import (
	"testing"

	"concord/persistence"
)

// TestAnIdleEntityKeepsAPartOnce: what is known of a part is its submitted item until that is durable and the next command has
// come, and then what is remembered of it; never both.
func TestAnIdleEntityKeepsAPartOnce(t *testing.T) {
	var p pending
	tell := func(version uint64, known, items int) {
		t.Helper()
		if len(p.known) != known || len(p.items) != items {
			t.Errorf("version %d: %d known and %d items, want %d and %d", version, len(p.known), len(p.items), known, items)
		}
		if fact, ok := p.part("d", false); !ok || fact.Version != version {
			t.Errorf("the part has version %d (known: %v), want %d", fact.Version, ok, version)
		}
	}
	write := func(version uint64) {
		p.add(version, []Content{{ID: "d"}}, []persistence.PartChange{{}})
	}
	p.know("d", Fact{Exists: true, Version: 1})
	p.know("other", Fact{Exists: true, Version: 1})
	tell(1, 2, 0)
	write(2)
	p.drop() // a dry run
	tell(1, 2, 0)
	write(2)
	p.submit()
	p.submitted(1)
	tell(2, 1, 1)
	p.forget(0)
	tell(2, 1, 1)
	p.forget(1)
	tell(2, 2, 0)
}
