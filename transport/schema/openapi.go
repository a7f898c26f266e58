package schema

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"concord/actors/problem"
	"concord/transport"
)

// openAPIVersion is the version of the specification that the document follows: its schemas are JSON Schema 2020-12.
const openAPIVersion = "3.1.0"

const (
	title       = "Concord"
	description = "Collections of records that many change at once"
	bearer      = "bearer"
)

// OpenAPI is the OpenAPI 3.1 document of the table, and of the aliases for clients of other systems.
func OpenAPI(table []*transport.Operation, aliases []*transport.Alias, version string) []byte {
	d := &openAPI{schemas: newSchemas("#/components/schemas/"), paths: map[string]*huma.PathItem{}}
	for _, op := range table {
		d.add(op)
	}
	table = slices.Clone(table)
	for _, a := range aliases {
		if !a.Shares() {
			table = append(table, d.addAlias(a))
		} else {
			d.share(a)
		}
	}
	d.schemas.answer(transport.Event{}) // what a stream sends
	doc := &huma.OpenAPI{
		OpenAPI: openAPIVersion, JSONSchemaDialect: dialect,
		Info:     &huma.Info{Title: title, Description: description, Version: version},
		Paths:    d.paths,
		Tags:     tags(table),
		Security: []map[string][]string{{bearer: {}}, {}},
		Components: &huma.Components{
			Responses: d.refusals(), Headers: answerHeaders(),
			SecuritySchemes: map[string]*huma.SecurityScheme{bearer: {Type: "http", Scheme: bearer,
				Description: "A token of the file of principals (RFC 6750); none with --auth off"}},
		},
	}
	// huma writes its own kind of registry; ours is two of them.
	doc.Components.Extensions = map[string]any{"schemas": d.schemas.named()}
	return marshal(doc)
}

// openAPI is the document in the making.
type openAPI struct {
	schemas *schemas
	paths   map[string]*huma.PathItem
}

// addAlias describes an alias with a route of its own, as an operation of the other system.
func (d *openAPI) addAlias(a *transport.Alias) *transport.Operation {
	op := *a.Operation
	op.Name = a.ID()
	shown := d.add(&op)
	for _, name := range slices.Sorted(maps.Keys(a.Headers)) {
		shown.Parameters = append(shown.Parameters, &huma.Param{Name: name, In: "header", Schema: text(), Description: "The same as " + a.Headers[name]})
	}
	if a.Refusals != nil {
		d.refuses(shown, a.Refusals)
	}
	if a.Open {
		shown.Security, shown.Description = []map[string][]string{{}}, "Needs no credentials."
	}
	return &op
}

// refuses puts the refusals of another system in the place of ours.
func (d *openAPI) refuses(shown *huma.Operation, r *transport.Refusals) {
	for status := range shown.Responses {
		if status >= "400" {
			delete(shown.Responses, status)
		}
	}
	for _, status := range r.Statuses {
		shown.Responses[strconv.Itoa(status)] = &huma.Response{Description: "Refused, in the form of that system",
			Content: map[string]*huma.MediaType{transport.MediaJSON: {Schema: d.schemas.answer(r.Body)}},
			Headers: map[string]*huma.Param{transport.HeaderRequestID: headerRef(transport.HeaderRequestID)}}
	}
}

// share adds to the description of an operation what an alias on its route takes and answers beside.
func (d *openAPI) share(a *transport.Alias) {
	shown := *d.place(a.Operation)
	if a.Trigger != "" {
		d.triggered(a, shown)
		return
	}
	for _, p := range a.Params {
		if !slices.ContainsFunc(shown.Parameters, func(q *huma.Param) bool { return q.In == "query" && q.Name == p.Name }) {
			shown.Parameters = append(shown.Parameters, &huma.Param{Name: p.Name, In: "query", Schema: paramSchema(p),
				Description: fmt.Sprintf("Of a scope %s... alone. %s", a.Scopes, p.Doc)})
		}
	}
	all := append([]transport.Outcome{{Status: a.Status, Answer: a.Answer}}, a.Also...)
	for _, o := range all {
		o.Doc = fmt.Sprintf("Of a scope %s..., in the words of that system", a.Scopes)
		d.outcome(shown.Responses, o)
	}
}

// triggered adds what a header asks for: body and answer may be the other system's. Its objects are open, whichever way
// they go.
func (d *openAPI) triggered(a *transport.Alias, shown *huma.Operation) {
	shown.Parameters = append(shown.Parameters, &huma.Param{Name: a.Trigger, In: "header", Schema: text(),
		Description: fmt.Sprintf("For clients of another system (%s): body and answer are theirs. %s", a.System, a.Doc)})
	if a.Body != nil {
		usual := shown.RequestBody.Content[transport.MediaJSON]
		usual.Schema = &huma.Schema{AnyOf: []*huma.Schema{usual.Schema, d.schemas.answer(a.Body)}}
	}
	statuses := []int{a.Status}
	if a.Writes {
		statuses = append(statuses, http.StatusCreated)
	}
	for _, status := range statuses {
		d.outcome(shown.Responses, transport.Outcome{Status: status, Answer: a.Answer,
			Doc: fmt.Sprintf("With %s, in the words of that system", a.Trigger)})
	}
}

// add describes an operation.
func (d *openAPI) add(op *transport.Operation) *huma.Operation {
	if d.paths[op.Path] == nil {
		d.paths[op.Path] = &huma.PathItem{}
	}
	place := d.place(op)
	if place == nil || *place != nil {
		panic(fmt.Sprintf("schema: %s: no place for %s %s", op.Name, op.Method, op.Path))
	}
	*place = &huma.Operation{
		OperationID: op.Name, Summary: op.Doc, Tags: []string{noun(op)},
		Description: fmt.Sprintf("Needs the right %q.", op.Right),
		Parameters:  parameters(op),
		RequestBody: d.body(op),
		Responses:   d.responses(op),
	}
	return *place
}

// place is where the description of an operation stands; nil: OpenAPI has no such method.
func (d *openAPI) place(op *transport.Operation) **huma.Operation {
	item := d.paths[op.Path]
	return map[string]**huma.Operation{http.MethodGet: &item.Get, http.MethodPut: &item.Put, http.MethodPost: &item.Post,
		http.MethodPatch: &item.Patch, http.MethodDelete: &item.Delete}[op.Method]
}

func tags(table []*transport.Operation) []*huma.Tag {
	names := map[string]bool{}
	for _, op := range table {
		names[noun(op)] = true
	}
	var list []*huma.Tag
	for _, name := range slices.Sorted(maps.Keys(names)) {
		list = append(list, &huma.Tag{Name: name})
	}
	return list
}

// parameters are the ids of the path, the query and the headers.
func parameters(op *transport.Operation) []*huma.Param {
	var list []*huma.Param
	inPath := func(name, doc string, schema *huma.Schema) {
		list = append(list, &huma.Param{Name: name, In: "path", Required: true, Description: doc, Schema: schema})
	}
	scoped := strings.Contains(op.Path, "{scope}")
	if scoped {
		inPath("scope", "What the lock is on: collection:<provider>:<id>, or collection:<id> of the default provider", scopeSchema())
	}
	if strings.Contains(op.Path, "{provider}") {
		inPath("provider", "Tenant", idSchema())
	}
	if op.HasID && !scoped {
		inPath("id", "Id of the entity", idSchema())
	}
	if op.Inner != "" {
		inPath(op.Inner, "Percent-encoded id of the "+op.Inner, innerSchema())
	}
	for _, p := range op.Params {
		list = append(list, &huma.Param{Name: p.Name, In: "query", Description: p.Doc, Schema: paramSchema(p)})
	}
	for _, h := range headersOf(op) {
		list = append(list, &huma.Param{Name: h.name, In: "header", Description: h.doc, Schema: h.schema})
	}
	return list
}

func (d *openAPI) body(op *transport.Operation) *huma.RequestBody {
	content := map[string]*huma.MediaType{}
	needed := op.Body == nil && len(op.Types) > 0
	if op.Body != nil {
		schema := d.schemas.request(op.Body)
		content[transport.MediaJSON] = mediaType(schema, op.Name, transport.MediaJSON)
		needed = len(d.schemas.resolve(schema).Required) > 0
	}
	for _, t := range op.Types {
		content[t] = mediaType(patchSchema(t), op.Name, t)
	}
	if len(content) == 0 {
		return nil
	}
	return &huma.RequestBody{Required: needed, Content: content}
}

// mediaType is a body's schema with its example, if there is one.
func mediaType(schema *huma.Schema, operation, name string) *huma.MediaType {
	m := &huma.MediaType{Schema: schema}
	if example, ok := Example(operation, name); ok {
		m.Example = example
	}
	return m
}

func (d *openAPI) responses(op *transport.Operation) map[string]*huma.Response {
	all := map[string]*huma.Response{}
	for _, code := range codesOf(op) {
		all[strconv.Itoa(code.Status())] = &huma.Response{Ref: "#/components/responses/" + refusalName(code.Status())}
	}
	success := &huma.Response{Description: "Success", Content: map[string]*huma.MediaType{}, Headers: map[string]*huma.Param{
		transport.HeaderRequestID: headerRef(transport.HeaderRequestID)}}
	if op.Answer != nil {
		answer := d.schemas.answer(op.Answer)
		success.Content[transport.MediaJSON] = &huma.MediaType{Schema: answer}
		if _, tagged := d.schemas.resolve(answer).Properties["etag"]; tagged {
			success.Headers["ETag"] = headerRef("ETag")
			if !changes(op) {
				all["304"] = &huma.Response{Description: "What If-None-Match names is still the newest (RFC 9110 section 13.1.2)"}
			}
		}
	}
	for _, file := range op.Files {
		success.Content[file] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	}
	if op.Stream != nil {
		success.Content[transport.MediaEventStream] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString,
			Description: "Server-sent events without end: what the type of each event says, as JSON"}}
	}
	if op.Under {
		success.Headers[transport.HeaderLockFence] = headerRef(transport.HeaderLockFence)
	}
	all[strconv.Itoa(op.Status)] = success
	if op.Method == http.MethodPut && op.Status == http.StatusOK && op.Writes {
		created := *success
		created.Description, created.Content = "Created", maps.Clone(success.Content)
		all["201"] = &created
	}
	for _, o := range op.Also {
		d.outcome(all, o)
	}
	for _, status := range []string{"201", "202"} {
		if noun(op) != "upload" && op.Method != http.MethodPut && all[status] != nil || status == "202" && op.Under {
			all[status].Headers["Location"] = headerRef("Location")
		}
	}
	if op.Under || noun(op) == "lock" {
		all["423"] = &huma.Response{Ref: "#/components/responses/" + refusalName(http.StatusLocked)}
	}
	return all
}

// outcome adds a success of another kind. Where two have the same status, an answer is one or the other.
func (d *openAPI) outcome(all map[string]*huma.Response, o transport.Outcome) {
	status := strconv.Itoa(o.Status)
	r := all[status]
	if r == nil {
		r = &huma.Response{Description: o.Doc, Content: map[string]*huma.MediaType{}, Headers: map[string]*huma.Param{
			transport.HeaderRequestID: headerRef(transport.HeaderRequestID)}}
		all[status] = r
	}
	if o.Answer == nil {
		return
	}
	answer := d.schemas.answer(o.Answer)
	if usual := r.Content[transport.MediaJSON]; usual != nil {
		answer = &huma.Schema{AnyOf: []*huma.Schema{usual.Schema, answer}}
	}
	r.Content[transport.MediaJSON] = &huma.MediaType{Schema: answer}
}

// refusalName is the name of the response that stands for all refusals of a status.
func refusalName(status int) string { return "Problem" + strconv.Itoa(status) }

// refusals are the responses to what is refused, one a status.
func (d *openAPI) refusals() map[string]*huma.Response {
	codes := map[int][]string{}
	for _, c := range problem.Codes() {
		codes[c.Status()] = append(codes[c.Status()], string(c)+": "+c.Title())
	}
	all := map[string]*huma.Response{}
	for status, lines := range codes {
		r := &huma.Response{
			Description: strings.Join(lines, "; "),
			Content:     map[string]*huma.MediaType{transport.ProblemContentType: {Schema: d.schemas.problem()}},
			Headers:     map[string]*huma.Param{transport.HeaderRequestID: headerRef(transport.HeaderRequestID)},
		}
		switch status {
		case http.StatusUnauthorized:
			r.Headers["WWW-Authenticate"] = headerRef("WWW-Authenticate")
		case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusConflict:
			r.Headers["Retry-After"] = headerRef("Retry-After")
		}
		all[refusalName(status)] = r
	}
	locked := *all[refusalName(problem.Locked.Status())]
	locked.Description = string(problem.Locked) + ": " + problem.Locked.Title() + " (a collection type may say so)"
	all[refusalName(http.StatusLocked)] = &locked
	return all
}

func headerRef(name string) *huma.Param { return &huma.Param{Ref: "#/components/headers/" + name} }

// answerHeaders are the headers that answers have.
func answerHeaders() map[string]*huma.Header {
	return map[string]*huma.Header{
		transport.HeaderRequestID: {Description: "Names the entry in the service's log", Schema: text()},
		"ETag":                    {Description: `Entity tag of the version, as "v7" (RFC 9110 section 8.8.3)`, Schema: text()},
		"Retry-After":             {Description: "Whole seconds (RFC 9110 section 10.2.3)", Schema: &huma.Schema{Type: huma.TypeInteger}},
		transport.HeaderLockFence: {Description: "Fence of the lock that the change was made under", Schema: &huma.Schema{Type: huma.TypeInteger}},
		"Location":                {Description: "Where it can be seen (RFC 9110 section 10.2.2)", Schema: text()},
		"WWW-Authenticate":        {Description: "How to say who asks (RFC 6750 section 3)", Schema: text()},
	}
}
