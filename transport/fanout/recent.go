package fanout

import (
	"concord/persistence"
	"concord/persistence/recordpb"
)

// Bounds of what is kept between a commit and its publication. Beyond them the tail reads the log instead.
const (
	recentMaxRecords = 16 << 10
	recentMaxBytes   = 32 << 20
)

// recent is the end of the log as it was committed: a queue in front of the tail. If it overflows it is given up, and
// the tail reads from the log until it has caught up. It is not safe for concurrent use.
type recent struct {
	queue []recentRecord
	bytes int
}

type recentRecord struct {
	partition persistence.Partition
	position  persistence.Position
	record    *recordpb.Record // nil: nothing leaves of it
	bytes     int
}

func (r *recent) add(p persistence.Partition, stored *persistence.Stored, leaves bool) {
	if len(r.queue) == recentMaxRecords || r.bytes > recentMaxBytes {
		*r = recent{}
	}
	if !leaves {
		r.queue = append(r.queue, recentRecord{partition: p, position: stored.Position})
		return
	}
	r.queue = append(r.queue, recentRecord{p, stored.Position, stored.Record, len(stored.Bytes)})
	r.bytes += len(stored.Bytes)
}

// giveBack puts records that were taken to the front again.
func (r *recent) giveBack(records []recentRecord) {
	if len(records) == 0 {
		return
	}
	for i := range records {
		r.bytes += records[i].bytes
	}
	r.queue = append(records[:len(records):len(records)], r.queue...)
}

// take removes at most so many records from the front, if they follow on the cursor without a gap; else none, and drops
// what the cursor has passed.
func (r *recent) take(cursor []persistence.Position, most int) []recentRecord {
	n := 0
	for n < len(r.queue) && r.queue[n].position <= cursor[r.queue[n].partition] {
		r.bytes -= r.queue[n].bytes
		n++
	}
	r.queue = r.queue[n:]
	next := make(map[persistence.Partition]persistence.Position)
	for n = 0; n < len(r.queue) && n < most; n++ {
		q := &r.queue[n]
		at, known := next[q.partition]
		if !known {
			at = cursor[q.partition]
		}
		if q.position != at+1 {
			break
		}
		next[q.partition] = q.position
	}
	taken := r.queue[:n:n]
	for i := range taken {
		r.bytes -= taken[i].bytes
	}
	if r.queue = r.queue[n:]; len(r.queue) == 0 {
		*r = recent{}
	}
	return taken
}

// gatherFresh makes a batch of records that need not be read back, and returns those that it has no room for.
func (t *Tail) gatherFresh(b *batch, fresh []recentRecord) (rest []recentRecord) {
	for i, f := range fresh {
		switch {
		case b.full():
			return fresh[i:]
		case f.record == nil:
			b.reached[f.partition] = f.position
		default:
			t.take(b, f.partition, persistence.LogRecord{Position: f.position, Entity: persistence.EntityOf(f.record),
				Record: f.record})
		}
	}
	return nil
}
