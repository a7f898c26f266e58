package entity

import (
	"bytes"
	"fmt"
	"time"

	"concord/actors/problem"
	"concord/actors/script"
)

// asideMaxRounds is how often a command may be set aside: each time the entity has changed while its script ran, so that
// the outcome is that of another question.
const asideMaxRounds = 4

// aside says that a command has to wait for a script.
type aside struct{ job *script.Job }

func (a *aside) Error() string {
	return fmt.Sprintf("a script has to merge %d parts", len(a.job.Parts))
}

// setAside has the job of a command run, while the entity takes other commands. When the outcome is there the command is
// decided anew: on what is stored by then, which may be another case.
func (s *Shell[S, C, E]) setAside(env *Envelope, job *script.Job, waking bool) {
	if len(env.ran) == asideMaxRounds {
		p := problem.New(problem.MergeFailed, "the collection has changed each time while its merge script ran")
		s.world.Committer.After(s.seen(), func() { env.Reply(Answer{}, p) })
		return
	}
	if !env.DryRun {
		s.aside++
	}
	if waking {
		s.waking = true
		s.arm(time.Time{}) // the end of the script wakes it
	}
	s.expectRepeats(env)
	s.world.Work(s.id, job, func(o script.Outcome) {
		if !env.DryRun {
			s.aside--
		}
		if env.ran == nil {
			env.ran = make(map[script.Key]script.Outcome, 1)
		}
		env.ran[job.Key()] = o
		if !waking {
			s.again(env)
		} else if s.waking = false; s.putOff(env, o) {
			return
		}
		if s.timed != nil && !s.waking && s.aside == 0 {
			s.advance() // who has waited for the script to end
		}
		s.wake()
	})
}

// putOff goes on with what was due, and says whether the rest has to wait. It is decided on behalf of whom it is due for:
// what was set aside may have been called off meanwhile, and then the outcome is nobody's.
func (s *Shell[S, C, E]) putOff(env *Envelope, o script.Outcome) bool {
	if !s.dueFor(env) {
		return false
	}
	s.handle(env, true)
	if s.waking || o.Failure == nil || o.Failure.Reason != script.Busy || !s.dueFor(env) {
		return false
	}
	s.arm(s.now().Add(wakeRetry)) // to ask again at once would only keep the machine from what it is busy with
	return true
}

// dueFor says that what is due is still that which the command is for.
func (s *Shell[S, C, E]) dueFor(env *Envelope) bool {
	_, m := s.timed.Wake(s.state)
	return m.RequestID == env.Meta.RequestID
}

// asideKey is the idempotency key of a command that was set aside.
type asideKey struct{ principal, key string }

// repeats are the commands that came with the key meanwhile. There are no more than may be in flight for an entity.
type repeats struct {
	digest []byte
	wait   []*Envelope
}

// expectRepeats has repeats of the command wait for it: until its outcome is known they could only be told that the entity
// is busy, with what they ask for themselves.
func (s *Shell[S, C, E]) expectRepeats(env *Envelope) {
	if env.Meta.Key == "" || env.DryRun {
		return
	}
	if s.repeats == nil {
		s.repeats = make(map[asideKey]*repeats, 1)
	}
	s.repeats[asideKey{env.Meta.Principal, env.Meta.Key}] = &repeats{digest: env.Meta.KeyDigest}
}

// repeated has a repeat of a command that was set aside wait for it.
func (s *Shell[S, C, E]) repeated(env *Envelope) bool {
	if len(s.repeats) == 0 || env.Meta.Key == "" || env.DryRun {
		return false
	}
	first := s.repeats[asideKey{env.Meta.Principal, env.Meta.Key}]
	if first == nil || !bytes.Equal(first.digest, env.Meta.KeyDigest) {
		return false
	}
	first.wait = append(first.wait, env)
	return true
}

// again decides anew on a command that was set aside, and then on its repeats: they have its answer, or are judged by
// themselves if it was refused.
func (s *Shell[S, C, E]) again(env *Envelope) {
	key := asideKey{env.Meta.Principal, env.Meta.Key}
	first := s.repeats[key]
	delete(s.repeats, key)
	s.handle(env, false)
	if first == nil {
		return
	}
	if next := s.repeats[key]; next != nil { // it is set aside once more
		next.wait = first.wait
		return
	}
	for _, repeat := range first.wait {
		s.handle(repeat, false)
	}
}
