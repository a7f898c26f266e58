package operations

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"concord/actors/collection"
	"concord/actors/problem"
	"concord/transport/api"
)

// editWorld is a session whose model is full copies: of every record at the end of every run that can be gone back to.
type editWorld struct {
	*editing
	t       *rapid.T
	now     int // grows with everything that happens
	moments []editMoment
	undone  []uint32            // runs of roll-backs that can be redone
	foreign map[string]int      // when somebody else wrote the record last
	theirs  map[string][]string // what others have put into a record that nothing but force may take away
}

// editMoment is the end of a run; the first one is the start.
type editMoment struct {
	run     uint32
	at      int
	path    []uint32
	records map[string]string
}

func (w *editWorld) copies() map[string]string {
	records := make(map[string]string, len(w.records))
	for _, id := range w.records {
		records[id] = w.content(id)
	}
	return records
}

func (w *editWorld) last() *editMoment { return &w.moments[len(w.moments)-1] }

// stays is where the session stands after a run that was made.
func (w *editWorld) stays(run uint32, path []uint32) {
	w.now++
	w.moments = append(w.moments, editMoment{run, w.now, path, w.copies()})
	if s := w.look(); !slices.Equal(s.Path, path) {
		w.t.Fatalf("the path is %v, not %v", s.Path, path)
	}
}

// like checks that every record that nobody else has written since the moment is what it was then, byte for byte.
func (w *editWorld) like(then *editMoment) {
	for id, text := range then.records {
		if got := w.content(id); w.foreign[id] < then.at && got != text {
			w.t.Fatalf("back at the end of run %d, %s is %s, and was %s", then.run, id, got, text)
		}
	}
}

// kept checks that nothing of others is lost.
func (w *editWorld) kept() {
	for id, list := range w.theirs {
		text := w.content(id)
		for _, part := range list {
			if !strings.Contains(text, part) {
				w.t.Fatalf("%s of somebody else is lost: %s is %s", part, id, text)
			}
		}
	}
}

// newest is the newest run, once it has ended.
func (w *editWorld) newest() api.EditRun {
	s := w.ended()
	for len(w.tasksEnded) > 0 {
		<-w.tasksEnded
	}
	return s.Runs[len(s.Runs)-1]
}

func (w *editWorld) step() {
	n := rapid.IntRange(0, 5).Draw(w.t, "n")
	change := rapid.SampledFrom([]string{
		fmt.Sprintf(`{"type":"ADD_TO_EXISTING","path":"/metadata/words","value":"w%d"}`, n),
		`{"type":"CLEAR_FIELD","path":"/metadata/words"}`,
		fmt.Sprintf(`{"type":"MERGE_PATCH","path":"/documents/d","value":{"n":%d.0}}`, n),
		fmt.Sprintf(`{"type":"JSON_PATCH","path":"/metadata","value":[{"op":"add","path":"/m%d","value":[ %d ]}]}`, n, n),
		fmt.Sprintf(`{"type":"MERGE_PATCH","path":"/documents/n%d","value":{"a":%d}}`, n, n),
		`{"type":"CLEAR_FIELD","path":"/documents/d/n"}`,
	}).Draw(w.t, "change")
	out := ""
	for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom(w.records), 0, 2, rapid.ID[string]).Draw(w.t, "exclude") {
		out += `,"` + id + `"`
	}
	body := `{"instructions":[` + change + `],"exclude":[` + strings.TrimPrefix(out, ",") + `]}`
	if rapid.Bool().Draw(w.t, "by preview") {
		must[api.EditSession](w.bench, "edit.preview", w.session, body)
		shown := w.newest()
		must[api.EditSession](w.bench, "edit.apply", w.session, "")
		if run := w.newest(); run.Counts != shown.Counts {
			w.t.Fatalf("the preview told %+v, and it is %+v", shown.Counts, run.Counts)
		}
	} else {
		must[api.EditSession](w.bench, "edit.apply", w.session, body)
	}
	run := w.newest()
	w.undone = nil
	w.stays(run.Run, append(slices.Clone(w.last().path), run.Step))
}

func (w *editWorld) other() {
	id := rapid.SampledFrom(w.records).Draw(w.t, "record")
	if w.content(id) == noRecord {
		return
	}
	w.now++
	part := fmt.Sprintf(`"f%d":"by bob"`, w.now)
	w.bench.foreign(id, fmt.Sprintf("f%d", w.now), `"by bob"`)
	w.foreign[id], w.theirs[id] = w.now, append(w.theirs[id], part)
}

// gone has somebody else delete a record, or make one anew that is not there: what others had put in is gone with it.
func (w *editWorld) gone() {
	id := rapid.SampledFrom(w.records).Draw(w.t, "record")
	w.now++
	w.foreign[id], w.theirs[id] = w.now, nil
	if w.content(id) != noRecord {
		must[collection.Result](w.bench, "collection.delete", id, "", as("bob"))
		return
	}
	part := fmt.Sprintf(`"f%d":"by bob"`, w.now)
	must[collection.Result](w.bench, "collection.put", id, `{"documents":{`+part+`}}`, as("bob"))
	w.theirs[id] = []string{part}
}

// noRecord is the content of a record that is not there.
const noRecord = "none"

// content is that of a record, or that there is none.
func (w *editWorld) content(id string) string {
	if _, p := w.do("collection.get", id, ""); p != nil && p.Code == problem.NotFound {
		return noRecord
	}
	return w.bench.content(id)
}

// choice draws what becomes of conflicts.
func (w *editWorld) choice() string {
	return rapid.SampledFrom([]string{"skip", "skip", "skip", "merge", "force"}).Draw(w.t, "conflicts")
}

// takeBack makes a roll-back or a redo, often after a dry run that must tell what it does. It says if it was made.
func (w *editWorld) takeBack(operation, body, choice string) (api.EditRun, bool) {
	predicted, dry := "", rapid.Bool().Draw(w.t, "dry run")
	if dry {
		before := w.copies()
		if _, p := w.do("edit."+operation, w.session, body, param("dryRun", "true")); p == nil {
			w.newest()
			predicted = w.results(0)
		} else {
			predicted = string(p.Code)
		}
		for id, text := range before {
			if w.content(id) != text {
				w.t.Fatalf("a dry run has changed %s", id)
			}
		}
	}
	_, p := w.do("edit."+operation, w.session, body)
	if p != nil {
		if p.Code != problem.CannotUndo || dry && predicted != string(p.Code) {
			w.t.Fatalf("%s %s: %v, and the dry run: %s", operation, body, p, predicted)
		}
		return api.EditRun{}, false
	}
	run := w.newest()
	if got := w.results(0); dry && got != predicted {
		w.t.Fatalf("%s %s: the dry run told %s, and it is %s", operation, body, predicted, got)
	}
	if choice == "force" {
		clear(w.theirs)
	}
	return run, true
}

func (w *editWorld) back() {
	path := w.last().path
	to := slices.Clone(path[:rapid.IntRange(0, len(path)).Draw(w.t, "to")])
	target := `"initial"`
	if len(to) > 0 {
		target = fmt.Sprint(to[len(to)-1])
	}
	if len(to) == len(path)-1 && rapid.Bool().Draw(w.t, "previous") {
		target = `"previous"`
	}
	there, choice := -1, w.choice()
	for i := range w.moments {
		if slices.Equal(w.moments[i].path, to) && (there < 0 || len(to) < len(path) && choice != "force") {
			there = i
		}
	}
	then := w.moments[there]
	run, made := w.takeBack("rollback", `{"to":`+target+`,"onConflict":"`+choice+`"}`, choice)
	if !made {
		if len(to) < len(path) {
			w.t.Fatalf("no roll-back to %v from %v", to, path)
		}
		return
	}
	w.like(&then)
	w.undone = append(w.undone, run.Run)
	w.stays(run.Run, to)
}

func (w *editWorld) forth() {
	s := w.look()
	var can []uint32
	for i := len(s.Runs) - 1; i >= 0; i-- {
		if run := &s.Runs[i]; run.Kind != "preview" && !run.DryRun {
			if c := run.Counts; run.Kind == "redo" && c.Skipped+c.Failed > 0 {
				can = append(can, run.Of) // what it has left
			}
			break
		}
	}
	if n := len(w.undone); n > 0 {
		can = append(can, w.undone[n-1])
	}
	named := rapid.SampledFrom(append([]uint32{0, 0, rapid.Uint32Range(1, 30).Draw(w.t, "any")}, can...)).Draw(w.t, "of")
	choice, of := w.choice(), ""
	if named > 0 {
		of = fmt.Sprintf(`,"of":%d`, named)
	}
	run, made := w.takeBack("redo", `{"onConflict":"`+choice+`"`+of+`}`, choice)
	if !made {
		return
	}
	if want := can[0]; named == 0 && run.Of != want || named > 0 && (run.Of != named || !slices.Contains(can, named)) {
		w.t.Fatalf("the redo of %d, where %v can be, and %d is named", run.Of, can, named)
	}
	w.undone = slices.DeleteFunc(w.undone, func(n uint32) bool { return n == run.Of })
	w.moments = w.moments[:slices.IndexFunc(w.moments, func(m editMoment) bool { return m.run >= run.Of })]
	then := w.last()
	w.like(then)
	w.stays(run.Run, then.path)
}

// TestSessionsAgainstFullCopies: whatever a session and others do, a record that nobody else has written since a moment is, back
// there, what it was, byte for byte; nothing of others is lost unless somebody forces it; a dry run tells what a run does.
func TestSessionsAgainstFullCopies(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	worlds := 0
	rapid.Check(t, func(t *rapid.T) {
		worlds++
		w := &editWorld{editing: &editing{bench: b}, t: t, now: 1, foreign: map[string]int{}, theirs: map[string][]string{}}
		for i := range 4 {
			id := fmt.Sprintf("w%d-%d", worlds, i)
			must[collection.Result](b, "collection.put", id, `{"metadata":{"words":["first"],"n":1.00},"documents":{"d":{ "n": 75e-1 }}}`)
			w.records = append(w.records, id)
		}
		w.session = b.open(w.records...)
		w.moments = []editMoment{{at: w.now, records: w.copies()}}
		for range rapid.IntRange(1, 12).Draw(t, "length") {
			switch rapid.IntRange(0, 8).Draw(t, "what") {
			case 0, 1, 2:
				w.step()
			case 3:
				w.other()
			case 4, 5:
				w.back()
			case 6:
				w.gone()
			default:
				w.forth()
			}
			w.kept()
		}
	})
	b.sound()
}
