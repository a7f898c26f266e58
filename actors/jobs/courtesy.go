package jobs

import (
	"sync/atomic"
	"time"

	"concord/actors/entity"
)

const (
	// othersStay is how long others are taken to be there after they were seen: their commands are short.
	othersStay = 100 * time.Millisecond
	// restMax bounds the rest after a request, also after one for very many documents.
	restMax = time.Second
)

// courtesy has jobs make way. While others have commands in flight a job asks one collection at a time, and rests as long as
// the answer took: so others find the processors and the disk free half of the time, and at most one request in front of them.
// When nobody else is there a job takes all of its window.
type courtesy struct {
	host Host
	own  atomic.Int64 // commands that are ours
	seen atomic.Int64 // nanoseconds: when others were there
}

// others says whether there are any, or were a moment ago.
func (c *courtesy) others(now time.Time) bool {
	if c.host.InFlight() > c.own.Load() {
		c.seen.Store(now.UnixNano())
		return true
	}
	return now.UnixNano()-c.seen.Load() < int64(othersStay)
}

// counted counts what a host is given, until it is answered.
type counted struct {
	Host
	n *atomic.Int64
}

// Deliver counts a command in; its answer counts it out.
func (c counted) Deliver(env *entity.Envelope) {
	c.n.Add(1)
	reply := env.Reply
	env.Reply = func(a entity.Answer, err error) {
		c.n.Add(-1)
		reply(a, err)
	}
	c.Host.Deliver(env)
}
