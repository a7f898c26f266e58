//go:build !linux

package contenders

import (
	"os"
	"syscall"
)

// attributes has nothing portable to set: here servers outlive a bench that is killed.
func attributes(*account) *syscall.SysProcAttr { return nil }

// searchable leaves the answer to the server.
func searchable(os.FileInfo, *account) bool { return true }

// syncData makes what was written to f durable.
func syncData(f *os.File) error { return f.Sync() }
