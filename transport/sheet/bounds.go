package sheet

import "concord/actors/bound"

// Bounds are the bounds of files.
func Bounds() []bound.Bound {
	return []bound.Bound{
		bound.Bytes("row of an uploaded file", RowMaxBytes, "a line, or several if it has line ends in quotes"),
		bound.Fixed("columns of an uploaded file", fieldsMax, "CSV"),
		bound.Fixed("columns that are read", ColumnsMax, "as many as a key has paths"),
	}
}
