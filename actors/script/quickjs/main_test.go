package quickjs

import (
	"os"
	"testing"
	"time"

	"concord/actors/script"
)

// Arguments that make the test binary another program: arguments, since a worker has no environment.
const (
	workerArgument  = "be-a-merge-worker"
	serviceArgument = "be-a-service"
)

func TestMain(m *testing.M) {
	if len(os.Args) != 2 {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case workerArgument:
		if err := Serve(os.Stdin, os.Stdout); err != nil {
			os.Exit(1)
		}
	case serviceArgument:
		beService()
	default:
		os.Exit(m.Run())
	}
}

// beService starts a worker, gives it a job without end, says which process it is, and waits to be killed.
func beService() {
	started := make(chan struct{}, 1)
	p := NewPool(Options{Bounds: Bounds{Workers: 1, Timeout: patience}, Command: []string{"/proc/self/exe", workerArgument}, nice: 1,
		Observer: Observer{Started: func(time.Duration) { started <- struct{}{} }}})
	p.Run(onePart(`function merge() { for (;;); }`), func(script.Outcome) {})
	<-started
	sayChildren()
	select {}
}
