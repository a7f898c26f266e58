//go:build !linux

package child

import "syscall"

// dieWithParent is more than this system can do.
func dieWithParent() *syscall.SysProcAttr { return nil }
