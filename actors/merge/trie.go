package merge

import "concord/actors/jsonvalue"

// branch is a node of the trie of patterns.
type branch struct {
	rule    *Rule // that ends here
	index   int   // of the rule
	literal map[string]*branch
	any     *branch
}

// grow returns the branch at path, and makes what is missing on the way.
func (b *branch) grow(path jsonvalue.Pointer) *branch {
	for _, token := range path {
		next := b.any
		if token != jsonvalue.AnyToken {
			next = b.literal[token]
		}
		if next == nil {
			next = &branch{}
			b.join(token, next)
		}
		b = next
	}
	return b
}

func (b *branch) join(token string, next *branch) {
	switch {
	case token == jsonvalue.AnyToken:
		b.any = next
	case b.literal == nil:
		b.literal = map[string]*branch{token: next}
	default:
		b.literal[token] = next
	}
}

// step goes down by a token of a path, to the patterns that match it, or by one of a pattern, to those that cover it. The
// most exact branches stay first.
func step(branches []*branch, token string) []*branch {
	var next []*branch
	for _, b := range branches {
		if l := b.literal[token]; l != nil {
			next = append(next, l)
		}
		if b.any != nil {
			next = append(next, b.any)
		}
	}
	return next
}

// mostExact returns the first branch that has a rule.
func mostExact(branches []*branch) *branch {
	for _, b := range branches {
		if b.rule != nil {
			return b
		}
	}
	return nil
}

// place is where a merge stands in the trie: at all branches whose patterns match the path. It remembers the places below
// it, so that a member costs one look-up, however many patterns overlap. nil has no rule, nor has anything below it.
//
// A place belongs to one merge.
type place struct {
	branches []*branch        // the most exact first
	rule     *Rule            // of the most exact one that has a rule
	key      *string          // of the array that this is an element of: no rule applies to that member
	known    map[string]below // of the tokens that a pattern names
	other    below            // of all other tokens
}

// below is the place below another one, once it was made. It may be nil.
type below struct {
	place *place
	made  bool
}

// start returns the place of a part.
func (r *Rules) start(at jsonvalue.Pointer) *place {
	if r == nil {
		return nil
	}
	p := newPlace([]*branch{&r.root})
	for _, token := range at {
		p = p.at(token)
	}
	return p
}

func newPlace(branches []*branch) *place {
	if len(branches) == 0 {
		return nil
	}
	p := &place{branches: branches, known: map[string]below{}}
	if b := mostExact(branches); b != nil {
		p.rule = b.rule
	}
	for _, b := range branches {
		for token := range b.literal {
			p.known[token] = below{}
		}
	}
	return p
}

// at returns the place of a member or of a keyed element.
func (p *place) at(token string) *place {
	if p == nil || p.key != nil && *p.key == token {
		return nil
	}
	b, named := p.known[token]
	if !named {
		b = p.other
	}
	if b.made {
		return b.place
	}
	b = below{place: newPlace(step(p.branches, token)), made: true}
	if b.place != nil && p.rule != nil && p.rule.Strategy == Keyed {
		b.place.key = &p.rule.Key
	}
	if named {
		p.known[token] = b
	} else {
		p.other = b
	}
	return b.place
}
