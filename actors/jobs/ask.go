package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"concord/actors/bulk"
	"concord/actors/entity"
	"concord/actors/problem"
	"concord/actors/propagation"
	"concord/persistence"
)

// service is who the driver is, where it acts for nobody.
const service = "concord"

// answer is what came of a command.
type answer struct {
	entity.Answer
	err error
}

// ask delivers a command once, and waits for the answer.
func ask(ctx context.Context, h Host, id persistence.EntityID, command any, m entity.Meta) (entity.Answer, error) {
	return deliver(ctx, h, &entity.Envelope{Entity: id, Command: command, Meta: m})
}

// deliver delivers an envelope, and waits for the answer.
func deliver(ctx context.Context, h Host, env *entity.Envelope) (entity.Answer, error) {
	answered := make(chan answer, 1)
	env.Reply = func(a entity.Answer, err error) { answered <- answer{a, err} }
	h.Deliver(env)
	select {
	case a := <-answered:
		return a.Answer, a.err
	case <-ctx.Done():
		return entity.Answer{}, errStopped
	}
}

// passing says that a refusal is about the moment and not about the command.
func passing(err error) bool {
	p, ok := errors.AsType[*problem.Problem](err)
	return ok && (p.Code == problem.Overloaded || p.Code == problem.Unavailable || p.Code == problem.Deadline)
}

// backOff is a wait that grows.
type backOff struct{ last time.Duration }

func (b *backOff) next(err error) time.Duration {
	b.last = min(max(2*b.last, backOffMin), backOffMax)
	if p, ok := errors.AsType[*problem.Problem](err); ok {
		return min(max(b.last, p.RetryAfter), backOffMax)
	}
	return b.last
}

// settles says that a command tells a task what was done, or ends it. That goes on while the disk has no room: it needs little,
// since nothing new is done then, and somebody may wait for a task to be cancelled.
func settles(command any) bool {
	switch command.(type) {
	case *bulk.Progress, *bulk.Finish:
		return true
	}
	return false
}

// insist gives a job's entity a command. It does not give up while the node is only busy.
func insist(ctx context.Context, h Host, id persistence.EntityID, command any) error {
	var wait backOff
	for {
		_, err := deliver(ctx, h, &entity.Envelope{Entity: id, Command: command, Vital: settles(command),
			Meta: entity.Meta{Principal: service, Kind: "service", RequestID: requestID(id)}})
		switch {
		case err == nil:
			return nil
		case !passing(err):
			return fmt.Errorf("tell %v (%T): %w", id, command, err)
		}
		if !pause(ctx, wait.next(err)) {
			return errStopped
		}
	}
}

// tell gives a propagation a command, and returns where it stands then.
func (d *Driver) tell(ctx context.Context, id persistence.EntityID, c propagation.Command) (*propagation.State, error) {
	if err := insist(ctx, d.courtesy, id, c); err != nil {
		return nil, err
	}
	return d.state(id)
}

// requestID is what the events of a job's work name as their request.
func requestID(job persistence.EntityID) string { return job.ID }
