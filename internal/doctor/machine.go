package doctor

import (
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"time"

	"concord/internal/config"
)

// processorsMin is one for the requests and one for commits and compactions.
const processorsMin = 2

func processors() Finding { return judgeProcessors(runtime.NumCPU(), runtime.GOMAXPROCS(0)) }

func judgeProcessors(count, used int) Finding {
	detail := fmt.Sprintf("%d processors, %d used at once", count, used)
	if count == 1 {
		detail = "1 processor"
	}
	if used < processorsMin {
		return warn("give it two: the store works beside the requests", "%s", detail)
	}
	return ok("%s", detail)
}

// Open files that a server needs: the store keeps up to 1,024 tables open, the rest is for callers.
const (
	filesNeeded = 2048
	filesWanted = 8192
)

func openFiles() Finding {
	limit, err := openFilesMax()
	if err != nil {
		return unknown(err)
	}
	return judgeOpenFiles(limit)
}

func judgeOpenFiles(limit uint64) Finding {
	advice := fmt.Sprintf("raise the limit to %d or more: LimitNOFILE= of the unit, or ulimit -n", filesWanted)
	switch {
	case limit < filesNeeded:
		return fail(advice, "at most %d open files: the store alone may need half of %d", limit, filesNeeded)
	case limit < filesWanted:
		return warn(advice, "at most %d open files", limit)
	case limit > math.MaxInt32:
		return ok("no limit")
	default:
		return ok("at most %d open files", limit)
	}
}

// memoryFacts are in bytes.
type memoryFacts struct {
	machine   uint64 // 0: unknown
	group     uint64 // what the control group allows; 0: no less than the machine has
	collector uint64 // GOMEMLIMIT; 0: not set
	cache     uint64 // of the store
}

func memory(c *config.Config) Finding {
	m := memoryFacts{machine: machineMemory(), group: groupMemory(), cache: uint64(c.Store.CacheBytes)}
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		m.collector = uint64(limit)
	}
	return judgeMemory(m)
}

// memoryMin is what a server should have beside its cache.
const memoryMin = 256 << 20

func judgeMemory(m memoryFacts) Finding {
	have := m.machine
	if m.group > 0 && (have == 0 || m.group < have) {
		have = m.group
	}
	if have == 0 {
		return ok("not known how much there is")
	}
	detail := fmt.Sprintf("%s for the server, store.cache %s", gib(have), gib(m.cache))
	if m.cache > have/2 || have-m.cache < memoryMin {
		return warn("lower store.cache to a quarter of the memory, or add memory", "%s", detail)
	}
	wanted := "set GOMEMLIMIT=" + config.FormatSize(int64((have-m.cache)/10*8>>20<<20)) +
		", so that the server collects garbage sooner instead of being killed"
	switch {
	case m.collector > have-m.cache:
		return warn(wanted, "%s, GOMEMLIMIT %s: together more than there is", detail, gib(m.collector))
	case m.collector > 0:
		return ok("%s, GOMEMLIMIT %s", detail, gib(m.collector))
	case m.group > 0 && m.group == have:
		return warn(wanted, "%s, and no GOMEMLIMIT", detail)
	default:
		f := ok("%s, no GOMEMLIMIT", detail)
		f.Advice = wanted
		return f
	}
}

// clockFacts are from a short look at both clocks.
type clockFacts struct {
	now        time.Time     // of the wall
	resolution time.Duration // smallest step of the monotonic clock
	apart      time.Duration // how far wall and monotonic clock went apart during the look
	backwards  bool          // the wall clock went back
	unsynced   bool          // nothing disciplines the clock, as far as the kernel knows
}

// Bounds of the look at the clocks.
const (
	clockReads = 2000
	clockLook  = 20 * time.Millisecond
)

func clock() Finding {
	unsynced, err := clockUnsynced()
	f := clockFacts{now: time.Now(), resolution: time.Hour, unsynced: unsynced && err == nil}
	start, last := f.now, f.now
	for range clockReads {
		now := time.Now()
		if step := now.Sub(last); step > 0 {
			f.resolution = min(f.resolution, step)
		}
		f.backwards = f.backwards || now.Round(0).Before(last.Round(0))
		last = now
	}
	time.Sleep(clockLook)
	end := time.Now()
	f.apart = (end.Round(0).Sub(start.Round(0)) - end.Sub(start)).Abs()
	return judgeClock(f)
}

// What is asked of the clocks. Locks count seconds.
const (
	resolutionMax = time.Millisecond
	apartMax      = 5 * time.Millisecond
)

// clockEarliest is before this was written: a clock that says so was never set.
var clockEarliest = time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)

func judgeClock(f clockFacts) Finding {
	detail := fmt.Sprintf("%s, resolution %s", f.now.UTC().Format(time.RFC3339), f.resolution)
	switch {
	case f.now.Before(clockEarliest):
		return fail("set the clock: every version is stored with its time", "%s: it was never set", detail)
	case f.backwards || f.apart > apartMax:
		return warn("let a time service slew the clock, not set it: locks are granted until a time",
			"%s; it was set by %s while we looked", detail, f.apart.Round(time.Microsecond))
	case f.resolution > resolutionMax:
		return warn("look for a better clock source of this machine", "%s: coarse", detail)
	case f.unsynced:
		return warn("run a time service (chrony, systemd-timesyncd), unless the host sets the clock", "%s; nothing keeps it right, says the kernel", detail)
	default:
		return ok("%s", detail)
	}
}
