package faults

import (
	"errors"
	"fmt"
	"testing"

	"github.com/rs/zerolog"

	"concord/actors/lock/scenario"
	"concord/transport"
)

// scenariosMaxSkipped bounds the stories that cannot be told from outside: those of jobs, and the beacon over NATS. It goes
// down as these are offered, and never up unseen.
const scenariosMaxSkipped = 4

// TestScenarios tells all stories of the lock machine to a running service, through each of its doors, one after another:
// they share a clock. What they leave behind lives on beside the next.
func TestScenarios(t *testing.T) {
	all, err := scenario.All()
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"http", "nats"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := startInProcess(t, zerolog.Nop(), transport.AuthOff{})
			skipped := tellAll(t, h, h.doors()[i], all)
			t.Logf("%d stories, %d skipped", len(all)-skipped, skipped)
			if skipped > scenariosMaxSkipped {
				t.Errorf("%d stories were skipped, %d can be", skipped, scenariosMaxSkipped)
			}
		})
	}
}

func tellAll(t *testing.T, h house, d door, all []scenario.Scenario) (skipped int) {
	for i, sc := range all {
		t.Run(sc.File+"/"+sc.Name, func(t *testing.T) {
			target, err := targetOf(h, d, fmt.Sprintf("%s%d", d.name(), i), sc)
			if err == nil {
				err = errors.Join(heardBy(d, sc).Run(target), target.resume())
			}
			if errors.Is(err, errors.ErrUnsupported) {
				skipped++
				t.Skip(err)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	return skipped
}
