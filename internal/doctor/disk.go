package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"concord/internal/config"
)

// disk looks at where the data are, or would be made.
func disk(ctx context.Context, c *config.Config) []Finding {
	dir, err := existing(c.Data)
	if err != nil {
		return []Finding{fail("make the directory, or set data to another one", "%v", err).named("disk")}
	}
	findings := []Finding{syncTime(ctx, dir).named("disk sync")}
	v, err := volumeOf(dir)
	if err != nil {
		return append(findings, unknown(err).named("disk space"))
	}
	return append(findings, judgeFileSystem(v.kind).named("file system"),
		judgeSpace(v, c.Store.ReserveBytes, eventsOnDisk(c)).named("disk space"))
}

// eventsOnDisk is how much of the disk the streams of events and of link updates may take.
func eventsOnDisk(c *config.Config) uint64 {
	if c.NATS.URL != "" {
		return 0 // it is on the disk of that server
	}
	return uint64(c.Events.MaxBytes) + uint64(c.Events.Links.MaxBytes)
}

// existing is the directory itself, or the nearest one above it that is there.
func existing(dir string) (string, error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("directory %s: %w", dir, err)
	}
	for {
		info, err := os.Stat(at)
		switch {
		case err == nil && info.IsDir():
			return at, nil
		case err == nil:
			return "", fmt.Errorf("%s is no directory", at)
		case !errors.Is(err, os.ErrNotExist):
			return "", fmt.Errorf("look at the data directory: %w", err)
		}
		at = filepath.Dir(at)
	}
}

// Bounds of the measurement.
const (
	syncsCount   = 50
	syncBytes    = 4 << 10
	syncsMaxTime = 5 * time.Second
)

// syncTime measures what every commit waits for: a write at the end of a file and its sync.
func syncTime(ctx context.Context, dir string) Finding {
	ctx, cancel := context.WithTimeout(ctx, syncsMaxTime)
	defer cancel()
	times, err := measureSyncs(ctx, dir)
	if err != nil {
		return fail("let the user of the server write there", "%v", err)
	}
	if len(times) == 0 {
		return fail("look at the disk: one write took longer than the whole check may", "no write to %s was synced in time", dir)
	}
	return judgeSyncs(dir, times)
}

// measureSyncs returns the times of those syncs that were done before the context ended.
func measureSyncs(ctx context.Context, dir string) (times []time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".concord-doctor-*")
	if err != nil {
		return nil, fmt.Errorf("write to the data directory: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}()
	page := make([]byte, syncBytes)
	for range syncsCount + 1 {
		if ctx.Err() != nil {
			break
		}
		start := time.Now()
		if _, err := f.Write(page); err != nil {
			return nil, fmt.Errorf("write to the data directory: %w", err)
		}
		if err := syncData(f); err != nil {
			return nil, fmt.Errorf("sync a file in the data directory: %w", err)
		}
		times = append(times, time.Since(start))
	}
	return times[min(1, len(times)):], nil // the first one also makes the file
}

// What a sync should take. A commit waits for one, and carries all that gathered during the one before.
const (
	syncMedianMax = 5 * time.Millisecond
	syncTailMax   = 50 * time.Millisecond
	syncMedianMin = 5 * time.Microsecond // no disk is faster
)

func judgeSyncs(dir string, times []time.Duration) Finding {
	median, tail := percentile(times, 50), percentile(times, 99)
	detail := fmt.Sprintf("p50 %s, p99 %s over %d writes in %s", round(median), round(tail), len(times), dir)
	switch {
	case median < syncMedianMin:
		return warn("use a disk that keeps what it has confirmed: a power failure may take back answered writes", "%s: too fast to be true", detail)
	case median > syncMedianMax:
		return warn("use a faster disk: every write waits for at least one sync", "%s", detail)
	case tail > syncTailMax:
		return warn("look for what else uses the disk: one write in a hundred waits this long", "%s", detail)
	default:
		return ok("%s", detail)
	}
}

// percentile is the smallest of the times that p percent of them do not exceed.
func percentile(times []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[(len(sorted)*p+99)/100-1]
}

func round(d time.Duration) time.Duration {
	if d < time.Millisecond {
		return d.Round(time.Microsecond)
	}
	return d.Round(10 * time.Microsecond)
}

// volume is the file system that holds a directory.
type volume struct {
	kind             uint32 // magic number
	free, size       uint64 // bytes; free for this user
	freeFiles, files uint64 // 0, 0: it does not count files
}

// filesMin is how many files must still be possible: the store and the streams have some thousands.
const filesMin = 10_000

func judgeSpace(v volume, reserve, events uint64) Finding {
	detail := fmt.Sprintf("%s free of %s, reserve %s", gib(v.free), gib(v.size), gib(reserve))
	if v.free < reserve {
		return fail("make room, or lower store.reserve: until then every write is refused", "%s", detail)
	}
	if v.files > 0 && v.freeFiles < filesMin {
		return warn("make room for files", "%s, but only %d more files", detail, v.freeFiles)
	}
	if roomForStreams(v.free) < events {
		return warn("make room, or lower events.maxBytes and events.links.maxBytes: a server that does not have its streams yet cannot make them, and events wait",
			"%s, event streams of %s together need %s free", detail, gib(events), gib(events/3*4))
	}
	if v.free-reserve < reserve+events {
		return warn("make room: the reserve is near", "%s, events up to %s", detail, gib(events))
	}
	return ok("%s", detail)
}

// roomForStreams is what the embedded NATS server lets its streams have together: three quarters of what is free when it starts.
func roomForStreams(free uint64) uint64 { return free / 4 * 3 }

// gib writes a size for people.
func gib(n uint64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// fileSystem is what is known about a type of file system.
type fileSystem struct {
	name   string
	advice string // empty: it serves
}

// Advice on file systems.
const (
	adviceNetwork = "use a local disk: locks and syncs over a network do not hold what the store needs"
	adviceMemory  = "use a disk: all data are lost with the machine's next start"
	adviceLayer   = "mount a volume: what is in the container's own layer goes with the container"
	adviceUser    = "use a file system of the kernel: whether a sync reaches the disk is up to a program here"
)

// fileSystems by the magic number of statfs(2).
var fileSystems = map[uint32]fileSystem{
	0xef53: {name: "ext4"}, 0x58465342: {name: "xfs"}, 0x9123683e: {name: "btrfs"}, 0x2fc12fc1: {name: "zfs"},
	0xf2f52010: {name: "f2fs"}, 0xca451a4e: {name: "bcachefs"},
	0x6969: {"nfs", adviceNetwork}, 0xff534d42: {"cifs", adviceNetwork}, 0xfe534d42: {"smb2", adviceNetwork},
	0x517b: {"smb", adviceNetwork}, 0x00c36400: {"ceph", adviceNetwork}, 0x6b414653: {"afs", adviceNetwork},
	0x5346414f: {"afs", adviceNetwork}, 0x01021997: {"9p", adviceNetwork}, 0x0bd00bd0: {"lustre", adviceNetwork},
	0x73757245: {"coda", adviceNetwork}, 0x47504653: {"gpfs", adviceNetwork},
	0x01021994: {"tmpfs", adviceMemory}, 0x858458f6: {"ramfs", adviceMemory},
	0x794c7630: {"overlay", adviceLayer}, 0x65735546: {"fuse", adviceUser},
}

func judgeFileSystem(kind uint32) Finding {
	fs, known := fileSystems[kind]
	switch {
	case !known:
		return ok("type %#x, not known to us", kind)
	case fs.advice != "":
		return warn(fs.advice, "%s", fs.name)
	default:
		return ok("%s", fs.name)
	}
}

// unknown is what is found where this system cannot be asked.
func unknown(err error) Finding { return ok("not known: %v", err) }
