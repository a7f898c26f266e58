package links

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"concord/actors/problem"
)

// Choice links the candidate with the path to an authority.
type Choice struct {
	Path, Authority string
}

// LinkTo is the document with $9 (authorityId) added to the candidates that were chosen; $0 comes with the write. A path that
// is chosen twice, or that names no field that could take a $9, is an `invalid` problem; so is an authority's id that is none.
//
// $9 stands behind the last of letters and $0; authorityId before uri and label, or in place of a null.
func LinkTo(body []byte, f Format, choices []Choice) ([]byte, *problem.Problem) {
	open := make(map[string]string, len(choices))
	for i, c := range choices {
		if why := notAnID(c.Authority); why != "" {
			return nil, problem.At("/"+strconv.Itoa(i)+"/authority", "%s", why)
		}
		if _, twice := open[c.Path]; twice {
			return nil, problem.At(c.Path, "is chosen twice")
		}
		open[c.Path] = c.Authority
	}
	w := newWalk(body, "")
	defer w.done()
	s := splice{body: body}
	if f == MARC {
		w.marc(func(f *field) {
			if path := f.pointer(); open[path] != "" && s.link(f, open[path]) {
				delete(open, path)
			}
		})
	} else {
		w.objects(func(o *object) {
			if path := string(w.in.StackPointer()); open[path] != "" && s.linkObject(o, open[path]) {
				delete(open, path)
			}
		})
	}
	if p := w.end(); p != nil {
		return nil, p
	}
	for _, c := range choices {
		if _, still := open[c.Path]; still {
			return nil, problem.At(c.Path, "is no field that could be linked")
		}
	}
	return s.bytes(), nil
}

// link adds $9 to a field that has none.
func (s *splice) link(f *field, authority string) bool {
	if f.find(codeAuthority) >= 0 || len(f.subs) == 0 {
		return false
	}
	at := 0 // how many subfields stand before it
	for i := range f.subs {
		if c := f.subs[i].code; c == codeURI || !isDigit(c) {
			at = i + 1
		}
	}
	from := len(s.text)
	if at > 0 {
		s.text = append(s.text, s.between(f, at-1)...)
		s.subfield(codeAuthority, authority)
		s.replace(f.subs[at-1].end, f.subs[at-1].end, from)
		return true
	}
	s.subfield(codeAuthority, authority)
	s.text = append(s.text, s.between(f, 0)...)
	s.replace(f.subs[0].start, f.subs[0].start, from)
	return true
}

// linkObject adds authorityId to an object that has none.
func (s *splice) linkObject(o *object, authority string) bool {
	if !o.candidate() {
		return false
	}
	if o.id.is(jsontext.KindNull) {
		s.setText(o.id.value, o.id.end, authority)
		return true
	}
	first := &o.uri
	if o.label.start < o.uri.start {
		first = &o.label
	}
	from := len(s.text)
	s.text = appendText(s.text, memberAuthority)
	s.text = append(s.text, s.body[first.colon:first.value]...)
	s.text = appendText(s.text, authority)
	s.text = append(s.text, s.separator(first)...)
	s.replace(first.start, first.start, from)
	return true
}
