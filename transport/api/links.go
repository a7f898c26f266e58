package api

import (
	"encoding/json"
	"time"

	"concord/actors/propagation"
)

// Sequence is where the local ids of a source begin.
type Sequence struct {
	Start uint64 `json:"start" doc:"First number; ids are the source's one code and the number"`
}

// Numbering is where the local ids of a source stand.
type Numbering struct {
	Start uint64 `json:"start" doc:"First number"`
	Next  uint64 `json:"next" doc:"Number of the next id"`
}

// SourceRequest creates an authority source file, or replaces all of it.
type SourceRequest struct {
	Name        string    `json:"name" doc:"1 to 250 characters, unique in the provider"`
	Codes       []string  `json:"codes" doc:"Prefixes of natural ids: letters only, each unique in the provider"`
	Type        string    `json:"type,omitempty" doc:"Such as Names or Subjects"`
	BaseURL     string    `json:"baseUrl,omitempty" doc:"What $0 begins with: unique; scheme, port and query are kept, a / is added where one is needed; empty: $0 is the bare natural id"`
	Selectable  *bool     `json:"selectable,omitempty" doc:"Offered to curators; true by default"`
	Origin      string    `json:"origin,omitempty" doc:"Where it comes from, such as LOCAL"`
	Sequence    *Sequence `json:"sequence,omitempty"`
	BaseVersion *uint64   `json:"baseVersion,omitempty" doc:"The version that the change is based on"`
	Reason      string    `json:"reason,omitempty" doc:"Why; kept in the history"`
}

// SourcePatch changes the members that are given; null takes one away.
type SourcePatch struct {
	Name        *string         `json:"name,omitempty"`
	Codes       []string        `json:"codes,omitempty"`
	Type        *string         `json:"type,omitempty"`
	BaseURL     json.RawMessage `json:"baseUrl,omitempty" doc:"Text, or null for none; every linked field follows"`
	Selectable  *bool           `json:"selectable,omitempty"`
	Origin      *string         `json:"origin,omitempty"`
	Sequence    *Sequence       `json:"sequence,omitempty"`
	BaseVersion *uint64         `json:"baseVersion,omitempty" doc:"The version that the change is based on"`
	Reason      string          `json:"reason,omitempty" doc:"Why; kept in the history"`
}

// Source is an authority source file.
type Source struct {
	Provider    string     `json:"provider"`
	ID          string     `json:"id"`
	Version     uint64     `json:"version"`
	ETag        string     `json:"etag"`
	Seq         uint64     `json:"seq"`
	Name        string     `json:"name"`
	Codes       []string   `json:"codes"`
	Type        string     `json:"type,omitempty"`
	BaseURL     string     `json:"baseUrl,omitempty"`
	URLRevision uint64     `json:"urlRevision" doc:"Grows with each change of the base URL"`
	Selectable  bool       `json:"selectable"`
	Origin      string     `json:"origin,omitempty"`
	Sequence    *Numbering `json:"sequence,omitempty"`
	Created     time.Time  `json:"created"`
	Updated     time.Time  `json:"updated"`
	Propagation string     `json:"propagation,omitempty" doc:"Job of the newest change of the base URL"`
}

// SourcePage is a page of sources in order of their ids.
type SourcePage struct {
	Items []Source `json:"items"`
	Next  string   `json:"next,omitempty"`
}

// NextID is a local id that nobody else gets.
type NextID struct {
	ID string `json:"id" doc:"The source's code and the next number"`
}

// AuthorityRequest creates an authority, or replaces all of it.
type AuthorityRequest struct {
	Source      string          `json:"source" doc:"Id of its source file"`
	NaturalID   string          `json:"naturalId" doc:"What $0 ends in: 1 to 250 characters"`
	Record      json.RawMessage `json:"record" doc:"MARC-in-JSON with one 1XX, or an object with the text member heading"`
	BaseVersion *uint64         `json:"baseVersion,omitempty" doc:"The version that the change is based on"`
	Reason      string          `json:"reason,omitempty" doc:"Why; kept in the history"`
}

// Authority is an authority.
type Authority struct {
	Provider    string          `json:"provider"`
	ID          string          `json:"id"`
	Version     uint64          `json:"version"`
	ETag        string          `json:"etag"`
	Seq         uint64          `json:"seq"`
	Source      string          `json:"source"`
	NaturalID   string          `json:"naturalId"`
	URI         string          `json:"uri" doc:"What $0 of linked fields says: base URL and natural id"`
	Heading     string          `json:"heading"`
	HeadingType string          `json:"headingType" doc:"Tag of the heading, with a t if it is a title under a name; empty of a JSON record"`
	Revision    uint64          `json:"revision" doc:"Grows with each change that linked fields see"`
	Deleted     bool            `json:"deleted,omitempty"`
	Record      json.RawMessage `json:"record,omitempty" doc:"Left out of lists"`
	Created     time.Time       `json:"created"`
	Updated     time.Time       `json:"updated"`
	Propagation string          `json:"propagation,omitempty" doc:"Job of the newest change that linked fields see"`
}

// AuthorityPage is a page of authorities.
type AuthorityPage struct {
	Items []Authority `json:"items"`
	Next  string      `json:"next,omitempty"`
}

// AuthorityItem is one authority of an import. Without an id it gets "<source>:<naturalId>".
type AuthorityItem struct {
	ID        string          `json:"id,omitempty"`
	Source    string          `json:"source,omitempty" doc:"Left out: the import's"`
	NaturalID string          `json:"naturalId" doc:"Left out: the record's 001"`
	Record    json.RawMessage `json:"record"`
}

// ImportRequest brings many authorities: in the body, or in an upload of JSON lines, one item each.
type ImportRequest struct {
	Items  []AuthorityItem `json:"items,omitempty" doc:"At most 10000"`
	Upload string          `json:"upload,omitempty" doc:"Id of a closed upload: JSON lines, one item each; other members of a line are ignored"`
	Source string          `json:"source,omitempty" doc:"Source of items that name none"`
	Reason string          `json:"reason,omitempty"`
}

// ImportError is an item of an import that was refused; the others are in.
type ImportError struct {
	Line    int    `json:"line" doc:"Number of the item, from 1"`
	ID      string `json:"id,omitempty"`
	Code    string `json:"code"`
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

// Imported is how an import came out: total = created + changed + unchanged + failed.
type Imported struct {
	Total        int           `json:"total"`
	Created      int           `json:"created"`
	Changed      int           `json:"changed"`
	Unchanged    int           `json:"unchanged"`
	Failed       int           `json:"failed"`
	Propagations int           `json:"propagations" doc:"Jobs that the changes have begun"`
	Errors       []ImportError `json:"errors,omitempty" doc:"The first 1000 refusals"`
}

// LinkChanged is the answer to a change of a source or an authority.
type LinkChanged struct {
	Provider    string `json:"provider"`
	ID          string `json:"id"`
	Version     uint64 `json:"version" doc:"Newest version"`
	ETag        string `json:"etag" doc:"Entity tag for If-Match, the quotes included"`
	Seq         uint64 `json:"seq" doc:"Number of the newest event"`
	Changed     bool   `json:"changed" doc:"False if the request changed nothing: then there is no new version"`
	Propagation string `json:"propagation,omitempty" doc:"Job that brings linked fields up to date"`
}

// Impact is what a change of a source or an authority would reach, counted now.
type Impact struct {
	Authorities uint64 `json:"authorities" doc:"Authorities with linked fields"`
	Links       uint64 `json:"links"`
	Documents   uint64 `json:"documents"`
	Collections uint64 `json:"collections"`
	Locked      uint64 `json:"locked" doc:"Collections that somebody holds the lock of: they would be waited for"`
}

// Link is the links of one document to one authority.
type Link struct {
	Collection  string   `json:"collection"`
	Document    string   `json:"document"`
	Authority   string   `json:"authority"`
	Source      string   `json:"source,omitempty"`
	NaturalID   string   `json:"naturalId,omitempty"`
	URI         string   `json:"uri,omitempty"`
	Fields      []string `json:"fields" doc:"Tags of the linked fields, one each; empty texts in JSON"`
	Revision    uint64   `json:"revision" doc:"Of the authority that the fields show; 0: there is none yet, they wait for it"`
	URLRevision uint64   `json:"urlRevision" doc:"Of the source's base URL that they show"`
}

// LinkPage is a page of links.
type LinkPage struct {
	Items []Link `json:"items"`
	Next  string `json:"next,omitempty"`
}

// LinkCount counts links.
type LinkCount struct {
	Links       uint64 `json:"links"`
	Documents   uint64 `json:"documents"`
	Collections uint64 `json:"collections"`
}

// SuggestRequest asks which authorities the fields of a document could be linked to.
type SuggestRequest struct {
	Format   string          `json:"format,omitempty" doc:"marc (default) or json"`
	Type     string          `json:"type,omitempty" doc:"Collection type whose linking rules count"`
	Document json.RawMessage `json:"document"`
	By       string          `json:"by,omitempty" doc:"naturalId: what $0 ends in; heading: the exact text; left out: the one, then the other"`
	Source   string          `json:"source,omitempty" doc:"Authorities of this source alone"`
}

// Suggestion is what was found for one field that could be linked.
type Suggestion struct {
	Path      string   `json:"path" doc:"JSON Pointer to the field within the document"`
	Field     string   `json:"field"`
	Text      string   `json:"text"`
	Status    string   `json:"status" doc:"found, none, or several: then there is no choice to be made by a machine"`
	Authority string   `json:"authority,omitempty"`
	Also      []string `json:"also,omitempty" doc:"Of several, the first 10"`
}

// Suggestions are those for all fields that could be linked, and the document with those linked that were found.
type Suggestions struct {
	Items    []Suggestion    `json:"items"`
	Document json.RawMessage `json:"document"`
}

// AutoRequest links the documents of a collection by exact headings.
type AutoRequest struct {
	Collection string `json:"collection"`
	Source     string `json:"source,omitempty" doc:"To authorities of this source alone"`
	By         string `json:"by,omitempty" doc:"heading (default) or naturalId"`
	Reason     string `json:"reason,omitempty"`
}

// AutoLinked is how it came out.
type AutoLinked struct {
	Collection string   `json:"collection"`
	Documents  int      `json:"documents" doc:"Documents looked at"`
	Changed    int      `json:"changed" doc:"Documents that have new links"`
	Linked     int      `json:"linked" doc:"Fields that were linked"`
	None       int      `json:"none" doc:"Fields that no authority was found for"`
	Several    int      `json:"several" doc:"Fields that several were found for: they are left as they are"`
	Versions   []uint64 `json:"versions" doc:"Versions that it made"`
	Failed     int      `json:"failed" doc:"Documents that could not be linked: not read as MARC, or changed meanwhile"`
}

// AuditRequest holds linked fields against what they should be, and repairs them.
type AuditRequest struct {
	Source    string `json:"source,omitempty" doc:"All links to authorities of this source; or"`
	Authority string `json:"authority,omitempty" doc:"All links to this authority"`
	Reason    string `json:"reason,omitempty"`
}

// Started names the job that has begun.
type Started struct {
	Propagation string `json:"propagation"`
}

// PropagationCounts are links by state: total is their sum at every read.
type PropagationCounts = propagation.Counts

// PropagationCause is what has changed.
type PropagationCause = propagation.Cause

// Propagation is a job that brings linked fields up to date.
type Propagation = propagation.Result

// PropagationRollback takes back the change that has caused a job.
type PropagationRollback struct {
	Reason string `json:"reason,omitempty" doc:"Why; kept in the history of the source or the authority. Left out: which job is taken back"`
}

// PropagationPage is a page of jobs, the newest first.
type PropagationPage struct {
	Items []Propagation `json:"items"`
	Next  string        `json:"next,omitempty"`
}

// PropagationItem is what came of the links of one document, or of one collection that is waited for.
type PropagationItem struct {
	Collection string `json:"collection"`
	Document   string `json:"document,omitempty"`
	Path       string `json:"path,omitempty" doc:"Of the field within the document"`
	Authority  string `json:"authority,omitempty"`
	State      string `json:"state" doc:"FAILED or WAITING"`
	Links      uint64 `json:"links"`
	Cause      string `json:"cause,omitempty" doc:"Why it has failed, or who is waited for"`
}

// PropagationItemPage is a page of them.
type PropagationItemPage struct {
	Items []PropagationItem `json:"items"`
	Next  string            `json:"next,omitempty"`
}

// Report is a row of the report on changes that linked fields have followed.
type Report struct {
	Propagation string `json:"propagation"`
	PropagationCause
	State     string            `json:"state"`
	Total     uint64            `json:"total"`
	Counts    PropagationCounts `json:"counts"`
	StartedBy string            `json:"startedBy"`
	StartedAt time.Time         `json:"startedAt"`
	EndedAt   *time.Time        `json:"endedAt,omitempty"`
}

// ReportPage is a page of rows, the newest first.
type ReportPage struct {
	Items []Report `json:"items"`
	Next  string   `json:"next,omitempty"`
}
