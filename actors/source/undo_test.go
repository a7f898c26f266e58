package source

import (
	"strings"
	"testing"

	"concord/actors/links"
	"concord/actors/problem"
)

// TestOnlyTheNewestBaseURLIsTakenBack: what else has changed since stays.
func TestOnlyTheNewestBaseURLIsTakenBack(t *testing.T) {
	for name, row := range map[string]struct {
		since  []Command
		undoes uint64
		code   problem.Code // empty: it is taken back
		why    string
	}{
		"nothing has happened since": {nil, 2, "", ""},
		"another name":               {[]Command{&Put{Fields: Fields{Name: p("All names")}}}, 2, "", ""},
		"an audit is no change":      {[]Command{&Audit{Job: "audit"}}, 2, "", ""},
		"another base URL":           {[]Command{&Put{Fields: Fields{BaseURL: p("http://c.example")}, Job: "j3"}}, 2, problem.VersionConflict, "its revision was 2, and is 3 now"},
		"one, and back again": {[]Command{&Put{Fields: Fields{BaseURL: p("http://c.example")}, Job: "j3"},
			&Put{Fields: Fields{BaseURL: p("http://b.example")}, Job: "j4"}}, 2, problem.VersionConflict, "is 4 now"},
		"none":           {[]Command{&Put{Fields: Fields{BaseURL: p("")}, Job: "j3"}}, 2, problem.VersionConflict, "names"},
		"it was deleted": {[]Command{&Close{}, &Delete{}}, 2, problem.VersionConflict, "has been deleted"},
		"it is another one of the id": {[]Command{&Close{}, &Delete{}, whole("Names", nil, "http://b.example")}, 2,
			problem.VersionConflict, "is 4 now"},
		"an older change": {nil, 1, problem.VersionConflict, "its revision was 1, and is 2 now"},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{t: t}
			w.must(whole("Names", []string{"n"}, "http://a.example"))
			w.must(&Put{Fields: Fields{BaseURL: p("http://b.example")}, Job: "j2"})
			for _, c := range row.since {
				w.must(c)
			}
			before := w.state
			_, births, err := w.do(&Put{Fields: Fields{BaseURL: p("http://a.example/")}, Job: "back", Undoes: row.undoes})
			if row.code != "" {
				if problem.Of(err).Code != row.code || !strings.Contains(err.Error(), row.why) {
					t.Errorf("%v, want %s with %q", err, row.code, row.why)
				}
				return
			}
			if err != nil || len(births) != 1 || births[0].As.(*links.Change).Supersedes != before.Job ||
				w.state.BaseURL != "http://a.example/" || w.state.Revision != 3 || w.state.Name != before.Name {
				t.Errorf("%+v, births %v, %v", w.state, births, err)
			}
		})
	}
}
