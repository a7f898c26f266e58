package rules

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"concord/actors/jsonvalue"
	"concord/actors/merge"
	"concord/actors/problem"
)

// Policy is what a write may ask for if its base is stale (semantics, section 4).
type Policy string

// The policies.
const (
	Merge       Policy = "merge"        // three-way merge; any conflict refuses the write
	MergeClient Policy = "merge-client" // three-way merge; on a conflicting path the client wins
	MergeServer Policy = "merge-server" // three-way merge; on a conflicting path the server wins
	Client      Policy = "client"       // the client's content is saved
	Server      Policy = "server"       // the server's content stays
	Merged      Policy = "merged"       // the client has merged by hand
	ServerLogic Policy = "server-logic" // rules or script of the type
	CustomLogic Policy = "custom-logic" // the same by another name
)

// Policies are all policies.
var Policies = []Policy{Merge, MergeClient, MergeServer, Client, Server, Merged, ServerLogic, CustomLogic}

// Conflict is what a type says of writes whose base is stale.
type Conflict struct {
	Allowed []Policy     // nil: all may be asked for
	Default Policy       // of a write that asks for none; "": there is none
	Rules   *merge.Rules // nil: none
	Script  string       // JavaScript source; "": none
}

// Allows says that a write may ask for the policy. server-logic and custom-logic are one: either name permits both.
func (c *Conflict) Allows(p Policy) bool {
	return c.Allowed == nil || slices.ContainsFunc(c.Allowed, func(a Policy) bool { return sameLogic(a) == sameLogic(p) })
}

func sameLogic(p Policy) Policy {
	if p == CustomLogic {
		return ServerLogic
	}
	return p
}

// Bounds of the conflict part.
const (
	rulesMax       = 1000
	sourceMaxBytes = 32 << 10
)

func conflictObject(c *Conflict) reader {
	return func(v *jsonvalue.Value, path string) error {
		err := object{
			{"allowed", policies(&c.Allowed)},
			{"default", orNull(choice(&c.Default, Policies...))},
			{"rules", ruleList(&c.Rules)},
			{"script", required(object{{"source", source(&c.Script)}}, "source")},
		}.read(v, path)
		if err != nil {
			return err
		}
		if c.Default != "" && !c.Allows(c.Default) {
			return problem.At(path+"/default", "is not among the allowed policies")
		}
		return nil
	}
}

// policies is a list without repeats. The empty list allows none, and is not the same as no list.
func policies(into *[]Policy) reader {
	return func(v *jsonvalue.Value, path string) error {
		if v.Kind() != jsonvalue.Array {
			return problem.At(path, "must be an array of policies")
		}
		list := make([]Policy, 0, min(v.Len(), len(Policies)))
		for i, element := range v.Elements() {
			var p Policy
			place := path + "/" + strconv.Itoa(i)
			if err := choice(&p, Policies...)(element, place); err != nil {
				return err
			}
			if slices.Contains(list, p) {
				return problem.At(place, "is in the list twice")
			}
			list = append(list, p)
		}
		*into = list
		return nil
	}
}

func ruleList(into **merge.Rules) reader {
	return func(v *jsonvalue.Value, path string) error {
		if v.Kind() != jsonvalue.Array {
			return problem.At(path, "must be an array of rules")
		}
		if v.Len() > rulesMax {
			return problem.At(path, "must have at most %d rules", rulesMax)
		}
		if v.Len() == 0 {
			return nil
		}
		list := make([]merge.Rule, v.Len())
		for i, element := range v.Elements() {
			if err := rule(&list[i])(element, path+"/"+strconv.Itoa(i)); err != nil {
				return err
			}
		}
		compiled, err := merge.Compile(list)
		if e, ok := errors.AsType[*merge.RuleError](err); ok {
			return problem.At(path+"/"+strconv.Itoa(e.Index)+"/"+e.Member, "%s", e.Reason)
		}
		if err != nil {
			return problem.At(path, "%v", err)
		}
		*into = compiled
		return nil
	}
}

// rule reads one rule. What a path may name, and which rules contradict each other, merge.Compile says.
func rule(into *merge.Rule) reader {
	return func(v *jsonvalue.Value, path string) error {
		err := required(object{
			{"path", pointer(&into.Path)},
			{"strategy", choice(&into.Strategy, merge.Atomic, merge.Set, merge.Keyed, merge.Counter, merge.Max, merge.Min,
				merge.Client, merge.Server)},
			{"key", text(&into.Key)},
		}, "path", "strategy")(v, path)
		if err != nil {
			return err
		}
		switch _, given := v.Get("key"); {
		case given && into.Strategy != merge.Keyed:
			return problem.At(path+"/key", "only the strategy %q has a key", merge.Keyed)
		case !given && into.Strategy == merge.Keyed:
			return problem.At(path+"/key", "is missing: the strategy %q needs it", merge.Keyed)
		}
		return nil
	}
}

// source is the text of a script. That it compiles is not known here: no code runs in the pure core.
func source(into *string) reader {
	return func(v *jsonvalue.Value, path string) error {
		if err := text(into)(v, path); err != nil {
			return err
		}
		if strings.TrimSpace(*into) == "" {
			return problem.At(path, "must not be empty")
		}
		if len(*into) > sourceMaxBytes {
			return problem.At(path, "has %d bytes; the limit is %d", len(*into), sourceMaxBytes)
		}
		return nil
	}
}
