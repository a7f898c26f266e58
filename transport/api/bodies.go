package api

import "encoding/json"

// The request bodies, for the schemas that both APIs publish. What is accepted is decided by the decoders, which keep
// contents as the bytes that came; a test holds the two against each other.

// PutRequest is the body of collection.put.
type PutRequest struct {
	Format    string                     `json:"format,omitempty" enum:"json,marc" doc:"Of a new collection; default json"`
	Type      string                     `json:"type,omitempty" doc:"Of a new collection"`
	Metadata  map[string]any             `json:"metadata,omitempty" doc:"Left out: stays as it is"`
	Documents map[string]json.RawMessage `json:"documents,omitempty" doc:"Left out: stay as they are; given: all documents"`
	CommonRequest
}

// CommonRequest are the members that every write has.
type CommonRequest struct {
	BaseVersion uint64   `json:"baseVersion,omitempty" doc:"Version that the content is based on"`
	Policy      string   `json:"policy,omitempty" enum:"merge,merge-client,merge-server,client,server,merged,server-logic,custom-logic" doc:"What to do if the base is stale; else what the type says, or a refusal"`
	Fields      []string `json:"fields,omitempty" doc:"Paths: a refusal shows the conflicts at these alone"`
	OnLocked    string   `json:"onLocked,omitempty" enum:"queue" doc:"queue: leave the write here while another holds the lock; on a free scope it is as without"`
	Reason      string   `json:"reason,omitempty" doc:"Why; kept in the history"`
}

// PatchRequest is the body of collection.patch with type application/json.
type PatchRequest struct {
	Changes []ChangeRequest `json:"changes"`
	CommonRequest
}

// ChangeRequest is one change of a patch.
type ChangeRequest struct {
	Op          string          `json:"op" enum:"put-document,merge-document,patch-document,remove-document,put-metadata,merge-metadata,patch-metadata"`
	ID          string          `json:"id,omitempty" doc:"Document; none for the metadata"`
	Value       json.RawMessage `json:"value,omitempty" doc:"New value, RFC 7396 merge patch, or RFC 6902 patch"`
	BaseVersion uint64          `json:"baseVersion,omitempty" doc:"Base of this change alone"`
}

// DocumentPutRequest is the body of document.put.
type DocumentPutRequest struct {
	Value json.RawMessage `json:"value"`
	CommonRequest
}

// RevertRequest is the body of collection.revert.
type RevertRequest struct {
	To          uint64 `json:"to" doc:"Version whose content becomes the newest"`
	BaseVersion uint64 `json:"baseVersion,omitempty" doc:"Version that must still be the newest"`
	Reason      string `json:"reason,omitempty" doc:"Why; kept in the history"`
}

// TypeRequest is the body of type.put: the collection type itself. Every part is optional; what is left out is as if there
// were no type.
type TypeRequest struct {
	Lock           *TypeLock     `json:"lock,omitempty" doc:"How its collections are locked"`
	RequireVersion bool          `json:"requireVersion,omitempty" doc:"A write must say which version it is based on; default false"`
	Conflict       *TypeConflict `json:"conflict,omitempty" doc:"What becomes of a write whose base is stale"`
	Schemas        *TypeSchemas  `json:"schemas,omitempty" doc:"What the contents must be like"`
	Links          *TypeLinks    `json:"links,omitempty" doc:"What becomes of fields that name an authority"`

	Keys    [][]string           `json:"keys,omitempty" maxItems:"16" doc:"What names a collection beside its id: lists of 1 to 8 paths below /metadata, without *. A collection has the key if there is a string, a number, a boolean or null at each of them"`
	Indexes []string             `json:"indexes,omitempty" maxItems:"32" doc:"What collections can be asked for by: paths below /metadata, in which * is exactly one level; each string, number, boolean or null there is found. Metadata have at most 1000 such values"`
	Fields  map[string]TypeField `json:"fields,omitempty" doc:"Names that instructions of bulk updates may use for paths"`
}

// TypeField is a path with a name, and what instructions may do there.
type TypeField struct {
	Path       string          `json:"path" doc:"JSON Pointer from the collection: /metadata/... or /documents/<id>/...; * is exactly one level"`
	Operations []string        `json:"operations,omitempty" doc:"Types of instructions that may name it; left out: all"`
	Distinct   *bool           `json:"distinct,omitempty" doc:"Lists keep the first of equal elements; default true"`
	MaxItems   uint64          `json:"maxItems,omitempty" doc:"How long an instruction may make the list"`
	Schema     json.RawMessage `json:"schema,omitempty" doc:"JSON Schema (2020-12) of an element that an instruction adds or changes"`
}

// TypeLock is how collections of a type are locked. Times are in seconds, and may be fractional.
type TypeLock struct {
	Mode         string       `json:"mode,omitempty" enum:"implicit,explicit,optimistic" doc:"implicit (default): a write needs no lock while there is none; explicit: a write needs one; optimistic: locks are advice"`
	TTL          float64      `json:"ttl,omitempty" doc:"How long a lock lasts if its owner does not say; default 60"`
	MinTTL       float64      `json:"minTtl,omitempty" doc:"The shortest that one lasts; default 5"`
	MaxTTL       float64      `json:"maxTtl,omitempty" doc:"The longest; default 3600"`
	MaxWaiters   uint64       `json:"maxWaiters,omitempty" doc:"Tickets in the queue; default 64"`
	WaiterTTL    float64      `json:"waiterTtl,omitempty" doc:"How long a ticket lasts without a sign of life; default 30"`
	OfferWindow  float64      `json:"offerWindow,omitempty" doc:"How long a free lock is kept for the head of the queue; default 10"`
	Contest      *TypeContest `json:"contest,omitempty" doc:"What happens when others want the lock"`
	LockedStatus int          `json:"lockedStatus,omitempty" enum:"409,423" doc:"Status of a refusal because of a lock; default 409"`
}

// TypeContest is what happens when others want the lock. Times are in seconds, and may be fractional.
type TypeContest struct {
	Deadline  float64 `json:"deadline,omitempty" doc:"How long the holder has to answer; default 60"`
	OnTimeout string  `json:"onTimeout,omitempty" enum:"keep,release" doc:"What becomes of the lock if the holder does not answer; default keep"`
	Cooldown  float64 `json:"cooldown,omitempty" doc:"How long one who was denied must wait; default 30"`
}

// TryRequest is the body of type.try. A document or metadata that a side leaves out is not there on that side.
type TryRequest struct {
	Base   TrySide         `json:"base" doc:"What both sides were built on"`
	Client TrySide         `json:"client" doc:"What a request would write"`
	Server TrySide         `json:"server" doc:"What is stored"`
	Policy string          `json:"policy,omitempty" enum:"merge,merge-client,merge-server,client,server,server-logic,custom-logic" doc:"Instead of the type's default, or of merge if it has none"`
	Type   json.RawMessage `json:"type,omitempty" doc:"A collection type to be tried instead of the stored one"`
}

// TrySide is one side of a trial.
type TrySide struct {
	Metadata  map[string]any             `json:"metadata,omitempty"`
	Documents map[string]json.RawMessage `json:"documents,omitempty"`
}

// TypeConflict is what becomes of a write whose base is stale.
type TypeConflict struct {
	Allowed []string    `json:"allowed,omitempty" enum:"merge,merge-client,merge-server,client,server,merged,server-logic,custom-logic" doc:"Policies that a write may ask for; left out: all. server-logic and custom-logic are one"`
	Default *string     `json:"default,omitempty" nullable:"true" enum:"merge,merge-client,merge-server,client,server,merged,server-logic,custom-logic" doc:"Policy of a write that asks for none; null or left out: it is refused"`
	Rules   []TypeRule  `json:"rules,omitempty" maxItems:"1000" doc:"How values are merged; the most exact rule of a path counts"`
	Script  *TypeScript `json:"script,omitempty" doc:"Merge code, for the policy server-logic"`
}

// TypeRule is how the values at a path are merged.
type TypeRule struct {
	Path     string `json:"path" doc:"JSON Pointer from the collection: /metadata/... or /documents/<id>/...; * is exactly one level"`
	Strategy string `json:"strategy" enum:"atomic,set,keyed,counter,max,min,client,server" doc:"How"`
	Key      string `json:"key,omitempty" doc:"Of keyed: the member that names an element"`
}

// TypeScript is merge code.
type TypeScript struct {
	Source string `json:"source" minLength:"1" doc:"JavaScript that defines merge(base, client, server, ctx) or customEntityMerge(client, server); at most 32 KiB"`
}

// TypeSchemas is what the contents must be like, as JSON Schema 2020-12. Nothing is loaded: references stay inside.
type TypeSchemas struct {
	Metadata  json.RawMessage `json:"metadata,omitempty" doc:"JSON Schema of the metadata"`
	Documents json.RawMessage `json:"documents,omitempty" doc:"JSON Schema of each document"`
	Warn      bool            `json:"warn,omitempty" doc:"Violations are told in the answer, and refuse nothing; default false"`
}

// TypeLinks is what becomes of fields that name an authority.
type TypeLinks struct {
	Enabled          bool           `json:"enabled,omitempty" doc:"false: nothing in the documents is a link; default true"`
	UnknownAuthority string         `json:"unknownAuthority,omitempty" enum:"refuse,accept" doc:"What becomes of a link to an authority that is not there: refuse (default) the write, or accept it: it is linked when the authority comes"`
	Rules            []TypeLinkRule `json:"rules,omitempty" maxItems:"100" doc:"Which MARC fields can be linked, in place of the 22 default rules"`
}

// TypeLinkRule says which MARC field can be linked to which authorities, and which of its subfields follow them.
type TypeLinkRule struct {
	Bib       string            `json:"bib" doc:"Tag of the linked field, such as 700"`
	Authority string            `json:"authority" doc:"Tag of the authority's heading, such as 100"`
	Subfields string            `json:"subfields" minLength:"1" doc:"Codes of the subfields that follow, such as abcdq; not 0, 6, 8 and 9"`
	Require   map[string]bool   `json:"require,omitempty" doc:"Subfields that the heading must have (true) or must not have (false)"`
	Move      map[string]string `json:"move,omitempty" doc:"Code in the heading: code in the field"`
	Auto      bool              `json:"auto,omitempty" doc:"link.auto and link.suggest look at the field; default true"`
}

// AppendRequest is the body of upload.append.
type AppendRequest struct {
	Offset uint64 `json:"offset" doc:"How many bytes were sent before"`
	Data   []byte `json:"data" doc:"The chunk, base64"`
}

// BackupRequest is the body of admin.backup.
type BackupRequest struct {
	Name string `json:"name" doc:"Name of the new directory below the backup directory"`
}
