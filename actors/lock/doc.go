// Package lock is the machine of one scope's lock: leases with fences, contests, the queue, parked updates. It is pure:
// no I/O, clock, randomness or goroutine. A kind of entity embeds a State, calls Decide and Admit with the time as a
// value, stores the events that they return and folds them with Evolve.
//
// # Words
//
// An owner is a Party: a session of a principal. A grant has a fence, a number that grows with every grant of the scope
// and is never used again, and a token, which proves the grant and stands nowhere: it is computed (Token).
// A ticket is a party's place in the queue; an operation is an update parked in the same queue.
//
// # States and transitions
//
// A scope is FREE, HELD, CONTESTED (held, one open contest) or OFFERED (free, reserved for one ticket). AUTO is not
// stored: the scope is free, but a merge runs for an update (Ask.Auto), or a parked update has its turn (Next).
//
//	from             message                     guard                        to                 events
//	FREE             acquire, contest+acquire                                 HELD               lock.acquired
//	FREE             contest without acquire                                  refused            not-contestable: not_locked
//	FREE             renew, late                 expired last, nobody granted HELD               lock.acquired, same token
//	                                             and nothing written since
//	FREE             write without token         mode explicit                refused            lock-required
//	HELD, CONTESTED  acquire by another          wait                         same               waiter.added
//	HELD, CONTESTED  acquire by another          no wait                      refused            locked
//	HELD, CONTESTED  acquire by the same session                              same               none: the same grant again
//	HELD, CONTESTED  acquire, renew              current token                same               heartbeat; lock.renewed if longer
//	HELD, CONTESTED  acquire by own session      takeOverOwn                  same               lock.taken_over, lock.acquired
//	HELD             contest                     not cooling down             CONTESTED          waiter.added?, contest.opened
//	CONTESTED        contest by a third                                       CONTESTED          waiter.added?, contest.joined
//	CONTESTED        contest by a contestant                                  CONTESTED          none (counted, ticket kept alive)
//	CONTESTED        deny                        current token                HELD               contest.denied
//	CONTESTED        accept                      current token                OFFERED, FREE      contest.resolved, lock.released, offer.made?
//	HELD, CONTESTED  release, write+release      current token                FREE, OFFERED      lock.released, contest.resolved?, offer.made?
//	CONTESTED        deadline                    keep                         HELD               contest.timed_out
//	CONTESTED        deadline                    release                      FREE, OFFERED      lock.revoked, contest.resolved, offer.made?
//	CONTESTED        withdraw, ticket left/dead  last contestant              HELD               contest.withdrawn (waiter.gone)
//	HELD, CONTESTED  ttl over                                                 FREE, OFFERED      lock.expired, contest.expired?, offer.made?
//	HELD, CONTESTED  break                       reason                       FREE, OFFERED      lock.broken, contest.resolved?, offer.made?
//	FREE, OFFERED    break                                                    same               none
//	OFFERED          claim, acquire, by the offered session                   HELD               lock.acquired
//	OFFERED          window over                                              OFFERED, FREE      offer.lapsed, offer.made?
//	OFFERED          leave, withdraw             by the offered session       OFFERED, FREE      waiter.gone, offer.made?
//	OFFERED, AUTO    acquire+wait, contest+acquire                            same               waiter.added
//	OFFERED, AUTO    acquire                                                  refused            locked
//	OFFERED, AUTO    contest without acquire                                  refused            not-contestable: not_locked, auto
//	any but FREE     write, parked                                            same               operation.parked
//	AUTO             the parked update has run                                FREE, OFFERED,AUTO operation.done | failed, offer.made?
//	any              operation cancelled, 24 h                                same               operation.cancelled | expired
//
// Where the semantics are silent:
//   - A take-over moves the lock between sessions of one principal. An open contest stays open, with its deadline: it
//     was put to the principal, and taking over from oneself is no way around it. Only a contest by the session that
//     takes over ends, as granted.
//   - A session that holds the lock and acquires again without the token gets the same grant again, without an event
//     and without a renewal: the answer to its first request may have been lost. The session is inside its principal.
//   - `granted` is the outcome of the contestant that the holder accepted, and of any that got the lock by its ticket;
//     `resolved` is that of all others when the lock ended otherwise than by its ttl.
//   - A contestant wants the lock if it has a ticket, wherever it got it. Accepting one that does not is a release: the
//     queue moves on in its own order.
//   - Withdrawing gives up the ticket, too, if the contest took it; a ticket that was there before stays.
//   - A contest's own deadline may be shorter than the type's only under `keep`: `release` must not be made sharper by
//     those whom it favours. It is never longer than the longest ttl.
//   - A ticket that is offered the lock has the whole window, whatever is left of its waiter ttl.
//   - A renewal with a shorter ttl ends the lease earlier: its holder asked for it.
//   - Every contest that is accepted counts for the rate, a repeated one too; a grant of a free scope does not.
//
// # Durable and volatile
//
// Stored events (Stored) make up the durable part of the state; it depends on nothing else. Volatile events (plain
// renewals, signs of life of tickets, the count of contests) change the live state only. What EncodeState writes is
// Durable. A state with volatile news (Volatile) must stay in memory, or a lease would end early.
//
// After a restart lengths run again in full (Recover). Whatever is due at the time of a decision comes first: its
// events stand before those of the command. A refused command gives no stored event: the timer will do it.
package lock
