package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"concord/actors/problem"
	"concord/transport/client"
)

// shelfOf is a collection of records by Davis, whom the second one names twice, and by Coltrane, with the authorities.
func shelfOf(ctx context.Context, t *testing.T, c *client.Client) {
	t.Helper()
	if _, err := c.SourcePut(ctx, "names", client.SourceRequest{Name: "Names", Codes: []string{"n"}, BaseURL: "https://old.example.org"}); err != nil {
		t.Fatal(err)
	}
	done, err := c.AuthorityImport(ctx, client.ImportRequest{Source: "names", Items: []client.AuthorityItem{
		{ID: "davis", NaturalID: "n1", Record: named("n1", "Davis, Miles")},
		{NaturalID: "n2", Record: named("n2", "Coltrane, John")}}})
	if err != nil || done.Created != 2 || done.Failed != 0 {
		t.Fatal(done, err)
	}
	documents := map[string]json.RawMessage{"a": record("a", "Davis, Miles"), "b": record("b", "Davis, Miles", "Coltrane, John", "Davis, Miles"),
		"c": record("c", "Nobody")}
	if _, err := c.CollectionPut(ctx, "shelf", client.PutRequest{Format: "marc", Documents: documents}); err != nil {
		t.Fatal(err)
	}
	linked, err := c.LinkAuto(ctx, client.AutoRequest{Collection: "shelf"})
	if err != nil || linked.Linked != 4 || linked.None != 1 {
		t.Fatal(linked, err)
	}
}

func named(id, name string) json.RawMessage {
	return fmt.Appendf(nil, `{"leader":"00000nz  a2200000n  4500","fields":[{"001":%q},{"100":{"ind1":"1","ind2":" ","subfields":[{"a":%q}]}}]}`, id, name)
}

func record(id string, names ...string) json.RawMessage {
	text := fmt.Sprintf(`{"leader":"00000cam a2200000 i 4500","fields":[{"001":%q}`, id)
	for _, name := range names {
		text += fmt.Sprintf(`,{"700":{"ind1":"1","ind2":" ","subfields":[{"a":%q}]}}`, name)
	}
	return json.RawMessage(text + "]}")
}

// all are the items of a list, each as show has it.
func all[T any](t *testing.T, items iter.Seq2[T, error], show func(T) string) (list []string) {
	t.Helper()
	for item, err := range items {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, show(item))
	}
	return list
}

func linkText(l client.Link) string {
	return fmt.Sprint(l.Document, " ", l.Authority, " ", l.URI, " ", len(l.Fields))
}

func TestLinkedFieldsFollow(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{Principal: "ann"})
	shelfOf(ctx, t, c)
	if impact, err := c.SourceImpact(ctx, "names"); err != nil || impact.Links != 4 || impact.Documents != 2 || impact.Collections != 1 {
		t.Errorf("%+v, %v", impact, err)
	}
	changed, err := c.SourceSetURL(ctx, "names", "https://new.example.org/", client.Reason("moved"), client.BaseVersion(1))
	if err != nil || changed.Version != 2 || changed.Propagation == "" {
		t.Fatal(changed, err)
	}
	got, err := states(ctx, c, changed.Propagation)
	if err != nil || got[len(got)-1] != "COMPLETED 4/4" {
		t.Errorf("the job went %q, %v", got, err)
	}
	want := []string{"a davis https://new.example.org/n1 1", "b davis https://new.example.org/n1 2", "b names:n2 https://new.example.org/n2 1"}
	if diff := cmp.Diff(want, all(t, c.Links(ctx, client.OfCollection("shelf"), client.Limit(1)), linkText)); diff != "" {
		t.Error(diff)
	}
	ended, err := c.AuthorityDelete(ctx, "davis", client.Reason("nobody needs it"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := states(ctx, c, ended.Propagation); err != nil || got[len(got)-1] != "COMPLETED 3/3" {
		t.Errorf("the job went %q, %v", got, err)
	}
	if n, err := c.LinkCount(ctx, client.OfSource("names")); err != nil || n.Links != 1 {
		t.Errorf("%+v, %v", n, err)
	}
	reports := all(t, c.Reports(ctx, client.Limit(1)), func(r client.Report) string { return r.Action + " " + r.StartedBy })
	if diff := cmp.Diff([]string{"DELETE ann", "UPDATE_BASE_URL ann"}, reports); diff != "" {
		t.Error(diff)
	}
	if got := all(t, c.Reports(ctx, client.OfAction("DELETE")), func(r client.Report) string { return r.Propagation }); !slices.Equal(got, []string{ended.Propagation}) {
		t.Errorf("reports of deletions: %q", got)
	}
	page, err := c.PropagationEvents(ctx, changed.Propagation, 0)
	if err != nil || len(page.Items) == 0 || page.Items[0].Seq != 1 || page.Items[0].Kind != "propagation" {
		t.Errorf("%+v, %v", page, err)
	}
	if _, err := c.PropagationResume(ctx, changed.Propagation); !client.IsCode(err, problem.WrongState) {
		t.Errorf("a job that has ended goes on: %v", err)
	}
}

func TestSourcesAndAuthorities(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{})
	shelfOf(ctx, t, c)
	got, err := c.AuthorityGet(ctx, "davis")
	if err != nil || string(got.Record) != string(named("n1", "Davis, Miles")) || got.URI != "https://old.example.org/n1" {
		t.Errorf("%+v, %v; want the bytes that were sent", got, err)
	}
	ids := func(options ...client.CallOption) []string {
		return all(t, c.Authorities(ctx, options...), func(a client.Authority) string { return a.ID })
	}
	for name, row := range map[string]struct{ got, want []string }{
		"of a source":       {ids(client.OfSource("names"), client.Limit(1)), []string{"davis", "names:n2"}},
		"with a heading":    {ids(client.WithHeading("Coltrane, John")), []string{"names:n2"}},
		"with a natural id": {ids(client.WithNaturalID("n1")), []string{"davis"}},
		"with another":      {ids(client.WithNaturalID("n9")), nil},
	} {
		if diff := cmp.Diff(row.want, row.got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if impact, err := c.AuthorityImpact(ctx, "davis"); err != nil || impact.Links != 3 || impact.Documents != 2 {
		t.Errorf("%+v, %v", impact, err)
	}
	if again, err := c.AuthorityPut(ctx, "davis", client.AuthorityRequest{Source: "names", NaturalID: "n1", Record: got.Record}); err != nil || again.Changed {
		t.Errorf("the same again: %+v, %v", again, err)
	}
	found, err := c.LinkSuggest(ctx, client.SuggestRequest{Document: record("x", "Davis, Miles")})
	if err != nil || len(found.Items) != 1 || found.Items[0].Authority != "davis" {
		t.Errorf("%+v, %v", found, err)
	}
	if _, err := c.SourceDelete(ctx, "names"); !client.IsCode(err, problem.InUse) {
		t.Errorf("a source in use: %v", err)
	}
	start := client.Sequence{Start: 7}
	if _, err := c.SourcePut(ctx, "own", client.SourceRequest{Name: "Own", Codes: []string{"own"}, Sequence: &start}); err != nil {
		t.Fatal(err)
	}
	if next, err := c.SourceNextID(ctx, "own"); err != nil || next.ID != "own7" {
		t.Errorf("%+v, %v", next, err)
	}
	name := "Our own"
	if _, err := c.SourcePatch(ctx, "own", client.SourcePatch{Name: &name}); err != nil {
		t.Error(err)
	}
	sources := all(t, c.Sources(ctx, client.Limit(1)), func(s client.Source) string { return s.ID + " " + s.Name })
	if diff := cmp.Diff([]string{"names Names", "own Our own"}, sources); diff != "" {
		t.Error(diff)
	}
	if read, err := c.SourceGet(ctx, "own"); err != nil || read.Sequence == nil || read.Sequence.Next != 8 {
		t.Errorf("%+v, %v", read, err)
	}
	if _, err := c.SourceDelete(ctx, "own"); err != nil {
		t.Error(err)
	}
}

// TestAWatchOfAJobSurvivesTheService: a job that waits for a lock, a service that starts again, and one loop over the job.
func TestAWatchOfAJobSurvivesTheService(t *testing.T) {
	ctx := within(t)
	service := startService(t)
	c := service.connect(client.Options{Session: "s1"})
	shelfOf(ctx, t, c)
	acquired, err := c.LockAcquire(ctx, "shelf", client.AcquireRequest{})
	if err != nil || acquired.Grant == nil {
		t.Fatal(acquired, err)
	}
	changed, err := c.SourceSetURL(ctx, "names", "https://new.example.org/")
	if err != nil {
		t.Fatal(err)
	}
	restarted := false
	var last client.Propagation
	for job, err := range c.WatchPropagation(ctx, changed.Propagation) {
		if err != nil {
			t.Fatal(err)
		}
		last = job
		if job.WaitingForLocks == 0 || restarted {
			continue
		}
		restarted = true
		waiting := all(t, c.PropagationRows(ctx, job.ID, client.InState("WAITING")), func(i client.PropagationItem) string { return i.Collection })
		open := all(t, c.Propagations(ctx, client.StillOpen()), func(p client.Propagation) string { return p.ID })
		if !slices.Equal(waiting, []string{"shelf"}) || !slices.Equal(open, []string{job.ID}) {
			t.Errorf("it waits for %q; %q are open", waiting, open)
		}
		service.restart()
		if err := c.LockRelease(ctx, "shelf", acquired.Grant.Token); err != nil {
			t.Fatal(err)
		}
	}
	if !restarted || last.State != client.JobCompleted || last.Counts.Updated != 4 {
		t.Errorf("restarted: %v; the job has ended as %+v", restarted, last)
	}
}
