package links

import "github.com/go-json-experiment/json/jsontext"

// object makes the edits of a link in JSON.
func (s *splice) object(o *object, e *Effect) {
	var label *string
	if e.Heading != nil {
		label = &e.Heading.Label
	}
	drop := make([]*place, 0, 3)
	for _, m := range [...]struct {
		at     *place
		wanted *string
	}{{&o.uri, e.URI}, {&o.label, label}} {
		switch {
		case m.wanted == nil || !m.at.there():
		case *m.wanted != "":
			s.setText(m.at.value, m.at.end, *m.wanted)
		case m.at.is(jsontext.KindString): // null says already that there is none
			drop = insert(drop, m.at)
		}
	}
	if !s.add(o, e, label) && e.Unlink {
		drop = insert(drop, &o.id)
	}
	for dropped, p := range drop {
		s.drop(p.before, p.start, p.end, p.after, p.index > dropped)
	}
}

// add adds the members that are wanted and not there: behind the authorityId, or in its place if that goes. It says if that
// has taken the place.
func (s *splice) add(o *object, e *Effect, label *string) bool {
	from := len(s.text)
	start := o.id.end
	if e.Unlink {
		start = o.id.start
	}
	for _, m := range [...]struct {
		name   string
		at     *place
		wanted *string
	}{{memberURI, &o.uri, e.URI}, {memberLabel, &o.label, label}} {
		if m.wanted == nil || *m.wanted == "" || m.at.there() {
			continue
		}
		if !e.Unlink || len(s.text) > from {
			s.text = append(s.text, s.separator(&o.id)...)
		}
		s.text = appendText(s.text, m.name)
		s.text = append(s.text, s.body[o.id.colon:o.id.value]...)
		s.text = appendText(s.text, *m.wanted)
	}
	if len(s.text) == from {
		return false
	}
	s.replace(start, o.id.end, from)
	return true
}

// separator is the comma beside a member, with the white space that stands around it.
func (s *splice) separator(p *place) []byte {
	switch {
	case p.index > 0:
		return s.body[p.before:p.start]
	case p.after > p.end:
		return s.body[p.end:p.after]
	}
	return comma
}

var comma = []byte{','}

// insert keeps the list in the order of the document.
func insert(list []*place, p *place) []*place {
	list = append(list, p)
	for i := len(list) - 1; i > 0 && list[i].start < list[i-1].start; i-- {
		list[i], list[i-1] = list[i-1], list[i]
	}
	return list
}
