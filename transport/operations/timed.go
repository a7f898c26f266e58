package operations

import (
	"context"
	"errors"
	"time"

	"concord/actors/problem"
	"concord/persistence"
	"concord/persistence/recordpb"
	"concord/transport"
	"concord/transport/api"
)

// statesMaxRead bounds how many changes of a document are looked through for the one that made it.
const statesMaxRead = 1000

// Timed are the operations for aliases whose clients name versions by their times.
func (s *Service) Timed() api.Timed {
	op := func(name string, handle func(context.Context, *transport.Request, reply)) *transport.Operation {
		return &transport.Operation{Name: name, HasID: true, Inner: "document", Handle: handle, Blocks: true}
	}
	return api.Timed{Get: op("document.timed", s.timedGet), Base: op("document.base", s.timedBase)}
}

// timedGet shows one document with its times.
func (s *Service) timedGet(_ context.Context, r *transport.Request, done reply) {
	q := &getQuery{}
	var err error
	if q.version, _, err = intParam(r, "version"); err != nil {
		done(nil, err)
		return
	}
	id := collectionID(r)
	s.read(id, done, func(view persistence.View) (*transport.Reply, error) {
		sh, err := q.open(view, id)
		if err != nil {
			return nil, err
		}
		d, err := sh.timed(r.Inner)
		if err != nil {
			return nil, err
		}
		return ok(d)
	})
}

// timed is a document with its times.
func (sh *shown) timed(document string) (d api.TimedDocument, err error) {
	p, ok, err := sh.part(document)
	if err != nil {
		return d, err
	}
	if !ok || sh.state.Deleted {
		return d, problem.New(problem.NotFound, "there is no document %q", document)
	}
	d.Version = p.Version
	if d.Modified, err = written(sh.view, sh.id, document, p.Version); err != nil {
		return d, trimmed(err, p.Version)
	}
	if d.Created, err = sh.made(document); err != nil && !errors.Is(err, persistence.ErrTrimmed) {
		return d, err
	}
	d.Value, err = sh.view.Body(sh.id, p.Place)
	return d, err
}

// written is when the version wrote the document. What is newest knows it by itself, also if the version is not kept.
func written(view persistence.View, id persistence.EntityID, document string, version uint64) (time.Time, error) {
	newest, err := view.Part(id, document)
	if err != nil {
		return time.Time{}, err
	}
	if newest.Version != version {
		return timeOf(view, id, version)
	}
	info, err := infoOf(newest)
	return persistence.TimeOf(info.GetTime()), err
}

// timeOf is when the version was made.
func timeOf(view persistence.View, id persistence.EntityID, version uint64) (time.Time, error) {
	for rec, err := range view.Versions(id, version+1) {
		if err != nil {
			return time.Time{}, err
		}
		if rec.GetVersion() == version {
			return recorded(rec), nil
		}
		break
	}
	return time.Time{}, persistence.ErrTrimmed
}

func recorded(rec *recordpb.Record) time.Time { return persistence.TimeOf(rec.GetTime()) }

// made is when the document that is shown was made: after it was last removed. That it was removed and made again is
// not seen beyond the bound. ErrTrimmed means that retention has forgotten it.
func (sh *shown) made(document string) (time.Time, error) {
	since := sh.state.Born - 1 // where the history has to begin
	first, gone, read := uint64(0), true, 0
	for p, err := range sh.view.PartStates(sh.id, document, since) {
		if err != nil {
			return time.Time{}, err
		}
		if read++; p.Version > sh.version || read > statesMaxRead {
			break
		}
		switch {
		case p.Removed:
			since = p.Version
		case gone:
			first = p.Version
		}
		gone = p.Removed
	}
	if since < sh.state.Born { // it was never removed, as far as that is kept
		if _, err := timeOf(sh.view, sh.id, sh.state.Born); err != nil {
			return time.Time{}, err
		}
	}
	return timeOf(sh.view, sh.id, first)
}

// timedBase finds the version of a document that a client has read, by the time of it that the client was told: the whole
// milliseconds of it. version, if it is given and of that time, is the one; else it is the oldest of that millisecond, so
// that of two changes in one millisecond the second is never taken for what a client has read that knows the first.
func (s *Service) timedBase(_ context.Context, r *transport.Request, done reply) {
	modified, _, err := timeParam(r, api.ParamModified)
	if err != nil {
		done(nil, err)
		return
	}
	version, _, err := intParam(r, "version")
	if err != nil {
		done(nil, err)
		return
	}
	id := collectionID(r)
	m := moment{id: id, document: r.Inner, from: time.UnixMilli(modified.UnixMilli()).UTC()}
	s.read(id, done, func(view persistence.View) (*transport.Reply, error) {
		m.view = view
		base, err := m.version(version)
		if err != nil {
			return nil, err
		}
		return ok(api.TimedBase{Base: base})
	})
}

// moment is a millisecond in the life of a document.
type moment struct {
	view     persistence.View
	id       persistence.EntityID
	document string
	from     time.Time
}

// has says that the time is in the millisecond.
func (m *moment) has(t time.Time) bool {
	return !t.Before(m.from) && t.Before(m.from.Add(time.Millisecond))
}

// version is the one that is meant; 0: none that is kept.
func (m *moment) version(named uint64) (uint64, error) {
	if named > 0 {
		fits, err := m.fits(named)
		if fits || err != nil {
			return named, err
		}
	}
	before, err := m.view.VersionAt(m.id, m.from.Add(-time.Microsecond))
	switch {
	case errors.Is(err, persistence.ErrTrimmed):
		return m.lastKept()
	case errors.Is(err, persistence.ErrNotFound):
		before = 0 // it did not exist then
	case err != nil:
		return 0, err
	}
	for p, err := range m.view.PartStates(m.id, m.document, before) {
		if err != nil {
			return 0, err
		}
		if p.Removed {
			continue // nobody has read that; what follows a removal is none
		}
		t, err := written(m.view, m.id, m.document, p.Version)
		if err != nil || !m.has(t) {
			return 0, err
		}
		return p.Version, nil
	}
	return 0, nil
}

// fits says that the named version wrote the document in that millisecond.
func (m *moment) fits(named uint64) (bool, error) {
	for p, err := range m.view.PartStates(m.id, m.document, named-1) {
		if err != nil || p.Version != named || p.Removed {
			return false, err
		}
		t, err := timeOf(m.view, m.id, named)
		if errors.Is(err, persistence.ErrTrimmed) {
			return false, nil
		}
		return m.has(t), err
	}
	return false, nil
}

// lastKept is for a millisecond that retention has forgotten. If one state of the document is all that is kept, and of
// that millisecond, nothing has changed since: the newest version is as good a base. Otherwise it is not known.
func (m *moment) lastKept() (uint64, error) {
	sh, err := newest(m.view, m.id)
	if err != nil || sh.state.Deleted {
		return 0, err
	}
	p, ok, err := sh.part(m.document)
	if err != nil || !ok {
		return 0, err
	}
	for state, err := range m.view.PartStates(m.id, m.document, 0) {
		if err != nil || state.Version != p.Version {
			return 0, err
		}
	}
	info, err := infoOf(p)
	if err != nil || !m.has(persistence.TimeOf(info.GetTime())) {
		return 0, err
	}
	return sh.version, nil
}
