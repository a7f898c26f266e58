package links

import "github.com/go-json-experiment/json/jsontext"

// Members of a link in JSON.
const (
	memberAuthority = "authorityId"
	memberURI       = "uri"
	memberLabel     = "label"
)

// object is an object of a JSON document that is a link, or could be one, and where its members of interest stand.
type object struct {
	start          int // of the object: orders them
	id, uri, label place
}

// place is where a member of an object stands. There is none if its kind is KindInvalid.
type place struct {
	kind       jsontext.Kind // of its value
	index      int           // among the members
	before     int           // end of the member before it, or where it begins itself if it is the first
	start, end int           // of the whole member
	colon      int           // end of its name
	value      int           // where its value begins, if that is no array or object
	after      int           // where the next member begins, or where it ends itself if it is the last
}

func (p *place) there() bool { return p.kind != jsontext.KindInvalid }

func (p *place) is(kind jsontext.Kind) bool { return p.kind == kind }

// text is the text of the member; none if it is no text.
func (p *place) text(body []byte) string {
	if !p.is(jsontext.KindString) {
		return ""
	}
	return string(plain(body[p.value:p.end]))
}

// wanted is the member of interest with the name; nil if it is none.
func (o *object) wanted(name []byte) *place {
	switch string(name) {
	case memberAuthority:
		return &o.id
	case memberURI:
		return &o.uri
	case memberLabel:
		return &o.label
	}
	return nil
}

// objects reads a JSON text and shows each of its objects, inner ones before those that they stand in. While it is shown it
// is what the walk points to.
func (w *walk) objects(visit func(o *object)) {
	switch w.kind() {
	case jsontext.KindBeginArray:
		w.token()
		for w.more() {
			w.objects(visit)
		}
	case jsontext.KindBeginObject:
		w.token()
		w.object(visit)
	default:
		w.skip()
	}
}

func (w *walk) object(visit func(o *object)) {
	o := object{start: w.at() - 1}
	var last *place
	end := -1 // of the member before
	for index := 0; w.more(); index++ {
		name := w.raw()
		start := w.at() - len(name)
		if last != nil {
			last.after = start
		}
		if end < 0 {
			end = start
		}
		if last = o.wanted(plain(name)); last == nil {
			w.objects(visit)
			end = w.at()
			continue
		}
		*last = place{kind: w.kind(), index: index, before: end, start: start, colon: start + len(name)}
		switch last.kind {
		case jsontext.KindBeginArray, jsontext.KindBeginObject:
			w.objects(visit)
		default:
			raw := w.raw()
			last.value = w.at() - len(raw)
		}
		end = w.at()
		last.end, last.after = end, end
	}
	if w.failed == nil {
		visit(&o)
	}
}

// link is the link that the object is, as far as it is one: its URI and label are texts, or null, or not there.
func (o *object) link(w *walk, body []byte) Link {
	l := Link{Authority: o.id.text(body), Path: string(w.in.StackPointer()), URI: o.uri.text(body), HasURI: o.uri.is(jsontext.KindString)}
	if why := notAnID(l.Authority); why != "" {
		w.refuse(l.Path+"/"+memberAuthority, "%s", why)
	}
	o.uri.mustBeText(w, l.Path+"/"+memberURI)
	o.label.mustBeText(w, l.Path+"/"+memberLabel)
	return l
}

func (p *place) mustBeText(w *walk, path string) {
	if p.there() && !p.is(jsontext.KindString) && !p.is(jsontext.KindNull) {
		w.refuse(path, "must be a text or null beside the member authorityId")
	}
}
