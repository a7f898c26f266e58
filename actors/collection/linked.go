package collection

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"concord/actors/collection/collectionpb"
	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/links"
	"concord/actors/links/linkspb"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/internal/planted"
	"concord/persistence"
)

// linking brings the links of the documents in order that an event is about to write.
type linking struct {
	behavior  Behavior
	format    links.Format
	facts     entity.Facts
	rules     *rules.Type
	born      uint64 // version that begins the life of the collection that the event belongs to; 0: the event's own
	documents []*collectionpb.LinkedDocument
	wants     []entity.Want // what is lacking: nothing else that was found counts then
}

// written settles the links of documents that a user's write changes. It returns the parts that are left: a document that
// is, once its links are in order, what it was before is none of them.
func (l *linking) written(d *draft, parts []entity.Content) ([]entity.Content, error) {
	left := parts[:0:0]
	for i := range parts {
		p := parts[i]
		old := d.current(p.ID)
		keep, err := l.part(&p, old, func(w *links.Written, ask links.Ask) (links.Settled, error) {
			if base, ok := d.bases[p.ID]; ok && base.Body != nil {
				w.Base, _ = links.Read(base.Body, l.format, l.ruled(), "") // a base that cannot be read says nothing
			}
			settled, refused := w.Settle(ask, l.ruled(), l.rules.Links.Accept)
			if refused != nil {
				return settled, refused
			}
			return settled, nil
		})
		if err != nil {
			return nil, err
		}
		if keep {
			left = append(left, p)
		}
	}
	return left, nil
}

// restored brings the links of documents up to date that come back as they were. It returns the parts that are left: those
// that are, once that is done, as they are now are none of them.
func (l *linking) restored(now State, parts []entity.Content) ([]entity.Content, error) {
	left := parts[:0:0]
	for i := range parts {
		p := parts[i]
		old, _ := l.facts.Part(p.ID, false)
		if !now.Live() || old.Version < now.Born || !l.sameLife(old) {
			old = entity.Fact{}
		}
		keep, err := l.part(&p, old, func(w *links.Written, ask links.Ask) (links.Settled, error) {
			return w.Restore(ask, l.ruled(), l.rules.Links.Accept), nil
		})
		if err != nil {
			return nil, err
		}
		if keep {
			left = append(left, p)
		}
	}
	return left, nil
}

// sameLife says that the entries of a stored part in the index of links, if it has any, belong to the life of the event. The
// entries of a part are those of its table, each with the version that is kept beside it, whichever life it was written in:
// so an event of another life writes all of them anew.
func (l *linking) sameLife(f entity.Fact) bool { return sameLife(f, l.born) }

func sameLife(f entity.Fact, born uint64) bool {
	return entity.PeekMessage(f.Info, infoFieldLinks) == nil || infoOf(f).GetBorn() == born
}

func (l *linking) ruled() *links.Rules {
	if r := l.rules.Links.Rules; r != nil {
		return r
	}
	return links.DefaultRules
}

type settle = func(*links.Written, links.Ask) (links.Settled, error)

// part puts the links of one part in order. It says whether the part still differs from what it was.
func (l *linking) part(p *entity.Content, old entity.Fact, settle settle) (keep bool, err error) {
	if p.ID == MetadataPart {
		return true, nil
	}
	had := tableOf(old)
	may := !p.Removed && !l.rules.Links.Off && links.MayHaveLinks(p.Body, l.format)
	if !may {
		l.note(p.ID, links.Table{})
		return true, nil
	}
	path := pathOf(p.ID)
	doc, refused := links.Read(p.Body, l.format, l.ruled(), path)
	if refused != nil {
		return false, refused
	}
	w := links.Written{New: doc, Kept: had, Path: path}
	if len(had.Entries) > 0 && len(doc.Links) > 0 {
		stored, ok := l.facts.Part(p.ID, true)
		if !ok {
			l.wants = append(l.wants, entity.Want{Part: p.ID, Body: true})
			return true, l.facts.TooHeavy()
		}
		w.Old, _ = links.Read(stored.Body, l.format, l.ruled(), path)
	}
	settled, err := settle(&w, l.ask)
	if err != nil || len(settled.Missing) > 0 {
		return true, err
	}
	body, _ := doc.Rewrite(settled.Effects)
	if !slices.Equal(body, p.Body) {
		if err := become(p, body); err != nil {
			return false, err
		}
		if stored, ok := l.facts.Part(p.ID, true); ok && stored.Exists && old.Exists && hashOf(old) == p.Hash {
			if same, err := jsonvalue.EqualText(stored.Body, body); err == nil && same {
				return false, nil
			}
		}
	}
	l.note(p.ID, settled.Table)
	return true, nil
}

// ask reads an authority and its source from the facts, or asks for them.
func (l *linking) ask(authority string) (k links.Known, ok bool) {
	state, ok := l.of(persistence.KindAuthority, authority)
	if !ok {
		return k, false
	}
	var err error
	if k.Authority, err = links.DecodeAuthority(state); err != nil {
		return links.Known{}, true // one that cannot be read is as good as none
	}
	if !k.Authority.Live() || k.Authority.Source == "" {
		return k, true
	}
	if state, ok = l.of(persistence.KindSource, k.Authority.Source); !ok {
		return k, false
	}
	if k.Source, err = links.DecodeSource(state); err != nil {
		return links.Known{}, true
	}
	return k, true
}

func (l *linking) of(kind persistence.Kind, id string) ([]byte, bool) {
	want := persistence.EntityID{Kind: kind, ID: id}
	state, ok := l.facts.Of(want)
	if !ok {
		l.wants = append(l.wants, entity.Want{Of: &want})
	}
	return state, ok
}

// note keeps the links of a document for the event, if it has any, or had.
func (l *linking) note(id string, has links.Table) *collectionpb.LinkedDocument {
	stored, ok := l.facts.Part(id, false)
	if all, have := l.facts.All(); !ok && have {
		stored = all[id]
	}
	had := tableOf(stored)
	if len(has.Entries) == 0 && len(had.Entries) == 0 {
		return nil
	}
	changes := has.Changes(&had)
	if !l.sameLife(stored) {
		ended := slices.DeleteFunc(changes, func(c links.TableChange) bool { return c.Links > 0 })
		changes = append(has.Changes(nil), ended...)
	}
	m := &collectionpb.LinkedDocument{Id: id, Table: has.Message()}
	for _, c := range changes {
		m.Index = append(m.Index, &collectionpb.IndexChange{Index: uint32(c.Index), Term: c.Term, Links: c.Links, Revision: c.Revision})
	}
	l.documents = append(l.documents, m)
	return m
}

// linked is what the event says; nil if no document has links, or had.
func (l *linking) linked() *collectionpb.Linked {
	if len(l.documents) == 0 {
		return nil
	}
	return &collectionpb.Linked{Documents: l.documents}
}

// become gives a part another body.
func become(p *entity.Content, body []byte) error {
	hash, err := jsonvalue.Check(body)
	if err != nil {
		return problem.New(problem.Internal, "the links of %q cannot be written: %v", p.ID, err)
	}
	p.Body, p.Hash, p.Size, p.Value = body, uint64(hash), len(body), nil
	return nil
}

// infoFieldLinks is the number of PartInfo.links.
const infoFieldLinks = 6

// tableOf is the links of a stored document.
func tableOf(f entity.Fact) links.Table {
	if !f.Exists {
		return links.Table{}
	}
	return TableOf(f.Info)
}

// TableOf is the links of a document, from what is kept beside it (persistence.Part.Info). Of a document without links
// nothing is decoded.
func TableOf(info []byte) links.Table {
	raw := entity.PeekMessage(info, infoFieldLinks)
	if raw == nil {
		return links.Table{}
	}
	var m linkspb.Table
	if proto.Unmarshal(raw, &m) != nil {
		return links.Table{} // the store has checked the bytes
	}
	return links.TableOf(&m)
}

// indexChanges are the entries of the documents of an event.
func indexChanges(l *collectionpb.Linked, born uint64) []persistence.IndexChange {
	var changes []persistence.IndexChange
	for i, d := range l.GetDocuments() {
		for _, c := range d.GetIndex() {
			if planted.SkipLink && i%3 == 2 && links.Index(c.GetIndex()) == links.BySource {
				continue
			}
			changes = append(changes, entry(d.GetId(), links.TableChange{Index: links.Index(c.GetIndex()), Term: c.GetTerm(),
				Links: c.GetLinks(), Revision: c.GetRevision()}, born))
		}
	}
	return changes
}

func entry(document string, c links.TableChange, born uint64) persistence.IndexChange {
	if c.Links == 0 {
		return persistence.IndexChange{Name: c.Index.Name(), Term: c.Term, Part: document, Removed: true}
	}
	return persistence.IndexChange{Name: c.Index.Name(), Term: c.Term, Part: document,
		Value: links.IndexValue{Links: c.Links, Revision: c.Revision, Version: born}.Encode()}
}

// Index makes the entries of a document from what is kept of it.
func (Behavior) Index(part string, info []byte) ([]persistence.IndexChange, error) {
	var m collectionpb.PartInfo
	if err := proto.Unmarshal(info, &m); err != nil {
		return nil, fmt.Errorf("info of part %q: %w", part, err)
	}
	t := links.TableOf(m.GetLinks())
	var entries []persistence.IndexChange
	for _, c := range t.Changes(nil) {
		entries = append(entries, entry(part, c, m.GetBorn()))
	}
	return entries, nil
}
