package editsession

import "concord/actors/bound"

// Bounds are the bounds of bulk edit sessions.
func Bounds() []bound.Bound {
	return []bound.Bound{
		bound.Fixed("rows of a session", RowsMax, "whatever `edit.rows` says"),
		bound.Fixed("steps, roll-backs and redos", RunsMax, "of one session; no more steps after 100 of them, so that all can be taken back, and the last is one back to the start"),
		bound.Bytes("identifier of a row", IdentifierBytes, "of a key the fields together, as JSON"),
		bound.Bytes("name", NameMaxBytes, "of a session"),
	}
}
