package pebblestore

import (
	"bytes"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"concord/persistence"
)

// Tune lets a test change what Open asks of Pebble.
func (o Options) Tune(tune func(*pebble.Options)) Options {
	o.tune = tune
	return o
}

// DB is the raw database, to tamper with.
func (s *Store) DB() *pebble.DB { return s.db() }

// PartAtMeanwhile is PartAt where something happens once it has looked what is kept.
func (s *Store) PartAtMeanwhile(e persistence.EntityID, part string, version uint64, meanwhile func()) (persistence.Part, error) {
	r := reader{interrupted{s.db(), meanwhile}, s.partitions}
	return r.PartAt(e, part, version)
}

type interrupted struct {
	pebble.Reader
	meanwhile func()
}

func (i interrupted) NewIter(o *pebble.IterOptions) (*pebble.Iterator, error) {
	i.meanwhile()
	return i.Reader.NewIter(o)
}

// ErrCorruptMark names the file of the high-water mark for those who damage it.
const HighWaterFile = highWaterFile

// Letters of the families, for those who tamper.
var (
	DerivedFamilies = derivedFamilies
	FamilyName      = familyName
)

// RawPair is a record as it is stored.
type RawPair struct{ Key, Value []byte }

// Raw are the records of the families (none: of all), in order of their keys.
func (s *Store) Raw(letters ...byte) []RawPair {
	it, err := s.db().NewIter(nil)
	if err != nil {
		panic(err)
	}
	var pairs []RawPair
	for ok := it.First(); ok; ok = it.Next() {
		if len(letters) == 0 || bytes.IndexByte(letters, it.Key()[2]) >= 0 {
			pairs = append(pairs, RawPair{bytes.Clone(it.Key()), bytes.Clone(it.Value())})
		}
	}
	if err := it.Close(); err != nil {
		panic(err)
	}
	return pairs
}

// RawError is Raw for a store that may be damaged.
func (s *Store) RawError() (pairs []RawPair, err error) {
	err = s.walk([]byte{0}, []byte{0xFF, 0xFF, 0xFF}, func(key, value []byte) error {
		pairs = append(pairs, RawPair{bytes.Clone(key), bytes.Clone(value)})
		return nil
	})
	return pairs, err
}

// EdgeOf is the oldest version that can be read, and the seq of the newest event that is gone.
func (s *Store) EdgeOf(e persistence.EntityID) (oldest, seq uint64) {
	base, err := s.edge(e)
	if err != nil {
		return 1, 0
	}
	return base.GetVersion(), base.GetHead().GetSeq()
}

// PinsOf are the pins of an entity, in order of their versions and holders.
func (s *Store) PinsOf(e persistence.EntityID) (pins []persistence.Pin) {
	lower, upper := s.keys(e).bounds(familyPin)
	err := s.walk(lower, upper, func(key, value []byte) error {
		p, err := parsePin(key[len(lower):], value)
		pins = append(pins, p)
		return err
	})
	if err != nil {
		panic(err)
	}
	return pins
}

// BeginPinSweep begins a sweep of all pins.
func (s *Store) BeginPinSweep() error { return s.beginPinSweep() }

// StepPinSweep takes one step of it.
func (s *Store) StepPinSweep(now time.Time) (more bool, err error) { return s.stepPinSweep(now) }

// TrimStepMaxRecords and TrimmerQueueMaxEntities are bounds that tests go beyond.
const (
	TrimStepMaxRecords      = trimStepMaxRecords
	TrimmerQueueMaxEntities = trimmerQueueMaxEntities
	TrimmerLooksMaxEntities = trimmerLooksMaxEntities
	TrimmerForgetEvery      = trimmerForgetEvery
	PinsMaxLooked           = pinsMaxLooked
	PinsStepMaxLooked       = pinsStepMaxLooked
)
