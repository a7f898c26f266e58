package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A dumb model of linked fields: it decodes, compares, and replaces text. It shares nothing with the code that it judges.

// dumbRules are the 22 linking rules: subfields that follow, by "bib<-authority".
var dumbRules = map[string]string{
	"100<-100": "abcdjq", "110<-110": "abcdgn", "111<-111": "aceqdgn", "130<-130": "adfghklmnoprst",
	"240<-100": "fghklmnoprst", "240<-110": "dfghklmnoprst", "240<-111": "dfghklnpst",
	"600<-100": "abcdgjqfhklmnoprst", "610<-110": "abcdgfhklmnoprst", "611<-111": "acdefghklnpqst",
	"630<-130": "adfghklmnoprst", "650<-150": "abg", "651<-151": "ag", "655<-155": "a",
	"700<-100": "abcdjqfhklmnoprstg", "710<-110": "abcfhklmoprstdgn", "711<-111": "aceqfhklpstdgn", "730<-130": "adfghklmnoprst",
	"800<-100": "abcdjqfhklmnoprstg", "810<-110": "abcfhklmoprstdgn", "811<-111": "aceqfhklpstdgn", "830<-130": "adfghklmnoprst",
}

// dumbLinkable says that fields with the tag can be linked.
func dumbLinkable(tag string) bool {
	for rule := range dumbRules {
		if strings.HasPrefix(rule, tag+"<-") {
			return true
		}
	}
	return false
}

// dumbSub is a subfield.
type dumbSub struct{ code, text string }

// dumbField is a field of a MARC record.
type dumbField struct {
	raw   string // its bytes; empty: not known, only what it says
	shell string // of a data field: its bytes without what is between the brackets of the subfields
	tag   string
	subs  []dumbSub
}

// dumbMARC is a record cut up: fields, and the bytes between them.
type dumbMARC struct {
	between []string // one more than fields
	fields  []dumbField
}

// cutMARC cuts a record up.
func cutMARC(body []byte) (*dumbMARC, error) {
	var record struct {
		Fields []json.RawMessage `json:"fields"`
	}
	if err := json.Unmarshal(body, &record); err != nil {
		return nil, fmt.Errorf("a record %.80q: %w", body, err)
	}
	d, rest := &dumbMARC{}, string(body)
	_, after, found := strings.Cut(rest, `"fields"`)
	if !found {
		return nil, fmt.Errorf("a record without fields: %.80q", body)
	}
	begin := len(rest) - len(after)
	for _, raw := range record.Fields {
		i := begin + strings.Index(rest[begin:], string(raw))
		d.between = append(d.between, rest[:i])
		rest, begin = rest[i+len(raw):], 0
		f, err := cutField(string(raw))
		if err != nil {
			return nil, err
		}
		d.fields = append(d.fields, f)
	}
	d.between = append(d.between, rest)
	return d, nil
}

func cutField(raw string) (dumbField, error) {
	f := dumbField{raw: raw}
	var one map[string]json.RawMessage
	if err := json.Unmarshal([]byte(raw), &one); err != nil || len(one) != 1 {
		return f, fmt.Errorf("a field %q: %w", raw, err)
	}
	for tag, value := range one {
		f.tag = tag
		var data struct {
			Subfields json.RawMessage `json:"subfields"`
		}
		if value[0] != '{' {
			return f, nil // a control field
		}
		var subs []map[string]string
		if err := errors.Join(json.Unmarshal(value, &data), json.Unmarshal(data.Subfields, &subs)); err != nil {
			return f, fmt.Errorf("a field %q: %w", raw, err)
		}
		f.shell = strings.Replace(raw, string(data.Subfields), "[]", 1)
		for _, sub := range subs {
			for code, text := range sub {
				f.subs = append(f.subs, dumbSub{code, text})
			}
		}
	}
	return f, nil
}

// authority is the one that a field is linked to; "" if it is not.
func (f *dumbField) authority() string {
	if !dumbLinkable(f.tag) {
		return ""
	}
	return f.sub("9")
}

func (f *dumbField) sub(code string) string {
	for _, s := range f.subs {
		if s.code == code {
			return s.text
		}
	}
	return ""
}

// quoted is a text as a JSON string.
func quoted(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic(fmt.Sprintf("a text always encodes: %v", err))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// setURI puts another $0 in the place of the old one.
func (f *dumbField) setURI(uri string) {
	for i, s := range f.subs {
		if s.code == "0" {
			f.subs = slices.Clone(f.subs)
			f.subs[i].text = uri
			f.raw = strings.Replace(f.raw, quoted(s.text), quoted(uri), 1)
			return
		}
	}
	f.raw = "" // where a $0 that was not there comes to stand is for its own test
	i := slices.IndexFunc(f.subs, func(s dumbSub) bool { return s.code == "9" })
	f.subs = slices.Insert(slices.Clone(f.subs), i, dumbSub{"0", uri})
}

// setHeading gives the field the text of a heading.
func (f *dumbField) setHeading(h dumbHeading) {
	controlled, moved := dumbRules[f.tag+"<-"+h.tag], map[string]string{}
	if f.tag == "240" {
		moved["t"] = "a"
	}
	ours := map[string]bool{}
	for _, code := range controlled {
		ours[string(code)] = true
	}
	var subs []dumbSub
	for _, s := range h.subs {
		if !ours[s.code] {
			continue
		}
		if to, ok := moved[s.code]; ok {
			s.code = to
		}
		subs = append(subs, s)
	}
	for from, to := range moved {
		delete(ours, from)
		ours[to] = true
	}
	take := func(which func(code string) bool) {
		for _, s := range f.subs {
			if which(s.code) {
				subs = append(subs, s)
			}
		}
	}
	letter := func(code string) bool { return code >= "a" && code <= "z" }
	take(func(code string) bool { return letter(code) && !ours[code] })
	take(func(code string) bool { return code == "0" })
	take(func(code string) bool { return code == "9" })
	take(func(code string) bool { return !letter(code) && code != "0" && code != "9" })
	if !slices.Equal(subs, f.subs) {
		f.raw, f.subs = "", subs
	}
}

// unlink takes the $9 out.
func (f *dumbField) unlink() {
	f.raw = ""
	f.subs = slices.DeleteFunc(slices.Clone(f.subs), func(s dumbSub) bool { return s.code == "9" })
}

// same says what is wrong with a field that should be this one.
func (f *dumbField) same(got *dumbField) error {
	switch {
	case f.raw != "" && f.raw != got.raw:
		return fmt.Errorf("field %s, want %s", got.raw, f.raw)
	case f.raw == "" && (f.shell != got.shell || f.tag != got.tag || !slices.Equal(f.subs, got.subs)):
		return fmt.Errorf("field %s, want %s with %v", got.raw, f.shell, f.subs)
	}
	return nil
}

// links are the numbers of the fields that are linked.
func (d *dumbMARC) links() (all []int) {
	for i := range d.fields {
		if d.fields[i].authority() != "" {
			all = append(all, i)
		}
	}
	return all
}

func (d *dumbMARC) authorities() (all []string) {
	for _, i := range d.links() {
		all = append(all, d.fields[i].authority())
	}
	return all
}

func (d *dumbMARC) follow(authority string, e dumbEffect) {
	for _, i := range d.links() {
		f := &d.fields[i]
		if f.authority() != authority {
			continue
		}
		if e.unlink {
			f.unlink()
			continue
		}
		if e.heading != nil {
			f.setHeading(*e.heading)
		}
		if f.sub("0") != e.uri {
			f.setURI(e.uri)
		}
	}
}

func (d *dumbMARC) clone() dumbDocument {
	one := *d
	one.fields = slices.Clone(d.fields)
	return &one
}

func (d *dumbMARC) says() string {
	var all []string
	for _, f := range d.fields {
		all = append(all, f.tag, fmt.Sprintf("%q", f.subs))
	}
	return strings.Join(all, " ")
}

func (d *dumbMARC) same(body []byte) error {
	got, err := cutMARC(body)
	if err != nil {
		return err
	}
	if len(got.fields) != len(d.fields) || !slices.Equal(got.between, d.between) {
		return fmt.Errorf("%d fields, want %d; between them %q, want %q", len(got.fields), len(d.fields), got.between, d.between)
	}
	for i := range d.fields {
		if err := d.fields[i].same(&got.fields[i]); err != nil {
			return fmt.Errorf("the field %d: %w", i, err)
		}
	}
	return nil
}

// dumbHeading is a 1XX.
type dumbHeading struct {
	tag  string
	subs []dumbSub
}

func (h dumbHeading) kind() string {
	if slices.ContainsFunc(h.subs, func(s dumbSub) bool { return s.code == "t" }) {
		return h.tag + "t"
	}
	return h.tag
}

// label is what JSON documents show of it.
func (h dumbHeading) label() string {
	var all []string
	for _, s := range h.subs {
		if s.code >= "a" && s.code <= "z" && s.code != "w" {
			all = append(all, s.text)
		}
	}
	return strings.Join(all, " ")
}

// dumbEffect is what becomes of a link.
type dumbEffect struct {
	unlink  bool
	uri     string
	heading *dumbHeading
}

// dumbDocument is a document with links.
type dumbDocument interface {
	authorities() []string // of its links, in order
	follow(authority string, e dumbEffect)
	same(body []byte) error // nil: the body is what the document should be
	clone() dumbDocument
	hear(h heard) error // of one of its links
	says() string       // all that its links say
}

type dumbAuthority struct {
	source, naturalID string
	heading           dumbHeading
	deleted           bool
}

// dumbWorld is all that there is.
type dumbWorld struct {
	sources     map[string]string // base URLs
	authorities map[string]*dumbAuthority
	documents   map[string]map[string]dumbDocument // by collection and id
}

func (w *dumbWorld) uri(authority string) string {
	a := w.authorities[authority]
	return w.sources[a.source] + a.naturalID
}

// reached counts what a change reaches: links, and documents by collection.
type reached struct {
	links       int
	collections map[string]int
}

func (r reached) documents() (n uint64) {
	for _, documents := range r.collections {
		n += uint64(documents)
	}
	return n
}

// follow has every link to one of the authorities follow it.
func (w *dumbWorld) follow(which func(id string) bool, effect func(id string) dumbEffect) reached {
	r := reached{collections: map[string]int{}}
	for collection, documents := range w.documents {
		for _, d := range documents {
			touched := map[string]bool{}
			for _, id := range d.authorities() {
				if which(id) {
					r.links++
					touched[id] = true
				}
			}
			if len(touched) > 0 {
				r.collections[collection]++
			}
			for id := range maps.Keys(touched) {
				d.follow(id, effect(id))
			}
		}
	}
	return r
}

func (w *dumbWorld) setURL(source, url string) reached {
	w.sources[source] = url
	return w.follow(func(id string) bool { return w.authorities[id] != nil && w.authorities[id].source == source },
		func(id string) dumbEffect { return dumbEffect{uri: w.uri(id)} })
}

// change makes an authority another one.
func (w *dumbWorld) change(authority string, to dumbAuthority) reached {
	was := *w.authorities[authority]
	*w.authorities[authority] = to
	e := dumbEffect{uri: w.uri(authority), unlink: to.deleted || was.heading.kind() != to.heading.kind()}
	if !slices.Equal(was.heading.subs, to.heading.subs) {
		e.heading = &to.heading
	}
	return w.follow(func(id string) bool { return id == authority }, func(string) dumbEffect { return e })
}

// versions is how many versions a job makes of a collection of which it touches n documents.
func dumbVersions(n int) uint64 {
	const versionMaxDocuments = 10_000
	return uint64((n + versionMaxDocuments - 1) / versionMaxDocuments)
}
