package merge

import (
	"fmt"
	"slices"

	"concord/actors/jsonvalue"
)

// rulesMax is how many rules a type may have.
const rulesMax = 1000

// Rules are rules that were compiled. nil has none. They do not change, and may be shared.
type Rules struct{ root branch }

// Compile checks the rules, and prepares them. The error is a *RuleError about the first rule that cannot be taken: its
// path lies not below /metadata or /documents/<id or *>, or is too deep, or another rule has it, or no value can ever get
// there, since a rule above decides all that is below it; its strategy is unknown; it has a key that it must not have, or
// the other way round. The order of the rules does not matter.
func Compile(rules []Rule) (*Rules, error) {
	if len(rules) > rulesMax {
		return nil, &RuleError{Index: rulesMax, Member: "path", Reason: fmt.Sprintf("there are more than %d rules", rulesMax)}
	}
	compiled := &Rules{}
	keyed := map[int][]*Rule{} // by the length of their paths
	for i, r := range rules {
		if member, reason := r.mistake(); reason != "" {
			return nil, &RuleError{Index: i, Member: member, Reason: reason}
		}
		r.Path = slices.Clone(r.Path)
		b := compiled.root.grow(r.Path)
		if b.rule != nil {
			return nil, &RuleError{Index: i, Member: "path", Reason: fmt.Sprintf("rule %d has the same path", b.index)}
		}
		b.rule, b.index = &r, i
		if r.Strategy == Keyed {
			keyed[len(r.Path)] = append(keyed[len(r.Path)], b.rule)
		}
	}
	for i, r := range rules {
		if above := compiled.hides(r.Path, keyed); above != nil {
			reason := fmt.Sprintf("it is never reached: rule %d above it decides all that is below", above.index)
			return nil, &RuleError{Index: i, Member: "path", Reason: reason}
		}
	}
	return compiled, nil
}

// mistake says what is wrong about the rule alone: the member, and why.
func (r *Rule) mistake() (member, reason string) {
	switch {
	case !isPart(r.Path):
		return "path", "not below /metadata, /documents/<id> or /documents/*"
	case len(r.Path) > jsonvalue.MaxDepth:
		return "path", fmt.Sprintf("deeper than %d levels", jsonvalue.MaxDepth)
	}
	switch r.Strategy {
	case Keyed:
		if r.Key == "" {
			return "key", "keyed needs the name of the member that names an element"
		}
	case Atomic, Set, Counter, Max, Min, Client, Server:
		if r.Key != "" {
			return "key", "only keyed has a key"
		}
	default:
		return "strategy", "unknown; there are atomic, set, keyed, counter, max, min, client and server"
	}
	return "", ""
}

// isPart says if the path begins with that of a part of a collection.
func isPart(p jsonvalue.Pointer) bool {
	return len(p) >= 1 && p[0] == "metadata" || len(p) >= 2 && p[0] == "documents"
}

// hides returns the branch whose rule keeps every value from a rule at path; nil if there is none. That is a rule at a
// pattern that covers a prefix of path, and that decides all below it (all rules but keyed do), unless a keyed rule takes some
// of the values from it, being more exact.
func (r *Rules) hides(path jsonvalue.Pointer, keyed map[int][]*Rule) *branch {
	covering := []*branch{&r.root}
	for length, token := range path {
		if above := mostExact(covering); above != nil && above.rule.Strategy != Keyed {
			shielded := slices.ContainsFunc(keyed[length], func(k *Rule) bool {
				return overlaps(k.Path, path) && moreExact(k.Path, above.rule.Path)
			})
			if !shielded {
				return above
			}
		}
		covering = step(covering, token)
	}
	return nil
}

// overlaps says if some path matches both patterns as far as the shorter one goes.
func overlaps(p, q jsonvalue.Pointer) bool {
	for i := range min(len(p), len(q)) {
		if p[i] != q[i] && p[i] != jsonvalue.AnyToken && q[i] != jsonvalue.AnyToken {
			return false
		}
	}
	return true
}

// moreExact compares two patterns of one length that overlap: the first token that is literal in one only decides.
func moreExact(p, q jsonvalue.Pointer) bool {
	for i := range p {
		if (p[i] == jsonvalue.AnyToken) != (q[i] == jsonvalue.AnyToken) {
			return q[i] == jsonvalue.AnyToken
		}
	}
	return false
}
