package links

// field makes the edits of a linked MARC field.
func (s *splice) field(f *field, e *Effect, r *Rules) {
	if e.Heading != nil {
		if rule := r.find(f.tag, e.Heading.Tag); rule != nil {
			s.rewrite(f, e, rule)
			return
		}
	}
	link, uri := f.find(codeAuthority), f.find(codeURI)
	dropped := -1
	switch {
	case e.URI == nil:
	case uri >= 0 && *e.URI != "":
		s.setText(f.subs[uri].from, f.subs[uri].to, *e.URI)
	case uri >= 0:
		dropped = uri
	case *e.URI != "" && e.Unlink: // $0 takes the place of $9
		from := len(s.text)
		s.subfield(codeURI, *e.URI)
		s.replace(f.subs[link].start, f.subs[link].end, from)
		return
	case *e.URI != "":
		from := len(s.text)
		s.subfield(codeURI, *e.URI)
		s.text = append(s.text, s.between(f, link)...)
		s.replace(f.subs[link].start, f.subs[link].start, from)
	}
	if dropped < 0 && !e.Unlink {
		return
	}
	gone := 0
	for i := range f.subs {
		if i == dropped || e.Unlink && i == link {
			s.dropSubfield(f, i, i > gone)
			gone++
		}
	}
}

func (s *splice) dropSubfield(f *field, i int, keptBefore bool) {
	sub := &f.subs[i]
	before, after := sub.start, sub.end
	if i > 0 {
		before = f.subs[i-1].end
	}
	if i+1 < len(f.subs) {
		after = f.subs[i+1].start
	}
	s.drop(before, sub.start, sub.end, after, keptBefore)
}

// between is the comma beside subfield i, with the white space that stands around it.
func (s *splice) between(f *field, i int) []byte {
	switch {
	case i > 0:
		return s.body[f.subs[i-1].end:f.subs[i].start]
	case len(f.subs) > 1:
		return s.body[f.subs[0].end:f.subs[1].start]
	}
	return comma
}

// subfield appends a new subfield to the text.
func (s *splice) subfield(code rune, text string) {
	s.text = append(s.text, '{')
	s.text = appendText(s.text, string(code))
	s.text = append(s.text, ':')
	s.text = appendText(s.text, text)
	s.text = append(s.text, '}')
}

// piece is a subfield of a field that is written anew.
type piece struct {
	old  int     // index of the subfield that it was; -1: it is new
	code rune    // if it is new
	text *string // nil: as it was
}

// rewrite makes the edits of a field that gets a heading. Only where its subfields come in another order, or are others, is
// the list of them written anew; else their texts are set in place.
func (s *splice) rewrite(f *field, e *Effect, rule *compiled) {
	s.arrange(f, e, rule)
	if s.inPlace(f) {
		for i, p := range s.pieces {
			if p.text != nil {
				s.setText(f.subs[i].from, f.subs[i].to, *p.text)
			}
		}
		return
	}
	from := len(s.text)
	for i, p := range s.pieces {
		if i > 0 {
			s.text = append(s.text, s.between(f, 0)...)
		}
		switch {
		case p.old < 0:
			s.subfield(p.code, *p.text)
		case p.text == nil || string(f.subs[p.old].text(s.body)) == *p.text:
			s.text = append(s.text, s.body[f.subs[p.old].start:f.subs[p.old].end]...)
		default:
			old := &f.subs[p.old]
			s.text = append(s.text, s.body[old.start:old.from]...)
			s.text = appendText(s.text, *p.text)
			s.text = append(s.text, s.body[old.to:old.end]...)
		}
	}
	s.replace(f.subs[0].start, f.subs[len(f.subs)-1].end, from)
}

// inPlace says that the pieces are the subfields of the field in their order.
func (s *splice) inPlace(f *field) bool {
	if len(s.pieces) != len(f.subs) {
		return false
	}
	for i, p := range s.pieces {
		if p.old != i {
			return false
		}
	}
	return true
}

// arrange makes the pieces of a field in their order: controlled letters, other letters, $0, $9, controlled digits, other
// digits. What is neither letter nor digit is among the letters.
func (s *splice) arrange(f *field, e *Effect, rule *compiled) {
	s.pieces, s.taken = s.pieces[:0], append(s.taken[:0], make([]bool, len(f.subs))...)
	s.controlled(f, e.Heading, rule, false)
	s.others(f, rule, false)
	s.uris(f, e.URI)
	if i := f.find(codeAuthority); !e.Unlink {
		s.pieces = append(s.pieces, piece{old: i})
	}
	s.controlled(f, e.Heading, rule, true)
	s.others(f, rule, true)
}

// controlled adds the subfields of the heading that the rule controls, each in place of one with its code if there is one
// left: so the bytes around a text stay.
func (s *splice) controlled(f *field, h *Heading, rule *compiled, digits bool) {
	for k := range h.Subfields {
		code := rule.moved(h.Subfields[k].Code)
		if code == 0 || isDigit(code) != digits {
			continue
		}
		p := piece{old: -1, code: code, text: &h.Subfields[k].Value}
		for i := range f.subs {
			if f.subs[i].code == code && !s.taken[i] {
				p.old, s.taken[i] = i, true
				break
			}
		}
		s.pieces = append(s.pieces, p)
	}
}

// others adds the subfields that no heading controls.
func (s *splice) others(f *field, rule *compiled, digits bool) {
	for i := range f.subs {
		code := f.subs[i].code
		if code != codeURI && code != codeAuthority && !rule.follows(code) && isDigit(code) == digits {
			s.pieces = append(s.pieces, piece{old: i})
		}
	}
}

// uris adds $0: the link's first, then those of others.
func (s *splice) uris(f *field, uri *string) {
	ours := f.find(codeURI)
	switch {
	case ours >= 0 && (uri == nil || *uri != ""):
		s.pieces = append(s.pieces, piece{old: ours, text: uri})
	case ours < 0 && uri != nil && *uri != "":
		s.pieces = append(s.pieces, piece{old: -1, code: codeURI, text: uri})
	}
	for i := range f.subs {
		if f.subs[i].code == codeURI && i != ours {
			s.pieces = append(s.pieces, piece{old: i})
		}
	}
}
