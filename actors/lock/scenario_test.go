package lock

import (
	"bytes"
	"testing"

	"concord/actors/lock/scenario"
	"concord/actors/problem"
)

// scenariosLeast guards against a file that is no longer read.
const scenariosLeast = 85

func TestScenarios(t *testing.T) {
	all, err := scenario.All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < scenariosLeast {
		t.Errorf("only %d scenarios", len(all))
	}
	seen := map[string]bool{}
	for _, sc := range all {
		if seen[sc.Name] {
			t.Errorf("%s:%d: a second scenario %q", sc.File, sc.Line, sc.Name)
		}
		seen[sc.Name] = true
		t.Run(sc.File+"/"+sc.Name, func(t *testing.T) {
			settings, err := settingsOf(sc.Settings)
			if err != nil {
				t.Fatal(err)
			}
			m := newSim(settings)
			if err := sc.Run(m); err != nil {
				t.Error(err)
			}
			m.leaks(t)
		})
	}
}

// leaks finds a token in what is stored.
func (m *sim) leaks(t *testing.T) {
	t.Helper()
	state := EncodeState(m.live)
	for _, token := range m.tokens {
		if bytes.Contains(state, []byte(token)) || bytes.Contains(m.stored, []byte(token)) {
			t.Error("a token is stored")
		}
	}
}

// TestScenariosSurviveRestarts tells each story with a restart of the process after every step. All that is seen stays
// the same as long as no time has passed in between, and no contest was counted for the rate.
func TestScenariosSurviveRestarts(t *testing.T) {
	all, err := scenario.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, sc := range all {
		for i, s := range sc.Steps {
			if s.Verb == "hold" || s.Want.Word == "overloaded" || s.Advance > 0 {
				sc.Steps = sc.Steps[:i]
				break
			}
		}
		t.Run(sc.File+"/"+sc.Name, func(t *testing.T) {
			settings, err := settingsOf(sc.Settings)
			if err != nil {
				t.Fatal(err)
			}
			if err := sc.Run(restarting{newSim(settings)}); err != nil {
				t.Error(err)
			}
		})
	}
}

type restarting struct{ *sim }

func (r restarting) Do(s scenario.Step) (scenario.Observed, error) {
	o, err := r.sim.Do(s)
	if err != nil {
		return o, err
	}
	return o, r.Restart()
}

// TestScenariosCoverAll: each event and each refusal stands in a story.
func TestScenariosCoverAll(t *testing.T) {
	all, err := scenario.All()
	if err != nil {
		t.Fatal(err)
	}
	words, events, fields := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, sc := range all {
		for _, s := range sc.Steps {
			words[s.Want.Word] = true
			for _, e := range s.Want.Events {
				events[e] = true
			}
			for _, f := range s.Want.Fields {
				fields[f.Name+"="+f.Value] = true
			}
		}
	}
	for _, name := range names(t) {
		if !events[name] {
			t.Errorf("no scenario expects %s", name)
		}
	}
	for _, code := range []problem.Code{problem.Locked, problem.StaleToken, problem.LockLost, problem.LockRequired,
		problem.NotContestable, problem.NoContest, problem.ContestCooldown, problem.QueueFull, problem.NotOffered,
		problem.TicketGone, problem.Invalid, problem.Forbidden, problem.NotFound, problem.WrongState, problem.Overloaded} {
		if !words[string(code)] {
			t.Errorf("no scenario is refused with %s", code)
		}
	}
	for _, code := range []string{"stale-token", "lock-lost"} {
		for _, why := range []Reason{Expired, TakenOver, Broken, ContestTimeout, Released, Unknown} {
			if !fields["reason="+string(why)] {
				t.Errorf("no scenario has %s with %s", code, why)
			}
		}
	}
	for _, why := range []string{notLocked, ownLock, autoLock} {
		if !fields["reason="+why] {
			t.Errorf("no scenario has not-contestable with %s", why)
		}
	}
	for _, state := range []ScopeState{Free, Held, Contested, Offered, Auto} {
		if !words[string(state)] {
			t.Errorf("no scenario sees the state %s", state)
		}
	}
	for _, state := range []OutcomeState{Open, Granted, Denied, TimedOut, Withdrawn, Resolved, ContestOver} {
		if !words[string(state)] {
			t.Errorf("no scenario sees the outcome %s", state)
		}
	}
	for _, state := range []OperationState{OperationIsWaiting, OperationIsDone, OperationHasFailed, OperationIsCancelled, OperationHasExpired} {
		if !words[string(state)] {
			t.Errorf("no scenario sees an operation %s", state)
		}
	}
}

// TestPlantedMistake: the runner finds a story that is not true.
func TestPlantedMistake(t *testing.T) {
	for _, text := range []string{
		"ann#1 acquire -> locked", "ann#1 acquire -> granted fence=2", "ann#1 acquire -> granted fence=-",
		"ann#1 acquire -> granted holder=*", "ann#1 acquire -> granted status=200", "ann#1 renew -> renewed",
		"ann#1 acquire -> granted\nann#1 events -> none", "ann#1 acquire -> granted\nann#1 write token=ann#1/2 -> saved",
	} {
		all, err := scenario.Parse("planted", "== a mistake\n"+text)
		if err != nil {
			t.Fatal(err)
		}
		if err := all[0].Run(newSim(DefaultSettings)); err == nil {
			t.Errorf("%q passes", text)
		}
	}
	for _, text := range []string{"ann#1 acquire", "ann#1 fly -> ok", "ann#1 acquire tll=3 -> granted", "+3x",
		`ann#1 deny reason="x -> ok`, "ann#1 get -> "} {
		if _, err := scenario.Parse("planted", "== a mistake\n"+text); err == nil {
			t.Errorf("%q is understood", text)
		}
	}
}
