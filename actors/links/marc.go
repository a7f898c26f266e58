package links

import (
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// The members of MARC-in-JSON:
//
//	{"leader": "...", "fields": [
//	  {"001": "..."},
//	  {"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": "..."}, {"b": "..."}]}}]}
const (
	memberLeader    = "leader"
	memberFields    = "fields"
	memberSubfields = "subfields"
)

// Codes of the subfields that make a link.
const (
	codeURI       = '0'
	codeAuthority = '9'
)

// field is a data field of a MARC record, and where its subfields stand.
type field struct {
	index int // in the array of fields
	tag   string
	subs  []subfield
}

// subfield is where one subfield stands: an object with one member.
type subfield struct {
	code       rune
	start, end int // of the object
	from, to   int // of its text, quotes included
}

// text is the subfield's text.
func (s *subfield) text(body []byte) []byte { return plain(body[s.from:s.to]) }

// find is the first subfield with the code; -1 if there is none.
func (f *field) find(code rune) int {
	for i := range f.subs {
		if f.subs[i].code == code {
			return i
		}
	}
	return -1
}

// pointer is the place of the field in its record.
func (f *field) pointer() string {
	return "/" + memberFields + "/" + strconv.Itoa(f.index) + "/" + escape(f.tag)
}

// place is the place of one of its subfields.
func (f *field) place(i int) string {
	return f.pointer() + "/" + memberSubfields + "/" + strconv.Itoa(i) + "/" + escape(string(f.subs[i].code))
}

// marc reads a MARC-in-JSON record and shows its data fields in their order; a field holds only during the visit. A record
// has fields, and its leader is a text if there is one; a field has one member, whose name is a tag of three characters; a
// control field (00X) is a text; a data field is an object with an array of subfields, each an object with one member, whose
// name is a code of one character, and its text. What else there is (indicators too) is not looked at.
func (w *walk) marc(visit func(f *field)) {
	if !w.open(jsontext.KindBeginObject, "an object with leader and fields: a record in MARC-in-JSON") {
		return
	}
	found := false
	for w.more() {
		switch name := plain(w.raw()); string(name) {
		case memberLeader:
			w.textual()
		case memberFields:
			found = true
			w.fields(visit)
		default:
			w.skip()
		}
	}
	if !found {
		w.fail("has no fields: a record in MARC-in-JSON has them")
	}
}

func (w *walk) fields(visit func(f *field)) {
	if !w.open(jsontext.KindBeginArray, "an array of fields") {
		return
	}
	f := field{}
	for ; w.more(); f.index++ {
		if !w.open(jsontext.KindBeginObject, "an object with one member: the tag and what it holds") {
			return
		}
		members := 0
		for ; w.more(); members++ {
			f.tag = tagOf(plain(w.raw()))
			switch {
			case members > 0:
				w.fail("is a second member: a field has one tag")
			case utf8.RuneCountInString(f.tag) != 3:
				w.fail("a tag has three characters")
			case isControl(f.tag):
				w.textual()
			default:
				w.data(&f)
				if w.failed == nil {
					visit(&f)
				}
			}
		}
		if members == 0 {
			w.fail("has no tag")
		}
	}
}

// tags are those that need no text of their own.
var tags = func() (list [1000]string) {
	for i := range list {
		list[i] = string([]byte{'0' + byte(i/100), '0' + byte(i/10%10), '0' + byte(i%10)})
	}
	return list
}()

func tagOf(name []byte) string {
	if len(name) != 3 {
		return string(name)
	}
	n := 0
	for _, c := range name {
		if c < '0' || c > '9' {
			return string(name)
		}
		n = n*10 + int(c-'0')
	}
	return tags[n]
}

// data reads the subfields of a data field.
func (w *walk) data(f *field) {
	if !w.open(jsontext.KindBeginObject, "an object with subfields") {
		return
	}
	w.subs = w.subs[:0]
	found := false
	for w.more() {
		if name := plain(w.raw()); string(name) != memberSubfields {
			w.skip()
			continue
		}
		found = true
		if w.open(jsontext.KindBeginArray, "an array of subfields") {
			for w.more() {
				w.subfield()
			}
		}
	}
	if !found {
		w.fail("has no subfields")
	}
	f.subs = w.subs
}

func (w *walk) subfield() {
	if !w.open(jsontext.KindBeginObject, "an object with one member: the code and its text") {
		return
	}
	s := subfield{start: w.at() - 1}
	members := 0
	for ; w.more(); members++ {
		name := plain(w.raw())
		code, size := utf8.DecodeRune(name)
		switch {
		case members > 0:
			w.fail("is a second member: a subfield has one code")
		case size == 0 || size != len(name):
			w.fail("a code has one character")
		default:
			s.code = code
			s.from, s.to = w.textual()
		}
	}
	if members == 0 {
		w.fail("has no code")
	}
	s.end = w.at()
	w.subs = append(w.subs, s)
}

// textual reads a text, and says where it stands.
func (w *walk) textual() (from, to int) {
	raw := w.raw()
	to = w.at()
	if len(raw) > 0 && raw[0] != '"' {
		w.fail("must be a text")
	}
	return to - len(raw), to
}
