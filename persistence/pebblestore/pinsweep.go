package pebblestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"concord/persistence"
)

// Bounds of the sweep of pins.
const (
	pinsStepMaxLooked = 1024                  // pins, and partitions, in one step
	pinsRestShare     = 9                     // after each step it rests so many times as long as that took
	pinsRestMin       = 10 * time.Millisecond // and so long at least
)

// pinsCursor is the key at which the sweep of pins goes on; nothing: none is under way.
const pinsCursor = "pins-sweep"

// beginPinSweep begins a sweep of all pins, unless one is under way.
func (s *Store) beginPinSweep() error {
	at, err := s.pinSweep()
	if err != nil || len(at) > 0 {
		return err
	}
	return s.SetCursor(pinsCursor, appendPrefix(nil, 0, familyPin))
}

// pinSweep is where the sweep goes on; nothing: none is under way.
func (s *Store) pinSweep() ([]byte, error) {
	at, err := s.Cursor(pinsCursor)
	switch {
	case errors.Is(err, persistence.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read where the sweep of pins is: %w", err)
	case len(at) > 0 && (len(at) < 3 || at[2] != familyPin || int(binary.BigEndian.Uint16(at)) >= s.partitions):
		return appendPrefix(nil, 0, familyPin), nil // no place of a pin: it begins anew
	}
	return at, nil
}

// stepPinSweep removes the pins whose time has passed from the next part of their family, whatever the policies of their entities
// say; more: it is not through. Where a policy keeps all, nobody else looks at them.
//
// It may run while groups are committed. What it removes no group writes: a pin stands for the version that its record replaces
// (writer.pin), so its key is written once, and its time never grows. And what a crash takes of a step's batch is taken up again,
// since the cursor is in it; it cannot take a group that the step has seen, and leave the step.
func (s *Store) stepPinSweep(now time.Time) (more bool, err error) {
	s.retaining.Lock()
	defer s.retaining.Unlock()
	if err := s.Health(); err != nil {
		return false, err
	}
	at, err := s.pinSweep()
	if err != nil || len(at) == 0 {
		return false, err
	}
	b := s.db().NewBatch()
	defer func() { err = errors.Join(err, b.Close()) }()
	if at, err = s.removeLapsedFrom(b, at, now); err != nil {
		return false, fmt.Errorf("sweep pins: %w", err)
	}
	if err = b.Set(storeKey(familyCursor, pinsCursor), at, nil); err == nil {
		err = b.Commit(pebble.NoSync)
	}
	if err != nil {
		return false, fmt.Errorf("remove pins: %w", err)
	}
	return len(at) > 0, nil
}

// removeLapsedFrom looks at so many pins from a key on, and says where to go on; nothing: it is through.
func (s *Store) removeLapsedFrom(b *pebble.Batch, from []byte, now time.Time) (next []byte, err error) {
	looked := 0
	for p := int(binary.BigEndian.Uint16(from)); p < s.partitions; p++ {
		prefix := appendPrefix(nil, persistence.Partition(p), familyPin)
		if looked++; looked > pinsStepMaxLooked {
			return prefix, nil
		}
		lower := prefix
		if bytes.HasPrefix(from, prefix) {
			lower = from
		}
		err := s.walk(lower, keyAfter(prefix), func(key, value []byte) error {
			if looked++; looked > pinsStepMaxLooked {
				next = bytes.Clone(key)
				return errEnough
			}
			return removeIfLapsed(b, key, value, now)
		})
		if err != nil {
			if errors.Is(err, errEnough) {
				err = nil
			}
			return next, err
		}
	}
	return nil, nil
}

func removeIfLapsed(b *pebble.Batch, key, value []byte, now time.Time) error {
	e, rest, err := parseEntity(key[3:])
	if err != nil {
		return err
	}
	p, err := parsePin(rest, value)
	if err != nil {
		return fmt.Errorf("%v: %w", e, err)
	}
	if !lapsed(p, now) {
		return nil
	}
	return b.Delete(key, nil)
}
