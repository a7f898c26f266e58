package operations

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"concord/actors/bulk"
	"concord/actors/editsession"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/transport"
)

// runOrder is a run of a session as it was asked for.
type runOrder struct {
	bulkOrder // of its task; the records are those of the session
	kind      editsession.RunKind
	exclude   []string           // records that are left out, in the order in which they were named
	target    editsession.Target // of a roll-back
	redoOf    uint32             // of a redo: the roll-back that is named; 0: none is
}

// writes says that the run changes records.
func (o *runOrder) writes() bool { return o.kind != editsession.Preview && !o.dryRun }

// undoes says that the run takes back what others of the session have written.
func (o *runOrder) undoes() bool {
	return o.kind == editsession.Rollback || o.kind == editsession.Redo
}

// readEditPreview reads a request as far as its body says.
func readEditPreview(r *transport.Request) (*runOrder, error) {
	if len(r.Body) == 0 {
		return nil, problem.At("", "a body is needed: instructions")
	}
	e, err := openEnvelope(r.Body, "", "instructions", "exclude")
	if err != nil {
		return nil, err
	}
	o := &runOrder{kind: editsession.Preview}
	o.dryRun, o.onLocked = true, bulk.OnLockedWait
	var f bulkFaults
	for _, read := range []func() error{
		func() (err error) { o.instructions, err = e.bulkInstructions(); return err },
		func() (err error) { o.exclude, err = e.excluded(); return err },
	} {
		if err := f.add(read()); err != nil {
			return nil, err
		}
	}
	return o, f.err()
}

// readEditApply reads a request as far as its body says.
func readEditApply(r *transport.Request) (*runOrder, error) {
	e, err := openEnvelope(r.Body, "", "instructions", "exclude", "onLocked", "itemsPerSecond", "reason")
	if err != nil {
		return nil, err
	}
	o := &runOrder{kind: editsession.Apply}
	var f bulkFaults
	for _, read := range []func() error{
		func() (err error) {
			if e.has("instructions") {
				o.instructions, err = e.bulkInstructions()
			}
			return err
		},
		func() (err error) { o.exclude, err = e.excluded(); return err },
		func() (err error) { o.onLocked, err = e.onLocked(); return err },
		func() (err error) { o.perSecond, err = e.itemsPerSecond(); return err },
		func() (err error) { o.reason, err = e.str("reason", reasonMaxBytes); return err },
	} {
		if err := f.add(read()); err != nil {
			return nil, err
		}
	}
	return o, f.err()
}

// readEditRollback reads a request as far as its body says.
func readEditRollback(r *transport.Request) (*runOrder, error) {
	return readEditUndo(r, editsession.Rollback, "to", "onConflict", "onLocked", "reason")
}

// readEditRedo reads a request as far as its body says.
func readEditRedo(r *transport.Request) (*runOrder, error) {
	return readEditUndo(r, editsession.Redo, "of", "onConflict", "onLocked", "reason")
}

func readEditUndo(r *transport.Request, kind editsession.RunKind, names ...string) (*runOrder, error) {
	e, err := openEnvelope(r.Body, "", names...)
	if err != nil {
		return nil, err
	}
	o := &runOrder{kind: kind}
	o.dryRun = r.Param("dryRun") == "true"
	var f bulkFaults
	for _, read := range []func() error{
		func() (err error) {
			if kind == editsession.Rollback {
				o.target, err = e.target()
			} else {
				o.redoOf, err = e.redoOf()
			}
			return err
		},
		func() (err error) { o.onConflict, err = e.onConflict(); return err },
		func() (err error) { o.onLocked, err = e.onLocked(); return err },
		func() (err error) { o.reason, err = e.str("reason", reasonMaxBytes); return err },
	} {
		if err := f.add(read()); err != nil {
			return nil, err
		}
	}
	return o, f.err()
}

// target is where a roll-back goes back to.
func (e *envelope) target() (editsession.Target, error) {
	const known = `"initial", "previous", or the number of a step`
	m, ok := e.members["to"]
	if !ok {
		return editsession.Target{}, problem.At(e.at("to"), "is missing: "+known)
	}
	switch {
	case string(m.Text) == `"initial"`:
		return editsession.Target{Initial: true}, nil
	case string(m.Text) == `"previous"`:
		return editsession.Target{Previous: true}, nil
	case m.Kind != jsonvalue.Number:
		return editsession.Target{}, problem.At(e.at("to"), "must be "+known)
	}
	step, err := strconv.ParseUint(string(m.Text), 10, 32)
	if err != nil || step == 0 {
		return editsession.Target{}, problem.At(e.at("to"), "must be "+known+", from 1 on")
	}
	return editsession.Target{Step: uint32(step)}, nil
}

// redoOf is the number of the run that a redo takes back; 0 if it is not said.
func (e *envelope) redoOf() (uint32, error) {
	n, err := e.number("of")
	switch {
	case err != nil || n == nil:
		return 0, err
	case *n == 0 || *n > math.MaxUint32:
		return 0, problem.At(e.at("of"), "must be the number of a run that is a roll-back, from 1 on")
	}
	return uint32(*n), nil
}

// excluded are the collections that a run leaves out.
func (e *envelope) excluded() ([]string, error) {
	m, ok := e.members["exclude"]
	if !ok {
		return nil, nil
	}
	if m.Kind != jsonvalue.Array {
		return nil, problem.At(e.at("exclude"), "must be a list of ids of collections")
	}
	list, err := jsonvalue.Elements(m.Text)
	if err != nil {
		return nil, syntax(e.at("exclude"), err)
	}
	var f bulkFaults
	ids := make([]string, 0, len(list))
	for i := range list {
		id, err := idOf(&list[i], e.at("exclude")+indexPath(i))
		if err := f.add(err); err != nil {
			return nil, err
		}
		if f.full() {
			break
		}
		ids = append(ids, id)
	}
	return ids, f.err()
}

// leftOut are the records that a run leaves out. Each that it meets is taken off: what is left is not among the records.
type leftOut map[string]uint32 // place in the request, by record

func newLeftOut(ids []string) leftOut {
	out := make(leftOut, len(ids))
	for i := len(ids) - 1; i >= 0; i-- {
		out[ids[i]] = uint32(i)
	}
	return out
}

// met says whether the record is left out.
func (l leftOut) met(record string) bool {
	_, out := l[record]
	delete(l, record)
	return out
}

// unmet is the refusal of what is left.
func (l leftOut) unmet() error {
	if len(l) == 0 {
		return nil
	}
	places := make([]uint32, 0, len(l))
	ids := make(map[uint32]string, len(l))
	for id, place := range l {
		places, ids[place] = append(places, place), id
	}
	slices.Sort(places)
	var f bulkFaults
	for _, place := range places {
		if err := f.add(problem.At("/exclude"+indexPath(int(place)), "%q is not among the records", clipped(ids[place]))); err != nil || f.full() {
			break
		}
	}
	return f.err()
}

// inSession puts what is said about a request's type in the words of a session, which has its type from the start.
func (f *bulkFaults) inSession() {
	for i := range f.list {
		if f.list[i].Path == "/type" {
			f.list[i].Path, f.list[i].Message = "/instructions", strings.Replace(f.list[i].Message, "is missing: an", "the session has no type, and an", 1)
		}
	}
}
