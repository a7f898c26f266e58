package quickjs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// executable is this program as it runs now, also when another version has taken its place on disk: a worker must be of the
// same build.
func executable() (string, error) { return "/proc/self/exe", nil }

// apart puts a worker in a process group of its own, and has the kernel end it with the thread that started it.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// Bounds of a worker's process.
const (
	// What it may take beyond what it has when it is ready, as a multiple of a script's memory and fixed: the engine's memory
	// in use and given back late, the Go heap with the lines of a job, the stack. Scripts that want all of 64 MiB were seen to
	// take 200 MiB of address space, 130 MiB of it data.
	growthPerMemory   = 2
	growthExtraBytes  = 256 << 20
	descriptorsMax    = 16
	statmSizeField    = 0
	statmDataField    = 5
	statmFieldsNeeded = 6
)

// confine sets the limits of a process that is ready. The Go runtime reserves much more address space than it uses, and how
// much depends on its version: so the limits count from what the process has now.
func confine(pid int, memoryMaxBytes int64, nice int) error {
	size, data, err := sizes(pid)
	if err != nil {
		return err
	}
	growth := growthPerMemory*uint64(memoryMaxBytes) + growthExtraBytes
	for _, limit := range []struct {
		resource int
		most     uint64
	}{
		{unix.RLIMIT_AS, size + growth},
		{unix.RLIMIT_DATA, data + growth},
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_NOFILE, descriptorsMax},
	} {
		if err := unix.Prlimit(pid, limit.resource, &unix.Rlimit{Cur: limit.most, Max: limit.most}, nil); err != nil {
			return fmt.Errorf("limit a worker: %w", err)
		}
	}
	// By its group: a priority set by process would be that of one thread.
	if err := unix.Setpriority(unix.PRIO_PGRP, pid, nice); err != nil {
		return fmt.Errorf("lower the priority of a worker: %w", err)
	}
	if nice < lowestPriority {
		return nil
	}
	return idle(pid)
}

// idle has the threads of a worker run when nothing else wants to (sched(7), SCHED_IDLE), and those that they start later: a
// thread of the service that wakes up takes the processor from them at once, which nice alone does not promise.
func idle(pid int) error {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return fmt.Errorf("list the threads of a worker: %w", err)
	}
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		attr := &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}
		if err := unix.SchedSetAttr(tid, attr, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("have a worker run when idle: %w", err)
		}
	}
	return nil
}

// sizes reads the address space of a process, and its part that can be written, in bytes.
func sizes(pid int) (size, data uint64, err error) {
	name := fmt.Sprintf("/proc/%d/statm", pid)
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, 0, fmt.Errorf("read the size of a worker: %w", err)
	}
	fields := strings.Fields(string(text))
	if len(fields) < statmFieldsNeeded {
		return 0, 0, fmt.Errorf("read the size of a worker: %s has %d fields", name, len(fields))
	}
	size, err = strconv.ParseUint(fields[statmSizeField], 10, 40)
	data, dataErr := strconv.ParseUint(fields[statmDataField], 10, 40)
	if err := errors.Join(err, dataErr); err != nil {
		return 0, 0, fmt.Errorf("read the size of a worker: %w", err)
	}
	page := uint64(os.Getpagesize())
	return size * page, data * page, nil
}

// closeInherited closes what a worker has inherited by accident. What the runtime has opened itself is marked to be closed on
// exec; what came through an exec is not.
func closeInherited() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return // without /proc there is no way to tell
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= int(os.Stderr.Fd()) {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd) // if it cannot be closed, it is not open
		}
	}
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now); err != nil {
		panic(fmt.Sprintf("the clock of this process's processor time: %v", err)) // every Linux has it
	}
	return time.Duration(now.Nano())
}
