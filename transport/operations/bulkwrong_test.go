package operations

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/bulk"
	"concord/actors/collection"
	"concord/actors/problem"
	"concord/transport/api"
)

// tidy is an instruction that nothing is wrong with.
const tidy = `{"type":"CLEAR_FIELD","path":"/metadata/draft"}`

// asking is the body of a bulk update with the targets.
func asking(targets string, more ...string) string {
	return `{"targets":` + targets + `,"instructions":[` + tidy + `]` + strings.Join(append([]string{""}, more...), ",") + `}`
}

// valuing is the body of one whose items have values.
func valuing(targets string, more ...string) string {
	return strings.Replace(asking(targets, more...), tidy, `{"type":"ADD_TO_EXISTING","path":"/metadata/values","valueFrom":""}`, 1)
}

// instructing is the body of one with the instructions.
func instructing(instructions string, more ...string) string {
	return `{"targets":{"ids":["a","b"]},"instructions":` + instructions + strings.Join(append([]string{""}, more...), ",") + `}`
}

// shelves makes collections of the type science, which declares fields, a key and an index.
func shelves(b *bench, ids ...string) {
	b.t.Helper()
	must[struct{}](b, "type.put", "science", `{"fields":{"KEYWORDS":{"path":"/metadata/keywords"},`+
		`"LABELS":{"path":"/metadata/labels","operations":["ADD_TO_EXISTING"]}},"keys":[["/metadata/short","/metadata/edition"]],"indexes":["/metadata/place"]}`)
	for i, id := range ids {
		must[collection.Result](b, "collection.put", id, fmt.Sprintf(`{"type":"science","metadata":{"short":"s%d","edition":1,"place":"Rome"}}`, i))
	}
}

// wrongs are requests that are refused, and where each is wrong. All but those about collections that are looked up.
var wrongs = map[string]struct {
	body  string
	code  problem.Code // invalid, if nothing is said
	paths []string
}{
	"no body":                        {"", "", []string{""}},
	"no JSON":                        {`{"targets":`, "", []string{"/targets"}},
	"a list":                         {`[]`, "", []string{""}},
	"a member that we do not know":   {asking(`{"all":true}`, `"force":true`), "", []string{"/force"}},
	"a member in another case":       {asking(`{"all":true}`, `"OnLocked":"wait"`), "", []string{"/OnLocked"}},
	"a member twice":                 {asking(`{"all":true}`, `"name":"a","name":"b"`), "", []string{"/name"}},
	"nothing at all":                 {`{}`, "", []string{"/targets", "/instructions"}},
	"no targets":                     {`{"instructions":[` + tidy + `]}`, "", []string{"/targets"}},
	"targets that are a list":        {asking(`["a"]`), "", []string{"/targets"}},
	"targets of no kind":             {asking(`{}`), "", []string{"/targets"}},
	"targets of an unknown kind":     {asking(`{"names":["a"]}`), "", []string{"/targets/names"}},
	"targets of two kinds":           {asking(`{"ids":["a"],"all":true}`), "", []string{"/targets"}},
	"ids that are a text":            {asking(`{"ids":"ALL"}`), "", []string{"/targets/ids"}},
	"no ids":                         {asking(`{"ids":[]}`), "", []string{"/targets/ids"}},
	"an id that is a number":         {asking(`{"ids":["a",7]}`), "", []string{"/targets/ids/1"}},
	"an id that is null":             {asking(`{"ids":[null]}`), "", []string{"/targets/ids/0"}},
	"blank ids":                      {asking(`{"ids":[""," ","\t"]}`), "", []string{"/targets/ids/0", "/targets/ids/1", "/targets/ids/2"}},
	"all bad ids at once":            {asking(`{"ids":["-a","b","c d","e/f","g.","h"]}`), "", []string{"/targets/ids/0", "/targets/ids/2", "/targets/ids/3", "/targets/ids/4"}},
	"an id that is too long":         {asking(`{"ids":["` + strings.Repeat("a", 129) + `"]}`), "", []string{"/targets/ids/0"}},
	"ids that are there twice":       {asking(`{"ids":["a","b","a","c","b","a"]}`), "", []string{"/targets/ids/2", "/targets/ids/4", "/targets/ids/5"}},
	"bad ids, and one twice":         {asking(`{"ids":["a","","a"]}`), "", []string{"/targets/ids/1", "/targets/ids/2"}},
	"all, but not":                   {asking(`{"all":false}`), "", []string{"/targets/all"}},
	"all, as a text":                 {asking(`{"all":"yes"}`), "", []string{"/targets/all"}},
	"no items":                       {asking(`{"items":[]}`), "", []string{"/targets/items"}},
	"an item that is a text":         {asking(`{"items":["a"]}`), "", []string{"/targets/items/0"}},
	"an item of nothing":             {asking(`{"items":[{}]}`), "", []string{"/targets/items/0"}},
	"an item with an unknown member": {asking(`{"items":[{"id":"a","revision":7}]}`), "", []string{"/targets/items/0/revision"}},
	"an item with an id and a key":   {asking(`{"items":[{"id":"a","key":{"/metadata/short":"x"}}]}`, `"type":"science"`), "", []string{"/targets/items/0"}},
	"items with bad ids":             {asking(`{"items":[{"id":""},{"id":"a"},{"id":7},{"id":"-"}]}`), "", []string{"/targets/items/0/id", "/targets/items/2/id", "/targets/items/3/id"}},
	"items that are there twice":     {asking(`{"items":[{"id":"a"},{"id":"a","version":7}]}`), "", []string{"/targets/items/1"}},
	"a version of nothing":           {asking(`{"items":[{"id":"a","version":0},{"id":"b","version":"7"},{"id":"c","version":-1}]}`), "", []string{"/targets/items/0/version", "/targets/items/1/version", "/targets/items/2/version"}},
	"a value of nothing":             {asking(`{"items":[{"id":"a","value":null}]}`), "", []string{"/targets/items/0/value"}},
	"a value that is too long":       {asking(`{"items":[{"id":"a","value":"` + strings.Repeat("x", bulk.ValueMaxBytes) + `"}]}`), "", []string{"/targets/items/0/value"}},
	"a key without a type":           {asking(`{"items":[{"key":{"/metadata/short":"x"}}]}`), "", []string{"/targets/items/0/key"}},
	"a key that is a text":           {asking(`{"items":[{"key":"x"}]}`, `"type":"science"`), "", []string{"/targets/items/0/key"}},
	"an empty key":                   {asking(`{"keys":[{}]}`, `"type":"science"`), "", []string{"/targets/keys/0"}},
	"keys without a type":            {asking(`{"keys":[{"/metadata/short":"x"}]}`), "", []string{"/type"}},
	"a query without a type":         {asking(`{"query":{"/metadata/place":"Rome"}}`), "", []string{"/type"}},
	"a query for everything":         {asking(`{"query":{}}`, `"type":"science"`), "", []string{"/targets/query"}},
	"a query that is a text":         {asking(`{"query":"Rome"}`, `"type":"science"`), "", []string{"/targets/query"}},
	"an upload that is no id":        {asking(`{"upload":"a b"}`), "", []string{"/targets/upload"}},
	"an upload of nobody":            {asking(`{"upload":"none"}`), problem.NotFound, nil},
	"a type that is none":            {asking(`{"ids":["a"]}`, `"type":"none"`), problem.NotFound, []string{"/type"}},
	"a type that is no id":           {asking(`{"ids":["a"]}`, `"type":"a b"`), "", []string{"/type"}},
	"a name of nothing":              {asking(`{"ids":["a"]}`, `"name":""`), "", []string{"/name"}},
	"a blank name":                   {asking(`{"ids":["a"]}`, `"name":" \t"`), "", []string{"/name"}},
	"a name of digits":               {asking(`{"ids":["a"]}`, `"name":"0815"`), "", []string{"/name"}},
	"a name with a line end":         {asking(`{"ids":["a"]}`, `"name":"a\nb"`), "", []string{"/name"}},
	"a name that is too long":        {asking(`{"ids":["a"]}`, `"name":"`+strings.Repeat("n", 256)+`"`), "", []string{"/name"}},
	"a name that is a number":        {asking(`{"ids":["a"]}`, `"name":7`), "", []string{"/name"}},
	"a name that is no UTF-8":        {asking(`{"ids":["a"]}`, "\"name\":\"\xff\""), "", []string{"/name"}},
	"onLocked of another kind":       {asking(`{"ids":["a"]}`, `"onLocked":"queue"`), "", []string{"/onLocked"}},
	"onLocked that is nothing":       {asking(`{"ids":["a"]}`, `"onLocked":""`), "", []string{"/onLocked"}},
	"no items a second":              {asking(`{"ids":["a"]}`, `"itemsPerSecond":0`), "", []string{"/itemsPerSecond"}},
	"too many items a second":        {asking(`{"ids":["a"]}`, `"itemsPerSecond":1000001`), "", []string{"/itemsPerSecond"}},
	"half an item a second":          {asking(`{"ids":["a"]}`, `"itemsPerSecond":0.5`), "", []string{"/itemsPerSecond"}},
	"a reason that is too long":      {asking(`{"ids":["a"]}`, `"reason":"`+strings.Repeat("r", 1025)+`"`), "", []string{"/reason"}},
	"no instructions":                {`{"targets":{"all":true}}`, "", []string{"/instructions"}},
	"instructions that are none":     {instructing(`[]`), "", []string{"/instructions"}},
	"an instruction of no type":      {instructing(`[{"path":"/metadata/a"}]`), "", []string{"/instructions/0/type"}},
	"an unknown update type":         {instructing(`[` + tidy + `,{"type":"REPLACE","path":"/metadata/a"}]`), "", []string{"/instructions/1/type"}},
	"an instruction without a path":  {instructing(`[{"type":"CLEAR_FIELD"}]`), "", []string{"/instructions/0/path"}},
	"no value":                       {instructing(`[{"type":"ADD_TO_EXISTING","path":"/metadata/a"}]`), "", []string{"/instructions/0/value"}},
	"a value that does not fit":      {instructing(`[{"type":"FIND_AND_UPDATE","path":"/metadata/a","find":{"a":1},"value":[{"a":2}]}]`), "", []string{"/instructions/0/value"}},
	"no find":                        {instructing(`[{"type":"FIND_AND_REMOVE","path":"/metadata/a"}]`), "", []string{"/instructions/0/find"}},
	"a find that matches everything": {instructing(`[{"type":"FIND_AND_REMOVE","path":"/metadata/a","find":{}}]`), "", []string{"/instructions/0/find"}},
	"a text that is everywhere":      {instructing(`[{"type":"REMOVE_TEXT","path":"/metadata/a","find":""}]`), "", []string{"/instructions/0/find"}},
	"a field without a type":         {instructing(`[{"type":"CLEAR_FIELD","field":"KEYWORDS"}]`), "", []string{"/instructions/0/field", "/type"}},
	"an unknown field":               {instructing(`[{"type":"CLEAR_FIELD","field":"KEYWORD"}]`, `"type":"science"`), "", []string{"/instructions/0/field"}},
	"what the field does not take":   {instructing(`[{"type":"CLEAR_FIELD","field":"LABELS"}]`, `"type":"science"`), "", []string{"/instructions/0/type"}},
	"values of items that are none":  {instructing(`[{"type":"ADD_TO_EXISTING","path":"/metadata/a","valueFrom":"/a"}]`), "", []string{"/instructions/0"}},
	"items without their values": {`{"targets":{"items":[{"id":"a","value":{"a":1}},{"id":"b"}]},"instructions":[{"type":"ADD_TO_EXISTING","path":"/metadata/a","valueFrom":"/a"}]}`,
		"", []string{"/targets/items/1/value"}},
	"values that no instruction takes": {asking(`{"items":[{"id":"a","value":1},{"id":"b"},{"id":"c","value":{}}]}`), "",
		[]string{"/targets/items/0/value", "/targets/items/2/value"}},
	"a value that the type does not take": {instructing(`[` + tidy + `,{"type":"CLEAR_FIELD","path":"/metadata/a","value":1}]`), "", []string{"/instructions/1/value"}},
	"valueFrom that it does not take":     {instructing(`[{"type":"CLEAR_FIELD","path":"/metadata/a","valueFrom":""}]`), "", []string{"/instructions/0/valueFrom"}},
	"wrong instructions hide nothing else": {`{"targets":{"items":[{"id":"a","value":1}]},"instructions":[{"type":"CLEAR"}]}`, "",
		[]string{"/instructions/0/path", "/instructions/0/type"}},
	"many things at once": {`{"name":7,"type":"a b","targets":{"ids":[]},"onLocked":"x","itemsPerSecond":0,"reason":1}`, "",
		[]string{"/name", "/type", "/targets/ids", "/onLocked", "/itemsPerSecond", "/reason", "/instructions"}},
	"targets and instructions at once": {`{"targets":{"ids":["a","a",""]},"instructions":[{"type":"CLEAR"}]}`, "",
		[]string{"/instructions/0/path", "/instructions/0/type", "/targets/ids/1", "/targets/ids/2"}},
}

// TestWrongBulkUpdates: each is refused with the places, and changes nothing: no task, no name, no number.
func TestWrongBulkUpdates(t *testing.T) {
	b := start(t, vfs.NewMem())
	shelves(b, "a", "b")
	for name, row := range wrongs {
		t.Run(name, func(t *testing.T) {
			for _, options := range [][]option{nil, {param("dryRun", "true")}, {with("Idempotency-Key", "k")}} {
				code := row.code
				if code == "" {
					code = problem.Invalid
				}
				p := b.refused(code, "bulk.submit", "", row.body, options...)
				var paths []string
				for _, e := range p.Errors {
					paths = append(paths, e.Path)
				}
				slices.Sort(paths)
				slices.Sort(row.paths)
				if !slices.Equal(paths, row.paths) {
					t.Errorf("%v: at %q, want %q", p, paths, row.paths)
				}
			}
		})
	}
	if page := must[api.BulkPage](b, "bulk.list", "", ""); len(page.Items) != 0 {
		t.Errorf("tasks: %+v", page)
	}
	task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`), with("Idempotency-Key", "k"))
	if task.Number != 1 {
		t.Errorf("the first task has the number %d", task.Number)
	}
}

// TestBothPlacesAreTold: what is there twice is told with where it is first.
func TestBothPlacesAreTold(t *testing.T) {
	b := start(t, vfs.NewMem())
	p := b.refused(problem.Invalid, "bulk.submit", "", asking(`{"ids":["a","b","c","b"]}`))
	if len(p.Errors) != 1 || p.Errors[0].Path != "/targets/ids/3" || !strings.Contains(p.Errors[0].Message, `"b"`) ||
		!strings.Contains(p.Errors[0].Message, "/targets/ids/1") {
		t.Errorf("%+v", p.Errors)
	}
}

// TestAThousandFaults: so many are named, and no more are looked for.
func TestAThousandFaults(t *testing.T) {
	b := start(t, vfs.NewMem())
	p := b.refused(problem.Invalid, "bulk.submit", "", asking(`{"ids":["-`+strings.Repeat(`","-`, 5000)+`"]}`))
	if len(p.Errors) != bulkFaultsMax || !strings.Contains(p.Detail, "at least 1000 errors") {
		t.Errorf("%d errors: %s", len(p.Errors), p.Detail)
	}
	ids := make([]string, 3000)
	for i := range ids {
		ids[i] = fmt.Sprint("c", i%1000)
	}
	list, _ := json.Marshal(ids)
	if p := b.refused(problem.Invalid, "bulk.submit", "", asking(`{"ids":`+string(list)+`}`)); len(p.Errors) != bulkFaultsMax || p.Errors[0].Path != "/targets/ids/1000" {
		t.Errorf("%d errors, the first %+v", len(p.Errors), p.Errors[0])
	}
}

// TestTargetsThatAreLookedUp: keys and queries that the type does not declare are refused where they stand.
func TestTargetsThatAreLookedUp(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	shelves(b, "a", "b", "c")
	b.untilBuilt("science")
	science := `"type":"science"`
	for name, row := range map[string]struct {
		body string
		code problem.Code
		path string
	}{
		"a key that is not declared":      {asking(`{"keys":[{"/metadata/short":"s0","/metadata/edition":1},{"/metadata/short":"s0"}]}`, science), problem.SchemaInvalid, "/targets/keys/1"},
		"a key of an item":                {asking(`{"items":[{"id":"a"},{"key":{"/metadata/long":"s0"}}]}`, science), problem.SchemaInvalid, "/targets/items/1/key"},
		"a query that is not declared":    {asking(`{"query":{"/metadata/time":7}}`, science), problem.SchemaInvalid, "/targets/query/~1metadata~1time"},
		"a query that finds nothing":      {asking(`{"query":{"/metadata/place":"Paris"}}`, science), problem.Invalid, "/targets/query"},
		"two keys of one collection":      {asking(`{"items":[{"id":"b"},{"key":{"/metadata/short":"s0","/metadata/edition":1}},{"key":{"/metadata/edition":1.0,"/metadata/short":"s0"}}]}`, science), problem.Invalid, "/targets/items/2"},
		"a key of what is named by an id": {asking(`{"items":[{"key":{"/metadata/short":"s1","/metadata/edition":1}},{"id":"b"}]}`, science), problem.Invalid, "/targets/items/1"},
	} {
		t.Run(name, func(t *testing.T) {
			p := b.refused(row.code, "bulk.submit", "", row.body)
			if len(p.Errors) != 1 || !strings.HasPrefix(p.Errors[0].Path, row.path) {
				t.Errorf("%v, want it at %s", p, row.path)
			}
		})
	}
	must[struct{}](b, "type.put", "empty", `{}`)
	b.refused(problem.Invalid, "bulk.submit", "", asking(`{"all":true}`, `"type":"empty"`))
	if page := must[api.BulkPage](b, "bulk.list", "", ""); len(page.Items) != 0 {
		t.Errorf("tasks: %+v", page)
	}
}

// TestTooManyItems: one more than the bound is too large, wherever the items come from.
func TestTooManyItems(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	shelves(b, "a", "b", "c", "d")
	b.untilBuilt("science")
	b.service.Limits.Bulk.ItemsMax = 3
	for _, targets := range []string{`{"ids":["a","b","c","d"]}`, `{"items":[{"id":"a"},{"id":"b"},{"id":"c"},{"id":"d"}]}`, `{"all":true}`,
		`{"query":{"/metadata/place":"Rome"}}`, `{"upload":"` + b.upload([]byte("a\nb\nc\nd")) + `"}`} {
		if p := b.refused(problem.TooLarge, "bulk.submit", "", asking(targets, `"type":"science"`)); p.Status() != 413 {
			t.Errorf("%s: %v", targets, p)
		}
	}
	must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a","b","c"]}`))
}
