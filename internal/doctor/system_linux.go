package doctor

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// syncData puts what was written to the file on the disk, as the store does it.
func syncData(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }

func volumeOf(dir string) (volume, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return volume{}, fmt.Errorf("ask for the file system of %s: %w", dir, err)
	}
	block := uint64(s.Bsize) //nolint:unconvert // the type differs among processors
	return volume{kind: uint32(s.Type), free: s.Bavail * block, size: s.Blocks * block, freeFiles: s.Ffree, files: s.Files}, nil
}

func openFilesMax() (uint64, error) {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("ask for the limit of open files: %w", err)
	}
	return l.Cur, nil
}

// clockUnsynced asks the kernel whether a time service keeps the clock.
func clockUnsynced() (bool, error) {
	const unsynced = 0x40 // STA_UNSYNC of adjtimex(2)
	var t unix.Timex
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, fmt.Errorf("ask for the state of the clock: %w", err)
	}
	return t.Status&unsynced != 0, nil
}

func machineMemory() uint64 {
	var s unix.Sysinfo_t
	if err := unix.Sysinfo(&s); err != nil {
		return 0
	}
	return uint64(s.Totalram) * uint64(s.Unit) //nolint:unconvert // the type differs among processors
}

func groupMemory() uint64 { return groupMemoryOf(os.DirFS("/")) }

// groupMemoryOf is the least that the control groups of this process allow, of either version; 0: no limit.
func groupMemoryOf(root fs.FS) uint64 {
	list, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	least := uint64(0)
	for line := range strings.Lines(string(list)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		top, file := "sys/fs/cgroup", "memory.max"
		switch {
		case fields[0] == "0" && fields[1] == "":
		case strings.Contains(","+fields[1]+",", ",memory,"):
			top, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for at := path.Clean("/" + fields[2]); ; at = path.Dir(at) {
			if limit := readLimit(root, path.Join(top, at, file)); limit > 0 && (least == 0 || limit < least) {
				least = limit
			}
			if at == "/" {
				break
			}
		}
	}
	return least
}

// noLimitMin is from where on a limit is none: version 1 says 2^63 less a page.
const noLimitMin = 1 << 62

func readLimit(root fs.FS, name string) uint64 {
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return 0 // not mounted, or not ours to see
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n >= noLimitMin {
		return 0 // "max"
	}
	return n
}
