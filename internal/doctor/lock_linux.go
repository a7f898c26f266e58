package doctor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lockFile is what the store locks in its directory.
const lockFile = "LOCK"

// dataLock says whether a server has the store open.
//
// The lock is a POSIX record lock: a process loses it when it closes *any* descriptor of the file. So the file must not
// be opened here if it is this process that holds the lock; /proc/locks tells. It does not show what other containers
// hold, so that fcntl has the last word.
func dataLock(dir string) (f Finding, held bool) {
	name := filepath.Join(dir, lockFile)
	var stat unix.Stat_t
	err := unix.Stat(name, &stat)
	if errors.Is(err, os.ErrNotExist) {
		return ok("%s: no store yet", dir), false
	}
	if err != nil {
		return fail("let the user of the server read the data directory", "look at %s: %v", name, err), false
	}
	table, err := os.ReadFile("/proc/locks")
	if err != nil {
		return unknown(err), false
	}
	if lockedBy(string(table), os.Getpid(), stat.Ino) {
		return ok("%s: in use by this process", dir), true
	}
	pid, held, err := lockHolder(name)
	switch {
	case err != nil:
		return unknown(err), false
	case held && pid > 0:
		return ok("%s: in use by process %d", dir, pid), true
	case held:
		return ok("%s: in use by a process of another container", dir), true
	default:
		return ok("%s: not in use", dir), false
	}
}

// lockedBy reads /proc/locks: does the process have a record lock on a file with the inode? The device is not compared,
// since stat(2) names another one on some file systems.
//
//	1: POSIX  ADVISORY  WRITE 2035 fe:00:9977910 0 EOF
func lockedBy(table string, pid int, inode uint64) bool {
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[1] != "POSIX" || fields[4] != strconv.Itoa(pid) {
			continue
		}
		place := strings.Split(fields[5], ":")
		if place[len(place)-1] == strconv.FormatUint(inode, 10) {
			return true
		}
	}
	return false
}

// lockHolder asks who has the lock, without taking it. pid is 0 or less for a process that cannot be seen from here.
func lockHolder(name string) (pid int, held bool, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, false, fmt.Errorf("open the lock: %w", err)
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	err = unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock)
	if err := errors.Join(err, f.Close()); err != nil {
		return 0, false, fmt.Errorf("ask for the lock: %w", err)
	}
	return int(lock.Pid), lock.Type != unix.F_UNLCK, nil
}
