package api

import "concord/transport"

const (
	pathSource      = pathProvider + "/authority-sources/{id}"
	pathAuthority   = pathProvider + "/authorities/{authority}"
	pathLinks       = pathProvider + "/links"
	pathPropagation = pathProvider + "/propagations/{id}"
)

var paramsPage = []transport.Param{paramLimit, paramCursor}

// withPropagation is the other success of a change that linked fields have to follow.
var withPropagation = []transport.Outcome{{Status: 202, Answer: LinkChanged{}, Doc: "Changed; the job that brings linked fields up to date has begun"}}

func sourceTable() []*transport.Operation {
	return []*transport.Operation{
		{Name: "source.put", Method: "PUT", Path: pathSource, HasID: true, Right: transport.RightAdmin, Writes: true,
			Doc:    "Create an authority source file, or replace all of it",
			Params: []transport.Param{paramDryRun}, Body: SourceRequest{}, Answer: LinkChanged{}, Status: 200, Also: withPropagation},
		{Name: "source.patch", Method: "PATCH", Path: pathSource, HasID: true, Right: transport.RightAdmin, Writes: true,
			Doc:    "Change an authority source file; every linked field follows a new base URL",
			Params: []transport.Param{paramDryRun}, Body: SourcePatch{}, Answer: LinkChanged{}, Status: 200, Also: withPropagation},
		{Name: "source.get", Method: "GET", Path: pathSource, HasID: true, Right: transport.RightRead,
			Doc: "Read an authority source file", Answer: Source{}, Status: 200},
		{Name: "source.delete", Method: "DELETE", Path: pathSource, HasID: true, Right: transport.RightAdmin, Writes: true,
			Doc:    "Delete an authority source file; refused while an authority belongs to it or a field is linked to one",
			Params: []transport.Param{paramReason, paramDryRun}, Answer: LinkChanged{}, Status: 200},
		{Name: "source.list", Method: "GET", Path: pathProvider + "/authority-sources", Right: transport.RightRead,
			Doc: "List the authority source files of a provider", Params: paramsPage, Answer: SourcePage{}, Status: 200},
		{Name: "source.impact", Method: "GET", Path: pathSource + "/impact", HasID: true, Right: transport.RightRead,
			Doc: "Count what a change of the base URL would reach", Answer: Impact{}, Status: 200},
		{Name: "source.next-id", Method: "POST", Path: pathSource + "/next-id", HasID: true, Right: transport.RightUpdate, Keyed: true,
			Doc: "Take the next local id of a source with one code", Answer: NextID{}, Status: 200},
	}
}

func authorityTable() []*transport.Operation {
	return []*transport.Operation{
		{Name: "authority.put", Method: "PUT", Path: pathAuthority, Inner: "authority", Right: transport.RightUpdate, Writes: true,
			Doc:    "Create an authority, or replace all of it; linked fields follow",
			Params: []transport.Param{paramDryRun}, Body: AuthorityRequest{}, Answer: LinkChanged{}, Status: 200, Also: withPropagation},
		{Name: "authority.get", Method: "GET", Path: pathAuthority, Inner: "authority", Right: transport.RightRead,
			Doc: "Read an authority; one that was deleted says so", Answer: Authority{}, Status: 200},
		{Name: "authority.delete", Method: "DELETE", Path: pathAuthority, Inner: "authority", Right: transport.RightUpdate, Writes: true,
			Doc:    "Delete an authority; linked fields keep their text and lose the link. It is gone for good after a retention",
			Params: []transport.Param{paramBase, paramReason, paramDryRun}, Answer: LinkChanged{}, Status: 200, Also: withPropagation},
		{Name: "authority.list", Method: "GET", Path: pathProvider + "/authorities", Right: transport.RightRead,
			Doc: "List authorities: of a source, by natural id, or by exact heading",
			Params: append([]transport.Param{
				{Name: "source", Type: transport.TypeString, Doc: "Of this source"},
				{Name: "naturalId", Type: transport.TypeString, Doc: "With this natural id"},
				{Name: "heading", Type: transport.TypeString, Doc: "With this exact heading, but for punctuation at its end"},
				{Name: "deleted", Type: transport.TypeBoolean, Doc: "Deleted ones, too"}}, paramsPage...),
			Answer: AuthorityPage{}, Status: 200},
		{Name: "authority.import", Method: "POST", Path: pathProvider + "/authorities", Right: transport.RightUpdate,
			Doc:    "Create or replace many authorities; an item that is refused does not stop the others",
			Params: []transport.Param{paramDryRun}, Body: ImportRequest{}, Answer: Imported{}, Status: 200},
		{Name: "authority.impact", Method: "GET", Path: pathAuthority + "/impact", Inner: "authority", Right: transport.RightRead,
			Doc: "Count what a change of the authority would reach", Answer: Impact{}, Status: 200},
	}
}

func linkTable() []*transport.Operation {
	which := []transport.Param{
		{Name: "source", Type: transport.TypeString, Doc: "To authorities of this source"},
		{Name: "authority", Type: transport.TypeString, Doc: "To this authority"},
		{Name: "collection", Type: transport.TypeString, Doc: "Of this collection"}}
	return []*transport.Operation{
		{Name: "link.list", Method: "GET", Path: pathLinks, Right: transport.RightRead,
			Doc: "List linked documents: by source, by authority or by collection, one of them", Params: append(which, paramsPage...),
			Answer: LinkPage{}, Status: 200},
		{Name: "link.count", Method: "GET", Path: pathLinks + "/count", Right: transport.RightRead,
			Doc: "Count links by source, by authority or by collection, one of them", Params: which, Answer: LinkCount{}, Status: 200},
		{Name: "link.suggest", Method: "POST", Path: pathLinks + "/suggest", Right: transport.RightRead,
			Doc:  "Find authorities for the fields of a document, by natural id and by exact heading; nothing is stored",
			Body: SuggestRequest{}, Answer: Suggestions{}, Status: 200},
		{Name: "link.auto", Method: "POST", Path: pathLinks + "/auto", Right: transport.RightUpdate,
			Doc:    "Link the documents of a collection where exactly one authority has the heading of a field",
			Params: []transport.Param{paramDryRun}, Body: AutoRequest{}, Answer: AutoLinked{}, Status: 200},
		{Name: "link.audit", Method: "POST", Path: pathLinks + "/audit", Right: transport.RightUpdate,
			Doc: "Begin a job that holds linked fields against what they should be, and repairs them", Keyed: true,
			Body: AuditRequest{}, Answer: Started{}, Status: 202},
		{Name: "report.list", Method: "GET", Path: pathProvider + "/link-reports", Right: transport.RightRead,
			Doc: "List the changes that linked fields have followed, the newest first",
			Params: append([]transport.Param{
				{Name: "action", Type: transport.TypeString, Doc: "Of this action"},
				{Name: "from", Type: transport.TypeTime, Doc: "Begun at or after"},
				{Name: "to", Type: transport.TypeTime, Doc: "Begun before"}}, paramsPage...),
			Answer: ReportPage{}, Status: 200},
	}
}

func propagationTable() []*transport.Operation {
	verb := func(name, doc string) *transport.Operation {
		return &transport.Operation{Name: "propagation." + name, Method: "POST", Path: pathPropagation + "/" + name, HasID: true,
			Right: transport.RightUpdate, Keyed: true, Doc: doc, Answer: Propagation{}, Status: 200}
	}
	return []*transport.Operation{
		{Name: "propagation.get", Method: "GET", Path: pathPropagation, HasID: true, Right: transport.RightRead,
			Doc: "Read a job: its state and its counts", Answer: Propagation{}, Status: 200},
		{Name: "propagation.list", Method: "GET", Path: pathProvider + "/propagations", Right: transport.RightRead,
			Doc:    "List jobs, the newest first",
			Params: append([]transport.Param{{Name: "open", Type: transport.TypeBoolean, Doc: "Only those that have not ended"}}, paramsPage...),
			Answer: PropagationPage{}, Status: 200},
		{Name: "propagation.items", Method: "GET", Path: pathPropagation + "/items", HasID: true, Right: transport.RightRead,
			Doc:    "List what has failed, and what is waited for",
			Params: append([]transport.Param{{Name: "state", Type: transport.TypeString, Doc: "FAILED or WAITING"}}, paramsPage...),
			Answer: PropagationItemPage{}, Status: 200},
		{Name: "propagation.events", Method: "GET", Path: pathPropagation + "/events", HasID: true, Right: transport.RightRead,
			Doc: "The events of the job; as text/event-stream it goes on",
			Params: []transport.Param{{Name: "after", Type: transport.TypeInteger, Doc: "The seq of the last event known"},
				paramLimit, paramCursor},
			Answer: EventPage{}, Status: 200},
		verb("pause", "Stop the job at the border of a collection until it is resumed"),
		verb("resume", "Go on with a paused job"),
		verb("cancel", "End the job at the border of a collection; what it has done stays, and an audit brings the rest up to date"),
		verb("retry", "Try the failed links of an ended job again"),
		{Name: "propagation.rollback", Method: "POST", Path: pathPropagation + "/rollback", HasID: true, Right: transport.RightUpdate, Keyed: true,
			Doc: "Take back the change that has caused a job, as a new change with a job of its own; that of a base URL takes the right " +
				"admin, as the change does. Refused if there is a newer change, or if it has unlinked fields",
			Params: []transport.Param{paramDryRun}, Body: PropagationRollback{}, Answer: LinkChanged{}, Status: 202,
			Also: []transport.Outcome{{Status: 200, Answer: LinkChanged{}, Doc: "Taken back, or would be; no linked field has to follow"}}},
	}
}
