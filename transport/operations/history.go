package operations

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/collection"
	"concord/actors/collection/collectionpb"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/persistence"
	"concord/persistence/recordpb"
	"concord/transport"
)

// HistoryPage is the answer of collection.history.
type HistoryPage struct {
	Items []Version `json:"items" doc:"Versions, the newest first"`
	Next  string    `json:"next,omitempty" doc:"Cursor of the next page"`
}

// Version is one version in a history: who changed what, when and why.
type Version struct {
	Version    uint64    `json:"version"`
	Seq        uint64    `json:"seq"`
	Time       time.Time `json:"time"`
	Type       string    `json:"type" doc:"collection.saved or collection.deleted"`
	Principal  string    `json:"principal"`
	Session    string    `json:"session,omitempty"`
	RequestID  string    `json:"requestId,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	Fence      uint64    `json:"fence,omitempty" doc:"Fence of the lock it was written under"`
	RevertedTo uint64    `json:"revertedTo,omitempty" doc:"Version whose content it restored"`
	transport.Changed
}

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
		page, size := HistoryPage{Items: []Version{}}, 0
		for rec, err := range view.Versions(id, c.Version) {
			if err != nil {
				return nil, err
			}
			if len(page.Items) == limit || size > s.Limits.PageMaxBytes/2 {
				page.Next = cursor{Version: page.Items[len(page.Items)-1].Version}.String()
				break
			}
			v, err := versionOf(rec)
			if err != nil {
				return nil, err
			}
			page.Items = append(page.Items, v)
			size += v.Bytes() + len(v.Reason) + eventBytes
		}
		return ok(page)
	})
}

func versionOf(rec *recordpb.Record) (Version, error) {
	v := Version{
		Version: rec.GetVersion(), Seq: rec.GetSeq(), Time: persistence.TimeOf(rec.GetTime()), Type: rec.GetType(),
		Principal: rec.GetPrincipal(), Session: rec.GetSession(), RequestID: rec.GetRequestId(), Reason: rec.GetReason(),
		Fence: rec.GetFence(), Changed: transport.ChangedBy(rec, historyNamedMax),
	}
	if rec.GetType() == collection.TypeSaved {
		saved, err := savedOf(rec)
		if err != nil {
			return v, err
		}
		v.RevertedTo = saved.GetRevertedTo()
	}
	return v, nil
}

// ok is a success with a JSON body.
func ok(body any) (*transport.Reply, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // contents are shown as they are
	if err := e.Encode(body); err != nil {
		return nil, err
	}
	return &transport.Reply{Status: http.StatusOK, Body: bytes.TrimSuffix(text.Bytes(), []byte("\n"))}, nil
}

// Diff is the answer of collection.diff.
type Diff struct {
	From    uint64           `json:"from"`
	To      uint64           `json:"to"`
	Patch   json.RawMessage  `json:"patch" doc:"RFC 6902, on {metadata, documents}"`
	Changes []ReadableChange `json:"changes" doc:"The same for people"`
	Next    string           `json:"next,omitempty" doc:"Cursor of the next page"`
}

// ReadableChange is one difference.
type ReadableChange struct {
	Path   string          `json:"path"`
	Kind   string          `json:"kind" doc:"added, removed or changed"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`

	BeforeBytes int `json:"beforeBytes,omitempty" doc:"Size of a value that is too long to be shown"`
	AfterBytes  int `json:"afterBytes,omitempty" doc:"Size of a value that is too long to be shown"`
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

func (s *Service) diff(view persistence.View, id persistence.EntityID, from, to uint64, after *string) (*Diff, error) {
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
	d := &Diff{From: from, To: to, Changes: []ReadableChange{}}
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
		ops, changes, more := diffPart(part, before, then)
		if size > 0 && size+more > s.Limits.PageMaxBytes/2 {
			d.Next = cursor{After: ids[i-1], Version: to}.String()
			break
		}
		size += more
		patch, d.Changes = append(patch, ops...), append(d.Changes, changes...)
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

// diffPart is the difference of one part, and about how large it is.
func diffPart(part string, before, after *jsonvalue.Value) (jsonvalue.Patch, []ReadableChange, int) {
	base := jsonvalue.Pointer{"metadata"}
	if part != collection.MetadataPart {
		base = jsonvalue.Pointer{"documents", part}
	}
	var patch jsonvalue.Patch
	var changes []ReadableChange
	switch {
	case before == nil && after == nil:
	case before == nil:
		patch = jsonvalue.Patch{{Op: jsonvalue.OpAdd, Path: base, Value: after}}
		changes = []ReadableChange{readable("", jsonvalue.Change{Path: base.String(), Kind: jsonvalue.Added, After: after})}
	case after == nil:
		patch = jsonvalue.Patch{{Op: jsonvalue.OpRemove, Path: base}}
		changes = []ReadableChange{readable("", jsonvalue.Change{Path: base.String(), Kind: jsonvalue.Removed, Before: before})}
	default:
		for _, op := range jsonvalue.Diff(before, after) {
			op.Path = append(append(jsonvalue.Pointer{}, base...), op.Path...)
			if len(op.From) > 0 {
				op.From = append(append(jsonvalue.Pointer{}, base...), op.From...)
			}
			patch = append(patch, op)
		}
		for _, c := range jsonvalue.ChangesWithin(before, after, changesMaxBytes) {
			changes = append(changes, readable(base.String(), c))
		}
	}
	if len(patch) == 0 {
		return nil, nil, 0
	}
	size := len(patch.Text())
	for _, c := range changes {
		size += len(c.Path) + len(c.Before) + len(c.After)
	}
	return patch, changes, size
}

func readable(base string, c jsonvalue.Change) ReadableChange {
	r := ReadableChange{Path: base + c.Path, Kind: c.Kind}
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

// Blame is the answer of collection.blame.
type Blame struct {
	Version   uint64                `json:"version" doc:"Newest version"`
	Metadata  map[string]BlameEntry `json:"metadata" doc:"Who last wrote each top-level member"`
	Whole     *BlameEntry           `json:"wholeMetadata,omitempty" doc:"Instead, if it has more than 1000 members"`
	Documents map[string]BlameEntry `json:"documents" doc:"Who last wrote each document of this page"`
	Next      string                `json:"next,omitempty" doc:"Cursor of the next page"`
}

// BlameEntry is who wrote something last.
type BlameEntry struct {
	Version   uint64    `json:"version"`
	Time      time.Time `json:"time"`
	Principal string    `json:"principal"`
}

// collectionBlame reads what was noted at write time: it costs a page, not the history.
func (s *Service) collectionBlame(_ context.Context, r *transport.Request, done reply) {
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
		sh, err := newest(view, id)
		if err != nil {
			return nil, err
		}
		if sh.state.Deleted {
			return nil, noSuchCollection()
		}
		blame, err := blameOf(sh, c.After, limit)
		if err != nil {
			return nil, err
		}
		return ok(blame)
	})
}

func blameOf(sh *shown, after string, limit int) (*Blame, error) {
	b := &Blame{Version: sh.version, Metadata: map[string]BlameEntry{}, Documents: map[string]BlameEntry{}}
	p, there, err := sh.part(collection.MetadataPart)
	if err != nil {
		return nil, err
	}
	if there {
		info, err := infoOf(p)
		if err != nil {
			return nil, err
		}
		if len(info.GetBlame()) == 0 {
			b.Whole = &BlameEntry{p.Version, persistence.TimeOf(info.GetTime()), info.GetPrincipal()}
		}
		for _, m := range info.GetBlame() {
			b.Metadata[m.GetName()] = BlameEntry{m.GetVersion(), persistence.TimeOf(m.GetTime()), m.GetPrincipal()}
		}
	}
	last := ""
	for p, err := range sh.parts(after) {
		if err != nil {
			return nil, err
		}
		if len(b.Documents) == limit {
			b.Next = cursor{After: last}.String()
			break
		}
		info, err := infoOf(p)
		if err != nil {
			return nil, err
		}
		b.Documents[p.ID] = BlameEntry{p.Version, persistence.TimeOf(info.GetTime()), info.GetPrincipal()}
		last = p.ID
	}
	return b, nil
}

func infoOf(p persistence.Part) (*collectionpb.PartInfo, error) {
	var info collectionpb.PartInfo
	if err := proto.Unmarshal(p.Info, &info); err != nil {
		return nil, errors.Join(persistence.ErrCorrupt, err)
	}
	return &info, nil
}
