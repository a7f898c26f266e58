package pebblestore

import (
	"fmt"

	"concord/persistence"
)

// CheckSpace compares the free space of the disk with the reserve. The caller asks every second or so; Writable
// answers from the last time.
func (s *Store) CheckSpace() error {
	if s.options.ReserveBytes == 0 {
		return nil
	}
	usage, err := s.options.FS.GetDiskUsage(s.dir)
	if err != nil {
		return fmt.Errorf("ask for the free disk space of %s: %w", s.dir, err)
	}
	s.low.Store(usage.AvailBytes < s.options.ReserveBytes)
	return nil
}

// Usage is what the store takes on disk, in bytes.
type Usage struct {
	Tables, Log uint64
}

// DiskUsage asks Pebble what it takes.
func (s *Store) DiskUsage() Usage {
	m := s.db().Metrics()
	return Usage{Tables: m.DiskSpaceUsage() - m.WAL.PhysicalSize, Log: m.WAL.PhysicalSize}
}

// Writable is nil, or why no write should be accepted.
func (s *Store) Writable() error {
	if err := s.Health(); err != nil {
		return err
	}
	if s.low.Load() {
		return persistence.ErrLowSpace
	}
	return nil
}
