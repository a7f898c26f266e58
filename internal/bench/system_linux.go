package bench

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// sleepCoarse is how much of a wait is left to the thread's own clock: Go's timers are up to 1 ms late
// on an idle machine (epoll counts in ms; measured p50 0.54 ms), the thread's about 0.1 ms.
const sleepCoarse = 3 * time.Millisecond

// sleepPrecisely waits for d or, if that comes first, about until ctx ends.
func sleepPrecisely(ctx context.Context, d time.Duration) {
	if d > sleepCoarse {
		timer := time.NewTimer(d - sleepCoarse/2)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
		return
	}
	left := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&left, nil) // if a signal ends it early, the caller sleeps again
}

const (
	magicTmpfs = 0x01021994
	magicRamfs = 0x858458f6
)

// inMemory reports whether dir is on a file system that has no disk, where a sync costs nothing.
func inMemory(dir string) (bool, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return false, fmt.Errorf("file system of %s: %w", dir, err)
	}
	kind := uint32(stat.Type)
	return kind == magicTmpfs || kind == magicRamfs, nil
}
