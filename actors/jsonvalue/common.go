package jsonvalue

import "slices"

// commonMaxEdits is how many elements may have been removed and inserted, together, for common to
// find the others. Its time is at most this times the length of the arrays.
const commonMaxEdits = 128

// classBucketMaxCount bounds how many values of one hash are told apart: hashes can be made to
// collide. What is one too many counts as different from all others, which is never wrong.
const classBucketMaxCount = 8

// pair is an element that two arrays have in common: its place in each.
type pair struct{ a, b int }

// common returns the elements to keep, in ascending order, so that as few as possible of the others
// have to be removed and inserted; none if that would be more than commonMaxEdits.
//
// It is the greedy algorithm of E. W. Myers, "An O(ND) difference algorithm and its variations",
// Algorithmica 1 (1986).
func (w *walker) common(a, b []*Value) []pair {
	if len(a) == 0 || len(b) == 0 || len(a) == 1 && len(b) == 1 {
		return nil
	}
	c := classes{walker: w, byHash: map[uint64][]class{}}
	return commonClasses(c.of(a), c.of(b))
}

// commonClasses finds the shortest way from (0, 0) to (len(a), len(b)), where a step to the right
// removes an element of a, a step down inserts one of b, and a step along a diagonal, which is
// free, keeps one.
func commonClasses(a, b []int) []pair {
	limit := min(len(a)+len(b), commonMaxEdits)
	reach := make([]int, 2*limit+3) // the furthest x on each diagonal x-y; shifted by limit+1
	var trace [][]int               // reach before each round
	for edits := 0; edits <= limit; edits++ {
		trace = append(trace, slices.Clone(reach[limit-edits:limit+edits+3]))
		for diagonal := -edits; diagonal <= edits; diagonal += 2 {
			at := diagonal + limit + 1
			x := reach[at+1] // down
			if !goesDown(reach[at-1], reach[at+1], diagonal, edits) {
				x = reach[at-1] + 1 // right
			}
			for x < len(a) && x-diagonal < len(b) && a[x] == b[x-diagonal] {
				x++
			}
			reach[at] = x
			if x == len(a) && x-diagonal == len(b) {
				return backtrack(trace, len(a), len(b))
			}
		}
	}
	return nil
}

// goesDown says if the way to the diagonal comes from the diagonal above it, which reached right,
// rather than from the one below it, which reached left.
func goesDown(left, right, diagonal, edits int) bool {
	return diagonal == -edits || diagonal != edits && left < right
}

// backtrack walks from (x, y) to the start and collects the diagonal steps.
func backtrack(trace [][]int, x, y int) []pair {
	var kept []pair
	for edits := len(trace) - 1; edits >= 0; edits-- {
		reach := trace[edits] // shifted by edits+1
		diagonal := x - y
		at := diagonal + edits + 1
		fromX, fromY := 0, 0
		switch {
		case edits == 0:
		case goesDown(reach[at-1], reach[at+1], diagonal, edits):
			fromX = reach[at+1]
			fromY = fromX - diagonal - 1
		default:
			fromX = reach[at-1]
			fromY = fromX - diagonal + 1
		}
		for x > fromX && y > fromY {
			x, y = x-1, y-1
			kept = append(kept, pair{a: x, b: y})
		}
		x, y = fromX, fromY
	}
	slices.Reverse(kept)
	return kept
}

// classes numbers values so that two values with one number are equal.
type classes struct {
	walker *walker
	count  int
	byHash map[uint64][]class
}

type class struct {
	number int
	value  *Value
}

func (c *classes) of(values []*Value) []int {
	numbers := make([]int, len(values))
	for i, v := range values {
		numbers[i] = c.number(v)
	}
	return numbers
}

func (c *classes) number(v *Value) int {
	hash := c.walker.summary(v).hash
	bucket := c.byHash[hash]
	for _, known := range bucket {
		if Equal(known.value, v) {
			return known.number
		}
	}
	number := c.count
	c.count++
	if len(bucket) < classBucketMaxCount {
		c.byHash[hash] = append(bucket, class{number: number, value: v})
	}
	return number
}
