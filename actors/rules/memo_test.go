package rules

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func stateOf(text string, version uint64) []byte {
	return EncodeState(State{Text: []byte(text), Version: version})
}

// same says that two answers of Decode are the same: one text, one version, one error.
func same(a *Type, errA error, b *Type, errB error) bool {
	return a.Hash == b.Hash && a.Version == b.Version && a.RequireVersion == b.RequireVersion && fmt.Sprint(errA) == fmt.Sprint(errB)
}

// TestMemoIsTransparent: whatever was asked before, and however little room there is, the answer is that of Decode.
func TestMemoIsTransparent(t *testing.T) {
	states := [][]byte{nil, {}, {0xff}, stateOf(`{"shiny":1}`, 1), EncodeState(State{Version: 2, Deleted: true}),
		stateOf(`{"requireVersion":true}`, 1), stateOf(`{"requireVersion":true}`, 2), stateOf(`{"requireVersion":false}`, 1),
		stateOf(`{"schemas":{"documents":{"type":"object"}}}`, 7), stateOf(`{"lock":{"ttl":30}}`, 1)}
	rapid.Check(t, func(t *rapid.T) {
		var m *Memo // also none
		if size := rapid.IntRange(-1, 8).Draw(t, "size"); size >= 0 {
			m = NewMemo(size)
		}
		for range rapid.IntRange(1, 50).Draw(t, "asked") {
			state := rapid.SampledFrom(states).Draw(t, "state")
			got, gotErr := m.Decode(append([]byte{}, state...))
			want, wantErr := Decode(state)
			if !same(got, gotErr, want, wantErr) {
				t.Fatalf("%q: %+v, %v; want %+v, %v", state, got, gotErr, want, wantErr)
			}
			if m != nil && len(m.young)+len(m.old) > max(2, m.halfMaxTypes*2) {
				t.Fatalf("%d types are remembered", len(m.young)+len(m.old))
			}
		}
	})
}

func TestMemoKeepsWhatIsUsed(t *testing.T) {
	m := NewMemo(10)
	often, err := m.Decode(stateOf(`{}`, 1))
	if err != nil {
		t.Fatal(err)
	}
	for version := range uint64(100) {
		if _, err := m.Decode(stateOf(`{}`, version+2)); err != nil {
			t.Fatal(err)
		}
		if got, err := m.Decode(stateOf(`{}`, 1)); err != nil || got != often {
			t.Fatalf("after %d others it was decoded anew: %v", version+1, err)
		}
	}
	if got, err := m.Decode(stateOf(`{}`, 2)); err != nil || got.Version != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// Texts that are as large as all room together do not stay, and take none.
func TestMemoIsBoundedInBytes(t *testing.T) {
	m := NewMemo(1000)
	m.halfMaxBytes = 1000
	for version := range uint64(50) {
		if _, err := m.Decode(stateOf(`{`+strings.Repeat(" ", int(version)*30)+`}`, version+1)); err != nil {
			t.Fatal(err)
		}
		total := 0
		for key := range m.young {
			total += len(key)
		}
		if total != m.youngBytes || total > m.halfMaxBytes {
			t.Fatalf("%d bytes of %d are counted", m.youngBytes, total)
		}
	}
}

func TestMemoIsForManyGoroutines(t *testing.T) {
	m := NewMemo(4)
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 500 {
				version := uint64((i+worker)%10 + 1)
				if got, err := m.Decode(stateOf(`{"requireVersion":true}`, version)); err != nil || got.Version != version {
					t.Errorf("%+v, %v", got, err)
				}
			}
		})
	}
	all.Wait()
}

func TestMemoHitAllocatesNothing(t *testing.T) {
	m, state := NewMemo(10), stateOf(whole, 1)
	if _, err := m.Decode(state); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = m.Decode(state) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMemo(b *testing.B) {
	for name, text := range map[string]string{"hit/700B": contract, "hit/256KiB": contract + strings.Repeat(" ", 256<<10-len(contract))} {
		b.Run(name, func(b *testing.B) {
			m, state := NewMemo(1000), stateOf(text, 1)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Decode(state); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("miss/700B", func(b *testing.B) {
		state := stateOf(contract, 1)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := (*Memo)(nil).Decode(state); err != nil {
				b.Fatal(err)
			}
		}
	})
}
