package schema

import (
	"encoding/json"

	"concord/transport"
)

// examples are request bodies by operation and media type. The tests send each of them to a service.
var examples = map[string]map[string]string{
	"collection.put": {
		transport.MediaJSON: `{"metadata": {"title": "Letters"}, "documents": {"letter-1": {"to": "Ann"}}, "reason": "first letter"}`},
	"collection.patch": {
		transport.MediaJSON: `{"changes": [{"op": "merge-metadata", "value": {"title": "Letters, 1901"}},` +
			` {"op": "put-document", "id": "letter-2", "value": {"to": "Bob"}}]}`,
		transport.MediaJSONPatch:  `[{"op": "add", "path": "/documents/letter-3", "value": {"to": "Cid"}}]`,
		transport.MediaMergePatch: `{"metadata": {"place": "Rome"}, "documents": {"letter-3": null}}`},
	"collection.revert": {transport.MediaJSON: `{"to": 1, "reason": "sent to the wrong Bob"}`},
	"document.put":      {transport.MediaJSON: `{"value": {"to": "Dora"}, "policy": "merge"}`},
	"upload.append":     {transport.MediaJSON: `{"offset": 0, "data": "aWQKMQo="}`},
	"lock.acquire":      {transport.MediaJSON: `{"ttl": 60, "wait": true}`},
	"lock.renew":        {transport.MediaJSON: `{"ttl": 120}`},
	"lock.break":        {transport.MediaJSON: `{"reason": "the holder has left for today"}`},
	"lock.contest":      {transport.MediaJSON: `{"note": "the index needs its nightly update", "acquire": true}`},
	"lock.deny":         {transport.MediaJSON: `{"reason": "ten more minutes, please"}`},
	"lock.accept":       {transport.MediaJSON: `{}`},
	"admin.backup":      {transport.MediaJSON: `{"name": "monday"}`},
	"source.put": {transport.MediaJSON: `{"name": "Local names", "codes": ["loc"], "type": "Names", "baseUrl": "https://names.example.org:8443/auth?id=",` +
		` "origin": "LOCAL", "sequence": {"start": 10}}`},
	"source.patch": {transport.MediaJSON: `{"baseUrl": "https://names.example.org/auth", "reason": "the catalogue has moved"}`},
	"authority.put": {transport.MediaJSON: `{"source": "letters", "naturalId": "loc10", "record": {"leader": "00000nz  a2200000n  4500",` +
		` "fields": [{"001": "loc10"}, {"100": {"ind1": "1", "ind2": " ", "subfields": [{"a": "Parker, Charlie,"}, {"d": "1920-1955"}]}}]}}`},
	"authority.import": {transport.MediaJSON: `{"source": "letters", "items": [{"naturalId": "loc11", "record": {"heading": "Bebop"}},` +
		` {"id": "bird", "naturalId": "loc12", "record": {"heading": "Birdland"}}]}`},
	"link.suggest": {transport.MediaJSON: `{"document": {"fields": [{"700": {"ind1": "1", "ind2": " ", "subfields": [{"a": "Davis, Miles,"}, {"d": "1926-1991"}]}}]},` +
		` "by": "heading"}`},
	"link.audit":           {transport.MediaJSON: `{"source": "names", "reason": "after a restored backup"}`},
	"link.auto":            {transport.MediaJSON: `{"collection": "letters", "reason": "first links"}`},
	"propagation.rollback": {transport.MediaJSON: `{"reason": "the new addresses do not answer yet"}`},
	"bulk.submit": {transport.MediaJSON: `{"name": "keywords of May", "targets": {"ids": ["letters", "diaries"]}, "onLocked": "wait", "itemsPerSecond": 500,` +
		` "instructions": [{"type": "FIND_AND_REPLACE", "path": "/metadata/keywords", "find": {"term": "Lettres"}, "value": {"term": "Letters"}}],` +
		` "reason": "the new thesaurus"}`},
	"bulk.rollback": {transport.MediaJSON: `{"onConflict": "skip", "reason": "the keywords were those of another year"}`},
	"bulk.retry":    {transport.MediaJSON: `{"name": "keywords of May, again", "reason": "the schema was too strict"}`},
	"edit.open":     {transport.MediaJSON: `{"name": "letters of 1901", "ids": ["letters", "diaries", "ledgers"], "keep": "all", "reason": "the new thesaurus"}`},
	"edit.match":    {transport.MediaJSON: `{"ids": ["letters", "diaries"]}`},
	"edit.preview": {transport.MediaJSON: `{"instructions": [{"type": "FIND_AND_REPLACE", "path": "/metadata/keywords", "find": {"term": "Lettres"},` +
		` "value": {"term": "Letters"}}], "exclude": ["diaries"]}`},
	"edit.apply":    {transport.MediaJSON: `{"exclude": ["diaries"], "onLocked": "wait", "itemsPerSecond": 500}`},
	"edit.rollback": {transport.MediaJSON: `{"to": "initial", "onConflict": "skip", "reason": "the old thesaurus was right"}`},
	"edit.redo":     {transport.MediaJSON: `{"of": 3, "onConflict": "merge"}`},
	"type.try": {transport.MediaJSON: `{"base": {"documents": {"book": {"copies": 3}}}, "client": {"documents": {"book": {"copies": 4}}},` +
		` "server": {"documents": {"book": {"copies": 5}}}, "type": {"conflict": {"rules": [{"path": "/documents/*/copies", "strategy": "counter"}]}}}`},
	"type.put": {transport.MediaJSON: `{"lock": {"mode": "explicit", "ttl": 90.5, "contest": {"deadline": 30, "onTimeout": "release"},` +
		` "lockedStatus": 423}, "requireVersion": true,` +
		` "conflict": {"allowed": ["merge", "merged", "client"], "default": null,` +
		` "rules": [{"path": "/documents/*/tags", "strategy": "set"}, {"path": "/metadata/people", "strategy": "keyed", "key": "id"}]},` +
		` "schemas": {"documents": {"type": "object", "required": ["to"], "properties": {"to": {"type": "string"}}}, "warn": true},` +
		` "links": {"unknownAuthority": "accept", "rules": [{"bib": "700", "authority": "100", "subfields": "abcdq", "require": {"t": false}},` +
		` {"bib": "240", "authority": "100", "subfields": "fklmnt", "require": {"t": true}, "move": {"t": "a"}, "auto": false}]},` +
		` "keys": [["/metadata/ShortName", "/metadata/Version"]], "indexes": ["/metadata/Platforms/*/ShortName"],` +
		` "fields": {"PLATFORMS": {"path": "/metadata/Platforms", "operations": ["ADD_TO_EXISTING", "FIND_AND_REMOVE"], "distinct": true, "maxItems": 50,` +
		` "schema": {"type": "object", "required": ["ShortName"]}}}}`},
}

// Example is a request body of the operation in the media type; ok is false if there is none.
func Example(operation, mediaType string) (body json.RawMessage, ok bool) {
	text, ok := examples[operation][mediaType]
	return json.RawMessage(text), ok
}
