package operations

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"concord/actors/bulk"
	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/actors/undo"
	"concord/persistence"
	"concord/transport"
)

// Bounds of what a bulk update is asked for with.
const (
	bulkPerSecondMax   = 1_000_000 // of itemsPerSecond
	bulkFaultsMax      = 1000      // that one refusal names
	bulkPostedMaxBytes = 64 << 10  // of a body that bulk.request shows; those of aliases are kept beyond it
)

// bulkOrder is a bulk update as it was asked for.
type bulkOrder struct {
	name, typ, reason string
	onLocked          string
	perSecond         uint64
	dryRun            bool
	retryOf           string

	undoOf     string          // task that is taken back: then the targets say which versions, and there are no instructions
	onConflict undo.OnConflict // of one that takes back
	session    string          // bulk edit session whose run it is
	run        uint32          // its number there
	pinned     time.Time       // until when what it replaces is kept; zero: as long as the settings say

	instructions []byte
	fields       []byte // part of the type as it is now; none without a type
	perItem      bool   // instructions take their values from the items
	valueless    bool   // none does: an item with a value is a mistake
	targets      bulkTargets
	posted       iter.Seq2[[]byte, error] // pieces of the body, for who wants to see it again; nil: it is not kept
	alias        string

	retention time.Duration               // 0: as the settings say
	before    func(context.Context) error // called just before it is accepted; nil: nothing
}

// bulkNames are the members of a request.
var bulkNames = []string{"name", "type", "targets", "instructions", "onLocked", "itemsPerSecond", "reason"}

// bulkFaults gather what is wrong with a request, so that its author is told all at once.
type bulkFaults struct{ list []problem.FieldError }

// add takes what is invalid; any other error is given back.
func (f *bulkFaults) add(err error) error {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.Code != problem.Invalid || len(p.Errors) == 0 {
		return err
	}
	f.list = append(f.list, p.Errors[:min(len(p.Errors), bulkFaultsMax-len(f.list))]...)
	return nil
}

func (f *bulkFaults) full() bool { return len(f.list) == bulkFaultsMax }

// err is nil if nothing is wrong.
func (f *bulkFaults) err() error {
	switch len(f.list) {
	case 0:
		return nil
	case 1:
		return problem.At(f.list[0].Path, "%s", f.list[0].Message)
	}
	many := ""
	if f.full() {
		many = "at least "
	}
	p := problem.New(problem.Invalid, "the request has %s%d errors, the first at %s", many, len(f.list), f.list[0].Path)
	p.Errors = f.list
	return p
}

// readBulk reads a request as far as its body says.
func readBulk(r *transport.Request) (*bulkOrder, error) {
	if len(r.Body) == 0 {
		return nil, problem.At("", "a body is needed: targets and instructions")
	}
	e, err := openEnvelope(r.Body, "", bulkNames...)
	if err != nil {
		return nil, err
	}
	o := &bulkOrder{dryRun: r.Param("dryRun") == "true"}
	o.post(r)
	var f bulkFaults
	for _, read := range []func() error{
		func() (err error) { o.name, err = e.bulkName(); return err },
		func() (err error) { o.typ, err = e.bulkType(); return err },
		func() (err error) { o.onLocked, err = e.onLocked(); return err },
		func() (err error) { o.perSecond, err = e.itemsPerSecond(); return err },
		func() (err error) { o.reason, err = e.str("reason", reasonMaxBytes); return err },
		func() (err error) { o.targets, err = readTargets(e); return err },
		func() (err error) { o.instructions, err = e.bulkInstructions(); return err },
	} {
		if err := f.add(read()); err != nil {
			return nil, err
		}
	}
	if o.typ == "" && !e.has("type") && o.targets.byType() {
		if err := f.add(problem.At("/type", "is missing: %s are those of a type", o.targets.by)); err != nil {
			return nil, err
		}
	}
	return o, f.err()
}

// bulkName is a name that somebody gives to a task, "" if none is given.
func (e *envelope) bulkName() (string, error) {
	name, err := e.str("name", bulk.NameMaxBytes)
	switch {
	case err != nil || !e.has("name"):
		return "", err
	case strings.TrimSpace(name) == "":
		return "", problem.At(e.at("name"), "is blank; left out, it is the number of the task")
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "", problem.At(e.at("name"), "has control characters")
	case !strings.ContainsFunc(name, func(c rune) bool { return c < '0' || c > '9' }):
		return "", problem.At(e.at("name"), "has nothing but digits: so the tasks without a name are named")
	}
	return name, nil
}

func (e *envelope) bulkType() (string, error) {
	name, err := e.str("type", sourceTextMaxBytes)
	if err == nil && e.has("type") && !transport.ValidID(name) {
		err = problem.At(e.at("type"), "is no id of a collection type")
	}
	return name, err
}

func (e *envelope) onLocked() (string, error) {
	text, err := e.str("onLocked", sourceTextMaxBytes)
	switch {
	case err != nil:
		return "", err
	case !e.has("onLocked"):
		return bulk.OnLockedWait, nil
	case text != bulk.OnLockedWait && text != bulk.OnLockedFail:
		return "", problem.At(e.at("onLocked"), "must be %q or %q", bulk.OnLockedWait, bulk.OnLockedFail)
	}
	return text, nil
}

func (e *envelope) itemsPerSecond() (uint64, error) {
	n, err := e.number("itemsPerSecond")
	switch {
	case err != nil || n == nil:
		return 0, err
	case *n == 0 || *n > bulkPerSecondMax:
		return 0, problem.At(e.at("itemsPerSecond"), "must be from 1 to %d; left out, it is as many as it can", bulkPerSecondMax)
	}
	return *n, nil
}

// bulkInstructions are the instructions as text: see readInstructions.
func (e *envelope) bulkInstructions() ([]byte, error) {
	m, ok := e.members["instructions"]
	if !ok {
		return nil, problem.At(e.at("instructions"), "is missing: a list of one instruction or more")
	}
	return m.Text, nil
}

// readInstructions reads the instructions, in the words of the type as it is now.
func (s *Service) readInstructions(o *bulkOrder, provider string, f *bulkFaults) error {
	aliases, err := s.bulkFields(o, provider)
	if err != nil {
		return err
	}
	list, p := fields.Parse(o.instructions, aliases, "/instructions")
	if p != nil {
		if o.typ == "" && slices.ContainsFunc(p.Errors, func(e problem.FieldError) bool { return strings.HasSuffix(e.Path, "/field") }) {
			if err := f.add(problem.At("/type", "is missing: an instruction names a field, and fields are those of a type")); err != nil {
				return err
			}
		}
		return f.add(p)
	}
	o.perItem = slices.ContainsFunc(list, (*fields.Instruction).PerItem)
	o.valueless = !o.perItem
	if o.perItem && !o.targets.valued() {
		at := slices.IndexFunc(list, (*fields.Instruction).PerItem)
		return f.add(problem.At("/instructions"+indexPath(at), "takes its value from the item: the targets must be items, or an upload"))
	}
	return nil
}

// bulkFields are the fields of the order's type; the order keeps their text.
func (s *Service) bulkFields(o *bulkOrder, provider string) (map[string]fields.Alias, error) {
	if o.typ == "" {
		return nil, nil
	}
	id := persistence.EntityID{Kind: persistence.KindType, Provider: provider, ID: o.typ}
	head, err := s.Store.Head(id)
	if err != nil && !isMissing(err) {
		return nil, fmt.Errorf("read %v: %w", id, err)
	}
	state, err := rules.DecodeState(head.State)
	if err != nil {
		return nil, errors.Join(persistence.ErrCorrupt, err)
	}
	if !state.Live() {
		p := problem.New(problem.NotFound, "there is no collection type %q", o.typ)
		p.Errors = []problem.FieldError{{Path: "/type", Message: "there is no such collection type"}}
		return nil, p
	}
	members, err := jsonvalue.Members(state.Text)
	if err != nil {
		return nil, errors.Join(persistence.ErrCorrupt, fmt.Errorf("text of %v: %w", id, err))
	}
	at := slices.IndexFunc(members, func(m jsonvalue.RawMember) bool { return m.Name == "fields" })
	if at < 0 || members[at].Kind == jsonvalue.Null {
		return nil, nil
	}
	o.fields = members[at].Text
	v, err := jsonvalue.Parse(o.fields)
	if err != nil {
		return nil, errors.Join(persistence.ErrCorrupt, fmt.Errorf("fields of %v: %w", id, err))
	}
	aliases, p := fields.ParseAliases(v, "/fields")
	if p != nil {
		return nil, errors.Join(persistence.ErrCorrupt, fmt.Errorf("fields of %v: %w", id, p))
	}
	return aliases, nil
}

// checkBulk reads all that there is to read of a request: nothing is changed, nothing looked up. So whatever is wrong with it
// by itself is told before anything begins.
func (s *Service) checkBulk(ctx context.Context, r *transport.Request, o *bulkOrder) error {
	var f bulkFaults
	if err := s.readInstructions(o, r.Provider, &f); err != nil {
		return err
	}
	if err := s.checkTargets(ctx, o, &f); err != nil {
		return err
	}
	return f.err()
}
