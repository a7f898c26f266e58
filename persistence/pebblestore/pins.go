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

// Bounds of pins.
const (
	pinHolderMaxBytes = 512 // of the name of a holder
	pinsMaxLooked     = 128 // of an entity, in one step of retention
)

// pin writes a pin of the entity at hand, for the record that made the version. It pins the one before: so no two records write the
// same pin, and one that is there never changes.
func (w *writer) pin(p persistence.Pin, version uint64) {
	if p.Version+1 != version {
		w.err = errors.Join(w.err, fmt.Errorf("pin version %d of %v with version %d", p.Version, w.keys.entity, version))
	}
	if len(p.Holder) == 0 || len(p.Holder) > pinHolderMaxBytes || p.Version == 0 {
		w.err = errors.Join(w.err, fmt.Errorf("pin version %d of %v for a holder with a name of %d bytes, not 1 to %d",
			p.Version, w.keys.entity, len(p.Holder), pinHolderMaxBytes))
		return
	}
	w.value = binary.BigEndian.AppendUint64(w.value[:0], uint64(p.Until.UnixMicro()))
	w.set(w.keys.pin(p.Version, p.Holder), w.value)
}

// collectPins finds the lowest version that a pin holds, and removes the pins that hold nothing any more, also those above it. It
// looks at the lowest pins alone; more: all of them had to go, and there are others.
//
// A pin that comes while a step is at work pins what was the newest version then, or a later one: none that the step removes.
func (h *history) collectPins(o TrimOptions) (more bool, err error) {
	lower, upper := h.s.keys(h.e).bounds(familyPin)
	h.held = math.MaxUint64
	looked := 0
	err = h.s.walk(lower, upper, func(key, value []byte) error {
		p, err := parsePin(key[len(lower):], value)
		if err != nil {
			return err
		}
		if looked++; looked > pinsMaxLooked {
			more = h.held == math.MaxUint64
			return errEnough
		}
		lapsed, err := h.lapsedPin(p, o)
		switch {
		case err != nil:
			return fmt.Errorf("holder %q of version %d: %w", p.Holder, p.Version, err)
		case lapsed:
			h.lapsed = append(h.lapsed, p)
		default:
			h.held = min(h.held, p.Version)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return false, err
	}
	return more, h.removeLapsed()
}

func (h *history) lapsedPin(p persistence.Pin, o TrimOptions) (bool, error) {
	if lapsed(p, o.Now) || o.Released == nil {
		return lapsed(p, o.Now), nil
	}
	return o.Released(h.e, p.Holder)
}

// lapsed says that the pin's time has passed: it never holds anything again.
func lapsed(p persistence.Pin, now time.Time) bool { return p.Until.Before(now) }

// removeLapsed removes the pins in a batch of their own: most steps that find some have nothing else to do.
func (h *history) removeLapsed() error {
	if len(h.lapsed) == 0 {
		return nil
	}
	b, keys := h.s.db().NewBatch(), h.s.keys(h.e)
	var err error
	for _, p := range h.lapsed {
		if err == nil {
			err = b.Delete(keys.pin(p.Version, p.Holder), nil)
		}
	}
	if err == nil {
		err = b.Commit(pebble.NoSync)
	}
	if err = errors.Join(err, b.Close()); err != nil {
		return fmt.Errorf("remove pins: %w", err)
	}
	return nil
}

// parsePin reads a pin from what follows the entity in its key, and its value.
func parsePin(rest, value []byte) (persistence.Pin, error) {
	if len(rest) < 8 || len(value) != 8 {
		return persistence.Pin{}, fmt.Errorf("%w: pin of %d and %d bytes", persistence.ErrCorrupt, len(rest), len(value))
	}
	return persistence.Pin{Version: binary.BigEndian.Uint64(rest), Holder: string(rest[8:]),
		Until: persistence.TimeOf(int64(binary.BigEndian.Uint64(value)))}, nil
}
