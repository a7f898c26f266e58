package entity_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"concord/actors/entity"
	"concord/persistence/pebblestore"
)

// places is a toy with more parts than a live entity remembers, and beside it what each part is.
type places struct {
	*node
	random  *rand.Rand
	version uint64
	is      map[string]uint64 // version that wrote the part; 0: it was removed, or never was
	letGo   func()            // of the disk
}

const placesParts = 12

func (p *places) id(i uint64) string { return fmt.Sprintf("p/%04d", i) }

// Whatever a live entity remembers of its parts, what it reads is what was written last: with more parts than it remembers, several
// events in a command, commands that come to nothing, answers that are not there yet, and retention.
func TestWhatIsReadWasWrittenLast(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inBubble(t, func(n *node) {
				p := &places{node: n, random: rand.New(rand.NewPCG(seed, 2)), is: make(map[string]uint64), letGo: func() {}}
				for step := range uint64(60) {
					p.command(step)
					n.send(&entity.Envelope{Entity: toyID("b"), Command: add(apart + step%placesParts), Meta: by("bob")}) // among the positions of others
					p.rest()
				}
				p.letGo()
				n.failures = slices.DeleteFunc(n.failures, func(f string) bool { return f == "planned" })
			})
		})
	}
}

// command writes some parts, and reads parts before that, or comes to nothing.
func (p *places) command(step uint64) {
	c, written := new(toyCommand), make(map[string]uint64)
	for range p.random.IntN(5) {
		i := p.random.Uint64N(placesParts)
		if p.random.IntN(4) == 0 {
			c.Add, written[p.id(i)] = append(c.Add, removes+i), 0
			continue
		}
		c.Add = append(c.Add, apart+i)
		written[p.id(i)] = p.version + uint64(len(c.Add))
	}
	env := &entity.Envelope{Entity: toyID("a"), Command: c, Meta: by("ann")}
	if p.random.IntN(3) == 0 {
		env.Meta = keyed("ann", fmt.Sprint("k", step), "")
	}
	switch p.random.IntN(8) {
	case 0:
		env.DryRun, written = true, nil
	case 1:
		c.Do, written = func(toyState) { panic("planned") }, nil
	case 2:
		if len(c.Add) > 0 {
			c.Births = birth(fmt.Sprint("c", step), step)
		}
	}
	c.Lacks = p.read
	p.send(env)
	if written != nil {
		maps.Copy(p.is, written)
		p.version += uint64(len(c.Add))
	}
}

// read asks for some of the parts that are not known, and compares those that are.
func (p *places) read(f entity.Facts) (wants []entity.Want) {
	for i := range uint64(placesParts) {
		part := p.id(i)
		fact, ok := f.Part(part, true)
		if !ok {
			wants = append(wants, entity.Want{Part: part, Body: true})
			continue
		}
		if want := p.is[part]; fact.Exists != (want > 0) || want > 0 && (fact.Version != want || string(fact.Body) != fmt.Sprint(apart+i)) {
			p.t.Errorf("%s is %q of version %d, and the version that wrote it is %d", part, fact.Body, fact.Version, want)
		}
	}
	p.random.Shuffle(len(wants), func(i, j int) { wants[i], wants[j] = wants[j], wants[i] })
	return wants[:min(len(wants), 3+p.random.IntN(placesParts))]
}

// rest has the disk wait, or catch up; then retention may be at work, or nothing be in memory any more.
func (p *places) rest() {
	what := p.random.IntN(8)
	if what > 3 {
		return
	}
	p.letGo()
	p.letGo = func() {}
	synctest.Wait()
	switch what {
	case 0:
		p.letGo = p.hold()
	case 1:
		delete(p.live, toyID("a"))
	default:
		policy := pebblestore.Policy{Versions: 1 + p.random.IntN(3)}
		if _, err := p.store.Trim(p.t.Context(), toyID("a"), policy, pebblestore.TrimOptions{Fold: fold, Now: p.now()}); err != nil {
			p.t.Fatal(err)
		}
	}
}
