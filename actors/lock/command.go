package lock

import (
	"time"
	"unicode/utf8"

	"concord/actors/problem"
)

// Bounds of texts.
const (
	partyMaxBytes  = 1024 // of a principal, of a session
	noteMaxBytes   = 500
	reasonMaxBytes = 500
)

// Ask is who asks, when, and what the decision needs to know beside the state.
type Ask struct {
	Scope    string
	By       Party
	Now      time.Time
	Settings Settings
	Key      []byte // of the tokens
	Version  uint64 // newest of the content
	Seq      uint64 // that the next stored event gets: tickets, contests and operations are numbered by it
	Auto     bool   // a merge runs for an update: the scope is busy though it is free
}

// Command is a sealed set. Get and Outcome are reads: they give no events.
type Command interface{ command() }

type (
	// Acquire asks for the lock. With the current token it is a renewal; any other token is stale.
	Acquire struct {
		TTL         time.Duration // 0: the type's
		Wait        bool          // take a ticket if the lock cannot be had now
		TakeOverOwn bool          // from another session of the same principal
		Token       string
	}
	// Renew extends the lease from now.
	Renew struct {
		Token     string
		TTL       time.Duration // 0: as it is
		Reacquire bool          // if it has expired, and nothing happened since
	}
	// Release ends the lock. Beacon: the token alone is the proof.
	Release struct {
		Token  string
		Beacon bool
	}
	// Break ends anybody's lock. The right to it is judged before.
	Break struct{ Reason string }
	// Contest prompts the holder to give the lock up.
	Contest struct {
		Note     string
		Acquire  bool
		Deadline time.Duration // 0: the type's
	}
	// Withdraw takes the caller's contest back.
	Withdraw struct{}
	// Deny answers all contestants. It answers the named contest alone, if it names one: an answer may be on its way while
	// another contest opens.
	Deny struct{ Token, Reason, Contest string }
	// Accept gives the lock up for a contestant: the named one, or else the oldest that wants it. Contest is as in Deny.
	Accept struct{ Token, Principal, Session, Contest string }
	// Claim takes the lock that is offered to the ticket.
	Claim struct{ Ticket string }
	// KeepAlive is a sign of life.
	KeepAlive struct{ Ticket string }
	// Leave gives the ticket back.
	Leave struct{ Ticket string }
	// CancelOperation calls a parked update off.
	CancelOperation struct{ ID string }
	// Get reads the state of the lock.
	Get struct{}
	// Outcome reads what became of the caller's contest.
	Outcome struct{}
	// GetOperation reads a parked update.
	GetOperation struct{ ID string }
	// Tick does what is due.
	Tick struct{}
)

func (Acquire) command()         {}
func (Renew) command()           {}
func (Release) command()         {}
func (Break) command()           {}
func (Contest) command()         {}
func (Withdraw) command()        {}
func (Deny) command()            {}
func (Accept) command()          {}
func (Claim) command()           {}
func (KeepAlive) command()       {}
func (Leave) command()           {}
func (CancelOperation) command() {}
func (Get) command()             {}
func (Outcome) command()         {}
func (GetOperation) command()    {}
func (Tick) command()            {}

// check refuses what could not be stored.
func (a *Ask) check() error {
	for _, f := range []struct{ path, is string }{
		{"header Concord-Principal", a.By.Principal}, {"header Concord-Session", a.By.Session}, {"/kind", a.By.Kind},
	} {
		if err := checkText(f.path, f.is, partyMaxBytes); err != nil {
			return err
		}
	}
	return nil
}

func checkText(path, text string, most int) error {
	switch {
	case !utf8.ValidString(text):
		return problem.At(path, "this is not UTF-8")
	case len(text) > most:
		return problem.At(path, "%d bytes, the limit is %d", len(text), most)
	}
	return nil
}

// checkToken refuses the lack of a token where one is needed.
func checkToken(token string) error {
	if token == "" {
		return problem.At("header Lock-Token", "only the holder can do this: name the lock's token")
	}
	return nil
}
