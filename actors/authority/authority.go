// Package authority is the kind of entity that one authority is: the form of a name or a subject that documents link to.
// It is pure: see entity.Behavior.
//
// There are millions, so that one is small: its state is what linked fields see of it, its record is a part. Each change
// that linked fields see raises its revision and, if the command says so, gives birth to a propagation in the same batch.
// Whether documents wait for an authority that is new, or are linked to one that an import changes, is not in the store's
// reach of a decision: whoever sends the command looks before (Put.Job, Put.Awaited), and who follows the log looks after (Event.Unfollowed).
//
// A deleted authority keeps its record for a while and is found among those of its source; then it is purged: its id and
// its revision stay, so that one that comes back under the id is newer than every link to the old one.
package authority

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"concord/actors/authority/authoritypb"
	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/links"
	"concord/actors/precondition"
	"concord/actors/problem"
	"concord/persistence"
)

// Limits of an authority.
type Limits struct {
	RecordMaxBytes int
	PurgeAfter     time.Duration // that a deleted one is kept
}

// DefaultLimits are those of a document, and FOLIO's retention.
var DefaultLimits = Limits{RecordMaxBytes: 512 << 10, PurgeAfter: 7 * 24 * time.Hour}

// naturalIDMaxChars bounds a natural id.
const naturalIDMaxChars = 250

// RecordPart is the part that the record is.
const RecordPart = ""

// State of an authority. The zero value is one that never was.
type State struct {
	links.Authority
	Created, Updated time.Time
	Purge            time.Time // when a deleted one goes for good; zero: it is not deleted, or is gone
	Job              string    // propagation of the newest change that linked fields see
	Hash             uint64    // of the record, as a JSON value
	Version          uint64
}

// Purged says that nothing is left of it but its revision.
func (s *State) Purged() bool { return s.Deleted && s.Purge.IsZero() }

// Command is a sealed set.
type Command interface{ command() }

type (
	// Put creates the authority, or replaces all of it: see NewPut. An equal one changes nothing.
	Put struct {
		precondition.Set
		Source, NaturalID string
		Record            []byte
		Hash              uint64
		Heading           links.Heading
		Job               string // what makes the id of a propagation; empty: no document is linked to it
		Awaited           bool   // documents wait for one of the id
		Terse             bool   // one of many: the answer is an Outcome
		Ask               bool   // do nothing where a job may be needed: Outcome says so
		// Open says that the sender has seen the source open, after it was counted in among those that a deletion of the
		// source waits for. Then a change without a job need not look again.
		Open bool
		// Undoes is the version that is taken back: it has to be the newest. 0: none is.
		Undoes uint64
	}
	// Delete leaves what is deleted for good later. Job is as in Put.
	Delete struct {
		precondition.Set
		Job string
	}
	// Follow has linked fields held against the authority as it is.
	Follow struct{ Job string }
	// Purge is what the timer of a deletion says.
	Purge struct{ Due time.Time }
)

func (*Put) command()    {}
func (*Delete) command() {}
func (*Follow) command() {}
func (*Purge) command()  {}

// NewPut reads an authority: a natural id and a record, whose JSON was checked and has the hash. Paths of refusals begin
// with path.
func NewPut(source, naturalID string, record []byte, hash uint64, path string) (*Put, *problem.Problem) {
	if why := badNaturalID(naturalID); why != "" {
		return nil, problem.At(path+"/naturalId", "%s", why)
	}
	heading, err := links.HeadingOf(record, path+"/record")
	if err != nil {
		return nil, err
	}
	return &Put{Source: source, NaturalID: naturalID, Record: record, Hash: hash, Heading: heading}, nil
}

func badNaturalID(id string) string {
	if id == "" {
		return "is missing"
	}
	if n := utf8.RuneCountInString(id); n > naturalIDMaxChars {
		return fmt.Sprintf("%d characters: the limit is %d", n, naturalIDMaxChars)
	}
	for _, r := range id {
		if r < 0x20 || 0x7f <= r && r < 0xa0 || r == utf8.RuneError {
			return "must be UTF-8 without control characters"
		}
	}
	return ""
}

// Stored names of the events; never reused.
const (
	TypeSaved    = "authority.saved"
	TypeDeleted  = "authority.deleted"
	TypePurged   = "authority.purged"
	TypeFollowed = "authority.followed"
)

// Event is one of the types.
type Event struct {
	Type   string
	After  State
	Action string // of links; empty: linked fields see nothing of it
	// Unfollowed says that linked fields may have to follow, and that no job was begun: none was seen to be there. Whoever
	// follows the log looks again.
	Unfollowed bool
	Source     string // that it belongs to, or did until it was purged
	Record     []byte // that it writes
	Size       int    // of the record
}

// Behavior is the authority kind under its limits.
type Behavior struct{ Limits Limits }

var _ entity.Behavior[State, Command, Event] = Behavior{}

// Kind is the stored number of the kind.
func (Behavior) Kind() persistence.Kind { return persistence.KindAuthority }

// sourceOf is the entity of a source of the same provider.
func sourceOf(id string) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindSource, ID: id}
}

// Wants the source, and the record if only its text can tell whether it has changed.
func (Behavior) Wants(s State, c Command, known entity.Facts) (wants []entity.Want) {
	source := s.Source
	if put, ok := c.(*Put); ok {
		if source = put.Source; put.Open && put.Job == "" {
			source = ""
		}
		if _, ok := known.Part(RecordPart, true); !ok && s.Live() && put.Hash == s.Hash {
			wants = append(wants, entity.Want{Part: RecordPart, Body: true})
		}
	}
	if _, purge := c.(*Purge); purge || source == "" {
		return wants
	}
	id := sourceOf(source)
	if _, ok := known.Of(id); !ok {
		wants = append(wants, entity.Want{Of: &id})
	}
	return wants
}

// Decide judges a command.
func (b Behavior) Decide(s State, c Command, f entity.Facts, m entity.Meta) (d entity.Decision[Event], err error) {
	switch c := c.(type) {
	case *Put:
		return b.put(s, c, f, m)
	case *Delete:
		return b.remove(s, c, f, m)
	case *Follow:
		if s.Revision == 0 {
			return d, Missing()
		}
		return b.change(s, s, Event{Type: TypeFollowed, Action: links.ActionAudit}, c.Job, f, m)
	case *Purge:
		if !s.Deleted || s.Purge.IsZero() || !s.Purge.Equal(c.Due) {
			return d, nil // it came back meanwhile
		}
		after := State{Authority: links.Authority{ID: s.ID, Revision: s.Revision, HeadingAt: s.HeadingAt, UnlinkedAt: s.UnlinkedAt,
			Deleted: true}, Created: s.Created, Updated: s.Updated, Job: s.Job}
		d.Events = []Event{{Type: TypePurged, After: after, Source: s.Source}}
		return d, nil
	default:
		panic(fmt.Sprintf("authority: unknown command %T", c))
	}
}

// Missing is the refusal of an authority that is not there.
func Missing() *problem.Problem { return problem.New(problem.NotFound, "there is no such authority") }

func (b Behavior) put(s State, c *Put, f entity.Facts, m entity.Meta) (d entity.Decision[Event], err error) {
	if err := c.Check("authority", s.Live(), s.Version); err != nil {
		return d, err
	}
	if len(c.Record) > b.Limits.RecordMaxBytes {
		return d, problem.New(problem.TooLarge, "a record of %d bytes: the limit is %d", len(c.Record), b.Limits.RecordMaxBytes).
			With("limit", b.Limits.RecordMaxBytes)
	}
	if err := c.Undoable(&s); err != nil {
		return d, err
	}
	if !c.Open {
		if err := c.open(f); err != nil {
			return d, err
		}
	}
	after := s
	after.ID, after.Source, after.NaturalID, after.Heading, after.Hash = m.Entity.ID, c.Source, c.NaturalID, c.Heading, c.Hash
	after.Updated = m.Time
	e := Event{Type: TypeSaved, Record: c.Record, Size: len(c.Record)}
	if !s.Live() {
		after.Revision, after.Deleted, after.Purge, after.Created = s.Revision+1, false, time.Time{}, m.Time
		if c.Awaited {
			e.Action = links.ActionCreate
		}
		e.Unfollowed = !c.Awaited
		return b.change(s, after, e, c.Job, f, m)
	}
	if e.Action = action(&s, &after); e.Action != "" && c.Ask {
		d.Told = OutcomeAsked
		return d, nil
	}
	if e.Action == "" {
		if same, err := sameRecord(&s, c, f); same || err != nil {
			return d, err
		}
		return b.change(s, after, e, "", f, m)
	}
	after.Revision++
	if e.Action == links.ActionHeading && s.Heading.Type() != after.Heading.Type() {
		after.UnlinkedAt = after.Revision
	} else if e.Action == links.ActionHeading {
		after.HeadingAt = after.Revision
	}
	return b.change(s, after, e, c.Job, f, m)
}

// SourceOpen says whether authorities may come to belong to the source in the stored state.
func SourceOpen(state []byte) (bool, error) {
	var m authoritypb.SourceState
	if err := proto.Unmarshal(state, &m); err != nil {
		return false, fmt.Errorf("state of a source: %w: %w", persistence.ErrCorrupt, err)
	}
	return m.GetOpen(), nil
}

// open refuses a source that an authority cannot belong to.
func (c *Put) open(f entity.Facts) error {
	state, _ := f.Of(sourceOf(c.Source))
	if is, err := SourceOpen(state); is || err != nil {
		return err
	}
	if c.Undoes > 0 {
		return problem.New(problem.CannotUndo, "there is no authority source file %q any more, which the authority belonged to", c.Source)
	}
	p := problem.At("/source", "there is no authority source file %q", c.Source)
	p.OtherwiseStatus = 422
	return p
}

// action is what linked fields see of a change, of several what reaches furthest.
func action(s, after *State) string {
	switch {
	case s.Heading.Type() != after.Heading.Type() || !s.Heading.Equal(&after.Heading):
		return links.ActionHeading
	case s.Source != after.Source:
		return links.ActionSource
	case s.NaturalID != after.NaturalID:
		return links.ActionNaturalID
	default:
		return ""
	}
}

func sameRecord(s *State, c *Put, f entity.Facts) (bool, error) {
	if s.Hash != c.Hash {
		return false, nil
	}
	record, _ := f.Part(RecordPart, true)
	same, err := jsonvalue.EqualText(record.Body, c.Record)
	if err != nil {
		return false, fmt.Errorf("compare the record with the stored one: %w", err)
	}
	return same, nil
}

func (b Behavior) remove(s State, c *Delete, f entity.Facts, m entity.Meta) (d entity.Decision[Event], err error) {
	if !s.Live() {
		return d, Missing()
	}
	if err := c.Check("authority", true, s.Version); err != nil {
		return d, err
	}
	after := s
	after.Revision++
	after.UnlinkedAt, after.Deleted, after.Updated, after.Purge = after.Revision, true, m.Time, m.Time.Add(b.Limits.PurgeAfter)
	return b.change(s, after, Event{Type: TypeDeleted, Action: links.ActionDelete}, c.Job, f, m)
}

// change is the decision that the event has happened, and the propagation that follows from it, if there is a job.
func (b Behavior) change(s, after State, e Event, job string, f entity.Facts, m entity.Meta) (d entity.Decision[Event], err error) {
	if e.Action != "" && job != "" {
		after.Job = persistence.JobID(m.Entity, job)
		state, _ := f.Of(sourceOf(after.Source))
		source, err := links.DecodeSource(state)
		if err != nil {
			return d, err
		}
		now := after.Authority
		d.Births = []entity.Birth{{
			Entity: persistence.EntityID{Kind: persistence.KindPropagation, Provider: m.Entity.Provider, ID: after.Job},
			As: &links.Change{Action: e.Action, Source: source, Authority: &now, Supersedes: s.Job,
				Was: links.Was{Source: s.Source, NaturalID: s.NaturalID, Heading: s.Heading.Label, Tag: s.Heading.Tag}},
		}}
	}
	e.Unfollowed = e.Unfollowed || e.Action != "" && job == ""
	after.Version = 0 // the event has its own
	e.After, e.Source = after, after.Source
	d.Events = []Event{e}
	return d, nil
}

// Evolve is the state after the event.
func (Behavior) Evolve(_ State, e Event, at entity.Stamp) State {
	e.After.Version = at.Version
	return e.After
}

// TimerFired purges.
func (Behavior) TimerFired(_ string, due time.Time) Command { return &Purge{Due: due} }

// NaturalIDOf is the control number (001) of a record in MARC-in-JSON; empty if it has none.
func NaturalIDOf(record []byte) string {
	v, err := jsonvalue.Parse(record)
	if err != nil {
		return ""
	}
	fields, _ := v.Get("fields")
	if fields == nil || fields.Kind() != jsonvalue.Array {
		return ""
	}
	for _, f := range fields.Elements() {
		if f.Kind() != jsonvalue.Object {
			continue
		}
		if number, ok := f.Get("001"); ok && number.Kind() == jsonvalue.String {
			return strings.TrimSpace(number.Str())
		}
	}
	return ""
}
