package merge

import (
	"slices"
	"strings"

	"concord/actors/jsonvalue"
)

// clash is a node of the tree of conflicts: a conflict, or what stands above some.
type clash struct {
	token string // from the node above
	kind  Kind   // empty if it stands above
	sides triple
	below []*clash
}

// list returns the conflicts of the tree, sorted, for the path of its root.
func (c *clash) list(at jsonvalue.Pointer) []Conflict {
	conflicts, tokens := c.count(len(at))
	l := lister{
		path:      append(jsonvalue.Pointer{}, at...),
		conflicts: make([]Conflict, 0, conflicts),
		tokens:    make([]string, 0, tokens),
	}
	l.walk(c)
	return l.conflicts
}

// count returns how many conflicts there are, and how many tokens their paths have together.
func (c *clash) count(depth int) (conflicts, tokens int) {
	if c.kind != "" {
		return 1, depth
	}
	for _, child := range c.below {
		n, t := child.count(depth + 1)
		conflicts, tokens = conflicts+n, tokens+t
	}
	return conflicts, tokens
}

// lister collects conflicts. Sorting each node's children costs less than sorting paths, whose beginnings are alike.
type lister struct {
	path      jsonvalue.Pointer
	conflicts []Conflict
	tokens    []string // of all paths: one piece of memory for many conflicts
}

func (l *lister) walk(c *clash) {
	if c.kind != "" {
		start := len(l.tokens)
		l.tokens = append(l.tokens, l.path...)
		path := jsonvalue.Pointer(l.tokens[start:len(l.tokens):len(l.tokens)])
		l.conflicts = append(l.conflicts, Conflict{path, c.kind, c.sides.base, c.sides.client, c.sides.server})
		return
	}
	slices.SortFunc(c.below, func(a, b *clash) int { return strings.Compare(a.token, b.token) })
	for _, child := range c.below {
		l.path = append(l.path, child.token)
		l.walk(child)
		l.path = l.path[:len(l.path)-1]
	}
}
