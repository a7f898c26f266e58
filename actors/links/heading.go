package links

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"concord/actors/problem"
)

// Bounds of a heading: it stands in each of its jobs, and what a field with it costs grows with it.
const (
	headingMaxSubfields = 100
	headingMaxBytes     = 8 << 10
)

// Subfield of a heading or a field: a code of one character, and its text.
type Subfield struct{ Code, Value string }

// Heading is what an authority is called: the 1XX of its record. Its subfields are all of the field but empty ones and 0, 6,
// 8 and 9, which say something about their own record.
type Heading struct {
	Tag       string // "100"; empty of a JSON record
	Subfields []Subfield
	Label     string // all of it, for people and for JSON: the values of subfields a to z but w joined by a space
}

func (h *Heading) has(code string) bool {
	return slices.ContainsFunc(h.Subfields, func(s Subfield) bool { return s.Code == code })
}

// Type tells kinds of headings apart: the tag, with a t behind it if there is a $t (a name, or a title under a name). A
// change of it unlinks. It is empty of a JSON record.
func (h *Heading) Type() string {
	if h.Tag != "" && h.has("t") {
		return h.Tag + "t"
	}
	return h.Tag
}

// Equal says that two headings give linked fields the same text.
func (h *Heading) Equal(o *Heading) bool {
	return h.Tag == o.Tag && h.Label == o.Label && slices.Equal(h.Subfields, o.Subfields)
}

// Key is the form under which an exact heading is found: KeyOf its label. It is empty if there is none. The tag is no part of
// it: names, meetings and topics of the same text have one key, and Candidate.Tags tells which of them a field may name.
func (h *Heading) Key() string { return KeyOf(h.Label) }

// KeyOf is the key of a heading with the text: white space collapsed, punctuation at the end cut, the case kept.
func KeyOf(text string) string {
	return strings.TrimRight(strings.Join(strings.Fields(text), " "), " .,;:/")
}

// Members of an authority record that is not MARC.
const memberHeading = "heading"

// HeadingOf reads the heading of an authority record: MARC-in-JSON with exactly one 1XX, or a JSON object with a text
// member "heading". An object with the member fields or leader is MARC. A refusal is an `invalid` problem whose paths begin
// with path.
func HeadingOf(record []byte, path string) (Heading, *problem.Problem) {
	w := newWalk(record, path)
	defer w.done()
	if !w.open(jsontext.KindBeginObject, "an object: MARC-in-JSON, or one with a heading") {
		return Heading{}, w.failed
	}
	var text []byte
	var kind jsontext.Kind
	isMARC := false
	for w.more() {
		name := string(plain(w.raw()))
		if name == memberFields || name == memberLeader {
			isMARC = true
			break
		}
		next := w.kind()
		if value := w.raw(); name == memberHeading {
			kind, text = next, value
		}
	}
	if isMARC {
		return headingOfMARC(record, path)
	}
	if p := w.end(); p != nil {
		return Heading{}, p
	}
	h := Heading{}
	if kind == jsontext.KindString {
		h.Label = string(plain(text))
	}
	switch {
	case kind == jsontext.KindInvalid:
		return Heading{}, problem.At(path+"/"+memberHeading, "is missing: what the authority is called, if its record is not MARC")
	case kind != jsontext.KindString:
		return Heading{}, problem.At(path+"/"+memberHeading, "must be a text")
	}
	return h.checked(path + "/" + memberHeading)
}

func headingOfMARC(record []byte, path string) (Heading, *problem.Problem) {
	w := newWalk(record, path)
	defer w.done()
	var h Heading
	place := ""
	w.marc(func(f *field) {
		switch {
		case !isHeading(f.tag):
		case h.Tag != "":
			w.refuse(f.pointer(), "is a second 1XX, after the %s: an authority has one heading", h.Tag)
		default:
			place = f.pointer()
			h.Tag = f.tag
			h.fill(f, record)
		}
	})
	switch p := w.end(); {
	case p != nil:
		return Heading{}, p
	case h.Tag == "":
		return Heading{}, problem.At(path+"/"+memberFields, "has no 1XX: the heading of the authority")
	}
	return h.checked(path + place)
}

// fill takes the subfields of the field.
func (h *Heading) fill(f *field, body []byte) {
	var label []string
	for i := range f.subs {
		s := Subfield{Code: string(f.subs[i].code), Value: string(f.subs[i].text(body))}
		if s.Value == "" || strings.Contains(ownCodes, s.Code) {
			continue
		}
		h.Subfields = append(h.Subfields, s)
		if isText(f.subs[i].code) {
			label = append(label, s.Value)
		}
	}
	h.Label = strings.Join(label, " ")
}

// isText says that a subfield with the code is words of a heading: w is control.
func isText(code rune) bool { return 'a' <= code && code <= 'z' && code != 'w' }

// checked is the heading, if it has a text and keeps the bounds.
func (h *Heading) checked(path string) (Heading, *problem.Problem) {
	size := 0
	for _, s := range h.Subfields {
		size += len(s.Value)
	}
	switch {
	case h.Key() == "":
		return Heading{}, problem.At(path, "has no text: it is what the authority is called")
	case len(h.Subfields) > headingMaxSubfields:
		return Heading{}, problem.At(path, "has %d subfields; the limit of a heading is %d", len(h.Subfields), headingMaxSubfields)
	case max(size, len(h.Label)) > headingMaxBytes:
		return Heading{}, problem.At(path, "is too long for a heading: the limit is %d bytes", headingMaxBytes)
	}
	return *h, nil
}
