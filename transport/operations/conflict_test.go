package operations

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/problem"
	"concord/actors/script"
)

// turn is one request, and what its answer (or refusal) must at least say: members that are not named may be anything.
type turn struct {
	by, op, doc, body string
	params            []string // name, value, ...
	code              problem.Code
	says              string
}

const shelf = `{"documents":{"book":{"title":"Emma","copies":3,"tags":["novel"],"shelf":"A1"}}}`

// conflictStories are told to one collection of the type "t" each, whose text is the first step.
var conflictStories = map[string][]turn{
	"without a policy any stale change of the same document is refused, and the refusal has all that is needed": {
		{op: "type.put", body: `{}`},
		{op: "collection.put", body: `{"type":"t",` + shelf[1:]},
		{by: "bob", op: "document.put", doc: "book", body: `{"value":{"title":"Emma","copies":4,"tags":["novel"],"shelf":"A1"}}`},
		{by: "ann", op: "document.put", doc: "book", body: `{"baseVersion":1,"value":{"title":"Emma, 2nd ed.","copies":3,"tags":["novel"],"shelf":"A1"}}`,
			code: problem.VersionConflict,
			says: `{"baseVersion":1,"currentVersion":2,"changedBy":"bob","conflicts":[{"path":"/documents/book","kind":"modify/modify",
				"base":{"title":"Emma","copies":3,"tags":["novel"],"shelf":"A1"},"server":{"title":"Emma","copies":4,"tags":["novel"],"shelf":"A1"},
				"client":{"title":"Emma, 2nd ed.","copies":3,"tags":["novel"],"shelf":"A1"},"version":2,"changedBy":"bob"}],
				"links":{"base":"/api/v1/providers/p/collections/c?version=1","current":"/api/v1/providers/p/collections/c?version=2"},
				"allowed":["merge","merge-client","merge-server","client","server","merged","server-logic","custom-logic"]}`},
		{op: "document.get", doc: "book", says: `{"version":2}`},
	},
	"merge: what does not disagree is both in it": {
		{op: "type.put", body: `{}`},
		{op: "collection.put", body: `{"type":"t",` + shelf[1:]},
		{by: "bob", op: "document.put", doc: "book", body: `{"value":{"title":"Emma","copies":4,"tags":["novel"],"shelf":"A1"}}`},
		{by: "ann", op: "document.put", doc: "book", body: `{"baseVersion":1,"policy":"merge","value":{"title":"Emma, 2nd ed.","copies":3,"tags":["novel"]}}`,
			says: `{"version":3,"changed":true,"resolution":"merged","baseVersion":1}`},
		{op: "document.get", doc: "book", says: `{"version":3,"value":{"title":"Emma, 2nd ed.","copies":4,"tags":["novel"]}}`},
		{op: "collection.history", says: `{"items":[{"version":3,"principal":"ann","merge":{"policy":"merge","resolution":"merged","baseVersion":1,"overVersion":2,"typeVersion":1}},{"version":2},{"version":1}]}`},
	},
	"merge: base 0 is nothing: what both sides have added is brought together, and where they differ is add/add": {
		{op: "type.put", body: `{}`},
		{by: "bob", op: "collection.put", body: `{"type":"t","documents":{"a":{"x":1},"b":{"y":1}}}`},
		{by: "ann", op: "collection.patch", body: `{"baseVersion":0,"policy":"merge","changes":[{"op":"put-document","id":"a","value":{"z":3}}]}`,
			says: `{"version":2,"resolution":"merged"}`},
		{op: "document.get", doc: "a", says: `{"value":{"x":1,"z":3}}`},
		{by: "ann", op: "collection.patch", body: `{"baseVersion":0,"policy":"merge","changes":[{"op":"put-document","id":"b","value":{"y":2}}]}`,
			code: problem.VersionConflict, says: `{"baseVersion":0,"currentVersion":2,"conflicts":[{"path":"/documents/b/y","kind":"add/add","client":2,"server":1}]}`},
		{by: "ann", op: "collection.put", body: `{"baseVersion":0,"policy":"merge","documents":{"c":1}}`, code: problem.VersionConflict},
	},
	"merge: a disagreement refuses all of it": {
		{op: "type.put", body: `{}`},
		{op: "collection.put", body: `{"type":"t","metadata":{"n":1},"documents":{"a":{"x":1,"y":1},"b":1}}`},
		{by: "bob", op: "collection.put", body: `{"metadata":{"n":2},"documents":{"a":{"x":2,"y":1},"b":1}}`},
		{op: "collection.put", body: `{"baseVersion":1,"policy":"merge","metadata":{"n":3},"documents":{"a":{"x":3,"y":7},"b":9}}`, code: problem.VersionConflict,
			says: `{"baseVersion":1,"currentVersion":2,"conflicts":[
				{"path":"/documents/a/x","kind":"modify/modify","base":1,"client":3,"server":2,"version":2,"changedBy":"bob"},
				{"path":"/metadata/n","kind":"modify/modify","base":1,"client":3,"server":2}]}`},
		{op: "collection.put", body: `{"baseVersion":1,"policy":"merge","fields":["/metadata"],"metadata":{"n":3},"documents":{"a":{"x":3,"y":7},"b":9}}`,
			code: problem.VersionConflict, says: `{"conflicts":[{"path":"/metadata/n"}],"conflictsTotal":2}`},
		{op: "collection.get", says: `{"version":2,"metadata":{"n":2},"documents":{"a":{"x":2,"y":1},"b":1}}`},
	},
	"merge-client and merge-server decide on the conflicting paths only": {
		{op: "type.put", body: `{}`},
		{op: "collection.put", body: `{"type":"t","documents":{"a":{"x":1,"y":1,"z":1}}}`},
		{by: "bob", op: "document.put", doc: "a", body: `{"value":{"x":2,"y":2,"z":1}}`},
		{op: "document.put", doc: "a", body: `{"baseVersion":1,"policy":"merge-client","value":{"x":3,"y":1,"z":3}}`,
			says: `{"version":3,"resolution":"merged","conflicts":[{"path":"/documents/a/x","kind":"modify/modify","taken":"client"}]}`},
		{op: "document.get", doc: "a", says: `{"value":{"x":3,"y":2,"z":3}}`},
		{op: "document.put", doc: "a", body: `{"baseVersion":1,"policy":"merge-server","value":{"x":4,"y":1,"z":1,"w":4}}`,
			says: `{"version":4,"resolution":"merged","conflicts":[{"path":"/documents/a/x","taken":"server"}]}`},
		{op: "document.get", doc: "a", says: `{"value":{"x":3,"y":2,"z":3,"w":4}}`},
		{op: "collection.history", says: `{"items":[{"merge":{"policy":"merge-server","decided":["/documents/a/x"]}},{"merge":{"decided":["/documents/a/x"]}},{},{}]}`},
	},
	"client: saved, and the overwritten version is named": {
		{op: "type.put", body: `{"conflict":{"allowed":["client"]}}`},
		{op: "collection.put", body: `{"type":"t","documents":{"a":1}}`},
		{by: "bob", op: "document.put", doc: "a", body: `{"value":2}`},
		{op: "document.put", doc: "a", body: `{"value":3,"baseVersion":1,"policy":"client"}`, says: `{"version":3,"resolution":"client","overwrote":2,"baseVersion":1}`},
		{op: "document.get", doc: "a", says: `{"value":3}`},
		{op: "collection.events", says: `{"items":[{},{},{"data":{"documents":["a"],"merge":{"policy":"client","resolution":"client","overVersion":2}}}]}`},
	},
	"server: nothing is saved, and the server's content is told": {
		{op: "type.put", body: `{}`},
		{op: "collection.put", body: `{"type":"t","metadata":{"m":1},"documents":{"a":1,"b":1}}`},
		{by: "bob", op: "document.put", doc: "a", body: `{"value":2}`},
		{op: "collection.patch", body: `{"baseVersion":1,"policy":"server","changes":[{"op":"put-document","id":"a","value":3},{"op":"put-document","id":"b","value":3}]}`,
			says: `{"version":2,"changed":false,"resolution":"server","content":{"documents":{"a":2}}}`},
		{op: "collection.get", says: `{"version":2,"documents":{"a":2,"b":1}}`},
	},
	"server: of documents that a put would replace, those that have changed since are told": {
		{op: "type.put", body: `{}`},
		{op: "collection.put", body: `{"type":"t","metadata":{"m":1},"documents":{"a":1,"b":1,"c":1}}`},
		{by: "bob", op: "collection.patch", body: `{"changes":[{"op":"put-document","id":"a","value":2},{"op":"remove-document","id":"c"}]}`},
		{op: "collection.put", body: `{"baseVersion":1,"policy":"server","documents":{"a":3}}`,
			says: `{"version":2,"changed":false,"resolution":"server","content":{"documents":{"a":2},"removed":["c"]}}`},
		{op: "collection.delete"},
		{op: "collection.put", body: `{"type":"t","documents":{"a":5,"b":6}}`},
		{op: "collection.put", body: `{"baseVersion":1,"policy":"server","documents":{"a":2}}`, says: `{"version":4,"content":{"more":2}}`},
	},
	"merged: saved only if what was merged with is still the newest": {
		{op: "type.put", body: `{}`},
		{op: "collection.put", body: `{"type":"t","documents":{"a":1}}`},
		{by: "bob", op: "document.put", doc: "a", body: `{"value":2}`},
		{op: "document.put", doc: "a", body: `{"value":3,"baseVersion":1,"policy":"merged"}`, code: problem.VersionConflict, says: `{"currentVersion":2}`},
		{by: "cat", op: "document.put", doc: "a", body: `{"value":5}`},
		{op: "document.put", doc: "a", body: `{"value":4,"baseVersion":2,"policy":"merged"}`, code: problem.VersionConflict, says: `{"currentVersion":3,"changedBy":"cat"}`},
		{op: "document.put", doc: "a", body: `{"value":6,"baseVersion":3,"policy":"merged"}`, says: `{"version":4}`},
		{op: "document.put", doc: "a", body: `{"value":7,"policy":"merged"}`, code: problem.PreconditionRequired},
	},
	"a type allows what it lists, and its default holds where none is asked for": {
		{op: "type.put", body: `{"conflict":{"allowed":["merge","merged"],"default":"merge"}}`},
		{op: "collection.put", body: `{"type":"t","documents":{"a":{"x":1,"y":1}}}`},
		{op: "document.put", doc: "a", body: `{"value":{"x":2,"y":1}}`},
		{op: "document.put", doc: "a", body: `{"value":{"x":1,"y":2},"baseVersion":1,"policy":"client"}`, code: problem.PolicyNotAllowed, says: `{"status":403,"allowed":["merge","merged"]}`},
		{op: "document.put", doc: "a", body: `{"value":{"x":1,"y":2},"baseVersion":1}`, says: `{"version":3,"resolution":"merged"}`},
		{op: "document.get", doc: "a", says: `{"value":{"x":2,"y":2}}`},
		{op: "type.put", body: `{"conflict":{"allowed":["merge","merged"]}}`},
		{op: "document.put", doc: "a", body: `{"value":{"x":1,"y":3},"baseVersion":1}`, code: problem.VersionConflict, says: `{"allowed":["merge","merged"]}`},
	},
	"rules of the type: set, keyed, counter, server": {
		{op: "type.put", body: `{"conflict":{"rules":[{"path":"/documents/*/tags","strategy":"set"},{"path":"/documents/*/copies","strategy":"counter"},
			{"path":"/metadata/people","strategy":"keyed","key":"id"},{"path":"/metadata/owner","strategy":"server"}]}}`},
		{op: "collection.put", body: `{"type":"t","metadata":{"owner":"lib","people":[{"id":"p1","name":"Ann"}]},"documents":{"a":{"tags":["x","y"],"copies":3}}}`},
		{op: "collection.put", body: `{"metadata":{"owner":"lib","people":[{"id":"p1","name":"Ann","born":1775}]},"documents":{"a":{"tags":["x","y","s"],"copies":4}}}`},
		{op: "collection.put", body: `{"baseVersion":1,"policy":"merge","metadata":{"owner":"me","people":[{"id":"p1","name":"Anne"},{"id":"p2"}]},"documents":{"a":{"tags":["y","c"],"copies":2}}}`,
			says: `{"version":3,"resolution":"merged"}`},
		{op: "collection.get", says: `{"metadata":{"owner":"lib","people":[{"id":"p1","name":"Anne","born":1775},{"id":"p2"}]},"documents":{"a":{"tags":["y","s","c"],"copies":3}}}`},
	},
	"documents that one side adds and another removes": {
		{op: "type.put", body: `{}`},
		{op: "collection.put", body: `{"type":"t","documents":{"a":1,"b":1,"c":1,"d":1}}`},
		{op: "collection.patch", body: `{"changes":[{"op":"put-document","id":"scan","value":"new"},{"op":"remove-document","id":"c"}]}`},
		{op: "collection.put", body: `{"baseVersion":1,"policy":"merge","documents":{"a":2,"c":1,"d":1}}`, says: `{"version":3,"resolution":"merged"}`},
		{op: "collection.get", says: `{"documents":{"a":2,"d":1,"scan":"new"}}`},
		{op: "document.put", doc: "d", body: `{"value":2}`},
		{op: "collection.put", body: `{"baseVersion":3,"policy":"merge","documents":{"a":2,"scan":"new"}}`, code: problem.VersionConflict,
			says: `{"conflicts":[{"path":"/documents/d","kind":"delete/modify","base":1,"server":2}]}`},
		{op: "document.delete", doc: "d", params: []string{"baseVersion", "3", "policy", "merge"}, code: problem.VersionConflict, says: `{"conflicts":[{"kind":"delete/modify"}]}`},
		{op: "document.delete", doc: "d", params: []string{"baseVersion", "3", "policy", "client"}, says: `{"resolution":"client"}`},
		{op: "document.put", doc: "d", body: `{"baseVersion":4,"policy":"merge","value":3}`, code: problem.VersionConflict, says: `{"conflicts":[{"kind":"modify/delete","client":3,"base":2}]}`},
	},
	"a patch is applied to what it was built on": {
		{op: "type.put", body: `{}`},
		{op: "collection.put", body: `{"type":"t","documents":{"a":{"list":[1,2,3],"n":1}}}`},
		{op: "document.put", doc: "a", body: `{"value":{"list":[1,2,3],"n":2}}`},
		{op: "collection.patch", body: `{"baseVersion":1,"policy":"merge","changes":[{"op":"patch-document","id":"a","value":[{"op":"remove","path":"/list/1"}]}]}`, says: `{"version":3}`},
		{op: "document.get", doc: "a", says: `{"value":{"list":[1,3],"n":2}}`},
		{op: "collection.patch", body: `{"baseVersion":1,"policy":"merge","changes":[{"op":"merge-document","id":"a","value":{"m":1}}]}`, says: `{"version":4}`},
		{op: "document.get", doc: "a", says: `{"value":{"list":[1,3],"n":2,"m":1}}`},
		{op: "collection.patch", params: []string{"baseVersion", "1", "policy", "merge"}, body: `{"changes":[{"op":"merge-document","id":"a","value":{"k":1}}]}`, says: `{"version":5}`},
	},
	"a stale write never brings back what was deleted, unless it is the policy client": {
		{op: "type.put", body: `{"conflict":{"allowed":["client","merge","server"]}}`},
		{op: "collection.put", body: `{"type":"t","documents":{"a":1}}`},
		{op: "collection.delete"},
		{op: "collection.put", body: `{"baseVersion":1,"documents":{"a":2}}`, code: problem.VersionConflict},
		{op: "collection.put", body: `{"baseVersion":1,"policy":"merge","documents":{"a":2}}`, code: problem.VersionConflict,
			says: `{"conflicts":[{"path":"/documents","kind":"modify/delete"}]}`},
		{op: "document.put", doc: "a", body: `{"baseVersion":1,"policy":"merge","value":2}`, code: problem.NotFound},
		{op: "collection.put", body: `{"baseVersion":1,"policy":"merge-client","documents":{"a":2}}`, code: problem.PolicyNotAllowed},
		{op: "collection.put", body: `{"baseVersion":1,"policy":"client","documents":{"a":2}}`, says: `{"version":3,"resolution":"client","overwrote":2}`},
		{op: "collection.get", says: `{"version":3,"type":"t","documents":{"a":2}}`},
		{op: "collection.put", body: `{"baseVersion":1,"policy":"merge","documents":{"a":3}}`, code: problem.VersionConflict},
	},
	"a type whose default is client does not bring back what was deleted": {
		{op: "type.put", body: `{"conflict":{"default":"client"}}`},
		{op: "collection.put", body: `{"type":"t","documents":{"a":1}}`},
		{op: "collection.delete"},
		{op: "collection.put", body: `{"baseVersion":1,"documents":{"a":2}}`, code: problem.VersionConflict},
		{op: "collection.patch", body: `{"policy":"client","changes":[{"op":"put-document","id":"a","baseVersion":1,"value":2}]}`, says: `{"version":3}`},
	},
	"changes of one document on several bases do not win by policy client either": {
		{op: "type.put", body: `{}`},
		{op: "collection.put", body: `{"type":"t","documents":{"a":{}}}`},
		{op: "document.put", doc: "a", body: `{"value":{"x":1}}`},
		{op: "document.put", doc: "a", body: `{"value":{"x":2}}`},
		{op: "collection.patch", body: `{"policy":"client","changes":[{"op":"merge-document","id":"a","baseVersion":1,"value":{"k":1}},{"op":"merge-document","id":"a","baseVersion":2,"value":{"l":1}}]}`,
			code: problem.Invalid, says: `{"errors":[{"path":"/changes/1"}]}`},
	},
	"a base that is not there yet": {
		{op: "type.put", body: `{}`},
		{op: "collection.put", body: `{"type":"t","documents":{"a":1}}`},
		{op: "document.put", doc: "a", body: `{"baseVersion":7,"policy":"client","value":2}`, code: problem.VersionConflict, says: `{"baseVersion":7,"currentVersion":1}`},
	},
	"changes of one document that name several bases cannot be merged": {
		{op: "type.put", body: `{}`},
		{op: "collection.put", body: `{"type":"t","documents":{"a":{}}}`},
		{op: "document.put", doc: "a", body: `{"value":{"x":1}}`},
		{op: "document.put", doc: "a", body: `{"value":{"x":2}}`},
		{op: "collection.patch", body: `{"policy":"merge","changes":[{"op":"merge-document","id":"a","baseVersion":1,"value":{"k":1}},{"op":"merge-document","id":"a","baseVersion":2,"value":{"l":1}}]}`,
			code: problem.Invalid, says: `{"errors":[{"path":"/changes/1"}]}`},
	},
	"a dry run tells the merged result, or the conflicts, and stores nothing": {
		{op: "type.put", body: `{}`},
		{op: "collection.put", body: `{"type":"t","documents":{"a":{"x":1,"y":1},"b":1}}`},
		{op: "document.put", doc: "a", body: `{"value":{"x":2,"y":1}}`},
		{op: "document.put", doc: "a", params: []string{"dryRun", "true"}, body: `{"baseVersion":1,"policy":"merge","value":{"x":1,"y":2}}`,
			says: `{"version":3,"resolution":"merged","content":{"documents":{"a":{"x":2,"y":2}}}}`},
		{op: "document.put", doc: "a", params: []string{"dryRun", "true"}, body: `{"baseVersion":1,"policy":"merge","value":{"x":5,"y":2}}`,
			code: problem.VersionConflict, says: `{"conflicts":[{"path":"/documents/a/x"}]}`},
		{op: "collection.put", params: []string{"dryRun", "true"}, body: `{"documents":{"n":1,"b":1}}`, says: `{"version":3,"content":{"documents":{"n":1},"removed":["a"]}}`},
		{op: "collection.get", says: `{"version":2,"documents":{"a":{"x":2,"y":1},"b":1}}`},
	},
	"the schema judges what a merge comes to": {
		{op: "type.put", body: `{"schemas":{"documents":{"type":"object","maxProperties":2},"metadata":{"required":["title"]}}}`},
		{op: "collection.put", body: `{"type":"t","metadata":{},"documents":{"a":{}}}`, code: problem.SchemaInvalid, says: `{"status":422,"errors":[{"path":"/metadata/title"}]}`},
		{op: "collection.put", body: `{"type":"t","metadata":{"title":"T"},"documents":{"a":{}}}`},
		{op: "document.put", doc: "a", body: `{"value":{"x":1,"y":1}}`},
		{op: "document.put", doc: "a", body: `{"baseVersion":1,"policy":"merge","value":{"z":1}}`, code: problem.SchemaInvalid, says: `{"errors":[{"path":"/documents/a"}]}`},
		{op: "type.put", body: `{"schemas":{"documents":{"type":"object","maxProperties":2},"warn":true}}`},
		{op: "document.put", doc: "a", body: `{"baseVersion":1,"policy":"merge","value":{"z":1}}`, says: `{"version":3,"resolution":"merged","warnings":[{"path":"/documents/a"}]}`},
	},
	"the script of the type merges what both sides have changed": {
		{op: "type.put", body: `{"conflict":{"script":{"source":"longer"}}}`},
		{op: "collection.put", body: `{"type":"t","documents":{"a":"b","b":"b"}}`},
		{by: "bob", op: "document.put", doc: "a", body: `{"value":"server"}`},
		{op: "collection.put", body: `{"baseVersion":1,"policy":"custom-logic","documents":{"a":"client's","b":"mine"}}`, says: `{"version":3,"resolution":"server-logic"}`},
		{op: "collection.get", says: `{"documents":{"a":"client's","b":"mine"}}`},
		{op: "document.put", doc: "a", body: `{"baseVersion":2,"policy":"server-logic","value":"x"}`, says: `{"changed":false,"version":3}`},
		{op: "type.put", body: `{"conflict":{"script":{"source":"throws"}}}`},
		{op: "document.put", doc: "a", body: `{"baseVersion":2,"policy":"server-logic","value":"x"}`, code: problem.MergeFailed, says: `{"status":409,"reason":"threw","path":"/documents/a"}`},
		{op: "type.put", body: `{"conflict":{"script":{"source":"removes"}}}`},
		{op: "document.put", doc: "a", body: `{"baseVersion":2,"policy":"server-logic","value":"x"}`, says: `{"version":4}`},
		{op: "document.get", doc: "a", code: problem.NotFound},
		{op: "type.put", body: `{"conflict":{"script":{"source":"syntax"}}}`, code: problem.Invalid, says: `{"errors":[{"path":"/conflict/script/source"}]}`},
	},
	"a script that did not run is not noted": {
		{op: "type.put", body: `{"conflict":{"script":{"source":"longer"}}}`},
		{op: "collection.put", body: `{"type":"t","documents":{"a":"b","b":"b"}}`},
		{by: "bob", op: "document.put", doc: "a", body: `{"value":"server"}`},
		{op: "collection.put", body: `{"baseVersion":1,"policy":"custom-logic","documents":{"a":"b","b":"mine"}}`, says: `{"version":3,"resolution":"server-logic"}`},
		{op: "collection.history", says: `{"items":[{"merge":{"policy":"custom-logic","scriptHash":null}},{},{}]}`},
	},
	"a type is tried without anything stored": {
		{op: "type.put", body: `{"conflict":{"rules":[{"path":"/documents/*/n","strategy":"counter"}],"default":"merge"}}`},
		{op: "type.try", body: `{"base":{"documents":{"a":{"n":1,"x":1}}},"client":{"documents":{"a":{"n":3,"x":1},"new":1}},"server":{"metadata":{"m":1},"documents":{"a":{"n":2,"x":1}}}}`,
			says: `{"policy":"merge","resolution":"merged","conflicts":[],"content":{"documents":{"a":{"n":4,"x":1},"new":1}}}`},
		{op: "type.try", body: `{"base":{"metadata":{"m":1}},"client":{"documents":{"a":1}},"server":{"metadata":{"m":2}}}`,
			says: `{"content":{"metadata":{"m":2},"documents":{"a":1}}}`},
		{op: "type.try", body: `{"policy":"server","base":{},"client":{"documents":{"a":1}},"server":{"metadata":{"m":2},"documents":{"a":2,"b":3}}}`,
			says: `{"content":{"metadata":{"m":2},"documents":{"a":2,"b":3}}}`},
		{op: "type.try", body: `{"policy":"merge","base":{"documents":{"a":1}},"client":{"documents":{"a":2}},"server":{"documents":{"a":3}}}`,
			says: `{"conflicts":[{"path":"/documents/a","base":1,"client":2,"server":3}]}`},
		{op: "type.try", body: `{"type":{"schemas":{"documents":false}},"base":{},"client":{"documents":{"a":2}},"server":{}}`, says: `{"violations":[{"path":"/documents/a"}]}`},
		{op: "type.try", body: `{"type":{"conflict":{"rules":[{"path":"x","strategy":"set"}]}},"base":{},"client":{},"server":{}}`, code: problem.Invalid,
			says: `{"errors":[{"path":"/type/conflict/rules/0/path"}]}`},
		{op: "type.try", body: `{"type":{"conflict":{"script":{"source":"longer"}}},"policy":"server-logic","base":{},"client":{"documents":{"a":"cc"}},"server":{"documents":{"a":"s"}}}`,
			says: `{"resolution":"server-logic","content":{"documents":{"a":"cc"}}}`},
	},
}

// fakeScripts are "scripts" written in Go: what runs real ones has tests of its own.
type fakeScripts struct {
	mu   sync.Mutex
	held bool
	wait []func()
	ran  int
}

// hold keeps scripts from ending; resume lets those that have waited end, in their order.
func (f *fakeScripts) hold() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held = true
}

func (f *fakeScripts) resume() { f.let(false) }

// step lets those that have waited end, and keeps the next ones.
func (f *fakeScripts) step() { f.let(true) }

func (f *fakeScripts) let(held bool) {
	f.mu.Lock()
	wait := f.wait
	f.held, f.wait = held, nil
	f.mu.Unlock()
	for _, end := range wait {
		end()
	}
}

func (f *fakeScripts) waiting() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.wait)
}

func (f *fakeScripts) end(end func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ran++
	if f.held {
		f.wait = append(f.wait, end)
		return
	}
	go end()
}

func (*fakeScripts) Check(source string, done func(*script.Failure)) {
	if source == "syntax" {
		go done(&script.Failure{Reason: script.Syntax, Detail: "line 1"})
		return
	}
	go done(nil)
}

func (f *fakeScripts) Run(job script.Job, done func(script.Outcome)) {
	var o script.Outcome
	for _, p := range job.Parts {
		switch {
		case job.Source == "throws":
			o = script.Outcome{Failure: &script.Failure{Reason: script.Threw, Path: p.Path, Detail: "no"}}
		case job.Source == "removes":
			o.Results = append(o.Results, nil)
		case len(p.Client) >= len(p.Server):
			o.Results = append(o.Results, p.Client)
		default:
			o.Results = append(o.Results, p.Server)
		}
	}
	f.end(func() { done(o) })
}

func TestConflictStories(t *testing.T) {
	for name, story := range conflictStories {
		t.Run(name, func(t *testing.T) {
			b := start(t, vfs.NewMem())
			for i, step := range story {
				step.tell(t, b, i)
			}
		})
	}
}

func (s turn) tell(t *testing.T, b *bench, i int) {
	t.Helper()
	id, options := "c", []option{inDocument(s.doc)}
	if s.op == "type.put" || s.op == "type.try" {
		id = "t"
	}
	if s.by != "" {
		options = append(options, as(s.by))
	}
	for i := 0; i < len(s.params); i += 2 {
		options = append(options, param(s.params[i], s.params[i+1]))
	}
	reply, err := b.try(s.op, id, s.body, options...)
	var got []byte
	p, refused := errors.AsType[*problem.Problem](err)
	switch {
	case err != nil && !refused:
		t.Fatalf("step %d: %v", i, err)
	case refused && p.Code != s.code, !refused && s.code != "":
		t.Fatalf("step %d: %s %s: %v, %v; want %s", i, s.op, s.body, reply, err, s.code)
	case refused:
		got = p.Body("r")
	default:
		got = reply.Body
	}
	if s.says == "" {
		return
	}
	if missing := notSaid(t, s.says, got); missing != "" {
		t.Fatalf("step %d: %s %s:\n%s\n%s", i, s.op, s.body, got, missing)
	}
}

// notSaid names what the answer does not say.
func notSaid(t *testing.T, want string, got []byte) string {
	t.Helper()
	var w, g any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	return lacks("", w, g)
}

func lacks(path string, want, got any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %v", path, got)
		}
		exact := path == "/value" || path == "/metadata" || path == "/documents" || path == "/content/documents"
		if exact && len(w) != len(g) {
			return fmt.Sprintf("%s is %v", path, got)
		}
		for name := range w {
			if missing := lacks(path+"/"+name, w[name], g[name]); missing != "" {
				return missing
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s is %v", path, got)
		}
		for i := range w {
			if missing := lacks(fmt.Sprintf("%s/%d", path, i), w[i], g[i]); missing != "" {
				return missing
			}
		}
		return ""
	default:
		if !reflect.DeepEqual(want, got) {
			return fmt.Sprintf("%s is %v, want %v", path, got, want)
		}
		return ""
	}
}
