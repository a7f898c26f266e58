package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2/sstable"

	"concord/persistence"
)

// verifyTables reads every block of every table file, also those that no walk over the records comes by: filters,
// indexes, properties.
func (s *Store) verifyTables(ctx context.Context, report *Report) error {
	levels, err := s.db().SSTables()
	if err != nil {
		return fmt.Errorf("list the table files: %w", classify(err))
	}
	names := make(map[string]bool)
	for _, tables := range levels {
		for _, table := range tables {
			names[table.BackingSSTNum.String()+".sst"] = true // several tables may share a file
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if ctx.Err() != nil {
			return fmt.Errorf("verify %s: %w", name, context.Cause(ctx))
		}
		err := s.verifyTable(ctx, s.options.FS.PathJoin(s.dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // compacted away meanwhile
		case err == nil:
		case errors.Is(err, persistence.ErrCorrupt):
			report.add(0, "", 0, "file %s: %v", name, err)
		default:
			return err
		}
		report.Tables++
	}
	return nil
}

func (s *Store) verifyTable(ctx context.Context, path string) error {
	file, err := s.options.FS.Open(path)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	readable, err := sstable.NewSimpleReadable(file)
	if err != nil {
		return errors.Join(fmt.Errorf("open %s: %w", path, err), file.Close())
	}
	table, err := sstable.NewReader(ctx, readable, sstable.ReaderOptions{})
	if err != nil {
		return errors.Join(fmt.Errorf("%w: read %s: %w", persistence.ErrCorrupt, path, err), readable.Close())
	}
	if err = table.ValidateBlockChecksums(); err != nil {
		err = fmt.Errorf("read %s: %w", path, classify(err))
	}
	return errors.Join(err, table.Close())
}
