package entity

import (
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
	s.world.Work(s.id, job, func(o script.Outcome) {
		if !env.DryRun {
			s.aside--
		}
		if env.ran == nil {
			env.ran = make(map[script.Key]script.Outcome, 1)
		}
		env.ran[job.Key()] = o
		if !waking {
			s.handle(env, false)
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
