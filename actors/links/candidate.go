package links

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"concord/actors/problem"
)

// Candidate is a field that could be linked: it names no authority, and a rule with auto is about its tag. In JSON it is an
// object whose authorityId is null, or one that has none but the texts uri and label.
//
// A field may show more than the heading that it is linked to: a person, and a title or a subdivision under the name. Key is
// then that of the name, and Whole that of all; who wants the most exact heading looks for Whole first.
type Candidate struct {
	Field     string   // tag; "" in JSON
	Path      string   // JSON Pointer within the document
	Key       string   // of the heading that it shows, as Heading.Key: its text alone, whatever the tag
	Whole     string   // key of all that it shows, if that is more than Key; "" if it is not
	NaturalID string   // what its $0 ends in; "" without
	Tags      []string // of authorities that it could be linked to, by the rules; none in JSON: any
	Text      string   // for people
}

// Candidates are the fields of a document that could be linked, in order. Of several $0 of a field the first counts.
//
// A field 240 shows the title of a work whose author stands in the 1XX of the record: its key is that of both.
func Candidates(body []byte, f Format, r *Rules) ([]Candidate, *problem.Problem) {
	w := newWalk(body, "")
	defer w.done()
	c := candidates{body: body, rules: r}
	if f == MARC {
		w.marc(c.addField)
	} else {
		w.objects(func(o *object) { c.addObject(w, o) })
		slices.SortFunc(c.found, func(a, b found) int { return a.start - b.start })
	}
	if p := w.end(); p != nil {
		return nil, p
	}
	list := make([]Candidate, 0, len(c.found))
	for i := range c.found {
		one := &c.found[i]
		if one.title {
			one.Key = c.underAuthor(one.Key)
		}
		if one.Key != "" || one.NaturalID != "" {
			list = append(list, one.Candidate)
		}
	}
	return list, nil
}

// candidates are what was found so far.
type candidates struct {
	body   []byte
	rules  *Rules
	found  []found
	author string // the name in the record's first 1XX
}

type found struct {
	Candidate
	start int
	title bool // its key needs the author
}

func (c *candidates) underAuthor(title string) string {
	if c.author == "" || title == "" {
		return ""
	}
	return KeyOf(c.author + " " + title)
}

func (c *candidates) addField(f *field) {
	if c.author == "" && isHeading(f.tag) {
		c.author = f.words(c.body, true)
	}
	tags, title := c.tags(f.tag)
	if len(tags) == 0 || f.find(codeAuthority) >= 0 {
		return
	}
	one := found{title: title}
	one.Field, one.Path, one.Tags = f.tag, f.pointer(), tags
	one.Text = f.words(c.body, false)
	one.Whole, one.Key = KeyOf(one.Text), KeyOf(f.words(c.body, true))
	if one.Whole == one.Key {
		one.Whole = ""
	}
	if i := f.find(codeURI); i >= 0 {
		one.NaturalID = naturalID(string(f.subs[i].text(c.body)))
	}
	c.found = append(c.found, one)
}

// tags are those of the authorities that a field could be linked to by itself; title says that they are titles under a name.
func (c *candidates) tags(bib string) (tags []string, title bool) {
	rules := c.rules.of(bib)
	for i := range rules {
		if rules[i].Auto {
			tags = append(tags, rules[i].Authority)
			title = title || rules[i].Move["t"] != ""
		}
	}
	return tags, title
}

func (c *candidates) addObject(w *walk, o *object) {
	if !o.candidate() {
		return
	}
	one := found{start: o.start}
	one.Path, one.Text = string(w.in.StackPointer()), o.label.text(c.body)
	one.Key, one.NaturalID = KeyOf(one.Text), naturalID(o.uri.text(c.body))
	c.found = append(c.found, one)
}

// candidate says that the object could be linked.
func (o *object) candidate() bool {
	return o.id.is(jsontext.KindNull) || !o.id.there() && o.uri.is(jsontext.KindString) && o.label.is(jsontext.KindString)
}

// naturalID is what a URI ends in: all behind the last /, =, # or parenthesis, since base URLs end in one of the first three,
// and others' identifiers begin with the code of an agency in parentheses.
func naturalID(uri string) string {
	return strings.TrimSpace(uri[strings.LastIndexAny(uri, "/=#)")+1:])
}

// words are the texts of the field that can be in a heading, joined by a space; of a field that names somebody, and with
// name, they are those of the name alone.
func (f *field) words(body []byte, name bool) string {
	codes := ""
	if name {
		codes = nameCodes(f.tag)
	}
	var b strings.Builder
	for i := range f.subs {
		s := &f.subs[i]
		if codes != "" && s.code == 't' {
			break // what follows is about the work, also a date
		}
		if codes != "" && !strings.ContainsRune(codes, s.code) || !inHeading(f.tag, s.code) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.Write(s.text(body))
	}
	return b.String()
}

// nameCodes are the subfields of a name in MARC, by what its tag ends in; "" if the field names nobody.
func nameCodes(tag string) string {
	if !strings.ContainsRune("1678", rune(tag[0])) {
		return ""
	}
	switch tag[1:] {
	case "00":
		return "abcdjq"
	case "10":
		return "abcdgn"
	case "11":
		return "acdegnq"
	}
	return ""
}

// inHeading says that subfields with the code are words of the heading that a bibliographic field with the tag shows: no
// relators (e, of meetings j), relations (i), addresses (u), numbers of records (w) and digits. Subdivisions (v, x, y, z) are
// part of a subject alone: elsewhere they are volumes and ISSNs.
func inHeading(tag string, code rune) bool {
	switch code {
	case 'e':
		return strings.HasSuffix(tag, "11")
	case 'j':
		return !strings.HasSuffix(tag, "11")
	case 'i', 'u':
		return false
	case 'v', 'x', 'y', 'z':
		return tag[0] == '6'
	}
	return isText(code)
}
