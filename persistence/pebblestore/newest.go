package pebblestore

import (
	"errors"
	"time"

	"concord/persistence"
)

// NewestTime is the time of the newest record of all partitions; the zero time for an empty store. A clock that must
// not go back begins here.
func (s *Store) NewestTime() (time.Time, error) {
	var newest time.Time
	for p := range s.format.Partitions {
		partition := persistence.Partition(p)
		if s.Last(partition) == 0 {
			continue
		}
		rec, err := s.record(partition, s.Last(partition))
		if errors.Is(err, persistence.ErrTrimmed) {
			continue
		}
		if err != nil {
			return newest, err
		}
		if t := persistence.TimeOf(rec.GetTime()); t.After(newest) {
			newest = t
		}
	}
	return newest, nil
}
