package collection

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/collection/collectionpb"
	"concord/actors/entity"
	"concord/actors/lock"
	"concord/internal/planted"
	"concord/persistence"
)

// Stored names of the events; never reused.
const (
	TypeSaved   = "collection.saved"
	TypeDeleted = "collection.deleted"

	TypeReindexed = "collection.reindexed"
)

// State is what a collection knows of itself.
type State struct {
	Exists           bool // it was created once; it may be deleted since
	Deleted          bool
	Format, Type     string
	Version          uint64
	Born             uint64 // version that created it: parts of older versions are not its own
	Documents        uint64
	Since            uint64 // version since which it lives without a gap: no base before it is good
	DocumentsVersion uint64 // version that last wrote or removed any document
	MetadataVersion  uint64 // version that last wrote the metadata, 0 if none has
	Created          time.Time
	Updated          time.Time // of the newest change of content
	SavedSeq         uint64    // of the event that made it
	Lock             lock.State
	Task             Task   // that wrote it last; zero if none has
	Lookups          []byte // what it is found by (lookup.Set.Terms); none if its type declares nothing, or it is deleted
}

// Task is a bulk task that has written the collection. It is remembered until another one writes, whatever happens to the
// collection in between: so a repeated Apply is told what came of the first.
type Task struct {
	ID            string
	Before, After uint64 // version that it met, and that it made
}

func (t Task) is(id string) bool { return t.ID != "" && t.ID == id }

// Live says that there is a collection.
func (s State) Live() bool { return s.Exists && !s.Deleted }

// Event is a sealed set: Saved, Deleted, Happened, Reindexed.
type Event interface{ event() }

// Saved says that the content has changed.
type Saved struct {
	Parts      []entity.Content // in order of their ids
	After      State            // without Version, DocumentsVersion, Born and Created where those are the event's own
	Created    bool
	Documented bool           // a document was written or removed
	Described  bool           // the metadata was written, not removed: only a revert removes it, and After says so then
	Blame      []MemberChange // of the metadata, if it was written
	RevertedTo uint64
	Fence      uint64               // of the lock that it was written under, 0 without
	Merge      *Merge               // how it came out, if its base was stale
	Linked     *collectionpb.Linked // what it says of links; nil if no document has any, or had. Nobody writes to it
	Task       string               // id of the bulk task that wrote it; "": none did
	PinUntil   time.Time            // until when retention keeps the version before, for the task; zero: as its policy says
	Lookups    []byte               // what it is found by from now on; nil: as before
	Origin     Origin
}

// Origin is the request that a parked update came with; empty: the event comes from the command's own.
type Origin struct{ RequestID, Reason string }

// note says which sides of the collection the parts are on.
func (e *Saved) note() {
	for i := range e.Parts {
		e.Documented = e.Documented || e.Parts[i].ID != MetadataPart
		e.Described = e.Described || e.Parts[i].ID == MetadataPart && !e.Parts[i].Removed
	}
}

// Deleted says that the collection is gone; its history is not.
type Deleted struct {
	Fence    uint64
	Task     string    // id of the bulk task that took back what had brought it back; "": none did
	PinUntil time.Time // as Saved.PinUntil
	Origin   Origin
}

// Reindexed says that the collection is found by something else from now on, since its type declares other keys and indexes.
// Its content is the same.
type Reindexed struct{ Lookups []byte }

func (*Saved) event()     {}
func (*Deleted) event()   {}
func (*Reindexed) event() {}

// MemberChange is a top-level member of the metadata. One that this event writes has no Version yet.
type MemberChange struct {
	Name      string
	Version   uint64
	Time      time.Time
	Principal string
}

// Evolve is the state after the event.
func (Behavior) Evolve(s State, e Event, at entity.Stamp) State {
	switch e := e.(type) {
	case *Saved:
		after := e.After
		after.Exists, after.Deleted, after.Version = true, false, at.Version
		if e.Created {
			after.Born, after.Created = at.Version, at.Time
		}
		if !s.Live() || after.Born != s.Born {
			after.Since = at.Version
		}
		if e.Documented {
			after.DocumentsVersion = at.Version
		}
		if e.Described {
			after.MetadataVersion = at.Version
		}
		after.Lock, after.Updated, after.SavedSeq = s.Lock, at.Time, at.Seq
		after.Task = s.taskAfter(e.Task, at)
		if after.Lookups = s.Lookups; e.Lookups != nil {
			after.Lookups = e.Lookups
		}
		return after
	case *Deleted:
		s.Task = s.taskAfter(e.Task, at)
		s.Deleted, s.Version, s.Documents, s.DocumentsVersion = true, at.Version, 0, at.Version
		s.Updated, s.SavedSeq, s.Lookups = at.Time, at.Seq, nil
		return s
	case *Reindexed:
		s.Lookups = e.Lookups
		return s
	case *Happened:
		s.Lock = lock.Evolve(s.Lock, e.Event, lock.Stamp{Seq: at.Seq, Version: at.Version, Time: at.Time})
		return s
	default:
		panic(fmt.Sprintf("collection: unknown event %T", e))
	}
}

// taskAfter is the task to be remembered after an event that a task has written, or none.
func (s State) taskAfter(id string, at entity.Stamp) Task {
	if id == "" {
		return s.Task
	}
	return Task{ID: id, Before: s.Version, After: at.Version}
}

// pins hold back the version that a task has replaced, and all above.
func (s State) pins(task string, until time.Time) []persistence.Pin {
	if task == "" || until.IsZero() || planted.Unpinned {
		return nil
	}
	return []persistence.Pin{{Version: s.Version, Holder: task, Until: until}}
}

// Project says what stands beside the event: the facts of each part that it wrote, the timer of the lock, what the
// collection is found by, and the pin of what a task has replaced.
func (b Behavior) Project(before State, e Event, at entity.Stamp) entity.Projection {
	after := b.Evolve(before, e, at)
	saved, ok := e.(*Saved)
	if !ok {
		p := entity.Projection{Timers: timers(before.Lock, after.Lock), Index: b.Found(before, after)}
		if deleted, ok := e.(*Deleted); ok {
			p.Pins = before.pins(deleted.Task, deleted.PinUntil)
		}
		return p
	}
	parts := make([]entity.PartInfo, len(saved.Parts))
	linked := saved.Linked.GetDocuments()
	born := after.Born
	for i := range saved.Parts {
		c := &saved.Parts[i]
		info := &collectionpb.PartInfo{Hash: c.Hash, Size: uint32(c.Size), Time: at.Time.UnixMicro(), Principal: at.Principal}
		if c.ID == MetadataPart {
			info.Blame = encodeBlame(saved.Blame, at)
		}
		if len(linked) > 0 && linked[0].GetId() == c.ID {
			if info.Links = linked[0].GetTable(); info.Links != nil {
				info.Born = born
			}
			linked = linked[1:]
		}
		parts[i] = entity.PartInfo{ID: c.ID, Removed: c.Removed, Info: marshal(info)}
	}
	return entity.Projection{Parts: parts, Index: append(indexChanges(saved.Linked, born), b.Found(before, after)...),
		Pins: before.pins(saved.Task, saved.PinUntil)}
}

// encodeBlame gives the members that the event writes its version.
func encodeBlame(blame []MemberChange, at entity.Stamp) []*collectionpb.Member {
	members := make([]*collectionpb.Member, len(blame))
	for i, b := range blame {
		if b.Version == 0 {
			b.Version, b.Time, b.Principal = at.Version, at.Time, at.Principal
		}
		members[i] = &collectionpb.Member{Name: b.Name, Version: b.Version, Time: b.Time.UnixMicro(), Principal: b.Principal}
	}
	return members
}

func decodeBlame(members []*collectionpb.Member) []MemberChange {
	blame := make([]MemberChange, len(members))
	for i, m := range members {
		blame[i] = MemberChange{Name: m.GetName(), Version: m.GetVersion(), Principal: m.GetPrincipal()}
		if m.GetTime() != 0 {
			blame[i].Time = time.UnixMicro(m.GetTime()).UTC()
		}
	}
	return blame
}

// EncodeState is the stored form of the state.
func (Behavior) EncodeState(s State) []byte {
	text := lock.EncodeState(s.Lock)
	if !s.Exists && len(text) == 0 {
		return nil
	}
	m := stateMessage(s)
	m.Version, m.Lock, m.Never, m.SavedSeq = s.Version, text, !s.Exists, s.SavedSeq
	if !s.Updated.IsZero() {
		m.Updated = s.Updated.UnixMicro()
	}
	if t := s.Task; t.ID != "" {
		m.Task = &collectionpb.Task{Id: t.ID, Before: t.Before, After: t.After}
	}
	m.Lookups = s.Lookups
	return marshal(m)
}

func stateMessage(s State) *collectionpb.State {
	m := &collectionpb.State{Format: s.Format, Type: s.Type, Deleted: s.Deleted, Born: s.Born,
		Documents: s.Documents, DocumentsVersion: s.DocumentsVersion, MetadataVersion: s.MetadataVersion, Since: s.Since}
	if !s.Created.IsZero() {
		m.Created = s.Created.UnixMicro()
	}
	return m
}

func stateOf(m *collectionpb.State) State {
	s := State{Exists: !m.GetNever(), Version: m.GetVersion(), Format: m.GetFormat(), Type: m.GetType(), Deleted: m.GetDeleted(), Born: m.GetBorn(),
		Documents: m.GetDocuments(), DocumentsVersion: m.GetDocumentsVersion(),
		MetadataVersion: m.GetMetadataVersion(), Since: m.GetSince()}
	if m.GetCreated() != 0 {
		s.Created = time.UnixMicro(m.GetCreated()).UTC()
	}
	return s
}

// DecodeState reads a stored state.
func (Behavior) DecodeState(b []byte) (State, error) {
	if len(b) == 0 {
		return State{}, nil
	}
	var m collectionpb.State
	if err := proto.Unmarshal(b, &m); err != nil {
		return State{}, fmt.Errorf("collection state: %w", err)
	}
	s := stateOf(&m)
	s.SavedSeq = m.GetSavedSeq()
	s.Task = Task{ID: m.GetTask().GetId(), Before: m.GetTask().GetBefore(), After: m.GetTask().GetAfter()}
	s.Lookups = m.GetLookups()
	if m.GetUpdated() != 0 {
		s.Updated = time.UnixMicro(m.GetUpdated()).UTC()
	}
	var err error
	if s.Lock, err = lock.DecodeState(m.GetLock()); err != nil {
		return State{}, fmt.Errorf("collection state: %w", err)
	}
	return s, nil
}

// EncodeEvent is the stored form of an event.
func (Behavior) EncodeEvent(e Event) entity.Encoded {
	switch e := e.(type) {
	case *Saved:
		payload := &collectionpb.Saved{State: stateMessage(e.After), RevertedTo: e.RevertedTo, Merge: e.Merge.message(), Linked: e.Linked,
			Task: e.Task, PinUntil: persistence.Micros(e.PinUntil), Lookups: e.Lookups}
		for _, b := range e.Blame {
			m := &collectionpb.Member{Name: b.Name, Version: b.Version, Principal: b.Principal}
			if b.Version != 0 {
				m.Time = b.Time.UnixMicro()
			}
			payload.Blame = append(payload.Blame, m)
		}
		return entity.Encoded{Type: TypeSaved, Payload: marshal(payload), Parts: e.Parts, Content: true, Fence: e.Fence,
			Data: e.Merge.published(), RequestID: e.Origin.RequestID, Reason: e.Origin.Reason}
	case *Deleted:
		payload := &collectionpb.Saved{Task: e.Task, PinUntil: persistence.Micros(e.PinUntil)}
		return entity.Encoded{Type: TypeDeleted, Payload: marshal(payload), Content: true, Fence: e.Fence,
			RequestID: e.Origin.RequestID, Reason: e.Origin.Reason}
	case *Reindexed:
		return entity.Encoded{Type: TypeReindexed, Payload: marshal(&collectionpb.Reindexed{Lookups: e.Lookups})}
	case *Happened:
		return encodeHappened(e)
	default:
		panic(fmt.Sprintf("collection: unknown event %T", e))
	}
}

// DecodeEvent reads a stored event.
func (Behavior) DecodeEvent(enc entity.Encoded) (Event, error) {
	switch enc.Type {
	case TypeDeleted:
		var m collectionpb.Saved
		if err := proto.Unmarshal(enc.Payload, &m); err != nil {
			return nil, fmt.Errorf("collection.deleted: %w", err)
		}
		return &Deleted{Fence: enc.Fence, Task: m.GetTask(), PinUntil: persistence.TimeOf(m.GetPinUntil())}, nil
	case TypeSaved:
		var m collectionpb.Saved
		if err := proto.Unmarshal(enc.Payload, &m); err != nil {
			return nil, fmt.Errorf("collection.saved: %w", err)
		}
		after := stateOf(m.GetState())
		e := &Saved{Parts: enc.Parts, After: after, Created: after.Born == 0,
			Blame: decodeBlame(m.GetBlame()), RevertedTo: m.GetRevertedTo(), Fence: enc.Fence, Merge: mergeOf(m.GetMerge()), Linked: m.GetLinked(),
			Task: m.GetTask(), PinUntil: persistence.TimeOf(m.GetPinUntil()), Lookups: m.GetLookups()}
		e.note()
		return e, nil
	case TypeReindexed:
		var m collectionpb.Reindexed
		if err := proto.Unmarshal(enc.Payload, &m); err != nil {
			return nil, fmt.Errorf("%s: %w", enc.Type, err)
		}
		return &Reindexed{m.GetLookups()}, nil
	default:
		if lock.IsEvent(enc.Type) {
			return decodeHappened(enc)
		}
		return nil, fmt.Errorf("collection: unknown event %q", enc.Type)
	}
}

func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic("collection: a message of checked strings cannot fail to marshal: " + err.Error())
	}
	return b
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
