package operations

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collection"
	"concord/actors/editsession"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport/api"
)

// books is a service with books: collections of a type with keys and an index. Their editions are numbers, and one is a text.
func books(t *testing.T) *bench {
	t.Helper()
	b := startWith(t, vfs.NewMem(), true)
	must[struct{}](b, "type.put", "book", `{"keys":[["/metadata/isbn"],["/metadata/title","/metadata/edition"]],"indexes":["/metadata/place"]}`)
	for id, metadata := range map[string]string{
		"b1": `{"isbn":"111","title":"Jazz","edition":1,"place":"Rome"}`, "b2": `{"isbn":"222","title":"Jazz","edition":2,"place":"Rome"}`,
		"b3": `{"isbn":"333","title":"Bebop","edition":"2","place":"Paris"}`, "b4": `{"isbn":"333","title":"Swing, \"live\"","edition":1}`,
		"b5": `{"isbn":555,"title":"Ragtime","edition":7}`,
	} {
		must[collection.Result](b, "collection.put", id, `{"type":"book","metadata":`+metadata+`}`)
	}
	must[collection.Result](b, "collection.put", "plain", `{"metadata":{}}`)
	must[collection.Result](b, "collection.put", "gone", `{"type":"book","metadata":{}}`)
	must[any](b, "collection.delete", "gone", "")
	b.untilBuilt("book")
	return b
}

// rowsOf are all rows of a session, page by page: "2 x -> b1" is what line 2 has led to.
func (b *bench) rowsOf(session string, options ...option) string {
	b.t.Helper()
	var lines []string
	next := ""
	for {
		page := must[api.EditRecordPage](b, "edit.records", session, "", append(slices.Clone(options), param("cursor", next))...)
		for _, row := range page.Items {
			what := row.ID
			if row.State != "MATCHED" {
				what = strings.TrimSpace(row.State + " " + row.ID)
			}
			lines = append(lines, strings.ReplaceAll(fmt.Sprintf("%d %s -> %s", row.Line, row.Identifier, what), "  ", " "))
		}
		if next = page.Next; next == "" {
			return strings.Join(lines, "; ")
		}
	}
}

// TestMatching: what identifiers lead to, however they come.
func TestMatching(t *testing.T) {
	b := books(t)
	const titled = `"type":"book","by":["/metadata/title","/metadata/edition"],"columns":["title","edition"]`
	for name, row := range map[string]struct {
		file, body string // the body has the upload of the file, if there is one
		want       string
	}{
		"ids":                       {"", `"ids":["b1","b2","nobody","b1","plain","gone"," b2"]`, "1 -> b1; 2 -> b2; 3 nobody -> NOT_FOUND; 4 -> DUPLICATE b1; 5 -> plain; 6 gone -> NOT_FOUND; 7 b2 -> NOT_FOUND"},
		"ids of a type":             {"", `"type":"book","ids":["b1","plain"]`, "1 -> b1; 2 plain -> NOT_FOUND"},
		"a file of ids":             {"b1\r\n\r\nno such id!\r\nb1\r\n", ``, "1 -> b1; 3 no such id! -> NOT_FOUND; 4 -> DUPLICATE b1"},
		"a column of ids":           {"\uFEFFname,id\nx,b2\ny,b3", `"columns":["id"]`, "2 -> b2; 3 -> b3"},
		"JSON lines of ids":         {"{\"id\":\"b2\"}\n\"b3\"\n{\"id\":\"b2\",\"x\":1}", ``, "1 -> b2; 2 -> b3; 3 -> DUPLICATE b2"},
		"texts of a key":            {"", `"type":"book","by":["/metadata/isbn"],"ids":["111","999"]`, "1 111 -> b1; 2 999 -> NOT_FOUND"},
		"numbers and texts in CSV":  {"isbn\n111\n555\n333\n", `"type":"book","by":["/metadata/isbn"],"columns":["isbn"]`, "2 111 -> b1; 3 555 -> b5; 4 333 -> AMBIGUOUS"},
		"numbers in JSON lines":     {"{\"isbn\":111}\n{\"isbn\":555.0}\n{\"isbn\":\"555\"}\n", `"type":"book","by":["/metadata/isbn"],"columns":["isbn"]`, "1 111 -> NOT_FOUND; 2 555.0 -> b5; 3 555 -> NOT_FOUND"},
		"a key of two columns":      {"edition,x,title\n1,a,Jazz\n2,b,Jazz\n2,c,Bebop\n1,d,\"Swing, \"\"live\"\"\"\n1,e,Jazz\n3,f,Jazz\n", titled, `2 ["Jazz","1"] -> b1; 3 ["Jazz","2"] -> b2; 4 ["Bebop","2"] -> b3; 5 ["Swing, \"live\"","1"] -> b4; 6 ["Jazz","1"] -> DUPLICATE b1; 7 ["Jazz","3"] -> NOT_FOUND`},
		"two columns in JSON lines": {"{\"title\":\"Jazz\",\"edition\":1}\n{\"title\":\"Jazz\",\"edition\":\"1\"}\n", titled, `1 ["Jazz",1] -> b1; 2 ["Jazz","1"] -> NOT_FOUND`},
		"a query":                   {"", `"type":"book","query":{"/metadata/place":"Rome"}`, "0 -> b1; 0 -> b2"},
		"a query that finds none":   {"", `"type":"book","query":{"/metadata/place":"Oslo"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			body := row.body
			if row.file != "" {
				body = strings.Trim(`"upload":"`+b.upload([]byte(row.file))+`",`+row.body, ",")
			}
			opened := must[api.EditSession](b, "edit.open", "", `{`+body+`}`)
			if got := b.rowsOf(opened.Session, param("limit", "2")); got != row.want {
				t.Errorf("rows %s, want\n%s", got, row.want)
			}
			if c := opened.Counts; opened.State != "READY" || c.Total() != opened.Rows || opened.Owner != "ann" || opened.Keep != "all" ||
				c.Matched != uint64(strings.Count(row.want, " -> b")+strings.Count(row.want, " -> plain")) {
				t.Errorf("%+v", opened)
			}
			matched := b.rowsOf(opened.Session, param("state", "MATCHED"))
			var same []string
			for _, line := range strings.Split(row.want, "; ") {
				if !strings.Contains(line, "NOT_FOUND") && !strings.Contains(line, "DUPL") && !strings.Contains(line, "AMBI") {
					same = append(same, line)
				}
			}
			if matched != strings.Join(same, "; ") {
				t.Errorf("matched rows %s", matched)
			}
		})
	}
	b.t = t
	why := must[api.EditRecordPage](b, "edit.records", must[api.EditSession](b, "edit.open", "",
		`{"ids":["b1","b1","x!","nobody","gone"]}`).Session, "").Items
	var messages []string
	for _, row := range why {
		messages = append(messages, row.Message)
	}
	if want := []string{"", "/ids/0 has it already", "it is no id of a collection", "there is no such collection", "there is no such collection"}; !slices.Equal(messages, want) {
		t.Errorf("%q", messages)
	}
}

// TestWrongSessions: each request is refused with the places, whether it opens a session or matches for one, and changes nothing.
func TestWrongSessions(t *testing.T) {
	b := books(t)
	session := must[api.EditSession](b, "edit.open", "", `{"type":"book","ids":["b1"]}`)
	key := `"type":"book","by":["/metadata/title","/metadata/edition"]`
	for name, row := range map[string]struct {
		file, body string
		code       problem.Code
		paths      string
	}{
		"nothing":                            {"", `{}`, problem.Invalid, ""},
		"no object":                          {"", `[]`, problem.Invalid, ""},
		"no JSON":                            {"", `{"ids":`, problem.Invalid, "/ids"},
		"a member that we do not know":       {"", `{"ids":["b1"],"force":true}`, problem.Invalid, "/force"},
		"two sources":                        {"", `{"ids":["b1"],"upload":"x"}`, problem.Invalid, "/ids"},
		"ids that are a text":                {"", `{"ids":"b1"}`, problem.Invalid, "/ids"},
		"no ids":                             {"", `{"ids":[]}`, problem.Invalid, "/ids"},
		"an id that is a number":             {"", `{"ids":["b1",7]}`, problem.Invalid, "/ids/1"},
		"an upload that is no id":            {"", `{"upload":"a b"}`, problem.Invalid, "/upload"},
		"an upload of nobody":                {"", `{"upload":"none"}`, problem.NotFound, ""},
		"a format of no sort":                {"", `{"upload":"x","format":"xml"}`, problem.Invalid, "/format"},
		"a format of ids":                    {"", `{"ids":["b1"],"format":"csv"}`, problem.Invalid, "/format"},
		"columns of ids":                     {"", `{"ids":["b1"],"columns":["x"]}`, problem.Invalid, "/columns"},
		"no columns":                         {"", `{"upload":"x","columns":[]}`, problem.Invalid, "/columns"},
		"a column twice":                     {"", `{"upload":"x","columns":["a","a"]}`, problem.Invalid, "/columns/1"},
		"a column without a name":            {"", `{"upload":"x","columns":[""]}`, problem.Invalid, "/columns/0"},
		"many columns":                       {"", `{"upload":"x","columns":["1","2","3","4","5","6","7","8","9"]}`, problem.Invalid, "/columns"},
		"a long column":                      {"", `{"upload":"x","columns":["` + strings.Repeat("x", columnMaxBytes+1) + `"]}`, problem.Invalid, "/columns/0"},
		"more columns than paths":            {"", `{"upload":"x","columns":["a","b"]}`, problem.Invalid, "/columns"},
		"a key of a query":                   {"", `{"type":"book","query":{"/metadata/place":"Rome"},"by":["/metadata/isbn"]}`, problem.Invalid, "/by"},
		"a key of two paths for ids":         {"", `{` + key + `,"ids":["x"]}`, problem.Invalid, "/by"},
		"a key of two paths without columns": {"", `{` + key + `,"upload":"x"}`, problem.Invalid, "/columns"},
		"a key that is not declared":         {"", `{"type":"book","by":["/metadata/place"],"ids":["x"]}`, problem.SchemaInvalid, "/by"},
		"a key that is no path":              {"", `{"type":"book","by":["place"],"ids":["x"]}`, problem.Invalid, "/by/place"},
		"a query that is not declared":       {"", `{"type":"book","query":{"/metadata/isbnx":"Rome"}}`, problem.SchemaInvalid, "/query/~1metadata~1isbnx"},
		"a query for everything":             {"", `{"type":"book","query":{}}`, problem.Invalid, "/query"},
		"an empty file":                      {"\uFEFF", `{}`, problem.Invalid, "/upload"},
		"a file of blank lines":              {"\n\n \n", `{}`, problem.Invalid, "/upload"},
		"a file with a header alone":         {"id,name\n", `{"columns":["id"]}`, problem.Invalid, "/upload"},
		"a binary file":                      {"PK\x03\x04\x00", `{}`, problem.Invalid, "line 1"},
		"a file that is not UTF-8":           {"b1\nM\xfcller\n", `{}`, problem.Invalid, "line 2"},
		"a column that the file has not":     {"name,no\nx,b1\n", `{"columns":["id"]}`, problem.Invalid, "/columns/0"},
		"a row that is too short":            {"name,id\nx,b1\ny\n", `{"columns":["id"]}`, problem.Invalid, "line 3"},
		"several columns, none named":        {"b1,b2\n", `{}`, problem.Invalid, "line 1"},
		"a quote that is not ended":          {"b1\n\"b2\nb3\n", `{}`, problem.Invalid, "line 2"},
		"a line that is no JSON":             {"{\"id\":\"b1\"}\nb2\n", `{}`, problem.Invalid, "line 2"},
		"a long identifier":                  {"b1\n" + strings.Repeat("x", editsession.IdentifierBytes+1), `{}`, problem.Invalid, "line 2"},
		"a bad line behind many good ones":   {strings.Repeat("b1\n", 3*editsession.ChunkRows) + "b1,b2\n", `{}`, problem.Invalid, "line 3001"},
		"more rows than a session may have":  {strings.Repeat("b1\n", 5*editsession.ChunkRows+1), `{}`, problem.TooLarge, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.service.Limits.Edit.RowsMax = 5 * editsession.ChunkRows
			body := row.body
			if row.file != "" {
				body = strings.Replace(`{"upload":"`+b.upload([]byte(row.file))+`",`+row.body[1:], ",}", "}", 1)
			}
			refused := func(operation, id, body string) {
				p := b.refused(row.code, operation, id, body)
				var paths []string
				for _, e := range p.Errors {
					paths = append(paths, e.Path)
				}
				if got := strings.Join(paths, " "); got != row.paths {
					t.Errorf("%s: %v: at %q, want %q", operation, p, got, row.paths)
				}
			}
			refused("edit.open", "", body)
			refused("edit.match", session.Session, strings.NewReplacer(`"type":"book",`, "").Replace(body))
		})
	}
	b.t = t
	for path, body := range map[string]string{
		"/name": `{"ids":["b1"],"name":" "}`, "/name ": `{"ids":["b1"],"name":"a\nb"}`, "/name  ": `{"ids":["b1"],"name":"` + strings.Repeat("x", 256) + `"}`,
		"/keep": `{"ids":["b1"],"keep":"none"}`, "/reason": `{"ids":["b1"],"reason":7}`, "/type": `{"ids":["x"],"by":["/metadata/isbn"]}`,
		"/type ": `{"query":{"/metadata/place":"Rome"}}`, "/type  ": `{"ids":["b1"],"type":"a b"}`,
	} {
		if p := b.refused(problem.Invalid, "edit.open", "", body); len(p.Errors) != 1 || p.Errors[0].Path != strings.TrimSpace(path) {
			t.Errorf("%s: %v", body, p)
		}
	}
	b.refused(problem.NotFound, "edit.open", "", `{"ids":["b1"],"type":"none"}`)
	untyped := must[api.EditSession](b, "edit.open", "", `{"ids":["b1"]}`)
	b.refused(problem.Invalid, "edit.match", untyped.Session, `{"ids":["x"],"by":["/metadata/isbn"]}`)
	b.refused(problem.Invalid, "edit.match", untyped.Session, `{"query":{"/metadata/place":"Rome"}}`)
	if after := must[api.EditSession](b, "edit.get", session.Session, ""); after.Rows != 1 || after.Storage.List != session.Storage.List {
		t.Errorf("%+v", after)
	}
	if page := must[api.EditPage](b, "edit.list", "", ""); len(page.Items) != 2 {
		t.Errorf("%d sessions", len(page.Items))
	}
	if open := b.openEdits(); open != 2 {
		t.Errorf("%d sessions and drafts", open)
	}
}

// openEdits counts the sessions that are open, and drafts.
func (b *bench) openEdits() (open int) {
	key := persistence.IndexKey{Kind: persistence.KindEditSession, Name: editsession.IndexOpen, Provider: "p", Term: editsession.OpenTerm}
	for p := range b.store.Partitions() {
		for range b.store.Index(persistence.Partition(p), key, persistence.IndexEntry{}) {
			open++
		}
	}
	return open
}

// TestLongUploads: rows of many chunks stand in their order, and a page begins anywhere.
func TestLongUploads(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[collection.Result](b, "collection.put", "c", `{"metadata":{}}`)
	const rows = 2*editsession.ChunkRows + 7
	var file strings.Builder
	for i := range rows {
		fmt.Fprintf(&file, "x%d\n", i)
	}
	file.WriteString("c\n")
	s := must[api.EditSession](b, "edit.open", "", `{"upload":"`+b.upload([]byte(file.String()))+`"}`)
	if s.Rows != rows+1 || s.Counts != (api.EditCounts{Matched: 1, NotFound: rows}) || s.Storage.List == 0 {
		t.Fatalf("%+v", s)
	}
	got := strings.Split(b.rowsOf(s.Session, param("limit", "999")), "; ")
	for i := range rows {
		if want := fmt.Sprintf("%d x%d -> NOT_FOUND", i+1, i); got[i] != want {
			t.Fatalf("row %d is %s", i, got[i])
		}
	}
	if len(got) != rows+1 || got[rows] != fmt.Sprintf("%d -> c", rows+1) {
		t.Errorf("%d rows, the last %s", len(got), got[len(got)-1])
	}
	if got := b.rowsOf(s.Session, param("state", "MATCHED")); got != fmt.Sprintf("%d -> c", rows+1) {
		t.Errorf("matched: %s", got)
	}
	b.refused(problem.Invalid, "edit.records", s.Session, "", param("state", "LOST"))
}
