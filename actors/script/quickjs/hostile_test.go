package quickjs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"concord/actors/script"
)

// quick is for scripts that never end: nothing is gained by waiting for them.
func quick(t testing.TB) *Pool {
	return newPool(t, Options{Bounds: Bounds{Workers: 1, Timeout: 40 * time.Millisecond}, nice: 1})
}

// patient is for scripts that end by themselves, also on a busy machine.
func patient(t testing.TB) *Pool {
	return newPool(t, Options{Bounds: Bounds{Workers: 1, Timeout: 20 * time.Second}, Wall: patience, nice: 1})
}

// onePart is a job with a document on all sides.
func onePart(source string) script.Job {
	return script.Job{Source: source, Parts: []script.Part{{
		Path: "/documents/a", Document: "a", Base: []byte(`{"n":1}`), Client: []byte(`{"n":2}`), Server: []byte(`{"n":3}`),
	}}}
}

// still fails the test unless the pool does an ordinary job.
func still(t *testing.T, p *Pool) {
	t.Helper()
	o := run(t, p, onePart(`function merge(base, client, server) { return {n: base.n + client.n + server.n} }`))
	if o.Failure != nil || string(o.Results[0]) != `{"n":6}` {
		t.Fatalf("the pool is of no use afterwards: %s, %+v", o.Results, o.Failure)
	}
}

func TestScriptsThatNeverEnd(t *testing.T) {
	p := quick(t)
	for name, source := range map[string]string{
		"loop":                             `function merge() { for (;;); }`,
		"loop before there is a function":  `for (;;);`,
		"loop that catches all":            `function merge() { for (;;) { try { for (;;); } catch (e) {} finally { for (;;); } } }`,
		"loop in a sort":                   `function merge() { return [3, 2, 1].sort(() => { for (;;); }) }`,
		"loop in a getter of the result":   `function merge() { return {get n() { for (;;); }} }`,
		"loop in toJSON of the result":     `function merge() { return {toJSON() { for (;;); }} }`,
		"loop in a proxy as the result":    `function merge() { return new Proxy({}, {ownKeys() { for (;;); }}) }`,
		"loop in the message of a throw":   `function merge() { throw {toString() { for (;;); }} }`,
		"loop in the name of a throw":      `function merge() { throw {get name() { for (;;); }} }`,
		"loop in a generator":              `function merge() { return [...(function* () { for (;;); })()] }`,
		"loop in getter of the function":   `Object.defineProperty(globalThis, "merge", {get() { for (;;); }})`,
		"loop of interrupted generators":   `function merge() { function* g() { try { for (;;); } finally { yield* g() } } return [...g()] }`,
		"regular expression":               `function merge() { return /^(a+)+$/.test("a".repeat(60) + "b") }`,
		"a native loop over a huge array":  `function merge() { return new Array(4e8).join("abc") }`,
		"a native loop that finds nothing": `function merge() { return Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1) }`,
		"a native loop that copies":        `function merge() { return Array.prototype.copyWithin.call({length: 2 ** 53 - 1}, 0, 1) }`,
		"large powers":                     `function merge() { let n = 3n; for (;;) { n = n ** 999n % (2n ** 40000n) } }`,
		"functions made of text":           `function merge() { for (let i = 0;; i++) new Function("return " + i)() }`,
	} {
		t.Run(name, func(t *testing.T) {
			o := run(t, p, onePart(source))
			if o.Failure == nil || o.Failure.Reason != script.Timeout {
				t.Fatalf("it was not stopped: %.100s, %+v", o.Results, o.Failure)
			}
			still(t, p)
		})
	}
}

func TestScriptsThatWantTooMuch(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes this take minutes, and an engine has one thread: run without it")
	}
	p := patient(t)
	before := residentPeak(t)
	for name, row := range map[string]struct {
		source string
		want   script.Reason
		or     script.Reason // what may come first
	}{
		"a string that doubles":           {source: `function merge() { let s = "0123456789"; for (;;) s = s.replace(/0/g, s) }`, want: script.Memory},
		"a string that is added to":       {source: `function merge() { let s = "x"; const all = []; for (;;) { s += s; all.push(s.toUpperCase()) } }`, want: script.Memory, or: script.Threw},
		"a long string":                   {source: `function merge() { return "x".repeat(2 ** 29) }`, want: script.Memory},
		"a string that is too long":       {source: `function merge() { return "x".repeat(2 ** 30) }`, want: script.Threw},
		"a long array":                    {source: `function merge() { return new Array(3e8).fill(1) }`, want: script.Memory},
		"many objects":                    {source: `function merge() { const all = []; for (;;) all.push({}) }`, want: script.Memory},
		"a buffer":                        {source: `function merge() { return new ArrayBuffer(2 ** 30) }`, want: script.Memory},
		"recursion":                       {source: `function merge() { return merge() + 1 }`, want: script.Memory},
		"recursion in toJSON":             {source: `function merge() { return {toJSON() { return JSON.stringify(this) }} }`, want: script.Memory},
		"recursion in a getter":           {source: `function merge() { return {get n() { return this.n }} }`, want: script.Memory},
		"recursion of proxies":            {source: `function merge() { let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p }`, want: script.Memory},
		"a deep text":                     {source: `function merge() { return JSON.parse("[".repeat(5e6)) }`, want: script.Memory},
		"a deep result":                   {source: `function merge() { let v = []; for (let i = 0; i < 1e6; i++) v = [v]; return v }`, want: script.Memory},
		"a source that is nested deeply":  {source: strings.Repeat("(", 60_000), want: script.Memory},
		"a regular expression, nested":    {source: `function merge() { return new RegExp("(".repeat(1e6)) }`, want: script.Memory, or: script.Threw},
		"backtracking without end":        {source: `function merge() { return /((a?)*)*b/.test("a".repeat(1 << 20)) }`, want: script.Memory},
		"memory before there are any":     {source: `const all = []; for (;;) all.push(new Array(1000))`, want: script.Memory},
		"a result of much more than half": {source: `function merge() { return "x".repeat(30 << 20) }`, want: script.Garbage},
	} {
		t.Run(name, func(t *testing.T) {
			o := run(t, p, onePart(row.source))
			if o.Failure == nil || o.Failure.Reason != row.want && o.Failure.Reason != row.or {
				t.Fatalf("it got what it wanted: %.100s, %+v, want %s", o.Results, o.Failure, row.want)
			}
			still(t, p)
		})
	}
	const growthMaxBytes = 64 << 20
	if growth := residentPeak(t) - before; growth > growthMaxBytes {
		t.Errorf("this process has grown by %d MiB", growth>>20)
	}
}

// What a script returns, or throws: JSON, or the reason why there is none.
func TestReturns(t *testing.T) {
	p := patient(t)
	for name, row := range map[string]struct {
		expression string
		want       string // JSON, "removed", or a reason
	}{
		"an object":                     {`({b: 1, a: [true, null, "x"]})`, `{"b":1,"a":[true,null,"x"]}`},
		"null":                          {`null`, `null`},
		"a string":                      {`"a\u0000\u2028\u{1F600}"`, "\"a\\u0000\u2028\U0001F600\""},
		"a number":                      {`0.1 + 0.2`, `0.30000000000000004`},
		"minus zero":                    {`-0`, `0`},
		"undefined":                     {`undefined`, "removed"},
		"a member that is undefined":    {`({a: undefined, b: 1})`, `{"b":1}`},
		"an element that is undefined":  {`[1, undefined]`, "garbage"},
		"a hole":                        {`[1, , 2]`, "garbage"},
		"a function":                    {`(() => 1)`, "garbage"},
		"a function inside":             {`({a: () => 1})`, "garbage"},
		"a symbol":                      {`Symbol("x")`, "garbage"},
		"a symbol inside":               {`[Symbol("x")]`, "garbage"},
		"a cycle":                       {`(() => { const a = {}; a.a = a; return a })()`, "garbage"},
		"a BigInt":                      {`({n: 1n})`, "garbage"},
		"NaN":                           {`({n: NaN})`, "garbage"},
		"infinity":                      {`[-Infinity]`, "garbage"},
		"a number object":               {`[new Number(5), new String("s"), new Boolean(false)]`, `[5,"s",false]`},
		"a number object that is none":  {`new Number(NaN)`, "garbage"},
		"a date":                        {`new Date(0)`, `"1970-01-01T00:00:00.000Z"`},
		"a date that is none":           {`new Date(NaN)`, `null`},
		"local time is UTC":             {`new Date(2020, 6, 1).toISOString()`, `"2020-07-01T00:00:00.000Z"`},
		"a promise":                     {`Promise.resolve(1)`, "garbage"},
		"a promise that never resolves": {`new Promise(() => {})`, "garbage"},
		"an async function's result":    {`(async () => 1)()`, "garbage"},
		"a map":                         {`({m: new Map([[1, 2]])})`, "garbage"},
		"a regular expression":          {`/x/`, "garbage"},
		"a generator":                   {`(function* () { yield 1 })()`, "garbage"},
		"a typed array":                 {`new Uint8Array(3)`, "garbage"},
		"an instance of a class":        {`new (class A { n = 1 })()`, `{"n":1}`},
		"an object without prototype":   {`Object.assign(Object.create(null), {n: 1})`, `{"n":1}`},
		"a proxy":                       {`new Proxy({n: 1}, {})`, `{"n":1}`},
		"a proxy that lies":             {`new Proxy([], {get: (t, k) => k === "length" ? -1 : undefined})`, `[]`},
		"a proxy of length":             {`new Proxy([], {get: (t, k) => k === "length" ? 2 ** 53 - 1 : undefined})`, "garbage"},
		"a revoked proxy":               {`(() => { const r = Proxy.revocable({}, {}); r.revoke(); return r.proxy })()`, "garbage"},
		"toJSON":                        {`({toJSON() { return [1] }})`, `[1]`},
		"toJSON that throws":            {`({toJSON() { throw new Error("x") }})`, "garbage"},
		"toJSON of nothing":             {`({toJSON() { }})`, "garbage"},
		"a getter that throws":          {`({get n() { throw "x" }})`, "garbage"},
		"half of a pair":                {`"\ud83d"`, "garbage"},
		"a name that is half of a pair": {`({"\ud83d": 1})`, "garbage"},
		"nesting that is taken":         {nested(64), strings.Repeat("[", 64) + strings.Repeat("]", 64)},
		"nesting beyond it":             {nested(65), "garbage"},
		"a result that just fits":       {`"x".repeat(512 * 1024 - 2)`, `"` + strings.Repeat("x", 512<<10-2) + `"`},
		"a result that does not":        {`"x".repeat(512 * 1024 - 1)`, "garbage"},
		"a result too long as UTF-8":    {`"é".repeat(300 * 1024)`, "garbage"},
		"a throw of an error":           {`(() => { throw new RangeError("secret") })()`, "threw"},
		"a throw of a string":           {`(() => { throw "secret" })()`, "threw"},
		"a throw of an object":          {`(() => { throw {toString() { throw {toString() { throw 1 }} }} })()`, "threw"},
		"a throw of a proxy":            {`(() => { throw new Proxy({}, {get() { throw "x" }}) })()`, "threw"},
		"a throw of undefined":          {`(() => { throw undefined })()`, "threw"},
		"a throw like a deadline":       {`(() => { throw new InternalError("interrupted") })()`, "threw"},
		"eval":                          {`eval("client.n + server.n")`, `5`},
		"a function made of text":       {`new Function("a", "return a.n")(client)`, `2`},
		"eval of no program":            {`eval("(")`, "threw"},
		"an import":                     {`import("fs")`, "garbage"},
		"a clock":                       {`Date.now()`, "threw"},
		"a clock by new":                {`new Date()`, "threw"},
		"a clock by a call":             {`Date()`, "threw"},
		"a clock by its constructor":    {`new (new Date(0).constructor)()`, "threw"},
		"a clock by a subclass":         {`new (class extends Date {})()`, "threw"},
		"a clock by reflection":         {`Reflect.construct(Date, [], Date)`, "threw"},
		"a date that is an instance":    {`[new Date(5) instanceof Date, new Date(5).constructor === Date, Date.length, Date.UTC(1970)]`, `[true,true,7,0]`},
		"randomness":                    {`Math.random()`, "threw"},
		"a member named __proto__":      {`(() => { const o = {}; o["__proto__"] = client; return o })()`, `{"__proto__":{"n":2}}`},
	} {
		t.Run(name, func(t *testing.T) {
			o := run(t, p, onePart(fmt.Sprintf(`function merge(base, client, server, ctx) { return %s }`, row.expression)))
			if got := told(o); got != row.want {
				t.Errorf("it gave %.200s (%+v), want %.200s", got, o.Failure, row.want)
			}
			if o.Failure != nil && strings.Contains(o.Failure.Detail, "secret") {
				t.Errorf("the detail has a message: %s", o.Failure.Detail)
			}
		})
	}
	still(t, p)
}

// nested is an expression of an array in arrays.
func nested(depth int) string {
	return fmt.Sprintf(`(() => { let v = []; for (let i = 1; i < %d; i++) v = [v]; return v })()`, depth)
}

// told is the outcome of a job of one part in a word.
func told(o script.Outcome) string {
	switch {
	case o.Failure != nil:
		return string(o.Failure.Reason)
	case len(o.Results) != 1:
		return fmt.Sprintf("%d results", len(o.Results))
	case o.Results[0] == nil:
		return "removed"
	default:
		return string(o.Results[0])
	}
}

func TestSources(t *testing.T) {
	p := patient(t)
	for name, row := range map[string]struct{ source, want string }{
		"merge":                              {`function merge(base, client, server, ctx) { return [base, client, server] }`, `[{"n":1},{"n":2},{"n":3}]`},
		"merge as a constant":                {`const merge = (b, c, s) => s.n`, `3`},
		"merge in strict mode":               {`"use strict"; var merge = function () { return this === undefined }`, `true`},
		"customEntityMerge":                  {`function customEntityMerge(clientEntity, serverEntity) { serverEntity.n += clientEntity.n; return serverEntity }`, `{"n":5}`},
		"customEntityMerge of nothing":       {`function customEntityMerge(clientEntity, serverEntity) { }`, "garbage"},
		"customEntityMerge sees two":         {`function customEntityMerge() { return arguments.length }`, `2`},
		"both":                               {`function customEntityMerge() { return 1 } function merge() { return 2 }`, `2`},
		"merge that is no function":          {`const merge = 5; function customEntityMerge() { return 1 }`, `1`},
		"nothing":                            {``, "syntax"},
		"nothing that is a function":         {`var merge = {}`, "syntax"},
		"no program":                         {`function merge( {`, "syntax"},
		"the end of a wrapper":               {`function merge() { return 1 } })(); */ --> `, "syntax"},
		"the end of a comment":               {`*/ function merge() { return 1 } /*`, "syntax"},
		"a comment without end":              {`function merge() { return 1 } // `, `1`},
		"a comment of HTML":                  {"function merge() { return 1 } \n--> merge = 5", `1`},
		"a hash bang":                        {"#!/usr/bin/env node\nfunction merge() { return 1 }", `1`},
		"a module":                           {`export function merge() { return 1 }`, "syntax"},
		"an import":                          {`import fs from "fs"; function merge() { return 1 }`, "syntax"},
		"a return":                           {`return 1`, "syntax"},
		"an await":                           {`await 1; function merge() { return 1 }`, "syntax"},
		"a built-in, declared again":         {`let undefined = 1; function merge() { return 1 }`, "syntax"},
		"an exception":                       {`null.x; function merge() { return 1 }`, "threw"},
		"an early error of a regular":        {`function merge() { return /(/ }`, "syntax"},
		"a NUL":                              {"function merge() { return 1 }\x00", "syntax"},
		"no UTF-8":                           {"function merge() { return '\xff' }", "syntax"},
		"a byte order mark":                  {"\ufefffunction merge() { return 1 }", `1`},
		"a length that is taken":             {padded(sourceMaxBytes), `1`},
		"a length that is not":               {padded(sourceMaxBytes + 1), "syntax"},
		"documents are not there beforehand": {`var seen = typeof client + typeof base + typeof ctx; function merge() { return seen }`, `"undefinedundefinedundefined"`},
		"ctx cannot be changed":              {`function merge(b, c, s, ctx) { ctx.path = "x"; ctx.y = 1; return [Object.isFrozen(ctx), ctx.path] }`, `[true,"/documents/a"]`},
		"built-ins that were changed":        {`JSON.parse = JSON.stringify = Object.freeze = () => "x"; Array.isArray = Reflect.apply = null; function merge(b, c) { return [c] }`, `[{"n":2}]`},
		"a prototype with a trap":            {`Object.defineProperty(Object.prototype, "n", {set() { throw 1 }, get() { return 9 }}); function merge(b, c) { return c }`, `{"n":2}`},
		"toJSON of everything":               {`Object.prototype.toJSON = () => 7; function merge(b, c) { return c }`, `7`},
		"what the prelude has is its own":    {`function merge() { return [typeof keep, typeof Clock, typeof write, typeof parse].join() }`, `"undefined,undefined,undefined,undefined"`},
		"the function is its own caller":     {`function merge() { try { return String(merge.caller) } catch (e) { return e.name } }`, `"undefined"`},
		"no arguments of the caller":         {`function merge() { return new Error("x").stack.includes("document") }`, `false`},
	} {
		t.Run(name, func(t *testing.T) {
			o := run(t, p, onePart(row.source))
			if got := told(o); got != row.want {
				t.Errorf("it gave %.200s (%+v), want %.200s", got, o.Failure, row.want)
			}
			if f := check(t, p, row.source); (f != nil && f.Reason == script.Syntax) != (row.want == "syntax") {
				t.Errorf("the check says %+v", f)
			}
		})
	}
	still(t, p)
}

// padded is a source of some length.
func padded(bytes int) string {
	const start = `function merge() { return 1 } //`
	return start + strings.Repeat("x", bytes-len(start))
}
