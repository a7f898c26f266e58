package persistence_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"concord/persistence"
)

// journal notes the groups that it gets. Its disk answers when it is told to.
type journal struct {
	mu     sync.Mutex
	groups [][]string
	hold   chan error // of the disk; nil: it answers at once
	refuse error      // of the next group
}

func (j *journal) Append(group []*persistence.Entry) (wait func() error, err error) {
	var names []string
	for _, e := range group {
		names = append(names, e.Entity.ID)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.refuse != nil {
		return nil, j.refuse
	}
	j.groups = append(j.groups, names)
	if j.hold == nil {
		return func() error { return nil }, nil
	}
	return func() error { return <-j.hold }, nil
}

func entry(name string, bytes int) *persistence.Entry {
	return &persistence.Entry{Entity: persistence.EntityID{ID: name},
		Records: []persistence.Stored{{Bytes: make([]byte, bytes)}}}
}

// answers notes what was answered, in order.
type answers struct {
	mu   sync.Mutex
	list []string
}

func (a *answers) of(name string) func() {
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.list = append(a.list, name)
	}
}

func (a *answers) check(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Equal(a.list, want) {
		t.Fatalf("answered %v, not %v", a.list, want)
	}
}

func run(c *persistence.Committer) (ended chan error) {
	ended = make(chan error, 1)
	go func() { ended <- c.Run(context.Background()) }()
	synctest.Wait()
	return ended
}

// What gathers while the disk is busy becomes one group, in order, and nobody is answered before it is durable: neither
// writers, nor those who have only seen it.
func TestGroupsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{hold: make(chan error)}
		var told [][]string
		c := persistence.NewCommitter(j, persistence.CommitMetrics{}, func(group []*persistence.Entry) {
			var names []string
			for _, e := range group {
				names = append(names, e.Entity.ID)
			}
			told = append(told, names)
		})
		ended := run(c)
		var a answers
		first := c.Submit(entry("a", 1), a.of("a"))
		synctest.Wait()
		second := c.Submit(entry("b", 1), a.of("b"))
		c.After(first, a.of("read of a"))
		c.After(second, a.of("read of b"))
		c.Submit(entry("c", 1), a.of("c"))
		c.After(0, a.of("read of nothing"))
		a.check(t, "read of nothing")
		if c.Durable() != 0 || first != 1 || second != 2 || c.Idle() {
			t.Errorf("durable %d, submitted %d and %d, idle %v", c.Durable(), first, second, c.Idle())
		}
		j.hold <- nil
		a.check(t, "read of nothing", "a")
		c.After(first, a.of("late read of a"))
		a.check(t, "read of nothing", "a", "late read of a")
		j.hold <- nil
		a.check(t, "read of nothing", "a", "late read of a", "b", "read of a", "read of b", "c")
		if c.Durable() != c.Last() || !c.Idle() {
			t.Errorf("durable %d of %d, idle %v", c.Durable(), c.Last(), c.Idle())
		}
		c.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		want := fmt.Sprint([][]string{{"a"}, {"b", "c"}})
		if fmt.Sprint(j.groups) != want || fmt.Sprint(told) != want {
			t.Errorf("groups %v, told %v", j.groups, told)
		}
	})
}

// While a group is being synced the next one is written, and no more than that one.
func TestOneGroupAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{hold: make(chan error)}
		c := persistence.NewCommitter(j, persistence.CommitMetrics{})
		ended := run(c)
		var a answers
		for _, name := range []string{"a", "b", "c", "d"} {
			c.Submit(entry(name, 1), a.of(name))
			a.check(t)
		}
		if want := [][]string{{"a"}, {"b"}}; fmt.Sprint(j.groups) != fmt.Sprint(want) {
			t.Errorf("written ahead: %v", j.groups)
		}
		j.hold <- nil
		a.check(t, "a")
		j.hold <- nil
		a.check(t, "a", "b")
		j.hold <- nil
		a.check(t, "a", "b", "c", "d")
		if want := [][]string{{"a"}, {"b"}, {"c", "d"}}; fmt.Sprint(j.groups) != fmt.Sprint(want) {
			t.Errorf("groups %v", j.groups)
		}
		c.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// A group that cannot be written ends the committer; what was written before is still waited for, and answered.
func TestRefusedGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{hold: make(chan error)}
		c := persistence.NewCommitter(j, persistence.CommitMetrics{})
		ended := run(c)
		var a answers
		c.Submit(entry("a", 1), a.of("a"))
		synctest.Wait()
		j.refuse = errors.New("full")
		c.Submit(entry("b", 1), a.of("b"))
		a.check(t)
		j.hold <- nil
		if err := <-ended; !errors.Is(err, j.refuse) {
			t.Errorf("run: %v", err)
		}
		a.check(t, "a")
	})
}

// An error of the journal is final: what was not durable before is never answered, and nothing is committed after it.
func TestErrorIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{hold: make(chan error)}
		observed := 0
		c := persistence.NewCommitter(j, persistence.CommitMetrics{}, func([]*persistence.Entry) { observed++ })
		ended := run(c)
		var a answers
		c.Submit(entry("a", 1), a.of("a"))
		j.hold <- nil
		synctest.Wait()
		c.Submit(entry("b", 1), a.of("b"))
		synctest.Wait()
		c.Submit(entry("c", 1), a.of("c"))
		c.After(c.Last(), a.of("read of c"))
		broken := errors.New("broken")
		j.hold <- broken
		if err := <-ended; !errors.Is(err, broken) {
			t.Errorf("run: %v", err)
		}
		c.Submit(entry("d", 1), a.of("d"))
		a.check(t, "a")
		if c.Durable() != 1 || observed != 1 || len(j.groups) != 3 {
			t.Errorf("durable %d, observed %d, groups %v", c.Durable(), observed, j.groups)
		}
	})
}

// Close lets what was submitted before be committed and answered; what comes later is dropped.
func TestCloseDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{hold: make(chan error, 10)}
		c := persistence.NewCommitter(j, persistence.CommitMetrics{})
		var a answers
		for _, name := range []string{"a", "b", "c"} {
			c.Submit(entry(name, 1), a.of(name))
		}
		c.Close()
		if lsn := c.Submit(entry("late", 1), a.of("late")); lsn != 3 {
			t.Errorf("a late submission got %d", lsn)
		}
		j.hold <- nil
		if err := <-run(c); err != nil {
			t.Error(err)
		}
		a.check(t, "a", "b", "c")
	})
}

// A context that ends stops the committer, and it says so.
func TestContextEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := persistence.NewCommitter(&journal{}, persistence.CommitMetrics{})
		cause := errors.New("told to")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if err := c.Run(ctx); !errors.Is(err, cause) {
			t.Errorf("run: %v", err)
		}
	})
}

// A group is bounded by its entries and by its bytes.
func TestGroupsAreBounded(t *testing.T) {
	for name, row := range map[string]struct{ entries, bytes, groups int }{
		"many small": {10_000, 10, 3},
		"few large":  {20, 1 << 20, 5},
		"one larger": {2, 10 << 20, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				c := persistence.NewCommitter(j, persistence.CommitMetrics{})
				answered := 0
				for n := range row.entries {
					c.Submit(entry(fmt.Sprint(n), row.bytes), func() { answered++ })
				}
				c.Close()
				if err := <-run(c); err != nil {
					t.Error(err)
				}
				if len(j.groups) != row.groups || answered != row.entries {
					t.Errorf("%d groups, %d answers", len(j.groups), answered)
				}
				n := 0
				for _, name := range slices.Concat(j.groups...) {
					if name != fmt.Sprint(n) {
						t.Fatalf("%s instead of %d", name, n)
					}
					n++
				}
			})
		})
	}
}

// Slow receivers of answers hold up the next groups only once several groups' answers wait.
func TestSlowAnswersDoNotHoldTheDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		c := persistence.NewCommitter(j, persistence.CommitMetrics{})
		ended := run(c)
		slow := make(chan struct{})
		c.Submit(entry("slow", 1), func() { <-slow })
		synctest.Wait()
		for n := range 20 {
			c.Submit(entry(fmt.Sprint(n), 1), func() {})
			synctest.Wait()
		}
		if n := len(j.groups); n < 5 || n > 12 {
			t.Errorf("%d groups were committed while the first receiver was busy", n)
		}
		close(slow)
		c.Close()
		if err := <-ended; err != nil || c.Durable() != 21 {
			t.Errorf("durable %d, %v", c.Durable(), err)
		}
	})
}

// An entity keeps its partition, and the partitions get about the same.
func TestPartitionOf(t *testing.T) {
	counts := make([]int, 16)
	for n := range 16_000 {
		e := persistence.EntityID{Kind: persistence.KindCollection, Provider: "lib", ID: fmt.Sprintf("c%d", n)}
		p := persistence.PartitionOf(e, len(counts))
		e.Kind = persistence.KindUpload
		if p != persistence.PartitionOf(e, len(counts)) {
			t.Fatal("the kind chose the partition")
		}
		counts[p]++
	}
	for p, n := range counts {
		if n < 800 || n > 1200 {
			t.Errorf("partition %d has %d of 16000 entities", p, n)
		}
	}
	fixed := persistence.EntityID{Kind: persistence.KindCollection, Provider: "lib", ID: "c1"}
	if p := persistence.PartitionOf(fixed, 256); p != 158 {
		t.Errorf("%v is in partition %d: the function is part of the stored format", fixed, p)
	}
}
