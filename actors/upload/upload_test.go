package upload

import (
	"testing"
	"time"

	"concord/actors/entity"
	"concord/actors/problem"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// step is one command by somebody, and what must come of it.
type step struct {
	by   string
	c    Command
	want string // event type, "" for none
	code problem.Code
	size uint64
}

func TestUploads(t *testing.T) {
	chunk := func(offset uint64, text string) Command { return &Append{Offset: offset, Chunk: []byte(text)} }
	for title, steps := range map[string][]step{
		"chunk by chunk": {
			{"ann", &Open{}, TypeOpened, "", 0}, {"ann", chunk(0, "abc"), TypeAppended, "", 3},
			{"ann", chunk(3, "de"), TypeAppended, "", 5}, {"ann", &Close{}, TypeClosed, "", 5},
		},
		"what is sent again counts once": {
			{"ann", &Open{}, TypeOpened, "", 0}, {"ann", &Open{}, "", "", 0}, {"ann", chunk(0, "abc"), TypeAppended, "", 3},
			{"ann", chunk(0, "abc"), "", "", 3}, {"ann", &Close{}, TypeClosed, "", 3}, {"ann", &Close{}, "", "", 3},
			{"ann", chunk(0, "abc"), "", "", 3},
		},
		"what is not the same does not pass for it": {
			{"ann", &Open{}, TypeOpened, "", 0}, {"ann", chunk(0, "aaa"), TypeAppended, "", 3},
			{"ann", chunk(0, "bbb"), "", problem.WrongState, 3}, {"ann", chunk(0, "aa"), "", problem.WrongState, 3},
		},
		"no gap and no overlap": {
			{"ann", &Open{}, TypeOpened, "", 0}, {"ann", chunk(1, "a"), "", problem.Invalid, 0},
			{"ann", chunk(0, "abc"), TypeAppended, "", 3}, {"ann", chunk(2, "cd"), "", problem.Invalid, 3},
		},
		"bounded": {
			{"ann", &Open{}, TypeOpened, "", 0}, {"ann", chunk(0, "123456789"), "", problem.TooLarge, 0},
			{"ann", chunk(0, "12345678"), TypeAppended, "", 8}, {"ann", chunk(8, "123"), "", problem.TooLarge, 8},
			{"ann", chunk(8, "12"), TypeAppended, "", 10},
		},
		"another's upload is none": {
			{"ann", &Open{}, TypeOpened, "", 0}, {"bob", chunk(0, "a"), "", problem.NotFound, 0},
			{"bob", &Close{}, "", problem.NotFound, 0}, {"bob", &Open{}, "", problem.NotFound, 0},
		},
		"closed is closed": {
			{"ann", &Open{}, TypeOpened, "", 0}, {"ann", &Close{}, TypeClosed, "", 0}, {"ann", chunk(0, "a"), "", problem.WrongState, 0},
		},
		"it expires": {
			{"ann", &Open{}, TypeOpened, "", 0}, {"ann", chunk(0, "a"), TypeAppended, "", 1}, {"", &Expire{}, TypeExpired, "", 1},
			{"", &Expire{}, "", "", 1}, {"ann", chunk(1, "b"), "", problem.NotFound, 1},
		},
		"nothing without an opening": {
			{"ann", chunk(0, "a"), "", problem.NotFound, 0}, {"ann", &Close{}, "", problem.NotFound, 0}, {"", &Expire{}, "", "", 0},
		},
	} {
		t.Run(title, func(t *testing.T) {
			b := Behavior{Limits: Limits{ChunkMaxBytes: 8, UploadMaxBytes: 10, ChunksMax: 100, TTL: time.Hour}}
			s, parts := State{}, map[string]entity.Fact{}
			for i, st := range steps {
				s = st.run(t, i, b, s, parts)
			}
		})
	}
}

func (st step) run(t *testing.T, i int, b Behavior, s State, parts map[string]entity.Fact) State {
	t.Helper()
	events, err := b.decide(s, st.c, entity.FactsOf(parts, parts), entity.Meta{Principal: st.by, Time: noon})
	code := problem.Code("")
	if err != nil {
		code = problem.Of(err).Code
	}
	got := ""
	for _, e := range events {
		got = e.Type
		back, err := b.DecodeEvent(b.EncodeEvent(e))
		if err != nil || back.After != e.After || !back.Was.Equal(e.Was) {
			t.Fatalf("step %d: %+v read back as %+v, %v", i, e, back, err)
		}
		for _, p := range b.Project(s, e, entity.Stamp{}).Parts {
			parts[p.ID] = entity.Fact{Exists: !p.Removed, Info: p.Info}
		}
		s = b.Evolve(s, e, entity.Stamp{})
	}
	if code != st.code || got != st.want || s.Size != st.size {
		t.Fatalf("step %d: code %q event %q size %d, want %q %q %d", i, code, got, s.Size, st.code, st.want, st.size)
	}
	return s
}
