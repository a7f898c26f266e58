package node

import (
	"errors"
	"fmt"

	"concord/actors/bulk"
	"concord/actors/editsession"
	"concord/actors/jobs"
	"concord/persistence"
	"concord/persistence/recordpb"
)

// storedSessions reads bulk edit sessions, and the tasks that are their runs, from the store.
type storedSessions struct{ store persistence.Store }

var _ jobs.Sessions = storedSessions{}

// Task reads a bulk task.
func (s storedSessions) Task(id persistence.EntityID) (bulk.State, error) {
	head, err := s.store.Head(id)
	if err != nil {
		return bulk.State{}, err
	}
	state, err := bulk.Behavior{}.DecodeState(head.State)
	if err != nil {
		return state, fmt.Errorf("%w: %w", persistence.ErrCorrupt, err)
	}
	return state, nil
}

// State reads a session.
func (s storedSessions) State(id persistence.EntityID) (editsession.State, error) {
	head, err := s.store.Head(id)
	if err != nil {
		return editsession.State{}, err
	}
	state, err := editsession.Behavior{}.DecodeState(head.State)
	if err != nil {
		return state, fmt.Errorf("%w: %w", persistence.ErrCorrupt, err)
	}
	return state, nil
}

// Matched reads a chunk of the rows of a session. The list of one that is closed stays the same until it goes.
func (s storedSessions) Matched(id persistence.EntityID, chunk uint32) (collections []string, err error) {
	state, err := s.State(id)
	if err != nil {
		return nil, err
	}
	view := s.store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	part, err := view.Part(id, editsession.ChunkPart(state.List, chunk))
	if err != nil {
		return nil, err
	}
	if part.Removed {
		return nil, persistence.ErrNotFound
	}
	body, err := view.Body(id, part.Place)
	if err != nil {
		return nil, err
	}
	rows, err := editsession.DecodeChunk(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", persistence.ErrCorrupt, err)
	}
	for i := range rows {
		if rows[i].State == editsession.Matched {
			collections = append(collections, rows[i].Collection)
		}
	}
	return collections, nil
}

// Closes says that a session was closed.
func (storedSessions) Closes(rec *recordpb.Record) bool {
	return rec.GetType() == editsession.TypeClosed
}
