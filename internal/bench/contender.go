// Package bench measures systems against each other: on one machine, in one run, in turn.
//
// A speed means nothing by itself, since machines are shared and noisy. Run therefore starts every
// contender itself, gives each the same load in interleaved rounds (A, B, C, A, B, C, ...), and reports
// medians over the rounds and, for every pair, the median of the ratios within a round.
//
// ClosedLoop and OpenLoop are the two ways to put load on anything; Measure puts a Workload on a
// Contender with one of them; Run does so for a whole Plan. The contenders are in package contenders.
package bench

import (
	"context"
	"fmt"
)

// Contender is one system under test. Its methods are called by one goroutine at a time.
type Contender interface {
	// Name is short, lower case and unique within a run; it never changes.
	Name() string
	// Start brings the system up on loopback with its data below dir, which exists, and returns once it
	// serves. A dir that holds the data of an earlier instance is served again with that data. If a
	// program is missing the error is an ErrNotInstalled. After an error nothing is left running.
	Start(ctx context.Context, dir string) error
	// Client opens connection number i, at least 0, of its own to the started system.
	Client(i int) (Client, error)
	// Stop ends the system and waits until nothing of it runs. Its clients were closed before.
	Stop() error
}

// Client is one connection to a contender. It is not safe for concurrent use; different clients are.
type Client interface {
	// Update writes payload as the newest version of key, creating it if need be, and returns once the
	// write is durable. It does not keep payload.
	Update(ctx context.Context, key int, payload []byte) error
	// Read returns the newest version of key. The answer is valid until the next call.
	// It returns errors.ErrUnsupported if the system has nothing to read.
	Read(ctx context.Context, key int) ([]byte, error)
	Close() error
}

// Preloader is a Contender with a faster way to create many keys than one update after the other.
type Preloader interface {
	// Preload makes keys 0 to keys-1 exist, each holding payload, durably. It is called at most once,
	// after Start and before the first Client.
	Preload(ctx context.Context, keys int, payload []byte) error
}

// Limit is a Contender that is a floor under every durable service rather than a rival to one.
type Limit interface {
	// Limit says what it bounds, for the reader of a table.
	Limit() string
}

// Conflicted is a Client of a system with optimistic writes.
type Conflicted interface {
	// Conflicts counts the tries that were refused since another writer came first, and made again.
	Conflicts() int64
}

// Versioned is a Client of a system that numbers the versions of a key.
type Versioned interface {
	// Version returns how many updates of key took effect, 0 for an unknown one.
	Version(ctx context.Context, key int) (int64, error)
}

// ErrNotInstalled says that a contender cannot run since one of its programs is missing.
type ErrNotInstalled struct {
	Program string // what was looked for
	Package string // the Debian package that has it
}

func (e ErrNotInstalled) Error() string {
	return fmt.Sprintf("%s is not installed (Debian package %s)", e.Program, e.Package)
}
