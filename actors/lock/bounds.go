package lock

import (
	"fmt"
	"time"

	"concord/actors/bound"
)

// Bounds are the bounds that a collection type may set, and those that are fixed (without a range).
func Bounds() []bound.Bound {
	d := DefaultSettings
	second, day := time.Second, 24*time.Hour
	length := func(name string, is, least, most time.Duration, doc string) bound.Bound {
		return bound.Bound{Name: name, Default: is.String(), Range: fmt.Sprintf("%v to %v", least, most), Doc: doc}
	}
	number := bound.Fixed
	return []bound.Bound{
		length("lock.minTtl", d.MinTTL, second, day, "shortest lease; what is asked is clamped"),
		length("lock.maxTtl", d.MaxTTL, second, day, "longest lease"),
		length("lock.ttl", d.TTL, d.MinTTL, d.MaxTTL, "a lease if nothing is asked"),
		{Name: "lock.maxWaiters", Default: fmt.Sprint(d.MaxWaiters), Range: fmt.Sprintf("0 to %d", waitersMax), Doc: "tickets in the line of a scope"},
		length("lock.waiterTtl", d.WaiterTTL, second, time.Hour, "a ticket without a sign of life"),
		length("lock.offerWindow", d.OfferWindow, second, time.Hour, "how long the lock is kept for the head of the line"),
		length("lock.contest.deadline", d.ContestDeadline, second, day, "how long the holder has to answer"),
		length("lock.contest.cooldown", d.Cooldown, 0, day, "how long a denied principal may not contest again"),
		number("contests a minute", d.ContestsPerMinute, "by one principal on one scope"),
		number("contestants", contestantsMax, "of one contest"),
		number("parked updates", operationsMaxParked, "that wait in one scope; their bytes: `limits.parked`"),
		{Name: "life of a parked update", Default: d.OperationExpiry.String(), Doc: "then it expires"},
		number("ended operations", operationsMaxEnded, "of a scope that can be read"),
		number("outcomes", outcomesMax, "of contests of a scope that can be read"),
		number("ended locks", endedMaxLocks, "of a scope whose tokens are told why they are stale"),
		number("note, reason", noteMaxBytes, "bytes"),
	}
}
