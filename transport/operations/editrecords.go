package operations

import (
	"context"
	"slices"

	"concord/actors/editsession"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// editRecords lists the rows of a session, in the order of the upload.
func (s *Service) editRecords(_ context.Context, r *transport.Request, done reply) {
	states := r.Params["state"]
	for _, state := range states {
		if !slices.Contains(editsession.RowStates, editsession.RowState(state)) {
			done(nil, problem.At("state", "must be one of %s", joined(editsession.RowStates)))
			return
		}
	}
	limit, err := s.limit(r)
	if err != nil {
		done(nil, err)
		return
	}
	c, given, err := cursorParam(r)
	if err != nil {
		done(nil, err)
		return
	}
	s.onEdit(r, done, func(view persistence.View, e *editSession) (*transport.Reply, error) {
		if given && c.Version != uint64(e.state.List) {
			return nil, problem.At("cursor", "the records have been replaced since: list them from the beginning")
		}
		return e.recordPage(view, s.newPage(limit), states, c.Number)
	})
}

// recordPage shows the rows from one on. A page passes over a bounded number of those that it does not show.
func (e *editSession) recordPage(view persistence.View, page *page, states []string, from uint64) (*transport.Reply, error) {
	shows := func(state editsession.RowState) bool {
		return len(states) == 0 || slices.Contains(states, string(state))
	}
	there := func(state editsession.RowState) bool { return shows(state) && e.state.Counts.Of(state) > 0 }
	if !slices.ContainsFunc(editsession.RowStates, there) {
		return page.reply(nil), nil
	}
	steps := 0
	for row, err := range e.rows(view, from) {
		if err != nil {
			return nil, err
		}
		next := &cursor{Number: row.number, Version: uint64(e.state.List)}
		if steps++; steps > listMaxSteps {
			return page.reply(next), nil
		}
		if !shows(row.State) {
			continue
		}
		fits, err := page.add(row.show())
		if err != nil {
			return nil, err
		}
		if !fits {
			return page.reply(next), nil
		}
	}
	return page.reply(nil), nil
}

// show is a row as callers see it.
func (r *editRow) show() *api.EditRecord {
	return &api.EditRecord{Row: r.number, Line: r.Line, Identifier: r.Identifier, ID: r.Collection, State: string(r.State), Message: r.Why}
}
