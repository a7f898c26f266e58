package pebblestore

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// bodyPlace is where a body stands beside the log.
type bodyPlace struct {
	position persistence.Position
	index    int
}

// keptBody is a body that the edge of a history needs.
type keptBody struct {
	entity persistence.EntityID
	part   string
	digest []byte
	met    bool
}

// bodyCheck walks the bodies beside the log while the log is walked. Both are in order of the positions.
type bodyCheck struct {
	v    *verifier
	it   *pebble.Iterator
	ok   bool
	kept map[bodyPlace]*keptBody
}

func newBodyCheck(v *verifier) (*bodyCheck, error) {
	c := &bodyCheck{v: v, kept: make(map[bodyPlace]*keptBody)}
	err := v.r.each(v.p, familyEdgePart, func(key, value []byte) error {
		e, part, err := parseEdgePart(key, value)
		if err != nil {
			return err
		}
		if v.chains[e] == nil || v.chains[e].edge == 0 {
			v.found(e, 0, "part %q stands at the edge of a history that has none", part.ID)
		}
		c.kept[bodyPlace{part.Place.Position, part.Place.Index}] = &keptBody{entity: e, part: part.ID, digest: part.digest}
		return nil
	})
	if err != nil {
		return nil, err
	}
	prefix := appendPrefix(nil, v.p, familyBody)
	if c.it, err = v.r.from.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: keyAfter(prefix)}); err != nil {
		return nil, fmt.Errorf("walk the bodies: %w", classify(err))
	}
	c.ok = c.it.First()
	return c, nil
}

func (c *bodyCheck) close() error { return classify(c.it.Close()) }

// place is that of the body at hand.
func (c *bodyCheck) place() (bodyPlace, error) {
	key := c.it.Key()
	if len(key) != 3+8+4 {
		return bodyPlace{}, fmt.Errorf("%w: body key of %d bytes", persistence.ErrCorrupt, len(key))
	}
	return bodyPlace{persistence.Position(binary.BigEndian.Uint64(key[3:])), int(binary.BigEndian.Uint32(key[11:]))}, nil
}

// record checks the bodies of one record, inside it and beside it.
func (c *bodyCheck) record(pos persistence.Position, rec *recordpb.Record) error {
	if err := c.before(pos); err != nil {
		return err
	}
	var met map[int]bool // by index
	for c.ok {
		at, err := c.place()
		if err != nil || at.position > pos {
			if err != nil {
				return err
			}
			break
		}
		if met == nil {
			met = make(map[int]bool)
		}
		met[at.index] = true
		if err := c.beside(at, rec); err != nil {
			return err
		}
	}
	chain := c.v.chains[persistence.EntityOf(rec)]
	stray := chain != nil && rec.GetSeq() <= chain.edge
	for i, p := range rec.GetParts() {
		switch {
		case len(p.GetDigest()) > 0 && !met[i] && !stray:
			c.found(rec, "the body of part %q is missing", p.GetId())
		case len(p.GetDigest()) == 0 && !p.GetRemoved() && int(p.GetSize()) > 0 && len(p.GetBody()) != int(p.GetSize()):
			c.found(rec, "the body of part %q has %d bytes, not %d", p.GetId(), len(p.GetBody()), p.GetSize())
		}
	}
	return nil
}

// before checks the bodies whose records are gone: the edge of a history keeps them, or nothing does.
func (c *bodyCheck) before(pos persistence.Position) error {
	for c.ok {
		at, err := c.place()
		if err != nil {
			return err
		}
		if at.position >= pos {
			return nil
		}
		if err := c.beside(at, nil); err != nil {
			return err
		}
	}
	return nil
}

// beside checks the body at hand, and goes on to the next. rec is its record, nil if that is gone.
func (c *bodyCheck) beside(at bodyPlace, rec *recordpb.Record) error {
	body, err := c.it.ValueAndErr()
	if err != nil {
		return fmt.Errorf("read a body: %w", classify(err))
	}
	c.v.report.Bodies++
	c.v.report.BodyBytes += int64(len(body))
	hash := hashOf(body)
	kept := c.kept[at]
	if kept != nil {
		kept.met = true
		if !bytes.Equal(hash, kept.digest) {
			c.v.found(kept.entity, 0, "the body of part %q, at the edge of the history, is not what was written", kept.part)
		}
	}
	var part *recordpb.Part
	if at.index < len(rec.GetParts()) {
		part = rec.GetParts()[at.index]
	}
	switch {
	case len(part.GetDigest()) > 0 && !bytes.Equal(hash, part.GetDigest()):
		c.found(rec, "the body of part %q does not have its digest", part.GetId())
	case len(part.GetDigest()) > 0 && len(body) != int(part.GetSize()):
		c.found(rec, "the body of part %q has %d bytes, not %d", part.GetId(), len(body), part.GetSize())
	case len(part.GetDigest()) == 0 && kept == nil:
		c.v.report.add(c.v.p, "", 0, "nothing refers to body %d of position %d", at.index, at.position)
	}
	c.ok = c.it.Next()
	return nil
}

// rest checks what stands behind the last record, and that every body that an edge needs was met.
func (c *bodyCheck) rest() error {
	if err := c.before(^persistence.Position(0)); err != nil {
		return err
	}
	if err := c.it.Error(); err != nil {
		return fmt.Errorf("walk the bodies: %w", classify(err))
	}
	places := slices.SortedFunc(maps.Keys(c.kept), func(a, b bodyPlace) int {
		return cmp.Or(cmp.Compare(a.position, b.position), cmp.Compare(a.index, b.index))
	})
	for _, at := range places {
		if kept := c.kept[at]; !kept.met {
			c.v.found(kept.entity, 0, "the body of part %q, at the edge of the history, is missing (body %d of position %d)",
				kept.part, at.index, at.position)
		}
	}
	return nil
}

func (c *bodyCheck) found(rec *recordpb.Record, format string, args ...any) {
	c.v.found(persistence.EntityOf(rec), rec.GetSeq(), format, args...)
}
