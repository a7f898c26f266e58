package operations

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/collection"
	"concord/actors/collection/collectionpb"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/internal/planted"
	"concord/persistence"
	"concord/persistence/recordpb"
	"concord/transport"
)

// shown is a collection at one version.
type shown struct {
	id      persistence.EntityID
	view    persistence.View
	state   collection.State
	seq     uint64
	version uint64
	updated time.Time
	newest  bool
}

// newest opens the collection as it is.
func newest(view persistence.View, id persistence.EntityID) (*shown, error) {
	head, err := view.Head(id)
	if errors.Is(err, persistence.ErrNotFound) {
		return nil, noSuchCollection()
	}
	if err != nil {
		return nil, err
	}
	state, err := collection.Behavior{}.DecodeState(head.State)
	if err != nil {
		return nil, err
	}
	if !state.Exists {
		return nil, noSuchCollection() // somebody has locked what is not there yet
	}
	sh := &shown{id: id, view: view, state: state, seq: state.SavedSeq, version: head.Version, updated: state.Updated, newest: true}
	if planted.StaleRead && head.Version > 1 && head.Version%3 == 0 {
		return at(view, id, head.Version-1)
	}
	return sh, nil
}

// at opens the collection as the version left it.
func at(view persistence.View, id persistence.EntityID, version uint64) (*shown, error) {
	now, err := view.Head(id)
	if errors.Is(err, persistence.ErrNotFound) {
		return nil, noSuchCollection()
	}
	if err != nil {
		return nil, err
	}
	if version == 0 || version > now.Version {
		return nil, problem.New(problem.NotFound, "there is no version %d: the newest is %d", version, now.Version).
			With("currentVersion", now.Version)
	}
	for rec, err := range view.Versions(id, version+1) {
		if err != nil {
			return nil, trimmed(err, version)
		}
		if rec.GetVersion() != version {
			break
		}
		return shownOf(view, id, rec)
	}
	return nil, trimmed(persistence.ErrTrimmed, version)
}

func shownOf(view persistence.View, id persistence.EntityID, rec *recordpb.Record) (*shown, error) {
	state, err := stateAfter(rec)
	if err != nil {
		return nil, err
	}
	return &shown{id: id, view: view, state: state, seq: rec.GetSeq(), version: rec.GetVersion(),
		updated: persistence.TimeOf(rec.GetTime())}, nil
}

// stateAfter reads the state of a collection from the event that made it.
func stateAfter(rec *recordpb.Record) (collection.State, error) {
	if rec.GetType() == collection.TypeDeleted {
		return collection.State{Exists: true, Deleted: true}, nil
	}
	saved, err := savedOf(rec)
	if err != nil {
		return collection.State{}, err
	}
	m := saved.GetState()
	state := collection.State{Exists: true, Format: m.GetFormat(), Type: m.GetType(), Born: m.GetBorn(),
		Documents: m.GetDocuments(), Created: persistence.TimeOf(m.GetCreated())}
	if state.Born == 0 {
		state.Born, state.Created = rec.GetVersion(), persistence.TimeOf(rec.GetTime())
	}
	return state, nil
}

func savedOf(rec *recordpb.Record) (*collectionpb.Saved, error) {
	var saved collectionpb.Saved
	if err := proto.Unmarshal(rec.GetPayload(), &saved); err != nil {
		return nil, errors.Join(persistence.ErrCorrupt, err)
	}
	return &saved, nil
}

// trimmed turns the store's word for it into the caller's.
func trimmed(err error, version uint64) error {
	if errors.Is(err, persistence.ErrTrimmed) {
		return problem.New(problem.NotFound, "version %d is no longer kept", version).With("trimmed", true)
	}
	return err
}

// part is a part as it was at the shown version; ok is false if it was not there.
func (sh *shown) part(id string) (p persistence.Part, ok bool, err error) {
	if sh.newest {
		p, err = sh.view.Part(sh.id, id)
	} else {
		p, err = sh.view.PartAt(sh.id, id, sh.version)
	}
	if errors.Is(err, persistence.ErrNotFound) {
		return p, false, nil
	}
	return p, err == nil && !p.Removed && p.Version >= sh.state.Born, trimmed(err, sh.version)
}

// parts are the documents at the shown version, those of earlier lives of the collection left out.
func (sh *shown) parts(after string) iter.Seq2[persistence.Part, error] {
	all := sh.view.PartsAt(sh.id, sh.version, after)
	if sh.newest {
		all = sh.view.Parts(sh.id, after)
	}
	return func(yield func(persistence.Part, error) bool) {
		for p, err := range all {
			if err == nil && p.Version < sh.state.Born {
				continue
			}
			if !yield(p, trimmed(err, sh.version)) {
				return
			}
		}
	}
}

// collectionGet shows the newest version, one that is named, or that of a time.
func (s *Service) collectionGet(_ context.Context, r *transport.Request, done reply) {
	q, err := s.getQuery(r)
	if err != nil {
		done(nil, err)
		return
	}
	id := collectionID(r)
	s.read(id, done, func(view persistence.View) (*transport.Reply, error) {
		sh, err := q.open(view, id)
		if err != nil {
			return nil, err
		}
		if sh.state.Deleted {
			return nil, noSuchCollection().With("deletedAt", sh.version)
		}
		return q.answer(s, sh)
	})
}

// getQuery is a collection.get, read.
type getQuery struct {
	version   uint64 // 0: newest
	at        time.Time
	documents bool
	chosen    []string
	fields    []jsonvalue.Pointer
	paged     bool // not the first page: after is where it begins
	after     string
}

func (s *Service) getQuery(r *transport.Request) (q *getQuery, err error) {
	q = &getQuery{chosen: r.Params["document"]}
	var versioned, timed bool
	if q.version, versioned, err = intParam(r, "version"); err != nil {
		return nil, err
	}
	if q.at, timed, err = timeParam(r, "at"); err != nil {
		return nil, err
	}
	switch {
	case versioned && timed:
		return nil, problem.At("at", "give a version or a time, not both")
	case versioned && q.version == 0:
		return nil, problem.At("version", "versions begin at 1")
	}
	switch r.Param("documents") {
	case "all", "":
		q.documents = len(q.chosen) == 0
	case "none":
	default:
		return nil, problem.At("documents", `must be "all" or "none"`)
	}
	if len(q.chosen) > s.Limits.PageMaxItems {
		return nil, problem.At("document", "at most %d documents", s.Limits.PageMaxItems)
	}
	for _, d := range q.chosen {
		if !transport.ValidDocumentID(d) {
			return nil, problem.At("document", "a document id is %s", transport.DocumentIDRule)
		}
	}
	if q.fields, err = fieldsParam(r); err != nil {
		return nil, err
	}
	c, paged, err := cursorParam(r)
	if paged {
		q.version, q.paged, q.after, q.at = c.Version, true, c.After, time.Time{} // all pages are of one version
	}
	return q, err
}

func (q *getQuery) open(view persistence.View, id persistence.EntityID) (*shown, error) {
	if !q.at.IsZero() {
		version, err := view.VersionAt(id, q.at)
		if errors.Is(err, persistence.ErrNotFound) {
			return nil, problem.New(problem.NotFound, "there was no such collection at that time")
		}
		if err != nil {
			return nil, trimmed(err, version)
		}
		return at(view, id, version)
	}
	if q.version != 0 {
		return at(view, id, q.version)
	}
	return newest(view, id)
}

// answer writes the JSON of the collection: contents are copied as they were accepted, not encoded anew.
func (q *getQuery) answer(s *Service, sh *shown) (*transport.Reply, error) {
	var err error
	b := make([]byte, 0, 4096)
	b = append(b, `{"provider":"`...)
	b = append(append(b, sh.id.Provider...), `","id":"`...)
	b = append(append(b, sh.id.ID...), `","version":`...)
	b = strconv.AppendUint(b, sh.version, 10)
	b = append(strconv.AppendUint(append(b, `,"etag":"\"v`...), sh.version, 10), `\"","seq":`...)
	b = strconv.AppendUint(b, sh.seq, 10)
	b = append(append(b, `,"format":"`...), sh.state.Format...)
	if sh.state.Type != "" {
		b = append(append(b, `","type":"`...), sh.state.Type...)
	}
	b = sh.state.Created.AppendFormat(append(b, `","created":"`...), time.RFC3339Nano)
	b = sh.updated.AppendFormat(append(b, `","updated":"`...), time.RFC3339Nano)
	b = strconv.AppendUint(append(b, `","documentCount":`...), sh.state.Documents, 10)
	if !q.paged {
		if b, err = q.appendMetadata(b, sh); err != nil {
			return nil, err
		}
	}
	if q.documents || len(q.chosen) > 0 {
		if b, err = q.appendDocuments(b, s, sh); err != nil {
			return nil, err
		}
	}
	return &transport.Reply{Status: http.StatusOK, Version: sh.version, Body: append(b, '}')}, nil
}

func (q *getQuery) appendMetadata(b []byte, sh *shown) ([]byte, error) {
	text := []byte("{}")
	p, ok, err := sh.part(collection.MetadataPart)
	if err != nil {
		return nil, err
	}
	if ok {
		if text, err = sh.view.Body(sh.id, p.Place); err != nil {
			return nil, err
		}
	}
	text, ok, err = q.choose(text, "metadata", "")
	if err != nil || !ok {
		return b, err
	}
	return append(append(b, `,"metadata":`...), text...), nil
}

// choose keeps the chosen fields of a part; ok is false if none is of it.
func (q *getQuery) choose(text []byte, tokens ...string) (chosen []byte, ok bool, err error) {
	if len(q.fields) == 0 {
		return text, true, nil
	}
	if tokens[1] == "" {
		tokens = tokens[:1]
	}
	var below []jsonvalue.Pointer
	for _, f := range q.fields {
		if len(f) < len(tokens) || f[0] != tokens[0] || len(tokens) == 2 && f[1] != tokens[1] && f[1] != "*" {
			continue
		}
		if len(f) == len(tokens) {
			return text, true, nil
		}
		below = append(below, f[len(tokens):])
	}
	if len(below) == 0 {
		return nil, false, nil
	}
	v, err := jsonvalue.Parse(text)
	if err != nil {
		return nil, false, err
	}
	if v = jsonvalue.Project(v, below); v == nil {
		return nil, false, nil
	}
	return v.Text(), true, nil
}

// documentEnvelopeBytes is what stands around a document and its version in a page, beside its id: at most.
const documentEnvelopeBytes = len(`,:,:18446744073709551615`)

// appendDocuments collects the documents of a page. A page is full when it has visited as many as a page may hold, also
// if the chosen fields left most of them out. The first page has the metadata, and may have no room for a document; each
// other one has at least one.
func (q *getQuery) appendDocuments(b []byte, s *Service, sh *shown) ([]byte, error) {
	var versions []byte
	var next string
	n, visited, last := 0, 0, q.after
	b = append(b, `,"documents":{`...)
	add := func(p persistence.Part) (full bool, err error) {
		text, err := sh.view.Body(sh.id, p.Place)
		if err != nil {
			return false, err
		}
		name := jsonvalue.NewString(p.ID).Text()
		size := len(b) + len(versions) + len(text) + 2*len(name) + documentEnvelopeBytes
		if visited == s.Limits.PageMaxItems || (visited > 0 || !q.paged) && size > s.Limits.PageMaxBytes {
			next = cursor{After: last, Version: sh.version}.String()
			return true, nil
		}
		text, ok, err := q.choose(text, "documents", p.ID)
		visited, last = visited+1, p.ID
		if err != nil || !ok {
			return false, err
		}
		if n > 0 {
			b, versions = append(b, ','), append(versions, ',')
		}
		b = append(append(append(b, name...), ':'), text...)
		versions = strconv.AppendUint(append(append(versions, name...), ':'), p.Version, 10)
		n++
		return false, nil
	}
	if err := q.each(sh, add); err != nil {
		return nil, err
	}
	b = append(append(append(b, `},"documentVersions":{`...), versions...), '}')
	if next != "" {
		b = append(append(append(b, `,"next":"`...), next...), '"')
	}
	return b, nil
}

// each visits the documents asked for in order of their ids, until visit says that it is enough.
func (q *getQuery) each(sh *shown, visit func(persistence.Part) (bool, error)) error {
	if len(q.chosen) == 0 {
		for p, err := range sh.parts(q.after) {
			if err != nil {
				return err
			}
			if enough, err := visit(p); enough || err != nil {
				return err
			}
		}
		return nil
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(q.chosen))) {
		if id <= q.after && q.after != "" {
			continue
		}
		p, ok, err := sh.part(id)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if enough, err := visit(p); enough || err != nil {
			return err
		}
	}
	return nil
}
