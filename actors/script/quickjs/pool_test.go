package quickjs

import (
	"os"
	"testing"
	"time"

	"concord/actors/script"
)

// newPool is a pool of real processes.
func newPool(t testing.TB, o Options) *Pool {
	t.Helper()
	if o.Command == nil {
		o.Command = workerCommand(t)
	}
	p := NewPool(o)
	t.Cleanup(p.Close)
	return p
}

// workerCommand starts this test binary as a worker.
func workerCommand(t testing.TB) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("find the test binary: %v", err)
	}
	return []string{self, workerArgument}
}

// patience is far beyond every bound of a pool: a test that waits for so long has failed.
const patience = 2 * time.Minute

func run(t testing.TB, p *Pool, job script.Job) script.Outcome {
	t.Helper()
	answer := make(chan script.Outcome, 2)
	p.Run(job, func(o script.Outcome) { answer <- o })
	return await(t, answer)
}

func check(t testing.TB, p *Pool, source string) *script.Failure {
	t.Helper()
	answer := make(chan *script.Failure, 2)
	p.Check(source, func(f *script.Failure) { answer <- f })
	return await(t, answer)
}

func await[T any](t testing.TB, answer <-chan T) T {
	t.Helper()
	select {
	case v := <-answer:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}
