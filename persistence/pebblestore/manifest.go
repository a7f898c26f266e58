package pebblestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/persistence"
)

// The manifest is a file of blocks; a block holds chunks: checksum(4) length(2) kind(1) payload, little endian.
const (
	manifestBlockSize  = 32 << 10 // bytes
	manifestHeaderSize = 4 + 2 + 1

	chunkFull  = 1 // a whole edit
	chunkFirst = 2 // the beginning of one
	chunkLast  = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checkManifest finds damage in front of an edit that is whole. Pebble takes any damage for the torn end that a crash
// leaves, goes back to the state before it, and then removes the files that this state does not name: it would destroy
// what is good. Edits are synced one by one, so nothing but damage can be in front of a whole one. Damage to the very last
// edit looks like a torn end here, too; Verify finds what it has cost.
func checkManifest(fs vfs.FS, path string) (err error) {
	file, err := fs.Open(path)
	if err != nil {
		return fmt.Errorf("open the manifest: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	var damagedAt int64 = -1
	block := make([]byte, manifestBlockSize)
	for offset := int64(0); ; offset += manifestBlockSize {
		n, err := io.ReadFull(file, block)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("read the manifest: %w", err)
		}
		damaged, good := scanBlock(block[:n], damagedAt >= 0)
		if damagedAt < 0 && damaged >= 0 {
			damagedAt = offset + int64(damaged)
		}
		if good {
			return fmt.Errorf("%w: %s is damaged at byte %d, and goes on behind it: restore a backup",
				persistence.ErrCorrupt, path, damagedAt)
		}
	}
}

// scanBlock looks for damage in a block, and for the beginning of an edit behind damage there or before.
func scanBlock(b []byte, wasDamaged bool) (damaged int, good bool) {
	damaged = -1
	for at := 0; at+manifestHeaderSize <= len(b); {
		size, kind, ok := chunkAt(b[at:])
		switch {
		case ok && (wasDamaged || damaged >= 0) && (kind == chunkFull || kind == chunkFirst):
			return damaged, true
		case ok:
			at += size
		case allZero(b[at:]):
			return damaged, false // nothing more was written to this block
		default:
			if damaged < 0 {
				damaged = at
			}
			at++
		}
	}
	return damaged, false
}

// chunkAt reads the chunk at the front of b; ok is false if there is no whole one.
func chunkAt(b []byte) (size int, kind byte, ok bool) {
	if len(b) < manifestHeaderSize {
		return 0, 0, false
	}
	kind = b[6]
	size = manifestHeaderSize + int(binary.LittleEndian.Uint16(b[4:]))
	if kind < chunkFull || kind > chunkLast || size > len(b) {
		return 0, 0, false
	}
	sum := crc32.Checksum(b[6:size], castagnoli)
	masked := bits.RotateLeft32(sum, 17) + 0xa282ead8 // as it is stored: a checksum must not be its own input
	return size, kind, masked == binary.LittleEndian.Uint32(b)
}

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
