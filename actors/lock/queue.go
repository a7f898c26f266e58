package lock

import (
	"net/http"
	"slices"

	"concord/actors/problem"
)

// wait gives the caller a ticket; one that is there is kept alive. made: it is new.
func (t *turn) wait() (i int, made bool, err error) {
	in := t.s.look()
	if i := in.ticketOf(t.a.By); i >= 0 {
		t.signOfLife(in.queue[i].id)
		return i, false, nil
	}
	most := min(t.a.Settings.MaxWaiters, waitersMax)
	if in.tickets() >= most {
		return 0, false, t.queueFull("tickets", most)
	}
	length := micros(t.a.Settings.WaiterTTL)
	t.emit(&WaiterAdded{t.a.Seq, t.a.By, length, t.until(length)})
	in = t.s.look()
	return in.ticketOf(t.a.By), true, nil
}

func (t *turn) signOfLife(ticket uint64) { t.emit(t.alive(ticket)) }

func (t *turn) alive(ticket uint64) Event {
	return &Alive{ticket, t.until(micros(t.a.Settings.WaiterTTL))}
}

// mine finds the caller's ticket.
func (t *turn) mine(ticket string) (int, error) {
	in := t.s.look()
	n, ok := ParseID(TicketID, ticket)
	i := in.waiter(n, false)
	if !ok || i < 0 || !in.queue[i].party.is(t.a.By) {
		return 0, ticketGone()
	}
	return i, nil
}

func (t *turn) claim(c Claim) (Result, error) {
	in := t.s.look()
	if h := in.holder; h != nil && h.ticket > 0 && ID(TicketID, h.ticket) == c.Ticket && h.party.is(t.a.By) {
		return t.granted(http.StatusCreated), nil // claimed already
	}
	i, err := t.mine(c.Ticket)
	if err != nil {
		return Result{}, err
	}
	ticket := in.queue[i].id
	if in.offer == nil || in.offer.ticket != ticket {
		t.sign = t.alive(ticket)
		return Result{}, problem.New(problem.NotOffered, "it is not your turn yet: you are number %d", in.position(i)).
			With("position", in.position(i))
	}
	t.grant(0, HowClaimed, ticket)
	return t.granted(http.StatusCreated), nil
}

func (t *turn) keepAlive(c KeepAlive) (Result, error) {
	i, err := t.mine(c.Ticket)
	if err != nil {
		return Result{}, err
	}
	t.signOfLife(t.s.look().queue[i].id)
	return Result{Status: http.StatusOK, Ticket: t.ticket(i)}, nil
}

func (t *turn) leave(c Leave) (Result, error) {
	i, err := t.mine(c.Ticket)
	if err != nil {
		return Result{}, err
	}
	t.drop(t.s.look().queue[i].id, WhyLeft)
	t.advance()
	return done, nil
}

// cancel calls a parked update off. Called off already is no news.
func (t *turn) cancel(c CancelOperation) (Result, error) {
	in := t.s.look()
	n, ok := ParseID(OperationID, c.ID)
	if !ok {
		return Result{}, noOperation()
	}
	owner, state := Party{}, OperationIsWaiting
	i := in.waiter(n, true)
	j := slices.IndexFunc(in.operations, func(o EndedOperation) bool { return o.ID == n })
	switch {
	case i >= 0:
		owner = in.queue[i].party
	case j >= 0:
		owner, state = in.operations[j].Party, in.operations[j].State
	default:
		return Result{}, noOperation()
	}
	switch {
	case owner.Principal != t.a.By.Principal:
		return Result{}, problem.New(problem.Forbidden, "the operation is another principal's")
	case state == OperationIsWaiting:
		t.emit(&OperationCancelled{n})
		t.advance()
		return done, nil
	case state == OperationIsCancelled:
		return done, nil
	default:
		return Result{}, problem.New(problem.WrongState, "the operation is %s", state).With("state", state)
	}
}

func noOperation() error { return problem.New(problem.NotFound, "there is no such operation") }

// operation reads a parked update.
func (t *turn) operation(c GetOperation) (Result, error) {
	in := t.s.look()
	n, ok := ParseID(OperationID, c.ID)
	if !ok {
		return Result{}, noOperation()
	}
	if i := in.waiter(n, true); i >= 0 {
		return Result{Status: http.StatusOK, Operation: &OperationAnswer{Operation: c.ID, State: OperationIsWaiting,
			Position: in.position(i), ExpiresAt: in.queue[i].expires}}, nil
	}
	j := slices.IndexFunc(in.operations, func(o EndedOperation) bool { return o.ID == n })
	if j < 0 {
		return Result{}, noOperation()
	}
	o := in.operations[j]
	return Result{Status: http.StatusOK, Operation: &OperationAnswer{Operation: c.ID, State: o.State, Version: o.Version,
		Code: o.Code}}, nil
}
