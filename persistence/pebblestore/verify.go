package pebblestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// DefaultFindingsMax is how many findings a report lists when nobody has said otherwise.
const DefaultFindingsMax = 100

// VerifyOptions of one verification.
type VerifyOptions struct {
	Fold        persistence.Fold // zero: the derived records are not compared with what the log says
	FindingsMax int              // listed; all are counted. 0: DefaultFindingsMax
	Scratch     string           // directory for temporary files; empty: one in the store's own
}

// Report is what a verification has read and found. The store is sound if Findings is 0.
type Report struct {
	Group      uint64 `json:"group"` // number of the newest group
	Partitions int    `json:"partitions"`
	Entities   int    `json:"entities"`
	Records    int    `json:"records"`  // of the log, outcomes included
	Outcomes   int    `json:"outcomes"` // records without an event
	Bodies     int    `json:"bodies"`   // that stand beside their records
	BodyBytes  int64  `json:"bodyBytes"`
	Derived    int    `json:"derived"` // records, compared with what the log says
	Tables     int    `json:"tables"`  // files, each block of which was read
	Findings   int    `json:"findings"`

	List []Finding `json:"list,omitempty"` // the first FindingsMax
	max  int
}

// Finding is one thing that is not as it should be.
type Finding struct {
	Partition persistence.Partition `json:"partition"`
	Entity    string                `json:"entity,omitempty"`
	Seq       uint64                `json:"seq,omitempty"`
	What      string                `json:"what"`
}

// String is one line for a person.
func (f Finding) String() string {
	return fmt.Sprintf("partition %d: %s#%d: %s", f.Partition, f.Entity, f.Seq, f.What)
}

func (r *Report) add(p persistence.Partition, entity string, seq uint64, format string, args ...any) {
	r.Findings++
	if len(r.List) < r.max {
		r.List = append(r.List, Finding{p, entity, seq, fmt.Sprintf(format, args...)})
	}
}

// Verify reads everything that is kept at this moment and checks it: each record of the log, the chain of hashes of each
// entity, the bodies that stand beside their records, the heads, the edges, every block of every file, and, with a Fold,
// each derived record. The store may be in use. An error means that it could not look; what it saw is in the report.
func (s *Store) Verify(ctx context.Context, o VerifyOptions) (report Report, err error) {
	report = Report{Partitions: s.partitions, max: o.FindingsMax}
	if report.max == 0 {
		report.max = DefaultFindingsMax
	}
	var marked uint64
	if s.mark != nil {
		marked = s.mark.group.Load()
	}
	from, release := s.snapshot()
	defer func() { err = errors.Join(err, release()) }()
	if err := from.checkGroup(&report); err != nil {
		return report, err
	}
	if report.Group < marked {
		report.add(0, "", 0, "the newest group is %d, but group %d was durable", report.Group, marked)
	}
	if err := from.findUnknown(&report); err != nil {
		return report, err
	}
	for p := range s.partitions {
		v := verifier{r: from, report: &report, p: persistence.Partition(p)}
		if err := report.note(v.p, v.check(ctx)); err != nil {
			return report, err
		}
	}
	if o.Fold.Whole() {
		c := comparison{from: from}
		err := report.note(0, s.derive(ctx, o.Fold, o.Scratch, &c))
		report.compared(c.found)
		if err != nil {
			return report, err
		}
	}
	return report, s.verifyTables(ctx, &report)
}

// note makes a finding of damage; any other error is returned.
func (r *Report) note(p persistence.Partition, err error) error {
	if errors.Is(err, persistence.ErrCorrupt) {
		r.add(p, "", 0, "%v", err)
		return nil
	}
	return err
}

func (r *Report) compared(d Differences) {
	r.Derived = d.Compared
	for _, difference := range d.First {
		r.add(difference.Partition, difference.Entity, 0, "derived record %s %s: %s", difference.Family, difference.Key,
			difference.What)
	}
	r.Findings += d.Count - len(d.First)
}

func (r *reader) checkGroup(report *Report) error {
	err := r.get(storeKey(familyGroup, ""), func(b []byte) error {
		if len(b) != 8 {
			return fmt.Errorf("%w: group number of %d bytes", persistence.ErrCorrupt, len(b))
		}
		report.Group = binary.BigEndian.Uint64(b)
		return nil
	})
	if errors.Is(err, persistence.ErrNotFound) {
		return nil // nothing was ever written
	}
	return report.note(0, err)
}

// findUnknown finds keys that are of no family. It jumps over all that are.
func (r *reader) findUnknown(report *Report) error {
	at := []byte{0}
	for at != nil {
		var key []byte
		err := r.walk(at, nil, func(k, _ []byte) error { key = bytes.Clone(k); return errEnough })
		if err == nil {
			return nil
		}
		if !errors.Is(err, errEnough) {
			return report.note(0, err)
		}
		if !known(key, r.partitions) {
			report.add(0, "", 0, "the key %.40q is of no family", key)
			at = append(key, 0)
			continue
		}
		at = keyAfter(key[:3])
	}
	return nil
}

func known(key []byte, partitions int) bool {
	if len(key) < 3 {
		return false
	}
	f, ok := familyOf(key[2])
	p := persistence.Partition(binary.BigEndian.Uint16(key))
	return ok && (f.ofStore && p == storePartition || !f.ofStore && int(p) < partitions)
}

// chain is how far an entity's records have been followed.
type chain struct {
	seq, version uint64
	micros       int64
	hash         []byte
	edge         uint64 // seq up to which the history is trimmed, or has its newest gap so far
	gaps         []span // that lie ahead
}

// verifier checks one partition. It keeps a chain for each of its entities in memory.
type verifier struct {
	r      *reader
	report *Report
	p      persistence.Partition

	chains map[persistence.EntityID]*chain
	bodies *bodyCheck
	strays map[persistence.Position][]byte // hashes, until they are met in the log
	count  uint64                          // records of the log
	last   persistence.Position
}

func (v *verifier) check(ctx context.Context) error {
	v.chains = make(map[persistence.EntityID]*chain)
	for _, step := range []func() error{
		v.edges,
		v.gaps,
		v.strayIndex,
		func() error { return v.log(ctx) },
		v.heads,
		v.total,
		v.pins,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	v.report.Entities += len(v.chains)
	return nil
}

func (v *verifier) found(e persistence.EntityID, seq uint64, format string, args ...any) {
	v.report.add(v.p, e.String(), seq, format, args...)
}

// edges begins the chains of trimmed histories.
func (v *verifier) edges() error {
	return v.r.each(v.p, familyEdge, func(key, value []byte) error {
		e, base, err := parseEdge(key, value)
		if err != nil {
			return err
		}
		h := base.GetHead()
		v.chains[e] = &chain{seq: h.GetSeq(), version: h.GetVersion(), micros: h.GetTime(), hash: h.GetHash(), edge: h.GetSeq()}
		if h.GetSeq() == 0 || base.GetVersion() != h.GetVersion()+1 || len(h.GetHash()) != hashSize {
			v.found(e, h.GetSeq(), "the edge of the history is not one")
		}
		return nil
	})
}

func (v *verifier) strayIndex() error {
	v.strays = make(map[persistence.Position][]byte)
	return v.r.each(v.p, familyStray, func(key, value []byte) error {
		if len(key) != 3+4+8 {
			return fmt.Errorf("%w: stray key of %d bytes", persistence.ErrCorrupt, len(key))
		}
		v.strays[persistence.Position(binary.BigEndian.Uint64(key[7:]))] = bytes.Clone(value)
		return nil
	})
}

// log follows all chains through the partition's log, and the bodies beside it.
func (v *verifier) log(ctx context.Context) (err error) {
	if v.bodies, err = newBodyCheck(v); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.bodies.close()) }()
	err = v.r.each(v.p, familyLog, func(key, value []byte) error {
		if ctx.Err() != nil {
			return fmt.Errorf("verify partition %d: %w", v.p, context.Cause(ctx))
		}
		v.count++
		v.last = persistence.Position(binary.BigEndian.Uint64(key[3:]))
		rec := new(recordpb.Record)
		if err := proto.Unmarshal(value, rec); err != nil {
			v.report.add(v.p, "", 0, "record at position %d: %v", v.last, err)
			return nil
		}
		v.record(rec, value)
		return v.bodies.record(v.last, rec)
	})
	if err != nil {
		return err
	}
	for _, pos := range slices.Sorted(maps.Keys(v.strays)) {
		v.report.add(v.p, "", 0, "the record at position %d, kept for its outcome, is missing", pos)
	}
	return v.bodies.rest()
}

// record follows one chain by one record.
func (v *verifier) record(rec *recordpb.Record, stored []byte) {
	v.report.Records++
	e := persistence.EntityOf(rec)
	if persistence.PartitionOf(e, v.r.partitions) != v.p {
		v.found(e, rec.GetSeq(), "the record does not belong to this partition")
		return
	}
	if rec.GetSeq() == 0 {
		v.report.Outcomes++
		if rec.GetOutcome() == nil {
			v.found(e, 0, "the record at position %d has neither an event nor an outcome", v.last)
		}
		if !bytes.Equal(v.strays[v.last], hashOf(stored)) {
			v.found(e, 0, "nothing keeps the record at position %d as it is", v.last)
		}
		delete(v.strays, v.last)
		return
	}
	c := v.chains[e]
	if c == nil {
		c = new(chain)
		v.chains[e] = c
	}
	v.cross(c, e, rec.GetSeq())
	if rec.GetSeq() <= c.edge {
		if !bytes.Equal(v.strays[v.last], hashOf(stored)) || rec.GetOutcome() == nil {
			v.found(e, rec.GetSeq(), "the record is below the edge of the history or in a gap, and nothing keeps it as it is")
		}
		delete(v.strays, v.last)
		return
	}
	v.follow(c, e, rec)
	c.seq, c.version, c.micros, c.hash = rec.GetSeq(), rec.GetVersion(), rec.GetTime(), hashOf(stored)
}

func (v *verifier) follow(c *chain, e persistence.EntityID, rec *recordpb.Record) {
	seq := rec.GetSeq()
	switch {
	case seq != c.seq+1:
		v.found(e, seq, "the event before it is %d", c.seq)
	case !bytes.Equal(rec.GetPreviousHash(), c.hash):
		v.found(e, seq, "its hash of the record before is not that record's")
	case rec.GetVersion() != c.version && rec.GetVersion() != c.version+1:
		v.found(e, seq, "version %d follows version %d", rec.GetVersion(), c.version)
	case rec.GetTime() < c.micros:
		v.found(e, seq, "it is older than the event before it")
	}
}

// heads compares the newest state of each entity with its newest record.
func (v *verifier) heads() error {
	heads := make(map[persistence.EntityID]bool)
	err := v.r.each(v.p, familyHead, func(key, value []byte) error {
		e, _, err := parseEntity(key[3:])
		if err != nil {
			return err
		}
		heads[e] = true
		head, err := persistence.ParseHead(value)
		c := v.chains[e]
		switch {
		case err != nil:
			v.found(e, 0, "%v", err)
		case c == nil:
			v.found(e, head.Seq, "it has a head and no event")
		case len(c.gaps) > 0:
			v.found(e, c.gaps[0].first, "its history has no such gap")
		case head.Seq != c.seq || head.Version != c.version || !bytes.Equal(head.Hash, c.hash):
			v.found(e, head.Seq, "its head is not its newest event, which is %d", c.seq)
		}
		return nil
	})
	if err != nil {
		return err
	}
	var headless []persistence.EntityID
	for e := range v.chains {
		if !heads[e] {
			headless = append(headless, e)
		}
	}
	slices.SortFunc(headless, func(a, b persistence.EntityID) int { return strings.Compare(a.String(), b.String()) })
	for _, e := range headless {
		v.found(e, v.chains[e].seq, "it has events and no head")
	}
	return nil
}

// total finds records that have gone without a trace: each position was given once, and retention counts what it removes.
func (v *verifier) total() error {
	trimmed, err := v.r.trimmed(v.p)
	if err != nil {
		return err
	}
	if v.count+trimmed != uint64(v.last) {
		v.report.add(v.p, "", 0, "%d records were written, retention has removed %d, but %d are here", v.last, trimmed, v.count)
	}
	return nil
}

// pins only have a shape to be checked: nothing else says what they should be.
func (v *verifier) pins() error {
	return v.r.each(v.p, familyPin, func(key, value []byte) error {
		e, rest, err := parseEntity(key[3:])
		if err != nil {
			return err
		}
		if _, err := parsePin(rest, value); err != nil {
			v.found(e, 0, "%v", err)
		}
		return nil
	})
}
