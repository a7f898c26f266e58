package bench

import (
	"fmt"
	"time"
)

// Bounds of a Workload.
const (
	clientsMax       = 4096
	keysMax          = 10_000_000
	payloadMinBytes  = 64
	payloadMaxBytes  = 1 << 20
	rateMaxPerSecond = 1_000_000
)

// Workload is one kind of load, the same for every contender.
type Workload struct {
	Name         string       // as the results show it: updates, reads, ...
	Clients      int          // connections, each with one operation at a time
	Keys         int          // size of the key space
	Distribution Distribution // how often each key is met
	PayloadBytes int          // size of every document written
	ReadShare    float64      // 0: updates only; 1: reads only
	Preload      bool         // create all keys before the first round; reads imply it

	// RatePerSecond is the fixed rate of an open loop; 0 means a closed loop.
	RatePerSecond float64

	WarmUp   time.Duration // before each measurement, not counted
	Duration time.Duration // of each measurement
}

// validate names the first field that is out of bounds.
func (w Workload) validate() error {
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{w.Name == "", "has no name"},
		{w.Clients < 1 || w.Clients > clientsMax, fmt.Sprintf("clients must be 1 to %d", clientsMax)},
		{w.Keys < 1 || w.Keys > keysMax, fmt.Sprintf("keys must be 1 to %d", keysMax)},
		{w.PayloadBytes < payloadMinBytes || w.PayloadBytes > payloadMaxBytes,
			fmt.Sprintf("payload must be %d to %d bytes", payloadMinBytes, payloadMaxBytes)},
		{!(w.ReadShare >= 0 && w.ReadShare <= 1), "read share must be 0 to 1"},
		{!(w.RatePerSecond >= 0 && w.RatePerSecond <= rateMaxPerSecond),
			fmt.Sprintf("rate must be 0 to %d a second", rateMaxPerSecond)},
		{w.WarmUp < 0 || w.Duration <= 0, "duration must be positive, warm-up not negative"},
	} {
		if rule.broken {
			return fmt.Errorf("workload %q: %s", w.Name, rule.text)
		}
	}
	return w.Distribution.validate()
}

// preloads reports whether the keys must exist before the first round.
func (w Workload) preloads() bool { return w.Preload || w.ReadShare > 0 }
