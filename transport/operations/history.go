package operations

import (
	"context"
	"encoding/json"

	"concord/actors/collection"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/persistence"
	"concord/persistence/recordpb"
	"concord/transport"
	"concord/transport/api"
)

// historyNamedMax is how many documents an entry of the history names.
const historyNamedMax = 20

// collectionHistory lists versions, the newest first.
func (s *Service) collectionHistory(_ context.Context, r *transport.Request, done reply) {
	limit, err := s.limit(r)
	if err != nil {
		done(nil, err)
		return
	}
	c, _, err := cursorParam(r)
	if err != nil {
		done(nil, err)
		return
	}
	id := collectionID(r)
	s.read(id, done, func(view persistence.View) (*transport.Reply, error) {
		if _, err := newest(view, id); err != nil {
			return nil, err
		}
		page, last := s.newPage(limit), uint64(0)
		for rec, err := range view.Versions(id, c.Version) {
			if err != nil {
				return nil, err
			}
			v, err := versionOf(rec)
			if err != nil {
				return nil, err
			}
			if fits, err := page.add(v); err != nil {
				return nil, err
			} else if !fits {
				return page.reply(&cursor{Version: last}), nil
			}
			last = v.Version
		}
		return page.reply(nil), nil
	})
}

func versionOf(rec *recordpb.Record) (api.Version, error) {
	v := api.Version{
		Version: rec.GetVersion(), Seq: rec.GetSeq(), Time: persistence.TimeOf(rec.GetTime()), Type: rec.GetType(),
		Principal: rec.GetPrincipal(), Session: rec.GetSession(), RequestID: rec.GetRequestId(), Reason: rec.GetReason(),
		Fence: rec.GetFence(), Changed: transport.ChangedBy(rec, historyNamedMax),
	}
	if t := rec.GetType(); t == collection.TypeSaved || t == collection.TypeDeleted {
		saved, err := savedOf(rec)
		if err != nil {
			return v, err
		}
		v.RevertedTo, v.Merge = saved.GetRevertedTo(), collection.MergeOf(saved).Data()
		v.Relinked, v.Propagation, v.Bulk = saved.GetLinked().GetRelink(), saved.GetLinked().GetJob(), saved.GetTask()
	}
	return v, nil
}

// collectionDiff compares two versions. It costs what changed between them.
func (s *Service) collectionDiff(_ context.Context, r *transport.Request, done reply) {
	from, given, err := intParam(r, "from")
	if err == nil && (!given || from == 0) {
		err = problem.At("from", "is missing: from which version?")
	}
	if err != nil {
		done(nil, err)
		return
	}
	to, toGiven, err := intParam(r, "to")
	if err != nil {
		done(nil, err)
		return
	}
	c, paged, err := cursorParam(r)
	if err != nil {
		done(nil, err)
		return
	}
	id := collectionID(r)
	s.read(id, done, func(view persistence.View) (*transport.Reply, error) {
		head, err := newest(view, id)
		if err != nil {
			return nil, err
		}
		if !toGiven {
			to = head.version
		}
		var after *string
		if paged {
			to, after = c.Version, &c.After // the metadata has the empty id, and may be what the last page ended with
		}
		diff, err := s.diff(view, id, from, to, after)
		if err != nil {
			return nil, err
		}
		return ok(diff)
	})
}

func (s *Service) diff(view persistence.View, id persistence.EntityID, from, to uint64, after *string) (*api.Diff, error) {
	old, err := at(view, id, from)
	if err != nil {
		return nil, err
	}
	now, err := at(view, id, to)
	if err != nil {
		return nil, err
	}
	ids, err := touchedBetween(view, id, min(from, to), max(from, to), old.state.Born != now.state.Born)
	if err != nil {
		return nil, err
	}
	d := &api.Diff{From: from, To: to, Changes: []api.ReadableChange{}}
	var patch jsonvalue.Patch
	size := 0
	for i, part := range ids {
		if after != nil && part <= *after {
			continue
		}
		before, err := old.tree(part)
		if err != nil {
			return nil, err
		}
		then, err := now.tree(part)
		if err != nil {
			return nil, err
		}
		found, err := diffPart(part, before, then, s.Limits.PageMaxBytes)
		if err != nil {
			return nil, err
		}
		if size > 0 && size+found.bytes > s.Limits.PageMaxBytes/2 {
			d.Next = cursor{After: ids[i-1], Version: to}.String()
			break
		}
		size += found.bytes
		patch, d.Changes = append(patch, found.patch...), append(d.Changes, found.changes...)
	}
	d.Patch = patch.Text()
	return d, nil
}

// touchedBetween are the parts that events above low, up to high, have written. With all, those are not enough, since
// the collection was deleted or re-created in between: then it is every part of either version.
func touchedBetween(view persistence.View, id persistence.EntityID, low, high uint64, all bool) ([]string, error) {
	seen := map[string]bool{collection.MetadataPart: true}
	for rec, err := range view.Versions(id, high+1) {
		if err != nil {
			return nil, err
		}
		if rec.GetVersion() <= low {
			break
		}
		for _, p := range rec.GetParts() {
			seen[p.GetId()] = true
		}
	}
	if all {
		for _, version := range []uint64{low, high} {
			for p, err := range view.PartsAt(id, version, "") {
				if err != nil {
					return nil, err
				}
				seen[p.ID] = true
			}
		}
	}
	return sortedSet(seen), nil
}

// tree is a part as a value, nil if it is not there; a collection that is there always has metadata.
func (sh *shown) tree(part string) (*jsonvalue.Value, error) {
	if sh.state.Deleted {
		return nil, nil
	}
	p, ok, err := sh.part(part)
	switch {
	case err != nil:
		return nil, err
	case !ok && part == collection.MetadataPart:
		return jsonvalue.NewObject(), nil
	case !ok:
		return nil, nil
	}
	text, err := sh.view.Body(sh.id, p.Place)
	if err != nil {
		return nil, err
	}
	return jsonvalue.Parse(text)
}

// changesMaxBytes bounds the list for people of one document; the patch is never much longer than the document.
const changesMaxBytes = 256 << 10

// valueMaxBytes is the longest value that the list for people shows; of a longer one it tells the size.
const valueMaxBytes = 4 << 10

// partDiff is the difference of one part.
type partDiff struct {
	patch   jsonvalue.Patch
	changes []api.ReadableChange
	bytes   int // of both, as they are sent
}

// diffPart compares a part. The list for people gets what the patch leaves of a page, and no more than changesMaxBytes.
func diffPart(part string, before, after *jsonvalue.Value, pageMaxBytes int) (d partDiff, err error) {
	base := jsonvalue.Pointer{"metadata"}
	if part != collection.MetadataPart {
		base = jsonvalue.Pointer{"documents", part}
	}
	all := jsonvalue.Change{Kind: jsonvalue.Changed, Before: before, After: after}
	list := []jsonvalue.Change{all}
	switch {
	case before == nil && after == nil:
	case before == nil:
		d.patch, list[0].Kind = jsonvalue.Patch{{Op: jsonvalue.OpAdd, Path: base, Value: after}}, jsonvalue.Added
	case after == nil:
		d.patch, list[0].Kind = jsonvalue.Patch{{Op: jsonvalue.OpRemove, Path: base}}, jsonvalue.Removed
	default:
		d.patch = jsonvalue.DiffBelow(base, before, after)
	}
	if len(d.patch) == 0 {
		return partDiff{}, nil
	}
	d.bytes = len(d.patch.Text())
	most := min(changesMaxBytes, max(0, pageMaxBytes-d.bytes))
	if before != nil && after != nil {
		list = jsonvalue.ChangesWithin(before, after, most)
	}
	return d, d.list(base.String(), list, all, most)
}

// list fills in the list for people: the changes, or, if they take more bytes than most, the one that is all of them.
func (d *partDiff) list(base string, changes []jsonvalue.Change, all jsonvalue.Change, most int) error {
	size := 0
	for _, c := range changes {
		r := readable(base, c)
		text, err := encode(r)
		if err != nil {
			return err
		}
		if size += len(text) + len(","); size > most && len(changes) > 1 {
			return d.list(base, []jsonvalue.Change{all}, all, most)
		}
		d.changes = append(d.changes, r)
	}
	d.bytes += size
	return nil
}

func readable(base string, c jsonvalue.Change) api.ReadableChange {
	r := api.ReadableChange{Path: base + c.Path, Kind: c.Kind}
	r.Before, r.BeforeBytes = shownValue(c.Before)
	r.After, r.AfterBytes = shownValue(c.After)
	return r
}

// shownValue is the text of a value, or its size if it is long.
func shownValue(v *jsonvalue.Value) (text json.RawMessage, bytes int) {
	if v == nil {
		return nil, 0
	}
	if n := v.Size(); n > valueMaxBytes {
		return nil, n
	}
	return v.Text(), 0
}
