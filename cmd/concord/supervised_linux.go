package main

import "syscall"

// supervised has the terminal's Ctrl-C reach the server through its parent alone, which passes it on once, and has the
// kernel stop the server if the parent is gone.
func supervised() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
