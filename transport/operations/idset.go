package operations

import "slices"

// leafMaxIDs is how many ids a leaf of an idSet holds before it is split.
const leafMaxIDs = 512

// idSet is a set of ids in order: adding and removing cost a leaf and the list of leaves, and a page costs the page. It is
// not safe for concurrent use.
type idSet struct{ leaves [][]string } // none is empty

// find is the leaf that has the id, or that it belongs to; at is its place there.
func (s *idSet) find(id string) (leaf, at int, there bool) {
	leaf, _ = slices.BinarySearchFunc(s.leaves, id, func(ids []string, id string) int {
		if ids[0] > id {
			return 1
		}
		return -1
	})
	leaf = max(leaf-1, 0) // the last that begins at or before it
	if leaf == len(s.leaves) {
		return 0, 0, false
	}
	at, there = slices.BinarySearch(s.leaves[leaf], id)
	return leaf, at, there
}

func (s *idSet) add(id string) {
	leaf, at, there := s.find(id)
	switch {
	case there:
		return
	case len(s.leaves) == 0:
		s.leaves = [][]string{{id}}
		return
	}
	ids := slices.Insert(s.leaves[leaf], at, id)
	if len(ids) > leafMaxIDs {
		half := len(ids) / 2
		s.leaves = slices.Insert(s.leaves, leaf+1, slices.Clone(ids[half:]))
		clear(ids[half:])
		ids = ids[:half]
	}
	s.leaves[leaf] = ids
}

func (s *idSet) remove(id string) {
	leaf, at, there := s.find(id)
	if !there {
		return
	}
	if s.leaves[leaf] = slices.Delete(s.leaves[leaf], at, at+1); len(s.leaves[leaf]) == 0 {
		s.leaves = slices.Delete(s.leaves, leaf, leaf+1)
	}
}

func (s *idSet) empty() bool { return len(s.leaves) == 0 }

// after are the ids behind one, in their order.
func (s *idSet) after(id string, most int) (page []string) {
	leaf, at, there := s.find(id)
	if there {
		at++
	}
	for ; leaf < len(s.leaves) && len(page) < most; leaf, at = leaf+1, 0 {
		ids := s.leaves[leaf][at:]
		page = append(page, ids[:min(len(ids), most-len(page))]...)
	}
	return page
}
