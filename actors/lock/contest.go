package lock

import (
	"net/http"
	"slices"
	"time"

	"concord/actors/problem"
)

// ratePeriod is what ContestsPerMinute counts over.
const ratePeriod = time.Minute

func missingReason() error { return problem.At("/reason", "a reason is required") }

func (t *turn) contest(c Contest) (Result, error) {
	if err := checkText("/note", c.Note, noteMaxBytes); err != nil {
		return Result{}, err
	}
	in := t.s.look()
	switch {
	case in.holder != nil && in.holder.party.is(t.a.By):
		return Result{}, notContestable(ownLock)
	case in.holder != nil:
		return t.contestHeld(c)
	case !c.Acquire && (in.next() || in.offer == nil && t.a.Auto):
		return Result{}, notContestable(autoLock)
	case !c.Acquire:
		return Result{}, notContestable(notLocked)
	case t.free():
		t.grant(0, HowContested, 0)
		return t.granted(http.StatusCreated), nil
	}
	// Nobody to prompt: it waits.
	if err := t.rate(); err != nil {
		return Result{}, err
	}
	i, _, err := t.wait()
	if err != nil {
		return Result{}, err
	}
	place := t.ticket(i)
	t.count()
	return Result{Status: http.StatusAccepted, Contest: &ContestAnswer{Ticket: place.Ticket, Position: place.Position}}, nil
}

// contestHeld opens a contest or joins it.
func (t *turn) contestHeld(c Contest) (Result, error) {
	in := t.s.look()
	for _, cool := range in.cooldowns {
		if cool.principal == t.a.By.Principal && cool.until.After(t.a.Now) {
			return Result{}, t.cooling(cool.until)
		}
	}
	if err := t.rate(); err != nil {
		return Result{}, err
	}
	mine := in.contestant(t.a.By)
	if mine < 0 && in.contest != nil && len(in.contest.contestants) >= contestantsMax {
		return Result{}, t.queueFull("contestants", contestantsMax)
	}
	claim := Claimant{Party: t.a.By, Note: c.Note, Acquire: c.Acquire}
	if mine >= 0 && in.contest.contestants[mine].acquire {
		claim.Acquire = true // once in line, in line: it takes leaving to leave
	}
	if claim.Acquire {
		i, made, err := t.wait()
		if err != nil {
			return Result{}, err
		}
		claim.Ticket, claim.Made = t.s.look().queue[i].id, made
	}
	answer := &ContestAnswer{}
	switch {
	case in.contest == nil:
		length := t.a.Settings.deadline(c.Deadline)
		t.emit(&ContestOpened{Contest: t.a.Seq, Claim: claim, Length: length, Until: t.until(length)})
		answer.Prompted = true
	case mine < 0:
		t.emit(&ContestJoined{in.contest.id, claim})
		answer.Joined = true
	case claim.Acquire != in.contest.contestants[mine].acquire:
		claim.Note = in.contest.contestants[mine].note
		t.emit(&ContestJoined{in.contest.id, claim}) // it only asked before; now it wants the lock
	}
	t.count()
	in = t.s.look()
	answer.Contest, answer.Deadline = ID(ContestID, in.contest.id), in.contest.deadline.at()
	if i := in.ticketOf(t.a.By); i >= 0 && claim.Acquire {
		answer.Ticket, answer.Position = ID(TicketID, in.queue[i].id), in.position(i)
	}
	return Result{Status: http.StatusAccepted, Contest: answer}, nil
}

// rate refuses a principal that contests all the time.
func (t *turn) rate() error {
	n, first := 0, time.Time{}
	for _, c := range t.s.look().counted {
		if c.principal == t.a.By.Principal && c.at.Add(ratePeriod).After(t.a.Now) {
			if n == 0 {
				first = c.at
			}
			n++
		}
	}
	if n < t.a.Settings.ContestsPerMinute {
		return nil
	}
	p := problem.New(problem.Overloaded, "at most %d contests a minute", t.a.Settings.ContestsPerMinute)
	p.RetryAfter = first.Add(ratePeriod).Sub(t.a.Now)
	return p
}

func (t *turn) count() { t.emit(&Counted{t.a.By.Principal, t.a.Now}) }

// withdraw takes the contest back, or else the place that it led to.
func (t *turn) withdraw() (Result, error) {
	in := t.s.look()
	if i := in.contestant(t.a.By); i >= 0 {
		c := in.contest.contestants[i]
		t.emit(&ContestWithdrawn{Contest: in.contest.id, Party: t.a.By, Closed: len(in.contest.contestants) == 1})
		if c.made {
			t.drop(c.ticket, WhyLeft)
		}
		return done, nil
	}
	if in.offer != nil && in.offered().is(t.a.By) {
		t.drop(in.offer.ticket, WhyLeft)
		t.advance()
		return done, nil
	}
	i := slices.IndexFunc(in.outcomes, func(o outcome) bool { return o.party.is(t.a.By) })
	if i >= 0 && in.outcomes[i].state == Withdrawn {
		return done, nil
	}
	return Result{}, noContest()
}

// contested is the open contest, for the holder that proves to be it. named is the one that the holder has seen, if it says.
func (t *turn) contested(token, named string) (*contest, error) {
	if err := checkToken(token); err != nil {
		return nil, err
	}
	if !t.current(token, false) {
		return nil, staleToken(t.why(token), t.s.Fence)
	}
	c := t.s.look().contest
	if c == nil || named != "" && named != ID(ContestID, c.id) {
		return nil, noContest()
	}
	return c, nil
}

func (t *turn) deny(c Deny) (Result, error) {
	if err := checkText("/reason", c.Reason, reasonMaxBytes); err != nil {
		return Result{}, err
	}
	open, err := t.contested(c.Token, c.Contest)
	if err != nil {
		return Result{}, err
	}
	e := &ContestDenied{Contest: open.id, Reason: c.Reason}
	if cool := micros(t.a.Settings.Cooldown); cool > 0 {
		e.Until = t.until(cool)
	}
	t.emit(e)
	return done, nil
}

func (t *turn) accept(c Accept) (Result, error) {
	open, err := t.contested(c.Token, c.Contest)
	if err != nil {
		return Result{}, err
	}
	in := t.s.look()
	i := slices.IndexFunc(open.contestants, func(one contestant) bool {
		if c.Session == "" && c.Principal == "" {
			return in.ticketOf(one.party) >= 0 // it wants the lock
		}
		return (c.Session == "" || c.Session == one.party.Session) && (c.Principal == "" || c.Principal == one.party.Principal)
	})
	if i < 0 && (c.Session != "" || c.Principal != "") {
		return Result{}, noContest()
	}
	chosen := open.contestants[max(i, 0)] // nobody wants the lock: the oldest asked first
	t.emit(&ContestResolved{Contest: open.id, How: ByAccept, Granted: &chosen.party})
	t.emit(&LockReleased{Fence: in.holder.fence})
	if w := in.ticketOf(chosen.party); w >= 0 && !t.a.Auto {
		t.offer(&in.queue[w])
	}
	t.advance()
	return done, nil
}

// outcome is what became of the caller's contest.
func (t *turn) outcome() (Result, error) {
	in := t.s.look()
	o := &OutcomeAnswer{}
	if i := in.ticketOf(t.a.By); i >= 0 {
		place := t.ticket(i)
		o.Ticket, o.Position, o.Offered = place.Ticket, place.Position, place.Offered
	}
	if in.contestant(t.a.By) >= 0 {
		o.State, o.Contest, o.Deadline = Open, ID(ContestID, in.contest.id), in.contest.deadline.at()
		return Result{Status: http.StatusOK, Outcome: o}, nil
	}
	i := slices.IndexFunc(in.outcomes, func(one outcome) bool { return one.party.is(t.a.By) })
	if i < 0 {
		return Result{}, noContest()
	}
	was := in.outcomes[i]
	o.State, o.Reason, o.RetryAfter = was.state, was.reason, secondsUp(was.until.Sub(t.a.Now))
	if was.contest > 0 {
		o.Contest = ID(ContestID, was.contest)
	}
	return Result{Status: http.StatusOK, Outcome: o}, nil
}
