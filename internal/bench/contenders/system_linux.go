package contenders

import (
	"errors"
	"os"
	"syscall"
)

// attributes has a program killed when we end, run as another user if one is given, and in a group of
// its own, so that an interrupt from the keyboard reaches us alone and we end it in good order.
func attributes(as *account) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if as != nil {
		a.Credential = &syscall.Credential{Uid: as.uid, Gid: as.gid}
	}
	return a
}

// searchable reports whether the account may pass through the directory.
func searchable(info os.FileInfo, as *account) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case ok && owner.Uid == as.uid:
		return info.Mode()&0o100 != 0
	case ok && owner.Gid == as.gid:
		return info.Mode()&0o010 != 0
	default:
		return info.Mode()&0o001 != 0
	}
}

// syncData makes what was written to f durable, with as little else as an append needs.
func syncData(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
