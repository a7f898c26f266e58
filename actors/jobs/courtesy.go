package jobs

import (
	"sync/atomic"
	"time"

	"concord/actors/entity"
	"concord/persistence"
)

const (
	// othersStay is how long others are taken to be there after they were seen: their commands are short.
	othersStay = 100 * time.Millisecond
	// restMax bounds the rest after a request, also after one for very many documents.
	restMax = time.Second
)

// Courtesy has jobs make way. While others have commands in flight a job asks one collection at a time, or a few of
// a bulk task, and rests as long as the answer took: so others find the processors and the disk free half of the time.
// When nobody else is there a job takes all of its window.
//
// It is the host that jobs deliver to, so that it can tell their commands from those of others. All drivers of a node share
// one: they do not make way for each other.
type Courtesy struct {
	host Host
	own  atomic.Int64 // commands that are ours
	seen atomic.Int64 // nanoseconds: when others were there
}

// NewCourtesy stands between the drivers and their host.
func NewCourtesy(h Host) *Courtesy { return &Courtesy{host: h} }

var _ Host = (*Courtesy)(nil)

// InFlight is the number of commands that wait for their answers, of jobs and of others.
func (c *Courtesy) InFlight() int64 { return c.host.InFlight() }

// Deliver counts a command in; its answer counts it out. Collections are asked in passing: a job has nothing more to do with one
// when it has answered.
func (c *Courtesy) Deliver(env *entity.Envelope) {
	c.own.Add(1)
	env.Passing = env.Entity.Kind == persistence.KindCollection
	reply := env.Reply
	env.Reply = func(a entity.Answer, err error) {
		c.own.Add(-1)
		reply(a, err)
	}
	c.host.Deliver(env)
}

// others says whether there are any, or were a moment ago.
//
// Own commands count as ours from before they are in flight until after; which of them came or went while all are counted is
// not known, so that the larger number of ours is taken.
func (c *Courtesy) others(now time.Time) bool {
	before := c.own.Load()
	all := c.host.InFlight()
	if all > max(before, c.own.Load()) {
		c.seen.Store(now.UnixNano())
		return true
	}
	return now.UnixNano()-c.seen.Load() < int64(othersStay)
}
