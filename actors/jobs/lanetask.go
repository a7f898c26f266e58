package jobs

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"concord/actors/bulk"
	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/persistence"
)

// task is an open bulk task, as its lane knows it.
type task struct {
	id     persistence.EntityID
	state  *bulk.State
	meta   entity.Meta // of its items
	closed bool

	read         bool // the request
	instructions []*fields.Instruction
	broken       *failure // why what is left fails
	unreadable   bool     // not even its rows can be read
	failures     int      // of reading it, in a row
	retry        time.Time
	wait         backOff
	list, late   chunk // of rows: the one that is gone through, and the one of rows that are come back to

	base    uint64   // the first row that no outcome is recorded of
	next    uint64   // the first one that was not taken
	ahead   []slot   // of the rows between
	prefix  int      // of them, so many have an outcome
	again   []uint64 // rows between that are to be sent anew
	doubt   uint64   // rows below may have been sent by the process before this one
	waiting map[string]*waiting
	recalls int        // failures to read the rows that wait, but for their texts
	due     []*waiting // to be come back to
	opened  []opened
	flying  int
	touched bool
	flush   time.Time // when what is not recorded shall be

	known    bool // the task that it takes back, if there is one, knows
	telling  bool
	tellWait backOff
	tellNext time.Time // after an error

	order   order // while it is paused, and a younger one wants to go on
	ordered bool

	pace   pace
	permit bool      // the pace was asked for one more item
	ready  time.Time // when it allows it
}

// slot is what is known of a row that was taken.
type slot struct {
	known      bool
	collection string // of a row that waits
	outcome    bulk.Outcome
}

// waiting is a row that waits: somebody holds the lock of its collection, or an older task waits for that.
type waiting struct {
	row        uint64
	collection string
	holder     string
	turn       uint32
	recorded   bool     // the task's entity knows of it
	due        bool     // it is among those to be come back to
	asked      bool     // it is under way, or its outcome is not recorded
	freed      bool     // the lock may have ended meanwhile
	doubt      bool     // it may have been sent by the process before this one
	lost       *failure // why its part cannot be read; what becomes of it, since it cannot wait any more
}

// opened is what came of a row that waited, not recorded yet.
type opened struct {
	waiting *waiting
	outcome bulk.Outcome
}

// failure is why an item fails that nobody is asked of.
type failure struct{ code, why string }

// chunk is a chunk of the list that was read.
type chunk struct {
	number uint32
	rows   []bulk.Row
}

func newTask(id persistence.EntityID, s *bulk.State) *task {
	t := &task{id: id, state: s, base: s.Cursor, next: s.Cursor, waiting: make(map[string]*waiting),
		meta: entity.Meta{Principal: s.Principal, Kind: s.Kind, RequestID: requestID(id), Reason: s.Reason}}
	t.pace.perSecond, t.pace.slack = int(min(s.PerSecond, 1<<30)), paceSlack
	if !s.Started.IsZero() && !s.DryRun {
		t.doubt = min(s.Cursor+rowsMaxAhead, s.Total)
	}
	return t
}

// goes says that rows of the task may be sent.
func (t *task) goes() bool { return t.state.Status == bulk.InProgress }

// cancelling says that it has to be found out which rows were sent.
func (t *task) cancelling() bool { return t.state.Status == bulk.Cancelling }

// through says that all rows have outcomes that are recorded, but those that wait.
func (t *task) through() bool { return t.state.Status == bulk.InProgress && t.base >= t.state.Total }

// rests says that it is not the task's turn, whatever it waits for.
func (t *task) rests() bool {
	return t.state.Status == bulk.Paused || t.state.Status == bulk.Expired || t.through()
}

// limit is the end of the rows that are to be taken.
func (t *task) limit() uint64 {
	switch {
	case t.goes():
		return t.state.Total
	case t.cancelling():
		return max(t.next, min(t.doubt, t.state.Total))
	}
	return t.next
}

// hasRows says that there are rows to be taken now.
func (t *task) hasRows() bool {
	return (t.goes() || t.cancelling()) && (len(t.again) > 0 || t.next < t.limit())
}

// trouble takes in that something about the task could not be done; true: it was tried often enough, and what is left fails.
func (t *task) trouble(err error, now time.Time) bool {
	if t.failures++; t.failures >= triesMax {
		t.broken, t.unreadable = &failure{string(problem.Internal), "the task cannot go on: " + err.Error()}, true
		t.doubt = 0
		return true
	}
	t.retry = now.Add(t.wait.next(err))
	return false
}

// recovered takes in that a row could be read: what could not be read before counts no more.
func (t *task) recovered() { t.failures, t.wait = 0, backOff{} }

// prepare reads the request. What it does not make sense of fails all items that are left.
func (l *lane) prepare(t *task) error {
	if t.read || t.unreadable || t.state.UndoOf != "" { // what is to be taken back stands in the rows
		return nil
	}
	view := l.store.View()
	defer func() { _ = view.Close() }()
	body, err := part(view, t.id, bulk.PartRequest)
	if err != nil {
		return wrapf(err, t.id, "read the request of")
	}
	t.read = true
	request, err := bulk.DecodeRequest(body)
	if err != nil {
		t.broken = &failure{string(problem.Invalid), err.Error()}
		return nil
	}
	var aliases map[string]fields.Alias
	if len(request.Fields) > 0 {
		v, err := jsonvalue.Parse(request.Fields)
		if err != nil {
			t.broken = &failure{string(problem.Invalid), "the fields of the type: " + err.Error()}
			return nil
		}
		var p *problem.Problem
		if aliases, p = fields.ParseAliases(v, "/fields"); p != nil {
			t.broken = failureOf(p)
			return nil
		}
	}
	var p *problem.Problem
	if t.instructions, p = fields.Parse(request.Instructions, aliases, "/instructions"); p != nil {
		t.broken = failureOf(p)
	}
	return nil
}

// failureOf is a problem as the failure of an item.
func failureOf(err error) *failure {
	p := problem.Of(err)
	text := p.Detail
	for _, e := range p.Errors[:min(len(p.Errors), 3)] {
		text = strings.TrimPrefix(text+"; "+e.Path+": "+e.Message, "; ")
	}
	return &failure{string(p.Code), text}
}

// part reads a part of a task.
func part(view persistence.EntityReader, id persistence.EntityID, name string) ([]byte, error) {
	p, err := view.Part(id, name)
	if err == nil && p.Removed {
		err = persistence.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("part %s: %w", name, err)
	}
	body, err := view.Body(id, p.Place)
	if err != nil {
		return nil, fmt.Errorf("part %s: %w", name, err)
	}
	return body, nil
}

// row reads a row of the list by way of the chunk that is at hand.
func (l *lane) row(t *task, number uint64, c *chunk) (*bulk.Row, error) {
	per := max(uint64(t.state.PerChunk), 1)
	if which := uint32(number / per); c.rows == nil || c.number != which {
		rows, err := l.chunk(t, which)
		if err != nil {
			return nil, err
		}
		c.number, c.rows = which, rows
	}
	if at := number % per; at < uint64(len(c.rows)) {
		return &c.rows[at], nil
	}
	return nil, wrapf(fmt.Errorf("%w: row %d is missing", persistence.ErrCorrupt, number), t.id, "read the list of")
}

func (l *lane) chunk(t *task, number uint32) ([]bulk.Row, error) {
	view := l.store.View()
	defer func() { _ = view.Close() }()
	body, err := part(view, t.id, bulk.ChunkPart(number))
	if err != nil {
		return nil, wrapf(err, t.id, "read the list of")
	}
	rows, err := bulk.DecodeChunk(body)
	if err != nil {
		return nil, wrapf(errors.Join(persistence.ErrCorrupt, err), t.id, "read the list of")
	}
	return rows, nil
}

// recall reads the rows that wait. All of them are to be come back to: a lock may have ended unseen.
func (l *lane) recall(t *task) error {
	view := l.store.View()
	defer func() { _ = view.Close() }()
	var rows []*waiting
	for p, err := range view.Parts(t.id, bulk.PartWaiting) {
		if err != nil {
			return wrapf(err, t.id, "read what waits of")
		}
		digits, ok := strings.CutPrefix(p.ID, bulk.PartWaiting)
		row, err := strconv.ParseUint(digits, 10, 64)
		if !ok || err != nil {
			break
		}
		w, err := recalled(view, t.id, p, row)
		if err != nil && !errors.Is(err, persistence.ErrCorrupt) {
			if t.recalls++; t.recalls < triesMax {
				return err
			}
		}
		w.recorded, w.doubt = true, !t.state.DryRun
		if err != nil {
			l.lose(t, w, err)
		}
		rows = append(rows, w)
	}
	for _, w := range rows {
		listed, err := l.row(t, w.row, &t.late)
		switch {
		case err == nil:
			w.collection = listed.Collection
		case !t.trouble(err, time.Now()):
			return err
		default:
			w.collection = "\x00" + strconv.FormatUint(w.row, 10) // which none is called: it will fail
		}
		l.holdBack(t, w)
		l.come(t, w)
	}
	return nil
}

// holdBack has a row wait.
func (l *lane) holdBack(t *task, w *waiting) {
	t.waiting[w.collection] = w
	l.waits.add(collectionID(l.provider, w.collection), t.id)
}

// come has a row that waits come back to.
func (l *lane) come(t *task, w *waiting) {
	switch {
	case w.asked || !w.recorded:
		w.freed = true
	case !w.due:
		w.due = true
		t.due = append(t.due, w)
		l.dues++
	}
}

// free takes in that a collection may be free.
func (l *lane) free(collection string) {
	if it := l.noted[collection]; it != nil {
		it.freed = true
	}
	for _, t := range l.tasks {
		if w := t.waiting[collection]; w != nil {
			l.come(t, w)
		}
	}
}

// through forgets a row that waited, and has those of younger tasks that waited behind it come back to.
func (l *lane) through(t *task, w *waiting) {
	delete(t.waiting, w.collection) // it may still stand in line to be come back to, and is passed over there
	l.waits.remove(collectionID(l.provider, w.collection), t.id)
	for _, o := range l.tasks {
		if behind := o.waiting[w.collection]; behind != nil {
			l.come(o, behind)
		}
	}
}

// retryAll has all rows that wait come back to, and tries again what could not be done.
func (l *lane) retryAll() {
	l.dirty = true
	l.fresh, l.untold = append(l.fresh, l.untold...), nil
	for _, t := range l.tasks {
		if t.ordered && t.order == nil {
			t.ordered = false
		}
		for _, w := range t.waiting {
			l.come(t, w)
		}
		slices.SortFunc(t.due, func(a, b *waiting) int { return cmp.Compare(a.row, b.row) })
		l.touch(t)
	}
}
