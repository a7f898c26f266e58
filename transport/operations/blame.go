package operations

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	"concord/actors/collection"
	"concord/actors/collection/collectionpb"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// collectionBlame reads what was noted at write time: it costs a page, not the history.
func (s *Service) collectionBlame(_ context.Context, r *transport.Request, done reply) {
	limit, err := s.limit(r)
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
		sh, err := newest(view, id)
		if err != nil {
			return nil, err
		}
		if sh.state.Deleted {
			return nil, noSuchCollection()
		}
		blame, err := s.blame(sh, c.After, paged, limit)
		if err != nil {
			return nil, err
		}
		return ok(blame)
	})
}

// blame is one page. The metadata stands on the first, and may leave the documents no room there.
func (s *Service) blame(sh *shown, after string, paged bool, limit int) (*api.Blame, error) {
	b := &api.Blame{Version: sh.version, Metadata: map[string]api.BlameEntry{}, Documents: map[string]api.BlameEntry{}}
	size := 0
	if !paged {
		var err error
		if size, err = s.blameMetadata(b, sh); err != nil {
			return nil, err
		}
	}
	last := after
	for p, err := range sh.parts(after) {
		if err != nil {
			return nil, err
		}
		info, err := infoOf(p)
		if err != nil {
			return nil, err
		}
		entry := blameEntry(p.Version, info)
		more, err := entryBytes(p.ID, entry)
		if err != nil {
			return nil, err
		}
		if len(b.Documents) == limit || size > 0 && size+more > s.Limits.PageMaxBytes {
			b.Next = cursor{After: last}.String()
			break
		}
		b.Documents[p.ID], last, size = entry, p.ID, size+more
	}
	return b, nil
}

// blameMetadata names who wrote each member, or, if nobody noted it or a page does not hold it, who wrote the whole last.
// It returns how many bytes that takes.
func (s *Service) blameMetadata(b *api.Blame, sh *shown) (size int, err error) {
	p, there, err := sh.part(collection.MetadataPart)
	if err != nil || !there {
		return 0, err
	}
	info, err := infoOf(p)
	if err != nil {
		return 0, err
	}
	for _, m := range info.GetBlame() {
		entry := blameEntry(m.GetVersion(), m)
		more, err := entryBytes(m.GetName(), entry)
		if err != nil {
			return 0, err
		}
		if size += more; size > s.Limits.PageMaxBytes {
			clear(b.Metadata)
			break
		}
		b.Metadata[m.GetName()] = entry
	}
	if len(b.Metadata) == 0 {
		entry := blameEntry(p.Version, info)
		b.Whole = &entry
		return entryBytes("", entry)
	}
	return size, nil
}

// blameEntry is who wrote something, as it was noted then.
func blameEntry(version uint64, noted interface {
	GetTime() int64
	GetPrincipal() string
},
) api.BlameEntry {
	return api.BlameEntry{Version: version, Time: persistence.TimeOf(noted.GetTime()), Principal: noted.GetPrincipal()}
}

// entryBytes is how many bytes an entry takes in the answer.
func entryBytes(name string, entry api.BlameEntry) (int, error) {
	text, err := encode(map[string]api.BlameEntry{name: entry})
	return len(text), err
}

func infoOf(p persistence.Part) (*collectionpb.PartInfo, error) {
	var info collectionpb.PartInfo
	if err := proto.Unmarshal(p.Info, &info); err != nil {
		return nil, errors.Join(persistence.ErrCorrupt, err)
	}
	return &info, nil
}
