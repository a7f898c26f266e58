package schema

import (
	"github.com/danielgtaylor/huma/v2"

	"concord/actors/collection"
	"concord/transport"
)

// asyncAPIVersion is the version of the specification that the document follows.
const asyncAPIVersion = "3.0.0"

// The parts of an AsyncAPI 3.0 document that this one has.
type (
	asyncDocument struct {
		AsyncAPI           string                    `json:"asyncapi"`
		Info               asyncInfo                 `json:"info"`
		DefaultContentType string                    `json:"defaultContentType"`
		Channels           map[string]asyncChannel   `json:"channels"`
		Operations         map[string]asyncOperation `json:"operations"`
		Components         asyncComponents           `json:"components"`
	}
	asyncInfo struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description"`
	}
	asyncChannel struct {
		Address     *string                   `json:"address"` // null: known only at the time, as an inbox
		Description string                    `json:"description,omitempty"`
		Parameters  map[string]asyncParameter `json:"parameters,omitempty"`
		Messages    map[string]asyncRef       `json:"messages"`
	}
	asyncParameter struct {
		Description string `json:"description"`
	}
	asyncOperation struct {
		Action   string      `json:"action"`
		Channel  asyncRef    `json:"channel"`
		Summary  string      `json:"summary"`
		Tags     []asyncTag  `json:"tags,omitempty"`
		Messages []asyncRef  `json:"messages"`
		Reply    *asyncReply `json:"reply,omitempty"`
	}
	asyncTag struct {
		Name string `json:"name"`
	}
	asyncReply struct {
		Channel  asyncRef   `json:"channel"`
		Messages []asyncRef `json:"messages"`
	}
	asyncMessage struct {
		Title   string       `json:"title"`
		Headers *huma.Schema `json:"headers,omitempty"`
		Payload *huma.Schema `json:"payload,omitempty"`
	}
	asyncComponents struct {
		Messages map[string]asyncMessage `json:"messages"`
		Schemas  map[string]*huma.Schema `json:"schemas"`
	}
	asyncRef struct {
		Ref string `json:"$ref"`
	}
)

// Names of the messages and channels that belong to no single operation.
const (
	messageProblem = "problem"
	messageEvent   = "event"
	channelEvents  = "events"
	messageLinks   = "link-updates"
	channelLinks   = "links"
)

// AsyncAPI is the AsyncAPI 3.0 document of the table over NATS: a request and its reply for each operation, and the
// events that leave.
func AsyncAPI(table []*transport.Operation, prefix, version string) []byte {
	d := &asyncAPI{schemas: newSchemas("#/components/schemas/"), prefix: prefix, asyncDocument: asyncDocument{
		AsyncAPI:           asyncAPIVersion,
		Info:               asyncInfo{Title: title, Version: version, Description: description},
		DefaultContentType: transport.MediaJSON,
		Channels:           map[string]asyncChannel{}, Operations: map[string]asyncOperation{},
		Components: asyncComponents{Messages: map[string]asyncMessage{}},
	}}
	d.Components.Messages[messageProblem] = asyncMessage{Title: "A refusal (RFC 9457)", Payload: d.schemas.problem(),
		Headers: object(map[string]string{
			transport.HeaderServiceCode: "HTTP status", transport.HeaderServiceError: "Title of the problem",
			transport.HeaderRequestID: "Names the entry in the service's log"})}
	d.Components.Messages[messageEvent] = asyncMessage{Title: "What has happened to an entity",
		Payload: d.schemas.answer(transport.Event{}), Headers: object(map[string]string{
			"Nats-Msg-Id": "id of the event"})}
	for _, op := range table {
		d.add(op)
	}
	d.addEvents()
	d.addLinks()
	d.Components.Schemas = d.schemas.named()
	for _, m := range d.Components.Messages {
		if m.Payload != nil {
			plain(m.Payload)
		}
	}
	return marshal(d.asyncDocument)
}

// asyncAPI is the document in the making.
type asyncAPI struct {
	asyncDocument
	schemas *schemas
	prefix  string
}

// add describes one operation: a channel to ask on, and one, an inbox, to answer on.
func (d *asyncAPI) add(op *transport.Operation) {
	asked, answered, replies := op.Name+".request", op.Name+".reply", op.Name+".reply"
	address := Subject(op, d.prefix)
	channel := asyncChannel{Address: &address, Parameters: map[string]asyncParameter{}, Messages: d.messages(asked)}
	if !op.Global {
		channel.Parameters["provider"] = asyncParameter{"Tenant"}
	}
	if op.HasID {
		channel.Parameters["id"] = asyncParameter{"Id of the " + noun(op)}
	}
	d.Channels[op.Name] = channel
	d.Channels[replies] = asyncChannel{Description: "The inbox that the request names as its reply subject",
		Messages: d.messages(answered, messageProblem)}
	known := map[string]string{transport.HeaderAuthorization: "Bearer token (RFC 6750)"}
	for _, h := range headersOf(op) {
		known[h.name] = h.doc
	}
	d.Components.Messages[asked] = asyncMessage{Title: op.Doc, Headers: object(known), Payload: d.schemas.message(op)}
	answer := asyncMessage{Title: "Success"}
	if op.Answer != nil {
		answer.Payload = d.schemas.reply(op)
	}
	d.Components.Messages[answered] = answer
	d.Operations[op.Name] = asyncOperation{
		Action: "receive", Summary: op.Doc, Tags: []asyncTag{{noun(op)}},
		Channel:  asyncRef{"#/channels/" + op.Name},
		Messages: []asyncRef{{"#/channels/" + op.Name + "/messages/" + asked}},
		Reply: &asyncReply{Channel: asyncRef{"#/channels/" + replies}, Messages: []asyncRef{
			{"#/channels/" + replies + "/messages/" + answered}, {"#/channels/" + replies + "/messages/" + messageProblem}}},
	}
}

// messages are references to the named ones.
func (d *asyncAPI) messages(names ...string) map[string]asyncRef {
	refs := make(map[string]asyncRef, len(names))
	for _, name := range names {
		refs[name] = asyncRef{"#/components/messages/" + name}
	}
	return refs
}

// addEvents describes what the fan-out publishes.
func (d *asyncAPI) addEvents() {
	address := d.prefix + ".event.{kind}.{provider}.{entity}"
	d.Channels[channelEvents] = asyncChannel{
		Address: &address, Description: "Events of all entities, on a JetStream stream; drop repeats by entity and seq",
		Parameters: map[string]asyncParameter{
			"kind": {"Kind of the entity, such as collection"}, "provider": {"Tenant"}, "entity": {"Id of the entity; of an authority, the id of its source"}},
		Messages: d.messages(messageEvent),
	}
	d.Operations[channelEvents] = asyncOperation{
		Action: "send", Summary: "Publish what has happened to an entity", Channel: asyncRef{"#/channels/" + channelEvents},
		Messages: []asyncRef{{"#/channels/" + channelEvents + "/messages/" + messageEvent}},
	}
}

// addLinks describes what the fan-out publishes of links that were brought up to date.
func (d *asyncAPI) addLinks() {
	d.Components.Messages[messageLinks] = asyncMessage{Title: "What became of links of documents to authorities, at most 100",
		Payload: d.schemas.answer(collection.LinkUpdates{}), Headers: object(map[string]string{"Nats-Msg-Id": "id of the message"})}
	address := d.prefix + ".links.{provider}.{source}"
	d.Channels[channelLinks] = asyncChannel{
		Address: &address, Description: "Link updates, on a JetStream stream; of a collection they come in order of version and part: drop what is not above the newest that was applied",
		Parameters: map[string]asyncParameter{
			"provider": {"Tenant"}, "source": {"Id of the source of the authorities; " + collection.NoSource + " without one"}},
		Messages: d.messages(messageLinks),
	}
	d.Operations[channelLinks] = asyncOperation{
		Action: "send", Summary: "Publish what became of links", Channel: asyncRef{"#/channels/" + channelLinks},
		Messages: []asyncRef{{"#/channels/" + channelLinks + "/messages/" + messageLinks}},
	}
}

// object is the schema of a set of string members, none of which is required.
func object(docs map[string]string) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{}}
	for name, doc := range docs {
		s.Properties[name] = &huma.Schema{Type: huma.TypeString, Description: doc}
	}
	return s
}
