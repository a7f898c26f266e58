package lookup

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"concord/actors/lookup/lookuppb"
	"concord/internal/planted"
	"concord/persistence"
)

//go:generate sh -c "cd ../.. && protoc --go_out=. --go_opt=module=concord actors/lookup/lookuppb/lookup.proto"

// IndexBuilding are collection types with keys or indexes that are still being built: entries of types, without a part.
const IndexBuilding = "type.building" // term: BuildingTerm

// BuildingTerm is the one term of IndexBuilding.
const BuildingTerm = "building"

// IndexName is the index of one lookup of a type: two types never share entries.
func IndexName(typ string, lookup uint64) string { return fmt.Sprintf("lookup.%s.%016x", typ, lookup) }

// Standing is what a collection is found by at a moment. The zero value is found by nothing.
type Standing struct {
	Type  string
	Terms []byte // see Set.Terms
}

// Changes take a collection from one standing to the next in the indexes, in a fixed order. Terms that cannot be read are
// none: the store has checked their bytes.
func Changes(before, after Standing) (changes []persistence.IndexChange) {
	if before.Type == after.Type && bytes.Equal(before.Terms, after.Terms) {
		return nil
	}
	was, is := before.entries(), after.entries()
	for i, j := 0, 0; i < len(was) || j < len(is); {
		switch c := order(was, is, i, j); {
		case c < 0:
			if !planted.StaleIndex {
				changes = append(changes, persistence.IndexChange{Name: was[i].name, Term: was[i].term, Removed: true})
			}
			i++
		case c > 0:
			changes = append(changes, persistence.IndexChange{Name: is[j].name, Term: is[j].term})
			j++
		default:
			i, j = i+1, j+1
		}
	}
	return changes
}

type entry struct{ name, term string }

// order compares the entries that two lists are at; the end of a list is behind everything.
func order(was, is []entry, i, j int) int {
	switch {
	case j == len(is):
		return -1
	case i == len(was):
		return 1
	}
	return compareEntries(was[i], is[j])
}

// entries are those of a standing, in order.
func (s Standing) entries() (list []entry) {
	var m lookuppb.Terms
	if len(s.Terms) == 0 || proto.Unmarshal(s.Terms, &m) != nil {
		return nil
	}
	for _, f := range m.GetFound() {
		name := IndexName(s.Type, f.GetLookup())
		for _, term := range f.GetTerms() {
			list = append(list, entry{name, term})
		}
	}
	slices.SortFunc(list, compareEntries)
	return list
}

func compareEntries(a, b entry) int {
	return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.term, b.term))
}
