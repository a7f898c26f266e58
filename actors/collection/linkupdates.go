package collection

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"concord/actors/collection/collectionpb"
	"concord/actors/entity"
	"concord/actors/links"
	"concord/persistence"
)

// LinkUpdatesMaxLinks bounds the links of one message.
const LinkUpdatesMaxLinks = 100

// What becomes of links that a message tells of.
const (
	LinkUpdated = "UPDATE" // the subfields change
	LinkDeleted = "DELETE" // the link ends: subfield 9 goes, the other ones stay
)

// NoSource stands in the subject of a message whose links belong to no source. No id is like it.
const NoSource = "-"

// LinkUpdates is what other systems are told of links that the service has brought up to date: at most 100 of them, in the
// words of FOLIO's links.instance-authority, by authority. The messages of a collection come in order of version and part:
// who keeps a copy drops what is not above the newest that it has applied.
type LinkUpdates struct {
	ID         string       `json:"id" doc:"<id of the event>/links/<part>, also the message id"`
	JobID      string       `json:"jobId,omitempty" doc:"The propagation; none of a correction"`
	Tenant     string       `json:"tenant"`
	TS         string       `json:"ts" doc:"Time of the event: milliseconds since 1970, as text"`
	Collection string       `json:"collection"`
	Version    uint64       `json:"version" doc:"Version of the collection that has the changes"`
	Part       int          `json:"part" doc:"1, 2, 3... of the messages of one event"`
	Parts      int          `json:"parts" doc:"How many messages the event has"`
	Updates    []LinkUpdate `json:"updates"`
}

// LinkUpdate is what became of links to one authority.
type LinkUpdate struct {
	AuthorityID      string             `json:"authorityId"`
	Type             string             `json:"type" enum:"UPDATE,DELETE" doc:"DELETE: subfield 9 goes, the other ones stay"`
	UpdateTargets    []LinkTargets      `json:"updateTargets"`
	SubfieldsChanges []SubfieldsChanges `json:"subfieldsChanges,omitempty"`
}

// LinkTargets are linked fields of one tag.
type LinkTargets struct {
	Field string       `json:"field" doc:"Tag; empty in JSON documents"`
	Links []LinkTarget `json:"links"`
}

// LinkTarget is one linked field.
type LinkTarget struct {
	LinkID     uint32 `json:"linkId" doc:"Number of the link among those of the document before the change, from 0"`
	InstanceID string `json:"instanceId" doc:"Id of the document"`
}

// SubfieldsChanges are the new subfields of the linked fields of one tag. Those that are not named stay.
type SubfieldsChanges struct {
	Field     string           `json:"field"`
	Subfields []SubfieldChange `json:"subfields"`
}

// SubfieldChange is the new text of a subfield.
type SubfieldChange struct {
	Code  string `json:"code" doc:"Of the subfield; in JSON documents the member: label or uri"`
	Value string `json:"value" doc:"Empty: the subfield goes"`
}

// Numbers of the fields that tell whether a Saved has link updates.
const (
	fieldSavedRevertedTo protowire.Number = 3
	fieldSavedLinked     protowire.Number = 5
	fieldLinkedRelink    protowire.Number = 3
)

// IsRevert says whether a Saved is a revert, from its payload. It decodes nothing.
func IsRevert(payload []byte) bool {
	return entity.Peek(payload, fieldSavedRevertedTo, protowire.VarintType) != nil
}

// HasLinkUpdates says whether other systems are to be told of links, from the payload of a Saved. It decodes nothing: most
// events have no links at all.
func HasLinkUpdates(payload []byte) bool {
	return entity.Peek(entity.PeekMessage(payload, fieldSavedLinked), fieldLinkedRelink, protowire.VarintType) != nil
}

// LinkUpdatesOf renders what other systems are told of the links of a Saved, from its payload: no messages, if the service
// has brought none up to date. source is the one that the messages are about, or NoSource.
func LinkUpdatesOf(payload []byte, at entity.Stamp) (source string, messages []LinkUpdates, err error) {
	if !HasLinkUpdates(payload) {
		return NoSource, nil, nil
	}
	var saved collectionpb.Saved
	if err := proto.Unmarshal(payload, &saved); err != nil {
		return NoSource, nil, fmt.Errorf("collection.saved: %w", err)
	}
	r := relinked{linked: saved.GetLinked(), texts: make(map[linkedText][]SubfieldChange)}
	if !r.linked.GetRelink() {
		return NoSource, nil, nil
	}
	for _, t := range r.linked.GetTexts() {
		r.texts[linkedText{t.GetAuthority(), t.GetField()}] = subfieldChanges(t)
	}
	effects := r.effects()
	parts := (len(effects) + LinkUpdatesMaxLinks - 1) / LinkUpdatesMaxLinks
	for chunk := range slices.Chunk(effects, LinkUpdatesMaxLinks) {
		part := len(messages) + 1
		messages = append(messages, LinkUpdates{
			ID: at.Entity.EventID(at.Seq) + "/links/" + strconv.Itoa(part), JobID: r.linked.GetJob(), Tenant: at.Entity.Provider,
			TS: strconv.FormatInt(at.Time.UnixMilli(), 10), Collection: at.Entity.ID, Version: at.Version,
			Part: part, Parts: parts, Updates: r.updates(chunk),
		})
	}
	return cmp.Or(r.linked.GetSource().GetId(), r.linked.GetAuthority().GetSource(), NoSource), messages, nil
}

// LinkSubject is where the messages about links of a source go, below the prefix of all subjects.
func LinkSubject(e persistence.EntityID, source string) string {
	return "links." + e.Provider + "." + source
}

func subfieldChanges(t *collectionpb.FieldText) []SubfieldChange {
	changes := make([]SubfieldChange, len(t.GetSubfields()))
	for i, s := range t.GetSubfields() {
		changes[i] = SubfieldChange{s.GetCode(), s.GetValue()}
	}
	return changes
}

// relinked is an event that has brought links up to date, with the new texts of its fields.
type relinked struct {
	linked *collectionpb.Linked
	texts  map[linkedText][]SubfieldChange
}

// linkedText names the new texts of linked fields.
type linkedText struct{ authority, field string }

// linkEffect is what became of one link. Equal ones but for document and number are told together.
type linkEffect struct {
	authority      string
	unlinked, text bool
	uri            bool
	newURI         string
	field          string
	document       string
	number         uint32
}

// together says that two effects are told in one update.
func (e *linkEffect) together(o *linkEffect) bool {
	return e.authority == o.authority && e.unlinked == o.unlinked && e.text == o.text && e.uri == o.uri && e.newURI == o.newURI
}

// effects are those of all documents, in the order in which they are told.
func (r *relinked) effects() []linkEffect {
	var all []linkEffect
	for _, d := range r.linked.GetDocuments() {
		if len(d.GetEffects()) == 0 {
			continue
		}
		table := links.TableOf(d.GetTable())
		for _, e := range d.GetEffects() {
			effect := linkEffect{authority: e.GetAuthority(), unlinked: e.GetUnlinked(), text: e.GetText(), uri: e.GetUri(),
				field: e.GetField(), document: d.GetId(), number: e.GetNumber()}
			if effect.uri {
				effect.newURI = r.uri(&table, effect.authority)
			}
			all = append(all, effect)
		}
	}
	slices.SortStableFunc(all, func(a, b linkEffect) int {
		return cmp.Or(cmp.Compare(a.authority, b.authority), compareBool(a.unlinked, b.unlinked), compareBool(a.text, b.text),
			compareBool(a.uri, b.uri), cmp.Compare(a.newURI, b.newURI), cmp.Compare(a.field, b.field))
	})
	return all
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// uri is what links to the authority point at now: what the document's table says, or, of links that have ended, what has
// been brought.
func (r *relinked) uri(table *links.Table, authority string) string {
	if e := table.Find(authority); e != nil {
		source := table.Source(e.Source)
		return source.URI(e.NaturalID)
	}
	source := links.SourceOf(r.linked.GetSource())
	return source.URI(r.linked.GetAuthority().GetNaturalId())
}

// updates tells of effects, those that belong together as one.
func (r *relinked) updates(effects []linkEffect) (updates []LinkUpdate) {
	for i := range effects {
		e := &effects[i]
		first := i == 0 || !e.together(&effects[i-1])
		if first {
			updates = append(updates, LinkUpdate{AuthorityID: e.authority, Type: LinkUpdated})
		}
		u := &updates[len(updates)-1]
		if e.unlinked {
			u.Type = LinkDeleted
		}
		if first || e.field != effects[i-1].field {
			u.UpdateTargets = append(u.UpdateTargets, LinkTargets{Field: e.field})
			if subfields := r.subfields(e); len(subfields) > 0 {
				u.SubfieldsChanges = append(u.SubfieldsChanges, SubfieldsChanges{e.field, subfields})
			}
		}
		targets := &u.UpdateTargets[len(u.UpdateTargets)-1]
		targets.Links = append(targets.Links, LinkTarget{e.number, e.document})
	}
	return updates
}

// subfields is what linked fields say from now on.
func (r *relinked) subfields(e *linkEffect) (changes []SubfieldChange) {
	if e.text {
		changes = append(changes, r.texts[linkedText{e.authority, e.field}]...)
	}
	if e.uri {
		code := "0"
		if e.field == "" {
			code = "uri"
		}
		changes = append(changes, SubfieldChange{code, e.newURI})
	}
	return changes
}
