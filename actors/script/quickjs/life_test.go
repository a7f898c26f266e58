package quickjs

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"concord/actors/script"
)

func TestStateDoesNotLeak(t *testing.T) {
	p := patient(t)
	const pollute = `
var left = 1;
Object.prototype.left = Array.prototype.left = String.prototype.left = 1;
JSON.stringify = () => "9"; JSON.parse = () => 9; Object.freeze = (o) => o; globalThis.Array = null;
function merge(b, c, s, ctx) { Math.left = 1; ctx.__proto__.left = 1; Object.freeze(Object.prototype); return 9 }`
	const look = `
var before = typeof left + typeof Math.left + typeof "".left + typeof [].left + typeof ({}).left;
function merge(b, c) {
  const seen = typeof counted; globalThis.counted = 1;
  return [before, seen, JSON.stringify([c]), Object.isFrozen(Object.prototype)];
}`
	const clean = `["undefinedundefinedundefinedundefinedundefined","undefined","[{\"n\":2}]",false]`
	run(t, p, onePart(pollute))
	job := onePart(look)
	job.Parts = append(job.Parts, job.Parts[0], job.Parts[0])
	o := run(t, p, job)
	if o.Failure != nil {
		t.Fatalf("%+v", o.Failure)
	}
	for i, text := range o.Results {
		if string(text) != clean {
			t.Errorf("part %d saw what was before it: %s", i, text)
		}
	}
}

func TestSameJobSameOutcome(t *testing.T) {
	p := newPool(t, Options{Bounds: Bounds{Workers: 2, Timeout: patience}, WorkerMaxJobs: 7, nice: 1})
	job := onePart(`
function merge(base, client, server, ctx) {
  const shuffled = [5, 3, 9, 1].map((n) => n * client.n / 7).sort();
  const date = new Date(ctx.currentVersion * 1e9);
  let trace = "";
  try { null.x } catch (e) { trace = e.stack }
  return {shuffled, ctx, date, local: date.toString(), trace, names: Object.getOwnPropertyNames(globalThis), up: "ǆ".toUpperCase(),
    sum: [0.1, 0.2, 0.3].reduce((a, b) => a + b), sin: Math.sin(client.n), text: date.toLocaleString(), order: "äza".localeCompare("zaä")};
}`)
	job.Context = script.Context{Provider: "main", Collection: "records", Principal: "ann", BaseVersion: 3, CurrentVersion: 5}
	first := run(t, p, job)
	if first.Failure != nil {
		t.Fatalf("%+v", first.Failure)
	}
	for i := range 100 {
		if o := run(t, p, job); o.Failure != nil || !bytes.Equal(o.Results[0], first.Results[0]) {
			t.Fatalf("time %d: %s, %+v, want %s", i, o.Results, o.Failure, first.Results[0])
		}
	}
}

// A new version of the engine may bring a clock, a timer, randomness or a way out. Whoever adds a name here has looked at it.
func TestGlobalNamesAreTheKnownOnes(t *testing.T) {
	const known = "AggregateError Array ArrayBuffer BigInt BigInt64Array BigUint64Array Boolean DataView Date Error EvalError " +
		"Float16Array Float32Array Float64Array Function Infinity Int16Array Int32Array Int8Array InternalError Iterator JSON Map Math " +
		"NaN Number Object Promise Proxy RangeError ReferenceError Reflect RegExp Set String Symbol SyntaxError TypeError URIError " +
		"Uint16Array Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakSet decodeURI decodeURIComponent encodeURI " +
		"encodeURIComponent escape eval globalThis isFinite isNaN merge parseFloat parseInt undefined unescape"
	o := run(t, patient(t), onePart(`function merge() { return Object.getOwnPropertyNames(globalThis).sort().join(" ") }`))
	if got := told(o); got != `"`+known+`"` {
		t.Errorf("a script sees %s, want %s", got, known)
	}
}

func TestPartsAndPlaces(t *testing.T) {
	p := patient(t)
	job := script.Job{
		Source: "function merge(base, client, server, ctx) {\n  if (client === undefined) return;\n  return [ctx, client.a.b];\n}",
		Parts: []script.Part{
			{Path: "/metadata", Client: []byte(`{"a":{"b":1}}`)},
			{Path: "/documents/x~1y", Document: "x/y", Base: []byte(`1`)},
			{Path: "/documents/secret", Document: "secret", Client: []byte(`{}`)},
		},
		Context: script.Context{Provider: "main", Collection: "records", Principal: "ann", BaseVersion: 3, CurrentVersion: 5},
	}
	whole := job
	whole.Parts = job.Parts[:2]
	o := run(t, p, whole)
	const want = `[{"path":"/metadata","document":"","provider":"main","collection":"records","principal":"ann","baseVersion":3,"currentVersion":5},1]`
	if o.Failure != nil || len(o.Results) != 2 || string(o.Results[0]) != want || o.Results[1] != nil {
		t.Errorf("two parts: %s, %+v", o.Results, o.Failure)
	}
	o = run(t, p, job)
	if f := o.Failure; f == nil || *f != (script.Failure{Reason: script.Threw, Path: "/documents/secret", Detail: "TypeError at line 3, column 24"}) {
		t.Errorf("a part that throws: %s, %+v", o.Results, o.Failure)
	}
	o = run(t, p, script.Job{Source: job.Source})
	if o.Failure != nil || len(o.Results) != 0 {
		t.Errorf("no parts: %s, %+v", o.Results, o.Failure)
	}
}

func TestInputsThatNoScriptIsGiven(t *testing.T) {
	p := patient(t)
	const merge = `function merge(b, c) { return c }`
	exact := onePart(merge)
	inexact, long, broken, late, name := onePart(merge), onePart(merge), onePart(merge), onePart(merge), onePart(merge)
	exact.Parts[0].Client = []byte(`[9007199254740992,0.1,-0,1e21,1.50,"9007199254740993"]`)
	inexact.Parts[0].Base = []byte(`{"n":[1,9007199254740993]}`)
	long.Parts[0].Server = bytes.Repeat([]byte(" "), jobMaxBytes)
	broken.Parts[0].Server = []byte(`{"a":1,"a":2}`)
	late.Context.CurrentVersion = 1 << 53
	name.Context.Principal = "\xff"
	for what, row := range map[string]struct {
		job  script.Job
		want string
	}{
		"a number that a double holds":      {exact, `[9007199254740992,0.1,0,1e+21,1.5,"9007199254740993"]`},
		"a number that it does not":         {inexact, "input"},
		"too many bytes":                    {long, "input"},
		"a member twice":                    {broken, "input"},
		"a version that no double can hold": {late, "input"},
		"a name that is no UTF-8":           {name, "input"},
	} {
		o := run(t, p, row.job)
		if got := told(o); got != row.want {
			t.Errorf("%s: %s, %+v", what, got, o.Failure)
		}
	}
	if f := run(t, p, inexact).Failure; f.Path != "/documents/a" {
		t.Errorf("the path of the part: %+v", f)
	}
}

func TestCheck(t *testing.T) {
	p := quick(t)
	for source, want := range map[string]string{
		`function merge() { for (;;); }`:  "", // it is not called
		`function customEntityMerge() {}`: "",
		`let x = ;`:                       "syntax: unexpected token in expression: ';' at line 1, column 9",
		`throw new Error("no luck")`:      "threw: Error: no luck at line 1, column 16",
		`let n = 1;`:                      "syntax: it defines neither merge nor customEntityMerge",
		`for (;;);`:                       "timeout: it ran for longer than 40ms",
	} {
		got := ""
		if f := check(t, p, source); f != nil {
			got = fmt.Sprintf("%s: %s", f.Reason, f.Detail)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}

func TestQueueIsBounded(t *testing.T) {
	const workers, queue, jobs = 2, 4, 40
	p := newPool(t, Options{Bounds: Bounds{Workers: workers, QueueMax: queue, Timeout: patience}, nice: 1})
	p.Hold()
	p.Hold() // twice is once
	outcomes := make(chan script.Outcome, 2*jobs)
	for range jobs {
		p.Run(onePart(`const merge = (b, c) => c`), func(o script.Outcome) { outcomes <- o })
	}
	for range jobs - workers - queue {
		if o := await(t, outcomes); o.Failure == nil || o.Failure.Reason != script.Busy {
			t.Fatalf("beyond the queue: %s, %+v", o.Results, o.Failure)
		}
	}
	p.Resume()
	p.Resume()
	done := 0
	for range workers + queue {
		o := await(t, outcomes)
		if o.Failure == nil {
			done++
		} else if o.Failure.Reason != script.Busy { // the drivers may have taken none before the queue was full
			t.Fatalf("in the queue: %+v", o.Failure)
		}
	}
	if done < queue {
		t.Errorf("%d jobs were done, want at least the %d of the queue", done, queue)
	}
	still(t, p)
}

func TestObserverIsToldOfAll(t *testing.T) {
	var ended, failures, started, lost atomic.Int32
	p := newPool(t, Options{Bounds: Bounds{Workers: 1, Timeout: 40 * time.Millisecond}, WorkerMaxJobs: 2, nice: 1, Observer: Observer{
		Ended: func(why script.Reason, waited, took time.Duration) {
			ended.Add(1)
			if why != "" {
				failures.Add(1)
			}
			if waited < 0 || took < 0 {
				t.Errorf("it waited %v and took %v", waited, took)
			}
		},
		Started: func(time.Duration) { started.Add(1) },
		Lost:    func() { lost.Add(1) },
	}})
	if o := run(t, p, onePart(`const merge = (b, c) => new Array(4e8).join("abc")`)); told(o) != "timeout" {
		t.Fatalf("a loop without end: %+v", o.Failure)
	}
	for range 4 {
		still(t, p)
	}
	p.Close()
	if ended.Load() != 5 || failures.Load() != 1 || started.Load() != 3 || lost.Load() != 1 {
		t.Errorf("%d jobs ended, %d of them failed, %d workers started, %d lost; want 5, 1, 3, 1", ended.Load(), failures.Load(), started.Load(), lost.Load())
	}
}

func TestCloseAnswersEverybodyOnce(t *testing.T) {
	const jobs = 10
	started := make(chan struct{}, jobs)
	p := newPool(t, Options{Bounds: Bounds{Workers: 2, Timeout: patience}, nice: 1,
		Observer: Observer{Started: func(time.Duration) { started <- struct{}{} }}})
	var answers [jobs]atomic.Int32
	for i := range jobs {
		p.Run(onePart(`function merge() { for (;;); }`), func(o script.Outcome) {
			answers[i].Add(1)
			if o.Failure == nil || *o.Failure != stopping {
				t.Errorf("job %d: %s, %+v", i, o.Results, o.Failure)
			}
		})
	}
	await(t, started)
	await(t, started)
	p.Close()
	p.Close()
	for i := range answers {
		if n := answers[i].Load(); n != 1 {
			t.Errorf("job %d was answered %d times", i, n)
		}
	}
	if o := run(t, p, onePart(``)); o.Failure == nil || *o.Failure != stopping {
		t.Errorf("after the end: %s, %+v", o.Results, o.Failure)
	}
	if f := check(t, p, ``); f == nil || *f != stopping {
		t.Errorf("a check after the end: %+v", f)
	}
}

func TestCloseWhileHeld(t *testing.T) {
	p := newPool(t, Options{})
	p.Hold()
	outcomes := make(chan script.Outcome, 1)
	p.Run(onePart(``), func(o script.Outcome) { outcomes <- o })
	p.Close()
	if o := await(t, outcomes); o.Failure == nil || *o.Failure != stopping {
		t.Errorf("%s, %+v", o.Results, o.Failure)
	}
}
