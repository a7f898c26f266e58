package pebblestore

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"concord/persistence"
)

// DumpOptions filter a dump.
type DumpOptions struct {
	Entity   persistence.EntityID // its records alone; the zero value: of all entities
	Families []string             // see Families; none: all
	Bodies   bool                 // with the contents; without, only their sizes
}

// Families are the names of the families of records, for DumpOptions.
func Families() []string {
	names := make([]string, len(families))
	for i, f := range families {
		names[i] = f.name
	}
	return names
}

// DumpLine is one record as a dump shows it. Which members are there follows from the family.
type DumpLine struct {
	Partition persistence.Partition `json:"partition"`
	Family    string                `json:"family"`
	Entity    string                `json:"entity,omitempty"`
	Position  persistence.Position  `json:"position,omitempty"`
	Index     *int                  `json:"index,omitempty"`
	Part      *string               `json:"part,omitempty"` // "": the metadata
	Seq       uint64                `json:"seq,omitempty"`
	Version   uint64                `json:"version,omitempty"`
	Removed   bool                  `json:"removed,omitempty"`
	Beside    bool                  `json:"beside,omitempty"` // the body stands beside its record
	Day       string                `json:"day,omitempty"`
	Due       *time.Time            `json:"due,omitempty"`
	Name      string                `json:"name,omitempty"`
	Term      string                `json:"term,omitempty"`
	Principal string                `json:"principal,omitempty"`
	Key       string                `json:"key,omitempty"`
	Count     *uint64               `json:"count,omitempty"`
	Head      *DumpHead             `json:"head,omitempty"`
	Record    *DumpRecord           `json:"record,omitempty"`
	Info      []byte                `json:"info,omitempty"`
	Size      *int                  `json:"size,omitempty"`
	Body      json.RawMessage       `json:"body,omitempty"`
	Value     []byte                `json:"value,omitempty"`
	Error     string                `json:"error,omitempty"` // the record cannot be read
}

// DumpHead is a head as a dump shows it.
type DumpHead struct {
	Seq     uint64    `json:"seq"`
	Version uint64    `json:"version"`
	Time    time.Time `json:"time"`
	Hash    string    `json:"hash"`
	State   []byte    `json:"state,omitempty"`
}

// DumpRecord is a record of the log as a dump shows it.
type DumpRecord struct {
	Type         string       `json:"type,omitempty"`
	Time         time.Time    `json:"time"`
	Principal    string       `json:"principal,omitempty"`
	Session      string       `json:"session,omitempty"`
	RequestID    string       `json:"requestId,omitempty"`
	Reason       string       `json:"reason,omitempty"`
	Fence        uint64       `json:"fence,omitempty"`
	PreviousHash string       `json:"previousHash,omitempty"`
	Hash         string       `json:"hash"` // of the stored bytes
	Payload      []byte       `json:"payload,omitempty"`
	Parts        []DumpPart   `json:"parts,omitempty"`
	Outcome      *DumpOutcome `json:"outcome,omitempty"`
}

// DumpPart is a part of a record.
type DumpPart struct {
	ID      string          `json:"id"`
	Removed bool            `json:"removed,omitempty"`
	Size    uint32          `json:"size"`
	Digest  string          `json:"digest,omitempty"`
	Body    json.RawMessage `json:"body,omitempty"`
}

// DumpOutcome is a remembered outcome.
type DumpOutcome struct {
	Key    string `json:"key"`
	Digest string `json:"digest,omitempty"`
	Status uint32 `json:"status"`
	Body   []byte `json:"body,omitempty"`
}

// Dump writes the records of the store as JSON, one a line, partition by partition, for people and for scripts. It shows
// one moment; a record that it cannot read is a line with an error.
func (s *Store) Dump(w io.Writer, o DumpOptions) (err error) {
	for _, name := range o.Families {
		if !slices.Contains(Families(), name) {
			return fmt.Errorf("dump: there is no family %q", name)
		}
	}
	from, release := s.snapshot()
	defer func() {
		if released := release(); err == nil {
			err = released
		}
	}()
	d := dumper{from: from, out: json.NewEncoder(w), o: o}
	d.out.SetEscapeHTML(false)
	for p := range s.partitions {
		if o.Entity.ID != "" && persistence.PartitionOf(o.Entity, s.partitions) != persistence.Partition(p) {
			continue
		}
		if err := d.partition(persistence.Partition(p)); err != nil {
			return err
		}
	}
	if o.Entity.ID != "" {
		return nil
	}
	return d.partition(storePartition)
}

// dumper writes the lines of one dump.
type dumper struct {
	from  *reader
	out   *json.Encoder
	o     DumpOptions
	owned map[persistence.Position]bool // positions of the entity's records, if one is asked for
}

func (d *dumper) partition(p persistence.Partition) error {
	if d.o.Entity.ID != "" {
		if err := d.findOwned(p); err != nil {
			return err
		}
	}
	for _, f := range families {
		if len(d.o.Families) > 0 && !slices.Contains(d.o.Families, f.name) {
			continue
		}
		err := d.from.each(p, f.letter, func(key, value []byte) error {
			line := DumpLine{Partition: p, Family: f.name}
			if err := d.decode(&line, f, key, value); err != nil {
				line.Error, line.Value = err.Error(), value
			}
			if !d.wanted(&line, f) {
				return nil
			}
			return d.out.Encode(&line)
		})
		if err != nil {
			return fmt.Errorf("dump %s records of partition %d: %w", f.name, p, err)
		}
	}
	return nil
}

// findOwned finds the positions at which the entity has records or, below its edge, bodies.
func (d *dumper) findOwned(p persistence.Partition) error {
	d.owned = make(map[persistence.Position]bool)
	for rec, err := range d.from.Log(p, 0) {
		if err != nil {
			return err
		}
		if rec.Entity == d.o.Entity {
			d.owned[rec.Position] = true
		}
	}
	return d.from.each(p, familyEdgePart, func(key, value []byte) error {
		e, part, err := parseEdgePart(key, value)
		if e == d.o.Entity {
			d.owned[part.Place.Position] = true
		}
		return err
	})
}

// wanted says that a line is of the entity that was asked for.
func (d *dumper) wanted(line *DumpLine, f family) bool {
	switch {
	case d.o.Entity.ID == "":
		return true
	case f.entity == 0:
		return d.owned[line.Position]
	default:
		return line.Entity == d.o.Entity.String()
	}
}
