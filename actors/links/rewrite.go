package links

import "slices"

// Effect is what becomes of a link. The zero value leaves it as it is.
type Effect struct {
	Unlink  bool     // $9 (authorityId) goes; text and URI stay, unless there is one below
	URI     *string  // $0 (uri) is this; it is added where it belongs if there was none, and goes if it is ""
	Heading *Heading // controlled subfields are those of the heading by the rule for it; label in JSON
}

// Rewrite is the document with the effects on its links, one for each; the other bytes are as they were. changed says which
// links are not as they were. What says the same already stays, also in its spelling: so a second time changes nothing (but
// where a URI goes, and the field has a $0 of somebody else, which is the first one then), and a document that does not change at all is the slice that was read.
//
// A new URI alone is set in place. With a new heading the field is written anew: controlled subfields in the order of the
// authority record, those that it lacks are gone; order in the field: controlled letters, other letters, $0, $9,
// controlled digits, other digits. Members and white space beside the subfields stay. If no rule is about field and heading,
// the heading is left out of account.
//
// In JSON uri and label are set in place, or added behind the authorityId.
func (d *Document) Rewrite(effects []Effect) (body []byte, changed []bool) {
	s := splice{body: d.body}
	changed = make([]bool, len(d.Links))
	for i := range min(len(effects), len(d.Links)) {
		before := len(s.edits)
		if d.format == MARC {
			s.field(&d.fields[i], &effects[i], d.rules)
		} else {
			s.object(&d.objects[i], &effects[i])
		}
		changed[i] = len(s.edits) > before
	}
	return s.bytes(), changed
}

// splice is a text with some of its bytes to be replaced. Edits do not overlap.
type splice struct {
	body  []byte
	edits []edit
	text  []byte // of all edits, one behind the other

	// of the field at hand
	pieces []piece
	taken  []bool
}

// edit puts a part of the splice's text in place of a part of its body.
type edit struct{ start, end, from, to int }

// replace makes what was appended to the text since from stand in place of the bytes from start to end.
func (s *splice) replace(start, end, from int) {
	s.edits = append(s.edits, edit{start, end, from, len(s.text)})
}

// drop takes a member of an object, or an element of an array, out with one comma: that before it, if anything before it
// stays, and else that behind it. before is the end of its neighbour to the left, after the beginning of that to the right.
func (s *splice) drop(before, start, end, after int, keptBefore bool) {
	if keptBefore {
		s.replace(before, end, len(s.text))
	} else {
		s.replace(start, after, len(s.text))
	}
}

// setText makes a JSON string stand in place of the bytes from start to end, unless they say the same.
func (s *splice) setText(start, end int, text string) {
	if s.body[start] == '"' && string(plain(s.body[start:end])) == text {
		return
	}
	from := len(s.text)
	s.text = appendText(s.text, text)
	s.replace(start, end, from)
}

func (s *splice) bytes() []byte {
	if len(s.edits) == 0 {
		return s.body
	}
	byPlace := func(a, b edit) int { return a.start - b.start }
	if !slices.IsSortedFunc(s.edits, byPlace) { // members stand in any order, and links within links
		slices.SortStableFunc(s.edits, byPlace)
	}
	size := len(s.body) + len(s.text)
	for _, e := range s.edits {
		size -= e.end - e.start
	}
	b, at := make([]byte, 0, size), 0
	for _, e := range s.edits {
		b = append(b, s.body[at:e.start]...)
		b = append(b, s.text[e.from:e.to]...)
		at = e.end
	}
	return append(b, s.body[at:]...)
}
