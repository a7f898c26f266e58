package faults

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"concord/actors/lock/scenario"
)

// targetOf is a target for a story. If updates are merged in it, all that it writes is.
func targetOf(h house, d door, id string, sc scenario.Scenario) (*target, error) {
	t := &target{house: h, door: d, id: id}
	t.merging = slices.ContainsFunc(sc.Steps, func(s scenario.Step) bool { return s.Verb == "hold" })
	return t, t.begin(sc.Settings)
}

// mergeVersions is how many versions more than others the collection of a story with merges has.
const mergeVersions = 1

// mergeable are the calls that make a collection of which every document has changed since version 1, and have the rules
// say that a script merges.
func (t *target) mergeable(rules map[string]any) []call {
	rules["conflict"] = map[string]any{"script": map[string]any{"source": "function merge(base, client, server) { return client }"}}
	documents := func(n int) map[string]any {
		all := map[string]any{}
		for _, name := range []string{"ann", "bob", "cat", "dan"} {
			all[name] = map[string]any{"n": n}
		}
		return map[string]any{"type": t.id, "documents": all}
	}
	return []call{
		{op: "type.put", id: t.id, body: map[string]any{}},
		{op: "collection.put", id: t.id, body: documents(-1)},
		{op: "collection.put", id: t.id, body: documents(-2)},
	}
}

// unshift names versions as the story does.
func (t *target) unshift(fields map[string]string) {
	if version, told := fields["version"]; told && t.merging {
		fields["version"] = strconv.FormatUint(number(version)-mergeVersions, 10)
	}
}

// hold keeps scripts from ending. If the scope is free, the caller writes; else what is parked will be held.
func (t *target) hold(s scenario.Step) error {
	if err := t.debug("merge/hold"); err != nil {
		return err
	}
	t.held = true
	before, err := t.must(call{op: "lock.get", id: t.id})
	if err != nil || before.body["state"] != "free" {
		return err
	}
	c, err := t.write(s)
	if err != nil {
		return err
	}
	written := make(chan error, 1)
	t.written = written
	go func() {
		_, err := t.must(c)
		written <- err
	}()
	return t.await("auto")
}

// resume lets scripts end, and waits for the effects.
func (t *target) resume() error {
	if !t.held {
		return nil
	}
	t.held = false
	if err := t.debug("merge/resume"); err != nil || t.written == nil {
		return err
	}
	err := <-t.written
	t.written = nil
	return err
}

// Restart ends the service and starts it again. One that ends in order answers whom it has let in: a script that somebody
// waits for has to end first.
func (t *target) Restart() error {
	if t.written != nil {
		if err := t.resume(); err != nil {
			return err
		}
	}
	t.held = false
	return t.house.restart()
}

const awaitMaxTries = 2000

// await asks until the lock is in the state.
func (t *target) await(state string) error {
	for range awaitMaxTries {
		r, err := t.must(call{op: "lock.get", id: t.id})
		if err != nil || r.body["state"] == state {
			return err
		}
	}
	return fmt.Errorf("the lock of %s never was %s", t.id, state)
}

func (t *target) debug(what string) error {
	return debugMerge(t.house.doors()[0].(*httpDoor).address(), what)
}

// debugMerge holds or resumes the scripts of the service at the address.
func debugMerge(address, what string) error {
	response, err := http.Post(address+"/debug/"+what, "", nil)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		return fmt.Errorf("%s: %s", what, response.Status)
	}
	return nil
}
