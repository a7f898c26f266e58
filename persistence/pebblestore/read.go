package pebblestore

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// reader reads from the database or from one snapshot of it.
type reader struct {
	from       pebble.Reader
	partitions int
}

// view is a reader of one moment.
type view struct {
	reader
	snapshot *pebble.Snapshot
}

// View is a consistent view of this moment.
func (s *Store) View() persistence.View {
	snapshot := s.db().NewSnapshot()
	return &view{reader{snapshot, s.partitions}, snapshot}
}

func (v *view) Close() error { return v.snapshot.Close() }

// Partitions is the count of partitions.
func (r *reader) Partitions() int { return r.partitions }

func (r *reader) keys(e persistence.EntityID) *keyspace {
	return &keyspace{partition: persistence.PartitionOf(e, r.partitions), entity: e, buf: make([]byte, 0, keyUsualBytes)}
}

// get calls use with the value, which is valid during the call only.
func (r *reader) get(key []byte, use func([]byte) error) error {
	value, closer, err := r.from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return persistence.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("read %q: %w", key[2:3], classify(err))
	}
	return errors.Join(use(value), closer.Close())
}

// Head is the newest state of the entity.
func (r *reader) Head(e persistence.EntityID) (h persistence.Head, err error) {
	err = r.get(r.keys(e).head(), func(b []byte) (err error) {
		h, err = persistence.ParseHead(b)
		return err
	})
	return h, err
}

// Part is the newest state of a part.
func (r *reader) Part(e persistence.EntityID, part string) (p persistence.Part, err error) {
	err = r.get(r.keys(e).part(familyPart, part), func(b []byte) (err error) {
		p, err = parsePartState(part, b)
		return err
	})
	return p, err
}

// Body is the accepted bytes of a part. One that stood inside a record stands beside it once retention has removed the
// record; ErrTrimmed if it has removed both.
func (r *reader) Body(e persistence.EntityID, at persistence.Place) (body []byte, err error) {
	partition := persistence.PartitionOf(e, r.partitions)
	if !at.Beside {
		err = r.get(logKey(partition, at.Position), func(b []byte) (err error) {
			body, err = persistence.InlineBody(b, at.Index)
			return err
		})
		if !errors.Is(err, persistence.ErrNotFound) {
			return body, err
		}
	}
	err = r.get(bodyKey(partition, at.Position, at.Index), func(b []byte) error {
		body = bytes.Clone(b)
		return nil
	})
	if errors.Is(err, persistence.ErrNotFound) {
		err = fmt.Errorf("body %d of record %d of partition %d: %w", at.Index, at.Position, partition, persistence.ErrTrimmed)
	}
	return body, err
}

// Parts are the living parts in order of their ids.
func (r *reader) Parts(e persistence.EntityID, after string) iter.Seq2[persistence.Part, error] {
	return func(yield func(persistence.Part, error) bool) {
		k := r.keys(e)
		prefix, upper := k.bounds(familyPart)
		lower := bytes.Clone(k.partAfter(familyPart, after))
		r.scan(lower, upper, func(key, value []byte) (bool, error) {
			p, err := parsePartState(string(key[len(prefix):len(key)-1]), value)
			if err != nil || !p.Removed {
				return yield(p, err), err
			}
			return true, nil
		}, func(err error) { yield(persistence.Part{}, err) })
	}
}

// scan calls visit for each key in [lower, upper) until it returns false; failed is told of an error of the store.
func (r *reader) scan(lower, upper []byte, visit func(key, value []byte) (bool, error), failed func(error)) {
	it, err := r.from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		failed(fmt.Errorf("scan the store: %w", classify(err)))
		return
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			break // Error says it again below
		}
		if more, err := visit(it.Key(), value); !more || err != nil {
			_ = it.Close()
			return
		}
	}
	if err := it.Close(); err != nil {
		failed(fmt.Errorf("scan the store: %w", classify(err)))
	}
}

// record reads a log record.
func (r *reader) record(p persistence.Partition, pos persistence.Position) (*recordpb.Record, error) {
	rec := new(recordpb.Record)
	err := r.get(logKey(p, pos), func(b []byte) error { return unmarshalRecord(b, rec) })
	if errors.Is(err, persistence.ErrNotFound) {
		return nil, fmt.Errorf("record %d of partition %d: %w", pos, p, persistence.ErrTrimmed)
	}
	return rec, err
}

func unmarshalRecord(b []byte, rec *recordpb.Record) error {
	if err := proto.Unmarshal(b, rec); err != nil {
		return fmt.Errorf("%w: record: %w", persistence.ErrCorrupt, err)
	}
	return nil
}

// recordsAt yields the records whose positions are the values of the keys in [lower, upper).
func (r *reader) recordsAt(p persistence.Partition, lower, upper []byte) iter.Seq2[*recordpb.Record, error] {
	return func(yield func(*recordpb.Record, error) bool) {
		r.scan(lower, upper, func(_, value []byte) (bool, error) {
			rec, err := r.record(p, persistence.Position(binary.BigEndian.Uint64(value)))
			return yield(rec, err), err
		}, func(err error) { yield(nil, err) })
	}
}

// Records are the entity's records with a seq above after.
func (r *reader) Records(e persistence.EntityID, after uint64) iter.Seq2[*recordpb.Record, error] {
	k := r.keys(e)
	_, upper := k.bounds(familySeq)
	return r.recordsAt(k.partition, bytes.Clone(k.seq(after+1)), upper)
}

// versionsByKey is how many versions, from a given one down, are looked up by their keys before an iterator is opened for
// more: that costs as much as several such look-ups.
const versionsByKey = 8

// Versions are the records that made the versions below before, newest first. Who knows the newest one names it.
func (r *reader) Versions(e persistence.EntityID, before uint64) iter.Seq2[*recordpb.Record, error] {
	return func(yield func(*recordpb.Record, error) bool) {
		for n := 0; n < versionsByKey && before > 1; n++ {
			rec, err := r.recordOfVersion(e, before-1)
			if errors.Is(err, persistence.ErrNotFound) {
				break // the newest one is below, or what is below was trimmed
			}
			if !yield(rec, err) || err != nil {
				return
			}
			before--
		}
		if before == 1 {
			return
		}
		k := r.keys(e)
		lower, upper := k.bounds(familyVersion)
		if before > 0 {
			lower = bytes.Clone(k.version(before - 1))
		}
		for rec, err := range r.recordsAt(k.partition, lower, upper) {
			if !yield(rec, err) {
				return
			}
		}
	}
}

// recordOfVersion is the record that made the version.
func (r *reader) recordOfVersion(e persistence.EntityID, version uint64) (rec *recordpb.Record, err error) {
	k := r.keys(e)
	var pos persistence.Position
	err = r.get(k.version(version), func(b []byte) error {
		pos = persistence.Position(binary.BigEndian.Uint64(b))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r.record(k.partition, pos)
}

// VersionAt finds the version by bisection: times never fall within an entity.
func (r *reader) VersionAt(e persistence.EntityID, t time.Time) (uint64, error) {
	head, err := r.Head(e)
	if err != nil {
		return 0, err
	}
	oldest, err := r.Oldest(e)
	if err != nil {
		return 0, err
	}
	low, high := oldest, head.Version+1 // the answer is in [low-1, high)
	for low < high {
		middle := low + (high-low)/2
		rec, err := r.recordOfVersion(e, middle)
		if err != nil {
			return 0, err
		}
		if rec.GetTime() <= t.UnixMicro() {
			low = middle + 1
		} else {
			high = middle
		}
	}
	switch {
	case low > oldest:
		return low - 1, nil
	case oldest > 1:
		return 0, persistence.ErrTrimmed
	default:
		return 0, persistence.ErrNotFound
	}
}

// Oldest is the oldest version that is kept.
func (r *reader) Oldest(e persistence.EntityID) (uint64, error) {
	edge, err := r.edge(e)
	if errors.Is(err, persistence.ErrNotFound) {
		return 1, nil
	}
	return edge.GetVersion(), err
}

func (r *reader) edge(e persistence.EntityID) (*recordpb.Base, error) {
	base := new(recordpb.Base)
	err := r.get(r.keys(e).edge(), func(b []byte) error {
		if err := proto.Unmarshal(b, base); err != nil {
			return fmt.Errorf("%w: edge: %w", persistence.ErrCorrupt, err)
		}
		return nil
	})
	return base, err
}

// PartAt is the part as it was at the version: one seek. Retention may be at work meanwhile: it moves the edge with what it takes
// away, so that a part that is not there was not there if the version is kept still.
func (r *reader) PartAt(e persistence.EntityID, part string, version uint64) (persistence.Part, error) {
	if err := r.checkKept(e, version); err != nil {
		return persistence.Part{}, err
	}
	k := r.keys(e)
	lower := bytes.Clone(k.partAt(part, version))
	upper := keyAfter(k.part(familyPartAt, part))
	p, err := persistence.Part{}, persistence.ErrNotFound
	r.scan(lower, upper, func(key, value []byte) (bool, error) {
		p, err = parsePartAt(part, key, value)
		return false, nil
	}, func(failed error) { err = failed })
	if err == nil && p.Removed {
		err = persistence.ErrNotFound
	}
	if errors.Is(err, persistence.ErrNotFound) {
		err = cmp.Or(r.checkKept(e, version), err)
	}
	return p, err
}

func (r *reader) checkKept(e persistence.EntityID, version uint64) error {
	oldest, err := r.Oldest(e)
	if err != nil {
		return err
	}
	if version < oldest {
		return fmt.Errorf("version %d of %v: %w", version, e, persistence.ErrTrimmed)
	}
	return nil
}

func parsePartAt(part string, key, value []byte) (persistence.Part, error) {
	p := persistence.Part{ID: part, Version: ^binary.BigEndian.Uint64(key[len(key)-8:])}
	if len(value) == 1 && value[0] == removedAt {
		p.Removed = true
		return p, nil
	}
	var err error
	p.Place, _, err = parsePlace(value)
	return p, err
}

// PartsAt are the parts that lived at the version. It costs two seeks a part that ever was.
func (r *reader) PartsAt(e persistence.EntityID, version uint64, after string) iter.Seq2[persistence.Part, error] {
	return func(yield func(persistence.Part, error) bool) {
		if err := r.checkKept(e, version); err != nil {
			yield(persistence.Part{}, err)
			return
		}
		k := r.keys(e)
		prefix, upper := k.bounds(familyPartAt)
		it, err := r.from.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: upper})
		if err != nil {
			yield(persistence.Part{}, fmt.Errorf("scan versions: %w", classify(err)))
			return
		}
		for ok := it.SeekGE(k.partAfter(familyPartAt, after)); ok; {
			part := string(it.Key()[len(prefix) : len(it.Key())-9])
			if ok = it.SeekGE(k.partAt(part, version)); ok && isPart(it.Key(), prefix, part) {
				p, err := parsePartAt(part, it.Key(), it.Value())
				if (err != nil || !p.Removed) && !yield(p, err) {
					break
				}
			}
			ok = it.SeekGE(k.partAfter(familyPartAt, part))
		}
		if err := it.Close(); err != nil {
			yield(persistence.Part{}, fmt.Errorf("scan versions: %w", classify(err)))
		}
	}
}

// PartStates are the states of a part, the oldest first: newer versions have lesser keys.
func (r *reader) PartStates(e persistence.EntityID, part string, after uint64) iter.Seq2[persistence.Part, error] {
	return func(yield func(persistence.Part, error) bool) {
		k := r.keys(e)
		lower := bytes.Clone(k.part(familyPartAt, part))
		it, err := r.from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: bytes.Clone(k.partAt(part, after))})
		if err != nil {
			yield(persistence.Part{}, fmt.Errorf("scan versions: %w", classify(err)))
			return
		}
		for ok := it.Last(); ok; ok = it.Prev() {
			p, err := parsePartAt(part, it.Key(), it.Value())
			if !yield(p, err) || err != nil {
				_ = it.Close()
				return
			}
		}
		if err := it.Close(); err != nil {
			yield(persistence.Part{}, fmt.Errorf("scan versions: %w", classify(err)))
		}
	}
}

func isPart(key, prefix []byte, part string) bool {
	return len(key) == len(prefix)+len(part)+9 && string(key[len(prefix):len(key)-9]) == part
}

// Outcome finds the outcome of a key in today's and the day before's records.
func (r *reader) Outcome(e persistence.EntityID, principal, key string, since time.Time) (*recordpb.Outcome, error) {
	k := r.keys(e)
	for day := dayOf(since) + 1; day+1 > dayOf(since); day-- {
		var pos persistence.Position
		err := r.get(k.outcome(day, principal, key), func(b []byte) error {
			pos = persistence.Position(binary.BigEndian.Uint64(b))
			return nil
		})
		if errors.Is(err, persistence.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		rec, err := r.record(k.partition, pos)
		if err != nil {
			return nil, fmt.Errorf("outcome of key %q: %w", key, err)
		}
		if rec.GetTime() < since.UnixMicro() {
			return nil, persistence.ErrNotFound
		}
		return rec.GetOutcome(), nil
	}
	return nil, persistence.ErrNotFound
}
