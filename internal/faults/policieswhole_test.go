package faults

import (
	"maps"
	"reflect"
)

// proposeWhole draws a put of all documents together.
func (w *policyWalk) proposeWhole(p proposal, on int) proposal {
	p.whole = true
	for _, name := range []string{"a", "b", "c", "d"} {
		old, was := w.versions[on][name]
		switch w.rng.IntN(5) {
		case 0: // it is not among them
		case 1, 2:
			p.docs[name] = w.edited(member(w.versions[on], name))
		default:
			if was {
				p.docs[name] = old
			}
		}
	}
	return p
}

// expectWhole works out a put of all documents: it is stale if any of them has changed.
func (w *policyWalk) expectWhole(p proposal) outcome {
	newest := 0
	for _, version := range w.wrote {
		newest = max(newest, version)
	}
	if p.base == 0 || p.base >= newest {
		return outcome{docs: p.docs}
	}
	base, now := w.versions[p.base], w.versions[w.newest()]
	switch p.policy {
	case "client":
		return outcome{docs: p.docs, resolution: "client"}
	case "server":
		return outcome{docs: now, resolution: "server"}
	case "", "merged":
		return outcome{code: "version-conflict", conflicts: w.wholeConflicts(p, base, now)}
	}
	o := outcome{resolution: "merged"}
	d := &dumbMerge{conflicts: map[string]string{}}
	switch p.policy {
	case "server-logic":
		o.resolution = "server-logic"
	case "merge-client", "merge-server":
		d.prefer = p.policy[len("merge-"):]
	}
	o.docs, _ = d.merge("/documents", base, p.docs, now).(map[string]any)
	if o.conflicts = d.conflicts; len(d.conflicts) > 0 && d.prefer == "" {
		o.code, o.resolution = "version-conflict", ""
	}
	return o
}

// wholeConflicts are the documents that have changed since, and are not what the client has.
func (w *policyWalk) wholeConflicts(p proposal, base, now map[string]any) map[string]string {
	conflicts := map[string]string{}
	for name, version := range w.wrote {
		client, server := member(p.docs, name), member(now, name)
		if version > p.base && !reflect.DeepEqual(client, server) {
			conflicts["/documents/"+name] = kindOf(member(base, name), client, server)
		}
	}
	if len(conflicts) == 0 {
		conflicts["/documents"] = "modify/modify"
	}
	return conflicts
}

// touched are all documents that a write may have changed.
func touched(before, after map[string]any) map[string]any {
	all := maps.Clone(before)
	maps.Copy(all, after)
	return all
}
