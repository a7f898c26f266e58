package source

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"concord/actors/entity"
	"concord/actors/links"
	"concord/actors/precondition"
	"concord/actors/problem"
	"concord/persistence"
)

var update = flag.Bool("update", false, "write the golden file of a new version; those of released ones are never edited")

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

var names = persistence.EntityID{Kind: persistence.KindSource, Provider: "p", ID: "names"}

func TestBaseURLs(t *testing.T) {
	for name, row := range map[string]struct {
		given, want, wrong string
	}{
		"gets a slash":                   {given: "http://id.loc.gov/authorities/names", want: "http://id.loc.gov/authorities/names/"},
		"has one":                        {given: "http://id.loc.gov/authorities/names/", want: "http://id.loc.gov/authorities/names/"},
		"a host alone":                   {given: "https://example.org", want: "https://example.org/"},
		"port is kept":                   {given: "https://example.org:8443/a", want: "https://example.org:8443/a/"},
		"query is kept":                  {given: "https://example.org/a?id", want: "https://example.org/a?id"},
		"query that ends in =":           {given: "https://example.org/a?id=", want: "https://example.org/a?id="},
		"an empty query":                 {given: "https://example.org/a?", want: "https://example.org/a?"},
		"ends in = without a query":      {given: "https://example.org/a=", want: "https://example.org/a="},
		"ends in #":                      {given: "https://example.org/a#", want: "https://example.org/a#"},
		"a fragment":                     {given: "https://example.org/a#b", want: "https://example.org/a#b/"},
		"www. stays":                     {given: "http://www.example.org/a/", want: "http://www.example.org/a/"},
		"another scheme":                 {given: "ftp://example.org/a", want: "ftp://example.org/a/"},
		"an address of six":              {given: "http://[::1]:80/a", want: "http://[::1]:80/a/"},
		"no scheme":                      {given: "id.loc.gov/authorities", wrong: "no scheme"},
		"no host":                        {given: "http:///names", wrong: "no host"},
		"a port alone":                   {given: "http://:80/names", wrong: "no host"},
		"a name of no place":             {given: "urn:isbn:", wrong: "no host"},
		"a mail address":                 {given: "mailto:a@example.org", wrong: "no host"},
		"a user":                         {given: "http://ann:secret@example.org/", wrong: "names a user"},
		"a blank":                        {given: "http://example.org/a b", wrong: "blanks"},
		"a line end":                     {given: "http://example.org/\n", wrong: "blanks"},
		"markup":                         {given: "http://example.org/<a>", wrong: "blanks"},
		"a bad escape":                   {given: "http://example.org/%zz", wrong: "no URL"},
		"a bad port":                     {given: "http://example.org:http/", wrong: "no URL"},
		"no UTF-8":                       {given: "http://example.org/\xff", wrong: "blanks"},
		"too long":                       {given: "http://example.org/" + strings.Repeat("a", 600), wrong: "the limit is 512"},
		"too long with the slash, alone": {given: "http://example.org/" + strings.Repeat("a", 493), wrong: "the limit is 512"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := NormalBaseURL(row.given)
			switch {
			case row.wrong == "" && (err != nil || got != row.want):
				t.Errorf("%q, %v; want %q", got, err, row.want)
			case row.wrong != "" && (err == nil || !strings.Contains(err.Error(), row.wrong)):
				t.Errorf("%q, %v; want an error of %q", got, err, row.wrong)
			}
		})
	}
}

func TestEqualBaseURLs(t *testing.T) {
	for _, row := range []struct {
		a, b string
		same bool
	}{
		{"http://www.example.org/a/", "http://example.org/a/", true},
		{"http://WWW.Example.org/a/", "HTTP://example.ORG/a/", true},
		{"http://example.org/a/", "https://example.org/a/", false}, // only www. does not count
		{"http://example.org/a/", "http://example.org/A/", false},
		{"http://example.org/a/", "http://example.org:80/a/", false},
		{"http://example.org/a?x=", "http://example.org/a?y=", false},
		{"http://wwwexample.org/", "http://example.org/", false},
	} {
		if got := comparableURL(row.a) == comparableURL(row.b); got != row.same {
			t.Errorf("%s and %s: %v", row.a, row.b, got)
		}
	}
}

func FuzzBaseURL(f *testing.F) {
	f.Add("http://id.loc.gov/authorities/names")
	f.Add("https://example.org:8443/a?id=#")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := NormalBaseURL(text)
		if err != nil {
			return
		}
		again, err := NormalBaseURL(got)
		if err != nil || again != got {
			t.Fatalf("%q becomes %q, that %q: %v", text, got, again, err)
		}
		if comparableURL(got) != comparableURL(again) || !strings.HasPrefix(got, text) {
			t.Fatalf("%q becomes %q", text, got)
		}
	})
}

// world runs one source.
type world struct {
	t     *testing.T
	state State
	seq   uint64
	index map[string]bool
}

func (w *world) do(c Command) (Event, []entity.Birth, error) {
	w.t.Helper()
	var b Behavior
	m := entity.Meta{Entity: names, Time: noon, Seq: w.seq + 1}
	d, err := b.Decide(w.state, c, entity.Facts{}, m)
	if err != nil || len(d.Events) == 0 {
		return Event{}, d.Births, err
	}
	enc := b.EncodeEvent(d.Events[0])
	e, err := b.DecodeEvent(enc)
	if err != nil {
		w.t.Fatal(err)
	}
	at := entity.Stamp{Entity: names, Seq: m.Seq, Version: w.state.Version, Time: noon}
	if enc.Content {
		at.Version++
	}
	for _, change := range b.Project(w.state, e, at).Index {
		if w.index == nil {
			w.index = make(map[string]bool)
		}
		w.index[change.Name] = !change.Removed
	}
	after := b.Evolve(w.state, e, at)
	if back, err := b.DecodeState(b.EncodeState(after)); err != nil || !reflect.DeepEqual(back, after) {
		w.t.Fatalf("state %+v is read back as %+v, %v", after, back, err)
	}
	if got := w.index[IndexUnsettled]; got == after.Settled() {
		w.t.Fatalf("settled %v, in the index %v", after.Settled(), got)
	}
	w.state, w.seq = after, m.Seq
	return e, d.Births, nil
}

func (w *world) must(c Command) (Event, []entity.Birth) {
	w.t.Helper()
	e, births, err := w.do(c)
	if err != nil {
		w.t.Fatalf("%+v: %v", c, err)
	}
	return e, births
}

func p[T any](v T) *T { return &v }

func whole(name string, codes []string, base string) *Put {
	return &Put{Whole: true, Job: "j1", Fields: Fields{Name: &name, Codes: &codes, BaseURL: &base}}
}

func TestBaseURLChanges(t *testing.T) {
	w := &world{t: t}
	if e, births := w.must(whole("Names", []string{"n"}, "")); e.After.Revision != 1 || births != nil {
		t.Errorf("creation: revision %d, births %v", e.After.Revision, births)
	}
	steps := []struct {
		name     string
		put      *Put
		revision uint64
		born     bool
		event    bool
	}{
		{"a first URL of a living source is a change", &Put{Fields: Fields{BaseURL: p("http://a.example")}, Job: "j2"}, 2, true, true},
		{"the same, but for the slash, is none", &Put{Fields: Fields{BaseURL: p("http://a.example/")}, Job: "j3"}, 2, false, false},
		{"a new name moves no field", &Put{Fields: Fields{Name: p("All names")}, Job: "j4"}, 2, false, true},
		{"www. is another text", &Put{Fields: Fields{BaseURL: p("http://www.a.example/")}, Job: "j5"}, 3, true, true},
		{"taken away", &Put{Fields: Fields{BaseURL: p("")}, Job: "j6"}, 4, true, true},
	}
	for _, step := range steps {
		before := w.state
		e, births := w.must(step.put)
		if (e.Type != "") != step.event || w.state.Revision != step.revision || (len(births) == 1) != step.born {
			t.Fatalf("%s: event %q, revision %d, births %v", step.name, e.Type, w.state.Revision, births)
		}
		if !step.born {
			continue
		}
		want := &links.Change{Action: links.ActionBaseURL, Source: w.state.Source, Was: links.Was{BaseURL: before.BaseURL}, Supersedes: before.Job}
		if !reflect.DeepEqual(births[0].As, want) || births[0].Entity.ID != persistence.JobID(names, step.put.Job) || w.state.Job != births[0].Entity.ID {
			t.Errorf("%s: born %+v as %+v, want %+v", step.name, births[0].Entity, births[0].As, want)
		}
	}
}

func TestDeletionTakesTwoSteps(t *testing.T) {
	w := &world{t: t}
	w.must(whole("Names", []string{"n"}, "http://a.example"))
	if _, _, err := w.do(&Delete{}); problem.Of(err).Code != problem.WrongState {
		t.Errorf("deleted while it was open: %v", err)
	}
	w.must(&Close{})
	if _, _, err := w.do(&Put{Fields: Fields{Name: p("x")}}); problem.Of(err).Code != problem.WrongState {
		t.Errorf("changed while it is closed: %v", err)
	}
	w.must(&Reopen{})
	w.must(&Put{Fields: Fields{Name: p("x")}})
	w.must(&Close{})
	e, births := w.must(&Delete{})
	if births != nil || e.After.Live || e.After.Open || e.After.Revision != 2 || e.After.BaseURL != "" {
		t.Errorf("deleted: %+v, births %v", e.After, births)
	}
	e, births = w.must(whole("Names", []string{"n"}, "http://a.example"))
	if births != nil || e.After.Revision != 3 || !e.After.Live {
		t.Errorf("came back: %+v, births %v", e.After, births)
	}
}

func TestLocalIDs(t *testing.T) {
	w := &world{t: t}
	sequence := func(start uint64) *Put { return &Put{Fields: Fields{Sequence: p(&Sequence{start})}} }
	next := func() string {
		t.Helper()
		e, _, err := w.do(&Next{})
		if err != nil {
			return string(problem.Of(err).Code)
		}
		return string(Behavior{}.Answer(State{}, e.After, &Next{}, entity.Case{}).Body)
	}
	w.must(whole("Names", []string{"abc"}, ""))
	if got := next(); got != "wrong-state" {
		t.Errorf("without a sequence: %s", got)
	}
	w.must(sequence(10))
	w.must(sequence(9)) // none was given: anything goes
	w.must(sequence(10))
	for _, want := range []string{`{"id":"abc10"}`, `{"id":"abc11"}`} {
		if got := next(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for name, c := range map[string]*Put{
		"a lower start":       sequence(11),
		"another code":        {Fields: Fields{Codes: p([]string{"abd"})}},
		"a second code":       {Fields: Fields{Codes: p([]string{"abc", "abd"})}},
		"a start above 2^53":  sequence(1 << 53),
		"all of it, no codes": {Whole: true, Fields: Fields{Name: p("Names")}},
	} {
		if _, _, err := w.do(c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	w.must(&Put{Fields: Fields{Sequence: p[*Sequence](nil)}})
	w.must(sequence(20))
	if got := next(); got != `{"id":"abc20"}` {
		t.Errorf("after a jump: %s", got)
	}
	w.must(&Close{})
	w.must(&Delete{})
	if keys := w.state.keys(); !reflect.DeepEqual(keys, []string{"source-code/abc"}) {
		t.Errorf("a deleted source with local ids keeps %v", keys)
	}
	w.must(whole("Names", []string{"abc"}, ""))
	w.must(sequence(21))
	if got := next(); got != `{"id":"abc21"}` {
		t.Errorf("after it came back: %s", got)
	}
}

func TestWrongMembers(t *testing.T) {
	long := strings.Repeat("ä", 251)
	for name, row := range map[string]struct {
		put  *Put
		path string
	}{
		"no name":               {whole("", nil, ""), "/name"},
		"a long name":           {whole(long, nil, ""), "/name"},
		"a name of blanks":      {whole(" x", nil, ""), "/name"},
		"a name with a bell":    {whole("x\a", nil, ""), "/name"},
		"a code with a digit":   {whole("x", []string{"n", "n1"}, ""), "/codes/1"},
		"an empty code":         {whole("x", []string{""}, ""), "/codes/0"},
		"a code with an umlaut": {whole("x", []string{"ä"}, ""), "/codes/0"},
		"a long code":           {whole("x", []string{strings.Repeat("a", 26)}, ""), "/codes/0"},
		"a code twice":          {whole("x", []string{"n", "m", "n"}, ""), "/codes/2"},
		"many codes":            {whole("x", make([]string, 101), ""), "/codes"},
		"no URL":                {whole("x", nil, "names"), "/baseUrl"},
		"a long type":           {&Put{Whole: true, Fields: Fields{Name: p("x"), Type: p(long)}}, "/type"},
		"sequence without code": {&Put{Whole: true, Fields: Fields{Name: p("x"), Sequence: p(&Sequence{1})}}, "/sequence"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := (&world{t: t}).do(row.put)
			if got := problem.Of(err); len(got.Errors) != 1 || got.Errors[0].Path != row.path || got.Code != problem.Invalid {
				t.Errorf("%v, want a problem at %s", err, row.path)
			}
		})
	}
}

func TestPreconditions(t *testing.T) {
	w := &world{t: t}
	if _, _, err := w.do(&Put{Fields: Fields{Name: p("x")}}); problem.Of(err).Code != problem.NotFound {
		t.Errorf("a patch of nothing: %v", err)
	}
	w.must(whole("Names", nil, ""))
	for name, row := range map[string]struct {
		set  precondition.Set
		want problem.Code
	}{
		"another version":    {precondition.Set{IfMatch: []uint64{2}}, problem.PreconditionFailed},
		"create only":        {precondition.Set{IfNoneMatch: true}, problem.PreconditionFailed},
		"another base":       {precondition.Set{Base: p(uint64(0))}, problem.VersionConflict},
		"the version and it": {precondition.Set{IfMatch: []uint64{1}, Base: p(uint64(1)), IfExists: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Behavior{}.Decide(w.state, &Put{Set: row.set, Fields: Fields{Type: p("t")}}, entity.Facts{}, entity.Meta{Entity: names})
			if row.want == "" && err != nil || row.want != "" && problem.Of(err).Code != row.want {
				t.Errorf("%v, want %q", err, row.want)
			}
		})
	}
}

// TestStoredForm: what released versions have stored is read as it was meant.
func TestStoredForm(t *testing.T) {
	s := State{Source: links.Source{ID: "names", BaseURL: "http://a.example/", Revision: 3}, Live: true, Open: true, Name: "Names",
		Codes: []string{"n", "nb"}, Type: "Names", Origin: "LOCAL", Selectable: true, Sequence: &Sequence{10}, Numbered: "n", Next: 12,
		Created: noon, Updated: noon.Add(time.Hour), Job: "j", Held: []string{"source-name/Names"}, Version: 7}
	golden(t, "testdata/state-v1.golden", Behavior{}.EncodeState(s), func(stored []byte) {
		got, err := Behavior{}.DecodeState(stored)
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("read as %+v, %v", got, err)
		}
		if seen, err := links.DecodeSource(stored); err != nil || seen != s.Source {
			t.Errorf("linked fields see %+v, %v", seen, err)
		}
	})
	s.Version = 0
	enc := Behavior{}.EncodeEvent(Event{Type: TypeSaved, After: s})
	golden(t, "testdata/saved-v1.golden", enc.Payload, func(stored []byte) {
		got, err := Behavior{}.DecodeEvent(entity.Encoded{Type: TypeSaved, Payload: stored})
		if err != nil || !reflect.DeepEqual(got.After, s) {
			t.Errorf("read as %+v, %v", got, err)
		}
	})
}

func golden(t *testing.T, path string, is []byte, check func([]byte)) {
	t.Helper()
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *update {
		text = []byte(hex.EncodeToString(is) + "\n")
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	stored, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		t.Fatal(err)
	}
	check(stored)
}

func FuzzDecode(f *testing.F) {
	f.Add(Behavior{}.EncodeState(State{Live: true, Name: "x", Codes: []string{"n"}, Sequence: &Sequence{1}}))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if s, err := (Behavior{}).DecodeState(b); err == nil {
			_ = s.Settled()
			_, _ = Behavior{}.DecodeState(Behavior{}.EncodeState(s))
		}
	})
}
