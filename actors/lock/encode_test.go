package lock

import (
	"encoding/hex"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// allEvents has one of each stored kind.
func allEvents() []Event {
	ann, at, length := Party{"ann", "1", "person"}, simStart, time.Minute
	claim := Claimant{Party: ann, Note: "please", Acquire: true, Ticket: 3, Made: true}
	return []Event{
		&LockAcquired{Fence: 2, TokenFence: 1, Party: ann, TTL: length, Expires: at, Ticket: 7, How: HowClaimed},
		&LockRenewed{2, length, at}, &LockReleased{2, true}, &LockExpired{2}, &LockBroken{2, ann, "stale"}, &LockRevoked{2},
		&LockTakenOver{2, ann},
		&ContestOpened{5, claim, length, at}, &ContestJoined{5, claim}, &ContestDenied{5, "busy", at},
		&ContestDenied{Contest: 5}, &ContestWithdrawn{5, ann, true, true}, &ContestTimedOut{5}, &ContestExpired{5},
		&ContestResolved{5, ByAccept, &ann}, &ContestResolved{5, ByRelease, nil},
		&OfferMade{3, ann, length, at}, &OfferLapsed{3, ann}, &WaiterAdded{3, ann, length, at}, &WaiterGone{3, ann, WhyDead},
		&OperationParked{9, ann, 4, 100, at}, &OperationDone{9, 5}, &OperationFailed{9, "version-conflict"},
		&OperationCancelled{9}, &OperationExpired{9},
	}
}

// names are all stored names of the package: the constants of event.go.
func names(t *testing.T) []string {
	t.Helper()
	source, err := os.ReadFile("event.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(source)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "= "); ok && strings.HasPrefix(name, "Type") {
			all = append(all, strings.Trim(value, `"`))
		}
	}
	return all
}

func TestEventsSurviveTheirEncoding(t *testing.T) {
	seen := map[string]bool{}
	for _, e := range allEvents() {
		name, payload := EncodeEvent(e)
		again, err := DecodeEvent(name, payload)
		if err != nil || !reflect.DeepEqual(e, again) {
			t.Errorf("%s: %+v became %+v, %v", name, e, again, err)
		}
		seen[name] = true
	}
	for _, name := range names(t) {
		if !seen[name] || !IsEvent(name) {
			t.Errorf("%s is not tested", name)
		}
	}
	if len(seen) != 23 {
		t.Errorf("%d events", len(seen))
	}
	for _, e := range []Event{&Heartbeat{}, &Alive{}, &Counted{}} {
		if name, payload := EncodeEvent(e); name != "" || payload != nil || Stored(e) {
			t.Errorf("%T is stored", e)
		}
	}
	if _, err := DecodeEvent("collection.saved", nil); err == nil || IsEvent("collection.saved") {
		t.Error("a foreign event is taken for one of ours")
	}
}

// TestGolden reads what version 1 stored. The file is never edited: a later version has a file of its own.
func TestGolden(t *testing.T) {
	golden, err := os.ReadFile("testdata/v1.golden")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(golden)), "\n")
	all := allEvents()
	if len(lines) != len(all)+1 {
		t.Fatalf("%d lines for %d events and a state", len(lines), len(all))
	}
	for i, line := range lines {
		name, digits, _ := strings.Cut(line, " ")
		b, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		if name == "state" {
			s, err := DecodeState(b)
			if err != nil || !reflect.DeepEqual(s, fullState()) {
				t.Errorf("the state is read as %+v, %v", s, err)
			}
			continue
		}
		if e, err := DecodeEvent(name, b); err != nil || !reflect.DeepEqual(e, all[i]) {
			t.Errorf("%s is read as %+v, %v", name, e, err)
		}
	}
}

// fullState has something in every part.
func fullState() State {
	ann, bob, at := Party{"ann", "1", "person"}, Party{"bob", "2", "service"}, simStart
	minute := span{until: at.Add(time.Minute), length: time.Minute}
	return State{Fence: 3, in: &inner{
		holder:  &holder{party: ann, fence: 3, tokenFence: 2, ticket: 7, since: at, ttl: minute},
		offer:   &offer{ticket: 9, window: minute},
		contest: &contest{id: 8, opened: at, deadline: minute, contestants: []contestant{{bob, "please", true, 9, true, at}}},
		queue: []waiter{{id: 9, party: bob, since: at, alive: minute},
			{id: 10, operation: true, party: ann, since: at, base: 4, bytes: 100, expires: at}},
		cooldowns:  []cooldown{{"bob", at}},
		ended:      []ended{{fence: 1, lease: Lease{ann, 1}, how: Expired, version: 4, ttl: time.Minute}},
		outcomes:   []outcome{{contest: 5, party: bob, state: Denied, reason: "busy", until: at}},
		operations: []EndedOperation{{ID: 6, State: OperationHasFailed, Party: bob, Version: 4, Code: "version-conflict", Seq: 7}},
	}}
}
