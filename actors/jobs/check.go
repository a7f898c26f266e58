package jobs

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/authority"
	"concord/actors/collection"
	"concord/actors/collection/collectionpb"
	"concord/actors/jobs/jobspb"
	"concord/actors/links"
	"concord/persistence"
)

// Bounds of the checker.
const (
	checkMaxItems     = 100_000                // that wait to be looked at; beyond it the log is read again
	checkBatch        = 4096                   // that are looked at together
	pendingMaxItems   = 10_000                 // corrections that wait and are kept by name; for others the log is read again
	correctMaxAtOnce  = 8                      // collections that are corrected at once
	correctMaxDocs    = 1000                   // of one correction
	savedEvery        = 200 * time.Millisecond // how far the checker is
	movedEvery        = 10 * time.Second       // the same, if nothing was to be checked meanwhile
	checkedCursor     = "links.checked"
	checkLogMaxAtOnce = 4096 // records of a partition that are read from the log at once
)

// item is an entry of linked documents that an event has made. Without a document it is an authority that has changed, and no
// job was begun for it: its entries are to be found; or, without a cause, a revival.
type item struct {
	collection persistence.EntityID
	document   string
	cause      persistence.EntityID // source or authority
	revision   uint64               // that the document shows; 0: it waits for the authority
	partition  persistence.Partition
	position   persistence.Position // of the event; 0: it is kept by name
}

// CheckHost is what the checker needs of the host, beside what its courtesy delivers to.
type CheckHost interface {
	// SettledAll calls done once all that is in the store is durable, and the observers have seen it.
	SettledAll(done func())
}

// Checker sees to it that a write that has raced with a change of a source or an authority is right in the end: it follows
// the log, holds what linked documents show against the newest revisions, and corrects what is older. It is an observer of
// the committer, and a goroutine (Run). How far it is, is kept in a cursor of the store: after a crash it goes on from there.
type Checker struct {
	store    Store
	host     CheckHost
	courtesy *Courtesy
	observer Observer
	log      *slog.Logger
	notes    *notes // collections that may be free
	waits    *waits // for collections whose lock somebody holds; the "job" is the collection itself

	awaited atomic.Bool // there are links that wait for authorities, or were

	mu     sync.Mutex
	items  []item
	behind bool // there were too many: the log has them

	checked []persistence.Position // by partition; of the goroutine
	passed  []atomic.Uint64        // the same, as it is kept
	waiting map[waitKey]item       // corrections that wait for a lock; of the goroutine
	held    atomic.Int64           // how many
	news    bool                   // since it was kept last
}

type waitKey struct {
	collection persistence.EntityID
	document   string
	cause      persistence.EntityID
}

func (i *item) key() waitKey { return waitKey{i.collection, i.document, i.cause} }

// NewChecker makes a checker, and reads how far it was; nothing runs before Run. A store that never had one has no links
// yet: it begins at the end of the log.
func NewChecker(s Store, h CheckHost, courtesy *Courtesy, o Observer, log *slog.Logger) (*Checker, error) {
	c := &Checker{store: s, host: h, courtesy: courtesy, observer: o, log: log, waiting: make(map[waitKey]item),
		checked: make([]persistence.Position, s.Partitions()), passed: make([]atomic.Uint64, s.Partitions())}
	c.notes, c.waits = newNotes(), newWaits()
	awaited, err := anyWaits(s)
	if err != nil {
		return nil, err
	}
	c.awaited.Store(awaited)
	kept, err := s.Cursor(checkedCursor)
	if errors.Is(err, persistence.ErrNotFound) {
		for p := range c.checked {
			c.checked[p] = s.Last(persistence.Partition(p))
		}
		return c, c.save()
	}
	if err != nil {
		return nil, fmt.Errorf("read how far links are checked: %w", err)
	}
	if err := c.read(kept); err != nil {
		return nil, err
	}
	c.behind = true // what came after is read from the log
	return c, nil
}

// read reads what is kept.
func (c *Checker) read(kept []byte) error {
	var m jobspb.Checked
	if err := proto.Unmarshal(kept, &m); err != nil || len(m.GetPositions()) != len(c.checked) {
		return fmt.Errorf("how far links are checked: %w: %w", persistence.ErrCorrupt, err)
	}
	for p, position := range m.GetPositions() {
		c.checked[p] = persistence.Position(position)
		c.passed[p].Store(position)
	}
	for _, p := range m.GetPending() {
		cause := persistence.EntityID{Kind: persistence.KindSource, Provider: p.GetProvider(), ID: p.GetCause()}
		if p.GetAuthority() {
			cause.Kind = persistence.KindAuthority
		}
		c.items = append(c.items, item{collection: collectionID(p.GetProvider(), p.GetCollection()), document: p.GetDocument(), cause: cause,
			revision: p.GetRevision()})
	}
	return nil
}

// Waiting is how many corrections wait for locks.
func (c *Checker) Waiting() int { return int(c.held.Load()) }

// Passed is how far a partition was checked for good: retention leaves what comes after.
func (c *Checker) Passed(p persistence.Partition) persistence.Position {
	return persistence.Position(c.passed[p].Load())
}

// Committed is the committer's observer. A write without links costs it a look at an empty list.
func (c *Checker) Committed(group []*persistence.Entry) {
	for _, e := range group {
		if e.Entity.Kind == persistence.KindAuthority {
			for i := range e.Records {
				c.changed(e.Entity, &e.Records[i])
			}
		}
		if e.Entity.Kind != persistence.KindCollection {
			continue
		}
		if c.waits.count.Load() > 0 && c.waits.has(e.Entity) {
			c.notes.free(e.Entity)
		}
		for i := range e.Records {
			if len(e.Records[i].Beside.Index) > 0 {
				c.linked(e.Entity, &e.Records[i])
			}
			if r := e.Records[i].Record; r.GetType() == collection.TypeSaved && collection.IsRevert(r.GetPayload()) {
				c.note(revival(e.Entity, r.GetVersion(), persistence.PartitionOf(e.Entity, len(c.checked)), e.Records[i].Position))
			}
		}
	}
}

// linked notes the entries that a record has made.
func (c *Checker) linked(id persistence.EntityID, r *persistence.Stored) {
	partition := persistence.PartitionOf(id, len(c.checked))
	items := make([]item, 0, len(r.Beside.Index))
	for i := range r.Beside.Index {
		change := &r.Beside.Index[i]
		cause, ok := causeOf(id.Provider, change.Name, change.Term)
		if !ok || change.Removed {
			continue
		}
		if change.Name == links.IndexWaiting {
			c.awaited.Store(true)
		}
		value, err := links.DecodeIndexValue(change.Value)
		if err != nil {
			continue // it was made a moment ago: it is sound
		}
		items = append(items, item{id, change.Part, cause, value.Revision, partition, r.Position})
	}
	if len(items) > 0 {
		c.note(items...)
	}
}

// note has items checked, as far as there is room; the log has what cannot be noted.
func (c *Checker) note(items ...item) {
	c.mu.Lock()
	if !c.behind && len(c.items)+len(items) > checkMaxItems {
		c.items, c.behind = nil, true
	}
	if !c.behind {
		c.items = append(c.items, items...)
	}
	c.mu.Unlock()
	c.notes.again()
}

// changed notes an authority that has changed without a job. A new one is looked after only if there are links that wait:
// whoever begins to wait later finds it.
func (c *Checker) changed(id persistence.EntityID, r *persistence.Stored) {
	if !authority.Unfollowed(r.Record.GetPayload()) || r.Record.GetVersion() == 1 && !c.awaited.Load() {
		return
	}
	c.note(item{cause: id, partition: persistence.PartitionOf(id, len(c.checked)), position: r.Position})
}

// causeOf is what an entry of an index of links is about. Terms of sources and authorities are their ids: both are shorter
// than a term may be.
func causeOf(provider, index, term string) (persistence.EntityID, bool) {
	switch index {
	case links.IndexBySource:
		return persistence.EntityID{Kind: persistence.KindSource, Provider: provider, ID: term}, true
	case links.IndexByAuthority, links.IndexWaiting:
		return persistence.EntityID{Kind: persistence.KindAuthority, Provider: provider, ID: term}, true
	}
	return persistence.EntityID{}, false
}

// itemsOf are the entries that a record of the log has made.
func itemsOf(rec *persistence.LogRecord, partition persistence.Partition) ([]item, error) {
	if rec.Entity.Kind == persistence.KindAuthority && authority.Unfollowed(rec.Record.GetPayload()) {
		return []item{{cause: rec.Entity, partition: partition, position: rec.Position}}, nil
	}
	if rec.Entity.Kind != persistence.KindCollection || rec.Record.GetType() != collection.TypeSaved {
		return nil, nil
	}
	var saved collectionpb.Saved
	if err := proto.Unmarshal(rec.Record.GetPayload(), &saved); err != nil {
		return nil, fmt.Errorf("links of %v at %d: %w: %w", rec.Entity, rec.Position, persistence.ErrCorrupt, err)
	}
	var items []item
	if saved.GetRevertedTo() > 0 {
		items = append(items, revival(rec.Entity, rec.Record.GetVersion(), partition, rec.Position))
	}
	for _, d := range saved.GetLinked().GetDocuments() {
		for _, change := range d.GetIndex() {
			cause, ok := causeOf(rec.Entity.Provider, links.Index(change.GetIndex()).Name(), change.GetTerm())
			if ok && change.GetLinks() > 0 {
				items = append(items, item{rec.Entity, d.GetId(), cause, change.GetRevision(), partition, rec.Position})
			}
		}
	}
	return items, nil
}
