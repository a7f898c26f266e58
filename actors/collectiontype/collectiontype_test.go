package collectiontype

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"concord/actors/entity"
	"concord/actors/links"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/persistence"
)

// sameLinks compares linking rules: none of the types here has its own.
var sameLinks = cmp.Comparer(func(a, b *links.Rules) bool { return a == b })

var behavior = Behavior{Limits: Limits{MaxBytes: 100}}

// live is a type as it is kept while it is used: its state, and how many events it had.
type live struct {
	state rules.State
	seq   uint64
}

// failer is a test of rapid or of our own.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// do decides, and takes the events in as they are read back. It returns their stored names.
func (l *live) do(t failer, c Command) (names string, a entity.Answer, err error) {
	t.Helper()
	before := l.state
	at := entity.Stamp{Entity: persistence.EntityID{Kind: persistence.KindType, Provider: "p", ID: "letters"},
		Seq: l.seq, Version: l.state.Version}
	if wants := behavior.Wants(l.state, c, entity.Facts{}); len(wants) > 0 {
		t.Fatalf("wants %v", wants)
	}
	events, err := behavior.decide(l.state, c, entity.Facts{}, entity.Meta{})
	for _, e := range events {
		stored := behavior.EncodeEvent(e)
		back, err := behavior.DecodeEvent(stored)
		_, quiet := e.(*Indexed)
		if err != nil || !cmp.Equal(e, back) || stored.Content == quiet || len(stored.Parts) > 0 {
			t.Fatalf("%#v is stored as %+v, and read back as %#v, %v", e, stored, back, err)
		}
		if at.Seq++; stored.Content {
			at.Version++
		}
		l.state, l.seq = behavior.Evolve(l.state, back, at), at.Seq
		names += stored.Type
	}
	if kept, err := behavior.DecodeState(behavior.EncodeState(l.state)); err != nil || !cmp.Equal(l.state, kept) {
		t.Fatalf("%+v is kept as %+v, %v", l.state, kept, err)
	}
	return names, behavior.Answer(before, l.state, c, entity.Case{At: at, Changed: len(events) > 0}), err
}

func put(text string) *Put { return &Put{Body: []byte(text)} }

// step is a command, and what must come of it.
type step struct {
	c       Command
	want    string // stored name of the event, "" for none
	code    problem.Code
	status  int
	version uint64
}

func TestTypes(t *testing.T) {
	const a, b = `{"requireVersion":true}`, `{"lock":{"ttl":30}}`
	const keyed, indexed = `{"keys":[["/metadata/n"]]}`, `{"indexes":["/metadata/t/*"],"keys":[["/metadata/n"]]}`
	matches := func(versions ...uint64) Preconditions { return Preconditions{IfMatch: versions} }
	create := Preconditions{IfNoneMatch: true}
	for title, steps := range map[string][]step{
		"each text is a version": {
			{put(a), TypeSaved, "", 201, 1}, {put(b), TypeSaved, "", 200, 2}, {put(a), TypeSaved, "", 200, 3},
		},
		"the same value is no version": {
			{put(b), TypeSaved, "", 201, 1}, {put(b), "", "", 200, 1}, {put(` {"lock": {"ttl": 3.00e1}} `), "", "", 200, 1},
			{put(`{"lock":{"ttl":30},"requireVersion":false}`), TypeSaved, "", 200, 2}, // means the same, and says more
		},
		"the empty type is one": {{put(`{}`), TypeSaved, "", 201, 1}, {put(`{ }`), "", "", 200, 1}},
		"deleted, and made again": {
			{put(a), TypeSaved, "", 201, 1}, {&Delete{}, TypeDeleted, "", 200, 2}, {&Delete{}, "", problem.NotFound, 0, 2},
			{put(a), TypeSaved, "", 201, 3}, {&Delete{matches(3)}, TypeDeleted, "", 200, 4},
		},
		"none to delete": {{&Delete{}, "", problem.NotFound, 0, 0}, {&Delete{matches(1)}, "", problem.NotFound, 0, 0}},
		"create only": {
			{&Put{create, []byte(a)}, TypeSaved, "", 201, 1}, {&Put{create, []byte(a)}, "", problem.PreconditionFailed, 0, 1},
			{&Delete{}, TypeDeleted, "", 200, 2}, {&Put{create, []byte(a)}, TypeSaved, "", 201, 3},
		},
		"replace only": {
			{&Put{Preconditions{IfExists: true}, []byte(a)}, "", problem.PreconditionFailed, 0, 0}, {put(a), TypeSaved, "", 201, 1},
			{&Put{Preconditions{IfExists: true}, []byte(b)}, TypeSaved, "", 200, 2},
		},
		"only if nobody came before": {
			{&Put{matches(1), []byte(a)}, "", problem.PreconditionFailed, 0, 0},
			{put(a), TypeSaved, "", 201, 1}, {&Put{matches(1), []byte(b)}, TypeSaved, "", 200, 2},
			{&Put{matches(1), []byte(a)}, "", problem.PreconditionFailed, 0, 2}, {&Put{matches(1, 2), []byte(a)}, TypeSaved, "", 200, 3},
			{&Put{matches(1), []byte(a)}, "", problem.PreconditionFailed, 0, 3}, // also if it would change nothing
			{&Delete{matches(2)}, "", problem.PreconditionFailed, 0, 3},
			{&Delete{}, TypeDeleted, "", 200, 4}, {&Put{matches(4), []byte(a)}, "", problem.PreconditionFailed, 0, 4},
		},
		"a new key is built, and makes no version": {
			{put(keyed), TypeSaved, "", 201, 1}, {&Built{Version: 1}, TypeBuilt, "", 200, 1}, {&Built{Version: 1}, "", "", 200, 1},
			{put(keyed), "", "", 200, 1}, {&Put{matches(1), []byte(indexed)}, TypeSaved, "", 200, 2}, {&Built{Version: 1}, "", "", 200, 2},
			{&Built{Version: 2}, TypeBuilt, "", 200, 2}, {put(keyed), TypeSaved, "", 200, 3}, {&Built{Version: 3}, "", "", 200, 3},
			{&Delete{}, TypeDeleted, "", 200, 4}, {&Built{Version: 4}, "", "", 200, 4},
			{put(keyed), TypeSaved, "", 201, 5}, {&Built{Version: 5}, TypeBuilt, "", 200, 5},
		},
		"without keys there is nothing to be built": {{put(a), TypeSaved, "", 201, 1}, {&Built{Version: 1}, "", "", 200, 1}},
		"what is wrong changes nothing": {
			{put(a), TypeSaved, "", 201, 1}, {put(`{"mode":1}`), "", problem.Invalid, 0, 1}, {put(`{"keys":[[]]}`), "", problem.Invalid, 0, 1},
			{put(``), "", problem.Invalid, 0, 1}, {put(strings.Repeat(" ", 98) + `{}`), TypeSaved, "", 200, 2},
			{put(strings.Repeat(" ", 99) + `{}`), "", problem.TooLarge, 0, 2},
			{&Put{matches(7), []byte(`{`)}, "", problem.Invalid, 0, 2}, // the form comes first
		},
	} {
		t.Run(title, func(t *testing.T) {
			var l live
			for i, s := range steps {
				got, answer, err := l.do(t, s.c)
				code := problem.Code("")
				if err != nil {
					code, answer.Status = problem.Of(err).Code, 0
				}
				if got != s.want || code != s.code || answer.Status != s.status || l.state.Version != s.version {
					t.Fatalf("step %d: event %q, code %q, status %d, version %d; want %+v", i, got, code, answer.Status, l.state.Version, s)
				}
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	var l live
	_, a, err := l.do(t, put(`{}`))
	want := `{"provider":"p","id":"letters","version":1,"etag":"\"v1\"","seq":1,"changed":true}`
	if err != nil || string(a.Body) != want || a.Version != 1 {
		t.Errorf("answer %+v: %s, %v", a, a.Body, err)
	}
}

// The event does not share the memory of the request, which is not the entity's own.
func TestTheTextIsTheEntitysOwn(t *testing.T) {
	var l live
	c := put(`{"requireVersion":true}`)
	if _, _, err := l.do(t, c); err != nil {
		t.Fatal(err)
	}
	clear(c.Body)
	if string(l.state.Text) != `{"requireVersion":true}` {
		t.Errorf("the state is %q", l.state.Text)
	}
}

// TestRandomLives: whatever happens, the rules in force are those of the newest text; what is asked twice in a row
// changes nothing the second time.
func TestRandomLives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l live
		want := rules.None
		exists := false
		for range rapid.IntRange(1, 30).Draw(t, "commands") {
			if rapid.IntRange(0, 4).Draw(t, "delete") == 0 {
				_, _, err := l.do(t, &Delete{})
				if (err == nil) != exists {
					t.Fatalf("deleting one that exists: %v; got %v", exists, err)
				}
				want, exists = rules.None, false
			} else {
				ttl := rapid.IntRange(4, 8).Draw(t, "ttl") // 4 is out of bounds
				text, err := json.Marshal(map[string]any{"lock": map[string]any{"ttl": ttl}, "requireVersion": rapid.Bool().Draw(t, "require")})
				if err != nil {
					t.Fatal(err)
				}
				if _, _, err := l.do(t, &Put{Body: text}); (err == nil) != (ttl > 4) {
					t.Fatalf("ttl %d: %v", ttl, err)
				} else if err == nil {
					read, err := rules.Parse(text)
					if err != nil {
						t.Fatal(err)
					}
					set := *read
					set.Version, want = l.state.Version, &set
					exists = true
					if again, _, err := l.do(t, &Put{Body: append([]byte(" "), text...)}); again != "" || err != nil {
						t.Fatalf("a repeat makes %s, %v", again, err)
					}
				}
			}
			if got, err := rules.Decode(behavior.EncodeState(l.state)); err != nil || !cmp.Equal(got, want, sameLinks) {
				t.Fatalf("the rules are %+v, %v; want %+v", got, err, want)
			}
			if l.state.Version != l.seq {
				t.Fatalf("%d events, version %d", l.seq, l.state.Version)
			}
		}
	})
}
