package pebblestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"concord/persistence"
	"concord/persistence/recordpb"
	"github.com/cockroachdb/pebble/v2"
)

// Bounds of one step of a trim. A step ends at the next event where it may once it has reached one of them.
const (
	trimStepMaxRecords = 1000
	trimStepMaxBytes   = 8 << 20
	trimStepMaxParts   = 20_000
)

// trim is one step: it moves the edge of a history up to the record first, and removes what only the versions before
// needed.
type trim struct {
	*history
	o     TrimOptions
	batch *pebble.Batch
	keys  *keyspace
	err   error // of the batch

	removed uint64   // records that leave the log
	records []logged // that go, and with them the edge moves
	first   *logged  // that stays
	fates   map[string]*fate
	tombs   []tomb
	done    Trimmed
}

// logged is a record at its place.
type logged struct {
	pos    persistence.Position
	rec    *recordpb.Record
	stored []byte
}

// fate is what becomes of a part that the records that go have written.
type fate struct {
	last    edgePart // as the newest of them left it
	body    []byte   // if it stands inside that record
	beside  bool     // it stands beside it
	removed bool
}

// tomb is the newest state of a part that goes, unless the part was written again.
type tomb struct {
	part string
	pos  persistence.Position
}

func newTrim(h *history, o TrimOptions) *trim {
	return &trim{history: h, o: o, keys: h.s.keys(h.e), fates: make(map[string]*fate)}
}

func (t *trim) set(key, value []byte) {
	if t.err == nil {
		t.err = t.batch.Set(key, value, nil)
	}
}

func (t *trim) remove(key []byte) {
	if t.err == nil {
		t.err = t.batch.Delete(key, nil)
	}
}

// removeSized tells the store how much the removal frees, so that it compacts where it is worth it.
func (t *trim) removeSized(key []byte, size int) {
	if t.err == nil {
		t.err = t.batch.DeleteSized(key, uint32(size), nil)
	}
}

// gather reads the records that go in this step, all of them before the one with the seq keep. An edge lies in front of
// an event that makes a version, if the entity has versions: so no version is kept in part.
func (t *trim) gather(keep uint64) error {
	readTo := t.readTo()
	var read []logged
	cut, size, parts, version := 0, 0, 0, t.base.Version
	_, upper := t.keys.bounds(familySeq)
	err := t.s.walk(bytes.Clone(t.keys.seq(t.edge+1)), upper, func(_, value []byte) error {
		l, err := t.s.logged(t.keys.partition, persistence.Position(binary.BigEndian.Uint64(value)))
		if err != nil {
			return err
		}
		if len(read) > 0 && (!t.versioned || l.rec.GetVersion() > version) {
			cut = len(read)
		}
		read = append(read, l)
		size, parts, version = size+len(l.stored), parts+len(l.rec.GetParts()), l.rec.GetVersion()
		full := len(read) > trimStepMaxRecords || size > trimStepMaxBytes || parts > trimStepMaxParts
		if l.rec.GetSeq() >= keep || l.pos > readTo || full && cut > 0 {
			return errEnough
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if cut > 0 {
		t.records, t.first, t.batch = read[:cut], &read[cut], t.s.db().NewBatch()
	}
	return nil
}

// readTo is how far the readers of the log have come.
func (t *trim) readTo() persistence.Position {
	if t.o.Read == nil {
		return ^persistence.Position(0)
	}
	return t.o.Read(t.keys.partition)
}

func (r *reader) logged(p persistence.Partition, pos persistence.Position) (logged, error) {
	l := logged{pos: pos, rec: new(recordpb.Record)}
	err := r.get(logKey(p, pos), func(b []byte) error {
		l.stored = bytes.Clone(b)
		return unmarshalRecord(l.stored, l.rec)
	})
	if err != nil {
		return l, fmt.Errorf("record at position %d of partition %d: %w", pos, p, err)
	}
	return l, nil
}

// plan fills the batch.
func (t *trim) plan() error {
	head := t.base
	for i := range t.records {
		before, err := t.cross(head, &t.records[i])
		if err != nil {
			return err
		}
		after, beside, err := t.fold(before, &t.records[i])
		if err != nil {
			return err
		}
		if err := t.writes(&t.records[i], &beside); err != nil {
			return err
		}
		head = after
	}
	head, err := t.cross(head, t.first)
	if err != nil {
		return err
	}
	_, beside, err := t.fold(head, t.first)
	if err != nil {
		return err
	}
	for i := range beside.Parts {
		if err := t.overwritten(beside.Parts[i].ID); err != nil {
			return err
		}
	}
	if err := t.removeRecords(); err != nil {
		return err
	}
	t.settleFates()
	return t.moveEdge(head)
}

// cross is the head before the record: that behind the gap, if there is one, which goes.
func (t *trim) cross(head persistence.Head, l *logged) (persistence.Head, error) {
	first := head.Seq + 1
	if l.rec.GetSeq() == first {
		return head, nil
	}
	g, err := t.s.gap(t.e, first)
	if errors.Is(err, persistence.ErrNotFound) {
		return head, nil // fold says what is wrong
	}
	if err != nil {
		return head, err
	}
	if why := breaks(g, first, head); why != "" {
		return head, fmt.Errorf("%w: event %d: %s", persistence.ErrCorrupt, first, why)
	}
	t.timers(timersOf(g))
	t.remove(t.keys.gap(first))
	return persistence.HeadOf(g.GetHead()), nil
}

// fold checks that the record continues the chain, so that no trim hides that one was tampered with.
func (t *trim) fold(head persistence.Head, l *logged) (persistence.Head, persistence.Projection, error) {
	if l.rec.GetSeq() != head.Seq+1 || !bytes.Equal(l.rec.GetPreviousHash(), head.Hash) {
		return head, persistence.Projection{}, fmt.Errorf("%w: event %d does not continue event %d",
			persistence.ErrCorrupt, l.rec.GetSeq(), head.Seq)
	}
	return t.o.Fold.Record(head, l.rec, hashOf(l.stored))
}

// writes follows what a record that goes has done to parts and timers.
func (t *trim) writes(l *logged, d *persistence.Projection) error {
	for i := range d.Parts {
		c := &d.Parts[i]
		was, err := t.fate(c.ID)
		if err != nil {
			return err
		}
		t.supersede(c.ID, was, d.Version)
		now := &fate{removed: c.Removed, beside: c.Beside, last: edgePart{Part: persistence.Part{ID: c.ID, Version: d.Version, Info: c.Info,
			Place: persistence.Place{Position: l.pos, Index: c.Index, Beside: c.Beside}}}}
		if part := l.rec.GetParts()[c.Index]; c.Beside {
			now.last.digest = part.GetDigest()
		} else if !c.Removed {
			now.body, now.last.digest = part.GetBody(), hashOf(part.GetBody())
		}
		t.fates[c.ID] = now
	}
	t.timers(d.Timers)
	return nil
}

// timers follows what was done to timers before the edge.
func (t *trim) timers(changes []persistence.TimerChange) {
	for _, timer := range changes {
		if !timer.Was.IsZero() {
			t.remove(t.keys.edgeTimer(timer.Was, timer.Name))
		}
		if !timer.Due.IsZero() {
			t.set(t.keys.edgeTimer(timer.Due, timer.Name), nil)
		}
	}
}

// fate is that of a part so far; nil if it has none. One that the edge so far has begins there.
func (t *trim) fate(part string) (*fate, error) {
	if f, ok := t.fates[part]; ok || t.edge == 0 {
		return f, nil
	}
	var f *fate
	key := bytes.Clone(t.keys.part(familyEdgePart, part))
	err := t.s.get(key, func(value []byte) error {
		_, p, err := parseEdgePart(key, value)
		f = &fate{last: p, beside: true}
		return err
	})
	if errors.Is(err, persistence.ErrNotFound) {
		return nil, nil
	}
	return f, err
}

// supersede removes what a part was, since an event of the given version wrote it again.
func (t *trim) supersede(part string, was *fate, version uint64) {
	if was == nil {
		return
	}
	t.done.Parts++
	if was.last.Version != version {
		t.remove(t.keys.partAt(part, was.last.Version))
	}
	t.freeBody(was)
}

// freeBody removes the body of a part that nobody can read any more, where it stands beside a record.
func (t *trim) freeBody(was *fate) {
	if !was.removed && was.beside {
		t.done.Bodies++
		t.remove(bodyKey(t.keys.partition, was.last.Place.Position, was.last.Place.Index))
	}
}

// overwritten drops a part that the first record that stays has written.
func (t *trim) overwritten(part string) error {
	was, err := t.fate(part)
	if err != nil || was == nil {
		return err
	}
	t.supersede(part, was, t.first.rec.GetVersion())
	t.remove(t.keys.part(familyEdgePart, part))
	delete(t.fates, part)
	return nil
}
