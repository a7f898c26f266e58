package operations

import (
	"bytes"
	"context"
	"net/http"

	"concord/actors/links"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// suggestMaxFields bounds the fields that one request may ask for.
const suggestMaxFields = 1000

// linkSuggest finds authorities for the fields of a document. Nothing is stored.
func (s *Service) linkSuggest(ctx context.Context, r *transport.Request, done reply) {
	view := s.Store.View()
	answer, err := suggestFor(ctx, view, r)
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	s.Host.SettledAll(func() { done(answer, err) })
}

func suggestFor(ctx context.Context, view persistence.Reader, r *transport.Request) (*transport.Reply, error) {
	e, err := openEnvelope(r.Body, "", "format", "type", "document", "by", "source")
	if err != nil {
		return nil, err
	}
	document, ok := e.members["document"]
	if !ok {
		return nil, problem.At("/document", "is missing: which document?")
	}
	format, err := e.format()
	if err != nil {
		return nil, err
	}
	typ, err := e.str("type", 128)
	if err == nil && typ != "" && !transport.ValidID(typ) {
		err = problem.At("/type", "a type id is letters, digits, \"_\" or \"-\"")
	}
	if err != nil {
		return nil, err
	}
	indexes, err := e.indexNamed(links.IndexByNaturalID, links.IndexByHeading)
	if err != nil {
		return nil, err
	}
	source, err := e.sourceNamed(view, r.Provider)
	if err != nil {
		return nil, err
	}
	linking, err := linkRules(view, r.Provider, typ)
	if err != nil {
		return nil, err
	}
	fields, p := links.Candidates(document.Text, format, linking)
	if p != nil {
		return nil, below("/document", p)
	}
	if len(fields) > suggestMaxFields {
		return nil, problem.New(problem.TooLarge, "the document has %d fields that could be linked: the limit is %d", len(fields), suggestMaxFields)
	}
	f := newFinder(r, source, linking, indexes...)
	if err := f.find(ctx, view, fields); err != nil {
		return nil, err
	}
	return f.answer(document.Text, format, fields)
}

// answer tells what was found, and has the document with what is beyond doubt linked.
func (f *finder) answer(document []byte, format links.Format, fields []links.Candidate) (*transport.Reply, error) {
	told := api.Suggestions{Items: make([]api.Suggestion, len(fields))}
	var choices []links.Choice
	for i := range fields {
		told.Items[i] = f.suggest(&fields[i])
		if told.Items[i].Status == statusFound {
			choices = append(choices, links.Choice{Path: fields[i].Path, Authority: told.Items[i].Authority})
		}
	}
	linked, p := links.LinkTo(document, format, choices)
	if p != nil {
		return nil, below("/document", p)
	}
	text, err := encode(told)
	if err != nil {
		return nil, err
	}
	// The document is the last member. An encoder would write it anew; it is shown as it came.
	text = append(bytes.TrimSuffix(text, []byte("null}")), linked...)
	return &transport.Reply{Status: http.StatusOK, Body: append(text, '}')}, nil
}

// format reads how a document is written.
func (e *envelope) format() (links.Format, error) {
	name, err := e.str("format", 16)
	switch f := links.Format(name); {
	case err != nil:
		return "", err
	case f == "":
		return links.MARC, nil
	case f == links.MARC || f == links.JSON:
		return f, nil
	}
	return "", problem.At(e.at("format"), `must be "json" or "marc"`)
}

// below is a problem with a part of the request, told of the request.
func below(path string, p *problem.Problem) *problem.Problem {
	told := *p
	told.Errors = nil
	for _, e := range p.Errors {
		told.Errors = append(told.Errors, problem.FieldError{Path: path + e.Path, Message: e.Message})
	}
	return &told
}
