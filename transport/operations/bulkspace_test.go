package operations

import (
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/bulk"
	"concord/actors/problem"
	"concord/transport/api"
)

// room says how much room the disk has from now on.
func (b *bench) room(fs *vfs.MemFS, bytes uint64) {
	b.t.Helper()
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: bytes, TotalBytes: 1 << 20})
	if err := b.store.CheckSpace(); err != nil {
		b.t.Fatal(err)
	}
}

// TestATaskSaysThatItRestsForRoom while the disk has none, and can be paused and cancelled then.
func TestATaskSaysThatItRestsForRoom(t *testing.T) {
	fs := vfs.NewMem()
	b := start(t, fs)
	shelves(b, "a")
	one := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`)).Task
	two := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`)).Task
	b.tell(one, &bulk.Start{})
	rests := func(task string) bool {
		message := must[api.BulkTask](b, "bulk.get", task, "").Message
		for _, listed := range must[api.BulkPage](b, "bulk.list", "", "").Items {
			if listed.Task == task && listed.Message != message {
				t.Errorf("listed: %s; read: %s", listed.Message, message)
			}
		}
		return strings.Contains(message, "the disk of the service has no room")
	}
	if rests(one) || rests(two) {
		t.Error("there is room, and they rest")
	}
	b.room(fs, reserveBytes-1)
	if !rests(one) || !rests(two) {
		t.Error("there is no room, and they do not say so")
	}
	b.refused(problem.Unavailable, "bulk.submit", "", asking(`{"ids":["a"]}`))
	must[api.BulkTask](b, "bulk.pause", one, "")
	b.refused(problem.Unavailable, "bulk.resume", one, "")
	must[api.BulkTask](b, "bulk.cancel", two, "")
	if rests(one) || rests(two) {
		t.Error("what is paused, or has ended, waits for no room")
	}
	b.room(fs, reserveBytes)
	must[api.BulkTask](b, "bulk.resume", one, "")
	if rests(one) {
		t.Error("there is room again")
	}
}
