package jsonvalue

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Diff returns a JSON Patch (RFC 6902) that turns a into b: add, remove and replace operations,
// none for equal values. The same two values always give the same patch, with the members of each
// object in the order of their names. It descends into objects and arrays, keeps the elements that
// two arrays have in common as long as they differ in at most 128 places (beyond, it compares
// element by element), and replaces a whole array or object where that makes the text shorter.
//
// If a and b are within the MaxBytes and MaxDepth of some limits, and spell equal numbers and
// strings alike, then the patch applies to a under these, with all else of DefaultLimits.
func Diff(a, b *Value) Patch {
	w := newWalker(false)
	w.walk(a, b)
	if len(w.patch) > patchMaxOperations || w.steps > patchMaxSteps-w.sizes(a, b) {
		return Patch{{Op: OpReplace, Path: Pointer{}, Value: b}}
	}
	return w.patch
}

// DiffBelow is Diff for two values that both stand at base, or the replacement of the whole value where that is shorter: each
// operation repeats its path, so that many small ones below a long name are longer than the value.
func DiffBelow(base Pointer, a, b *Value) Patch {
	patch := Diff(a, b)
	for i := range patch {
		patch[i].Path = slices.Concat(base, patch[i].Path)
		if len(patch[i].From) > 0 {
			patch[i].From = slices.Concat(base, patch[i].From)
		}
	}
	whole := Patch{{Op: OpReplace, Path: base, Value: b}}
	if size := len(patch.Text()); size > b.Size() && size > len(whole.Text()) {
		return whole
	}
	return patch
}

// The kinds of a Change.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// Change is one line of a comparison for people.
type Change struct {
	// Path is the JSON Pointer of Before in the old value if it was removed, and of After in the
	// new one if not.
	Path string
	// Kind is Added, Removed or Changed.
	Kind string
	// Before is nil if the value was added, After if it was removed.
	Before, After *Value
}

// Changes returns what differs between a and b, down to the smallest values that do, in the order
// of Diff; none for equal values.
func Changes(a, b *Value) []Change {
	return ChangesWithin(a, b, math.MaxInt)
}

// changeValueMaxBytes is what the values of one change count at most: who shows changes shows long values by their size.
const changeValueMaxBytes = 8 << 10

// ChangesWithin is Changes, unless their paths and values take more bytes than maxBytes together: then it is one change
// of the whole. A long name on the way to many values stands in the path of each.
func ChangesWithin(a, b *Value, maxBytes int) []Change {
	w := newWalker(true)
	w.maxBytes = maxBytes
	w.walk(a, b)
	if w.tooLong() {
		return []Change{{Kind: Changed, Before: a, After: b}}
	}
	return w.changes
}

// walker compares two values from the left to the right.
type walker struct {
	// forPeople: all differences go to changes, each for itself. Otherwise they go to patch.
	forPeople bool
	changes   []Change
	patch     Patch
	// from and to are where the walker is in the old and in the new value. All on the left of to
	// is done, so that to is also a path in the tree between the operations.
	from, to Pointer
	bytes    int // of the text of patch
	maxBytes int // from here on, one operation instead would make a shorter text
	steps    int // that Apply needs for patch, at most
	width    int // of the containers on the way, in the old and the new value
	known    map[*Value]summary
}

// summary is what the walker needs to know of a value many times.
type summary struct {
	hash  uint64
	bytes int
}

func newWalker(forPeople bool) *walker {
	return &walker{forPeople: forPeople, maxBytes: math.MaxInt, known: map[*Value]summary{}}
}

// walk finds what turns a into b.
func (w *walker) walk(a, b *Value) {
	if w.same(a, b) {
		return
	}
	if a.kind != b.kind || a.kind != Object && a.kind != Array {
		w.emit(a, b)
		return
	}
	outer, operations, bytes, steps := w.maxBytes, len(w.patch), w.bytes, w.steps
	whole := math.MaxInt
	if !w.forPeople {
		whole = bytes + w.operationBytes(b)
	}
	width := a.Len() + b.Len()
	w.maxBytes = min(outer, whole)
	w.width += width
	if a.kind == Object {
		w.objects(a.members, b.members)
	} else {
		w.arrays(a.elements, b.elements)
	}
	w.width -= width
	w.maxBytes = outer
	if w.bytes > whole {
		w.patch, w.bytes, w.steps = w.patch[:operations], bytes, steps
		w.emit(a, b)
	}
}

// tooLong says that the rest of the array or object need not be looked at: it, or one around it, is
// going to be replaced.
func (w *walker) tooLong() bool { return w.bytes > w.maxBytes }

// objects merges the members of both in the order of their names.
func (w *walker) objects(a, b []Member) {
	a, b = sortedMembers(a), sortedMembers(b)
	for (len(a) > 0 || len(b) > 0) && !w.tooLong() {
		order := 0
		switch {
		case len(b) == 0:
			order = -1
		case len(a) == 0:
			order = +1
		default:
			order = strings.Compare(a[0].Name, b[0].Name)
		}
		switch {
		case order < 0:
			w.enter(a[0].Name, a[0].Name)
			w.emit(a[0].Value, nil)
			a = a[1:]
		case order > 0:
			w.enter(b[0].Name, b[0].Name)
			w.emit(nil, b[0].Value)
			b = b[1:]
		default:
			w.enter(a[0].Name, b[0].Name)
			w.walk(a[0].Value, b[0].Value)
			a, b = a[1:], b[1:]
		}
		w.leave()
	}
}

func sortedMembers(members []Member) []Member {
	byName := func(a, b Member) int { return cmp.Compare(a.Name, b.Name) }
	if slices.IsSortedFunc(members, byName) {
		return members
	}
	members = slices.Clone(members)
	slices.SortFunc(members, byName)
	return members
}

// arrays keeps what both have in common and compares what stands between.
func (w *walker) arrays(a, b []*Value) {
	start := 0
	for start < min(len(a), len(b)) && w.same(a[start], b[start]) {
		start++
	}
	endA, endB := len(a), len(b)
	for endA > start && endB > start && w.same(a[endA-1], b[endB-1]) {
		endA, endB = endA-1, endB-1
	}
	i, j := start, start
	for _, kept := range w.common(a[start:endA], b[start:endB]) {
		w.gap(a[i:start+kept.a], b[j:start+kept.b], i, j)
		i, j = start+kept.a+1, start+kept.b+1
	}
	w.gap(a[i:endA], b[j:endB], i, j)
}

// gap compares elements that nothing is kept of: one by one as far as both go, then the rest of
// the longer. They begin at i in the old array and at j in the new one.
func (w *walker) gap(a, b []*Value, i, j int) {
	pairs := min(len(a), len(b))
	for n := 0; n < pairs && !w.tooLong(); n++ {
		w.enter(indexToken(i+n), indexToken(j+n))
		w.walk(a[n], b[n])
		w.leave()
	}
	for n := pairs; n < len(a) && !w.tooLong(); n++ {
		w.enter(indexToken(i+n), indexToken(j+pairs))
		w.emit(a[n], nil)
		w.leave()
	}
	for n := pairs; n < len(b) && !w.tooLong(); n++ {
		w.enter(indexToken(i+pairs), indexToken(j+n))
		w.emit(nil, b[n])
		w.leave()
	}
}

func (w *walker) enter(from, to string) {
	w.from, w.to = append(w.from, from), append(w.to, to)
}

func (w *walker) leave() {
	w.from, w.to = w.from[:len(w.from)-1], w.to[:len(w.to)-1]
}

// emit takes down one difference: before is nil if a value was added, after if one was removed.
func (w *walker) emit(before, after *Value) {
	op, kind, path := OpReplace, Changed, w.to
	switch {
	case before == nil:
		op, kind = OpAdd, Added
	case after == nil:
		op, kind = OpRemove, Removed
	}
	if w.forPeople {
		if after == nil {
			path = w.from
		}
		change := Change{Path: path.String(), Kind: kind, Before: before, After: after}
		w.changes = append(w.changes, change)
		w.bytes += len(change.Path) + min(w.sizes(before, after), changeValueMaxBytes)
		return
	}
	w.patch = append(w.patch, Operation{Op: op, Path: slices.Clone(path), Value: after})
	w.bytes += w.operationBytes(after)
	w.steps += 2*w.width + w.sizes(before, after)
}

// operationBytes is the length of an operation at to, escapes apart.
func (w *walker) operationBytes(value *Value) int {
	size := len(`{"op":"replace","path":"","value":},`)
	for _, token := range w.to {
		size += len("/") + len(token)
	}
	return size + w.sizes(nil, value)
}

// same is Equal, but hardly looks at large values that differ.
func (w *walker) same(a, b *Value) bool {
	if a.kind != b.kind || a.Len() != b.Len() {
		return false
	}
	if a.Len() > 0 && w.summary(a).hash != w.summary(b).hash {
		return false
	}
	return Equal(a, b)
}

func (w *walker) sizes(a, b *Value) int {
	size := 0
	if a != nil {
		size += w.summary(a).bytes
	}
	if b != nil {
		size += w.summary(b).bytes
	}
	return size
}

// summary remembers arrays and objects, lest the deep ones be read once for each level.
func (w *walker) summary(v *Value) summary {
	if v.Len() == 0 {
		return summary{hash: v.hash(), bytes: v.Size()}
	}
	if s, ok := w.known[v]; ok {
		return s
	}
	s := summary{bytes: len("[]") + v.Len() - 1}
	for _, m := range v.members {
		s.bytes += quotedSize(m.Name) + len(":")
	}
	s.hash = v.combine(func(child *Value) uint64 {
		c := w.summary(child)
		s.bytes += c.bytes
		return c.hash
	})
	w.known[v] = s
	return s
}
