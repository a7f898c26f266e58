package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"concord/actors/problem"
	"concord/transport"
)

// page is a Markdown text in the making.
type page struct{ strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(p, format+"\n", args...) }

// row is a line of a table. A bar inside a cell would end it.
func (p *page) row(cells ...string) {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	p.line("| %s |", strings.Join(cells, " | "))
}

func (p *page) header(cells ...string) {
	p.row(cells...)
	p.line("|%s", strings.Repeat("---|", len(cells)))
}

func code(text string) string { return "`" + text + "`" }

// Wire is the page docs/WIRE.md: what goes over the wire, for people.
func Wire(table []*transport.Operation, prefix string) []byte {
	p := &page{}
	p.line("# The wire\n\nGenerated from the operation table: do not edit. Both APIs offer the same operations; bodies are JSON.\n")
	p.line("Over NATS a request goes to the subject; its parameters are members of the body, unless the operation has a body of its own.")
	p.line("Over HTTP they stand in the query. `[...]` may be given several times.\n")
	p.operations(table, prefix)
	p.headers()
	p.problems()
	p.event(prefix)
	return []byte(p.String())
}

func (p *page) operations(table []*transport.Operation, prefix string) {
	p.line("## Operations\n")
	p.header("operation", "subject", "HTTP", "right", "parameters", "body", "answer", "what it does")
	s := newSchemas("")
	for _, op := range table {
		body, answer := "", ""
		if op.Body != nil {
			body = members(s.resolve(s.request(op.Body)))
		}
		for _, t := range op.Types {
			body = strings.TrimPrefix(body+", or "+t, ", or ")
		}
		if op.Answer != nil {
			answer = members(s.resolve(s.answer(op.Answer)))
		}
		if op.Stream != nil {
			answer += ", or " + TypeEventStream
		}
		p.row(code(op.Name), code(Subject(op, prefix)), code(op.Method+" "+op.Path), string(op.Right), parameterNames(op),
			body, answer, op.Doc)
	}
	p.line("")
}

// members are the names of an object's members; the ones that may be left out have a question mark.
func members(schema *huma.Schema) string {
	var names []string
	for name := range schema.Properties {
		if !slices.Contains(schema.Required, name) {
			name += "?"
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return code("{" + strings.Join(names, ", ") + "}")
}

func parameterNames(op *transport.Operation) string {
	var names []string
	if op.Inner != "" {
		names = append(names, code(op.Inner)+" (in the path)")
	}
	for _, param := range op.Params {
		name := code(param.Name)
		if param.Repeat {
			name = code(param.Name + "[...]")
		}
		names = append(names, name+": "+string(param.Type))
	}
	return strings.Join(names, ", ")
}

func (p *page) headers() {
	p.line("## Headers\n\nThe same names on both APIs.\n")
	p.header("header", "on", "what it says")
	p.row(code(transport.HeaderAuthorization), "all", "Bearer token (RFC 6750). A token in a URL is refused.")
	for _, h := range headers {
		p.row(code(h.name), h.on.name, h.doc)
	}
	p.line("\nAn answer over HTTP has `%s`, `ETag` where it shows a version, and `Retry-After` where a retry makes sense.",
		transport.HeaderRequestID)
	p.line("A `GET` with `If-None-Match` that names the shown version is answered 304. An error over NATS has `%s`\n(the status) and `%s` (the title).\n",
		transport.HeaderServiceCode, transport.HeaderServiceError)
}

func (p *page) problems() {
	p.line("## Problems\n\nA refusal is an RFC 9457 body (`%s`): %s, and the members of its kind.\n",
		transport.ProblemContentType, membersOf(transport.ProblemBody{}))
	p.header("code", "status", "title")
	codes := problem.Codes()
	slices.SortStableFunc(codes, func(a, b problem.Code) int { return a.Status() - b.Status() })
	for _, c := range codes {
		p.row(code(string(c)), fmt.Sprint(c.Status()), c.Title())
	}
	p.line("")
}

func membersOf(answer any) string {
	s := newSchemas("")
	return members(s.resolve(s.answer(answer)))
}

func (p *page) event(prefix string) {
	p.line("## Events\n\nAn event leaves on `%s.event.{kind}.{provider}.{entity}`: %s.", prefix, membersOf(transport.Event{}))
	p.line("`data` names what changed, never contents: %s. Drop repeats by entity and seq.\n", membersOf(transport.Changed{}))
	s := newSchemas("")
	properties := s.resolve(s.answer(transport.Event{})).Properties
	p.header("member", "type", "what it says")
	for _, name := range []string{"id", "type", "kind", "provider", "entity", "seq", "version", "time", "principal",
		"requestId", "fence", "data"} {
		kind := properties[name].Type
		if properties[name].Ref != "" {
			kind = huma.TypeObject
		}
		p.row(code(name), kind, properties[name].Description)
	}
}
