package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// judged is a judgement and a part of what it must say, in detail or advice.
type judged struct {
	got  Finding
	want Status
	says string
}

func check(t *testing.T, rows map[string]judged) {
	t.Helper()
	for name, row := range rows {
		text := row.got.Detail + " -> " + row.got.Advice
		if row.got.Status != row.want || !strings.Contains(text, row.says) {
			t.Errorf("%s: %s %q, want %s and %q", name, row.got.Status, text, row.want, row.says)
		}
		if row.got.Status != OK && row.got.Advice == "" {
			t.Errorf("%s: no advice on %q", name, row.got.Detail)
		}
	}
}

func times(median, tail time.Duration) []time.Duration {
	all := make([]time.Duration, 50)
	for i := range all {
		all[i] = median
	}
	all[7] = tail
	return all
}

func TestJudgeSyncs(t *testing.T) {
	const us, ms = time.Microsecond, time.Millisecond
	check(t, map[string]judged{
		"a local disk":        {judgeSyncs("/d", times(240*us, 550*us)), OK, "p50 240µs, p99 550µs over 50 writes in /d"},
		"a slow disk":         {judgeSyncs("/d", times(8*ms, 9*ms)), Warn, "use a faster disk"},
		"a disk that is busy": {judgeSyncs("/d", times(ms, 80*ms)), Warn, "what else uses the disk"},
		"a disk that lies":    {judgeSyncs("/d", times(us, us)), Warn, "too fast to be true"},
		"one write":           {judgeSyncs("/d", []time.Duration{ms}), OK, "p50 1ms, p99 1ms over 1 writes"},
	})
}

func TestPercentile(t *testing.T) {
	var all []time.Duration
	for i := 100; i > 0; i-- {
		all = append(all, time.Duration(i))
	}
	for p, want := range map[int]time.Duration{1: 1, 50: 50, 99: 99, 100: 100} {
		if got := percentile(all, p); got != want {
			t.Errorf("p%d is %d, want %d", p, got, want)
		}
	}
	if got := percentile(all[:1], 50); got != 100 {
		t.Errorf("p50 of one is %d", got)
	}
}

func TestJudgeSpace(t *testing.T) {
	const gib = 1 << 30
	v := func(free uint64) volume { return volume{free: free, size: 100 * gib, files: 1e6, freeFiles: 1e6} }
	few := v(50 * gib)
	few.freeFiles = 10
	uncounted := v(50 * gib)
	uncounted.files, uncounted.freeFiles = 0, 0
	check(t, map[string]judged{
		"room":                  {judgeSpace(v(50*gib), gib, 4*gib), OK, "50.0 GiB free of 100.0 GiB, reserve 1.0 GiB"},
		"within the reserve":    {judgeSpace(v(gib-1), gib, 0), Fail, "every write is refused"},
		"near the reserve":      {judgeSpace(v(gib+gib/2), gib, 0), Warn, "the reserve is near"},
		"no room for events":    {judgeSpace(v(7*gib), 2*gib, 4*gib), Warn, "events up to 4.0 GiB"},
		"no room for streams":   {judgeSpace(v(5*gib), gib, 4*gib), Warn, "event streams of 4.0 GiB together need 5.3 GiB free"},
		"no reserve":            {judgeSpace(v(gib), 0, 0), OK, "reserve 0.0 MiB"},
		"few files":             {judgeSpace(few, gib, 0), Warn, "only 10 more files"},
		"files are not counted": {judgeSpace(uncounted, gib, 0), OK, ""},
		"a full disk":           {judgeSpace(v(0), 1, math.MaxInt64), Fail, ""},
	})
}

func TestJudgeFileSystem(t *testing.T) {
	check(t, map[string]judged{
		"ext4":    {judgeFileSystem(0xef53), OK, "ext4"},
		"xfs":     {judgeFileSystem(0x58465342), OK, "xfs"},
		"nfs":     {judgeFileSystem(0x6969), Warn, "use a local disk"},
		"smb":     {judgeFileSystem(0xfe534d42), Warn, "use a local disk"},
		"tmpfs":   {judgeFileSystem(0x01021994), Warn, "all data are lost"},
		"overlay": {judgeFileSystem(0x794c7630), Warn, "mount a volume"},
		"fuse":    {judgeFileSystem(0x65735546), Warn, "file system of the kernel"},
		"another": {judgeFileSystem(0x1234), OK, "type 0x1234"},
	})
}

func TestJudgeMachine(t *testing.T) {
	check(t, map[string]judged{
		"two processors":    {judgeProcessors(2, 2), OK, "2 processors, 2 used at once"},
		"one processor":     {judgeProcessors(1, 1), Warn, "give it two"},
		"one of many":       {judgeProcessors(8, 1), Warn, "give it two"},
		"many files":        {judgeOpenFiles(65536), OK, "65536 open files"},
		"files without end": {judgeOpenFiles(math.MaxUint64), OK, "no limit"},
		"files of a shell":  {judgeOpenFiles(4096), Warn, "LimitNOFILE="},
		"few files":         {judgeOpenFiles(1024), Fail, "8192 or more"},
	})
}

func TestJudgeMemory(t *testing.T) {
	const mib, gib = 1 << 20, 1 << 30
	check(t, map[string]judged{
		"a machine":            {judgeMemory(memoryFacts{machine: 16 * gib, cache: 128 * mib}), OK, "GOMEMLIMIT=13004MiB"},
		"with a limit":         {judgeMemory(memoryFacts{machine: 16 * gib, cache: gib, collector: 10 * gib}), OK, "GOMEMLIMIT 10.0 GiB"},
		"a container":          {judgeMemory(memoryFacts{machine: 16 * gib, group: gib, cache: 128 * mib}), Warn, "GOMEMLIMIT=716MiB"},
		"a loose container":    {judgeMemory(memoryFacts{machine: gib, group: 16 * gib, cache: 128 * mib}), OK, "1.0 GiB for the server"},
		"a limit too high":     {judgeMemory(memoryFacts{machine: 2 * gib, cache: gib, collector: 2 * gib}), Warn, "more than there is"},
		"a cache too large":    {judgeMemory(memoryFacts{machine: 2 * gib, cache: 2 * gib}), Warn, "lower store.cache"},
		"a cache beyond all":   {judgeMemory(memoryFacts{machine: gib, cache: 99 * gib}), Warn, "lower store.cache"},
		"a very small one":     {judgeMemory(memoryFacts{machine: 300 * mib, cache: 128 * mib}), Warn, "add memory"},
		"a machine unheard of": {judgeMemory(memoryFacts{cache: gib}), OK, "not known"},
	})
}

func TestGroupMemory(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for name, row := range map[string]struct {
		files fstest.MapFS
		want  uint64
	}{
		"none": {fstest.MapFS{}, 0},
		"version 2": {fstest.MapFS{"proc/self/cgroup": file("0::/a/b\n"), "sys/fs/cgroup/a/b/memory.max": file("1048576\n"),
			"sys/fs/cgroup/a/memory.max": file("max\n")}, 1048576},
		"version 2, less above": {fstest.MapFS{"proc/self/cgroup": file("0::/a/b\n"), "sys/fs/cgroup/a/b/memory.max": file("2097152\n"),
			"sys/fs/cgroup/a/memory.max": file("1048576\n")}, 1048576},
		"version 2, in a container": {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("4096\n")}, 4096},
		"version 1": {fstest.MapFS{"proc/self/cgroup": file("2:cpu:/x\n4:cpu,memory:/m\n0::/\n"),
			"sys/fs/cgroup/memory/m/memory.limit_in_bytes": file("8192\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes":   file("9223372036854771712\n")}, 8192},
		"nonsense":         {fstest.MapFS{"proc/self/cgroup": file("x\n0::/../..\n:::\n"), "sys/fs/cgroup/memory.max": file("many")}, 0},
		"another's memory": {fstest.MapFS{"proc/self/cgroup": file("4:nomemory:/m\n"), "sys/fs/cgroup/memory/m/memory.limit_in_bytes": file("1\n")}, 0},
	} {
		if got := groupMemoryOf(row.files); got != row.want {
			t.Errorf("%s: %d, want %d", name, got, row.want)
		}
	}
}

func TestJudgeClock(t *testing.T) {
	good := clockFacts{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), resolution: 40 * time.Nanosecond, apart: 3 * time.Microsecond}
	with := func(change func(*clockFacts)) Finding {
		f := good
		change(&f)
		return judgeClock(f)
	}
	check(t, map[string]judged{
		"good":      {judgeClock(good), OK, "2026-01-01T00:00:00Z, resolution 40ns"},
		"never set": {with(func(f *clockFacts) { f.now = time.Unix(0, 0) }), Fail, "set the clock"},
		"set by us": {with(func(f *clockFacts) { f.apart = time.Hour }), Warn, "set by 1h0m0s"},
		"backwards": {with(func(f *clockFacts) { f.backwards = true }), Warn, "slew"},
		"coarse":    {with(func(f *clockFacts) { f.resolution = 10 * time.Millisecond }), Warn, "coarse"},
		"alone":     {with(func(f *clockFacts) { f.unsynced = true }), Warn, "time service"},
	})
}

func TestJudgePort(t *testing.T) {
	inUse := fmt.Errorf("listen: %w", syscall.EADDRINUSE)
	check(t, map[string]judged{
		"free":                {judgePort("127.0.0.1:80", nil, false), OK, "is free"},
		"any":                 {judgePort("127.0.0.1:0", nil, false), OK, "any free port"},
		"ours":                {judgePort("127.0.0.1:80", inUse, true), OK, "a server is running"},
		"another's":           {judgePort("127.0.0.1:80", inUse, false), Fail, "another program"},
		"not for us":          {judgePort("127.0.0.1:80", syscall.EACCES, false), Fail, "CAP_NET_BIND_SERVICE"},
		"not here":            {judgePort("10.9.9.9:80", syscall.EADDRNOTAVAIL, false), Fail, "address of this machine"},
		"no such host":        {judgePort("nowhere:80", errors.New("no such host"), false), Fail, "no such host"},
		"not for us, wrapped": {judgePort("127.0.0.1:80", fmt.Errorf("x: %w", fs.ErrPermission), true), Fail, "not for this user"},
	})
}

func TestJudgeServer(t *testing.T) {
	const mib = 1 << 20
	check(t, map[string]judged{
		"oldest that serves":   {judgeVersion("u", "2.12.0"), OK, "u: version 2.12.0"},
		"newer":                {judgeVersion("u", "3.0.1-beta.2"), OK, ""},
		"too old":              {judgeVersion("u", "2.11.9"), Fail, "2.12 or newer"},
		"of another age":       {judgeVersion("u", "1.99.0"), Fail, "2.12 or newer"},
		"of nobody knows":      {judgeVersion("u", "dev"), Warn, "2.12 or newer"},
		"streams":              {judgeStreams(serverFacts{storageMax: -1}, mib), OK, "JetStream is on"},
		"streams, off":         {judgeStreams(serverFacts{streams: jetstream.ErrJetStreamNotEnabled}, mib), Fail, "-js"},
		"streams, no account":  {judgeStreams(serverFacts{streams: jetstream.ErrJetStreamNotEnabledForAccount}, mib), Fail, "account"},
		"streams, no leader":   {judgeStreams(serverFacts{streams: errors.New("timeout")}, mib), Fail, "leader"},
		"streams, no room":     {judgeStreams(serverFacts{storageMax: mib - 1}, mib), Warn, "events.maxBytes"},
		"streams, just room":   {judgeStreams(serverFacts{storageMax: mib}, mib), OK, ""},
		"payload":              {judgePayload(8*mib, mib), OK, "8MiB"},
		"payload, default":     {judgePayload(mib, mib), Warn, "limits.request"},
		"payload, too small":   {judgePayload(mib-1, 64<<10), Fail, "less than 1MiB"},
		"payload, small limit": {judgePayload(mib, 64<<10), OK, "1MiB"},
	})
}

func TestLockedBy(t *testing.T) {
	const table = `1: POSIX  ADVISORY  WRITE 2035 fe:00:9977910 0 EOF
2: FLOCK  ADVISORY  WRITE 2036 fe:00:9977911 0 EOF
2: -> POSIX  ADVISORY  WRITE 2037 fe:00:9977910 0 EOF
3: OFDLCK ADVISORY  READ -1 fe:00:9977912 0 EOF
short line
`
	for name, row := range map[string]struct {
		pid   int
		inode uint64
		want  bool
	}{
		"its lock": {2035, 9977910, true}, "another's": {2036, 9977910, false}, "another file": {2035, 77910, false},
		"another kind": {2036, 9977911, false}, "one that waits": {2037, 9977910, false}, "of nobody": {-1, 9977912, false},
	} {
		if got := lockedBy(table, row.pid, row.inode); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
