package pebblestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"

	"concord/persistence"
)

// Bounds of a comparison.
const (
	differencesMax       = 100
	repairMaxBatchBytes  = 1 << 20
	repairCheckMaxKeys   = 1 << 10 // keys between two looks at the context
	differenceMaxKeyText = 200
)

// Differences are where the derived records are not what the log says.
type Differences struct {
	Compared int          `json:"compared"`        // derived records as they should be
	Count    int          `json:"count"`           // of all differences
	First    []Difference `json:"first,omitempty"` // the first differencesMax
}

// Difference is one derived record that is not as it should be.
type Difference struct {
	Partition persistence.Partition `json:"partition"`
	Family    string                `json:"family"`
	Entity    string                `json:"entity,omitempty"`
	Key       string                `json:"key"`
	What      string                `json:"what"` // "missing", "superfluous" or "differs"
}

// CompareDerived makes all derived records anew from the log, and compares. It reads one moment of the store, which may
// be in use. scratch is a directory for temporary files; empty: one in the store's own.
func (s *Store) CompareDerived(ctx context.Context, fold persistence.Fold, scratch string) (Differences, error) {
	from, release := s.snapshot()
	c := comparison{from: from}
	err := s.derive(ctx, fold, scratch, &c)
	return c.found, errors.Join(err, release())
}

// Rebuild makes all derived records anew from the log, and puts right those that are not as they should be; it returns
// which. Groups wait meanwhile. What is put right stays so: an interrupted rebuild goes on when it is started again.
func (s *Store) Rebuild(ctx context.Context, fold persistence.Fold, scratch string) (Differences, error) {
	s.retaining.Lock()
	defer s.retaining.Unlock()
	s.writing.Lock()
	defer s.writing.Unlock()
	c := comparison{from: &s.reader, repair: s.db()}
	if err := s.derive(ctx, fold, scratch, &c); err != nil {
		return c.found, err
	}
	if err := s.db().LogData(nil, pebble.Sync); err != nil {
		return c.found, fmt.Errorf("sync the rebuilt records: %w", err)
	}
	return c.found, nil
}

// derive makes and compares one partition after another.
func (s *Store) derive(ctx context.Context, fold persistence.Fold, scratch string, c *comparison) (err error) {
	db, closeScratch, err := s.scratch(scratch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeScratch()) }()
	d := deriver{from: c.from, fold: fold, scratch: db}
	c.wanted = &reader{db, s.partitions}
	for p := range s.partitions {
		if err := d.partition(ctx, persistence.Partition(p)); err != nil {
			return err
		}
		if err := c.partition(ctx, persistence.Partition(p)); err != nil {
			return err
		}
		whole := appendPrefix(nil, persistence.Partition(p), 0)
		if err := db.DeleteRange(whole, keyAfter(whole[:2]), pebble.NoSync); err != nil {
			return fmt.Errorf("empty the scratch store: %w", err)
		}
	}
	return nil
}

// comparison holds the derived records that a store has against those that it should have.
type comparison struct {
	from, wanted *reader
	repair       *pebble.DB // nil: only compare
	batch        *pebble.Batch
	found        Differences
}

func (c *comparison) partition(ctx context.Context, p persistence.Partition) error {
	if c.repair != nil {
		c.batch = c.repair.NewBatch()
	}
	var err error
	for _, family := range derivedFamilies {
		if err = c.family(ctx, appendPrefix(nil, p, family)); err != nil {
			break
		}
	}
	if c.batch == nil {
		return err
	}
	if err == nil && !c.batch.Empty() {
		err = c.batch.Commit(pebble.NoSync)
	}
	return errors.Join(err, c.batch.Close())
}

// family walks the two sets of records side by side.
func (c *comparison) family(ctx context.Context, prefix []byte) (err error) {
	bounds := &pebble.IterOptions{LowerBound: prefix, UpperBound: keyAfter(prefix)}
	have, err := c.from.from.NewIter(bounds)
	if err != nil {
		return fmt.Errorf("compare derived records: %w", classify(err))
	}
	defer func() { err = errors.Join(err, classify(have.Close())) }()
	want, err := c.wanted.from.NewIter(bounds)
	if err != nil {
		return fmt.Errorf("compare derived records: %w", err)
	}
	defer func() { err = errors.Join(err, want.Close()) }()
	haveOK, wantOK := have.First(), want.First()
	for n := 0; haveOK || wantOK; n++ {
		if n%repairCheckMaxKeys == 0 && ctx.Err() != nil {
			return fmt.Errorf("compare derived records: %w", context.Cause(ctx))
		}
		order := 0
		switch {
		case !wantOK:
			order = -1
		case !haveOK:
			order = 1
		default:
			order = bytes.Compare(have.Key(), want.Key())
		}
		if err := c.judge(order, have, want); err != nil {
			return err
		}
		if order <= 0 {
			haveOK = have.Next()
		}
		if order >= 0 {
			c.found.Compared++
			wantOK = want.Next()
		}
	}
	return nil
}

// judge looks at one key: order is negative if only the store has it, positive if only the rebuild has it.
func (c *comparison) judge(order int, have, want *pebble.Iterator) error {
	switch {
	case order < 0:
		c.found.add(have.Key(), "superfluous")
		return c.put(have.Key(), nil, false)
	case order > 0:
		c.found.add(want.Key(), "missing")
		return c.put(want.Key(), want.Value(), true)
	case !bytes.Equal(have.Value(), want.Value()):
		c.found.add(want.Key(), "differs")
		return c.put(want.Key(), want.Value(), true)
	}
	return nil
}

// put repairs one key, if this is a repair.
func (c *comparison) put(key, value []byte, there bool) error {
	if c.batch == nil {
		return nil
	}
	var err error
	if there {
		err = c.batch.Set(key, value, nil)
	} else {
		err = c.batch.Delete(key, nil)
	}
	if err == nil && c.batch.Len() > repairMaxBatchBytes {
		if err = c.batch.Commit(pebble.NoSync); err == nil {
			err = c.batch.Close()
			c.batch = c.repair.NewBatch()
		}
	}
	if err != nil {
		return fmt.Errorf("repair a derived record: %w", err)
	}
	return nil
}

func (d *Differences) add(key []byte, what string) {
	d.Count++
	if len(d.First) == differencesMax {
		return
	}
	e, _ := entityOfKey(key)
	text := fmt.Sprintf("%q", key)
	d.First = append(d.First, Difference{
		Partition: persistence.Partition(binary.BigEndian.Uint16(key)), Family: familyName(key[2]),
		Entity: e, Key: text[:min(len(text), differenceMaxKeyText)], What: what,
	})
}

// String is one line for a person.
func (d Difference) String() string {
	return strings.TrimSpace(fmt.Sprintf("partition %d: %s of %s %s: %s", d.Partition, d.Family, d.Entity, d.Key, d.What))
}
