package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"concord/actors/collection"
	"concord/actors/links"
	"concord/actors/propagation"
	"concord/persistence"
)

// afterAll is above the ids of all documents: no UTF-8 has this byte.
const afterAll = "\xff"

// scope is the part of the index that a change is about.
func scope(provider string, c *links.Change) persistence.IndexKey {
	key := persistence.IndexKey{Kind: persistence.KindCollection, Provider: provider}
	if c.Authority != nil {
		key.Name, key.Term = links.IndexByAuthority, persistence.Term(c.Authority.ID)
	} else {
		key.Name, key.Term = links.IndexBySource, persistence.Term(c.Source.ID)
	}
	return key
}

// born is the version that a collection begins with; alive is false if there is none.
func born(s interface {
	Head(persistence.EntityID) (persistence.Head, error)
}, id persistence.EntityID) (version uint64, alive bool, err error) {
	head, err := s.Head(id)
	if errors.Is(err, persistence.ErrNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read %v: %w", id, err)
	}
	state, err := collection.Behavior{}.DecodeState(head.State)
	if err != nil {
		return 0, false, fmt.Errorf("read %v: %w", id, err)
	}
	return state.Born, state.Live(), nil
}

// plan writes the plan of a job, from where it was left.
func (r *run) plan(ctx context.Context) error {
	if r.state.Collections%propagation.ChunkRows != 0 { // the last chunk is there
		return r.tell(ctx, &propagation.PlanDone{Chunks: r.state.Chunks})
	}
	from, err := r.planned()
	if err != nil {
		return err
	}
	p := planner{run: r, key: scope(r.id.Provider, &r.state.Cause)}
	for part := from.partition; int(part) < r.store.Partitions(); part++ {
		if err := p.partition(ctx, part, from.after); err != nil {
			return err
		}
		from.after = persistence.IndexEntry{}
		runtime.Gosched()
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	return r.tell(ctx, &propagation.PlanDone{Chunks: r.state.Chunks})
}

// place is where the planning goes on.
type place struct {
	partition persistence.Partition
	after     persistence.IndexEntry
}

// planned is the place after the newest row of the plan.
func (r *run) planned() (place, error) {
	if r.state.Chunks == 0 {
		return place{}, nil
	}
	rows, err := r.chunk(r.state.Chunks - 1)
	if err != nil {
		return place{}, err
	}
	last := rows[len(rows)-1].Collection
	return place{persistence.PartitionOf(collectionID(r.id.Provider, last), r.store.Partitions()),
		persistence.IndexEntry{Entity: last, Part: afterAll}}, nil
}

// planner gathers rows.
type planner struct {
	run   *run
	key   persistence.IndexKey
	rows  []propagation.Row
	row   propagation.Row
	born  uint64
	alive bool
}

// partition plans the collections of a partition after the entry. Full chunks are told once the partition is read, so that
// no reader of the store is kept open meanwhile.
func (p *planner) partition(ctx context.Context, part persistence.Partition, after persistence.IndexEntry) error {
	for more := true; more; {
		var err error
		if after, more, err = p.read(part, after); err != nil {
			return err
		}
		for len(p.rows) >= propagation.ChunkRows {
			if err := p.tell(ctx, propagation.ChunkRows); err != nil {
				return err
			}
		}
		if p.run.halted() {
			return errStopped
		}
	}
	return nil
}

// planMaxRows bounds the rows that are read before they are told.
const planMaxRows = 4 * propagation.ChunkRows

// read gathers the rows of a partition after the entry; more says that it has stopped before its end, and where.
func (p *planner) read(part persistence.Partition, after persistence.IndexEntry) (next persistence.IndexEntry, more bool, err error) {
	view := p.run.store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	for e, err := range view.Index(part, p.key, after) {
		if err != nil {
			return after, false, fmt.Errorf("read the index of links: %w", err)
		}
		if e.Entity != p.row.Collection {
			next = persistence.IndexEntry{Entity: p.row.Collection, Part: afterAll}
			if p.end(); len(p.rows) >= planMaxRows {
				return next, true, nil
			}
			if p.born, p.alive, err = born(view, collectionID(p.run.id.Provider, e.Entity)); err != nil {
				return after, false, err
			}
			p.row.Collection = e.Entity
		}
		if err := p.add(e.Value); err != nil {
			return after, false, err
		}
	}
	p.end()
	return after, false, nil
}

func (p *planner) add(value []byte) error {
	v, err := links.DecodeIndexValue(value)
	if err != nil {
		return fmt.Errorf("index of links, collection %q: %w", p.row.Collection, err)
	}
	if p.alive && v.Version >= p.born {
		p.row.Links += v.Links
		p.row.Documents++
	}
	return nil
}

// end takes in the row at hand.
func (p *planner) end() {
	if p.row.Documents > 0 {
		p.rows = append(p.rows, p.row)
	}
	p.row = propagation.Row{}
}

// tell adds the first rows to the plan.
func (p *planner) tell(ctx context.Context, rows int) error {
	err := p.run.tell(ctx, &propagation.Plan{Number: p.run.state.Chunks, Rows: p.rows[:rows]})
	p.rows = p.rows[rows:]
	return err
}

// flush tells the last rows.
func (p *planner) flush(ctx context.Context) error {
	if len(p.rows) == 0 {
		return nil
	}
	return p.tell(ctx, len(p.rows))
}
