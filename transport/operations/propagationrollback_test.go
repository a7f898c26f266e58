package operations

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"concord/actors"
	"concord/actors/problem"
	"concord/persistence/pebblestore"
	"concord/transport"
	"concord/transport/api"
)

// shelves are the bytes of all documents of the collections.
func (b *bench) shelves(ids ...string) map[string]string {
	b.t.Helper()
	all := make(map[string]string)
	for _, id := range ids {
		for document, text := range must[api.Collection](b, "collection.get", id, "").Documents {
			all[id+"/"+document] = string(text)
		}
	}
	return all
}

// same says that the documents are, to the byte, what they were.
func (b *bench) same(what string, was map[string]string, ids ...string) {
	b.t.Helper()
	if diff := cmp.Diff(was, b.shelves(ids...)); diff != "" {
		b.t.Errorf("%s: not what it was: %s", what, diff)
	}
}

// reversible says whether a propagation says of itself that it can be rolled back.
func (b *bench) reversible(job string) bool {
	b.t.Helper()
	return must[api.Propagation](b, "propagation.get", job, "").RollbackAvailable
}

// takeBack rolls a propagation back, and waits for the end of the job of that.
func (b *bench) takeBack(job string, options ...option) (api.LinkChanged, api.Propagation) {
	b.t.Helper()
	if !b.reversible(job) {
		b.t.Errorf("%s says that it cannot be rolled back", job)
	}
	back := must[api.LinkChanged](b, "propagation.rollback", job, "", options...)
	if b.reversible(job) {
		b.t.Errorf("%s says that it can be rolled back, once more", job)
	}
	return back, b.job(back.Propagation)
}

// irreversible wants the roll-back of a propagation to be refused, which says so beforehand.
func (b *bench) irreversible(code problem.Code, job, why string) {
	b.t.Helper()
	if b.reversible(job) {
		b.t.Errorf("%s says that it can be rolled back", job)
	}
	if p := b.refused(code, "propagation.rollback", job, ""); !strings.Contains(p.Error(), why) {
		b.t.Errorf("%v, want %q", p, why)
	}
	b.refused(code, "propagation.rollback", job, "", param("dryRun", "true"))
}

func (b *bench) setURL(baseURL string) (job string) {
	b.t.Helper()
	return must[api.LinkChanged](b, "source.patch", "names", fmt.Sprintf(`{"baseUrl":%q}`, baseURL)).Propagation
}

func TestABaseURLIsTakenBack(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	library(b)
	ids := []string{"c0", "c1", "c2"}
	for _, id := range ids {
		b.shelf(id, 4)
	}
	before := b.shelves(ids...)
	first := b.setURL("https://new.example/")
	b.job(first)
	changed := b.shelves(ids...)
	must[api.LinkChanged](b, "source.patch", "names", `{"name":"All names"}`) // it is not in the way, and stays
	back, job := b.takeBack(first)
	if job.State != "COMPLETED" || job.Total != 24 || job.Cause.BaseURLNew != "http://id/names/" {
		t.Errorf("the job: %+v", job)
	}
	b.same("after the roll-back", before, ids...)
	now := must[api.Source](b, "source.get", "names", "")
	if now.BaseURL != "http://id/names/" || now.Name != "All names" || now.URLRevision != 3 || now.Version != back.Version || back.ID != "names" {
		t.Errorf("the source: %+v, %+v", now, back)
	}
	b.irreversible(problem.VersionConflict, first, "names has changed again since: its revision was 2, and is 3 now")

	_, job = b.takeBack(back.Propagation) // the redo
	b.same("after the redo", changed, ids...)
	if _, job = b.takeBack(job.ID); job.State != "COMPLETED" {
		t.Errorf("the roll-back of the redo: %+v", job)
	}
	b.same("after that", before, ids...)
	if report, err := b.store.Verify(t.Context(), pebblestore.VerifyOptions{Fold: actors.Fold(actors.DefaultLimits)}); err != nil || len(report.List) > 0 {
		t.Errorf("the store: %+v, %v", report, err)
	}
}

// TestTheFirstBaseURLIsTakenBack: then there is none, as before.
func TestTheFirstBaseURLIsTakenBack(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	library(b)
	none := must[api.LinkChanged](b, "source.patch", "names", `{"baseUrl":null}`).Propagation
	b.shelf("c", 2)
	b.job(none)
	before := b.shelves("c")
	first := b.setURL("https://new.example/")
	b.job(first)
	b.takeBack(first)
	b.same("without a base URL", before, "c")
}

// TestARollBackSupersedesTheJob: what the job has done and what it has not yet is as it was before.
func TestARollBackSupersedesTheJob(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	library(b)
	b.shelf("free", 2)
	b.shelf("held", 3)
	before := b.shelves("free", "held")
	grant := must[api.Grant](b, "lock.acquire", "held", `{}`, as("bob"))
	first := b.setURL("https://new.example/")
	b.waitFor(func() bool { return must[api.Propagation](b, "propagation.get", first, "").WaitingForLocks == 1 })
	back := must[api.LinkChanged](b, "propagation.rollback", first, "")
	if job := b.job(first); job.State != "SUPERSEDED" || job.SupersededBy != back.Propagation {
		t.Errorf("the job: %+v", job)
	}
	if _, p := b.do("lock.release", "held", "", as("bob"), with("Lock-Token", grant.Token)); p != nil {
		t.Fatal(p)
	}
	if job := b.job(back.Propagation); job.State != "COMPLETED" {
		t.Errorf("the job of the roll-back: %+v", job)
	}
	b.same("free and held", before, "free", "held")
	if c := must[api.Collection](b, "collection.get", "held", ""); c.Version > 2 {
		t.Errorf("what was locked all the time is at version %d", c.Version)
	}
}

// TestChangesOfAnAuthorityAreTakenBack: the whole record, and every field that follows.
func TestChangesOfAnAuthorityAreTakenBack(t *testing.T) {
	const record = `{ "leader":"x", "fields" : [ {"100":{"ind1":"1","ind2":" ","subfields":[{"a":%q},{"d":"1926-1991"}]}}, {"670":{"ind1":" ","ind2":" ","subfields":[{"a":%q}]}} ] }`
	was := fmt.Sprintf(record, "Davis, Miles,", "a note")
	for name, row := range map[string]struct{ source, naturalID, record, action string }{
		"the heading":              {"names", "n1", fmt.Sprintf(record, "Davis, M.,", "another note"), "UPDATE_HEADING"},
		"the natural id":           {"names", "n9", was, "UPDATE_NATURAL_ID"},
		"the source":               {"local", "n1", was, "UPDATE_SOURCE"},
		"all of it, with a note":   {"local", "n9", fmt.Sprintf(record, "Davis, M.,", "another note"), "UPDATE_HEADING"},
		"its source, and the note": {"local", "n1", fmt.Sprintf(record, "Davis, Miles,", "another note"), "UPDATE_SOURCE"},
	} {
		t.Run(name, func(t *testing.T) {
			b := startWith(t, vfs.NewMem(), true)
			library(b)
			must[api.LinkChanged](b, "source.put", "local", `{"name":"Local","codes":["l"],"baseUrl":"http://id/local/"}`)
			put := func(source, naturalID, record string) api.LinkChanged {
				return must[api.LinkChanged](b, "authority.put", "", fmt.Sprintf(`{"source":%q,"naturalId":%q,"record":%s}`, source, naturalID, record),
					inAuthority("davis"))
			}
			put("names", "n1", was)
			b.shelf("c", 3)
			before := b.shelves("c")
			cause := put(row.source, row.naturalID, row.record)
			if job := b.job(cause.Propagation); job.Cause.Action != row.action || job.Total != 3 {
				t.Fatalf("the job: %+v", job)
			}
			back, job := b.takeBack(cause.Propagation)
			if job.State != "COMPLETED" || job.Total != 3 || back.Version != cause.Version+1 || back.ID != "davis" {
				t.Errorf("%+v, its job %+v", back, job)
			}
			b.same("the fields", before, "c")
			now := must[api.Authority](b, "authority.get", "", "", inAuthority("davis"))
			if now.Source != "names" || now.NaturalID != "n1" || string(now.Record) != was {
				t.Errorf("the authority: %+v\n%s", now, now.Record)
			}
		})
	}
}

// TestWhatUnlinksIsNotTakenBack: a field does not say any more whom it was linked to, and no 2xx claims otherwise.
func TestWhatUnlinksIsNotTakenBack(t *testing.T) {
	corporate := fmt.Sprintf(`{"source":"names","naturalId":"n1","record":%s}`, marcRecord(marcField("110", "a=Davis, Miles,", "d=1926-1991")))
	for name, change := range map[string]func(*bench) api.LinkChanged{
		"the end of an authority": func(b *bench) api.LinkChanged {
			return must[api.LinkChanged](b, "authority.delete", "", "", inAuthority("davis"))
		},
		"a heading of another type": func(b *bench) api.LinkChanged {
			return must[api.LinkChanged](b, "authority.put", "", corporate, inAuthority("davis"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := startWith(t, vfs.NewMem(), true)
			library(b)
			unused := change(b).Propagation
			if job := b.job(unused); job.State != "COMPLETED" || job.Total != 0 {
				t.Fatalf("no field was linked: %+v", job)
			}
			if !b.reversible(unused) {
				t.Error("no field was linked, and it cannot be rolled back")
			}
			back := must[api.LinkChanged](b, "propagation.rollback", unused, "")
			now := must[api.Authority](b, "authority.get", "", "", inAuthority("davis"))
			if now.Deleted || now.HeadingType != "100" || back.Version != now.Version {
				t.Errorf("the authority: %+v", now)
			}
			b.shelf("c", 2)
			grant := must[api.Grant](b, "lock.acquire", "c", `{}`, as("bob"))
			used := change(b).Propagation
			b.waitFor(func() bool { return must[api.Propagation](b, "propagation.get", used, "").WaitingForLocks == 1 })
			b.irreversible(problem.WrongState, used, "is RUNNING")
			if _, p := b.do("lock.release", "c", "", as("bob"), with("Lock-Token", grant.Token)); p != nil {
				t.Fatal(p)
			}
			b.job(used)
			b.irreversible(problem.CannotUndo, used, "davis")
		})
	}
}

func TestWhatIsNoChangeIsNotTakenBack(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	library(b)
	must[struct{}](b, "type.put", "trusting", `{"links":{"unknownAuthority":"accept"}}`)
	must[map[string]any](b, "collection.put", "c", `{"format":"marc","type":"trusting","documents":{"w":`+
		marcRecord(marcField("100", "a=Hall, Jim", "9=hall"))+`}}`)
	created := b.authority("hall", "n3", "a=Hall, Jim").Propagation
	b.job(created)
	b.irreversible(problem.CannotUndo, created, "have waited for the authority")
	audit := must[api.Started](b, "link.audit", "", `{"source":"names"}`).Propagation
	b.job(audit)
	b.irreversible(problem.CannotUndo, audit, "an audit is no change")
	audit = must[api.Started](b, "link.audit", "", `{"authority":"davis"}`).Propagation
	b.irreversible(problem.CannotUndo, audit, "an audit is no change")

	b.refused(problem.NotFound, "propagation.rollback", "none", "")
	b.refused(problem.Invalid, "propagation.rollback", audit, `{"to":"initial"}`)
	b.refused(problem.Invalid, "propagation.rollback", audit, `{"reason":7}`)
	b.refused(problem.Invalid, "propagation.rollback", audit, `{"reason":"`+strings.Repeat("x", reasonMaxBytes+1)+`"}`)
}

// TestNewerChangesAreInTheWay: of an authority every one is, since the record comes back whole.
func TestNewerChangesAreInTheWay(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	library(b)
	changed := b.authority("davis", "n1", "a=Davis, M.,", "d=1926-1991").Propagation
	must[api.Started](b, "link.audit", "", `{"authority":"davis"}`) // which is no change
	if !b.reversible(changed) {
		t.Error("an audit is in the way")
	}
	note := marcRecord(marcField("100", "a=Davis, M.,", "d=1926-1991"), marcField("670", "a=a note"))
	must[api.LinkChanged](b, "authority.put", "", `{"source":"names","naturalId":"n1","record":`+note+`}`, inAuthority("davis"))
	b.irreversible(problem.VersionConflict, changed, "davis has changed again since: its version was 2, and is 3 now")

	first := b.setURL("https://new.example/")
	must[api.LinkChanged](b, "source.put", "others", `{"name":"Others","codes":["o"],"baseUrl":"http://id/names/"}`)
	if p := b.refused(problem.NameTaken, "propagation.rollback", first, ""); len(p.Errors) != 1 || p.Errors[0].Path != "/baseUrl" {
		t.Errorf("the old base URL is another's: %v", p)
	}
	moved := must[api.LinkChanged](b, "authority.put", "", fmt.Sprintf(`{"source":"others","naturalId":"n2","record":%s}`,
		marcRecord(marcField("100", "a=Evans, Bill"))), inAuthority("evans")).Propagation
	must[api.LinkChanged](b, "authority.delete", "", "", inAuthority("davis"))
	b.refused(problem.InUse, "source.delete", "names", "")
	if !b.reversible(moved) {
		t.Error("the source that it comes back to is there, and it cannot be rolled back")
	}
}

// TestARollBackTakesTheRightOfTheChange: that of a base URL is an administrator's.
func TestARollBackTakesTheRightOfTheChange(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	library(b)
	url := b.setURL("https://new.example/")
	heading := b.authority("davis", "n1", "a=Davis, M.,", "d=1926-1991").Propagation
	may := func(rights ...transport.Right) option {
		return func(r *transport.Request) {
			r.Caller = transport.Caller{Principal: "bob", Rights: map[string][]transport.Right{"p": rights}}
		}
	}
	b.refused(problem.Forbidden, "propagation.rollback", url, "", may(transport.RightUpdate))
	if _, job := b.takeBack(heading, may(transport.RightUpdate)); job.Principal != "bob" {
		t.Errorf("made by %s", job.Principal)
	}
	if _, job := b.takeBack(url, may(transport.RightUpdate, transport.RightAdmin)); job.Principal != "bob" {
		t.Errorf("made by %s", job.Principal)
	}
}

// TestARollBackIsMadeOnce: a dry run makes none, a repeat no second one.
func TestARollBackIsMadeOnce(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	library(b)
	url := b.setURL("https://new.example/")
	heading := b.authority("davis", "n1", "a=Davis, M.,", "d=1926-1991").Propagation
	for _, job := range []string{url, heading} {
		dry, p := b.do("propagation.rollback", job, "", param("dryRun", "true"))
		if p != nil || dry.Status != http.StatusOK || strings.Contains(string(dry.Body), "propagation") || !strings.Contains(string(dry.Body), `"changed":true`) || !b.reversible(job) {
			t.Errorf("a dry run: %+v, %v", dry, p)
		}
		key := with("Idempotency-Key", "k"+job)
		first, p := b.do("propagation.rollback", job, `{"reason":"too early"}`, key)
		if p != nil || first.Status != http.StatusAccepted {
			t.Fatalf("%+v, %v", first, p)
		}
		again, p := b.do("propagation.rollback", job, `{"reason":"too early"}`, key)
		if p != nil || again.Status != first.Status || string(again.Body) != string(first.Body) {
			t.Errorf("again: %+v, %v; the first time %+v", again, p, first)
		}
		b.refused(problem.KeyReused, "propagation.rollback", job, `{"reason":"another"}`, key)
	}
	if page := must[api.ReportPage](b, "report.list", "", ""); len(page.Items) != 4 {
		t.Errorf("%d jobs, want two and two roll-backs", len(page.Items))
	}
}
