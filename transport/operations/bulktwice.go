package operations

import (
	"cmp"
	"hash/maphash"
	"slices"
)

// suspectsMax bounds how many rows are looked at together that may have the same id.
const suspectsMax = 4096

// idHashes find ids that are there twice, for 16 bytes each: equal hashes are suspects, whose ids are asked for again. The
// hash is seeded, so that nobody can choose ids that collide.
type idHashes struct {
	seed maphash.Seed
	list []idHash
}

// idHash is an id in a row, and where it was named.
type idHash struct {
	hash       uint64
	row, place uint32
}

// idPair is an id that is there twice, and where.
type idPair struct {
	id            string
	first, second uint32
}

func newIDHashes(size int) *idHashes {
	return &idHashes{seed: maphash.MakeSeed(), list: make([]idHash, 0, size)}
}

func (h *idHashes) add(id string, row, place uint32) {
	h.list = append(h.list, idHash{maphash.String(h.seed, id), row, place})
}

// twice are the ids that are there again, at most so many, in the order of their rows, each with the place where it is
// first. idsOf tells the ids of rows, which it is given in order.
func (h *idHashes) twice(most int, idsOf func(rows []uint32) ([]string, error)) ([]idPair, error) {
	slices.SortFunc(h.list, func(a, b idHash) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.row, b.row)) })
	var pairs []idPair
	var suspects []idHash
	judge := func() error {
		found, err := pairsOf(suspects, idsOf)
		pairs, suspects = append(pairs, found...), suspects[:0]
		return err
	}
	for i := 1; i < len(h.list); i++ {
		if h.list[i].hash != h.list[i-1].hash {
			continue
		}
		if i < 2 || h.list[i-2].hash != h.list[i].hash {
			suspects = append(suspects, h.list[i-1])
		}
		suspects = append(suspects, h.list[i])
		for ; i+1 < len(h.list) && h.list[i+1].hash == h.list[i].hash && len(suspects) < suspectsMax; i++ {
			suspects = append(suspects, h.list[i+1])
		}
		if len(suspects) >= suspectsMax {
			if err := judge(); err != nil {
				return nil, err
			}
			if len(pairs) >= most {
				break
			}
		}
	}
	if err := judge(); err != nil {
		return nil, err
	}
	slices.SortFunc(pairs, func(a, b idPair) int { return cmp.Compare(a.second, b.second) })
	return pairs[:min(len(pairs), max(most, 0))], nil
}

// pairsOf are those of the suspects that really have the same id.
func pairsOf(suspects []idHash, idsOf func([]uint32) ([]string, error)) ([]idPair, error) {
	if len(suspects) == 0 {
		return nil, nil
	}
	slices.SortFunc(suspects, func(a, b idHash) int { return cmp.Compare(a.row, b.row) })
	rows := make([]uint32, len(suspects))
	for i, s := range suspects {
		rows[i] = s.row
	}
	ids, err := idsOf(rows)
	if err != nil {
		return nil, err
	}
	places := make(map[string]uint32, len(ids))
	var pairs []idPair
	for i, id := range ids {
		if first, again := places[id]; again {
			pairs = append(pairs, idPair{id, first, suspects[i].place})
			continue
		}
		places[id] = suspects[i].place
	}
	return pairs, nil
}
