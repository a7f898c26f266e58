package faults

import (
	"fmt"
	"slices"
	"strings"
)

// diary is what a session says that it has done, with a dumb model of it: what a record must become is read off the history of the
// record alone.
type diary struct {
	k    *desk
	runs []deskRun
	said []map[string]bulkItem // of the records, by run
}

// diaryOf reads a session of which nothing is under way. Every run adds up, and has each record once.
func diaryOf(k *desk) *diary {
	k.s.t.Helper()
	d := &diary{k: k}
	for _, r := range k.look().Runs {
		if r.Task != "" && r.State != "COMPLETE" && r.State != "CANCELLED" && r.State != "PARTIALLY_CANCELLED" {
			k.s.t.Errorf("a run that is not at work has not ended: %+v", r)
		}
		said := map[string]bulkItem{}
		for _, item := range k.results(&r) {
			if _, twice := said[item.ID]; twice {
				k.s.t.Errorf("run %d of %s has %s twice", r.Run, k.by.Principal, item.ID)
			}
			said[item.ID] = item
		}
		d.runs, d.said = append(d.runs, r), append(d.said, said)
	}
	return d
}

// pathAt is the end of a run, and the steps in effect then.
type pathAt struct {
	run  uint32
	path []uint32
}

// from is the first run of which a run takes something back: of a roll-back the one after the moment that it leads to, of a redo
// the roll-back.
func (d *diary) from(at int) uint32 {
	list := []pathAt{{}}
	for i := range d.runs[:at+1] {
		r := &d.runs[i]
		path := list[len(list)-1].path
		switch {
		case r.dry():
			continue
		case r.Kind == "apply":
			path = append(slices.Clone(path), r.Run)
		case r.Kind == "redo":
			if i == at {
				return r.Of
			}
			list = slices.DeleteFunc(list, func(p pathAt) bool { return p.run >= r.Of })
			path = list[len(list)-1].path
		default:
			to := path[:d.steps(path, *r.To)]
			if i == at {
				return leadsTo(list, to) + 1
			}
			path = to
		}
		list = append(list, pathAt{r.Run, path})
	}
	return 0
}

// leadsTo is the run at whose end the steps in effect were these: the newest one before now, or, if they are so now, the first.
func leadsTo(list []pathAt, to []uint32) (run uint32) {
	found := false
	for _, p := range list {
		if !slices.Equal(p.path, to) || found && len(to) == len(list[len(list)-1].path) {
			continue
		}
		run, found = p.run, true
	}
	return run
}

// steps is how many of the runs in a path there are up to a step.
func (d *diary) steps(path []uint32, step uint32) int {
	for n := len(path); n > 0; n-- {
		if d.stepOf(path[n-1]) == step {
			return n
		}
	}
	return 0
}

// stepOf is the number of the step that a run has made.
func (d *diary) stepOf(run uint32) (step uint32) {
	for i := range d.runs {
		if r := &d.runs[i]; r.Kind == "apply" && r.Run <= run {
			step = r.Step
		}
	}
	return step
}

// standing is what the runs so far have left in a record: what stands in it, and what was taken off and can come back.
type standing struct {
	steps, taken []change
}

// change is a run that has written the record, and the version that it has made.
type change struct{ run, version uint64 }

// follow takes in that a run has written the record.
func (st *standing) follow(r *deskRun, from uint32, version uint64) {
	one := change{uint64(r.Run), version}
	since := func(c change) bool { return c.run >= uint64(from) }
	switch r.Kind {
	case "apply":
		st.steps, st.taken = append(st.steps, one), nil
	case "rollback":
		st.steps = slices.DeleteFunc(st.steps, since)
		st.taken = append(st.taken, one)
	default: // what has come off with the roll-backs stands there again: each step where it stood
		st.taken = slices.DeleteFunc(st.taken, since)
	}
}

// judge holds the history of a record against what the runs say: each version of theirs is in the list once; what is to be taken
// back is in the list of it; what is taken back is, byte for byte, what it was, and nobody else had written since; what is skipped
// somebody has. It returns how many were taken back, and skipped.
func (d *diary) judge(id string, history []deskVersion) (back, skipped int) {
	mine, wrote := d.wrote(id, history)
	var st standing
	stood := map[uint64][]change{} // before a roll-back, by its run
	for at := range d.runs {
		r, item := &d.runs[at], d.said[at][id]
		if r.dry() {
			continue
		}
		from := d.from(at)
		if r.Kind != "apply" {
			switch d.undone(id, at, history, mine, st.first(r, from)) {
			case "UPDATED":
				back++
			case "SKIPPED":
				skipped++
			}
		}
		if wrote[at] == 0 {
			continue
		}
		if r.Kind == "rollback" {
			stood[uint64(r.Run)] = slices.Clone(st.steps)
		}
		if r.Kind == "redo" {
			for _, c := range st.taken {
				if c.run >= uint64(from) {
					st.steps = slices.Clone(stood[c.run])
					break
				}
			}
		}
		st.follow(r, from, wrote[at])
		if item.State != "UPDATED" {
			d.k.s.t.Errorf("%s: run %d of %s has made version %d, and says %+v", id, r.Run, d.k.by.Principal, wrote[at], item)
		}
	}
	return back, skipped
}

// first is the first version of those that a run takes back; 0: there are none.
func (st *standing) first(r *deskRun, from uint32) uint64 {
	list := st.steps
	if r.Kind == "redo" {
		list = st.taken
	}
	for _, c := range list {
		if c.run >= uint64(from) {
			return c.version
		}
	}
	return 0
}

// wrote are the places of the runs by task, and the version that each has made of a record.
func (d *diary) wrote(id string, history []deskVersion) (mine map[string]int, wrote []uint64) {
	mine, wrote = map[string]int{}, make([]uint64, len(d.runs))
	for i := range d.runs {
		if d.runs[i].Task != "" {
			mine[d.runs[i].Task] = i
		}
	}
	for version := 1; version < len(history); version++ {
		at, ok := mine[history[version].task]
		if !ok {
			continue
		}
		if item := d.said[at][id]; wrote[at] != 0 || d.runs[at].dry() || item.VersionAfter != uint64(version) || item.VersionBefore != uint64(version-1) {
			d.k.s.t.Errorf("%s: version %d is of run %+v of %s, which says %+v", id, version, d.runs[at], d.k.by.Principal, item)
		}
		wrote[at] = uint64(version)
	}
	for at := range d.runs {
		if item := d.said[at][id]; item.State == "UPDATED" && wrote[at] == 0 && !d.runs[at].dry() {
			d.k.s.t.Errorf("%s: run %d of %s has made no version, and says %+v", id, d.runs[at].Run, d.k.by.Principal, item)
		}
	}
	return mine, wrote
}

// undone looks at what a run that takes back has made of a record, from a version on. It returns what it says of it.
func (d *diary) undone(id string, at int, history []deskVersion, mine map[string]int, first uint64) string {
	item, wrong := d.said[at][id], ""
	switch {
	case item.State == "" && first == 0, item.State == "CANCELLED", item.State == "FAILED" && item.Code == "locked":
		return item.State
	case item.State == "" && first != 0:
		wrong = "leaves out what it should take back"
	case first == 0:
		wrong = "takes back what does not stand there"
	case item.State == "SKIPPED" && (item.Code != "version-conflict" || !d.foreign(history, mine, first, item.VersionBefore)):
		wrong = "has skipped what nobody else has written"
	case item.State == "UPDATED" && d.foreign(history, mine, first, item.VersionBefore):
		wrong = "has taken back what somebody else has written"
	case item.State == "UPDATED" && history[item.VersionAfter].content != history[first-1].content:
		wrong = fmt.Sprintf("has not brought version %d back", first-1)
	case item.State != "UPDATED" && item.State != "SKIPPED":
		wrong = "has come out in no way that it can"
	}
	if wrong != "" {
		d.k.s.t.Errorf("%s: run %d of %s %s: %+v\n%s", id, d.runs[at].Run, d.k.by.Principal, wrong, item, d.tale(id, history, mine))
	}
	return item.State
}

// foreign says that somebody else has made one of the versions from one to another.
func (d *diary) foreign(history []deskVersion, mine map[string]int, from, to uint64) bool {
	for version := from; version <= to; version++ {
		if _, ok := mine[history[version].task]; !ok {
			return true
		}
	}
	return false
}

// tale is what the runs say of a record, and its history, for whoever looks for a bug.
func (d *diary) tale(id string, history []deskVersion, mine map[string]int) string {
	var text strings.Builder
	for i := range d.runs {
		fmt.Fprintf(&text, "run %+v: %+v\n", d.runs[i], d.said[i][id])
	}
	for version := 1; version < len(history); version++ {
		who := "of others"
		if at, ok := mine[history[version].task]; ok {
			who = fmt.Sprintf("of run %d", d.runs[at].Run)
		}
		fmt.Fprintf(&text, "version %d, %s: %s\n", version, who, clip(history[version].content))
	}
	return text.String()
}
