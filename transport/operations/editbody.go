package operations

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"concord/actors/editsession"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/transport"
	"concord/transport/sheet"
)

// columnMaxBytes bounds the name of a column, and a path of a key.
const columnMaxBytes = 1024

// editOrder is a session, or other records for one, as it was asked for.
type editOrder struct {
	name, typ, keep, reason string

	from           string // editsession.FromUpload, FromIDs or FromQuery
	upload, format string
	ids            []jsonvalue.RawMember
	query          []byte
	by, columns    []string
}

// editSources are the members that say which records; exactly one is needed.
var editSources = []string{editsession.FromUpload, editsession.FromIDs, editsession.FromQuery}

var (
	editMatchNames = append(slices.Clone(editSources), "format", "by", "columns")
	editOpenNames  = append(slices.Clone(editMatchNames), "name", "type", "keep", "reason")
)

// readEditOpen reads the request of a session as far as its body says.
func readEditOpen(r *transport.Request) (*editOrder, error) {
	e, err := openEnvelope(r.Body, "", editOpenNames...)
	if err != nil {
		return nil, err
	}
	o := &editOrder{}
	var f bulkFaults
	for _, read := range []func() error{
		func() (err error) { o.name, err = e.editName(); return err },
		func() (err error) { o.typ, err = e.bulkType(); return err },
		func() (err error) {
			o.keep, err = e.oneOf("keep", editsession.KeepAll, editsession.KeepPrevious)
			return err
		},
		func() (err error) { o.reason, err = e.str("reason", reasonMaxBytes); return err },
	} {
		if err := f.add(read()); err != nil {
			return nil, err
		}
	}
	if err := o.records(e, &f); err != nil {
		return nil, err
	}
	if o.typ == "" && !e.has("type") && (len(o.by) > 0 || o.from == editsession.FromQuery) {
		if err := f.add(problem.At("/type", "is missing: keys and queries are those of a type")); err != nil {
			return nil, err
		}
	}
	return o, f.err()
}

// readEditMatch reads which records take the place of others. The type is the session's.
func readEditMatch(r *transport.Request) (*editOrder, error) {
	e, err := openEnvelope(r.Body, "", editMatchNames...)
	if err != nil {
		return nil, err
	}
	o := &editOrder{}
	var f bulkFaults
	if err := o.records(e, &f); err != nil {
		return nil, err
	}
	return o, f.err()
}

// records reads which records are meant.
func (o *editOrder) records(e *envelope, f *bulkFaults) error {
	for _, name := range editSources {
		if !e.has(name) {
			continue
		}
		if o.from != "" {
			if err := f.add(problem.At("/"+name, "there is %s already: exactly one of %s", o.from, strings.Join(editSources, ", "))); err != nil {
				return err
			}
			continue
		}
		o.from = name
	}
	if o.from == "" {
		return f.add(problem.At("", "exactly one of %s says which records are meant", strings.Join(editSources, ", ")))
	}
	for _, read := range []func() error{
		func() (err error) { o.by, err = e.names("by", sheet.ColumnsMax); return err },
		func() (err error) { o.columns, err = e.names("columns", sheet.ColumnsMax); return err },
		func() (err error) { o.format, err = e.oneOf("format", sheet.CSV, sheet.Lines); return err },
		func() error { return o.source(e) },
		func() error { return o.together(e) },
	} {
		if err := f.add(read()); err != nil {
			return err
		}
	}
	return nil
}

// source reads what the records come from.
func (o *editOrder) source(e *envelope) (err error) {
	switch o.from {
	case editsession.FromUpload:
		if o.upload, err = e.str("upload", sourceTextMaxBytes); err == nil && !transport.ValidID(o.upload) {
			err = problem.At("/upload", "is no id of an upload")
		}
	case editsession.FromIDs:
		o.ids, err = e.someOf("ids")
	default:
		o.query, err = e.bulkQuery()
	}
	return err
}

// together refuses members that do not go together.
func (o *editOrder) together(e *envelope) error {
	width := max(len(o.by), 1)
	switch {
	case o.from != editsession.FromUpload && e.has("format"):
		return problem.At("/format", "is that of an upload")
	case o.from != editsession.FromUpload && e.has("columns"):
		return problem.At("/columns", "are those of an upload")
	case o.from == editsession.FromQuery && e.has("by"):
		return problem.At("/by", "says what identifiers are: a query has none")
	case o.from == editsession.FromIDs && width > 1:
		return problem.At("/by", "has %d paths, and an id is one value: upload a file with %d columns", width, width)
	case len(o.columns) > 0 && len(o.columns) != width:
		return problem.At("/columns", "must name %d, as many as there are in by", width)
	case o.from == editsession.FromUpload && len(o.columns) == 0 && width > 1:
		return problem.At("/columns", "is missing: the key has %d paths, each in a column of its own", width)
	}
	return nil
}

// editName is a name that somebody gives to a session, "" if none is given.
func (e *envelope) editName() (string, error) {
	name, err := e.str("name", editsession.NameMaxBytes)
	switch {
	case err != nil || !e.has("name"):
		return "", err
	case strings.TrimSpace(name) == "":
		return "", problem.At(e.at("name"), "is blank; left out, the session has none")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "", problem.At(e.at("name"), "has control characters")
	}
	return name, nil
}

// oneOf is a string member that is one of a few, "" if it is not there.
func (e *envelope) oneOf(name string, all ...string) (string, error) {
	text, err := e.str(name, sourceTextMaxBytes)
	if err == nil && e.has(name) && !slices.Contains(all, text) {
		err = problem.At(e.at(name), "must be one of %s", strings.Join(all, ", "))
	}
	return text, err
}

// names is a list of strings, none of which is empty or there twice; nil if it is not there.
func (e *envelope) names(name string, most int) ([]string, error) {
	if !e.has(name) {
		return nil, nil
	}
	names, err := e.texts(name)
	switch {
	case err != nil:
		return nil, err
	case len(names) == 0:
		return nil, problem.At(e.at(name), "is empty; left out, there is one column, the id")
	case len(names) > most:
		return nil, problem.At(e.at(name), "has %d elements: the limit is %d", len(names), most)
	}
	for i, text := range names {
		at := e.at(name) + indexPath(i)
		switch {
		case text == "":
			return nil, problem.At(at, "is empty")
		case len(text) > columnMaxBytes:
			return nil, problem.At(at, "%d bytes: the limit is %d", len(text), columnMaxBytes)
		case slices.Contains(names[:i], text):
			return nil, problem.At(at, "is there twice")
		}
	}
	return names, nil
}
