package merge

import "concord/actors/jsonvalue"

// Strategy is how a type wants the values at a path to be merged.
type Strategy string

// The strategies.
const (
	Atomic  Strategy = "atomic"  // one value: never merged inside
	Set     Strategy = "set"     // an array without order: what either side added or removed
	Keyed   Strategy = "keyed"   // an array of objects that are matched by a member
	Counter Strategy = "counter" // server + client - base
	Max     Strategy = "max"     // the greater number, where both sides changed it
	Min     Strategy = "min"     // the lesser one
	Client  Strategy = "client"  // the client's value, where the client changed it
	Server  Strategy = "server"  // the server's value, always
)

// Rule says how the values at a path are merged. The path starts at the collection (/metadata/..., /documents/<id>/...);
// the token * stands for exactly one level.
type Rule struct {
	Path     jsonvalue.Pointer
	Strategy Strategy
	Key      string // of Keyed: the member that names an element
}

// RuleError is a rule that cannot be taken.
type RuleError struct {
	Index  int    // of the rule
	Member string // "path", "strategy" or "key": what is wrong about it
	Reason string
}

func (e *RuleError) Error() string { return e.Member + ": " + e.Reason }
