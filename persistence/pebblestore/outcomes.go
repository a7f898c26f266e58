package pebblestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"concord/persistence"
)

// OutcomesMaxBytes is how much disk the index of remembered outcomes may take on a node, if nobody has said otherwise.
const OutcomesMaxBytes = 4 << 30

// forgotten says which outcomes of a partition are no longer remembered, although their records may still be there.
type forgotten struct {
	day uint32 // those of the days before

	early    uint32               // those of the days up to this one...
	position persistence.Position // ...whose records stand at or before this position
}

const forgottenSize = 4 + 4 + 8

func (f forgotten) has(day uint32, pos persistence.Position) bool {
	return day < f.day || day <= f.early && pos <= f.position
}

func (f forgotten) encode() []byte {
	b := binary.BigEndian.AppendUint32(nil, f.day)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(b, f.early), uint64(f.position))
}

func forgottenKey(p persistence.Partition) []byte { return appendPrefix(nil, p, familyForgotten) }

// forgotten reads what the partition has forgotten.
func (r *reader) forgotten(p persistence.Partition) (f forgotten, err error) {
	err = r.get(forgottenKey(p), func(b []byte) error {
		if len(b) != forgottenSize {
			return fmt.Errorf("%w: forgotten outcomes of %d bytes", persistence.ErrCorrupt, len(b))
		}
		f = forgotten{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]),
			persistence.Position(binary.BigEndian.Uint64(b[8:]))}
		return nil
	})
	if errors.Is(err, persistence.ErrNotFound) {
		err = nil
	}
	return f, err
}

// Forgotten is what ForgetOutcomes has done.
type Forgotten struct {
	Bytes uint64 // that the index of outcomes takes now, about
	Early int    // days of partitions that were forgotten although somebody might still ask
	Freed int    // log records that had stayed for their outcomes alone
}

// ForgetOutcomes forgets the outcomes of the days before yesterday, which nobody asks for any more, by range deletion.
// If the index of the others takes more than maxBytes (0: no bound), the oldest days are forgotten early, today last.
// It may run beside everything else, and what it has done becomes durable with the next group.
func (s *Store) ForgetOutcomes(now time.Time, maxBytes uint64) (f Forgotten, err error) {
	s.retaining.Lock()
	defer s.retaining.Unlock()
	today := dayOf(now)
	for p := range s.partitions {
		freed, err := s.forgetBefore(persistence.Partition(p), today-1)
		f.Freed += freed
		if err != nil {
			return f, err
		}
	}
	if f.Bytes, err = s.outcomesBytes(today - 1); err != nil || maxBytes == 0 {
		return f, err
	}
	for day := today - 1; day <= today && f.Bytes > maxBytes; day++ {
		for p := range s.partitions {
			lost, err := s.forgetEarly(persistence.Partition(p), day)
			if err != nil {
				return f, err
			}
			f.Early += lost
		}
		if f.Bytes, err = s.outcomesBytes(day + 1); err != nil {
			return f, err
		}
	}
	return f, nil
}

// outcomesBytes estimates what the outcomes from the day on take.
func (s *Store) outcomesBytes(from uint32) (total uint64, err error) {
	for p := range s.partitions {
		lower, upper := outcomeDays(persistence.Partition(p), from, ^uint32(0))
		n, err := s.db().EstimateDiskUsage(lower, upper)
		if err != nil {
			return 0, fmt.Errorf("estimate the size of the outcomes: %w", err)
		}
		total += n
	}
	return total, nil
}

// outcomeDays are the bounds of the outcomes of the days in [from, to).
func outcomeDays(p persistence.Partition, from, to uint32) (lower, upper []byte) {
	prefix := appendPrefix(nil, p, familyOutcome)
	return binary.BigEndian.AppendUint32(prefix[:3:3], from), binary.BigEndian.AppendUint32(prefix[:3:3], to)
}

// forgetBefore drops the days before the given one. No group writes there.
func (s *Store) forgetBefore(p persistence.Partition, day uint32) (freed int, err error) {
	was, err := s.forgotten(p)
	if err != nil || was.day >= day {
		return 0, err
	}
	b := s.db().NewBatch()
	defer func() { err = errors.Join(err, b.Close()) }()
	if freed, err = s.forgetStrays(b, p, day); err != nil {
		return 0, err
	}
	lower, upper := outcomeDays(p, 0, day)
	return freed, s.forget(b, p, lower, upper, forgotten{day, was.early, was.position})
}

// forgetEarly drops a day that may still be written to: the groups wait. It returns 1 if there was anything to lose.
func (s *Store) forgetEarly(p persistence.Partition, day uint32) (lost int, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	was, err := s.forgotten(p)
	if err != nil {
		return 0, err
	}
	day = max(day, was.early) // what the mark says is true of all its days
	lower, upper := outcomeDays(p, was.day, day+1)
	err = s.walk(lower, upper, func(_, _ []byte) error { lost = 1; return errEnough })
	if err != nil && !errors.Is(err, errEnough) || lost == 0 {
		return 0, err
	}
	b := s.db().NewBatch()
	defer func() { err = errors.Join(err, b.Close()) }()
	return lost, s.forget(b, p, lower, upper, forgotten{was.day, day, s.Last(p)})
}

// errEnough ends a walk that has seen what it was after.
var errEnough = errors.New("enough")

func (s *Store) forget(b *pebble.Batch, p persistence.Partition, lower, upper []byte, f forgotten) error {
	err := errors.Join(b.DeleteRange(lower, upper, nil), b.Set(forgottenKey(p), f.encode(), nil))
	if err == nil {
		err = b.Commit(pebble.NoSync)
	}
	if err != nil {
		return fmt.Errorf("forget outcomes of partition %d: %w", p, err)
	}
	return nil
}

// forgetStrays removes the log records that stand there for their outcomes alone: those of commands that changed nothing,
// and those below the edges of their histories. The newest record of a partition stays for the time being: it says where
// the partition's log ends.
func (s *Store) forgetStrays(b *pebble.Batch, p persistence.Partition, day uint32) (freed int, err error) {
	prefix := appendPrefix(nil, p, familyStray)
	upper := strayKey(p, day, 0)
	err = s.walk(prefix, upper, func(key, _ []byte) error {
		pos := persistence.Position(binary.BigEndian.Uint64(key[7:]))
		if pos == s.Last(p) {
			return nil
		}
		freed++
		return errors.Join(b.Delete(logKey(p, pos), nil), b.Delete(key, nil))
	})
	if err != nil || freed == 0 {
		return 0, err
	}
	trimmed, err := s.trimmed(p)
	if err != nil {
		return 0, err
	}
	return freed, setTrimmed(b, p, trimmed+uint64(freed))
}

// trimmed is how many log records of the partition retention has removed.
func (r *reader) trimmed(p persistence.Partition) (n uint64, err error) {
	err = r.get(appendPrefix(nil, p, familyTrimmed), func(b []byte) error {
		if len(b) != 8 {
			return fmt.Errorf("%w: count of trimmed records of %d bytes", persistence.ErrCorrupt, len(b))
		}
		n = binary.BigEndian.Uint64(b)
		return nil
	})
	if errors.Is(err, persistence.ErrNotFound) {
		err = nil
	}
	return n, err
}

func setTrimmed(b *pebble.Batch, p persistence.Partition, n uint64) error {
	return b.Set(appendPrefix(nil, p, familyTrimmed), binary.BigEndian.AppendUint64(nil, n), nil)
}
