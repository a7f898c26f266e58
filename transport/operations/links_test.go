package operations

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// linkShelf is a library with more authorities, and a collection of MARC records.
func linkShelf(t *testing.T) *bench {
	t.Helper()
	b := start(t, vfs.NewMem())
	library(b)
	must[api.LinkChanged](b, "source.put", "local", `{"name":"Local","codes":["l"],"baseUrl":"http://id/local/"}`)
	put := func(id, source, naturalID, field string) {
		must[api.LinkChanged](b, "authority.put", "", fmt.Sprintf(`{"source":"%s","naturalId":"%s","record":%s}`, source, naturalID, marcRecord(field)),
			inDocument(id))
	}
	put("jazz", "names", "s1", marcField("150", "a=Jazz"))
	put("evans-local", "local", "l1", marcField("100", "a=Evans, Bill"))
	put("gone", "names", "n3", marcField("100", "a=Gone, Al"))
	must[api.LinkChanged](b, "authority.delete", "", "", inDocument("gone"))
	return b
}

func (b *bench) marc(id string, documents ...string) {
	b.t.Helper()
	var list []string
	for i, d := range documents {
		list = append(list, fmt.Sprintf(`"d%d":%s`, i+1, d))
	}
	must[map[string]any](b, "collection.put", id, `{"format":"marc","documents":{`+strings.Join(list, ",")+`}}`)
}

// TestSuggestions: what is found for the fields of a document.
func TestSuggestions(t *testing.T) {
	b := linkShelf(t)
	for name, row := range map[string]struct {
		field, request string
		want           string // status, and the authorities
	}{
		"an exact heading, but for the full stop": {marcField("700", "a=Davis, Miles,", "d=1926-1991."), ``, "found davis"},
		"the heading of somebody else":            {marcField("700", "a=Davis, Art"), ``, "none"},
		"a heading that two have":                 {marcField("700", "a=Evans, Bill"), ``, "several evans evans-local"},
		"of one source there is one":              {marcField("700", "a=Evans, Bill"), `,"source":"local"`, "found evans-local"},
		"a field that is no name":                 {marcField("650", "a=Davis, Miles,", "d=1926-1991"), ``, "none"},
		"a topic":                                 {marcField("650", "a=Jazz"), ``, "found jazz"},
		"a deleted authority":                     {marcField("700", "a=Gone, Al"), ``, "none"},
		"what $0 ends in":                         {marcField("700", "a=Evans (Piano)", "0=http://elsewhere/n2"), ``, "found evans"},
		"$0 goes before the text":                 {marcField("700", "a=Evans, Bill", "0=(x)l1"), ``, "found evans-local"},
		"$0 says nothing, the text does":          {marcField("700", "a=Davis, Miles,", "d=1926-1991", "0=http://elsewhere/n999"), ``, "found davis"},
		"by natural id alone":                     {marcField("700", "a=Davis, Miles,", "d=1926-1991", "0=http://elsewhere/n999"), `,"by":"naturalId"`, "none"},
		"by heading alone":                        {marcField("700", "a=Davis, Miles,", "d=1926-1991", "0=http://elsewhere/n2"), `,"by":"heading"`, "found davis"},
		"a natural id of a topic in a name field": {marcField("700", "a=Nobody", "0=http://elsewhere/s1"), ``, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			document := marcRecord(marcField("245", "a=A title"), row.field)
			got := must[api.Suggestions](b, "link.suggest", "", fmt.Sprintf(`{"document":%s%s}`, document, row.request))
			if len(got.Items) != 1 || got.Items[0].Path != "/fields/1/"+got.Items[0].Field {
				t.Fatalf("items %+v", got.Items)
			}
			s := got.Items[0]
			told := strings.TrimSpace(strings.Join(append([]string{s.Status, s.Authority}, s.Also...), " "))
			if told = strings.Join(strings.Fields(told), " "); told != row.want {
				t.Errorf("%s, want %s", told, row.want)
			}
			linked := s.Authority != "" && strings.Contains(string(got.Document), `{"9":"`+s.Authority+`"}`)
			if s.Status == statusFound && !linked || s.Status != statusFound && compact(got.Document) != document {
				t.Errorf("document %s", got.Document)
			}
		})
	}
}

func TestSuggestionsOfJSON(t *testing.T) {
	b := linkShelf(t)
	got := must[api.Suggestions](b, "link.suggest", "", `{"format":"json","document": { "by" : {"authorityId":null,"label":"Davis, Miles, 1926-1991"} }}`)
	if len(got.Items) != 1 || got.Items[0].Status != statusFound || got.Items[0].Path != "/by" {
		t.Fatalf("%+v", got)
	}
	if want := `{ "by" : {"authorityId":"davis","label":"Davis, Miles, 1926-1991"} }`; string(got.Document) != want {
		t.Errorf("document %s", got.Document)
	}
}

func TestWrongLinkRequests(t *testing.T) {
	b := linkShelf(t)
	b.marc("records", marcRecord(marcField("700", "a=Jazz")))
	many := strings.Repeat(marcField("700", "a=Somebody")+",", suggestMaxFields) + marcField("700", "a=Somebody")
	for name, row := range map[string]struct {
		operation, body string
		options         []option
		code            problem.Code
		path            string
	}{
		"suggestions for nothing":          {"link.suggest", `{}`, nil, problem.Invalid, "/document"},
		"a format that there is not":       {"link.suggest", `{"document":{},"format":"xml"}`, nil, problem.Invalid, "/format"},
		"a type that is no id":             {"link.suggest", `{"document":{},"type":"a b"}`, nil, problem.Invalid, "/type"},
		"a source that there is not":       {"link.suggest", `{"document":{},"source":"none"}`, nil, problem.Invalid, "/source"},
		"found by what":                    {"link.suggest", `{"document":{},"by":"title"}`, nil, problem.Invalid, "/by"},
		"a record that is not MARC":        {"link.suggest", `{"document":{"fields":[{"700":{"subfields":7}}]}}`, nil, problem.Invalid, "/document/fields/0/700/subfields"},
		"more fields than one may ask for": {"link.suggest", `{"document":` + marcRecord(many) + `}`, nil, problem.TooLarge, ""},
		"an unknown member":                {"link.auto", `{"collections":"records"}`, nil, problem.Invalid, "/collections"},
		"links of no collection":           {"link.auto", `{}`, nil, problem.Invalid, "/collection"},
		"of one that there is not":         {"link.auto", `{"collection":"none"}`, nil, problem.NotFound, ""},
		"the lock cannot go in between":    {"link.auto", `{"collection":"records"}`, []option{with("Lock-Token", "t"), with("Lock-Release", "true")}, problem.Invalid, "header Lock-Release"},
		"a token that is none":             {"link.auto", `{"collection":"records"}`, []option{with("Lock-Token", "t")}, problem.StaleToken, ""},
		"whose links":                      {"link.list", ``, nil, problem.Invalid, "source"},
		"of two":                           {"link.list", ``, []option{param("source", "names"), param("collection", "records")}, problem.Invalid, "source"},
		"of what is no id":                 {"link.list", ``, []option{param("authority", "..")}, problem.Invalid, "authority"},
		"a collection that there is not":   {"link.list", ``, []option{param("collection", "none")}, problem.NotFound, ""},
		"a cursor of somebody else":        {"link.list", ``, []option{param("collection", "records"), param("cursor", cursor{After: "d1"}.String())}, problem.Invalid, "cursor"},
		"no cursor at all":                 {"link.list", ``, []option{param("source", "names"), param("cursor", "!")}, problem.Invalid, "cursor"},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			if name == "a token that is none" {
				b.marc("others", marcRecord(marcField("700", "a=Davis, Miles,", "d=1926-1991")))
				row.body = `{"collection":"others"}`
			}
			p := b.refused(row.code, row.operation, "", row.body, row.options...)
			if row.path != "" && (len(p.Errors) != 1 || p.Errors[0].Path != row.path) {
				t.Errorf("names %+v, want %s", p.Errors, row.path)
			}
		})
	}
}

// listed is a list of links page by page, one line for each.
func (b *bench) listed(limit int, name, value string) (lines []string) {
	b.t.Helper()
	options := []option{param(name, value), param("limit", fmt.Sprint(limit))}
	for pages := 0; ; pages++ {
		if pages > 100 {
			b.t.Fatal("the list has no end")
		}
		page := must[api.LinkPage](b, "link.list", "", "", options...)
		if len(page.Items) > limit {
			b.t.Fatalf("%d items", len(page.Items))
		}
		for _, l := range page.Items {
			lines = append(lines, fmt.Sprintf("%s/%s %s %s %d", l.Collection, l.Document, l.Authority, strings.Join(l.Fields, ","), l.URLRevision))
		}
		if page.Next == "" {
			return lines
		}
		options = append(options[:2:2], param("cursor", page.Next))
	}
}

// TestLinksAreListed: by source, by authority and by collection; the pages together are the list, whatever their size.
func TestLinksAreListed(t *testing.T) {
	b := linkShelf(t)
	both := marcRecord(marcField("100", "a=Davis, Miles,", "d=1926-1991", "9=davis"), marcField("700", "a=Evans, Bill", "9=evans"),
		marcField("700", "a=Evans, Bill", "9=evans-local"), marcField("700", "a=Davis, Miles,", "d=1926-1991", "9=davis"))
	for _, c := range []string{"c1", "c2", "c3", "dropped", "again"} {
		b.marc(c, both, marcRecord(marcField("245", "a=No link")), both)
	}
	must[any](b, "collection.delete", "dropped", "")
	must[any](b, "collection.delete", "again", "")
	b.marc("again", marcRecord(marcField("700", "a=Jazz")), both)
	must[any](b, "document.delete", "c3", "", inDocument("d3"))
	var names, local []string
	for _, d := range []string{"c1/d1", "c1/d3", "c2/d1", "c2/d3", "c3/d1", "again/d2"} {
		names = append(names, d+" davis 100,700 1", d+" evans 700 1")
		local = append(local, d+" evans-local 700 1")
	}
	for _, limit := range []int{1, 2, 3, 1000} {
		for _, row := range []struct {
			by, of string
			want   []string
		}{
			{"source", "names", names},
			{"source", "local", local},
			{"source", "nobodys", nil},
			{"authority", "evans-local", local},
			{"authority", "nobody", nil},
			{"collection", "c1", []string{"c1/d1 davis 100,700 1", "c1/d1 evans 700 1", "c1/d1 evans-local 700 1",
				"c1/d3 davis 100,700 1", "c1/d3 evans 700 1", "c1/d3 evans-local 700 1"}},
		} {
			got := b.listed(limit, row.by, row.of)
			if row.by != "collection" { // the order of the partitions is nobody's business
				slices.Sort(got)
				slices.Sort(row.want)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("%s %s, %d a page (-want +got): %s", row.by, row.of, limit, diff)
			}
		}
	}
	one := must[api.LinkPage](b, "link.list", "", "", param("collection", "c1"), param("limit", "1")).Items[0]
	want := api.Link{Collection: "c1", Document: "d1", Authority: "davis", Source: "names", NaturalID: "n1", URI: "http://id/names/n1",
		Fields: []string{"100", "700"}, Revision: 1, URLRevision: 1}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Errorf("a link (-want +got): %s", diff)
	}
}

// TestLinkAuto: a collection is linked in one version, where there is exactly one authority; what is linked or in doubt stays.
func TestLinkAuto(t *testing.T) {
	b := linkShelf(t)
	miles := marcField("100", "a=Davis, Miles,", "d=1926-1991")
	b.marc("records",
		marcRecord(miles, marcField("700", "a=Evans, Bill"), marcField("650", "a=Jazz.")),
		marcRecord(marcField("700", "a=Nobody")),
		marcRecord(marcField("700", "a=Davis, Miles,", "d=1926-1991", "9=davis")),
		`{"fields":"no MARC"}`)
	before := b.document("records", "d2")
	tried := must[api.AutoLinked](b, "link.auto", "", `{"collection":"records"}`, param("dryRun", "true"))
	want := api.AutoLinked{Collection: "records", Documents: 4, Changed: 1, Linked: 2, None: 1, Several: 1, Versions: []uint64{}, Failed: 1}
	if diff := cmp.Diff(want, tried); diff != "" {
		t.Errorf("dry run (-want +got): %s", diff)
	}
	want.Versions = []uint64{2}
	if diff := cmp.Diff(want, must[api.AutoLinked](b, "link.auto", "", `{"collection":"records","reason":"first links"}`)); diff != "" {
		t.Errorf("(-want +got): %s", diff)
	}
	if got, want := b.document("records", "d1"), marcRecord(marcField("100", "a=Davis, Miles,", "d=1926-1991", "0=http://id/names/n1", "9=davis"),
		marcField("700", "a=Evans, Bill"), marcField("650", "a=Jazz.", "0=http://id/names/s1", "9=jazz")); got != want {
		t.Errorf("d1 is %s, want %s", got, want)
	}
	if got := b.document("records", "d2"); got != before {
		t.Errorf("d2 is %s", got)
	}
	again := must[api.AutoLinked](b, "link.auto", "", `{"collection":"records"}`)
	if again.Linked != 0 || len(again.Versions) != 0 || again.Several != 1 || again.None != 1 {
		t.Errorf("again: %+v", again)
	}
	ofSource := must[api.AutoLinked](b, "link.auto", "", `{"collection":"records","source":"local"}`)
	if ofSource.Linked != 1 || !slices.Equal(ofSource.Versions, []uint64{3}) {
		t.Errorf("of one source: %+v", ofSource)
	}
}

// TestLinkAutoUnderLocks: another's lock refuses it, one's own does not.
func TestLinkAutoUnderLocks(t *testing.T) {
	b := linkShelf(t)
	b.marc("records", marcRecord(marcField("700", "a=Davis, Miles,", "d=1926-1991")))
	held := must[map[string]any](b, "lock.acquire", "records", `{"ttl":60}`, as("bob"))
	b.refused(problem.Locked, "link.auto", "", `{"collection":"records"}`)
	token, _ := held["token"].(string)
	got := must[api.AutoLinked](b, "link.auto", "", `{"collection":"records"}`, as("bob"), with("Lock-Token", token))
	if got.Linked != 1 {
		t.Errorf("%+v", got)
	}
}

// TestLinkAutoMeetsOthers: what somebody has changed since a page was read is read again, and not overwritten; what is gone is
// left out.
func TestLinkAutoMeetsOthers(t *testing.T) {
	b := linkShelf(t)
	miles := marcField("700", "a=Davis, Miles,", "d=1926-1991")
	b.marc("records", marcRecord(miles), marcRecord(miles), marcRecord(miles))
	a := b.auto(`{"collection":"records"}`)
	page := b.page(a)
	others := marcRecord(marcField("245", "a=A new title"), miles)
	must[any](b, "document.put", "records", `{"value":`+others+`}`, inDocument("d1"))
	must[any](b, "document.delete", "records", "", inDocument("d2"))
	if err := a.settle(context.Background(), page); err != nil {
		t.Fatal(err)
	}
	if a.out.Linked != 2 || a.out.Changed != 2 || a.out.Failed != 0 || !slices.Equal(a.out.Versions, []uint64{4}) {
		t.Errorf("%+v", a.out)
	}
	if got := b.document("records", "d1"); !strings.Contains(got, "A new title") || !strings.Contains(got, `{"9":"davis"}`) {
		t.Errorf("d1 is %s", got)
	}
}

// TestLinkAutoLeavesOutWhatIsRefused: a document that the type refuses does not stop the others.
func TestLinkAutoLeavesOutWhatIsRefused(t *testing.T) {
	b := linkShelf(t)
	miles := marcField("700", "a=Davis, Miles,", "d=1926-1991")
	b.marc("records", marcRecord(miles), marcRecord(miles), marcRecord(miles))
	a := b.auto(`{"collection":"records"}`)
	page := b.page(a)
	page.documents[1].body = []byte(strings.ReplaceAll(string(page.documents[1].body), `"9":"davis"`, `"9":"never-was"`))
	if err := a.settle(context.Background(), page); err != nil {
		t.Fatal(err)
	}
	if a.out.Linked != 2 || a.out.Failed != 1 || !slices.Equal(a.out.Versions, []uint64{2}) {
		t.Errorf("%+v", a.out)
	}
}

func (b *bench) auto(body string) *auto {
	b.t.Helper()
	a, err := b.service.newAuto(&transport.Request{Op: b.table["link.auto"], Provider: "p", Body: []byte(body), RequestID: "r",
		Caller: transport.Caller{Principal: "ann", All: true}})
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

func (b *bench) page(a *auto) *autoPage {
	b.t.Helper()
	page, err := a.page(context.Background(), func(sh *shown) iter.Seq2[persistence.Part, error] { return sh.parts("") })
	if err != nil {
		b.t.Fatal(err)
	}
	return page
}

// TestFinderForgets: what it remembers is bounded, and it finds the same again.
func TestFinderForgets(t *testing.T) {
	b := linkShelf(t)
	b.marc("records", marcRecord(marcField("700", "a=Davis, Miles,", "d=1926-1991")))
	a := b.auto(`{"collection":"records"}`)
	for i := range finderMaxTerms + 1 {
		a.finder.found[sought{"x", fmt.Sprint(i)}] = match{}
	}
	if page := b.page(a); len(page.documents) != 1 || len(a.finder.found) > 2 {
		t.Errorf("%d documents, %d terms are remembered", len(page.documents), len(a.finder.found))
	}
}
