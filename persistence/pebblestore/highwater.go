package pebblestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/internal/planted"
	"concord/persistence"
)

// highWaterLag is how long a durable group may go without its mark. A crash within it, together with a log that the
// disk cut short although it said that it was synced, is the one loss that the mark cannot see.
const highWaterLag = 20 * time.Millisecond

const (
	highWaterFile     = "HIGHWATER"
	highWaterSlotSize = 512 // bytes; two slots in turn, so that a torn write leaves the other
)

// highWater is a small synced file beside Pebble's own: the number of the newest group that is certainly durable.
// Pebble takes a truncated log for one that ended there; the mark tells the difference.
type highWater struct {
	file vfs.File
	fail func(error)

	group atomic.Uint64 // to be marked

	written uint64 // of run alone, then of close
	slot    int64  // that holds it

	wake chan struct{}
	quit chan struct{}
	done sync.WaitGroup
}

// openHighWater opens the mark in dir and returns the number it holds; start begins to move it. A mark that is missing
// or unreadable is ErrCorrupt, unless fresh says that nothing can have been marked yet: then it is made, durably.
func openHighWater(fs vfs.FS, dir string, fresh bool, fail func(error)) (h *highWater, marked uint64, err error) {
	path := fs.PathJoin(dir, highWaterFile)
	file, err := fs.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, 0, fmt.Errorf("open the high-water mark: %w", err)
	}
	h = &highWater{file: file, fail: fail, wake: make(chan struct{}, 1), quit: make(chan struct{})}
	h.written, h.slot, err = readMark(file)
	if errors.Is(err, persistence.ErrCorrupt) && fresh {
		err = errors.Join(h.reset(0), syncDirectory(fs, dir))
	}
	if err != nil {
		return nil, 0, errors.Join(fmt.Errorf("read the high-water mark %s: %w", path, err), file.Close())
	}
	marked = h.written
	h.group.Store(marked)
	return h, marked, nil
}

// writeHighWater makes the mark of a directory that nobody has open, durably.
func writeHighWater(fs vfs.FS, dir string, group uint64) error {
	file, err := fs.Create(fs.PathJoin(dir, highWaterFile), vfs.WriteCategoryUnspecified)
	if err != nil {
		return fmt.Errorf("make the high-water mark: %w", err)
	}
	h := &highWater{file: file}
	return errors.Join(h.reset(group), file.Close(), syncDirectory(fs, dir))
}

// peekHighWater reads the mark in dir without opening it for writing.
func peekHighWater(fs vfs.FS, dir string) (uint64, error) {
	path := fs.PathJoin(dir, highWaterFile)
	file, err := fs.Open(path)
	if err != nil {
		return 0, fmt.Errorf("%w: open the high-water mark: %w", persistence.ErrCorrupt, err)
	}
	mark, _, err := readMark(file)
	if err != nil {
		err = fmt.Errorf("read the high-water mark %s: %w", path, err)
	}
	return mark, errors.Join(err, file.Close())
}

// readMark returns the newest valid mark and the slot that holds it.
func readMark(file vfs.File) (mark uint64, slot int64, err error) {
	both := make([]byte, 2*highWaterSlotSize)
	n, err := file.ReadAt(both, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, err
	}
	valid := 0
	for i := 0; i*highWaterSlotSize+12 <= n; i++ {
		b := both[i*highWaterSlotSize:]
		if crc32.ChecksumIEEE(b[:8]) != binary.BigEndian.Uint32(b[8:]) {
			continue
		}
		valid++
		if m := binary.BigEndian.Uint64(b); m >= mark {
			mark, slot = m, int64(i)
		}
	}
	if valid == 0 {
		return 0, 0, fmt.Errorf("%w: neither slot has a valid checksum", persistence.ErrCorrupt)
	}
	return mark, slot, nil
}

func syncDirectory(fs vfs.FS, dir string) error {
	d, err := fs.OpenDir(dir)
	if err != nil {
		return fmt.Errorf("open the directory %s: %w", dir, err)
	}
	if err = d.Sync(); err != nil {
		err = fmt.Errorf("sync the directory %s: %w", dir, err)
	}
	return errors.Join(err, d.Close())
}

// advance says that the group is durable; the mark follows within highWaterLag.
func (h *highWater) advance(group uint64) {
	if planted.SkipMark {
		return
	}
	h.group.Store(group)
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *highWater) run() {
	for {
		select {
		case <-h.quit:
			return
		case <-h.wake:
		}
		if err := h.write(); err != nil {
			h.fail(err)
			return
		}
		select {
		case <-h.quit:
			return
		case <-time.After(highWaterLag):
		}
	}
}

func (h *highWater) write() error {
	group := h.group.Load()
	if group == h.written {
		return nil
	}
	older := 1 - h.slot
	if err := h.writeSlot(older, group); err != nil {
		return err
	}
	h.written, h.slot = group, older
	return nil
}

// reset makes both slots say the same, so that the mark may go back. Not after start.
func (h *highWater) reset(group uint64) error {
	for slot := range int64(2) {
		if err := h.writeSlot(slot, group); err != nil {
			return err
		}
	}
	h.written, h.slot = group, 0
	h.group.Store(group)
	return nil
}

func (h *highWater) start() { h.done.Go(h.run) }

func (h *highWater) writeSlot(slot int64, group uint64) error {
	var mark [highWaterSlotSize]byte
	binary.BigEndian.PutUint64(mark[:], group)
	binary.BigEndian.PutUint32(mark[8:], crc32.ChecksumIEEE(mark[:8]))
	if _, err := h.file.WriteAt(mark[:], slot*highWaterSlotSize); err != nil {
		return fmt.Errorf("write the high-water mark: %w", err)
	}
	if err := h.file.SyncData(); err != nil {
		return fmt.Errorf("sync the high-water mark: %w", err)
	}
	return nil
}

// close writes the newest mark and gives up the file.
func (h *highWater) close() error {
	close(h.quit)
	h.done.Wait()
	return errors.Join(h.write(), h.file.Close())
}
