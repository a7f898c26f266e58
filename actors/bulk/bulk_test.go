package bulk

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/problem"
	"concord/actors/undo"
)

var ann = entity.Meta{Principal: "ann", Kind: "person", Reason: "because", Time: noon}

// after is the state after the commands, none of which may be refused.
func after(t *testing.T, commands ...Command) State {
	t.Helper()
	var s State
	for _, c := range commands {
		events, err := Behavior{}.decide(s, c, facts(s), ann)
		if err != nil {
			t.Fatalf("%T in %q: %v", c, s.Status, err)
		}
		for _, e := range events {
			s = Behavior{}.Evolve(s, e, entity.Stamp{})
		}
	}
	return s
}

// facts of a task of which one part is left, and no row waits.
func facts(s State) entity.Facts {
	return entity.FactsOf(map[string]entity.Fact{}, map[string]entity.Fact{PartRequest: {Exists: true}})
}

func rowsOf(n int) (rows []Row) {
	for i := range n {
		rows = append(rows, Row{Collection: name(i)})
	}
	return rows
}

func staged(number uint32) *Stage { return &Stage{Number: number, PerChunk: 2, Rows: rowsOf(2)} }

// accepted is a task of four items, or of two.
func accepted(chunks uint32) *Accept {
	return &Accept{Task: State{Number: 3, Retention: time.Hour}, Chunks: chunks, Stage: *staged(chunks)}
}

// calledSpring is accepted with a name.
func calledSpring(chunks uint32) *Accept {
	c := accepted(chunks)
	c.Task.Name = "spring"
	return c
}

func kept(number uint32) *Keep { return &Keep{Number: number, Piece: make([]byte, PieceMaxBytes)} }

func told(from uint64, states ...ItemState) *Progress {
	p := &Progress{From: from}
	for _, s := range states {
		p.Rows = append(p.Rows, Outcome{State: s})
	}
	return p
}

// TestTransitions is the table of the package: what each command does where a task stands.
func TestTransitions(t *testing.T) {
	expiry := &Expire{Due: noon.Add(time.Hour)} // of a draft, and of what has ended
	to := map[string][]Command{
		"nothing":            {},
		"DRAFT":              {staged(0)},
		"ACCEPTED":           {staged(0), accepted(1)},
		"PAUSED at first":    {staged(0), accepted(1), &Pause{}},
		"IN_PROGRESS":        {staged(0), accepted(1), &Start{}},
		"through":            {staged(0), accepted(1), &Start{}, told(0, fields.Updated, fields.Updated, fields.Updated, fields.Failed)},
		"waiting":            {staged(0), accepted(1), &Start{}, told(0, fields.Updated, ItemPending, fields.Updated, fields.Failed)},
		"PAUSED":             {staged(0), accepted(1), &Start{}, &Pause{}},
		"CANCELLING, undone": {staged(0), accepted(1), &Start{}, &Cancel{}},
		"CANCELLING":         {staged(0), accepted(1), &Start{}, told(0, fields.Skipped), &Pause{}, &Cancel{}},
		"COMPLETE": {staged(0), accepted(1), &Start{}, told(0, fields.Updated, fields.Updated, fields.Updated, fields.Failed),
			&Finish{}},
		"CANCELLED":           {staged(0), accepted(1), &Cancel{}},
		"PARTIALLY_CANCELLED": {staged(0), accepted(1), &Start{}, told(0, fields.Skipped), &Cancel{}, &Finish{}},
		"EXPIRED":             {staged(0), accepted(1), &Cancel{}, expiry},
		"EXPIRED, free":       {staged(0), accepted(1), &Cancel{}, expiry, &Released{}},
		"EXPIRED draft":       {staged(0), expiry},
		"withdrawn":           {&Withdraw{}},
		"withdrawn draft":     {staged(0), &Withdraw{}},
		"withdrawn, gone":     {staged(0), &Withdraw{}, expiry},
		"gone, withdrawn":     {staged(0), expiry, &Withdraw{}},
	}
	// A state: that is where it stands then. same: nothing has changed. wrong: wrong-state. none: there is no such task.
	for _, line := range strings.Split(strings.TrimSpace(`
                    | stage | accept   | start       | progress    | pause  | resume      | cancel     | finish              | expire  | released | undone | named | withdraw
nothing             | DRAFT | ACCEPTED | none        | none        | none   | none        | none       | none                | none    | none     | none | none | EXPIRED
DRAFT               | DRAFT | ACCEPTED | none        | none        | none   | none        | none       | none                | EXPIRED | none     | none | none | DRAFT
ACCEPTED            | wrong | same     | IN_PROGRESS | wrong       | PAUSED | same        | CANCELLED  | wrong               | same    | wrong    | ACCEPTED | same | same
PAUSED at first     | wrong | same     | wrong       | wrong       | same   | ACCEPTED    | CANCELLED  | wrong               | same    | wrong    | PAUSED | same | same
IN_PROGRESS         | wrong | same     | same        | IN_PROGRESS | PAUSED | same        | CANCELLING | wrong               | same    | wrong    | IN_PROGRESS | same | same
through             | wrong | same     | same        | same        | PAUSED | same        | CANCELLING | COMPLETE            | same    | wrong    | IN_PROGRESS | same | same
waiting             | wrong | same     | same        | same        | PAUSED | same        | CANCELLING | wrong               | same    | wrong    | IN_PROGRESS | same | same
PAUSED              | wrong | same     | same        | PAUSED      | same   | IN_PROGRESS | CANCELLING | wrong               | same    | wrong    | PAUSED | same | same
CANCELLING, undone  | wrong | same     | same        | CANCELLING  | wrong  | wrong       | same       | CANCELLED           | same    | wrong    | CANCELLING | same | same
CANCELLING          | wrong | same     | same        | same        | wrong  | wrong       | same       | PARTIALLY_CANCELLED | same    | wrong    | CANCELLING | same | same
COMPLETE            | wrong | same     | same        | same        | wrong  | wrong       | wrong      | same                | EXPIRED | wrong    | COMPLETE | same | same
CANCELLED           | wrong | same     | wrong       | same        | wrong  | wrong       | same       | same                | EXPIRED | wrong    | CANCELLED | same | same
PARTIALLY_CANCELLED | wrong | same     | same        | same        | wrong  | wrong       | same       | same                | EXPIRED | wrong    | PARTIALLY_CANCELLED | same | same
EXPIRED             | none  | none     | none        | none        | none   | none        | none       | none                | same    | EXPIRED  | none | same | same
EXPIRED, free       | none  | none     | none        | none        | none   | none        | none       | none                | same    | same     | none | same | same
EXPIRED draft       | DRAFT | ACCEPTED | none        | none        | none   | none        | none       | none                | same    | same     | none | same | EXPIRED
withdrawn           | none  | none     | none        | none        | none   | none        | none       | none                | same    | same     | none | same | same
withdrawn draft     | none  | none     | none        | none        | none   | none        | none       | none                | EXPIRED | none     | none | none | same
withdrawn, gone     | none  | none     | none        | none        | none   | none        | none       | none                | same    | same     | none | same | same
gone, withdrawn     | none  | none     | none        | none        | none   | none        | none       | none                | same    | same     | none | same | same
`), "\n")[1:] {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		s := after(t, to[cells[0]]...)
		commands := []Command{staged(s.Chunks), accepted(s.Chunks), &Start{}, told(0, fields.Updated), &Pause{}, &Resume{}, &Cancel{},
			&Finish{}, expiry, &Released{}, &Undone{By: "u"}, &Named{}, &Withdraw{}}
		if s.unaccepted() || s.Status == "" {
			commands[0], commands[1] = staged(0), accepted(0)
		}
		for i, c := range commands {
			if got := came(s, c); got != cells[i+1] {
				t.Errorf("%T of a task that is %s: %s, want %s", c, cells[0], got, cells[i+1])
			}
		}
	}
}

// came is what came of the command, in the words of the table.
func came(s State, c Command) string {
	events, err := Behavior{}.decide(s, c, facts(s), ann)
	switch {
	case err != nil && len(events) > 0:
		return "refused, with events"
	case err != nil && problem.Of(err).Code == problem.WrongState:
		return "wrong"
	case err != nil && problem.Of(err).Code == problem.NotFound:
		return "none"
	case err != nil:
		return err.Error()
	case len(events) == 0:
		return "same"
	}
	return string(events[len(events)-1].After.Status)
}

func TestWhatATaskIsMadeOf(t *testing.T) {
	c := accepted(1)
	c.Request.Type = "modern"
	c.Task = State{Number: 3, DryRun: true, PerSecond: 5, RetryOf: "u", Alias: "cmr", Retention: time.Hour + 5,
		Status: Complete, Counts: Counts{Failed: 9}, Principal: "bob"}
	want := State{Status: Accepted, Number: 3, Name: "3", DryRun: true, OnLocked: OnLockedWait, PerSecond: 5, RetryOf: "u", Principal: "ann",
		Kind: "person", Reason: "because", Type: "modern", Alias: "cmr", Staged: noon, Accepted: noon, Retention: time.Hour,
		Counts: Counts{Pending: 4}, Total: 4, Chunks: 2, PerChunk: 2}
	if got := after(t, staged(0), c); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	c.Task.Name, c.Rows = "spring", nil
	want.Name, want.Unnamed, want.Counts.Pending, want.Total, want.Chunks = "spring", true, 2, 2, 1
	if got := after(t, staged(0), c); got != want {
		t.Errorf("without a last chunk: %+v, want %+v", got, want)
	}
	c.Task.Session, c.Task.Run, c.Task.Pinned = "s", 2, noon.Add(time.Hour+5)
	want.Session, want.Run, want.Pinned = "s", 2, noon.Add(time.Hour)
	if got := after(t, staged(0), c); got != want {
		t.Errorf("a run of a session: %+v, want %+v", got, want)
	}
	events, err := Behavior{}.decide(after(t, staged(0)), accepted(1), entity.Facts{}, ann)
	if err != nil || len(events) != 1 || len(events[0].Parts) != 2 || events[0].Parts[0].ID != ChunkPart(1) || events[0].Parts[1].ID != PartRequest {
		t.Errorf("a task begins with %+v, %v", events, err)
	}
}

// TestWhatCannotBe: what our own code must not ask for is refused, and changes nothing.
func TestWhatCannotBe(t *testing.T) {
	long := strings.Repeat("x", nameMaxBytes+1)
	row := func(perChunk int, r Row) *Stage {
		rows := rowsOf(perChunk)
		rows[0] = r
		return &Stage{PerChunk: uint32(perChunk), Rows: rows}
	}
	task := func(change func(*Accept)) *Accept {
		c := accepted(0)
		change(c)
		return c
	}
	running := []Command{accepted(0), &Start{}}
	many := make([]Outcome, ProgressMaxItems+1)
	manySpans := make([]undo.Span, UndoMaxSpans+1)
	for i := range manySpans {
		manySpans[i] = undo.Span{Before: uint64(2*i + 1), After: uint64(2*i + 2)}
	}
	for name, c := range map[string]struct {
		given []Command
		when  Command
	}{
		"a chunk that is ahead":            {when: staged(1)},
		"a chunk that is not full":         {when: &Stage{PerChunk: 3, Rows: rowsOf(2)}},
		"an empty chunk":                   {when: &Stage{}},
		"a chunk that is too large":        {when: &Stage{PerChunk: ChunkRows + 1, Rows: rowsOf(ChunkRows + 1)}},
		"chunks of other sizes":            {given: []Command{staged(0)}, when: &Stage{Number: 1, PerChunk: 3, Rows: rowsOf(3)}},
		"a row of no collection":           {when: row(2, Row{})},
		"a long collection":                {when: row(2, Row{Collection: long})},
		"a long code":                      {when: row(2, Row{Code: long})},
		"a code that is no text":           {when: row(2, Row{Code: "\xff"})},
		"a long key":                       {when: row(2, Row{Code: "x", Key: strings.Repeat("x", KeyMaxBytes+1)})},
		"a large value":                    {when: row(2, Row{Collection: "c", Value: make([]byte, ValueMaxBytes+1)})},
		"many rows with values":            {when: row(ChunkValuedRows+1, Row{Collection: "c", Value: []byte("1")})},
		"many rows with keys":              {when: row(ChunkValuedRows+1, Row{Collection: "c", Key: "{}"})},
		"a row of two kinds":               {when: row(2, Row{Collection: "c", Undo: []undo.Span{{Before: 1, After: 2}}})},
		"a list of two kinds":              {given: []Command{staged(0)}, when: undoing(func(c *Accept) { c.Chunks, c.Number = 1, 1 })},
		"rows that take back nothing":      {when: task(func(c *Accept) { c.Task.UndoOf = "t" })},
		"rows that take back for nobody":   {when: undoing(func(c *Accept) { c.Task.UndoOf = "" })},
		"chunks that take back for nobody": {given: []Command{&Stage{PerChunk: 2, Rows: undoing(nil).Rows}}, when: task(func(c *Accept) { c.Chunks, c.Rows = 1, nil })},
		"another way with conflicts":       {when: undoing(func(c *Accept) { c.Task.OnConflict = "ask" })},
		"a way with conflicts for nothing": {when: task(func(c *Accept) { c.Task.OnConflict = undo.Skip })},
		"a roll-back with instructions":    {when: undoing(func(c *Accept) { c.Request.Instructions = []byte("[]") })},
		"a run of no session":              {when: task(func(c *Accept) { c.Task.Run = 1 })},
		"a session without a run":          {when: task(func(c *Accept) { c.Task.Session = "s" })},
		"a long session":                   {when: task(func(c *Accept) { c.Task.Session, c.Task.Run = long, 1 })},
		"a long name of what is undone":    {when: undoing(func(c *Accept) { c.Task.UndoOf = long })},
		"versions in disorder":             {when: undoing(func(c *Accept) { c.Rows[1].Undo[1].Before = 1 })},
		"a version that is its own":        {when: undoing(func(c *Accept) { c.Rows[1].Undo[1].After = 4 })},
		"the version before the first":     {when: undoing(func(c *Accept) { c.Rows[1].Undo[0].Before = 0 })},
		"many versions":                    {when: undoing(func(c *Accept) { c.Rows[0].Undo = manySpans })},
		"versions of no collection":        {when: undoing(func(c *Accept) { c.Rows[0] = Row{Code: "x", Undo: c.Rows[0].Undo} })},
		"versions and a value":             {when: undoing(func(c *Accept) { c.Rows[0].Value = []byte("1") })},
		"versions and a version":           {when: undoing(func(c *Accept) { c.Rows[0].Version = 1 })},
		"undone by nobody":                 {given: running, when: &Undone{}},
		"undone by a long name":            {given: running, when: &Undone{By: long}},
		"a task of no items":               {when: task(func(c *Accept) { c.Rows = nil })},
		"a task of chunks that are lost":   {when: accepted(1)},
		"a task of fewer chunks":           {given: []Command{staged(0), staged(1)}, when: accepted(1)},
		"a task without a number":          {when: task(func(c *Accept) { c.Task.Number = 0 })},
		"a long name":                      {when: task(func(c *Accept) { c.Task.Name = strings.Repeat("x", NameMaxBytes+1) })},
		"a name that is no text":           {when: task(func(c *Accept) { c.Task.Name = "\xff" })},
		"another way with locks":           {when: task(func(c *Accept) { c.Task.OnLocked = "break" })},
		"a negative retention":             {when: task(func(c *Accept) { c.Task.Retention = -1 })},
		"a long retention":                 {when: task(func(c *Accept) { c.Task.Retention = retentionMax + 1 })},
		"a long type":                      {when: task(func(c *Accept) { c.Request.Type = long })},
		"a long last piece":                {when: task(func(c *Accept) { c.Posted = make([]byte, PieceMaxBytes+1) })},
		"a task of pieces that are lost":   {when: task(func(c *Accept) { c.Pieces = 1 })},
		"a task of fewer pieces":           {given: []Command{kept(0)}, when: accepted(0)},
		"a piece that is ahead":            {when: kept(1)},
		"a piece that is not full":         {when: &Keep{Piece: make([]byte, PieceMaxBytes-1)}},
		"long instructions":                {when: task(func(c *Accept) { c.Request.Instructions = make([]byte, requestMaxBytes+1) })},
		"a long last chunk":                {when: task(func(c *Accept) { c.PerChunk = 1 })},
		"a large progress":                 {given: running, when: &Progress{Rows: many}},
		"more outcomes than items":         {given: running, when: told(0, fields.Updated, fields.Updated, fields.Updated)},
		"an outcome that is none":          {given: running, when: told(0, "DONE")},
		"an item that is cancelled":        {given: running, when: told(0, ItemCancelled)},
		"two outcomes of one row":          {given: running, when: &Progress{Open: []OpenOutcome{{Row: 1}, {Row: 1}}}},
		"two outcomes of one row, one new": {given: running, when: &Progress{Rows: told(0, fields.Updated).Rows, Open: []OpenOutcome{{Row: 0}}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := after(t, c.given...)
			events, err := Behavior{}.decide(s, c.when, facts(s), ann)
			if len(events) > 0 || err == nil || problem.Of(err).Code != problem.Internal {
				t.Errorf("%d events, %v", len(events), err)
			}
		})
	}
}

func TestAListHasABound(t *testing.T) {
	s := State{Status: Draft, Chunks: ItemsMax / ChunkRows, PerChunk: ChunkRows, Total: ItemsMax}
	c := &Stage{Number: s.Chunks, PerChunk: ChunkRows, Rows: rowsOf(ChunkRows)}
	if _, err := (Behavior{}).decide(s, c, entity.Facts{}, ann); problem.Of(err).Code != problem.Internal {
		t.Errorf("%d items more than %d: %v", ChunkRows, ItemsMax, err)
	}
	a := accepted(s.Chunks)
	a.Rows = nil
	if _, err := (Behavior{}).decide(s, a, entity.Facts{}, ann); err != nil {
		t.Errorf("a list of %d items: %v", ItemsMax, err)
	}
}

// TestABodyHasABound: it is kept in pieces of which no event has more than one, and there are so many of them.
func TestABodyHasABound(t *testing.T) {
	const most = PostedMaxBytes / PieceMaxBytes
	s := State{Status: Draft, Pieces: most}
	if _, err := (Behavior{}).decide(s, kept(most), entity.Facts{}, ann); problem.Of(err).Code != problem.Internal {
		t.Errorf("more than %d pieces: %v", most, err)
	}
	a := accepted(0)
	a.Pieces, a.Posted = most, []byte("x")
	if _, err := (Behavior{}).decide(s, a, entity.Facts{}, ann); problem.Of(err).Code != problem.Internal {
		t.Errorf("a last one after %d pieces: %v", most, err)
	}
	s.Pieces, a.Pieces = most-1, most-1
	events, err := (Behavior{}).decide(s, a, entity.Facts{}, ann)
	if err != nil || events[0].After.Pieces != most || events[0].Parts[1].ID != PostedPart(most-1) || string(events[0].Parts[1].Body) != "x" {
		t.Errorf("the last of %d pieces: %+v, %v", most, events, err)
	}
	if got := after(t, kept(0), kept(1), kept(0), staged(0)); got.Status != Draft || got.Pieces != 2 || got.Chunks != 1 {
		t.Errorf("a draft with two pieces and a chunk: %+v", got)
	}
}

// TestOutcomesAreCut: what came with an item is kept as far as there is room, and stays text.
func TestOutcomesAreCut(t *testing.T) {
	long := strings.Repeat("x", messageMaxBytes-1) + "ä" + "\xff"
	o := Outcome{State: fields.Updated, Message: long, Code: "a\xff", Diff: make([]byte, diffMaxBytes+1)}
	for range warningsMaxKept + 1 {
		o.Warnings = append(o.Warnings, problem.FieldError{Path: long, Message: long})
	}
	s := after(t, accepted(0), &Start{})
	events, err := Behavior{}.decide(s, &Progress{Rows: []Outcome{o, {State: ItemPending, Message: long}}}, facts(s), ann)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := DecodeOutcomes(events[0].Parts[0].Body)
	if err != nil || len(kept) != 2 {
		t.Fatalf("%+v, %v", kept, err)
	}
	short := strings.Repeat("x", messageMaxBytes-1)
	k := kept[0]
	if k.Message != short || k.Code != "a" || len(k.Warnings) != warningsMaxKept || k.Warnings[0] != (problem.FieldError{Path: short, Message: short}) ||
		k.Diff != nil || k.DiffBytes != diffMaxBytes+1 {
		t.Errorf("kept as %+v", k)
	}
	waiting, err := DecodeWaiting(1, events[0].Parts[1].Body)
	if err != nil || waiting != (Waiting{Row: 1, Holder: short}) {
		t.Errorf("waits as %+v, %v", waiting, err)
	}
	rows, err := DecodeChunk(chunkPart(0, []Row{{Code: "not-found", Why: long}}).Body)
	if err != nil || !utf8.ValidString(rows[0].Why) || len(rows[0].Why) > messageMaxBytes {
		t.Errorf("%+v, %v", rows, err)
	}
}

// TestARowThatWaits is tried again and again, each time for a turn of its own.
func TestARowThatWaits(t *testing.T) {
	w := &struct{ parts map[string]entity.Fact }{map[string]entity.Fact{}}
	s := after(t, accepted(0), &Start{})
	do := func(c *Progress) (parts []string) {
		t.Helper()
		events, err := Behavior{}.decide(s, c, entity.FactsOf(w.parts, nil), ann)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			for _, p := range e.Parts {
				w.parts[p.ID] = entity.Fact{Exists: !p.Removed, Body: p.Body}
				parts = append(parts, p.ID)
			}
			s = e.After
		}
		return parts
	}
	first := &Progress{Rows: []Outcome{{State: ItemPending, Message: "bob"}, {State: fields.Updated}}}
	if parts := do(first); !reflect.DeepEqual(parts, []string{"o/00000000", "w/00000000"}) || s.Waiting != 1 || s.Counts.Pending != 1 || s.Cursor != 2 {
		t.Errorf("%q, %+v", parts, s)
	}
	again := &Progress{From: 2, Open: []OpenOutcome{{Holder: "cy", Outcome: Outcome{State: ItemPending}}}}
	if parts := do(again); !reflect.DeepEqual(parts, []string{"w/00000000"}) || s.Waiting != 1 {
		t.Errorf("%q, %+v", parts, s)
	}
	if got, err := DecodeWaiting(0, w.parts["w/00000000"].Body); err != nil || got != (Waiting{Turn: 1, Holder: "cy"}) {
		t.Errorf("waits as %+v, %v", got, err)
	}
	if parts := do(again); parts != nil {
		t.Errorf("a repeat writes %q", parts)
	}
	done := &Progress{From: 2, Open: []OpenOutcome{{Turn: 1, Outcome: Outcome{State: fields.Failed, Code: "locked"}}}}
	if parts := do(done); !reflect.DeepEqual(parts, []string{"r/00000000", "w/00000000"}) || s.Waiting != 0 || s.Counts != (Counts{Updated: 1, Failed: 1}) {
		t.Errorf("%q, %+v", parts, s)
	}
	if !s.Through() || w.parts["w/00000000"].Exists {
		t.Errorf("something is left to be done: %+v", s)
	}
}
