// Package links is what Concord knows of links: fields of documents that name an authority and follow it. It finds them in
// MARC-in-JSON and in JSON, and rewrites them in place: what it does not change stays as it was, byte by byte. It is pure.
//
// In MARC a link is a subfield 9 with the id of the authority, in a field that a linking rule allows; subfield 0 is its URI.
// In JSON it is an object with a member authorityId; its members uri and label are kept up to date.
package links

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"concord/actors/links/linkspb"
)

// Source is an authority source file as linked fields see it.
type Source struct {
	ID       string
	BaseURL  string // as URIs begin; empty: a URI is the bare natural id
	Revision uint64 // grows with each change of the base URL
}

// Authority is an authority as linked fields see it. The zero value is one that never was.
type Authority struct {
	ID, Source, NaturalID string
	Heading               Heading
	Revision              uint64 // grows with each change that linked fields see
	HeadingAt             uint64 // revision at which the heading last changed within its type; 0: it never did
	UnlinkedAt            uint64 // revision at which the type of the heading last changed, or it was deleted: links that are older end
	Deleted               bool
}

// Live says that fields can be linked to it.
func (a *Authority) Live() bool { return a.Revision > 0 && !a.Deleted }

// URI is what $0 says of an authority with the natural id.
func (s *Source) URI(naturalID string) string { return s.BaseURL + naturalID }

// Actions of a change: what report rows and jobs call it.
const (
	ActionBaseURL   = "UPDATE_BASE_URL"
	ActionSource    = "UPDATE_SOURCE" // the authority has moved to another one
	ActionNaturalID = "UPDATE_NATURAL_ID"
	ActionHeading   = "UPDATE_HEADING" // its type may have changed, too: then the fields are unlinked
	ActionDelete    = "DELETE"
	ActionCreate    = "CREATE" // fields have waited for it
	ActionAudit     = "AUDIT"  // nothing has changed: every linked field is held against what it should be
)

// Actions are all of them.
var Actions = []string{ActionBaseURL, ActionSource, ActionNaturalID, ActionHeading, ActionDelete, ActionCreate, ActionAudit}

// Change is a change of a source or an authority as far as linked fields see it: the cause of a propagation.
type Change struct {
	Action     string
	Source     Source     // as it is from now on; of an authority's change: the source that it belongs to
	Authority  *Authority // as it is from now on; nil: it is the source that has changed
	Was        Was
	Supersedes string // id of the job of an earlier change of the same cause, if that may not have ended yet
}

// Was is what a change has replaced: for reports.
type Was struct{ BaseURL, Source, NaturalID, Heading, Tag string }

// Table is what is kept of the links of a document: beside it, and in the event that wrote it.
type Table struct {
	Entries []Entry  // one for each authority, in order of their ids
	Sources []Source // that they name, in order of their ids
}

// Entry is the links of a document to one authority.
type Entry struct {
	Authority string
	Revision  uint64 // of the authority that the links show; 0: there is no such authority yet, and they wait for it
	NaturalID string
	Source    string   // empty: none
	Tag       string   // 1XX of the authority
	Fields    []string // tags of the linked fields in their order; "" in JSON
}

// Find is the entry of an authority; nil if the document has no link to it.
func (t *Table) Find(authority string) *Entry {
	i, ok := slices.BinarySearchFunc(t.Entries, authority, func(e Entry, id string) int { return compare(e.Authority, id) })
	if !ok {
		return nil
	}
	return &t.Entries[i]
}

// Source is a source that an entry names; the zero one if it names none.
func (t *Table) Source(id string) Source {
	i, ok := slices.BinarySearchFunc(t.Sources, id, func(s Source, id string) int { return compare(s.ID, id) })
	if !ok {
		return Source{}
	}
	return t.Sources[i]
}

// Links is how many links the document has.
func (t *Table) Links() (n int) {
	for i := range t.Entries {
		n += len(t.Entries[i].Fields)
	}
	return n
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Message is the stored form of a table; nil of an empty one.
func (t *Table) Message() *linkspb.Table {
	if len(t.Entries) == 0 {
		return nil
	}
	m := &linkspb.Table{}
	at := make(map[string]uint32, len(t.Sources))
	for i := range t.Sources {
		at[t.Sources[i].ID] = uint32(i + 1)
		m.Sources = append(m.Sources, t.Sources[i].Message())
	}
	for i := range t.Entries {
		e := &t.Entries[i]
		m.Entries = append(m.Entries, &linkspb.Entry{Authority: e.Authority, Revision: e.Revision, NaturalId: e.NaturalID,
			Source: at[e.Source], Tag: e.Tag, Fields: e.Fields})
	}
	return m
}

// TableOf reads the stored form of a table.
func TableOf(m *linkspb.Table) (t Table) {
	for _, s := range m.GetSources() {
		t.Sources = append(t.Sources, SourceOf(s))
	}
	for _, e := range m.GetEntries() {
		entry := Entry{Authority: e.GetAuthority(), Revision: e.GetRevision(), NaturalID: e.GetNaturalId(), Tag: e.GetTag(), Fields: e.GetFields()}
		if i := int(e.GetSource()); i > 0 && i <= len(t.Sources) {
			entry.Source = t.Sources[i-1].ID
		}
		t.Entries = append(t.Entries, entry)
	}
	return t
}

// Message is the stored form of a source.
func (s *Source) Message() *linkspb.Source {
	return &linkspb.Source{Id: s.ID, BaseUrl: s.BaseURL, Revision: s.Revision}
}

// SourceOf reads the stored form of a source.
func SourceOf(m *linkspb.Source) Source {
	return Source{ID: m.GetId(), BaseURL: m.GetBaseUrl(), Revision: m.GetRevision()}
}

// Message is the stored form of an authority.
func (a *Authority) Message() *linkspb.Authority {
	m := &linkspb.Authority{Id: a.ID, Source: a.Source, NaturalId: a.NaturalID, Revision: a.Revision, HeadingAt: a.HeadingAt,
		UnlinkedAt: a.UnlinkedAt, Deleted: a.Deleted, Heading: &linkspb.Heading{Tag: a.Heading.Tag, Label: a.Heading.Label}}
	for _, s := range a.Heading.Subfields {
		m.Heading.Subfields = append(m.Heading.Subfields, &linkspb.Subfield{Code: s.Code, Value: s.Value})
	}
	return m
}

// AuthorityOf reads the stored form of an authority.
func AuthorityOf(m *linkspb.Authority) Authority {
	a := Authority{ID: m.GetId(), Source: m.GetSource(), NaturalID: m.GetNaturalId(), Revision: m.GetRevision(), HeadingAt: m.GetHeadingAt(),
		UnlinkedAt: m.GetUnlinkedAt(), Deleted: m.GetDeleted(), Heading: Heading{Tag: m.GetHeading().GetTag(), Label: m.GetHeading().GetLabel()}}
	for _, s := range m.GetHeading().GetSubfields() {
		a.Heading.Subfields = append(a.Heading.Subfields, Subfield{Code: s.GetCode(), Value: s.GetValue()})
	}
	return a
}

// Message is the stored form of a change.
func (c *Change) Message() *linkspb.Change {
	m := &linkspb.Change{Action: c.Action, Source: c.Source.Message(), Supersedes: c.Supersedes,
		Was: &linkspb.Was{BaseUrl: c.Was.BaseURL, Source: c.Was.Source, NaturalId: c.Was.NaturalID, Heading: c.Was.Heading, Tag: c.Was.Tag}}
	if c.Authority != nil {
		m.Authority = c.Authority.Message()
	}
	return m
}

// ChangeOf reads the stored form of a change.
func ChangeOf(m *linkspb.Change) Change {
	w := m.GetWas()
	c := Change{Action: m.GetAction(), Source: SourceOf(m.GetSource()), Supersedes: m.GetSupersedes(),
		Was: Was{BaseURL: w.GetBaseUrl(), Source: w.GetSource(), NaturalID: w.GetNaturalId(), Heading: w.GetHeading(), Tag: w.GetTag()}}
	if m.GetAuthority() != nil {
		a := AuthorityOf(m.GetAuthority())
		c.Authority = &a
	}
	return c
}

// DecodeSource reads the stored state of a source, as far as others need it; of nothing it is the zero one. So a collection
// reads what it links to (entity.Facts.Of) without knowing those kinds.
func DecodeSource(state []byte) (Source, error) {
	var m linkspb.SourceState
	if err := proto.Unmarshal(state, &m); err != nil {
		return Source{}, fmt.Errorf("state of a source: %w", err)
	}
	return SourceOf(m.GetSource()), nil
}

// DecodeAuthority reads the stored state of an authority; of nothing it is the zero one.
func DecodeAuthority(state []byte) (Authority, error) {
	var m linkspb.AuthorityState
	if err := proto.Unmarshal(state, &m); err != nil {
		return Authority{}, fmt.Errorf("state of an authority: %w", err)
	}
	return AuthorityOf(m.GetAuthority()), nil
}
