package jobs

import (
	"errors"
	"fmt"

	"concord/actors/propagation"
	"concord/persistence"
)

// row reads a row of the plan.
func (r *run) row(number uint64) (propagation.Row, error) {
	chunk := uint32(number / propagation.ChunkRows)
	if r.chunks.rows == nil || r.chunks.number != chunk {
		rows, err := r.chunk(chunk)
		if err != nil {
			return propagation.Row{}, err
		}
		r.chunks.number, r.chunks.rows = chunk, rows
	}
	if at := int(number % propagation.ChunkRows); at < len(r.chunks.rows) {
		return r.chunks.rows[at], nil
	}
	return propagation.Row{}, fmt.Errorf("plan of %v: %w: row %d is missing", r.id, persistence.ErrCorrupt, number)
}

// chunk reads a chunk of the plan.
func (r *run) chunk(number uint32) ([]propagation.Row, error) {
	view := r.store.View()
	defer func() { _ = view.Close() }()
	part, err := view.Part(r.id, propagation.ChunkPart(number))
	if err != nil {
		return nil, wrapf(err, r.id, "read the plan of")
	}
	body, err := view.Body(r.id, part.Place)
	if err != nil {
		return nil, wrapf(err, r.id, "read the plan of")
	}
	rows, err := propagation.DecodeChunk(body)
	if err != nil || len(rows) == 0 {
		return nil, wrapf(errors.Join(persistence.ErrCorrupt, err), r.id, "read the plan of")
	}
	return rows, nil
}
