package collection

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/actors/script"
)

// Sides are three states of the parts of a collection; a part that a side leaves out is not there. Bodies are strict JSON.
type Sides struct{ Base, Client, Server map[string][]byte }

// Trial is how three sides come out. It is not stored.
type Trial struct {
	Policy         string               `json:"policy" doc:"That was applied"`
	Resolution     string               `json:"resolution,omitempty" enum:"merged,client,server,server-logic" doc:"Left out if the conflicts would refuse the write"`
	Content        *Content             `json:"content,omitempty" doc:"All parts as they would be"`
	Conflicts      []Conflict           `json:"conflicts" doc:"That would refuse the write, or that the policy has decided"`
	ConflictsTotal int                  `json:"conflictsTotal,omitempty" doc:"How many there are, if not all are named"`
	Violations     []problem.FieldError `json:"violations,omitempty" doc:"Where the outcome does not fit the schemas"`
}

// The versions of a trial.
const (
	tryBase   = 1
	tryServer = 2
)

// Try does with three sides what a write does whose base is stale: the same code decides. An empty policy is the type's
// default, or merge. With a job a script has to be run first, and its outcome to be given in ran.
func (b Behavior) Try(t *rules.Type, p rules.Policy, sides Sides, ran entity.Facts, m entity.Meta) (*Trial, *script.Job, error) {
	c, f := trial(sides, ran)
	c.Policy = cmp.Or(p, t.Conflict.Default, rules.Merge)
	if _, err := c.policyOf(t); err != nil {
		return nil, nil, err
	}
	s := State{Exists: true, Version: tryServer, Born: tryBase, Since: tryBase, DocumentsVersion: tryServer}
	d := newDraft(s, f)
	found := stale(s, c, f)
	done, job, err := d.settle(c, found, c.Policy, t, b.Limits, m)
	if job != nil {
		return nil, job, nil
	}
	tried := &Trial{Policy: string(c.Policy), Conflicts: []Conflict{}}
	if refused, ok := errIs(err, problem.VersionConflict); ok {
		for _, member := range refused.Members {
			switch v := member.Value.(type) {
			case []Conflict:
				tried.Conflicts = v
			case int:
				tried.ConflictsTotal = v
			}
		}
		return tried, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	tried.Resolution = done.resolution
	tried.Conflicts, tried.ConflictsTotal = b.Limits.conflictList(done.decided, nil)
	parts := d.outcome(found, done.resolution == resolvedServer)
	tried.Content = b.Limits.contentOf(parts)
	warn := *t
	warn.Schemas.Warn = true
	tried.Violations, err = fit(parts, &warn)
	return tried, nil, err
}

// trial is the write that makes the client's side of the base, and the facts that it meets.
func trial(sides Sides, ran entity.Facts) (*Write, entity.Facts) {
	base := uint64(tryBase)
	c := &Write{Preconditions: Preconditions{Base: &base}}
	server := make(map[string]entity.Fact)
	f := ran
	ids := make(map[string]bool)
	for _, side := range []map[string][]byte{sides.Base, sides.Client, sides.Server} {
		for id := range side {
			ids[id] = true
		}
	}
	fact := func(side map[string][]byte, id string, version uint64) entity.Fact {
		body, ok := side[id]
		return entity.Fact{Exists: ok, Version: version, Body: body}
	}
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		server[id] = fact(sides.Server, id, tryServer)
		f = f.WithAt(id, tryBase, fact(sides.Base, id, tryBase))
		body, ok := sides.Client[id]
		switch {
		case ok:
			hash, _ := jsonvalue.Check(body) // it was read before
			c.Changes = append(c.Changes, Change{Op: OpPut, Part: id, Path: "/client", Body: body, Hash: uint64(hash)})
		case id != MetadataPart: // which cannot be removed: left out, it is as it was
			c.Changes = append(c.Changes, Change{Op: OpRemoveIfThere, Part: id, Path: "/client"})
		}
	}
	return c, f.WithParts(server)
}

// outcome is all parts as they would be.
func (d *draft) outcome(found staleness, server bool) []entity.Content {
	untouched := d.parts[MetadataPart] == nil && d.current(MetadataPart).Exists // the client has left it out
	if server {
		parts := d.kept(found)
		if untouched {
			parts = append(parts, entity.Content{Body: d.current(MetadataPart).Body})
		}
		return parts
	}
	if untouched {
		d.part(MetadataPart)
	}
	parts := make([]entity.Content, 0, len(d.order))
	for _, id := range slices.Sorted(slices.Values(d.order)) {
		p := d.parts[id]
		if p.body == nil && p.value != nil {
			p.body = p.value.Text()
		}
		parts = append(parts, entity.Content{ID: id, Removed: p.removed, Body: json.RawMessage(p.body)})
	}
	return parts
}
