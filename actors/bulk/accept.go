package bulk

import (
	"cmp"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"concord/actors/entity"
	"concord/actors/problem"
	"concord/actors/undo"
)

// Bounds of what a task is made of. The operation has looked after them: a command that breaks one is our own mistake.
const (
	KeyMaxBytes     = 4 << 10 // of the alternate key of a row
	requestMaxBytes = 4 << 20
	nameMaxBytes    = 128 // of what a task names beside its own name: collection, type, task, system, code
	retentionMax    = 100 * 365 * 24 * time.Hour
	// draftTTL is how long a draft is kept that nothing is added to.
	draftTTL = time.Hour
)

// stage adds a chunk to a draft.
func stage(s State, c *Stage, m entity.Meta) ([]Event, error) {
	if s.unaccepted() {
		s = State{}
	}
	switch {
	case c.Number < s.Chunks:
		return nil, nil // sent again
	case s.Status.Shown():
		return nil, wrong(s, "its list is complete")
	case len(c.Rows) != int(c.PerChunk):
		return nil, problem.New(problem.Internal, "chunk %d has %d rows, not %d", c.Number, len(c.Rows), c.PerChunk)
	}
	part, err := s.add(c)
	if err != nil {
		return nil, err
	}
	s.Status, s.Staged, s.Expires = Draft, m.Time, m.Time.Add(draftTTL)
	return one(TypeStaged, s, part)
}

// keep adds a piece of the posted body to a draft.
func keep(s State, c *Keep, m entity.Meta) ([]Event, error) {
	if s.unaccepted() {
		s = State{}
	}
	switch {
	case c.Number < s.Pieces:
		return nil, nil // sent again
	case s.Status.Shown():
		return nil, wrong(s, "its body is complete")
	case c.Number != s.Pieces:
		return nil, problem.New(problem.Internal, "piece %d of a body, where piece %d comes next", c.Number, s.Pieces)
	case len(c.Piece) != PieceMaxBytes:
		return nil, problem.New(problem.Internal, "piece %d of a body has %d bytes, not %d", c.Number, len(c.Piece), PieceMaxBytes)
	}
	part, err := s.piece(c.Piece)
	if err != nil {
		return nil, err
	}
	s.Status, s.Staged, s.Expires = Draft, m.Time, m.Time.Add(draftTTL)
	return one(TypeStaged, s, part)
}

// piece puts a piece at the end of the posted body.
func (s *State) piece(bytes []byte) (entity.Content, error) {
	if most := PostedMaxBytes / PieceMaxBytes; int(s.Pieces) == most {
		return entity.Content{}, problem.New(problem.Internal, "more than %d pieces of a body", most)
	}
	s.Pieces++
	return raw(PostedPart(s.Pieces-1), bytes), nil
}

// accept makes the task.
func accept(s State, c *Accept, m entity.Meta) ([]Event, error) {
	if s.unaccepted() {
		s = State{}
	}
	switch {
	case s.Status.Shown():
		return nil, nil // sent again
	case c.Chunks != s.Chunks:
		return nil, problem.New(problem.Internal, "a list of %d chunks, where %d are known", c.Chunks, s.Chunks)
	case c.Pieces != s.Pieces:
		return nil, problem.New(problem.Internal, "%d pieces of a body, where %d are known", c.Pieces, s.Pieces)
	case s.Chunks == 0 && len(c.Rows) == 0:
		return nil, problem.New(problem.Internal, "a task without items")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	var parts []entity.Content
	if len(c.Rows) > 0 {
		last := c.Stage
		last.Number = s.Chunks
		part, err := s.add(&last)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if len(c.Posted) > 0 {
		part, err := s.piece(c.Posted)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	t := &c.Task
	if s.undoes() != (t.UndoOf != "") {
		return nil, problem.New(problem.Internal, "a task that takes back %q, and its rows say otherwise", t.UndoOf)
	}
	s.Status, s.Accepted, s.Expires = Accepted, m.Time, time.Time{}
	s.Principal, s.Kind, s.Reason = m.Principal, m.Kind, m.Reason
	s.Number, s.Name = t.Number, cmp.Or(t.Name, strconv.FormatUint(t.Number, 10))
	s.Unnamed = t.Name != ""
	s.DryRun, s.PerSecond, s.RetryOf, s.Alias = t.DryRun, t.PerSecond, t.RetryOf, t.Alias
	s.OnLocked, s.Type = cmp.Or(t.OnLocked, OnLockedWait), cmp.Or(t.Type, c.Request.Type)
	s.UndoOf, s.Session, s.Run, s.Pinned = t.UndoOf, t.Session, t.Run, t.Pinned.Truncate(time.Microsecond)
	if t.UndoOf != "" {
		s.OnConflict = cmp.Or(t.OnConflict, undo.Skip)
	}
	s.Retention = t.Retention.Truncate(time.Microsecond)
	request := c.Request
	request.Type = s.Type
	return one(TypeAccepted, s, append(parts, requestPart(&request))...)
}

// check refuses a task that the operation must not ask for.
func (c *Accept) check() error {
	t, q := &c.Task, &c.Request
	switch {
	case t.Number == 0:
		return problem.New(problem.Internal, "a task without a number")
	case len(t.Name) > NameMaxBytes || !utf8.ValidString(t.Name):
		return problem.New(problem.Internal, "a name of %d bytes: the limit is %d of UTF-8", len(t.Name), NameMaxBytes)
	case t.OnLocked != "" && t.OnLocked != OnLockedWait && t.OnLocked != OnLockedFail:
		return problem.New(problem.Internal, "onLocked is %q", t.OnLocked)
	case t.Retention < 0 || t.Retention > retentionMax:
		return problem.New(problem.Internal, "a retention of %v", t.Retention)
	case !named(t.RetryOf) || !named(t.Type) || !named(t.Alias) || !named(q.Type) || !named(t.UndoOf) || !named(t.Session):
		return problem.New(problem.Internal, "a name of more than %d bytes of UTF-8", nameMaxBytes)
	case t.UndoOf == "" && t.OnConflict != "" || t.OnConflict != "" && !slices.Contains(undo.Choices, t.OnConflict):
		return problem.New(problem.Internal, "a task that takes back %q, with onConflict %q", t.UndoOf, t.OnConflict)
	case t.UndoOf != "" && len(q.Instructions) > 0:
		return problem.New(problem.Internal, "a task that takes back %q, with instructions", t.UndoOf)
	case (t.Session == "") != (t.Run == 0):
		return problem.New(problem.Internal, "run %d of the session %q", t.Run, t.Session)
	case len(c.Posted) > PieceMaxBytes:
		return problem.New(problem.Internal, "a last piece of %d bytes: the limit is %d", len(c.Posted), PieceMaxBytes)
	case len(q.Instructions)+len(q.Fields)+len(q.Targets) > requestMaxBytes:
		return problem.New(problem.Internal, "a request of %d bytes: the limit is %d",
			len(q.Instructions)+len(q.Fields)+len(q.Targets), requestMaxBytes)
	}
	return nil
}

func named(name string) bool { return len(name) <= nameMaxBytes && utf8.ValidString(name) }

// add puts a chunk at the end of the list.
func (s *State) add(c *Stage) (entity.Content, error) {
	total := s.Total + uint64(len(c.Rows))
	switch {
	case c.Number != s.Chunks:
		return entity.Content{}, problem.New(problem.Internal, "chunk %d, where chunk %d comes next", c.Number, s.Chunks)
	case c.PerChunk == 0 || c.PerChunk > ChunkRows || s.Chunks > 0 && c.PerChunk != s.PerChunk:
		return entity.Content{}, problem.New(problem.Internal, "chunks of %d rows, after some of %d", c.PerChunk, s.PerChunk)
	case len(c.Rows) > int(c.PerChunk):
		return entity.Content{}, problem.New(problem.Internal, "chunk %d has %d rows, not %d", c.Number, len(c.Rows), c.PerChunk)
	case total > ItemsMax:
		return entity.Content{}, problem.New(problem.Internal, "a list of %d items: the limit is %d", total, ItemsMax)
	}
	for i := range c.Rows {
		if err := c.Rows[i].check(c.PerChunk); err != nil {
			return entity.Content{}, err
		}
		switch takesBack := len(c.Rows[i].Undo) > 0; {
		case s.Chunks == 0 && i == 0 && takesBack:
			s.OnConflict = undo.Skip // until the task says what it is: so a draft tells its rows
		case takesBack != s.undoes():
			return entity.Content{}, problem.New(problem.Internal, "a list in which some rows take back, and row %d of chunk %d does otherwise", i, c.Number)
		}
	}
	s.Chunks, s.PerChunk, s.Total = s.Chunks+1, c.PerChunk, total
	s.Counts.Pending = total
	return chunkPart(c.Number, c.Rows), nil
}

// undoes says that the rows of the list take back what other tasks have written.
func (s *State) undoes() bool { return s.OnConflict != "" }

// check refuses a row that must not be in a list with so many rows in a chunk.
func (r *Row) check(perChunk uint32) error {
	switch {
	case r.Collection == "" && r.Code == "":
		return problem.New(problem.Internal, "a row without a collection")
	case !named(r.Collection) || !named(r.Code):
		return problem.New(problem.Internal, "a row with a name of more than %d bytes of UTF-8", nameMaxBytes)
	case len(r.Key) > KeyMaxBytes || !utf8.ValidString(r.Key):
		return problem.New(problem.Internal, "a key of %d bytes: the limit is %d of UTF-8", len(r.Key), KeyMaxBytes)
	case len(r.Value) > ValueMaxBytes:
		return problem.New(problem.Internal, "a value of %d bytes: the limit is %d", len(r.Value), ValueMaxBytes)
	case perChunk > ChunkValuedRows && (r.Key != "" || len(r.Value) > 0):
		return problem.New(problem.Internal, "chunks of %d rows with values or keys: the limit is %d", perChunk, ChunkValuedRows)
	case len(r.Undo) > 0 && (r.Collection == "" || len(r.Value) > 0 || r.Version > 0):
		return problem.New(problem.Internal, "a row that takes back, of collection %q with a value of %d bytes for version %d",
			r.Collection, len(r.Value), r.Version)
	case len(r.Undo) > UndoMaxSpans:
		return problem.New(problem.Internal, "a row that takes back %d versions: the limit is %d", len(r.Undo), UndoMaxSpans)
	}
	return ascending(r.Undo)
}

// ascending refuses spans that no tasks can have written one after another.
func ascending(spans []undo.Span) error {
	last := uint64(1)
	for _, s := range spans {
		if s.Before < last || s.After <= s.Before {
			return problem.New(problem.Internal, "a row that takes back versions %d to %d, after version %d", s.Before, s.After, last)
		}
		last = s.After
	}
	return nil
}
