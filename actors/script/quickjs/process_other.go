//go:build !linux

package quickjs

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

func executable() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	return self, nil
}

// apart changes nothing: this system has no way to end a worker with the service. It ends when its stdin does.
func apart() *syscall.SysProcAttr { return nil }

// confine changes nothing: on this system only the limits of the engine and the wall clock guard the service.
func confine(int, int64, int) error { return nil }

func closeInherited() {}

var started = time.Now()

// processorTime is the time since the start: this system is not asked for more.
func processorTime() time.Duration { return time.Since(started) }
