package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"concord/actors/collection"
	"concord/actors/problem"
	"concord/transport"
)

// Wire is the page docs/WIRE.md: what goes over the wire, for people.
func Wire(table []*transport.Operation, aliases []*transport.Alias, prefix string) []byte {
	p := &page{schemas: newSchemas("#/")}
	p.line("# The wire\n\nGenerated from the operation table: do not edit.\n")
	p.line("NATS and HTTP offer the same operations; bodies are JSON. Over NATS a request goes to the subject, and its")
	p.line("parameters are members of its body; one with a body of its own takes `%s` instead. Over HTTP", transport.HeaderDryRun)
	p.line("parameters stand in the query; `name...` may be given several times.\n")
	p.operations(table, prefix)
	p.onlyHTTP()
	p.aliases(aliases)
	p.headers()
	p.problems()
	p.events(prefix)
	p.types()
	return []byte(p.text.String())
}

// page is a Markdown text in the making, and the types that it has named so far.
type page struct {
	text    strings.Builder
	schemas *schemas
}

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.text, format+"\n", args...) }

// row is a line of a table. A bar inside a cell would end it, and a less-than sign outside of code begin a tag.
func (p *page) row(cells ...string) {
	for i, c := range cells {
		c = strings.ReplaceAll(c, "|", `\|`)
		if !strings.HasPrefix(c, "`") {
			c = strings.ReplaceAll(c, "<", "&lt;")
		}
		cells[i] = c
	}
	p.line("| %s |", strings.Join(cells, " | "))
}

func (p *page) header(cells ...string) {
	p.row(cells...)
	p.line("|%s", strings.Repeat("---|", len(cells)))
}

func code(text string) string { return "`" + text + "`" }

func (p *page) operations(table []*transport.Operation, prefix string) {
	p.line("## Operations\n")
	p.header("operation", "subject", "HTTP", "right", "parameters", "body", "answer", "what it does")
	for _, op := range table {
		var bodies, answers []string
		if op.Body != nil {
			bodies = append(bodies, typeName(p.schemas.request(op.Body)))
		}
		bodies = append(bodies, op.Types...)
		if op.Answer != nil {
			answers = append(answers, typeName(p.schemas.answer(op.Answer)))
		}
		for _, o := range op.Also {
			answers = append(answers, fmt.Sprintf("%s (%d)", typeName(p.schemas.answer(o.Answer)), o.Status))
		}
		answers = append(answers, op.Files...)
		if op.Stream != nil {
			answers = append(answers, transport.MediaEventStream)
		}
		p.row(code(op.Name), code(Subject(op, prefix)), code(op.Method+" "+op.Path), string(op.Right), parameterNames(op),
			strings.Join(bodies, " or "), strings.Join(answers, " or "), op.Doc)
	}
	p.line("")
}

func parameterNames(op *transport.Operation) string {
	var names []string
	if op.Inner != "" {
		names = append(names, op.Inner+" (in the path)")
	}
	for _, param := range op.Params {
		name := param.Name
		if param.Repeat {
			name += "..."
		}
		names = append(names, name+": "+string(param.Type))
	}
	return strings.Join(names, ", ")
}

func (p *page) onlyHTTP() {
	p.line("### Over HTTP only\n")
	p.header("route", "what it does")
	for _, route := range [][2]string{
		{"GET /api/v1", "List the operations"},
		{"GET /openapi.json", "Describe them (OpenAPI 3.1)"},
		{"GET /asyncapi.json", "Describe them over NATS (AsyncAPI 3.0)"},
		{"GET /healthz", "200 if the service works, else 503"},
		{"GET /readyz", "200 if the service takes requests, else 503"},
		{"PUT /api/v1/providers/{provider}/uploads/{id}/content", "Send a whole upload as one stream of bytes, and close it"},
	} {
		p.row(code(route[0]), route[1])
	}
	p.line("")
}

// aliases are the routes in the words of other systems.
func (p *page) aliases(aliases []*transport.Alias) {
	if len(aliases) == 0 {
		return
	}
	p.line("### Over HTTP, for clients of other systems\n")
	p.header("route", "if", "system", "operation", "answer", "what it does")
	for _, a := range aliases {
		scope, answer := "", ""
		if a.Scopes != "" {
			scope = "scope " + a.Scopes + "..."
		}
		if a.Trigger != "" {
			scope = "header " + a.Trigger
		}
		if a.Answer != nil {
			answer = typeName(p.schemas.answer(a.Answer))
		}
		p.row(code(a.Method+" "+a.Path), scope, a.System, a.Name, answer, a.Doc)
	}
	p.line("")
}

func (p *page) headers() {
	p.line("## Headers\n\nThe same names on both APIs.\n")
	p.header("header", "on", "what it says")
	p.row(code(transport.HeaderAuthorization), "all", "Bearer token (RFC 6750). A token in a URL is refused.")
	for _, h := range headers {
		p.row(code(h.name), h.on.name, h.doc)
	}
	p.line("\nAn answer over HTTP has `%s`, `ETag` where it shows a version, `Location` where what it began can be seen,", transport.HeaderRequestID)
	p.line("`%s` if the change was made under a lock, and `Retry-After` where a retry makes sense.", transport.HeaderLockFence)
	p.line("A `GET` whose `If-None-Match` names the shown version is answered 304. An error over NATS has")
	p.line("`%s` (the status) and `%s` (the title).\n", transport.HeaderServiceCode, transport.HeaderServiceError)
}

func (p *page) problems() {
	p.line("## Problems\n\nA refusal is a %s (`%s`, RFC 9457) with the members of its kind.\n",
		typeName(p.schemas.problem()), transport.ProblemContentType)
	p.header("code", "status", "title")
	codes := problem.Codes()
	slices.SortStableFunc(codes, func(a, b problem.Code) int { return a.Status() - b.Status() })
	for _, c := range codes {
		p.row(code(string(c)), fmt.Sprint(c.Status()), c.Title())
	}
	p.line("")
}

func (p *page) events(prefix string) {
	p.line("## Events\n\nWhat has happened to an entity leaves on `%s.event.{kind}.{provider}.{entity}` as an %s.",
		prefix, typeName(p.schemas.answer(transport.Event{})))
	p.line("Drop repeats by entity and seq.\n")
	p.line("What became of links of documents to authorities leaves on `%s.links.{provider}.{source}` as %s, for who keeps a copy of the",
		prefix, typeName(p.schemas.answer(collection.LinkUpdates{})))
	p.line("documents: at most 100 links a message; the source is `%s` where there is none. The messages of a collection come in order of",
		collection.NoSource)
	p.line("version and part. Drop what is not above the newest of the collection that you have applied.\n")
}

// types are all types that were named above, and those that they are made of.
func (p *page) types() {
	p.line("## Types\n\nA member with a question mark may be left out.\n")
	named := p.schemas.named()
	for _, name := range slices.Sorted(maps.Keys(named)) {
		p.line("### %s\n", name)
		p.header("member", "type", "what it says")
		for _, member := range slices.Sorted(maps.Keys(named[name].Properties)) {
			property := named[name].Properties[member]
			if !slices.Contains(named[name].Required, member) {
				member += "?"
			}
			p.row(code(member), typeName(property), property.Description)
		}
		p.line("")
	}
}

// typeName says in few words what a value is; a type of its own is a link.
func typeName(s *huma.Schema) string {
	values, isMap := s.AdditionalProperties.(*huma.Schema)
	switch {
	case s.Ref != "":
		name := strings.TrimPrefix(s.Ref, "#/")
		return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
	case s.Type == "":
		return "any JSON"
	case len(s.Enum) > 0:
		return strings.NewReplacer(" ", ", ", "<nil>", "null").Replace(strings.Trim(fmt.Sprint(s.Enum), "[]"))
	case s.Type == huma.TypeArray:
		return "array of " + typeName(s.Items)
	case isMap:
		return "map to " + typeName(values)
	case s.ContentEncoding != "":
		return s.ContentEncoding
	case s.Format == "date-time":
		return s.Format
	default:
		return s.Type
	}
}
