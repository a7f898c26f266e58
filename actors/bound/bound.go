// Package bound is how the pure packages tell their bounds to people: the README's table is made of these.
package bound

import "strconv"

// Bound is one bound. Range is what a collection type may set it to; without one it is fixed.
type Bound struct{ Name, Default, Range, Doc string }

// Fixed is a number that nobody can set.
func Fixed(name string, is int, doc string) Bound { return Bound{name, strconv.Itoa(is), "", doc} }

// Bytes is a size that nobody can set.
func Bytes(name string, is int, doc string) Bound {
	text := strconv.Itoa(is) + "B"
	switch {
	case is%(1<<20) == 0:
		text = strconv.Itoa(is>>20) + "MiB"
	case is%(1<<10) == 0:
		text = strconv.Itoa(is>>10) + "KiB"
	}
	return Bound{name, text, "", doc}
}
