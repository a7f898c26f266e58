package collection

import "concord/actors/links"

// Relink brings the links of documents up to date: as part of a propagation, or as a correction. It asks for no more than
// what it finds to be older than what it brings, so that it can be repeated, and come in any order. All documents are one
// version, as many as fit; none of it is judged by schemas, and a lock of somebody refuses it (`locked`).
type Relink struct {
	Job       string   // id of the propagation; "" of a correction
	Documents []string // to look at, in order of their ids; those that are gone are skipped
	Source    *links.Source
	Authority *links.Authority // with Source: the one that it belongs to
	Verify    bool             // hold every link to the source or authority against what it should be, whatever its revision
}

// Relinked is the answer to a Relink. The counts are links in scope: those to the authority, or to authorities of the source.
type Relinked struct {
	Version    uint64          `json:"version"`
	Changed    bool            `json:"changed"`
	Looked     int             `json:"looked"`         // documents, the first so many: the others did not fit, ask again for them
	Last       string          `json:"last,omitempty"` // of those: the others begin after it, also when the answer is that of a repeat
	Documents  uint64          `json:"documents"`      // rewritten
	Updated    uint64          `json:"updated"`
	Unchanged  uint64          `json:"unchanged"`
	Superseded uint64          `json:"superseded"` // they show a newer revision than the one that is brought
	Failed     uint64          `json:"failed"`
	Failures   []RelinkFailure `json:"failures,omitempty"`
}

// RelinkFailure is a document whose links could not be brought up to date.
type RelinkFailure struct {
	Document  string `json:"document"`
	Path      string `json:"path,omitempty"`
	Authority string `json:"authority,omitempty"`
	Links     uint64 `json:"links"`
	Cause     string `json:"cause"`
}

func (*Relink) command() {}
