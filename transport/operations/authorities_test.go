package operations

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors"
	"concord/actors/problem"
	"concord/internal/realdata"
	"concord/persistence/pebblestore"
	"concord/transport/api"
)

func inAuthority(id string) option { return inDocument(id) }

func personal(name string) string {
	return fmt.Sprintf(`{"leader":"00000nz  a2200000n  4500","fields":[{"001":"n1"},{"100":{"ind1":"1","ind2":" ","subfields":[{"a":%q}]}}]}`, name)
}

func TestAuthorityLives(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[api.LinkChanged](b, "source.put", "names", namesSource)
	put := must[api.LinkChanged](b, "authority.put", "", `{"source":"names","naturalId":"n1","record":`+personal("Parker, Charlie")+`}`, inAuthority("a/1"))
	if put.Version != 1 || !put.Changed || put.Propagation != "" || put.ID != "a/1" {
		t.Errorf("creation: %+v", put)
	}
	got := must[api.Authority](b, "authority.get", "", "", inAuthority("a/1"))
	if got.URI != "http://id.loc.gov/authorities/names/n1" || got.Heading != "Parker, Charlie" || got.HeadingType != "100" ||
		string(got.Record) != personal("Parker, Charlie") {
		t.Errorf("read: %+v", got)
	}
}

func TestImportOfRealAuthorities(t *testing.T) {
	text := realdata.Read(t, "jazz-authorities.jsonl")
	b := start(t, vfs.NewMem())
	must[api.LinkChanged](b, "source.put", "names", namesSource)
	must[api.LinkChanged](b, "source.put", "subjects", `{"name":"Subjects","codes":["sh"]}`)
	upload := b.upload(text)
	lines := bytes.Count(text, []byte("\n"))
	first := must[api.Imported](b, "authority.import", "", `{"upload":"`+upload+`"}`)
	if first.Created != lines || first.Total != lines || len(first.Errors) != 0 {
		t.Errorf("first: %+v", first)
	}
	again := must[api.Imported](b, "authority.import", "", `{"upload":"`+upload+`"}`)
	if again.Unchanged != lines || again.Total != lines {
		t.Errorf("again: %+v", again)
	}
	page := must[api.AuthorityPage](b, "authority.list", "", "", param("heading", "Adderley, Nat"))
	if len(page.Items) == 0 {
		t.Error("nobody is found by heading")
	}
}

// upload brings bytes in, and names the closed upload.
func (b *bench) upload(text []byte) string {
	b.t.Helper()
	var opened struct{ Upload string }
	reply, p := b.do("upload.open", "", "")
	if p != nil {
		b.t.Fatal(p)
	}
	if err := json.Unmarshal(reply.Body, &opened); err != nil {
		b.t.Fatal(err)
	}
	const chunk = 100_000
	for at := 0; at < len(text); at += chunk {
		part := text[at:min(at+chunk, len(text))]
		must[any](b, "upload.append", opened.Upload, fmt.Sprintf(`{"offset":%d,"data":%q}`, at, base64.StdEncoding.EncodeToString(part)))
	}
	must[any](b, "upload.close", opened.Upload, `{}`)
	return opened.Upload
}

func TestWrongAuthorities(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[api.LinkChanged](b, "source.put", "names", namesSource)
	for name, row := range map[string]struct {
		body, path string
		status     int
	}{
		"nothing":            {``, "", 400},
		"no source":          {`{"naturalId":"n1","record":{"heading":"x"}}`, "/source", 400},
		"a bad source id":    {`{"source":"a b","naturalId":"n1","record":{"heading":"x"}}`, "/source", 400},
		"an unknown source":  {`{"source":"nobody","naturalId":"n1","record":{"heading":"x"}}`, "/source", 422},
		"no natural id":      {`{"source":"names","record":{"heading":"x"}}`, "/naturalId", 400},
		"no record":          {`{"source":"names","naturalId":"n1"}`, "/record", 400},
		"a missing 1XX":      {`{"source":"names","naturalId":"n1","record":{"fields":[{"001":"n1"}]}}`, "/record/fields", 400},
		"a heading of 7":     {`{"source":"names","naturalId":"n1","record":{"heading":7}}`, "/record/heading", 400},
		"a record of a text": {`{"source":"names","naturalId":"n1","record":"x"}`, "/record", 400},
		"an unknown member":  {`{"source":"names","naturalId":"n1","record":{"heading":"x"},"Record":{}}`, "/Record", 400},
		"the id again":       {`{"source":"names","naturalId":"n1","record":{"heading":"x"},"authority":"a"}`, "/authority", 400},
	} {
		t.Run(name, func(t *testing.T) {
			p := b.refused(problem.Invalid, "authority.put", "", row.body, inAuthority("a"))
			if p.Status() != row.status || p.Errors[0].Path != row.path {
				t.Errorf("%v (%d), want %d at %q", p, p.Status(), row.status, row.path)
			}
		})
	}
	must[api.LinkChanged](b, "authority.put", "", `{"authority":"b","source":"names","naturalId":"n1","record":`+personal("X")+`}`) // as over NATS
	if p := b.refused(problem.Invalid, "authority.put", "", `{"source":"names","naturalId":"n1","record":{"fields":[]}}`, inAuthority("b")); p.Errors[0].Path != "/record/fields" {
		t.Error(p)
	}
	if got := must[api.Authority](b, "authority.get", "", "", inAuthority("b")); got.Version != 1 || got.Heading != "X" {
		t.Errorf("a refused change has changed it: %+v", got)
	}
	b.refused(problem.NotFound, "authority.get", "", "", inAuthority("a"))
	b.refused(problem.NotFound, "authority.delete", "", "", inAuthority("a"))
	b.refused(problem.VersionConflict, "authority.delete", "", "", inAuthority("b"), param("baseVersion", "7"))
	b.refused(problem.PreconditionFailed, "authority.put", "", `{"source":"names","naturalId":"n1","record":{"heading":"x"}}`, inAuthority("b"), with("If-None-Match", "*"))
}

func TestAuthoritiesAreListed(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[api.LinkChanged](b, "source.put", "names", namesSource)
	must[api.LinkChanged](b, "source.put", "subjects", `{"name":"Subjects"}`)
	for i := range 25 {
		source := []string{"names", "subjects"}[i%2]
		must[api.LinkChanged](b, "authority.put", "", fmt.Sprintf(`{"source":%q,"naturalId":"n%d","record":{"heading":"Jazz, %d."}}`, source, i%5, i%3), inAuthority(fmt.Sprintf("a%02d", i)))
	}
	must[api.LinkChanged](b, "authority.delete", "", "", inAuthority("a03"))
	for name, row := range map[string]struct {
		options []option
		want    int
	}{
		"all":                       {nil, 24},
		"deleted ones, too":         {[]option{param("deleted", "true")}, 25},
		"of a source":               {[]option{param("source", "names")}, 13},
		"with its deleted ones":     {[]option{param("source", "subjects"), param("deleted", "true")}, 12},
		"by natural id":             {[]option{param("naturalId", "n3")}, 4},
		"by it, and deleted":        {[]option{param("naturalId", "n3"), param("deleted", "true")}, 5},
		"by heading, no full stop":  {[]option{param("heading", "Jazz, 1")}, 8},
		"by heading of a source":    {[]option{param("heading", "Jazz,  1."), param("source", "names")}, 4},
		"by a heading that is none": {[]option{param("heading", "Jazz")}, 0},
		"of a source that is none":  {[]option{param("source", "nobody")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var ids []string
			for next := ""; ; {
				page := must[api.AuthorityPage](b, "authority.list", "", "", append(row.options, param("limit", "3"), param("cursor", next))...)
				for _, item := range page.Items {
					ids = append(ids, item.ID)
				}
				if next = page.Next; next == "" {
					break
				}
			}
			if len(ids) != row.want || !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) {
				t.Errorf("%d: %v; want %d in order", len(ids), ids, row.want)
			}
		})
	}
	b.refused(problem.Invalid, "authority.list", "", "", param("heading", " . "))
}

// TestImports: each item stands for itself, those of one id in their order.
func TestImports(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[api.LinkChanged](b, "source.put", "names", namesSource)
	lines := strings.Join([]string{
		`{"naturalId":"n1","record":{"heading":"One"}}`,
		`not JSON`,
		``,
		`{"source":"nobody","naturalId":"n2","record":{"heading":"Two"}}`,
		`{"source":"names","naturalId":"n3","record":{"fields":[]}}`,
		`{"record":{"leader":"x","fields":[{"001":" n4 "},{"150":{"ind1":" ","ind2":" ","subfields":[{"a":"Four"}]}}]},"uses":7}`,
		`{"naturalId":"n1","record":{"heading":"One again"}}` + "\r",
		`{"id":"x/y","naturalId":"n1","record":{"heading":"Other"}}`,
		`{"naturalId":"n5"}`,
		`[]`,
		`{"naturalId":"n1","naturalId":"n2","record":{"heading":"x"}}`,
		`{"record":{"heading":"x"}}`,
		`{"naturalId":"` + strings.Repeat("n", 251) + `","record":{"heading":"x"}}`,
		`{"naturalId":"n6","record":{"heading":"` + strings.Repeat("x", 600_000) + `"}}`,
		`{"naturalId":"n7","record":{"heading":"Last"}}`,
	}, "\n")
	body := `{"source":"names","upload":"` + b.upload([]byte(lines)) + `"}`
	dry := must[api.Imported](b, "authority.import", "", body, param("dryRun", "true"))
	if dry.Total != 14 || dry.Created != 5 || dry.Failed != 9 {
		t.Errorf("dry run: %+v", dry)
	}
	got := must[api.Imported](b, "authority.import", "", body)
	var refused []string
	for _, e := range got.Errors {
		refused = append(refused, fmt.Sprintf("%d %s %s", e.Line, e.Code, e.Path))
	}
	want := []string{"2 invalid ", "4 invalid /source", "5 invalid /record/fields", "9 invalid /record", "10 invalid ", "11 invalid /naturalId",
		"12 invalid /naturalId", "13 invalid /naturalId", "14 too-large "}
	if !slices.Equal(refused, want) || got.Total != 14 || got.Created != 4 || got.Changed != 1 || got.Failed != 9 {
		t.Errorf("%+v\nrefused %q\nwant    %q", got, refused, want)
	}
	for id, heading := range map[string]string{"names:n1": "One again", "names:n4": "Four", "x/y": "Other", "names:n7": "Last"} {
		if got := must[api.Authority](b, "authority.get", "", "", inAuthority(id)); got.Heading != heading {
			t.Errorf("%s: %+v", id, got)
		}
	}
	if again := must[api.Imported](b, "authority.import", "", body); again.Changed != 2 || again.Unchanged != 3 { // n1 goes back and forth
		t.Errorf("again: %+v", again)
	}
	for name, row := range map[string]struct {
		body string
		code problem.Code
	}{
		"both":            {`{"items":[],"upload":"x"}`, problem.Invalid},
		"neither":         {`{}`, problem.Invalid},
		"no list":         {`{"items":{}}`, problem.Invalid},
		"no upload":       {`{"upload":"nobody"}`, problem.NotFound},
		"a bad upload id": {`{"upload":"../x"}`, problem.Invalid},
		"a bad source id": {`{"items":[],"source":"a b"}`, problem.Invalid},
		"too many":        {`{"items":[` + strings.Repeat("1,", importBodyMaxItems) + `1]}`, problem.TooLarge},
	} {
		t.Run(name, func(t *testing.T) { b.refused(row.code, "authority.import", "", row.body) })
	}
	strict := must[api.Imported](b, "authority.import", "", `{"items":[{"source":"names","naturalId":"n8","record":{"heading":"x"},"uses":1}]}`)
	if strict.Failed != 1 || strict.Errors[0].Path != "/uses" {
		t.Errorf("%+v", strict)
	}
	b.refused(problem.NotFound, "authority.import", "", body, as("bob")) // another's upload is none
}

// TestAuthoritiesAreRebuilt: what is derived from the log is the same when it is made anew.
func TestAuthoritiesAreRebuilt(t *testing.T) {
	b := start(t, vfs.NewMem())
	must[api.LinkChanged](b, "source.put", "names", namesSource)
	must[api.LinkChanged](b, "source.put", "subjects", `{"name":"Subjects","codes":["abc"],"sequence":{"start":1}}`)
	must[api.LinkChanged](b, "source.patch", "names", `{"baseUrl":"http://b.example"}`)
	must[api.NextID](b, "source.next-id", "subjects", "")
	for i := range 20 {
		put := func(source, heading string) {
			must[api.LinkChanged](b, "authority.put", "", fmt.Sprintf(`{"source":%q,"naturalId":"n%d","record":{"heading":%q}}`, source, i, heading), inAuthority(fmt.Sprint("a", i)))
		}
		put("names", "One")
		if i%2 == 0 {
			put("subjects", "Two")
		}
		if i%3 == 0 {
			must[api.LinkChanged](b, "authority.delete", "", "", inAuthority(fmt.Sprint("a", i)))
		}
	}
	b.clock.Set(b.clock.Now().Add(DefaultLimits.Actors.Authority.PurgeAfter))
	b.eventually("they are purged", func() bool {
		_, err := b.try("authority.get", "", "", inAuthority("a18"))
		return err != nil
	})
	report, err := b.store.Verify(context.Background(), pebblestore.VerifyOptions{Fold: actors.Fold(actors.DefaultLimits)})
	if err != nil || report.Findings != 0 {
		t.Errorf("%+v, %v", report, err)
	}
}
