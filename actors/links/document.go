package links

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"concord/actors/problem"
)

// Format says how a document is to be read.
type Format string

// The formats of documents.
const (
	JSON Format = "json"
	MARC Format = "marc"
)

// Document is a document whose links were found. It does not write to the bytes that it was read from, and keeps them.
type Document struct {
	Links []Link // in the order of the document

	body    []byte
	format  Format
	rules   *Rules
	fields  []field  // of MARC, one for each link
	objects []object // of JSON, one for each link
}

// Link is a field of a document that names an authority.
type Link struct {
	Authority string
	Field     string // tag of the MARC field; "" in JSON
	Path      string // JSON Pointer to it within the document: "/fields/7/700", or to the object that has the authorityId
	URI       string // $0, or the member uri; "" if there is none
	HasURI    bool
}

// Read finds the links of a document by the rules; a document without any costs one pass over its bytes. In a MARC document that is not
// MARC-in-JSON, or whose linkable field has two $9 or one that is no id, it is an `invalid` problem that names the place (paths
// begin with path). A $9 in a field that no rule is about is none of our business, and so is an authorityId that is no text.
//
// Of several $0 in a linked field the first is the link's; the others belong to whoever put them there, and stay. In JSON a
// link may stand within another: both are links.
func Read(body []byte, f Format, r *Rules, path string) (*Document, *problem.Problem) {
	d := &Document{body: body, format: f, rules: r}
	if !MayHaveLinks(body, f) {
		return d, nil
	}
	w := newWalk(body, path)
	defer w.done()
	if f == MARC {
		w.marc(func(f *field) {
			if len(r.of(f.tag)) > 0 {
				d.addField(w, f)
			}
		})
	} else {
		w.objects(func(o *object) {
			if o.id.is(jsontext.KindString) {
				d.addObject(w, o)
			}
		})
		d.inOrder()
	}
	if p := w.end(); p != nil {
		return nil, p
	}
	return d, nil
}

// MayHaveLinks is false only for a body that has no link: a quick look, for the many documents that have none.
func MayHaveLinks(body []byte, f Format) bool {
	if f == MARC {
		return bytes.Contains(body, []byte(`"9"`)) || bytes.Contains(body, []byte(`"\u0039"`))
	}
	return bytes.Contains(body, []byte(memberAuthority)) ||
		bytes.Contains(body, []byte(`\u00`)) // the name may be spelt with escapes
}

// addField adds a linkable field, if it has a $9.
func (d *Document) addField(w *walk, f *field) {
	i := f.find(codeAuthority)
	if i < 0 {
		return
	}
	l := Link{Authority: string(f.subs[i].text(d.body)), Field: f.tag, Path: f.pointer()}
	if why := notAnID(l.Authority); why != "" {
		w.refuse(f.place(i), "%s", why)
		return
	}
	for k := i + 1; k < len(f.subs); k++ {
		if f.subs[k].code == codeAuthority {
			w.refuse(f.place(k), "is a second subfield 9: a field names one authority")
			return
		}
	}
	if k := f.find(codeURI); k >= 0 {
		l.URI, l.HasURI = string(f.subs[k].text(d.body)), true
	}
	d.Links = append(d.Links, l)
	d.fields = append(d.fields, field{index: f.index, tag: f.tag, subs: slices.Clone(f.subs)})
}

func (d *Document) addObject(w *walk, o *object) {
	d.Links = append(d.Links, o.link(w, d.body))
	d.objects = append(d.objects, *o)
}

// inOrder puts links within links behind those that they stand in.
func (d *Document) inOrder() {
	if slices.IsSortedFunc(d.objects, byStart) {
		return
	}
	order := make([]int, len(d.objects))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return d.objects[a].start - d.objects[b].start })
	links, objects := make([]Link, len(order)), make([]object, len(order))
	for i, k := range order {
		links[i], objects[i] = d.Links[k], d.objects[k]
	}
	d.Links, d.objects = links, objects
}

func byStart(a, b object) int { return a.start - b.start }

// authorityMaxBytes bounds the id of an authority.
const authorityMaxBytes = 256

// notAnID says why a text cannot be the id of an authority; "" if it can.
func notAnID(id string) string {
	switch {
	case id == "":
		return "is empty: it names an authority"
	case len(id) > authorityMaxBytes:
		return "is too long for the id of an authority: at most 256 bytes"
	case id == "." || id == ".." || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl):
		return "is no id of an authority: . and .. are none, and control characters do not stand in one"
	}
	return ""
}

// controlled are the texts of link i that follow an authority with a heading of the tag, and whether there is a rule.
func (d *Document) controlled(i int, tag string) (texts []Subfield, ok bool) {
	if d.format != MARC {
		if l := &d.objects[i].label; l.is(jsontext.KindString) {
			texts = []Subfield{{Code: memberLabel, Value: l.text(d.body)}}
		}
		return texts, true
	}
	f := &d.fields[i]
	rule := d.rules.find(f.tag, tag)
	if rule == nil {
		return nil, false
	}
	for k := range f.subs {
		if s := &f.subs[k]; rule.follows(s.code) {
			texts = append(texts, Subfield{Code: string(s.code), Value: string(s.text(d.body))})
		}
	}
	return texts, true
}

// SameText says that link i of d and link j of o have the same controlled subfields, in the same order, by the rule for an
// authority of the tag ("" for JSON: the same label). Where no rule is about field and tag nothing is controlled.
func (d *Document) SameText(i int, o *Document, j int, tag string) bool {
	a, _ := d.controlled(i, tag)
	b, _ := o.controlled(j, tag)
	return slices.Equal(a, b)
}

// ShowsHeading says that the controlled subfields of link i are those of the heading, in its order, but for white space and
// punctuation at the end of each. It is false where no rule is about field and heading.
func (d *Document) ShowsHeading(i int, h *Heading) bool {
	texts, ok := d.controlled(i, h.Tag)
	if !ok {
		return false
	}
	wanted := d.rules.Texts(d.Links[i].Field, h)
	for len(wanted) > 0 && wanted[len(wanted)-1].Value == "" { // what the heading lacks
		wanted = wanted[:len(wanted)-1]
	}
	return slices.EqualFunc(texts, wanted, func(a, b Subfield) bool { return a.Code == b.Code && KeyOf(a.Value) == KeyOf(b.Value) })
}
