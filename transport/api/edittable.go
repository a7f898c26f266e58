package api

import "concord/transport"

const (
	pathEdits = pathProvider + "/bulk-edits"
	pathEdit  = pathEdits + "/{id}"
)

var paramRun = transport.Param{Name: "run", Type: transport.TypeInteger, Doc: "Number of the run; left out: the newest"}

func editTable() []*transport.Operation {
	verb := func(name string, body any, status int, doc string) *transport.Operation {
		return &transport.Operation{Name: "edit." + name, Method: "POST", Path: pathEdit + "/" + name, HasID: true,
			Right: transport.RightUpdate, Keyed: true, Doc: doc, Body: body, Answer: EditSession{}, Status: status}
	}
	dry := func(op *transport.Operation) *transport.Operation {
		op.Params = []transport.Param{paramDryRun}
		return op
	}
	return []*transport.Operation{
		{Name: "edit.open", Method: "POST", Path: pathEdits, Right: transport.RightUpdate, Keyed: true,
			Doc: "Open a bulk edit session: match records by uploaded identifiers or a query", Body: EditRequest{}, Answer: EditSession{}, Status: 201},
		verb("match", EditMatch{}, 200, "Match other records for a session that has no step yet"),
		{Name: "edit.get", Method: "GET", Path: pathEdit, HasID: true, Right: transport.RightRead,
			Doc: "Read a bulk edit session; last is the caller's own newest one that is not closed, here and wherever an id is", Answer: EditSession{}, Status: 200},
		{Name: "edit.list", Method: "GET", Path: pathEdits, Right: transport.RightRead,
			Doc: "List the caller's own bulk edit sessions, the newest first",
			Params: append([]transport.Param{
				{Name: "owner", Type: transport.TypeString, Doc: "Those of another one; needs the right admin"},
				{Name: "open", Type: transport.TypeBoolean, Doc: "Only those that are not closed"}}, paramsPage...),
			Answer: EditPage{}, Status: 200},
		{Name: "edit.records", Method: "GET", Path: pathEdit + "/records", HasID: true, Right: transport.RightRead,
			Doc: "List the rows of a session in the order of the upload, with what they have led to",
			Params: append([]transport.Param{
				{Name: "state", Type: transport.TypeString, Repeat: true, Doc: "In this state: MATCHED, NOT_FOUND, DUPLICATE, AMBIGUOUS"}}, paramsPage...),
			Answer: EditRecordPage{}, Status: 200},
		{Name: "edit.download", Method: "GET", Path: pathEdit + "/download", HasID: true, Right: transport.RightRead,
			Doc: "Download rows of a session as a file, CSV or JSON lines: over HTTP",
			Params: []transport.Param{
				{Name: "what", Type: transport.TypeString, Doc: "matched: the records (the default); errors: rows that did not match, and records that the newest run has skipped " +
					"or failed; changed: records that it has updated"}, paramRun,
				{Name: "format", Type: transport.TypeString, Doc: "csv (the default) or jsonl"}},
			Files: []string{transport.MediaCSV, transport.MediaLines}, Status: 200},
		verb("preview", EditPreview{}, 202, "Tell what instructions would do to the records: a dry run, with a diff of each"),
		verb("apply", EditApply{}, 202, "Apply the previewed instructions, or others, as a step"),
		dry(verb("rollback", EditRollback{}, 202, "Take steps back: to the start, to the step before, or to a step; what is being applied is stopped first")),
		dry(verb("redo", EditRedo{}, 202, "Take a roll-back back: the newest that was not redone, or what the newest redo has left")),
		{Name: "edit.results", Method: "GET", Path: pathEdit + "/results", HasID: true, Right: transport.RightRead,
			Doc: "List what came of the records in a run",
			Params: append([]transport.Param{paramRun,
				{Name: "state", Type: transport.TypeString, Repeat: true, Doc: "In this state: PENDING, UPDATED, UNCHANGED, SKIPPED, FAILED, CANCELLED"}}, paramsPage...),
			Answer: BulkItemPage{}, Status: 200},
		verb("pause", nil, 200, "Pause what is under way"),
		verb("resume", nil, 200, "Go on with what is paused"),
		verb("cancel", nil, 200, "Cancel what is under way; what is done stays until it is taken back"),
		verb("close", nil, 200, "Close a session: what is kept to take it back is released"),
		{Name: "edit.events", Method: "GET", Path: pathEdit + "/events", HasID: true, Right: transport.RightRead,
			Doc:    "List the events of a session, from the log; as SSE it goes on",
			Params: append([]transport.Param{{Name: "after", Type: transport.TypeInteger, Doc: "The seq of the last event known"}}, paramsPage...),
			Answer: EventPage{}, Status: 200},
	}
}
