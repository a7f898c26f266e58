//go:build !planted

package planted

// The bugs, in the order of their names.
const (
	// AnswerEarly answers before the commit.
	AnswerEarly = false
	// ApplyTwice has a collection forget that a bulk task has written it.
	ApplyTwice = false
	// BreakChain writes a record whose hash of the one before is not right.
	BreakChain = false
	// DropConflict leaves the last conflict of a list out.
	DropConflict = false
	// DropCorrection forgets corrections of links that were written while what they show had changed.
	DropCorrection = false
	// DropLinks does not publish some messages about links.
	DropLinks = false
	// DropOutbox leaves a record out of the fan-out now and then.
	DropOutbox = false
	// ForgetDedup does not look for an earlier outcome of an idempotency key.
	ForgetDedup = false
	// HalfJob has a propagation count collections as done that were only asked.
	HalfJob = false
	// IgnoreForeign takes back what others have written over, too, where it should be skipped.
	IgnoreForeign = false
	// KeepExpired does not end a lock whose time is over.
	KeepExpired = false
	// LosePark leaves parked updates out of the stored state.
	LosePark = false
	// LostItem records some items of bulk tasks as updated that were not sent.
	LostItem = false
	// LostUndo leaves records out of the lists of roll-backs.
	LostUndo = false
	// MergeBlind saves the content of a client whose policy merges as it came, over what others have changed.
	MergeBlind = false
	// OtherSession has anybody's newest session be the caller's last.
	OtherSession = false
	// Overtake has the driver of bulk tasks ignore older tasks.
	Overtake = false
	// SkipFence lets a write pass whose token is not the current one.
	SkipFence = false
	// SkipLink does not enter new links of a document in the index by source.
	SkipLink = false
	// SkipMark does not move the high-water mark.
	SkipMark = false
	// SkipQueue grants a lock that is offered to another.
	SkipQueue = false
	// SkipSecond does not look whether a hand-made merge was made with the newest version.
	SkipSecond = false
	// SkipSync commits without waiting for the disk.
	SkipSync = false
	// StaleIndex leaves terms in the indexes of collections that are no more true.
	StaleIndex = false
	// StaleRead answers a read from the state before the newest.
	StaleRead = false
	// StaleScript takes what a merge script returned also if the collection has changed while it ran.
	StaleScript = false
	// StickyCancel records items of a cancelled bulk task as cancelled that were applied.
	StickyCancel = false
	// Unpinned writes no pins.
	Unpinned = false
	// WrongMark has a roll-back to the step before take two steps back.
	WrongMark = false
)
