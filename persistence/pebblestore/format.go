package pebblestore

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"concord/persistence"
)

// formatVersion is the version of the key layout and of the values that this code writes.
const formatVersion = 1

// Format is fixed when the store is made, and checked at each start.
type Format struct {
	Version    int    `json:"version"`
	Partitions int    `json:"partitions"`
	ID         string `json:"id"` // of this store, made at random: a backup keeps it
}

// checkFormat writes the format of a new store, or compares that of an old one.
func checkFormat(db *pebble.DB, want Format) (Format, error) {
	key := storeKey(familyFormat, "")
	stored, closer, err := db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return makeFormat(db, want)
	}
	if err != nil {
		return Format{}, fmt.Errorf("read the store's format: %w", err)
	}
	var have Format
	err = json.Unmarshal(stored, &have)
	if closeErr := closer.Close(); closeErr != nil {
		return Format{}, fmt.Errorf("read the store's format: %w", closeErr)
	}
	if err != nil {
		return Format{}, fmt.Errorf("%w: format record: %w", persistence.ErrCorrupt, err)
	}
	switch {
	case have.Partitions < 1 || have.Partitions > partitionsMax:
		return Format{}, fmt.Errorf("%w: format record with %d partitions", persistence.ErrCorrupt, have.Partitions)
	case have.Version > formatVersion:
		return Format{}, fmt.Errorf("the store has format %d, this program reads up to %d: use a newer one",
			have.Version, formatVersion)
	case want.Partitions != 0 && have.Partitions != want.Partitions:
		return Format{}, fmt.Errorf("the store has %d partitions, the configuration says %d: the count is fixed when "+
			"a store is made", have.Partitions, want.Partitions)
	}
	return have, nil
}

// makeFormat writes the format of a store that has none yet. One that has groups has lost it.
func makeFormat(db *pebble.DB, want Format) (Format, error) {
	_, closer, err := db.Get(storeKey(familyGroup, ""))
	if err == nil {
		err = fmt.Errorf("%w: the format record is missing", persistence.ErrCorrupt)
		return Format{}, errors.Join(err, closer.Close())
	}
	if !errors.Is(err, pebble.ErrNotFound) {
		return Format{}, fmt.Errorf("read the number of the newest group: %w", err)
	}
	if want.Partitions == 0 {
		want.Partitions = DefaultPartitions
	}
	text, err := json.Marshal(want)
	if err != nil {
		return Format{}, fmt.Errorf("encode the store's format: %w", err)
	}
	if err := db.Set(storeKey(familyFormat, ""), text, pebble.Sync); err != nil {
		return Format{}, fmt.Errorf("write the store's format: %w", err)
	}
	return want, nil
}
