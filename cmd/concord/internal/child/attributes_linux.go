package child

import "syscall"

// dieWithParent has the kernel end the server when we end, whatever ends us.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
