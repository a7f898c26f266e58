package operations

import (
	"concord/actors/bulk"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors"
	"concord/actors/authority"
	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/host"
	"concord/actors/jobs"
	"concord/actors/problem"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/transport/api"
)

// newJobs makes what brings linked fields up to date.
func (b *bench) newJobs(h *host.Host) {
	b.t.Helper()
	b.ended = make(chan string, 1000)
	b.corrected = make(chan int, 1000)
	o := jobs.Observer{Linked: func(string, uint64) {}, Ended: func(state string) { b.ended <- state },
		Corrected: func(documents int) { b.corrected <- documents }}
	log := slog.New(slog.DiscardHandler)
	courtesy := jobs.NewCourtesy(h)
	b.jobs = jobs.New(b.store, courtesy, jobs.DefaultSettings, o, log)
	b.tasksEnded = make(chan string, 1000)
	b.bulk = jobs.NewTasks(b.store, courtesy, jobs.DefaultTaskSettings, jobs.TaskObserver{Items: func(*bulk.State, bulk.ItemState, uint64) {},
		Ended: func(state string) { b.tasksEnded <- state }}, log)
	var err error
	if b.checker, err = jobs.NewChecker(b.store, h, courtesy, o, log); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) committed(group []*persistence.Entry) {
	b.noteBuilt(group)
	if b.jobs != nil {
		b.jobs.Committed(group)
		b.bulk.Committed(group)
		b.checker.Committed(group)
	}
}

// work has them work, until rest is called.
func (b *bench) work() (rest func()) {
	if b.jobs == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { b.jobs.Run(ctx) })
	working.Go(func() { b.bulk.Run(ctx) })
	working.Go(func() {
		if err := b.checker.Run(ctx); err != nil {
			b.t.Error(err)
		}
	})
	return func() {
		cancel()
		working.Wait()
	}
}

// job waits until a job has ended, and returns it.
func (b *bench) job(id string) api.Propagation {
	b.t.Helper()
	for {
		job := must[api.Propagation](b, "propagation.get", id, "")
		if c := job.Counts; job.Total != c.Updated+c.Unchanged+c.Failed+c.Skipped+c.Superseded+c.Pending {
			b.t.Fatalf("total is not the sum: %+v", job)
		}
		if job.EndedAt != nil {
			return job
		}
		<-b.ended
	}
}

// shelf is a collection of linked records, which the checker has looked at: what it corrects after a change, the job of that
// change finds as it should be.
func (b *bench) shelf(id string, documents int) {
	b.t.Helper()
	var list []string
	for i := range documents {
		list = append(list, fmt.Sprintf(`"d%03d":%s`, i, marcRecord(marcField("100", "a=Davis, Miles,", "d=1926-1991", "9=davis"),
			marcField("700", "a=Evans, Bill", "9=evans"))))
	}
	must[map[string]any](b, "collection.put", id, `{"format":"marc","documents":{`+strings.Join(list, ",")+`}}`)
	if b.checker != nil {
		b.checked()
	}
}

func TestABaseURLReachesEveryLinkedField(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	library(b)
	for i := range 12 {
		b.shelf(fmt.Sprintf("c%d", i), 5)
	}
	if got := must[api.Impact](b, "source.impact", "names", ""); got != (api.Impact{Authorities: 2, Links: 120, Documents: 60, Collections: 12}) {
		t.Errorf("impact of the source: %+v", got)
	}
	if got := must[api.Impact](b, "authority.impact", "", "", inDocument("davis")); got != (api.Impact{Authorities: 1, Links: 60, Documents: 60, Collections: 12}) {
		t.Errorf("impact of the authority: %+v", got)
	}
	changed := must[api.LinkChanged](b, "source.patch", "names", `{"baseUrl":"https://new.example/"}`)
	job := b.job(changed.Propagation)
	if job.State != "COMPLETED" || job.Total != 120 || job.Counts.Updated != 120 || job.Documents != 60 || job.Collections != 12 || job.Done != 12 {
		t.Errorf("the job: %+v", job)
	}
	if job.Cause.BaseURLOld != "http://id/names/" || job.Cause.BaseURLNew != "https://new.example/" || job.Principal != "ann" {
		t.Errorf("its cause: %+v by %s", job.Cause, job.Principal)
	}
	for i := range 12 {
		c := must[api.Collection](b, "collection.get", fmt.Sprintf("c%d", i), "")
		if c.Version != 2 {
			t.Errorf("c%d is at version %d, not 2", i, c.Version)
		}
		if text := b.document(c.ID, "d004"); !strings.Contains(text, `{"0":"https://new.example/n1"}`) || !strings.Contains(text, `{"0":"https://new.example/n2"}`) {
			t.Errorf("c%d: %s", i, text)
		}
	}
	if page := must[api.ReportPage](b, "report.list", "", ""); len(page.Items) != 1 || page.Items[0].Propagation != changed.Propagation {
		t.Errorf("the report: %+v", page)
	}
	if page := must[api.PropagationPage](b, "propagation.list", "", "", param("open", "true")); len(page.Items) != 0 {
		t.Errorf("open jobs: %+v", page)
	}
	events := must[api.EventPage](b, "propagation.events", changed.Propagation, "")
	if first, last := events.Items[0].Type, events.Items[len(events.Items)-1].Type; first != "propagation.requested" || last != "propagation.completed" {
		t.Errorf("events from %s to %s", first, last)
	}
	if report, err := b.store.Verify(t.Context(), pebblestore.VerifyOptions{Fold: actors.Fold(actors.DefaultLimits)}); err != nil || len(report.List) > 0 {
		t.Errorf("the store: %+v, %v", report, err)
	}
	if got := must[api.LinkCount](b, "link.count", "", "", param("collection", "c1")); got != (api.LinkCount{Links: 10, Documents: 5, Collections: 1}) {
		t.Errorf("links of a collection: %+v", got)
	}
}

func TestAJobWaitsForTheLockOfACollection(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	library(b)
	b.shelf("free", 2)
	b.shelf("held", 3)
	grant := must[api.Grant](b, "lock.acquire", "held", `{}`, as("bob"))
	changed := must[api.LinkChanged](b, "source.patch", "names", `{"baseUrl":"https://new.example/"}`)
	for b.jobs.Tally().Waiting == 0 {
		must[api.Propagation](b, "propagation.get", changed.Propagation, "")
	}
	job := must[api.Propagation](b, "propagation.get", changed.Propagation, "")
	if job.State != "RUNNING" || job.WaitingForLocks != 1 || job.Counts.Updated != 4 || job.Counts.Pending != 6 || job.Done != 1 {
		t.Errorf("while it waits: %+v", job)
	}
	items := must[api.PropagationItemPage](b, "propagation.items", changed.Propagation, "")
	if len(items.Items) != 1 || items.Items[0].Collection != "held" || items.Items[0].State != "WAITING" || !strings.Contains(items.Items[0].Cause, "bob") {
		t.Errorf("what is waited for: %+v", items)
	}
	if got := must[api.Impact](b, "source.impact", "names", ""); got.Locked != 1 {
		t.Errorf("impact: %+v", got)
	}
	if page := must[api.PropagationPage](b, "propagation.list", "", "", param("open", "true")); len(page.Items) != 1 {
		t.Errorf("open jobs: %+v", page)
	}
	if _, p := b.do("lock.release", "held", "", as("bob"), with("Lock-Token", grant.Token)); p != nil {
		t.Fatal(p)
	}
	job = b.job(changed.Propagation)
	if job.State != "COMPLETED" || job.Counts.Updated != 10 || job.WaitingForLocks != 0 || job.Done != 2 {
		t.Errorf("afterwards: %+v", job)
	}
	if text := b.document("held", "d002"); !strings.Contains(text, "https://new.example/n1") {
		t.Errorf("what was locked: %s", text)
	}
}

func TestAJobCanBePausedAndCancelled(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	library(b)
	b.shelf("held", 3)
	must[api.Grant](b, "lock.acquire", "held", `{}`, as("bob"))
	id := must[api.LinkChanged](b, "source.patch", "names", `{"baseUrl":"https://new.example/"}`).Propagation
	for b.jobs.Tally().Waiting == 0 {
		must[api.Propagation](b, "propagation.get", id, "")
	}
	for range 2 {
		if job := must[api.Propagation](b, "propagation.pause", id, ""); job.State != "PAUSED" {
			t.Errorf("paused: %+v", job)
		}
	}
	if job := must[api.Propagation](b, "propagation.resume", id, ""); job.State != "RUNNING" {
		t.Errorf("resumed: %+v", job)
	}
	for range 2 {
		if job := must[api.Propagation](b, "propagation.cancel", id, ""); job.State != "CANCELLED" || job.Counts.Skipped != 6 || job.Total != 6 {
			t.Errorf("cancelled: %+v", job)
		}
	}
	b.refused(problem.WrongState, "propagation.resume", id, "")
	b.refused(problem.WrongState, "propagation.retry", id, "")
	b.refused(problem.NotFound, "propagation.pause", "none", "")
	b.refused(problem.NotFound, "propagation.get", "none", "")
	b.refused(problem.Invalid, "propagation.items", id, "", param("state", "DONE"))
}

func TestASecondChangeSupersedesTheFirst(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	library(b)
	b.shelf("held", 3)
	grant := must[api.Grant](b, "lock.acquire", "held", `{}`, as("bob"))
	var ids []string
	for i := range 3 {
		ids = append(ids, must[api.LinkChanged](b, "source.patch", "names", fmt.Sprintf(`{"baseUrl":"https://new%d.example/"}`, i)).Propagation)
	}
	for i, id := range ids[:2] {
		if job := b.job(id); job.State != "SUPERSEDED" || job.SupersededBy == "" || job.Counts.Superseded != job.Total {
			t.Errorf("job %d: %+v", i, job)
		}
	}
	if _, p := b.do("lock.release", "held", "", as("bob"), with("Lock-Token", grant.Token)); p != nil {
		t.Fatal(p)
	}
	if job := b.job(ids[2]); job.State != "COMPLETED" || job.Counts.Updated != 6 {
		t.Errorf("the last: %+v", job)
	}
	if text := b.document("held", "d000"); !strings.Contains(text, "https://new2.example/n1") {
		t.Errorf("what was locked: %s", text)
	}
	var listed []string
	next := ""
	for {
		page := must[api.PropagationPage](b, "propagation.list", "", "", param("limit", "1"), param("cursor", next))
		for _, job := range page.Items {
			listed = append(listed, job.ID)
		}
		if next = page.Next; next == "" {
			break
		}
	}
	slices.Sort(listed)
	slices.Sort(ids)
	if !slices.Equal(listed, ids) {
		t.Errorf("listed page by page: %v, not %v", listed, ids)
	}
}

func TestJobsGoOnAfterARestart(t *testing.T) {
	fs := vfs.NewMem()
	b := start(t, fs) // nothing works on jobs
	library(b)
	for i := range 4 {
		b.shelf(fmt.Sprintf("c%d", i), 2)
	}
	id := must[api.LinkChanged](b, "source.patch", "names", `{"baseUrl":"https://new.example/"}`).Propagation
	if job := must[api.Propagation](b, "propagation.get", id, ""); job.State != "REQUESTED" {
		t.Fatalf("without a driver: %+v", job)
	}
	b.stop()
	b = startWith(t, fs, true)
	if job := b.job(id); job.State != "COMPLETED" || job.Counts.Updated != 16 {
		t.Errorf("after the restart: %+v", job)
	}
}

func TestAuditsFindWhatIsNotAsItShouldBe(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	library(b)
	b.shelf("c", 3)
	for _, body := range []string{`{"source":"names"}`, `{"authority":"davis","reason":"doubt"}`} {
		job := b.job(must[api.Started](b, "link.audit", "", body).Propagation)
		if job.State != "COMPLETED" || job.Cause.Action != "AUDIT" || job.Counts.Unchanged != job.Total || job.Total == 0 {
			t.Errorf("audit of %s: %+v", body, job)
		}
	}
	first := must[api.Started](b, "link.audit", "", `{"source":"names"}`, with("Idempotency-Key", "k"))
	if again := must[api.Started](b, "link.audit", "", `{"source":"names"}`, with("Idempotency-Key", "k")); again != first {
		t.Errorf("the same request began %s and %s", first.Propagation, again.Propagation)
	}
	if page := must[api.ReportPage](b, "report.list", "", "", param("action", "AUDIT")); len(page.Items) != 3 {
		t.Errorf("reports: %+v", page)
	}
	if page := must[api.ReportPage](b, "report.list", "", "", param("action", "DELETE")); len(page.Items) != 0 {
		t.Errorf("reports: %+v", page)
	}
	for _, body := range []string{`{}`, `{"source":"names","authority":"davis"}`, `{"source":"a b"}`, `{"what":1}`} {
		b.refused(problem.Invalid, "link.audit", "", body)
	}
	b.refused(problem.NotFound, "link.audit", "", `{"source":"none"}`)
	b.refused(problem.NotFound, "link.audit", "", `{"authority":"none"}`)
	b.refused(problem.Invalid, "report.list", "", "", param("action", "SING"))
	b.refused(problem.Invalid, "report.list", "", "", param("from", "yesterday"))
}

// TestChangesWithoutAJob: whoever changes an authority without a job has seen no links; those that have come meanwhile follow
// all the same.
func TestChangesWithoutAJob(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	library(b)
	must[struct{}](b, "type.put", "trusting", `{"links":{"unknownAuthority":"accept"}}`)
	must[collection.Result](b, "collection.put", "c", `{"format":"marc","type":"trusting","documents":{"d":`+
		marcRecord(marcField("100", "a=Davis, Miles", "9=davis"))+`,"w":`+marcRecord(marcField("100", "a=Hall", "9=hall"))+`}}`)
	jobless := func(id, naturalID, heading string) {
		record := marcRecord(marcField("100", "a="+heading))
		c, p := authority.NewPut("names", naturalID, []byte(record), 1, "")
		if p != nil {
			t.Fatal(p)
		}
		if _, err := b.service.call(t.Context(), &entity.Envelope{Entity: authorityID("p", id), Command: c, Meta: entity.Meta{Principal: "ann"}}); err != nil {
			t.Fatal(err)
		}
		if n := <-b.corrected; n != 1 {
			t.Errorf("%d documents were corrected", n)
		}
	}
	jobless("davis", "n1", "Davis, Miles Dewey")
	if got := b.document("c", "d"); got != marcRecord(marcField("100", "a=Davis, Miles Dewey", "0=http://id/names/n1", "9=davis")) {
		t.Errorf("changed: %s", got)
	}
	jobless("hall", "n3", "Hall, Jim")
	if got := b.document("c", "w"); got != marcRecord(marcField("100", "a=Hall", "0=http://id/names/n3", "9=hall")) {
		t.Errorf("created: %s", got)
	}
}

// checked waits until the checker has looked at all that was written.
func (b *bench) checked() {
	b.t.Helper()
	b.waitFor(func() bool {
		for p := range b.store.Partitions() {
			if b.checker.Passed(persistence.Partition(p)) < b.store.Last(persistence.Partition(p)) {
				return false
			}
		}
		return true
	})
}

// waitFor looks until something is so that goes on beside the requests.
func (b *bench) waitFor(so func() bool) {
	b.t.Helper()
	for !so() {
		runtime.Gosched()
	}
}
