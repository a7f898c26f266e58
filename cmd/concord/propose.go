package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"concord/actors/jsonvalue"
	"concord/actors/merge"
	"concord/actors/problem"
	"concord/cmd/concord/internal/resolve"
	"concord/transport/client"
)

// proposal is what a command would change in a collection.
type proposal struct {
	id      string
	replace bool // the documents that the changes put are all that there are to be
	changes []client.Change
	send    func(*client.Client, []client.CallOption) (*client.Result, error)
}

// propose sends the proposal, settles its conflicts if the user wants that, and tells what became of it.
func (a *app) propose(ctx context.Context, p *proposal, w *writeFlags) error {
	how, err := w.resolution()
	if err != nil {
		return err
	}
	if err := w.based(p); err != nil {
		return err
	}
	options, err := w.options()
	if err != nil {
		return err
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	var result *client.Result
	if how == nil {
		result, err = p.send(c, options)
	} else {
		result, err = a.sendAndSettle(ctx, c, p, w, how)
	}
	if err != nil {
		return err
	}
	return a.wrote(ctx, c, result, w)
}

// based refuses flags about stale bases where no base is named.
func (w *writeFlags) based(p *proposal) error {
	named := w.base != 0 || slices.ContainsFunc(p.changes, func(c client.Change) bool { return c.BaseVersion != 0 })
	if w.conflict.settles() && !named && !w.opaque {
		return usagef("--policy, --fields and --resolve are about a change whose base is stale: name the base with --base")
	}
	return nil
}

// sendAndSettle sends the proposal to be merged, and settles by hand what cannot be.
func (a *app) sendAndSettle(ctx context.Context, c *client.Client, p *proposal, w *writeFlags, how *resolution) (*client.Result, error) {
	first := *w
	if first.conflict.policy == "" {
		first.conflict.policy = string(client.PolicyMerge)
	}
	options, err := first.options()
	if err != nil {
		return nil, err
	}
	result, err := p.send(c, options)
	if client.IsCode(err, problem.PolicyNotAllowed) && w.conflict.policy == "" {
		if options, err = w.options(); err != nil {
			return nil, err
		}
		result, err = p.send(c, options)
	}
	met, ok := errors.AsType[*client.Conflict](err)
	if !ok || met.CurrentVersion <= met.BaseVersion {
		return result, err
	}
	s := &settling{app: a, client: c, proposal: p, flags: w, how: how, met: met, current: met.CurrentVersion}
	return s.run(ctx)
}

// Bounds of what is read to settle conflicts.
const (
	partsMax     = 10_000 // one version changes no more
	partsOneRead = 100
)

// ours is what the changes make of a part.
type ours struct {
	base    uint64 // what they build on; 0: what there is
	changes []client.Change
}

// byPart sorts the changes by the parts that they change.
func (p *proposal) byPart(base uint64) (map[string]*ours, error) {
	parts := make(map[string]*ours)
	for _, change := range p.changes {
		on := base
		if change.BaseVersion != 0 {
			on = change.BaseVersion
		}
		part, ok := parts[change.ID]
		if !ok {
			part = &ours{base: on}
			parts[change.ID] = part
		}
		if part.base != on {
			return nil, usagef("changes of one document that are to be settled name one base version, not several")
		}
		part.changes = append(part.changes, change)
	}
	return parts, nil
}

// sides reads what the proposal touches: as it was, as the changes make it of that, and as it is at the version.
func (p *proposal) sides(ctx context.Context, c *client.Client, base, current uint64) ([]resolve.Part, error) {
	changed, err := p.byPart(base)
	if err != nil {
		return nil, err
	}
	ids := make(map[uint64][]string) // that are built on a version
	for id, part := range changed {
		if part.base != 0 {
			ids[part.base] = append(ids[part.base], id)
		}
	}
	read := reader{c, p.id}
	was := make(map[string]*jsonvalue.Value)
	for version, some := range ids {
		if err := read.parts(ctx, version, some, was); err != nil {
			return nil, err
		}
	}
	is := make(map[string]*jsonvalue.Value)
	if p.replace {
		err = errors.Join(read.documents(ctx, base, was), read.documents(ctx, current, is))
	}
	if err == nil {
		err = read.parts(ctx, current, slices.Collect(maps.Keys(changed)), is)
	}
	if err != nil {
		return nil, err
	}
	return p.together(changed, was, is)
}

// together makes the three sides of each part, in order of their ids.
func (p *proposal) together(changed map[string]*ours, was, is map[string]*jsonvalue.Value) ([]resolve.Part, error) {
	all := maps.Clone(was)
	maps.Copy(all, is)
	for id := range changed {
		all[id] = nil
	}
	if len(all) > partsMax {
		return nil, fmt.Errorf("%d documents are too many to be settled by hand: at most %d", len(all), partsMax)
	}
	parts := make([]resolve.Part, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		part := resolve.Part{Document: id, Base: was[id], Theirs: is[id]}
		change, touched := changed[id]
		if touched && change.base == 0 {
			part.Base = part.Theirs
		}
		switch {
		case touched:
			var err error
			if part.Ours, err = apply(part.Base, change.changes); err != nil {
				return nil, fmt.Errorf("%s: %w", partPath(id), err)
			}
		case id == "":
			part.Ours = part.Base
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// apply makes the changes of a part, one after another.
func apply(v *jsonvalue.Value, changes []client.Change) (*jsonvalue.Value, error) {
	for _, change := range changes {
		var err error
		if v, err = applyOne(v, change); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func applyOne(v *jsonvalue.Value, change client.Change) (*jsonvalue.Value, error) {
	switch change.Op {
	case "remove-document":
		return nil, nil //nolint:nilnil // nothing is a value here
	case "patch-document", "patch-metadata":
		patch, err := jsonvalue.ParsePatch(change.Value)
		if err != nil {
			return nil, err
		}
		if v == nil && change.ID != "" {
			return nil, errors.New("there was no such document to be patched")
		}
		if v == nil {
			v = jsonvalue.NewObject()
		}
		return patch.Apply(v, jsonvalue.DefaultLimits())
	}
	given, err := jsonvalue.Parse(change.Value)
	if err != nil {
		return nil, err
	}
	switch change.Op {
	case "put-document", "put-metadata":
		return given, nil
	case "merge-document", "merge-metadata":
		return jsonvalue.MergePatch(v, given), nil
	default:
		return nil, usagef("unknown change %q", change.Op)
	}
}

// partPath is where a part stands in a collection.
func partPath(document string) string {
	if document == "" {
		return "/metadata"
	}
	return documentPath(document)
}

func documentPath(id string) string { return jsonvalue.Pointer{"documents", id}.String() }

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// reader reads parts of a collection at versions of it.
type reader struct {
	client *client.Client
	id     string
}

// parts reads the metadata ("") and documents; those that are not there stay out.
func (r reader) parts(ctx context.Context, version uint64, ids []string, into map[string]*jsonvalue.Value) error {
	ids = slices.Sorted(slices.Values(ids))
	if len(ids) > 0 && ids[0] == "" {
		ids = ids[1:]
		whole, err := r.client.CollectionGet(ctx, r.id, client.Version(version), client.WithoutDocuments())
		if err != nil {
			return err
		}
		if into[""], err = valueOf(whole.Metadata); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(ids, partsOneRead) {
		if err := r.read(ctx, into, client.Version(version), client.OnlyDocuments(some...)); err != nil {
			return err
		}
	}
	return nil
}

// documents reads all documents.
func (r reader) documents(ctx context.Context, version uint64, into map[string]*jsonvalue.Value) error {
	if version == 0 {
		return nil
	}
	return r.read(ctx, into, client.Version(version))
}

func (r reader) read(ctx context.Context, into map[string]*jsonvalue.Value, options ...client.CallOption) error {
	for item, err := range r.client.Documents(ctx, r.id, options...) {
		if err != nil {
			return err
		}
		if into[item.ID], err = valueOf(item.Value); err != nil {
			return err
		}
		if len(into) > partsMax+1 {
			return fmt.Errorf("there are more than %d documents: too many to be settled by hand", partsMax)
		}
	}
	return nil
}

// valueOf reads JSON; nothing is nil.
func valueOf(text json.RawMessage) (*jsonvalue.Value, error) {
	if len(text) == 0 {
		return nil, nil //nolint:nilnil // nothing is a value here
	}
	return jsonvalue.Parse(text)
}

// mergeRules are those of the collection's type, as its author wrote them; none without a type.
func (r reader) mergeRules(ctx context.Context) ([]merge.Rule, error) {
	whole, err := r.client.CollectionGet(ctx, r.id, client.WithoutDocuments())
	if err != nil || whole.Type == "" {
		return nil, err
	}
	t, err := r.client.TypeGet(ctx, whole.Type)
	if client.IsCode(err, problem.NotFound) {
		return nil, nil // what a deleted type said does not hold any more
	}
	if err != nil {
		return nil, err
	}
	var says struct {
		Conflict struct {
			Rules []struct {
				Path     string         `json:"path"`
				Strategy merge.Strategy `json:"strategy"`
				Key      string         `json:"key"`
			} `json:"rules"`
		} `json:"conflict"`
	}
	if err := json.Unmarshal(t.Value, &says); err != nil {
		return nil, fmt.Errorf("read the type %s: %w", whole.Type, err)
	}
	list := make([]merge.Rule, len(says.Conflict.Rules))
	for i, rule := range says.Conflict.Rules {
		path, err := jsonvalue.ParsePointer(rule.Path)
		if err != nil {
			return nil, fmt.Errorf("read the type %s: rule %d: %w", whole.Type, i, err)
		}
		list[i] = merge.Rule{Path: path, Strategy: rule.Strategy, Key: rule.Key}
	}
	return list, nil
}
