package entity_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"concord/actors/entity"
	"concord/actors/problem"
	"concord/persistence"
)

// child is a toy that begins in the batch of another entity.
type child struct{ toy }

const kindChild persistence.Kind = 97

func (child) Kind() persistence.Kind { return kindChild }

func (child) Begin(as any, _ entity.Meta) (toyEvent, error) {
	n, ok := as.(uint64)
	if !ok {
		return toyEvent{}, problem.New(problem.Internal, "no number to begin with")
	}
	return toyEvent{n}, nil
}

func (c child) Decide(s toyState, command *toyCommand, f entity.Facts, m entity.Meta) (entity.Decision[toyEvent], error) {
	if s.Events == 0 {
		return entity.Decision[toyEvent]{}, problem.New(problem.NotFound, "it has not begun")
	}
	return c.toy.Decide(s, command, f, m)
}

func childID(name string) persistence.EntityID {
	return persistence.EntityID{Kind: kindChild, Provider: "lib", ID: name}
}

func birth(name string, as any) []entity.Birth {
	return []entity.Birth{{Entity: childID(name), As: as}}
}

// TestBirth: an entity that begins with another one's event is there with it, or not at all, also for one who asked before.
func TestBirth(t *testing.T) {
	inBubble(t, func(n *node) {
		parent := toyID("p")
		n.want(n.do(childID("p"), &toyCommand{Add: []uint64{1}}, by("ann")), "not-found")
		letGo := n.hold()
		r := n.send(&entity.Envelope{Entity: parent, Command: &toyCommand{Add: []uint64{1}, Births: birth("p", uint64(40))}, Meta: by("ann")})
		synctest.Wait()
		n.want(r, "none yet")
		letGo()
		n.want(r, "200 v1 sum 1")
		n.want(n.do(childID("p"), &toyCommand{Add: []uint64{2}}, by("ann")), "200 v2 sum 42")
		n.restart()
		n.want(n.do(childID("p"), &toyCommand{}, by("ann")), "200 v2 sum 42")
	})
}

// TestNoBirth: a dry run, a refusal and a command that changes nothing bear nobody; neither does one that fails to.
func TestNoBirth(t *testing.T) {
	inBubble(t, func(n *node) {
		for name, env := range map[string]*entity.Envelope{
			"dry":     {Command: &toyCommand{Add: []uint64{1}, Births: birth("dry", uint64(1))}, DryRun: true},
			"refused": {Command: &toyCommand{No: problem.New(problem.Locked, "no"), Births: birth("refused", uint64(1))}},
			"wrong":   {Command: &toyCommand{Add: []uint64{1}, Births: birth("wrong", "text")}},
		} {
			env.Entity, env.Meta = toyID("p"), by("ann")
			r := n.send(env)
			synctest.Wait()
			if !r.came {
				t.Errorf("%s: no answer", name)
			}
			n.want(n.do(childID(name), &toyCommand{}, by("ann")), "not-found")
		}
		n.want(n.do(toyID("p"), &toyCommand{}, by("ann")), "200 v0 sum 0")
		n.failures = nil // a birth that fails is one of the log's
	})
}

// TestBornOnce: the id of an entity that began once is taken, and the command that would begin it again changes nothing.
func TestBornOnce(t *testing.T) {
	inBubble(t, func(n *node) {
		n.want(n.do(toyID("p"), &toyCommand{Add: []uint64{1}, Births: birth("p", uint64(1))}, by("ann")), "200 v1")
		n.want(n.do(toyID("p"), &toyCommand{Add: []uint64{1}, Births: birth("p", uint64(2))}, by("ann")), "internal")
		n.want(n.do(toyID("p"), &toyCommand{}, by("ann")), "200 v1 sum 1")
	})
}

// TestDecisionAsksOnTheWay: a decision that finds out what it lacks is made anew with it, and one that never has enough fails.
func TestDecisionAsksOnTheWay(t *testing.T) {
	inBubble(t, func(n *node) {
		n.want(n.do(toyID("other"), &toyCommand{Add: []uint64{5}}, by("ann")), "200")
		var seen string
		other := toyID("other")
		n.want(n.do(toyID("p"), &toyCommand{Add: []uint64{1}, Lacks: func(f entity.Facts) []entity.Want {
			state, ok := f.Of(other)
			seen = string(state)
			if ok {
				return nil
			}
			return []entity.Want{{Of: &other}}
		}}, by("ann")), "200 v1 sum 1")
		if !strings.Contains(seen, `"Sum":5`) {
			t.Errorf("it has seen %q", seen)
		}
		r := n.do(toyID("p"), &toyCommand{Lacks: func(entity.Facts) []entity.Want { return []entity.Want{{Of: &other}} }}, by("ann"))
		if r.err == nil || len(n.failures) != 1 {
			t.Errorf("a decision that never ends: %v, %v", r.text(), n.failures)
		}
		n.failures = nil
	})
}
