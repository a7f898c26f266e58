package editsession

import (
	"cmp"
	"slices"
	"time"
	"unicode/utf8"

	"concord/actors/entity"
	"concord/actors/problem"
)

// Bounds of what a session is made of. The operation has looked after them: a command that breaks one is our own mistake.
const (
	columnsMax    = 16      // paths of a key
	pathMaxBytes  = 4 << 10 // of one of them
	whyMaxBytes   = 1 << 10
	namedMaxBytes = 128 // of a collection, a type, a task
	retentionMax  = 100 * 365 * 24 * time.Hour
	// draftTTL is how long a draft is kept that nothing is added to.
	draftTTL = time.Hour
)

// stage adds a chunk to a list that nobody is shown.
func stage(s State, c *Stage, m entity.Meta) ([]Event, error) {
	if s.unopened() {
		s = State{}
	}
	switch {
	case c.List <= s.List:
		return nil, nil // sent again: the list is complete
	case s.stepped():
		return nil, wrong(&s, "it has steps, so that its records stay")
	case s.Status == Closed:
		return nil, wrong(&s, "its records stay")
	case c.Number > 0 && c.Number < s.Staged.Chunks:
		return nil, nil // sent again
	case len(c.Rows) != int(c.PerChunk):
		return nil, problem.New(problem.Internal, "chunk %d has %d rows, not %d", c.Number, len(c.Rows), c.PerChunk)
	}
	var parts []entity.Content
	if c.Number == 0 {
		parts = s.unstage()
	}
	part, err := s.add(c)
	if err != nil {
		return nil, err
	}
	s.StagedAt = m.Time
	if s.Status != Opened {
		s.Status, s.Expires = Draft, m.Time.Add(draftTTL)
	}
	return one(TypeStaged, s, append(parts[min(len(parts), 1):], part)...) // the first one is written anew
}

// unstage forgets what is staged: the parts that go.
func (s *State) unstage() []entity.Content {
	parts := removed(s.List+1, 0, s.Staged.Chunks)
	s.Staged, s.StagedAt = Rows{}, time.Time{}
	return parts
}

// removed are the chunks of a list from one on, which go.
func removed(list, from, to uint32) (parts []entity.Content) {
	for n := from; n < to; n++ {
		parts = append(parts, entity.Content{ID: ChunkPart(list, n), Removed: true})
	}
	return parts
}

// stepped says that something was written: a preview is no step.
func (s *State) stepped() bool {
	_, some := s.Done()
	return some
}

// add puts a chunk at the end of the list that is staged.
func (s *State) add(c *Stage) (entity.Content, error) {
	staged := s.Staged
	switch {
	case c.List != s.List+1:
		return entity.Content{}, problem.New(problem.Internal, "rows of the list %d, where %d comes next", c.List, s.List+1)
	case c.Number != staged.Chunks:
		return entity.Content{}, problem.New(problem.Internal, "chunk %d, where chunk %d comes next", c.Number, staged.Chunks)
	case c.PerChunk == 0 || c.PerChunk > ChunkRows || staged.Chunks > 0 && c.PerChunk != staged.PerChunk:
		return entity.Content{}, problem.New(problem.Internal, "chunks of %d rows, after some of %d", c.PerChunk, staged.PerChunk)
	case len(c.Rows) > int(c.PerChunk):
		return entity.Content{}, problem.New(problem.Internal, "chunk %d has %d rows, not %d", c.Number, len(c.Rows), c.PerChunk)
	case staged.Counts.Total()+uint64(len(c.Rows)) > RowsMax:
		return entity.Content{}, problem.New(problem.Internal, "more than %d rows", RowsMax)
	}
	for i := range c.Rows {
		if err := c.Rows[i].check(); err != nil {
			return entity.Content{}, err
		}
		*staged.Counts.of(c.Rows[i].State)++
	}
	part := chunkPart(c.List, c.Number, c.Rows)
	staged.Chunks, staged.PerChunk, staged.Bytes = staged.Chunks+1, c.PerChunk, staged.Bytes+uint64(part.Size)
	s.Staged = staged
	return part, nil
}

// complete makes the staged rows those of the session, and takes the last chunk. Those that they replace go.
func (s *State) complete(chunks uint32, last *Stage) ([]entity.Content, error) {
	var parts []entity.Content
	if chunks == 0 {
		parts = s.unstage()
		if len(last.Rows) > 0 {
			parts = parts[min(len(parts), 1):] // it is written anew
		}
	}
	if chunks != s.Staged.Chunks {
		return nil, problem.New(problem.Internal, "a list of %d chunks, where %d are known", chunks, s.Staged.Chunks)
	}
	if len(last.Rows) > 0 {
		part, err := s.add(last)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	parts = append(parts, removed(s.List, 0, s.Chunks)...)
	s.Rows, s.Staged, s.StagedAt = s.Staged, Rows{}, time.Time{}
	s.List++
	return parts, nil
}

// discard removes what is staged.
func discard(s State, c *Discard) ([]Event, error) {
	switch {
	case c.List != s.List+1 || s.Status == Expired || s.Status == "":
		return nil, nil
	case s.Status != Draft && s.Staged.Chunks == 0:
		return nil, nil
	}
	parts := s.unstage()
	if s.Status == Draft {
		s.Status, s.Expires = Expired, time.Time{}
	}
	return one(TypeStaged, s, parts...)
}

// open begins the session.
func open(s State, c *Open, m entity.Meta) ([]Event, error) {
	if s.unopened() {
		s = State{}
	}
	if s.Status.Shown() {
		return nil, nil // sent again
	}
	if err := c.check(m); err != nil {
		return nil, err
	}
	parts, err := s.complete(c.Chunks, &c.Stage)
	if err != nil {
		return nil, err
	}
	t := &c.Session
	s.Status, s.Opened, s.Used, s.Expires = Opened, m.Time, m.Time, m.Time.Add(c.Lifetime).Truncate(time.Microsecond)
	s.Owner, s.Reason = m.Principal, m.Reason
	s.Name, s.Type, s.By, s.From, s.Keep = t.Name, t.Type, slices.Clone(t.By), t.From, cmp.Or(t.Keep, KeepAll)
	s.Retention = t.Retention.Truncate(time.Microsecond)
	return one(TypeOpened, s, parts...)
}

// match replaces the rows. What was previewed was about others.
func match(s State, c *Match, m entity.Meta) ([]Event, error) {
	switch {
	case c.List <= s.List:
		return nil, nil // sent again
	case s.Status != Opened:
		return nil, wrong(&s, "its records stay")
	case s.stepped():
		return nil, wrong(&s, "it has steps, so that its records stay")
	}
	if err := checkBy(c.By, c.From); err != nil {
		return nil, err
	}
	parts, err := s.complete(c.Chunks, &c.Stage)
	if err != nil {
		return nil, err
	}
	s.By, s.From, s.Used, s.Runs = slices.Clone(c.By), c.From, m.Time, nil
	return one(TypeMatched, s, parts...)
}

// check refuses a session that the operation must not ask for.
func (c *Open) check(m entity.Meta) error {
	t := &c.Session
	switch {
	case m.Principal == "":
		return problem.New(problem.Internal, "a session of nobody")
	case len(t.Name) > NameMaxBytes || !utf8.ValidString(t.Name):
		return problem.New(problem.Internal, "a name of %d bytes: the limit is %d of UTF-8", len(t.Name), NameMaxBytes)
	case t.Keep != "" && t.Keep != KeepAll && t.Keep != KeepPrevious:
		return problem.New(problem.Internal, "keep is %q", t.Keep)
	case t.Retention < 0 || t.Retention > retentionMax || c.Lifetime <= 0 || c.Lifetime > retentionMax:
		return problem.New(problem.Internal, "a lifetime of %v and a retention of %v", c.Lifetime, t.Retention)
	case !named(t.Type):
		return problem.New(problem.Internal, "a type of more than %d bytes of UTF-8", namedMaxBytes)
	}
	return checkBy(t.By, t.From)
}

func checkBy(by []string, from string) error {
	if from != FromUpload && from != FromIDs && from != FromQuery {
		return problem.New(problem.Internal, "rows that came by %q", from)
	}
	if len(by) > columnsMax {
		return problem.New(problem.Internal, "a key of %d paths: the limit is %d", len(by), columnsMax)
	}
	for _, path := range by {
		if len(path) > pathMaxBytes || !utf8.ValidString(path) {
			return problem.New(problem.Internal, "a path of %d bytes: the limit is %d of UTF-8", len(path), pathMaxBytes)
		}
	}
	return nil
}

// check refuses a row that must not be in a list.
func (r *Row) check() error {
	switch {
	case !slices.Contains(RowStates, r.State):
		return problem.New(problem.Internal, "a row cannot be %q", r.State)
	case r.State == Matched && r.Collection == "":
		return problem.New(problem.Internal, "a matched row without a collection")
	case !named(r.Collection):
		return problem.New(problem.Internal, "a collection of more than %d bytes of UTF-8", namedMaxBytes)
	case len(r.Identifier) > IdentifierBytes || !utf8.ValidString(r.Identifier):
		return problem.New(problem.Internal, "an identifier of %d bytes: the limit is %d of UTF-8", len(r.Identifier), IdentifierBytes)
	case len(r.Why) > whyMaxBytes || !utf8.ValidString(r.Why):
		return problem.New(problem.Internal, "a message of %d bytes: the limit is %d of UTF-8", len(r.Why), whyMaxBytes)
	}
	return nil
}

func named(name string) bool { return len(name) <= namedMaxBytes && utf8.ValidString(name) }
