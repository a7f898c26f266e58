package collection

import (
	"net/http"
	"slices"

	"concord/actors/collection/collectionpb"
	"concord/actors/entity"
	"concord/actors/links"
	"concord/actors/links/linkspb"
	"concord/actors/lock"
)

// relink decides on a Relink: the lock first, as for any write.
func (b Behavior) relink(s State, c *Relink, f entity.Facts, m entity.Meta) (decision, error) {
	t, err := b.typeOf(s, c, f)
	if err != nil {
		return decision{}, err
	}
	ask := b.ask(s, m, t)
	admission, err := lock.Admit(s.Lock, lock.Write{Job: true}, ask)
	if err != nil {
		return decision{}, err
	}
	r := relinking{state: s, command: c,
		linking: linking{behavior: b, format: links.Format(s.Format), facts: f, rules: t, born: s.Born}}
	if err := r.run(); err != nil || len(r.wants) > 0 {
		return decision{Wants: r.wants}, err
	}
	if looked := r.answer.Looked; looked > 0 {
		r.answer.Last = c.Documents[looked-1]
	}
	d := decision{Told: told{relinked: &r.answer}}
	if len(r.parts) > 0 {
		e := &Saved{Parts: r.parts, After: s, Linked: r.linked()}
		e.note()
		d.Events = append(happened(s.Lock, admission.Due, ask), e)
	}
	return d, nil
}

// relinking is a Relink on its way.
type relinking struct {
	linking
	state   State
	command *Relink
	parts   []entity.Content
	bytes   int // of the parts
	answer  Relinked
	texts   []*collectionpb.FieldText
}

// seen is a document as it stands: what is kept of it is read once.
type seen struct {
	id    string
	fact  entity.Fact
	table links.Table
	due   bool // it has to be read: it has links in scope that are older
}

// run goes through the documents in their order, as far as one version can hold them.
func (r *relinking) run() error {
	c := r.command
	if !r.state.Live() || r.rules.Links.Off {
		r.answer.Looked = len(c.Documents)
		return nil
	}
	ready, err := r.ready()
	if err != nil || len(r.wants) > 0 {
		return err
	}
	for i := range ready {
		fits, err := r.document(&ready[i])
		if err != nil {
			return err
		}
		if !fits {
			break
		}
		r.answer.Looked++
	}
	return nil
}

// ready are the documents that one version can hold, by their sizes: the first of those that are named. It asks for what it
// lacks of them.
func (r *relinking) ready() (ready []seen, err error) {
	named := r.command.Documents[:min(len(r.command.Documents), r.behavior.Limits.VersionMaxParts)]
	for _, id := range named {
		if _, ok := r.facts.Part(id, false); !ok {
			r.wants = append(r.wants, entity.Want{Part: id})
		}
	}
	if len(r.wants) > 0 {
		return nil, r.facts.TooHeavy()
	}
	bytes := 0
	for _, id := range named {
		d := r.see(id)
		if d.due {
			if bytes += sizeOf(d.fact); bytes > r.behavior.Limits.VersionMaxBytes && len(ready) > 0 {
				break
			}
			if _, ok := r.facts.Part(id, true); !ok {
				r.wants = append(r.wants, entity.Want{Part: id, Body: true})
			}
		}
		ready = append(ready, d)
	}
	return ready, r.facts.TooHeavy()
}

// see looks at what is kept of a document.
func (r *relinking) see(id string) seen {
	d := seen{id: id}
	fact, _ := r.facts.Part(id, false)
	if !fact.Exists || fact.Version < r.state.Born {
		return d
	}
	d.fact, d.table, d.due = fact, tableOf(fact), r.command.Verify
	b := r.brought()
	for i := range d.table.Entries {
		d.due = d.due || b.Scope(&d.table.Entries[i], &d.table) == links.Older
	}
	return d
}

func (r *relinking) brought() links.Brought {
	return links.Brought{Source: r.command.Source, Authority: r.command.Authority}
}

// document brings one document up to date; false: it does not fit into the version any more.
func (r *relinking) document(d *seen) (fits bool, err error) {
	if !d.due {
		r.asItIs(&d.table)
		return true, nil
	}
	id, had := d.id, d.table
	stored, _ := r.facts.Part(id, true)
	doc, unreadable := links.Read(stored.Body, r.format, r.ruled(), pathOf(id))
	if unreadable != nil {
		r.fail(id, had, unreadable)
		return true, nil
	}
	done, missing := r.bring(doc, &had)
	if len(missing) > 0 {
		return true, nil // asked for
	}
	body, changed := doc.Rewrite(done.Effects)
	if !slices.Contains(changed, true) && !done.Begun {
		r.tally(doc, done, changed)
		return true, nil
	}
	if len(body) > r.behavior.Limits.DocumentMaxBytes {
		r.fail(id, had, tooLarge(pathOf(id), len(body), r.behavior.Limits.DocumentMaxBytes))
		return true, nil
	}
	if len(r.parts) > 0 && r.bytes+len(body) > r.behavior.Limits.VersionMaxBytes {
		return false, nil
	}
	p := entity.Content{ID: id}
	if err := become(&p, body); err != nil {
		return false, err
	}
	r.parts, r.bytes = append(r.parts, p), r.bytes+len(body)
	r.tally(doc, done, changed)
	r.answer.Documents++
	r.tell(r.note(id, done.Table), doc, done, changed)
	return true, nil
}

func (r *relinking) bring(doc *links.Document, had *links.Table) (links.Relinked, []string) {
	if r.command.Verify {
		return links.Verify(doc, had, r.brought(), r.ask, r.ruled())
	}
	return links.Relink(doc, had, r.brought(), r.ruled()), nil
}

// asItIs counts the links of a document that need not be read.
func (r *relinking) asItIs(t *links.Table) {
	b := r.brought()
	for i := range t.Entries {
		n := uint64(len(t.Entries[i].Fields))
		switch b.Scope(&t.Entries[i], t) {
		case links.Same:
			r.answer.Unchanged += n
		case links.Newer:
			r.answer.Superseded += n
		case links.Elsewhere, links.Older:
		}
	}
}

// tally counts the links of a document that was read.
func (r *relinking) tally(doc *links.Document, done links.Relinked, changed []bool) {
	for i := range doc.Links {
		switch done.Scopes[i] {
		case links.Same:
			r.answer.Unchanged++
		case links.Newer:
			r.answer.Superseded++
		case links.Older:
			if changed[i] || done.Begun {
				r.answer.Updated++
			} else {
				r.answer.Unchanged++
			}
		case links.Elsewhere:
		}
	}
}

// failuresMaxNamed bounds how many documents one answer names that have failed; all are counted.
const failuresMaxNamed = 1000

// fail leaves a document as it is.
func (r *relinking) fail(id string, t links.Table, cause error) {
	b, f := r.brought(), RelinkFailure{Document: id, Cause: cause.Error()}
	for i := range t.Entries {
		e := &t.Entries[i]
		if scope := b.Scope(e, &t); scope == links.Older || r.command.Verify && scope != links.Elsewhere {
			f.Links += uint64(len(e.Fields))
			f.Authority = e.Authority
		}
	}
	if r.answer.Failed += f.Links; len(r.answer.Failures) < failuresMaxNamed {
		r.answer.Failures = append(r.answer.Failures, f)
	}
}

// tell notes for other systems what has become of the links.
func (r *relinking) tell(m *collectionpb.LinkedDocument, doc *links.Document, done links.Relinked, changed []bool) {
	for i := range doc.Links {
		if !changed[i] {
			continue
		}
		l, e := &doc.Links[i], &done.Effects[i]
		m.Effects = append(m.Effects, &collectionpb.LinkEffect{Authority: l.Authority, Field: l.Field, Number: uint32(i),
			Uri: e.URI != nil, Text: e.Heading != nil, Unlinked: e.Unlink})
		if e.Heading != nil {
			r.text(l.Field, l.Authority, e.Heading)
		}
	}
}

// text notes what fields of a tag say with the heading of an authority, once.
func (r *relinking) text(field, authority string, h *links.Heading) {
	if slices.ContainsFunc(r.texts, func(t *collectionpb.FieldText) bool { return t.Field == field && t.Authority == authority }) {
		return
	}
	m := &collectionpb.FieldText{Field: field, Authority: authority}
	for _, s := range r.ruled().Texts(field, h) {
		m.Subfields = append(m.Subfields, &linkspb.Subfield{Code: s.Code, Value: s.Value})
	}
	r.texts = append(r.texts, m)
}

// linked is what the event says.
func (r *relinking) linked() *collectionpb.Linked {
	m := &collectionpb.Linked{Documents: r.documents, Job: r.command.Job, Relink: true, Texts: r.texts}
	if s := r.command.Source; s != nil {
		m.Source = s.Message()
	}
	if a := r.command.Authority; a != nil {
		short := *a
		short.Heading = links.Heading{Tag: a.Heading.Tag}
		m.Authority = short.Message()
	}
	return m
}

// answerRelink tells the job how it came out.
func answerRelink(r Relinked, x entity.Case) entity.Answer {
	r.Version, r.Changed = x.At.Version, x.Changed
	return entity.Answer{Status: http.StatusOK, Version: x.At.Version, Body: marshalAnswer(r)}
}
