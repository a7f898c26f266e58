package collection

import (
	"slices"
	"strings"

	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/merge"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/actors/script"
	"concord/internal/planted"
)

// settlement is how a stale write came out.
type settlement struct {
	policy     rules.Policy // that was applied
	base, over uint64       // what the write was built on, and the newest version, which it met
	resolution string
	decided    []disagreement // what the policy has decided for one side
	script     string         // source of the script that ran; "": none
}

// The resolutions.
const (
	resolvedMerged = "merged"       // both sides are in it
	resolvedClient = "client"       // the client's content was saved over the server's
	resolvedServer = "server"       // nothing was saved
	resolvedLogic  = "server-logic" // as the type's rules or script say
)

// disagreement is a path on which the client and the server disagree.
type disagreement struct {
	merge.Conflict
	part  stalePart
	taken string // the side that the policy has decided for: "client" or "server"; "": none
}

// policyOf is the policy that a stale write is judged by: the one it asks for, or the type's default.
func (c *Write) policyOf(t *rules.Type) (rules.Policy, error) {
	p := c.Policy
	switch {
	case p == "":
		return t.Conflict.Default, nil
	case !t.Conflict.Allows(p):
		return "", problem.New(problem.PolicyNotAllowed, "collections of this type do not allow the policy %q", p).
			With("allowed", t.Conflict.Allowed)
	case p == rules.Merged && len(c.bases()) == 0:
		return "", problem.New(problem.PreconditionRequired,
			"the policy %q wants to know the version that the content was merged with: baseVersion", p)
	}
	return p, nil
}

// blind says that the write does not depend on the content that it was built on: it replaces, and wins. A removal needs
// to know that there was something.
func (c *Write) blind(p rules.Policy) bool {
	return p == rules.Client && c.Moves == nil && !slices.ContainsFunc(c.Changes, func(ch Change) bool {
		return ch.Op == OpMerge || ch.Op == OpPatch || ch.Op == OpRemove
	})
}

// wantsOfStale names what the settlement of a stale write lacks: what the parts were, and what they are.
func wantsOfStale(s State, c *Write, known entity.Facts, p rules.Policy) (wants []entity.Want) {
	found := stale(s, c, known)
	for i := range found.parts {
		part := &found.parts[i]
		if part.documents {
			if _, _, ok := known.Was(); !ok && !found.gone && !c.blind(p) {
				wants = append(wants, entity.Want{Was: part.base})
			}
			continue
		}
		if _, ok := known.Part(part.id, true); !ok {
			wants = append(wants, entity.Want{Part: part.id, Body: true})
		}
		if _, ok := known.At(part.id, part.base); !ok && !found.gone && !c.blind(p) {
			wants = append(wants, entity.Want{Part: part.id, At: part.base})
		}
	}
	return wants
}

func merges(p rules.Policy) bool {
	switch p {
	case rules.Merge, rules.MergeClient, rules.MergeServer, rules.ServerLogic, rules.CustomLogic:
		return true
	default:
		return false
	}
}

// settle brings a stale write together with what has changed since, as the policy says: then the draft has the outcome.
// With a job it has not: the script must be run first.
func (d *draft) settle(c *Write, found staleness, p rules.Policy, t *rules.Type, l Limits, m entity.Meta) (
	*settlement, *script.Job, error,
) {
	done := &settlement{policy: p, base: found.base, over: d.state.Version}
	switch {
	case p == rules.Server:
		done.resolution = resolvedServer
		return done, nil, nil
	// What was deleted comes back if that is asked for, not by the type's default.
	case p == rules.Client && (!found.gone || c.Policy == p), planted.SkipSecond && p == rules.Merged:
		done.resolution = resolvedClient
		return done, nil, d.wins(c, found, p, l)
	case !merges(p), found.gone:
		return nil, nil, d.refused(c, found, t, l)
	}
	if err := d.facts.TooMuch(); err != nil {
		return nil, nil, err
	}
	if err := c.sameBase(); err != nil {
		return nil, nil, err
	}
	d.rebase(found)
	if err := d.change(c, l); err != nil {
		return nil, nil, err
	}
	if (p == rules.ServerLogic || p == rules.CustomLogic) && t.Conflict.Script != "" {
		done.resolution = resolvedLogic
		job, err := d.runScript(done, found, t.Conflict.Script, m)
		return done, job, err
	}
	return d.merged(done, c, found, t, l)
}

// wins has the client's content saved over what has changed since.
func (d *draft) wins(c *Write, found staleness, p rules.Policy, l Limits) error {
	if !c.blind(p) {
		if err := c.sameBase(); err != nil {
			return err
		}
		d.rebase(found)
	}
	return d.change(c, l)
}

// merged merges the stale parts by the rules of the type.
func (d *draft) merged(done *settlement, c *Write, found staleness, t *rules.Type, l Limits) (*settlement, *script.Job, error) {
	prefer, taken := merge.Neither, ""
	done.resolution = resolvedMerged
	switch done.policy {
	case rules.MergeClient:
		prefer, taken = merge.ClientSide, resolvedClient
	case rules.MergeServer:
		prefer, taken = merge.ServerSide, resolvedServer
	case rules.ServerLogic, rules.CustomLogic:
		done.resolution = resolvedLogic
	default: // the others do not merge, or take no side
	}
	var open []disagreement
	for _, part := range d.unsettled(found) {
		sides, err := d.sides(part.id)
		if err != nil {
			return nil, nil, err
		}
		value, conflicts := merge.Merge(sides.base, sides.client, sides.server, t.Conflict.Rules, placeOf(part.id), prefer)
		if planted.MergeBlind {
			value, conflicts = sides.client, nil
		}
		d.take(part.id, value, sides)
		for _, conflict := range conflicts {
			open = append(open, disagreement{conflict, part, taken})
		}
	}
	if len(open) > 0 && prefer == merge.Neither {
		return nil, nil, l.conflict(d.state, c, found, open, t)
	}
	done.decided = open
	return done, nil, nil
}

// rebase makes the working copies of the stale parts what the write was built on.
func (d *draft) rebase(found staleness) {
	d.bases = make(map[string]entity.Fact, len(found.parts))
	if found.gone {
		for _, part := range found.parts {
			if !part.documents {
				d.bases[part.id] = entity.Fact{}
			}
		}
		return
	}
	own := func(fact entity.Fact) entity.Fact {
		if fact.Version < d.state.Born {
			return entity.Fact{}
		}
		return fact
	}
	if _, was, ok := d.facts.Was(); ok && found.all() {
		for id, fact := range was {
			if id != MetadataPart {
				d.bases[id] = own(fact)
			}
		}
	}
	for _, part := range found.parts {
		if !part.documents {
			fact, _ := d.facts.At(part.id, part.base)
			d.bases[part.id] = own(fact)
		}
	}
}

// unsettled are the stale parts one by one, in order of their paths.
func (d *draft) unsettled(found staleness) []stalePart {
	parts := make([]stalePart, 0, len(d.bases))
	for id := range d.bases {
		part := partStale(id, d.facts)
		fact, _ := d.facts.Part(id, false)
		part.base, part.by = found.base, infoOf(fact).GetPrincipal()
		parts = append(parts, part)
	}
	slices.SortFunc(parts, func(a, b stalePart) int { return strings.Compare(a.path(), b.path()) })
	return parts
}

// sides are a part as it was, as the client has it, and as it is; nil: it is not there.
type sides struct{ base, client, server *jsonvalue.Value }

func (d *draft) sides(id string) (s sides, err error) {
	p := d.part(id)
	if s.client, err = p.tree(); err != nil {
		return s, err
	}
	if s.base = p.base; s.base == nil {
		if s.base, err = valueOf(d.bases[id]); err != nil {
			return s, err
		}
	}
	s.server, err = valueOf(p.old)
	return s, err
}

func valueOf(fact entity.Fact) (*jsonvalue.Value, error) {
	if !fact.Exists {
		return nil, nil //nolint:nilnil // missing is a value here
	}
	if v, ok := fact.Value.(*jsonvalue.Value); ok {
		return v, nil
	}
	return jsonvalue.Parse(fact.Body)
}

// take makes the merged value that of the working copy. A side that was taken whole keeps the bytes it came with.
func (d *draft) take(id string, merged *jsonvalue.Value, s sides) {
	p := d.part(id)
	switch {
	case merged == nil && id == MetadataPart:
		p.set(jsonvalue.NewObject())
	case merged == nil:
		p.remove()
	case merged == s.client:
	case merged == s.server:
		p.value, p.body, p.removed, p.hash = merged, p.old.Body, false, hashOf(p.old)
	default:
		p.set(merged)
	}
}

// placeOf is where a part stands in the collection.
func placeOf(id string) jsonvalue.Pointer {
	if id == MetadataPart {
		return jsonvalue.Pointer{"metadata"}
	}
	return jsonvalue.Pointer{"documents", id}
}
