package quickjs

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"modernc.org/quickjs"

	"concord/actors/jsonvalue"
	"concord/actors/script"
)

// sourceMaxBytes bounds the source of a job.
const sourceMaxBytes = 64 << 10

//go:embed prelude.js
var preludeSource string

// engine has what all jobs of a worker share: nothing that a script could reach.
type engine struct {
	prelude []byte // bytecode
	late    func() // ends the process: a script could not be interrupted
}

// newEngine compiles the prelude. It stands behind more lines than a source can have, so that a line of a stack trace tells
// which of them it is in.
func newEngine(late func()) (*engine, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, fmt.Errorf("make an engine: %w", err)
	}
	defer vm.Close() //nolint:errcheck // it has no resources outside of this process
	code, err := vm.Compile(strings.Repeat("\n", sourceMaxBytes+1)+preludeSource, quickjs.EvalGlobal)
	if err != nil {
		return nil, fmt.Errorf("compile the prelude: %w", err)
	}
	return &engine{code, late}, nil
}

// program is the source of one job, compiled.
type program struct {
	engine *engine
	guard  *guard
	code   []byte // bytecode
	lines  int
	limits limits
}

// run does a job, or checks its source.
func (e *engine) run(q *request) answer {
	a := answer{ID: q.ID}
	p := &program{engine: e, guard: watch(time.Duration(q.Limits.RunNanos), e.late),
		lines: strings.Count(q.Source, "\n") + 1, limits: q.Limits}
	defer p.guard.end()
	if a.Failure = p.compile(q.Source); a.Failure != nil {
		return a
	}
	if q.Check {
		a.Failure = p.inRealm(func(*realm) *failure { return nil })
		return a
	}
	total := 0
	a.Results = make([]result, len(q.Parts))
	for i := range q.Parts {
		part := &q.Parts[i]
		f := p.inRealm(func(r *realm) (f *failure) {
			a.Results[i].Text, f = r.merge(part, &q.Context)
			if total += len(a.Results[i].Text); f == nil && total > q.Limits.ResultsMaxBytes {
				f = &failure{Reason: script.Garbage, Detail: "all results together are too large"}
			}
			if f != nil {
				f.Path = part.Path
			}
			return f
		})
		if f != nil {
			return answer{ID: q.ID, Failure: f}
		}
	}
	return a
}

// newVM is an engine with its limits and without anything in it.
func (p *program) newVM() (*quickjs.VM, *failure) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, &failure{Reason: script.Memory, Detail: "no memory for an engine"}
	}
	vm.SetMemoryLimit(uintptr(p.limits.MemoryMaxBytes))
	vm.SetMaxStackSize(uintptr(p.limits.StackMaxFrames))
	return vm, nil
}

// timed runs a step of the engine under the guard; a step that failed is a failure. blank says that nothing of a document is in
// the realm, so that messages may be told.
func (p *program) timed(vm *quickjs.VM, blank bool, step func() error) *failure {
	p.guard.runs(vm)
	defer p.guard.runs(nil)
	err := step()
	switch {
	case p.guard.over.Load():
		return &failure{Reason: script.Timeout, Detail: fmt.Sprintf("it ran for longer than %v", p.guard.limit)}
	case err != nil:
		return p.thrown(err, blank)
	default:
		return nil
	}
}

// compile makes bytecode of the source, which is then run in a realm of its own for each part.
func (p *program) compile(source string) *failure {
	vm, f := p.newVM()
	if f != nil {
		return f
	}
	defer vm.Close() //nolint:errcheck // as above
	return p.timed(vm, true, func() (err error) {
		p.code, err = vm.Compile(source, quickjs.EvalGlobal)
		return err
	})
}

// realm is a fresh global object in which the source has run.
type realm struct {
	*program
	vm   *quickjs.VM
	call quickjs.Value // what the prelude returned
}

// inRealm makes a realm, does something in it, and removes it.
func (p *program) inRealm(do func(*realm) *failure) *failure {
	vm, f := p.newVM()
	if f != nil {
		return f
	}
	defer vm.Close() //nolint:errcheck // as above
	call, err := vm.EvalBytecodeValue(p.engine.prelude)
	if err != nil {
		return &failure{Reason: script.Memory, Detail: "no memory for a realm"}
	}
	defer call.Free()
	defined := false
	f = p.timed(vm, true, func() error {
		v, err := vm.EvalBytecodeValue(p.code)
		if err != nil {
			return err
		}
		v.Free()
		r, err := call.Call(quickjs.UndefinedValue, quickjs.Undefined{})
		defined = r == true
		return err
	})
	switch {
	case f != nil:
		return f
	case !defined:
		return &failure{Reason: script.Syntax, Detail: "it defines neither merge nor customEntityMerge"}
	}
	return do(&realm{p, vm, call})
}

// seen is what a script gets as ctx.
type seen struct {
	Path     string `json:"path"`
	Document string `json:"document"`
	*script.Context
}

// merge calls the function of the source for one part. The text is nil if the part is to be removed.
func (r *realm) merge(p *part, c *script.Context) (text []byte, f *failure) {
	context, err := json.Marshal(seen{p.Path, p.Document, c}, json.Deterministic(true))
	if err != nil {
		return nil, &failure{Reason: script.Threw, Detail: "its context is no JSON"}
	}
	var returned any
	f = r.timed(r.vm, false, func() (err error) {
		returned, err = r.call.Call(quickjs.UndefinedValue,
			string(context), side(p.Base), side(p.Client), side(p.Server), r.limits.ResultMaxBytes)
		return err
	})
	if f != nil {
		return nil, f
	}
	switch v := returned.(type) {
	case string:
		return r.judge([]byte(v))
	case quickjs.Undefined:
		return nil, nil
	case int:
		return nil, &failure{Reason: script.Garbage, Detail: lost(v).String()}
	default:
		return nil, &failure{Reason: script.Garbage, Detail: "its result is no JSON"}
	}
}

// side is a document as the prelude takes it.
func side(text []byte) any {
	if text == nil {
		return quickjs.Undefined{}
	}
	return string(text)
}

// judge holds a result against what the service takes.
func (r *realm) judge(text []byte) ([]byte, *failure) {
	if len(text) > r.limits.ResultMaxBytes {
		return nil, &failure{Reason: script.Garbage, Detail: lostTooLarge.String()}
	}
	if _, err := jsonvalue.Check(text); err != nil {
		detail := "its result is no JSON"
		if bad, ok := errors.AsType[*jsonvalue.SyntaxError](err); ok {
			detail = "its result is not taken: " + bad.Reason // the path holds names of members
		}
		return nil, &failure{Reason: script.Garbage, Detail: detail}
	}
	return text, nil
}
