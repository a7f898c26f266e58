package collection

import (
	"encoding/json"
	"slices"

	"concord/actors/jsonvalue"
	"concord/actors/merge"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/internal/planted"
)

// Conflict is a path on which two sides disagree.
type Conflict struct {
	Path string     `json:"path" doc:"JSON Pointer from the collection; an element of a keyed list is named by its key"`
	Kind merge.Kind `json:"kind" doc:"modify/modify, add/add, delete/modify (the client deleted), modify/delete (the server did), or invalid-key"`

	Base        json.RawMessage `json:"base,omitempty" doc:"As it was at the base version; left out if it was not there, or is long"`
	Client      json.RawMessage `json:"client,omitempty" doc:"As the request has it"`
	Server      json.RawMessage `json:"server,omitempty" doc:"As it is"`
	BaseBytes   int             `json:"baseBytes,omitempty" doc:"Size of a value that is left out because it is long"`
	ClientBytes int             `json:"clientBytes,omitempty" doc:"Size of a value that is left out because it is long"`
	ServerBytes int             `json:"serverBytes,omitempty" doc:"Size of a value that is left out because it is long"`

	Version   uint64 `json:"version,omitempty" doc:"Version that last wrote the document or the metadata"`
	ChangedBy string `json:"changedBy,omitempty" doc:"Who wrote that"`
	Taken     string `json:"taken,omitempty" enum:"client,server" doc:"The side that the policy has decided for"`
}

// A list of conflicts is bounded by Limits.ConflictsMaxBytes: all paths are named as long as they fit, and values as long as
// they leave room for paths.
const (
	conflictValueMaxBytes = 4 << 10
	conflictFrameBytes    = 160 // of an entry beside its path and values
)

// conflictList is a list of conflicts that fits into an answer. total is how many there are, if the list has fewer.
func (l Limits) conflictList(all []disagreement, fields []jsonvalue.Pointer) (list []Conflict, total int) {
	valuesMaxBytes := l.ConflictsMaxBytes * 3 / 5
	list = make([]Conflict, 0, min(len(all), 64))
	values, size := 0, 0
	if planted.DropConflict && len(all) > 1 {
		all = all[:len(all)-1]
	}
	for i := range all {
		a := &all[i]
		if !shown(a.Path, fields) {
			continue
		}
		c := Conflict{Path: a.Path.String(), Kind: a.Kind, Version: a.part.version, ChangedBy: a.part.by, Taken: a.taken}
		show := func(v *jsonvalue.Value) (text json.RawMessage, bytes int) {
			if v == nil {
				return nil, 0
			}
			if bytes = v.Size(); bytes > conflictValueMaxBytes || values+bytes > valuesMaxBytes {
				return nil, bytes
			}
			values += bytes
			return v.Text(), 0
		}
		before := values
		c.Base, c.BaseBytes = show(a.Base)
		c.Client, c.ClientBytes = show(a.Client)
		c.Server, c.ServerBytes = show(a.Server)
		if size += sentBytes(c.Path) + sentBytes(c.ChangedBy) + conflictFrameBytes + values - before; size > l.ConflictsMaxBytes {
			break
		}
		list = append(list, c)
	}
	if len(list) < len(all) {
		total = len(all)
	}
	return list, total
}

// sentBytes is how long a name is when it is sent: it may grow sixfold by its escapes.
func sentBytes(name string) int {
	text, err := json.Marshal(name)
	if err != nil {
		panic("collection: a name always marshals: " + err.Error())
	}
	return len(text)
}

// shown says that the path is at, below or above one of the fields; without fields all are shown.
func shown(path jsonvalue.Pointer, fields []jsonvalue.Pointer) bool {
	return len(fields) == 0 || slices.ContainsFunc(fields, func(f jsonvalue.Pointer) bool {
		n := min(len(f), len(path))
		return slices.Equal(f[:n], path[:n])
	})
}

// conflict is the refusal of a stale write, with all that a client needs to settle it.
func (l Limits) conflict(s State, c *Write, found staleness, open []disagreement, t *rules.Type) error {
	list, total := l.conflictList(open, c.Fields)
	p := problem.New(problem.VersionConflict, "version %d is not the newest: it is %d", found.base, s.Version)
	p = p.With("baseVersion", found.base).With("currentVersion", s.Version)
	if by := newestBy(open); by != "" {
		p = p.With("changedBy", by)
	}
	p = p.With("conflicts", list)
	if total > 0 {
		p = p.With("conflictsTotal", total)
	}
	allowed := t.Conflict.Allowed
	if allowed == nil {
		allowed = rules.Policies
	}
	return p.With("allowed", allowed)
}

// newestBy is who has changed any of the parts last.
func newestBy(open []disagreement) (by string) {
	newest := uint64(0)
	for i := range open {
		if p := &open[i].part; p.version >= newest && p.by != "" {
			newest, by = p.version, p.by
		}
	}
	return by
}

// refused is the refusal of a stale write that nothing is merged for: each part that has changed is a conflict.
func (d *draft) refused(c *Write, found staleness, t *rules.Type, l Limits) error {
	if len(found.parts) == 0 {
		return l.staleWhole(d.state, found.base, merge.ModifyDelete, t)
	}
	d.rebase(found)
	if found.gone {
		return l.conflict(d.state, c, found, d.gone(found), t)
	}
	if err := d.change(c, l); err != nil {
		return err
	}
	open := make([]disagreement, 0, len(d.bases))
	for _, part := range d.unsettled(found) {
		s, err := d.sides(part.id)
		if err != nil {
			return err
		}
		if !found.all() || !jsonvalue.Equal(s.client, s.server) {
			open = append(open, disagreement{merge.Conflict{Path: placeOf(part.id), Kind: s.kind(),
				Base: s.base, Client: s.client, Server: s.server}, part, ""})
		}
	}
	if len(open) == 0 || d.facts.TooMuch() != nil {
		open = []disagreement{{merge.Conflict{Path: jsonvalue.Pointer{"documents"}, Kind: merge.ModifyModify}, found.parts[0], ""}}
	}
	return l.conflict(d.state, c, found, open, t)
}

// gone are the parts of a collection that was deleted since: what the client has built on them is not worked out.
func (d *draft) gone(found staleness) []disagreement {
	open := make([]disagreement, len(found.parts))
	for i, part := range found.parts {
		open[i] = disagreement{merge.Conflict{Path: jsonvalue.Pointer{"documents"}, Kind: merge.ModifyModify}, part, ""}
		if !d.state.Live() {
			open[i].Kind = merge.ModifyDelete
		}
		if part.documents {
			continue
		}
		open[i].Path = placeOf(part.id)
		if old := d.current(part.id); !old.Exists {
			open[i].Kind = merge.ModifyDelete
		} else if v, err := valueOf(old); err == nil {
			open[i].Server = v
		}
	}
	return open
}

// staleWhole is the refusal of a change of the collection as a whole that was built on an older version.
func (l Limits) staleWhole(s State, base uint64, kind merge.Kind, t *rules.Type) error {
	if base > s.Version {
		return newer(s, base)
	}
	found := staleness{base: base, parts: []stalePart{{base: base, version: s.Version}}}
	return l.conflict(s, &Write{}, found, []disagreement{{merge.Conflict{Kind: kind}, found.parts[0], ""}}, t)
}

// kind is how two sides disagree on a part as a whole.
func (s sides) kind() merge.Kind {
	switch {
	case s.server == nil:
		return merge.ModifyDelete
	case s.client == nil:
		return merge.DeleteModify
	case s.base == nil:
		return merge.AddAdd
	default:
		return merge.ModifyModify
	}
}
