package operations

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/links"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// slowDisk holds back syncs while it is told to: what was written can be read, and is not durable.
type slowDisk struct {
	vfs.FS
	mu sync.RWMutex
}

func (d *slowDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := d.FS.Create(name, c)
	return &slowFile{file, d}, err
}

func (d *slowDisk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := d.FS.ReuseForWrite(from, to, c)
	return &slowFile{file, d}, err
}

type slowFile struct {
	vfs.File
	disk *slowDisk
}

func (f *slowFile) wait() {
	f.disk.mu.RLock()
	defer f.disk.mu.RUnlock()
}

func (f *slowFile) Sync() error     { f.wait(); return f.File.Sync() }
func (f *slowFile) SyncData() error { f.wait(); return f.File.SyncData() }
func (f *slowFile) SyncTo(n int64) (bool, error) {
	f.wait()
	return f.File.SyncTo(n)
}

// TestAJobIsNotShownBeforeItIsDurable: it comes into the store with another entity, so that it does not know by itself whether
// a crash can take it back.
func TestAJobIsNotShownBeforeItIsDurable(t *testing.T) {
	disk := &slowDisk{FS: vfs.NewMem()}
	b := start(t, disk)
	library(b)
	answered := make(chan struct{}, 2)
	send := func(operation, id, authority, body string) {
		op := b.table[operation]
		op.Handle(context.Background(), &transport.Request{Op: op, Provider: "p", ID: id, Inner: authority, Body: []byte(body), RequestID: "r",
			Caller: transport.Caller{Principal: "ann", All: true}}, func(*transport.Reply, error) { answered <- struct{}{} })
	}
	disk.mu.Lock()
	var changing sync.WaitGroup
	changing.Go(func() {
		send("authority.put", "", "davis", `{"source":"names","naturalId":"n9","record":`+marcRecord(marcField("100", "a=Davis"))+`}`)
	})
	job := ""
	for job == "" {
		for p := range b.store.Partitions() {
			for e := range b.store.IndexTerms(persistence.Partition(p), persistence.IndexKey{Kind: persistence.KindPropagation, Name: links.IndexJobs}) {
				job = e.Entity
			}
		}
		runtime.Gosched()
	}
	send("propagation.get", job, "", "")
	select {
	case <-answered:
		t.Error("somebody was told of a job that is not on the disk")
	default:
	}
	disk.mu.Unlock()
	changing.Wait()
	<-answered
	if got := must[api.Propagation](b, "propagation.get", job, ""); got.State != "REQUESTED" {
		t.Errorf("the job: %+v", got)
	}
}
