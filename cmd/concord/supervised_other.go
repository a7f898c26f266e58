//go:build !linux

package main

import "syscall"

// supervised leaves the server in the parent's process group: this system has no way to end it with its parent.
func supervised() *syscall.SysProcAttr { return nil }
