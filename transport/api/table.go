// Package api is the one table of what Concord can do, and the types of what goes in and comes out: all that a caller must
// know, and nothing of how it is done. The service binds its code to the table (transport/operations); the client needs no
// more than this package.
package api

import (
	"concord/actors/collection"
	"concord/actors/collectiontype"
	"concord/actors/upload"
	"concord/transport"
)

const (
	pathProvider   = "/api/v1/providers/{provider}"
	pathCollection = pathProvider + "/collections/{id}"
	pathDocument   = pathCollection + "/documents/{document}"
	pathType       = pathProvider + "/types/{id}"
	pathUpload     = pathProvider + "/uploads/{id}"
)

// Parameters that several operations have.
var (
	paramDryRun  = transport.Param{Name: "dryRun", Type: transport.TypeBoolean, Doc: "Decide and answer, but store nothing"}
	paramLimit   = transport.Param{Name: "limit", Type: transport.TypeInteger, Doc: "Items of a page, 1 to 1000"}
	paramCursor  = transport.Param{Name: "cursor", Type: transport.TypeString, Doc: "Where the page begins: next of the page before"}
	paramReason  = transport.Param{Name: "reason", Type: transport.TypeString, Doc: "Why; kept in the history"}
	paramBase    = transport.Param{Name: "baseVersion", Type: transport.TypeInteger, Doc: "The version that the change is based on"}
	paramPolicy  = transport.Param{Name: "policy", Type: transport.TypeString, Doc: "What to do if the base is stale"}
	paramVersion = transport.Param{Name: "version", Type: transport.TypeInteger, Doc: "A version instead of the newest"}
	paramsWhen   = []transport.Param{paramVersion,
		{Name: "at", Type: transport.TypeTime, Doc: "The state at a time instead of the newest"},
	}
	paramFields = transport.Param{Name: "fields", Type: transport.TypeString, Repeat: true,
		Doc: "Only these paths (JSON Pointers below /metadata or /documents/<id>; * is one level), comma separated"}
	paramConflicts = transport.Param{Name: "fields", Type: transport.TypeString, Repeat: true,
		Doc: "Of a refusal, show the conflicts at these paths alone, comma separated"}
)

// Table is every operation, as callers see it. What the two APIs, the client, the command line and the documents know,
// they know from here; transport/operations has the code behind each line. The table is the caller's own.
func Table() []*transport.Operation {
	table := append(collectionTable(), historyTable()...)
	for _, more := range [][]*transport.Operation{documentTable(), lockTable(), typeTable(),
		sourceTable(), authorityTable(), linkTable(), propagationTable(), bulkTable(), editTable(), uploadTable(), adminTable()} {
		table = append(table, more...)
	}
	return table
}

// underLock has the operations change what a lock guards.
func underLock(table []*transport.Operation) []*transport.Operation {
	for _, op := range table {
		if op.Writes {
			op.Locks, op.Under = true, true
			op.Also = append(op.Also, transport.Outcome{Status: 202, Answer: Parked{}, Doc: "It waits for its turn: the scope is locked. A dry run says so, and leaves nothing waiting"})
		}
	}
	return table
}

func collectionTable() []*transport.Operation {
	return underLock([]*transport.Operation{
		{Name: "collection.put", Method: "PUT", Path: pathCollection, HasID: true, Right: transport.RightUpdate,
			Doc:    "Create a collection, or replace the parts of it that are given",
			Params: []transport.Param{paramDryRun, paramConflicts}, Writes: true,
			Body: PutRequest{}, Answer: collection.Result{}, Status: 200},
		{Name: "collection.patch", Method: "PATCH", Path: pathCollection, HasID: true, Right: transport.RightUpdate,
			Doc:    "Change metadata and documents: many changes, one version",
			Params: []transport.Param{paramDryRun, paramBase, paramPolicy, paramConflicts}, Writes: true, Types: []string{transport.MediaJSONPatch, transport.MediaMergePatch},
			Body: PatchRequest{}, Answer: collection.Result{}, Status: 200},
		{Name: "collection.get", Method: "GET", Path: pathCollection, HasID: true, Right: transport.RightRead,
			Doc: "Read a collection: the newest version, another one, or the state at a time",
			Params: append([]transport.Param{
				{Name: "documents", Type: transport.TypeString, Doc: "all (default) or none"},
				{Name: "document", Type: transport.TypeString, Repeat: true, Doc: "Only these documents"},
				paramFields, paramCursor}, paramsWhen...),
			Answer: Collection{}, Status: 200},
		{Name: "collection.delete", Method: "DELETE", Path: pathCollection, HasID: true, Right: transport.RightUpdate,
			Doc:    "Delete a collection; its history stays readable",
			Params: []transport.Param{paramBase, paramReason, paramDryRun}, Writes: true,
			Answer: collection.Result{}, Status: 200},
		{Name: "collection.list", Method: "GET", Path: pathProvider + "/collections", Right: transport.RightRead,
			Doc: "List the collections of a provider", Params: []transport.Param{paramLimit, paramCursor},
			Answer: CollectionPage{}, Status: 200},
		{Name: "collection.revert", Method: "POST", Path: pathCollection + "/revert", HasID: true, Right: transport.RightUpdate,
			Doc:    "Make the content of an old version the newest, as a new version",
			Params: []transport.Param{paramDryRun}, Writes: true,
			Body: RevertRequest{}, Answer: collection.Result{}, Status: 200},
	})
}

func historyTable() []*transport.Operation {
	return []*transport.Operation{
		{Name: "collection.history", Method: "GET", Path: pathCollection + "/history", HasID: true, Right: transport.RightRead,
			Doc: "List versions, the newest first", Params: []transport.Param{paramLimit, paramCursor},
			Answer: HistoryPage{}, Status: 200},
		{Name: "collection.diff", Method: "GET", Path: pathCollection + "/diff", HasID: true, Right: transport.RightRead,
			Doc: "Compare two versions: a JSON Patch, and a list for people",
			Params: []transport.Param{
				{Name: "from", Type: transport.TypeInteger, Doc: "Version to start from"},
				{Name: "to", Type: transport.TypeInteger, Doc: "Version to come to; the newest if left out"}, paramCursor},
			Answer: Diff{}, Status: 200},
		{Name: "collection.blame", Method: "GET", Path: pathCollection + "/blame", HasID: true, Right: transport.RightRead,
			Doc:    "Who last wrote each document and each top-level member of the metadata",
			Params: []transport.Param{paramLimit, paramCursor}, Answer: Blame{}, Status: 200},
		{Name: "collection.events", Method: "GET", Path: pathCollection + "/events", HasID: true, Right: transport.RightRead,
			Doc: "The events of the collection after a seq that retention has left; as text/event-stream it goes on",
			Params: []transport.Param{{Name: "after", Type: transport.TypeInteger, Doc: "The seq of the last event known"},
				paramLimit, paramCursor},
			Answer: EventPage{}, Status: 200},
	}
}

func documentTable() []*transport.Operation {
	return underLock([]*transport.Operation{
		{Name: "document.put", Method: "PUT", Path: pathDocument, HasID: true, Inner: "document", Right: transport.RightUpdate,
			Doc:    "Write one document of a collection",
			Params: []transport.Param{paramDryRun, paramConflicts}, Writes: true,
			Body: DocumentPutRequest{}, Answer: collection.Result{}, Status: 200},
		{Name: "document.get", Method: "GET", Path: pathDocument, HasID: true, Inner: "document", Right: transport.RightRead,
			Doc: "Read one document: newest, at a version, or at a time", Params: paramsWhen,
			Answer: Document{}, Status: 200},
		{Name: "document.delete", Method: "DELETE", Path: pathDocument, HasID: true, Inner: "document",
			Right: transport.RightUpdate, Doc: "Remove one document",
			Params: []transport.Param{paramBase, paramPolicy, paramConflicts, paramReason, paramDryRun}, Writes: true,
			Answer: collection.Result{}, Status: 200},
	})
}

// typeTable: what a type says holds for every collection that names it, so that it takes more than the right to update.
func typeTable() []*transport.Operation {
	return []*transport.Operation{
		{Name: "type.put", Method: "PUT", Path: pathType, HasID: true, Right: transport.RightAdmin,
			Doc:    "Create a collection type, or replace all of it; it holds from the next write of a collection on",
			Params: []transport.Param{paramDryRun}, Writes: true,
			Body: TypeRequest{}, Answer: collectiontype.Result{}, Status: 200},
		{Name: "type.get", Method: "GET", Path: pathType, HasID: true, Right: transport.RightRead,
			Doc: "Read a collection type: the newest version, or another one", Params: []transport.Param{paramVersion},
			Answer: Type{}, Status: 200},
		{Name: "type.list", Method: "GET", Path: pathProvider + "/types", Right: transport.RightRead,
			Doc: "List the collection types of a provider", Params: []transport.Param{paramLimit, paramCursor},
			Answer: TypePage{}, Status: 200},
		{Name: "type.delete", Method: "DELETE", Path: pathType, HasID: true, Right: transport.RightAdmin,
			Doc: "Delete a collection type, also one in use: collections that name it have the defaults from then on; " +
				"its history stays readable",
			Params: []transport.Param{paramReason, paramDryRun}, Writes: true,
			Answer: collectiontype.Result{}, Status: 200},
		{Name: "type.try", Method: "POST", Path: pathType + "/try", HasID: true, Right: transport.RightUpdate,
			Doc:  "Merge three sides as collections of the type would, or of a type that is given instead; nothing is stored",
			Body: TryRequest{}, Answer: collection.Trial{}, Status: 200},
	}
}

func uploadTable() []*transport.Operation {
	return []*transport.Operation{
		{Name: "upload.open", Method: "POST", Path: pathProvider + "/uploads", Right: transport.RightUpdate, Writes: true,
			Doc: "Begin an upload, for input that is larger than one request", Answer: upload.Result{}, Status: 201},
		{Name: "upload.append", Method: "POST", Path: pathUpload + "/append", HasID: true, Right: transport.RightUpdate,
			Doc: "Add a chunk of at most 512 KiB; the same chunk again is added once", Body: AppendRequest{},
			Answer: upload.Result{}, Status: 200},
		{Name: "upload.close", Method: "POST", Path: pathUpload + "/close", HasID: true, Right: transport.RightUpdate,
			Doc: "End an upload: from now on it can be used", Answer: upload.Result{}, Status: 200},
	}
}

func adminTable() []*transport.Operation {
	return []*transport.Operation{
		{Name: "admin.status", Method: "GET", Path: "/api/v1/admin/status", Global: true, Right: transport.RightAdmin,
			Doc: "How the node is: positions, counts, health", Answer: map[string]any{}, Status: 200},
		{Name: "admin.backup", Method: "POST", Path: "/api/v1/admin/backup", Global: true, Right: transport.RightAdmin,
			Doc:  "Write an online copy of the store below the backup directory",
			Body: BackupRequest{}, Answer: map[string]any{}, Status: 200},
		{Name: "admin.verify", Method: "POST", Path: "/api/v1/admin/verify", Global: true, Right: transport.RightAdmin,
			Doc:    "Read the whole store against its hashes and its hash chains",
			Answer: map[string]any{}, Status: 200},
	}
}
