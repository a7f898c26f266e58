package provider

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/entity"
	"concord/actors/problem"
	"concord/actors/provider/providerpb"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// name is a fact: the name as it is kept.
func name(owner string, due time.Time) entity.Facts {
	n := &providerpb.Name{Owner: owner}
	if !due.IsZero() {
		n.Due = due.UnixMicro()
	}
	info, err := proto.Marshal(n)
	if err != nil {
		panic(err)
	}
	return entity.FactsOf(map[string]entity.Fact{"code/abc": {Exists: true, Info: info}}, nil)
}

var nobody = entity.FactsOf(map[string]entity.Fact{"code/abc": {}}, nil)

func TestNames(t *testing.T) {
	later := noon.Add(time.Minute)
	for title, c := range map[string]struct {
		given entity.Facts
		when  Command
		want  string // event type, "" for none
		code  problem.Code
	}{
		"a free name is reserved":                    {nobody, &Reserve{"code", "abc", "s1"}, TypeReserved, ""},
		"a reservation is renewed by its owner":      {name("s1", later), &Reserve{"code", "abc", "s1"}, TypeReserved, ""},
		"a reserved name is refused to another":      {name("s1", later), &Reserve{"code", "abc", "s2"}, "", problem.NameTaken},
		"a confirmed name is refused to another":     {name("s1", time.Time{}), &Reserve{"code", "abc", "s2"}, "", problem.NameTaken},
		"a confirmed name is its owner's already":    {name("s1", time.Time{}), &Reserve{"code", "abc", "s1"}, "", ""},
		"a reservation is confirmed":                 {name("s1", later), &Confirm{"code", "abc", "s1"}, TypeConfirmed, ""},
		"a confirmation is repeatable":               {name("s1", time.Time{}), &Confirm{"code", "abc", "s1"}, "", ""},
		"what lapsed cannot be confirmed":            {nobody, &Confirm{"code", "abc", "s1"}, "", problem.WrongState},
		"another's reservation cannot be confirmed":  {name("s1", later), &Confirm{"code", "abc", "s2"}, "", problem.WrongState},
		"a name is given back by its owner":          {name("s1", time.Time{}), &Release{"code", "abc", "s1"}, TypeReleased, ""},
		"a name is not given back by another":        {name("s1", time.Time{}), &Release{"code", "abc", "s2"}, "", ""},
		"a reservation lapses":                       {name("s1", later), &Lapse{"code/abc", later}, TypeReleased, ""},
		"a renewed reservation does not lapse early": {name("s1", later.Add(time.Second)), &Lapse{"code/abc", later}, "", ""},
		"a confirmed name does not lapse":            {name("s1", time.Time{}), &Lapse{"code/abc", later}, "", ""},
	} {
		t.Run(title, func(t *testing.T) {
			b := Behavior{}
			if wants := b.Wants(State{}, c.when, c.given); len(wants) != 0 {
				t.Fatalf("wants %v", wants)
			}
			events, err := b.decide(State{}, c.when, c.given, entity.Meta{Time: noon})
			if code := codeOf(err); code != c.code {
				t.Fatalf("refused with %q, want %q", code, c.code)
			}
			got := ""
			if len(events) > 0 {
				got = events[0].Type
			}
			if got != c.want {
				t.Fatalf("event %q, want %q", got, c.want)
			}
			for _, e := range events {
				roundTrip(t, e)
			}
		})
	}
}

func codeOf(err error) problem.Code {
	if err == nil {
		return ""
	}
	return problem.Of(err).Code
}

// roundTrip: an event that is stored and read back leaves the same beside it.
func roundTrip(t *testing.T, e Event) {
	t.Helper()
	b := Behavior{}
	back, err := b.DecodeEvent(b.EncodeEvent(e))
	if err != nil {
		t.Fatal(err)
	}
	if back != e {
		t.Fatalf("%+v read back as %+v", e, back)
	}
}

func TestNumbers(t *testing.T) {
	b, s := Behavior{}, State{}
	for want := uint64(1); want <= 3; want++ {
		events, err := b.decide(s, &Next{"task"}, entity.Facts{}, entity.Meta{})
		if err != nil || events[0].Number != want {
			t.Fatalf("%v %v, want number %d", events, err, want)
		}
		before := s
		s = b.Evolve(s, events[0], entity.Stamp{})
		if before.Counters["task"] != want-1 {
			t.Fatal("evolve wrote through its input")
		}
		if s, err = b.DecodeState(b.EncodeState(s)); err != nil || s.Counters["task"] != want {
			t.Fatalf("state read back as %v, %v", s, err)
		}
	}
	events, _ := b.decide(s, &Next{"other"}, entity.Facts{}, entity.Meta{})
	if events[0].Number != 1 {
		t.Fatal("counters are not apart")
	}
}
