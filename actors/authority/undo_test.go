package authority

import (
	"strings"
	"testing"

	"concord/actors/links"
	"concord/actors/problem"
)

// TestOnlyTheNewestVersionIsTakenBack: what was there before comes back as a new revision, unless somebody has changed it since.
func TestOnlyTheNewestVersionIsTakenBack(t *testing.T) {
	was, is := record(heading, "note"), record("100 a Bird", "note")
	for name, row := range map[string]struct {
		since func(*world)
		back  func(*Put)
		code  problem.Code // empty: it is taken back
		why   string
	}{
		"nothing has happened since":      {since: func(*world) {}},
		"an audit is no change":           {since: func(w *world) { w.must(&Follow{Job: "audit"}) }},
		"another note":                    {since: func(w *world) { w.must(put(t, "names", "n1", record("100 a Bird", "x"))) }, code: problem.VersionConflict, why: "its version was 2, and is 3 now"},
		"another heading":                 {since: func(w *world) { w.must(put(t, "names", "n1", record("100 a Parker", "x"))) }, code: problem.VersionConflict, why: "names:n1"},
		"it was deleted":                  {since: func(w *world) { w.must(&Delete{Job: "d"}) }, code: problem.VersionConflict, why: "is 3 now"},
		"its source is there no more":     {since: func(*world) {}, back: func(c *Put) { c.Source = "closing" }, code: problem.CannotUndo, why: `"closing"`},
		"a version that is not there yet": {since: func(*world) {}, back: func(c *Put) { c.Undoes = 3 }, code: problem.VersionConflict, why: "its version was 3, and is 2 now"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.must(put(t, "names", "n1", was))
			w.must(put(t, "names", "n1", is))
			row.since(w)
			c := put(t, "names", "n1", was)
			if c.Undoes = 2; row.back != nil {
				row.back(c)
			}
			before := w.state
			e, births, err := w.do(c)
			if row.code != "" {
				if problem.Of(err).Code != row.code || !strings.Contains(err.Error(), row.why) {
					t.Errorf("%v, want %s with %q", err, row.code, row.why)
				}
				return
			}
			if err != nil || e.Action != links.ActionHeading || len(births) != 1 || w.state.Revision != before.Revision+1 ||
				w.state.Heading.Label != "Parker, Charlie 1920-1955" || string(w.record) != was {
				t.Errorf("%+v, births %v, %v", w.state, births, err)
			}
		})
	}
}

// TestTheEndIsTakenBack: as long as the authority is not gone for good.
func TestTheEndIsTakenBack(t *testing.T) {
	w := newWorld(t)
	w.must(put(t, "names", "n1", record(heading, "note")))
	w.must(&Delete{Job: "d"})
	c := put(t, "names", "n1", record(heading, "note"))
	c.Undoes = 2
	if w.must(c); !w.state.Live() || w.state.Revision != 3 {
		t.Errorf("back: %+v", w.state)
	}
	w.must(&Delete{Job: "e"})
	w.must(Behavior{}.TimerFired(purgeTimer, w.due))
	c.Undoes = 4
	if _, _, err := w.do(c); problem.Of(err).Code != problem.CannotUndo {
		t.Errorf("of one that is gone for good: %v", err)
	}
}
