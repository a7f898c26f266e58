package config

import (
	"strings"
	"unicode"
)

// nearestMaxBytes bounds what is compared: a longer name is like none of ours.
const nearestMaxBytes = 64

// nearest is the name that takes the fewest edits to be the given one. Case and separators do not count, and the begin
// or the end of a dotted name alone is nearly as good as all of it.
func nearest(name string, among []string) string {
	want := plainName(name)
	best, fewest := "", int(^uint(0)>>1)
	for _, candidate := range among {
		words := plainName(candidate)
		n := 2 * edits(want, words)
		for i := range len(words) {
			if words[i] == '.' {
				n = min(n, 2*edits(want, words[:i])+1, 2*edits(want, words[i+1:])+1)
			}
		}
		if n < fewest {
			best, fewest = candidate, n
		}
	}
	return best
}

// plainName is the name in lower case, with dots between its words: events.maxAge, CONCORD_EVENTS_MAX_AGE and
// events-max-age are all events.max.age.
func plainName(name string) string {
	name = strings.TrimPrefix(name, envPrefix)
	name = name[:min(len(name), nearestMaxBytes)]
	var plain strings.Builder
	lower := false
	for _, r := range name {
		switch {
		case r == '_' || r == '-':
			r = '.'
		case unicode.IsUpper(r) && lower:
			plain.WriteByte('.')
		}
		lower = unicode.IsLower(r)
		plain.WriteRune(unicode.ToLower(r))
	}
	return plain.String()
}

// edits counts the insertions, removals, replacements and swaps of neighbours that make b of a.
func edits(a, b string) int {
	before := make([]int, len(b)+1) // the row before the last one
	last := make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(last[j]+1, row[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
