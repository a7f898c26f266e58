//go:build planted

package planted

import "os"

// The bugs, in the order of their names.
var (
	AnswerEarly    = is("answerearly")
	ApplyTwice     = is("applytwice")
	BreakChain     = is("breakchain")
	DropConflict   = is("dropconflict")
	DropCorrection = is("dropcorrection")
	DropLinks      = is("droplinks")
	DropOutbox     = is("dropoutbox")
	ForgetDedup    = is("forgetdedup")
	HalfJob        = is("halfjob")
	IgnoreForeign  = is("ignoreforeign")
	KeepExpired    = is("keepexpired")
	LosePark       = is("losepark")
	LostItem       = is("lostitem")
	LostUndo       = is("lostundo")
	MergeBlind     = is("mergeblind")
	OtherSession   = is("othersession")
	Overtake       = is("overtake")
	SkipFence      = is("skipfence")
	SkipLink       = is("skiplink")
	SkipMark       = is("skipmark")
	SkipQueue      = is("skipqueue")
	SkipSecond     = is("skipsecond")
	SkipSync       = is("skipsync")
	StaleIndex     = is("staleindex")
	StaleRead      = is("staleread")
	StaleScript    = is("stalescript")
	StickyCancel   = is("stickycancel")
	Unpinned       = is("unpinned")
	WrongMark      = is("wrongmark")
)

// is says that the bug is the one that the process was told to have.
func is(bug string) bool { return os.Getenv("CONCORD_PLANTED") == bug }
