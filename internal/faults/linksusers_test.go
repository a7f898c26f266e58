package faults

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/transport"
)

const (
	userCount     = 4
	userMaxTries  = 3000
	userMinEdits  = 10 // of one user: fewer prove nothing
	stormVictims  = 4  // names that are deleted, the first ones
	stormRestless = 8  // names that are renamed, the next ones; users link to the others
	settleMaxWait = 20 * time.Second
)

// stormChanges is how many changes there are while users work.
func stormChanges() int { return max(14, count("CONCORD_KILL_CYCLES", 0)/2) }

// userField is a linked field as users know it, by its mark.
type userField struct {
	authority string
	typed     []dumbSub // what it says of itself; nil: it came with the record
}

// userDocument is what a record must be, whatever jobs have done to it.
type userDocument struct {
	note   string
	others []string // bytes of the fields that have no mark, but the note
	fields map[string]userField
}

// cataloguer edits the records of collections that nobody else edits, while jobs rewrite their links. Every edit is built on
// what was read; one that meets a newer version is made anew.
type cataloguer struct {
	t     *testing.T
	name  string
	d     *httpDoor
	rng   *rand.Rand
	owned map[string]map[string]*userDocument
	edits int
	stale int
}

func markOf(f *dumbField) string { return f.sub("4") }

func userDocumentOf(d *dumbMARC) *userDocument {
	u := &userDocument{fields: map[string]userField{}}
	for i := range d.fields {
		f := &d.fields[i]
		switch mark := markOf(f); {
		case mark != "":
			u.fields[mark] = userField{authority: f.authority()}
		case f.tag == "500":
			u.note = f.raw
		default:
			u.others = append(u.others, f.raw)
		}
	}
	return u
}

// ask repeats a call, with its key, until there is an answer.
func (u *cataloguer) ask(c call) (reply, bool) {
	var r reply
	var err error
	for range userMaxTries {
		if r, err = u.d.do(c); err == nil && r.code != "unavailable" && r.code != "overloaded" {
			return r, true
		}
		waitALittle()
	}
	u.t.Errorf("%s: no answer to %s %s: %v %s", u.name, c.op, c.id, err, r.text)
	return r, false
}

// run edits until it is told to stop.
func (u *cataloguer) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		if !u.edit() {
			return
		}
	}
}

// edit makes one edit, and sees it through.
func (u *cataloguer) edit() bool {
	collections := slices.Sorted(maps.Keys(u.owned))
	id := collections[u.rng.IntN(len(collections))]
	document := "d" + strconv.Itoa(u.rng.IntN(madeDocuments))
	known := u.owned[id][document]
	u.edits++
	name := u.name + "-" + strconv.Itoa(u.edits)
	for try := range userMaxTries {
		got, ok := u.ask(call{op: "document.get", id: id, inner: document})
		var seen struct {
			Version uint64
			Value   json.RawMessage
		}
		if !ok || got.code != "" || json.Unmarshal(got.text, &seen) != nil {
			u.t.Errorf("%s: read %s, %s: %s", u.name, id, document, got.text)
			return false
		}
		d, err := cutMARC(seen.Value)
		if err != nil {
			u.t.Error(err)
			return false
		}
		next := u.change(d, known, name)
		r, ok := u.ask(call{op: "document.put", id: id, inner: document, by: ann,
			header: map[string]string{transport.HeaderIdempotencyKey: name + "." + strconv.Itoa(try)},
			raw:    fmt.Appendf(nil, `{"baseVersion":%d,"value":%s}`, seen.Version, joined(d))})
		switch {
		case !ok:
			return false
		case r.code == "":
			u.owned[id][document] = next
			return true
		case r.code != "version-conflict":
			u.t.Errorf("%s: edit %s, %s: %s", u.name, id, document, r.text)
			return false
		}
		u.stale++
	}
	u.t.Errorf("%s: %s, %s is never what was read", u.name, id, document)
	return false
}

// change edits a record: its note, and now and then a linked field comes or goes. It returns what is known of it then.
func (u *cataloguer) change(d *dumbMARC, known *userDocument, name string) *userDocument {
	next := &userDocument{note: noteField(name), others: known.others, fields: maps.Clone(known.fields)}
	for i := range d.fields {
		if d.fields[i].tag == "500" {
			d.fields[i].raw = next.note
		}
	}
	last := len(d.fields) - 1
	switch what := u.rng.IntN(4); {
	case what == 0 && len(known.fields) < 2*madeLinks:
		n := stormVictims + stormRestless + u.rng.IntN(madeNames-stormVictims-stormRestless)
		f := userField{authority: "names:n" + strconv.Itoa(n), typed: []dumbSub{{"a", "Typed by " + name + "."}}}
		next.fields["by "+name] = f
		raw := fmt.Sprintf(`{"700":{"ind1":"1","ind2":" ","subfields":[{"a":%s},{"9":%s},{"4":%s}]}}`, quoted(f.typed[0].text), quoted(f.authority), quoted("by "+name))
		d.fields = append(d.fields, dumbField{raw: raw})
		d.between = slices.Insert(d.between, len(d.between)-1, ",")
	case what == 1 && markOf(&d.fields[last]) != "" && len(known.fields) > 1:
		delete(next.fields, markOf(&d.fields[last]))
		d.fields = d.fields[:last]
		d.between = slices.Delete(d.between, last, last+1)
	}
	return next
}

// judge says what is wrong with a record that users and jobs have written.
func (w *dumbWorld) judge(body []byte, u *userDocument, uris map[string]map[string]bool) error {
	d, err := cutMARC(body)
	if err != nil {
		return err
	}
	got := userDocumentOf(d)
	if got.note != u.note || !slices.Equal(got.others, u.others) {
		return fmt.Errorf("an edit is lost: the note is %s, want %s; other fields %q, want %q", got.note, u.note, got.others, u.others)
	}
	for i := range d.fields {
		f := &d.fields[i]
		mark := markOf(f)
		if mark == "" {
			continue
		}
		want, known := u.fields[mark]
		if !known {
			return fmt.Errorf("a field that was taken out: %s", f.raw)
		}
		if err := w.judgeField(f, want, uris[want.authority]); err != nil {
			return err
		}
	}
	if len(got.fields) != len(u.fields) {
		return fmt.Errorf("%d linked fields, want %d", len(got.fields), len(u.fields))
	}
	return nil
}

func (w *dumbWorld) judgeField(f *dumbField, want userField, uris map[string]bool) error {
	if want.authority == "" {
		return nil
	}
	a := w.authorities[want.authority]
	if a.deleted {
		if f.sub("9") != "" || !uris[f.sub("0")] {
			return fmt.Errorf("%s, want it unlinked, with a $0 that it has had", f.raw)
		}
		return nil
	}
	text := want.typed
	if text == nil {
		text = a.heading.subs
	}
	var says []dumbSub
	for _, s := range f.subs {
		if strings.Contains("abcdjq", s.code) {
			says = append(says, s)
		}
	}
	slices.SortFunc(says, func(a, b dumbSub) int { return strings.Compare(a.code, b.code) })
	text = slices.SortedFunc(slices.Values(text), func(a, b dumbSub) int { return strings.Compare(a.code, b.code) })
	if f.authority() != want.authority || f.sub("0") != w.uri(want.authority) || !slices.Equal(says, text) {
		return fmt.Errorf("%s, want it linked to %s with $0 %s, and %v", f.raw, want.authority, w.uri(want.authority), text)
	}
	return nil
}

// TestLinksAmongUsers has users edit records, link fields and take links out, while base URLs, natural ids and headings
// change again and again, names are deleted, and the process is killed. In the end every edit is there, and every linked
// field is right.
func TestLinksAmongUsers(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	c, m := madeCatalogue(t, p, 5)
	users := c.users()
	stop := make(chan struct{})
	var load sync.WaitGroup
	for _, u := range users {
		load.Go(func() { u.run(stop) })
	}
	s := &storm{c: c, m: m, bases: map[string]bool{}, natural: map[string]map[string]bool{}, uris: map[string]map[string]bool{}}
	for n := range stormChanges() {
		s.remember()
		s.change(n)
		<-time.After(time.Duration(m.rng.IntN(100)) * time.Millisecond) // the moment of the fault
		if n%3 == 0 {
			p.kill()
			p.start()
		}
		if n%5 == 4 {
			s.end()
		}
		if t.Failed() {
			break
		}
	}
	close(stop)
	load.Wait()
	s.end()
	s.remember()
	edits, stale := 0, 0
	for _, u := range users {
		edits, stale = edits+u.edits, stale+u.stale
		if u.edits < userMinEdits && !t.Failed() {
			t.Errorf("only %d edits of %s: the test proves nothing", u.edits, u.name)
		}
	}
	t.Logf("%d changes, %d edits, %d of them made anew; %d jobs were superseded", stormChanges(), edits, stale, s.superseded)
	s.settle(users)
	for _, source := range []string{"names", "subjects"} {
		if j := c.audit("source", source); j.State != "COMPLETED" || j.Counts["updated"] != 0 {
			t.Errorf("an audit of %s: %+v", source, j)
		}
	}
	p.stop()
	checkStore(t, p)
}

// users share the collections of records.
func (c *catalogue) users() []*cataloguer {
	users := make([]*cataloguer, userCount)
	for n := range users {
		users[n] = &cataloguer{t: c.t, name: "u" + strconv.Itoa(n), d: newHTTPDoor(c.p.httpAddress), rng: rand.New(rand.NewPCG(uint64(n), 6)),
			owned: map[string]map[string]*userDocument{}}
	}
	next := 0
	for _, id := range slices.Sorted(maps.Keys(c.model.documents)) {
		documents := map[string]*userDocument{}
		for name, d := range c.model.documents[id] {
			if record, ok := d.(*dumbMARC); ok {
				documents[name] = userDocumentOf(record)
			}
		}
		if len(documents) > 0 {
			users[next%userCount].owned[id] = documents
			next++
		}
	}
	return users
}

// storm makes one change after the other, and does not wait for them.
type storm struct {
	c          *catalogue
	m          *maker
	jobs       []string
	bases      map[string]bool            // of the source that changes
	natural    map[string]map[string]bool // ids of an authority
	uris       map[string]map[string]bool // that $0 of an authority may have had
	superseded int
}

// remember notes what $0 may say from now on. Changes of a base URL and of a natural id arrive in any order, so that each of
// the one goes with each of the other.
func (s *storm) remember() {
	w := s.c.model
	s.bases[w.sources["names"]] = true
	for id, a := range w.authorities {
		if s.uris[id] == nil {
			s.uris[id], s.natural[id] = map[string]bool{}, map[string]bool{}
		}
		s.uris[id][w.uri(id)], s.natural[id][a.naturalID] = true, true
		for base := range s.bases {
			for natural := range s.natural[id] {
				s.uris[id][base+natural] = true
			}
		}
	}
}

// change is one of the storm: users go on, so that the model of the documents is not kept.
func (s *storm) change(n int) {
	c := s.c
	if n%2 == 0 {
		url := fmt.Sprintf("http://storm.example.org/%d/", n)
		c.model.sources["names"] = url
		s.jobs = append(s.jobs, c.setURL("names", url))
		if n%4 == 0 { // and another one, before much could come of it
			s.remember()
			c.model.sources["names"] = url + "more/"
			s.jobs = append(s.jobs, c.setURL("names", url+"more/"))
		}
		return
	}
	number := s.m.rng.IntN(stormVictims)
	id := "names:n" + strconv.Itoa(number)
	to := *c.model.authorities[id]
	switch n % 6 {
	case 1:
		if to.deleted {
			return
		}
		to.deleted = true
	case 3:
		id = "names:n" + strconv.Itoa(stormVictims+s.m.rng.IntN(stormRestless))
		to = *c.model.authorities[id]
		to.heading.subs = []dumbSub{{"a", fmt.Sprintf("Storm %d", n)}, {"q", "(so it is)"}}
	default:
		id = "names:n" + strconv.Itoa(stormVictims+s.m.rng.IntN(madeNames-stormVictims))
		to = *c.model.authorities[id]
		to.naturalID = fmt.Sprintf("%s-%d", strings.SplitN(to.naturalID, "-", 2)[0], n)
	}
	s.jobs = append(s.jobs, c.put(id, to))
	c.model.authorities[id] = &to
}

// end waits until all jobs have ended, each in a way that is right.
func (s *storm) end() {
	for _, id := range s.jobs {
		j := s.c.end(id)
		switch {
		case j.State == "SUPERSEDED" && j.Cause.Action == "UPDATE_BASE_URL" && j.SupersededBy != "":
			s.superseded++
		case j.State != "COMPLETED":
			s.c.t.Errorf("job %s: %+v", id, j)
		}
	}
	s.jobs = nil
}

// settle waits until all corrections have come, and then nothing may be wrong.
func (s *storm) settle(users []*cataloguer) {
	s.c.t.Helper()
	var wrong error
	for until := time.Now().Add(settleMaxWait); time.Now().Before(until); waitALittle() {
		if wrong = s.wrong(users); wrong == nil {
			return
		}
	}
	s.c.t.Error(wrong)
}

func (s *storm) wrong(users []*cataloguer) error {
	for _, u := range users {
		for _, id := range slices.Sorted(maps.Keys(u.owned)) {
			k := s.c.read(id)
			for name, document := range u.owned[id] {
				if err := s.c.model.judge(k.documents[name], document, s.uris); err != nil {
					return fmt.Errorf("%s, %s: %w", id, name, err)
				}
			}
		}
	}
	return nil
}
