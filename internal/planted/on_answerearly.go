//go:build planted_answerearly

package planted

// AnswerEarly answers before the commit.
const AnswerEarly = true
