package collection

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/lock"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/actors/undo"
	"concord/internal/planted"
	"concord/persistence"
)

// apply decides on an Apply.
func (b Behavior) apply(s State, c *Apply, f entity.Facts, m entity.Meta) (decision, error) {
	switch {
	case s.Task.is(c.Task) && !planted.ApplyTwice:
		return applied(Applied{State: fields.Updated, VersionBefore: s.Task.Before, VersionAfter: s.Task.After})
	case c.Probe:
		return applied(Applied{State: Undecided, VersionBefore: s.Version, VersionAfter: s.Version})
	}
	t, err := b.typeOf(s, c, f)
	if err != nil {
		return decision{}, err
	}
	ask := b.ask(s, m, t)
	var admission lock.Admission
	if !m.DryRun {
		if admission, err = lock.Admit(s.Lock, lock.Write{Job: true}, ask); err != nil {
			return decision{}, err
		}
	}
	a := applying{behavior: b, state: s, command: c, facts: f, meta: m, rules: t, draft: newDraft(s, f),
		answer: Applied{VersionBefore: s.Version, VersionAfter: s.Version}}
	d, err := a.run()
	if err == nil && len(d.Events) > 0 {
		d.Events = append(happened(s.Lock, admission.Due, ask), d.Events...)
	}
	return d, err
}

// applied is the decision that has come to an answer, with what is to be written, if anything is.
func applied(a Applied, events ...Event) (decision, error) {
	return decision{Told: told{applied: &a}, Events: events}, nil
}

// applying is an Apply on its way.
type applying struct {
	behavior Behavior
	state    State
	command  *Apply
	facts    entity.Facts
	meta     entity.Meta
	rules    *rules.Type
	draft    *draft
	record   fields.Record // what the instructions are about, as it is
	wants    []entity.Want // what is lacking
	// otherLife says in a sentence that what is written ends the life of the collection, or brings one back: then nobody has
	// read all that is shown no more, or again, and there is no diff.
	otherLife string
	answer    Applied
}

func (a *applying) run() (decision, error) {
	if p := a.misfit(); p != nil {
		return a.failed(p)
	}
	if a.command.Undo != nil {
		return a.undo()
	}
	if err := a.read(); err != nil {
		return a.ended(err)
	}
	if len(a.wants) > 0 {
		return decision{Wants: a.wants}, nil
	}
	o := fields.ApplyAll(a.command.Instructions, a.record, a.command.Item)
	a.warn(o.Warnings)
	switch o.Status {
	case fields.Failed:
		return a.failed(o.Problem)
	case fields.Updated:
		return a.write(&o)
	default:
		a.answer.State = o.Status
		return applied(a.answer)
	}
}

// misfit is what is wrong with the collection as a whole; nil: nothing.
func (a *applying) misfit() *problem.Problem {
	s, c := a.state, a.command
	switch {
	case !s.Exists:
		return problem.New(problem.NotFound, "the collection %q does not exist, and never did", a.meta.Entity.ID)
	case c.Undo != nil && !undo.Good(c.Undo.Spans, s.Version):
		return problem.New(problem.Invalid, "what is to be taken back are no versions of the collection, whose newest is %d", s.Version)
	case s.Deleted && c.Undo == nil:
		return problem.New(problem.NotFound, "the collection %q is deleted, since version %d: it cannot be updated", a.meta.Entity.ID, s.Version)
	case c.Type != "" && s.Type == "":
		return problem.New(problem.Invalid, "the collection is of no type, and the task is for those of the type %q", c.Type)
	case c.Type != "" && c.Type != s.Type:
		return problem.New(problem.Invalid, "the collection is of the type %q, and the task is for those of the type %q", s.Type, c.Type)
	case c.Version != 0 && c.Version != s.Version:
		return problem.New(problem.PreconditionFailed, "the newest version is %d, and the item is for version %d", s.Version, c.Version)
	}
	return nil
}

// read makes the record of what the instructions are about, as far as it is there, or asks for what it lacks.
func (a *applying) read() error {
	metadata, documents, every := about(a.command.Instructions)
	if every {
		var err error
		if documents, err = a.living(); err != nil {
			return err
		}
	}
	parts := documents
	if metadata {
		parts = append([]string{MetadataPart}, documents...)
	}
	for _, id := range parts {
		if _, ok := a.facts.Part(id, true); !ok {
			a.wants = append(a.wants, entity.Want{Part: id, Body: true})
		}
	}
	if err := a.facts.TooHeavy(); err != nil || len(a.wants) > 0 {
		return err
	}
	for _, id := range parts {
		v, err := valueOf(a.draft.current(id))
		switch {
		case err != nil:
			return err
		case id == MetadataPart && v == nil:
			a.record.Metadata = jsonvalue.NewObject()
		case id == MetadataPart:
			a.record.Metadata = v
		case v != nil:
			a.record.Documents = append(a.record.Documents, fields.Document{ID: id, Value: v})
		}
	}
	return nil
}

// about names what instructions are about: the metadata, the documents that they name, or every document.
func about(list []*fields.Instruction) (metadata bool, documents []string, every bool) {
	for _, in := range list {
		switch in.Part.Kind {
		case fields.Metadata:
			metadata = true
		case fields.EveryDocument:
			every = true
		case fields.OneDocument:
			if !slices.Contains(documents, in.Part.Document) {
				documents = append(documents, in.Part.Document)
			}
		}
	}
	return metadata, documents, every
}

// living are the documents of the collection, in order of their ids. That they are too many to be read is known by their
// sizes, before any is.
func (a *applying) living() ([]string, error) {
	all, ok := a.facts.All()
	if !ok {
		a.wants = append(a.wants, entity.Want{All: true})
		return nil, nil
	}
	bytes := 0
	ids := make([]string, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if fact := all[id]; fact.Version >= a.state.Born {
			ids = append(ids, id)
			bytes += sizeOf(fact)
		}
	}
	if bytes > entity.FactsMaxBytes {
		return nil, problem.New(problem.TooLarge, "the documents have %d bytes together, and at most %d are looked at for one item",
			bytes, entity.FactsMaxBytes).With("limit", entity.FactsMaxBytes)
	}
	return ids, nil
}

// write is what a Write would do from here on, with what the instructions have made.
func (a *applying) write(o *fields.Outcome) (decision, error) {
	if o.Metadata != nil {
		a.set(MetadataPart, a.record.Metadata, o.Metadata)
	}
	was := make(map[string]*jsonvalue.Value, len(a.record.Documents))
	for _, d := range a.record.Documents {
		was[d.ID] = d.Value
	}
	for _, d := range o.Documents {
		a.set(d.ID, was[d.ID], d.Value)
	}
	return a.finish(a.behavior.event(a.state, a.state, a.draft, told{}, a.facts, a.rules))
}

// finish is the answer to what is to be written, if anything is and nothing is lacking.
func (a *applying) finish(done decision, err error) (decision, error) {
	if err != nil || len(done.Wants) > 0 {
		if err != nil {
			return a.ended(err)
		}
		return done, nil
	}
	say, _ := done.Told.(told)
	a.warn(say.warnings)
	if a.answer.State = fields.Updated; len(done.Events) == 0 {
		a.answer.State = fields.Unchanged // its links put in order, it is what it was
		return applied(a.answer)
	}
	a.answer.Message = a.otherLife
	if a.command.Diff && a.otherLife == "" {
		if a.answer.Diff, err = a.diff(say.parts); err != nil {
			return decision{}, err
		}
	}
	if !a.meta.DryRun {
		a.answer.VersionAfter, a.answer.Kept = a.state.Version+1, a.replaced(say.parts)
	}
	for _, e := range done.Events {
		a.sign(e)
	}
	return applied(a.answer, done.Events...)
}

// sign notes in an event that the task has written it, and how long what it replaces is kept.
func (a *applying) sign(e Event) {
	task, until := a.command.Task, persistence.TimeOf(persistence.Micros(a.command.PinUntil)) // as it is stored
	switch e := e.(type) {
	case *Saved:
		e.Task, e.PinUntil = task, until
	case *Deleted:
		e.Task, e.PinUntil = task, until
	case *Happened, *Reindexed:
	}
}

// replaced counts the bytes of the contents that the parts replace.
func (a *applying) replaced(parts []entity.Content) (bytes uint64) {
	for i := range parts {
		if old := a.draft.current(parts[i].ID); old.Exists {
			bytes += uint64(sizeOf(old))
		}
	}
	return bytes
}

func (a *applying) set(id string, was, is *jsonvalue.Value) {
	p := a.draft.part(id)
	p.was = was
	p.set(is)
}

// diff is what the parts that are written make of what is there.
func (a *applying) diff(parts []entity.Content) (json.RawMessage, error) {
	var patch jsonvalue.Patch
	for i := range parts {
		p := &parts[i]
		was, err := a.was(p.ID)
		if err != nil {
			return nil, err
		}
		is, err := shownValue(p.ID, entity.Fact{Exists: !p.Removed, Body: p.Body, Value: p.Value})
		switch place := placeOf(p.ID); {
		case err != nil:
			return nil, err
		case was == nil:
			patch = append(patch, jsonvalue.Operation{Op: jsonvalue.OpAdd, Path: place, Value: is})
		case is == nil:
			patch = append(patch, jsonvalue.Operation{Op: jsonvalue.OpRemove, Path: place})
		default:
			patch = append(patch, jsonvalue.DiffBelow(place, was, is)...)
		}
	}
	return patch.Text(), nil
}

// was is a part as it is shown before it is written.
func (a *applying) was(id string) (*jsonvalue.Value, error) {
	if p := a.draft.parts[id]; p != nil && p.was != nil {
		return p.was, nil
	}
	return shownValue(id, a.draft.current(id))
}

// shownValue is a part as it is shown: no metadata are {}.
func shownValue(id string, fact entity.Fact) (*jsonvalue.Value, error) {
	v, err := valueOf(fact)
	if v == nil && err == nil && id == MetadataPart {
		v = jsonvalue.NewObject()
	}
	return v, err
}

// ended is how an error ends the item: a refusal is its failure.
func (a *applying) ended(err error) (decision, error) {
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return a.failed(p)
	}
	return decision{}, err
}

func (a *applying) failed(p *problem.Problem) (decision, error) {
	a.answer.State, a.answer.Code, a.answer.Message = fields.Failed, string(p.Code), failure(p)
	return applied(a.answer)
}

// failureMaxPlaces bounds how many places the message of a failure names.
const failureMaxPlaces = 3

// failure is a refusal in a sentence: the instruction that could not be applied, and the places where.
func failure(p *problem.Problem) string {
	var text strings.Builder
	for _, m := range p.Members {
		if i, ok := m.Value.(int); ok && m.Name == "instruction" {
			text.WriteString("instruction " + strconv.Itoa(i) + ": ")
		}
	}
	if len(p.Errors) == 0 {
		text.WriteString(p.Detail)
	}
	for i, e := range p.Errors[:min(len(p.Errors), failureMaxPlaces)] {
		if i > 0 {
			text.WriteString("; ")
		}
		if e.Path != "" {
			text.WriteString(problem.Clip(e.Path) + ": ")
		}
		text.WriteString(problem.Clip(e.Message))
	}
	if more := len(p.Errors) - failureMaxPlaces; more > 0 {
		text.WriteString("; and " + strconv.Itoa(more) + " more")
	}
	return text.String()
}

// warn adds warnings, as many as an answer names.
func (a *applying) warn(more []problem.FieldError) {
	a.answer.Warnings = problem.ClipErrors(append(a.answer.Warnings, more...))
}

// answerApply tells the job how it came out.
func answerApply(a *Applied, x entity.Case) entity.Answer {
	return entity.Answer{Status: http.StatusOK, Version: x.At.Version, Body: marshalAnswer(a)}
}
