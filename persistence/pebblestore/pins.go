package pebblestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"concord/persistence"
)

// pinHolderMaxBytes bounds the name of a holder.
const pinHolderMaxBytes = 512

// pin holds back retention.
type pin struct {
	version uint64
	holder  string
	until   time.Time
}

// Pin keeps the version of the entity, and all above, until the time, whatever the policy says; for an entity without
// versions it is an event. It is durable when Pin returns. Several holders may pin the same version; a holder that pins
// it again moves its time. ErrTrimmed: it is too late; ErrNotFound: there is no such version.
func (s *Store) Pin(e persistence.EntityID, version uint64, holder string, until time.Time) error {
	if holder == "" || len(holder) > pinHolderMaxBytes {
		return fmt.Errorf("pin %v: the holder's name has %d bytes, not 1 to %d", e, len(holder), pinHolderMaxBytes)
	}
	s.retaining.Lock()
	defer s.retaining.Unlock()
	h, err := s.history(e)
	if err != nil {
		return fmt.Errorf("pin %v: %w", e, err)
	}
	newest, oldest := h.head.Seq, h.edge+1
	if h.versioned {
		newest, oldest = h.head.Version, h.base.Version+1
	}
	switch {
	case version == 0 || version > newest:
		return fmt.Errorf("pin version %d of %v: %w", version, e, persistence.ErrNotFound)
	case version < oldest:
		return fmt.Errorf("pin version %d of %v: %w", version, e, persistence.ErrTrimmed)
	}
	value := binary.BigEndian.AppendUint64(nil, uint64(until.UnixMicro()))
	if err := s.db().Set(s.keys(e).pin(version, holder), value, pebble.Sync); err != nil {
		return fmt.Errorf("pin version %d of %v: %w", version, e, err)
	}
	return nil
}

// Unpin gives up a pin, durably; one that is not there is none.
func (s *Store) Unpin(e persistence.EntityID, version uint64, holder string) error {
	if err := s.db().Delete(s.keys(e).pin(version, holder), pebble.Sync); err != nil {
		return fmt.Errorf("unpin version %d of %v: %w", version, e, err)
	}
	return nil
}

// pinned is the lowest version that a pin holds now, or more than any version. It collects the pins that have lapsed.
func (h *history) pinned(now time.Time) (lowest uint64, err error) {
	lower, upper := h.s.keys(h.e).bounds(familyPin)
	lowest = math.MaxUint64
	err = h.s.walk(lower, upper, func(key, value []byte) error {
		p, err := parsePin(key[len(lower):], value)
		switch {
		case err != nil:
			return err
		case p.until.Before(now):
			h.lapsed = append(h.lapsed, p)
			return nil
		}
		lowest = p.version
		return errEnough // they are in order of their versions
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return lowest, err
}

// parsePin reads a pin from what follows the entity in its key, and its value.
func parsePin(rest, value []byte) (pin, error) {
	if len(rest) < 8 || len(value) != 8 {
		return pin{}, fmt.Errorf("%w: pin of %d and %d bytes", persistence.ErrCorrupt, len(rest), len(value))
	}
	return pin{version: binary.BigEndian.Uint64(rest), holder: string(rest[8:]),
		until: persistence.TimeOf(int64(binary.BigEndian.Uint64(value)))}, nil
}
