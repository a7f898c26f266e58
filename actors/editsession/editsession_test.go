package editsession

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/actors/entity"
	"concord/actors/problem"
	"concord/actors/undo"
)

var ann = entity.Meta{Principal: "ann", Kind: "person", Reason: "because", Time: noon}

// after is the state after the commands, none of which may be refused.
func after(t *testing.T, commands ...Command) State {
	t.Helper()
	var s State
	for _, c := range commands {
		if begin, ok := c.(*Begin); ok {
			newest, _ := s.Newest()
			begin.After = newest.Number
		}
		events, err := Behavior{}.decide(s, c, ann)
		if err != nil {
			t.Fatalf("%T in %q: %v", c, s.Status, err)
		}
		for _, e := range events {
			s = Behavior{}.Evolve(s, e, entity.Stamp{})
		}
	}
	return s
}

var matchedRow = []Row{{Line: 2, Collection: "c", State: Matched}}

func staged(list, number uint32) *Stage {
	return &Stage{List: list, Number: number, PerChunk: 1, Rows: matchedRow}
}

func opened() *Open {
	return &Open{Session: State{From: FromIDs, Retention: time.Hour}, Lifetime: time.Hour, Stage: *staged(1, 0)}
}

func run(kind RunKind, task string) *Begin { return &Begin{Run: Run{Kind: kind, Task: task}} }

func rollback(task string, to, mark uint32) *Begin {
	return &Begin{Run: Run{Kind: Rollback, Task: task, To: to, Mark: mark, OnConflict: undo.Skip}}
}

func redo(task string, of uint32) *Begin {
	return &Begin{Run: Run{Kind: Redo, Task: task, Of: of, OnConflict: undo.Skip}}
}

// TestTransitions is the table of the package: what each command does where a session stands.
func TestTransitions(t *testing.T) {
	due := &Expire{Due: noon.Add(time.Hour)}
	to := map[string][]Command{
		"nothing":       {},
		"DRAFT":         {staged(1, 0)},
		"OPEN":          {opened()},
		"previewed":     {opened(), run(Preview, "t1")},
		"applied":       {opened(), run(Apply, "t1")},
		"CLOSED":        {opened(), &Close{}},
		"EXPIRED":       {opened(), &Close{}, due},
		"EXPIRED draft": {staged(1, 0), due},
	}
	// A state: that is where it stands then. same: nothing has changed. wrong: wrong-state. none: there is no such session.
	for _, line := range strings.Split(strings.TrimSpace(`
              | stage | open | match | apply | redo  | abort | close  | expire  | early
nothing       | DRAFT | OPEN | none  | none  | none  | none  | none   | none    | none
DRAFT         | DRAFT | OPEN | none  | none  | none  | none  | none   | EXPIRED | same
OPEN          | OPEN  | same | OPEN  | OPEN  | can't | same  | CLOSED | CLOSED  | same
previewed     | OPEN  | same | OPEN  | OPEN  | can't | OPEN  | CLOSED | CLOSED  | same
applied       | wrong | same | wrong | OPEN  | can't | OPEN  | CLOSED | CLOSED  | same
CLOSED        | wrong | same | wrong | wrong | wrong | same  | same   | EXPIRED | same
EXPIRED       | none  | none | none  | none  | none  | none  | none   | same    | same
EXPIRED draft | DRAFT | OPEN | none  | none  | none  | none  | none   | same    | same
`), "\n")[1:] {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		s := after(t, to[cells[0]]...)
		newest, _ := s.Newest()
		next := s.List + 1
		apply, again := run(Apply, "t9"), redo("t9", 1)
		apply.After, again.After = newest.Number, newest.Number
		begins := opened()
		if s.Status == Draft {
			begins.Chunks, begins.Number = 1, 1
		}
		commands := []Command{staged(next, 0), begins, &Match{From: FromIDs, Stage: *staged(next, 0)}, apply, again, &Abort{Run: 1}, &Close{}, due,
			&Expire{Due: noon}}
		for i, c := range commands {
			if got := came(s, c); got != cells[i+1] {
				t.Errorf("%T of a session that is %s: %s, want %s", c, cells[0], got, cells[i+1])
			}
		}
	}
}

// came is what came of the command, in the words of the table.
func came(s State, c Command) string {
	events, err := Behavior{}.decide(s, c, ann)
	switch {
	case err != nil && len(events) > 0:
		return "refused, with events"
	case err != nil && problem.Of(err).Code == problem.WrongState:
		return "wrong"
	case err != nil && problem.Of(err).Code == problem.CannotUndo:
		return "can't"
	case err != nil && problem.Of(err).Code == problem.NotFound:
		return "none"
	case err != nil:
		return err.Error()
	case len(events) == 0:
		return "same"
	}
	return string(events[len(events)-1].After.Status)
}

// TestWhatCannotBe: what our own code must not ask for is refused, and changes nothing.
func TestWhatCannotBe(t *testing.T) {
	long := strings.Repeat("x", namedMaxBytes+1)
	row := func(change func(*Row)) *Stage {
		c := &Stage{List: 1, PerChunk: 1, Rows: slices.Clone(matchedRow)}
		change(&c.Rows[0])
		return c
	}
	session := func(change func(*Open)) *Open {
		c := opened()
		change(c)
		return c
	}
	open := []Command{opened()}
	for name, c := range map[string]struct {
		given []Command
		when  Command
	}{
		"a chunk that is ahead":         {when: staged(1, 1)},
		"a list that is ahead":          {when: staged(2, 0)},
		"a chunk that is not full":      {when: &Stage{List: 1, PerChunk: 2, Rows: matchedRow}},
		"an empty chunk":                {when: &Stage{List: 1}},
		"a large chunk":                 {when: &Stage{List: 1, PerChunk: ChunkRows + 1, Rows: slices.Repeat(matchedRow, ChunkRows+1)}},
		"chunks of other sizes":         {given: []Command{staged(1, 0)}, when: &Stage{List: 1, Number: 1, PerChunk: 2, Rows: slices.Repeat(matchedRow, 2)}},
		"a row in no state":             {when: row(func(r *Row) { r.State = "LOST" })},
		"a match of nothing":            {when: row(func(r *Row) { r.Collection = "" })},
		"a long collection":             {when: row(func(r *Row) { r.Collection = long })},
		"a long identifier":             {when: row(func(r *Row) { r.Identifier = strings.Repeat("x", IdentifierBytes+1) })},
		"an identifier that is no text": {when: row(func(r *Row) { r.Identifier = "\xff" })},
		"a long message":                {when: row(func(r *Row) { r.Why = strings.Repeat("x", whyMaxBytes+1) })},
		"a long name":                   {when: session(func(c *Open) { c.Session.Name = strings.Repeat("x", NameMaxBytes+1) })},
		"a long type":                   {when: session(func(c *Open) { c.Session.Type = long })},
		"another way to keep":           {when: session(func(c *Open) { c.Session.Keep = "some" })},
		"rows from nowhere":             {when: session(func(c *Open) { c.Session.From = "" })},
		"a key of many paths":           {when: session(func(c *Open) { c.Session.By = make([]string, columnsMax+1) })},
		"a key of a long path":          {when: session(func(c *Open) { c.Session.By = []string{strings.Repeat("x", pathMaxBytes+1)} })},
		"no lifetime":                   {when: session(func(c *Open) { c.Lifetime = 0 })},
		"a negative retention":          {when: session(func(c *Open) { c.Session.Retention = -1 })},
		"chunks that are lost":          {when: session(func(c *Open) { c.Chunks = 1 })},
		"a step without a task":         {given: open, when: run(Apply, "")},
		"a run of no kind":              {given: open, when: &Begin{Run: Run{Task: "t", OnConflict: undo.Skip}}},
		"a roll-back without a policy":  {given: open, when: &Begin{Run: Run{Kind: Rollback, Task: "t"}}},
		"a step with a mark":            {given: open, when: &Begin{Run: Run{Kind: Apply, Task: "t", Mark: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := Behavior{}.decide(after(t, c.given...), c.when, ann)
			if len(events) > 0 || err == nil || problem.Of(err).Code != problem.Internal {
				t.Errorf("%d events, %v", len(events), err)
			}
		})
	}
}

// TestPlans: where roll-backs and redos lead, and what cannot be undone.
func TestPlans(t *testing.T) {
	three := []Command{opened(), run(Apply, "t1"), run(Apply, "t2"), run(Apply, "t3")}
	with := func(more ...Command) []Command { return append(slices.Clone(three), more...) }
	previous := func(list []Command) []Command {
		kept := opened()
		kept.Session.Keep = KeepPrevious
		return append([]Command{kept}, list[1:]...)
	}
	for name, row := range map[string]struct {
		given  []Command
		target Target
		want   Run // its mark, and where it leads
		why    string
	}{
		"of three steps to the start":             {given: three, target: Target{Initial: true}},
		"of three steps to the one before":        {given: three, target: Target{Previous: true}, want: Run{Mark: 2, To: 2}},
		"to a step":                               {given: three, target: Target{Step: 1}, want: Run{Mark: 1, To: 1}},
		"to the step where it is":                 {given: three, target: Target{Step: 3}, why: "there already"},
		"to a step that never was":                {given: three, target: Target{Step: 7}, why: "step 7 is not in effect"},
		"to a step that was taken back":           {given: with(rollback("t4", 1, 1)), target: Target{Step: 2}, why: "step 2 is not in effect"},
		"before any step":                         {given: []Command{opened()}, target: Target{Initial: true}, why: "there already"},
		"to the one before any":                   {given: []Command{opened()}, target: Target{Previous: true}, why: "no step is in effect"},
		"twice":                                   {given: with(rollback("t4", 2, 2)), target: Target{Previous: true}, want: Run{Mark: 1, To: 1}},
		"of what was left":                        {given: with(rollback("t4", 2, 2)), target: Target{Step: 2}, want: Run{Mark: 2, To: 2}},
		"of what was left at the start":           {given: with(rollback("t4", 0, 0)), target: Target{Initial: true}},
		"of a step after a roll-back":             {given: with(rollback("t4", 1, 1), run(Apply, "t5")), target: Target{Previous: true}, want: Run{Mark: 4, To: 1}},
		"of a step that was brought back":         {given: with(rollback("t4", 1, 1), redo("t5", 4)), target: Target{Previous: true}, want: Run{Mark: 2, To: 2}},
		"of a closed session":                     {given: with(&Close{}), target: Target{Initial: true}, why: "closed"},
		"of the newest step, which is kept":       {given: previous(three), target: Target{Previous: true}, want: Run{Mark: 2, To: 2}},
		"of steps of which one is kept":           {given: previous(three), target: Target{Initial: true}, why: "newest step alone"},
		"again, where the newest step is kept":    {given: previous(with(rollback("t4", 2, 2))), target: Target{Previous: true}, why: "newest step alone"},
		"of what was left of the one that's kept": {given: previous(with(rollback("t4", 2, 2))), target: Target{Step: 2}, want: Run{Mark: 2, To: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			s := after(t, row.given...)
			got, err := s.Plan(row.target, undo.Merge)
			if row.why != "" {
				if err == nil || problem.Of(err).Code != problem.CannotUndo || !strings.Contains(err.Error(), row.why) {
					t.Errorf("%+v, %v", got, err)
				}
				return
			}
			row.want.Kind, row.want.OnConflict = Rollback, undo.Merge
			if err != nil || got != row.want {
				t.Errorf("%+v, %v; want %+v", got, err, row.want)
			}
		})
	}
	for name, row := range map[string]struct {
		given []Command
		left  bool
		named uint32
		of    uint32 // 0: it cannot be
	}{
		"of no roll-back":                 {given: three},
		"of the newest":                   {given: with(rollback("t4", 2, 2), rollback("t5", 1, 1)), of: 5},
		"of the one before":               {given: with(rollback("t4", 2, 2), rollback("t5", 1, 1), redo("t6", 5)), of: 4},
		"of the newest again":             {given: with(rollback("t4", 2, 2), rollback("t5", 1, 1), redo("t6", 5)), left: true, of: 5},
		"of none that is left":            {given: with(rollback("t4", 2, 2), redo("t5", 4))},
		"of what is left of the only one": {given: with(rollback("t4", 2, 2), redo("t5", 4)), left: true, of: 4},
		"after a step":                    {given: with(rollback("t4", 2, 2), run(Apply, "t5"))},
		"of the newest by its number":     {given: with(rollback("t4", 2, 2), rollback("t5", 1, 1)), named: 5, of: 5},
		"of an older one by its number":   {given: with(rollback("t4", 2, 2), rollback("t5", 1, 1)), named: 4},
		"of what is left by its number":   {given: with(rollback("t4", 2, 2), rollback("t5", 1, 1), redo("t6", 5)), left: true, named: 5, of: 5},
		"past what is left":               {given: with(rollback("t4", 2, 2), rollback("t5", 1, 1), redo("t6", 5)), left: true, named: 4, of: 4},
		"of one that is back":             {given: with(rollback("t4", 2, 2), rollback("t5", 1, 1), redo("t6", 5)), named: 5},
		"of a step":                       {given: with(rollback("t4", 2, 2)), named: 1},
		"of a redo":                       {given: with(rollback("t4", 2, 2), redo("t5", 4)), left: true, named: 5},
		"of none by its number":           {given: three, named: 1},
	} {
		t.Run("redo "+name, func(t *testing.T) {
			s := after(t, row.given...)
			got, err := s.PlanRedo(undo.Skip, row.left, row.named)
			if (err == nil) != (row.of > 0) || got.Of != row.of {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	s := after(t, with(rollback("t4", 2, 2), rollback("t5", 1, 1), redo("t6", 5))...)
	_, err := s.PlanRedo(undo.Skip, true, 2)
	if p := problem.Of(err); p.Code != problem.CannotUndo || !strings.Contains(p.Detail, "run 5 or 4") {
		t.Errorf("what can be redone is not told: %v", err)
	}
}

// TestForcedPlans go back to the first moment with the steps: nothing is left in between.
func TestForcedPlans(t *testing.T) {
	again := []Command{opened(), run(Apply, "t1"), run(Apply, "t2"), rollback("t3", 1, 1), run(Apply, "t4"), rollback("t5", 1, 3), run(Apply, "t6")}
	started := []Command{opened(), run(Apply, "t1"), rollback("t2", 0, 0), run(Apply, "t3")}
	for name, row := range map[string]struct {
		given        []Command
		target       Target
		mark, forced uint32
	}{
		"to the start":            {started, Target{Initial: true}, 2, 0},
		"to the one before":       {again, Target{Previous: true}, 5, 1},
		"to a step":               {again, Target{Step: 1}, 5, 1},
		"where there is no other": {again, Target{Initial: true}, 0, 0},
	} {
		s := after(t, row.given...)
		for _, c := range undo.Choices {
			want := row.mark
			if c == undo.Force {
				want = row.forced
			}
			if got, err := s.Plan(row.target, c); err != nil || got.Mark != want {
				t.Errorf("%s, %s: %+v, %v; want the end of run %d", name, c, got, err, want)
			}
		}
	}
}

// TestRunsThatCannotBegin: each is refused, and nothing has changed.
func TestRunsThatCannotBegin(t *testing.T) {
	many := []Command{opened()}
	for i := range StepsMax {
		many = append(many, run(Apply, strings.Repeat("t", i+1)))
	}
	unmatched := opened()
	unmatched.Rows = []Row{{Line: 1, State: NotFound}}
	for name, row := range map[string]struct {
		given []Command
		when  *Begin
		code  problem.Code
	}{
		"nothing is matched":             {[]Command{unmatched}, run(Apply, "t1"), problem.WrongState},
		"nothing is there to preview":    {[]Command{unmatched}, run(Preview, "t1"), problem.WrongState},
		"too many steps":                 {many, run(Apply, "t"), problem.WrongState},
		"a roll-back to another moment":  {[]Command{opened(), run(Apply, "t1")}, rollback("t2", 0, 1), problem.CannotUndo},
		"a roll-back to no step":         {[]Command{opened(), run(Apply, "t1")}, rollback("t2", 2, 0), problem.CannotUndo},
		"a redo of a step":               {[]Command{opened(), run(Apply, "t1"), rollback("t2", 0, 0)}, redo("t3", 1), problem.CannotUndo},
		"something has begun in between": {[]Command{opened(), run(Apply, "t1")}, &Begin{Run: Run{Kind: Apply, Task: "t2"}, After: 7}, problem.WrongState},
	} {
		t.Run(name, func(t *testing.T) {
			s := after(t, row.given...)
			if newest, _ := s.Newest(); row.when.After == 0 {
				row.when.After = newest.Number
			}
			events, err := Behavior{}.decide(s, row.when, ann)
			if len(events) > 0 || err == nil || problem.Of(err).Code != row.code {
				t.Errorf("%d events, %v", len(events), err)
			}
		})
	}
	s := after(t, append(many, rollback("back", 0, 0))...)
	if len(s.Path) > 0 || len(s.Runs) != StepsMax+1 {
		t.Errorf("after many steps: %v of %d runs", s.Path, len(s.Runs))
	}
}

// TestTheLastRunLeadsToTheStart: however often somebody goes back and forth, there is a way back to the start.
func TestTheLastRunLeadsToTheStart(t *testing.T) {
	s := after(t, opened(), run(Apply, "a"), run(Apply, "b"))
	begin := func(c *Begin) error {
		newest, _ := s.Newest()
		c.After, c.Run.Task = newest.Number, fmt.Sprint("t", newest.Number)
		events, err := Behavior{}.decide(s, c, ann)
		if err == nil {
			s = events[0].After
		}
		return err
	}
	for len(s.Runs) < RunsMax-1 {
		c := rollback("", 1, 1)
		if len(s.Path) == 1 {
			newest, _ := s.Newest()
			c = redo("", newest.Number)
		} else if plan, err := s.Plan(Target{Step: 1}, undo.Skip); err == nil {
			c.Run.Mark = plan.Mark
		}
		if err := begin(c); err != nil {
			t.Fatalf("run %d: %v", len(s.Runs)+1, err)
		}
	}
	newest, _ := s.Newest()
	if err := begin(redo("", newest.Number)); problem.Of(err).Code != problem.WrongState {
		t.Errorf("one more redo: %v", err)
	}
	if err := begin(rollback("", 0, 0)); err != nil || len(s.Path) > 0 || len(s.Runs) != RunsMax {
		t.Errorf("back to the start: %v, at %v after %d runs", err, s.Path, len(s.Runs))
	}
	if err := begin(redo("", s.Numbered)); problem.Of(err).Code != problem.WrongState {
		t.Errorf("and no more: %v", err)
	}
}

// TestTheNewestPreviewIsKept: and the one before comes back if there never was a task for it.
func TestTheNewestPreviewIsKept(t *testing.T) {
	s := after(t, opened(), run(Preview, "t1"), run(Preview, "t2"), run(Preview, "t3"))
	if told := s.Told(); len(told) != 1 || told[0].Task != "t3" || told[0].Number != 3 || told[0].Step != 1 {
		t.Errorf("%+v", told)
	}
	events, err := Behavior{}.decide(s, &Abort{Run: 3}, ann)
	if err != nil {
		t.Fatal(err)
	}
	s = events[0].After
	if told := s.Told(); len(told) != 1 || told[0].Task != "t2" || s.Numbered != 3 {
		t.Errorf("%+v", s)
	}
	s = after(t, opened(), run(Preview, "t1"), run(Apply, "t2"), run(Preview, "t3"), run(Apply, "t4"))
	var tasks []string
	for _, r := range s.Told() {
		tasks = append(tasks, r.Task)
	}
	if !slices.Equal(tasks, []string{"t2", "t3", "t4"}) || !slices.Equal(s.Path, []uint32{1, 2}) {
		t.Errorf("%v, %v", tasks, s.Path)
	}
}

// TestMatchReplaces: the rows of before are gone, and what was previewed of them.
func TestMatchReplaces(t *testing.T) {
	s := after(t, opened(), run(Preview, "t1"), staged(2, 0), &Match{From: FromQuery, By: []string{"/metadata/a"}, Chunks: 1, Stage: Stage{List: 2, Number: 1}})
	if s.List != 2 || s.Chunks != 1 || s.Counts != (Counts{Matched: 1}) || len(s.Runs) > 0 || s.From != FromQuery || s.By[0] != "/metadata/a" {
		t.Errorf("%+v", s)
	}
	if came := came(s, run(Apply, "t2")); came != "OPEN" {
		t.Errorf("a step then: %s", came)
	}
}
