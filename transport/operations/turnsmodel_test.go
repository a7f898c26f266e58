package operations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"concord/actors/problem"
)

// count is how many wait for the purpose.
func (w *waitingRoom) count(p purpose) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.waiting[p]
}

// turnWorld is a model of turns: lists of names, the first of which has the turn.
type turnWorld struct {
	turns   turns
	lines   map[turnKey][]*taker
	all     int
	waiting [purposesCount]int
}

// taker is a request that takes a turn.
type taker struct {
	its    turnKey
	cancel context.CancelFunc
	came   chan error
	leave  func()
}

// step of a story: somebody comes, who has a turn leaves, who waits gives up, or both at once.
type turnStep struct {
	do      string
	purpose purpose
	key     string
	place   int // of who gives up
}

func turnSteps(t *rapid.T) []turnStep {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) turnStep {
		return turnStep{
			do:      rapid.SampledFrom([]string{"come", "come", "come", "come", "come", "leave", "give up", "leave, give up", "give up, leave"}).Draw(t, "do"),
			purpose: rapid.SampledFrom([]purpose{forSource, forNumber, forMaking, forSession}).Draw(t, "purpose"),
			key:     rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key"),
			place:   rapid.IntRange(1, 3).Draw(t, "place"),
		}
	}), 40, 120).Draw(t, "steps")
}

// TestTurnsGoInOrder: whoever came first has the turn first; as many wait as may; who gives up is out of the line, also at the
// very moment at which the turn comes; and in the end nothing is left.
func TestTurnsGoInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := turnSteps(rt)
		var wrong error
		synctest.Test(t, func(*testing.T) {
			w := &turnWorld{lines: make(map[turnKey][]*taker)}
			for i, s := range steps {
				if wrong = w.step(s); wrong != nil {
					wrong = fmt.Errorf("step %d, %+v: %w", i, s, wrong)
					break
				}
			}
			if err := w.end(); wrong == nil {
				wrong = err
			}
		})
		if wrong != nil {
			rt.Fatal(wrong)
		}
	})
}

func (w *turnWorld) step(s turnStep) error {
	its := turnKey{s.purpose, s.key}
	line := w.lines[its]
	switch {
	case s.do == "come":
		return w.come(its)
	case len(line) == 0:
		return nil
	case s.do == "leave":
		line[0].leave()
		w.gone(its, 0)
	case s.place >= len(line):
		return nil
	case s.do == "give up":
		line[s.place].cancel()
		if err := w.out(line[s.place]); err != nil {
			return err
		}
		w.gone(its, s.place)
	case s.do == "leave, give up":
		line[0].leave()
		line[s.place].cancel()
		return w.either(its, s.place)
	default:
		line[s.place].cancel()
		line[0].leave()
		return w.either(its, s.place)
	}
	return w.check()
}

// come has somebody take the turn.
func (w *turnWorld) come(its turnKey) error {
	ctx, cancel := context.WithCancel(context.Background())
	n := &taker{its: its, cancel: cancel, came: make(chan error, 1)}
	go func() { // it ends in end at the latest
		leave, err := w.turns.take(ctx, its.purpose, its.key, "the other")
		n.leave = leave
		n.came <- err
	}()
	synctest.Wait()
	busy := len(w.lines[its]) > 0
	most := waitsMax
	if its.purpose != forNumber {
		most -= waitsNumbersMin
	}
	if busy && (w.all >= most || w.waiting[its.purpose] >= purposeMaxWaits[its.purpose]) {
		cancel()
		select {
		case err := <-n.came:
			if p, ok := errors.AsType[*problem.Problem](err); !ok || p.Code != problem.Overloaded || p.RetryAfter == 0 {
				return fmt.Errorf("without room: %w", err)
			}
			return w.check()
		default:
			return errors.New("it waits without room")
		}
	}
	if busy {
		w.all++
		w.waiting[its.purpose]++
	}
	w.lines[its] = append(w.lines[its], n)
	return w.check()
}

// gone takes somebody out of the line; who is the next then has the turn.
func (w *turnWorld) gone(its turnKey, place int) {
	w.lines[its][place].cancel()
	if w.lines[its] = slices.Delete(w.lines[its], place, place+1); place > 0 || len(w.lines[its]) > 0 {
		w.all--
		w.waiting[its.purpose]--
	}
}

// out says that who gave up has heard so.
func (w *turnWorld) out(n *taker) error {
	synctest.Wait()
	select {
	case err := <-n.came:
		if !errors.Is(err, context.Canceled) {
			return fmt.Errorf("gave up: %w", err)
		}
		return nil
	default:
		return errors.New("who gave up still waits")
	}
}

// either looks what came of somebody who gave up while who had the turn left: who was not the next is out of the line; the next
// may have the turn, or has passed it on.
func (w *turnWorld) either(its turnKey, place int) error {
	n := w.lines[its][place]
	synctest.Wait()
	if place == 1 && n.leave != nil {
		w.gone(its, 0)
		return w.check()
	}
	if err := w.out(n); err != nil {
		return err
	}
	w.gone(its, place)
	w.gone(its, 0)
	return w.check()
}

// check compares: the first of each line has the turn, and nobody else; and all are counted.
func (w *turnWorld) check() error {
	synctest.Wait()
	for its, line := range w.lines {
		for i, n := range line {
			if has := n.leave != nil; has != (i == 0) {
				return fmt.Errorf("%v: who is at %d has the turn: %v", its, i, has)
			}
		}
		if _, taken := w.turns.lines[its]; taken != (len(line) > 0) {
			return fmt.Errorf("%v is taken: %v, with %d in line", its, taken, len(line))
		}
	}
	if w.turns.room.waiting != w.waiting {
		return fmt.Errorf("wait: %v, want %v", w.turns.room.waiting, w.waiting)
	}
	return nil
}

// end has everybody leave.
func (w *turnWorld) end() error {
	var wrong error
	for its, line := range w.lines {
		for len(w.lines[its]) > 0 && wrong == nil {
			line[0].leave()
			w.gone(its, 0)
			wrong = w.check()
			line = w.lines[its]
		}
		for _, n := range line {
			n.cancel()
		}
	}
	if wrong == nil && len(w.turns.lines) > 0 {
		wrong = fmt.Errorf("left: %v", w.turns.lines)
	}
	return wrong
}

// TestWhoHasLeftTakesNoTurn, not even one that is free.
func TestWhoHasLeftTakesNoTurn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var all turns
	if _, err := all.take(ctx, forSource, "a", "nobody"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if len(all.lines) != 0 {
		t.Errorf("left: %v", all.lines)
	}
}

// TestATurnThatComesTooLate, since its context has ended meanwhile, goes to the next in line.
func TestATurnThatComesTooLate(t *testing.T) {
	var all turns
	its := turnKey{forSession, "a"}
	var line []chan struct{}
	for range 3 {
		mine, err := all.join(its, "the other")
		if err != nil {
			t.Fatal(err)
		}
		line = append(line, mine)
	}
	all.pass(its)
	<-line[1]
	all.giveUp(its, line[1])
	<-line[2]
	all.giveUp(its, line[2])
	if len(all.lines) != 0 {
		t.Errorf("left: %v", all.lines)
	}
}
