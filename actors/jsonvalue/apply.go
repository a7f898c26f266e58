package jsonvalue

import (
	"errors"
	"fmt"
)

// Limits bounds the work and the result of Patch.Apply. A field that is zero takes its value from
// DefaultLimits.
type Limits struct {
	// MaxOperations is how many operations a patch may have.
	MaxOperations int
	// MaxBytes bounds the Size of the result, if it is larger than the document was. Between the
	// operations the tree may be up to twice as large, so that the Diff of two values within the
	// bound always applies.
	MaxBytes int
	// MaxDepth bounds the nesting after each operation.
	MaxDepth int
	// MaxSteps bounds the work: members looked at, and members, elements and values copied, moved
	// or measured. A step takes some nanoseconds.
	MaxSteps int
}

// The bounds of DefaultLimits, beside MaxDepth.
const (
	patchMaxOperations = 10_000
	patchMaxBytes      = 512 << 10
	patchMaxSteps      = 50_000_000
)

// DefaultLimits fit the document of 512 KiB that Concord takes.
func DefaultLimits() Limits {
	return Limits{
		MaxOperations: patchMaxOperations,
		MaxBytes:      patchMaxBytes,
		MaxDepth:      MaxDepth,
		MaxSteps:      patchMaxSteps,
	}
}

func (l Limits) orDefault() Limits {
	return Limits{
		MaxOperations: positive(l.MaxOperations, patchMaxOperations),
		MaxBytes:      positive(l.MaxBytes, patchMaxBytes),
		MaxDepth:      positive(l.MaxDepth, MaxDepth),
		MaxSteps:      positive(l.MaxSteps, patchMaxSteps),
	}
}

func positive(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// The fates of an operation that cannot be applied; errors.Is finds them in a *PatchError.
var (
	// ErrOperation: not an operation of RFC 6902: unknown, without its value, or a move into its
	// own child. No document would take it.
	ErrOperation = errors.New("malformed operation")
	// ErrTarget: path or from names no value, or no place for one, in this document.
	ErrTarget = errors.New("no such target")
	// ErrTest: the value of a test differs.
	ErrTest = errors.New("test failed")
	// ErrLimit: a bound of Limits is passed.
	ErrLimit = errors.New("limit passed")
)

// PatchError says which operation could not be applied and why.
type PatchError struct {
	// Index is the place of the operation in the patch, from 0.
	Index int
	// Op is the operation.
	Op string
	// Path is the JSON Pointer in the document that the reason is about: path or from.
	Path string
	// Reason is a text for people.
	Reason string
	// Cause is ErrOperation, ErrTarget, ErrTest or ErrLimit.
	Cause error
}

func (e *PatchError) Error() string {
	return fmt.Sprintf("operation %d (%s %q): %s", e.Index, e.Op, e.Path, e.Reason)
}

func (e *PatchError) Unwrap() error { return e.Cause }

// Apply returns the document that p makes of v: all operations or none, in which case it returns a
// *PatchError about the first one that failed. v is not changed. The result shares with v and with
// the values of p what the patch did not touch.
//
// The rules are those of RFC 6902, section 4: an add sets a member or inserts an element, a move is
// a remove and then an add, a test compares by Equal. An array index is that of RFC 6901, section 4,
// and - stands for the end of an array where an element is added, nowhere else. The whole document
// can be replaced, but not removed.
func (p Patch) Apply(v *Value, limits Limits) (*Value, error) {
	e := newEditor(v, limits.orDefault())
	for i, op := range p {
		if r := e.step(i, op, i == len(p)-1); r != nil {
			return nil, &PatchError{
				Index:  i,
				Op:     op.Op,
				Path:   boundedPath(r.at),
				Reason: r.reason,
				Cause:  r.cause,
			}
		}
	}
	return e.root, nil
}
