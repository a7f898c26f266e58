// Package quickjs runs operators' merge code: JavaScript on QuickJS, in processes of its own. It fulfils script.Runner, and is
// the only door to modernc.org/quickjs.
//
// An engine inside the service could not be bounded: a script can want all memory, and some native loops of QuickJS do not look
// at their deadline. So the service starts itself again as workers (Serve), gives them jobs as lines of JSON, and kills a worker
// that is late. What guards against a script, from the inside out:
//
//   - The engine: a fresh realm for each part, a limit of memory, of stack and of evaluation time. It has no files, modules,
//     timers, clock or randomness: new Date() without arguments, Date.now and Math.random throw, and local time is UTC. What
//     depends on the garbage collector or on other threads is not there (WeakRef, FinalizationRegistry, Atomics,
//     SharedArrayBuffer), and neither is the accessor __proto__, so that a member of that name is one like any other.
//   - The process: no environment, no descriptors, limits of memory, files and core dumps, the lowest priority, a process group
//     of its own. The kernel ends it with the service.
//   - The Pool: bounded workers, a bounded queue, a bounded size of each job and each result, and a wall clock that ends in
//     SIGKILL. What a worker answers is believed as little as what any client sends.
//
// # What a source defines
//
// A source is a script, not a module. It runs once for each part, without the documents, and has then defined
//
//	merge(base, client, server, ctx)
//
// or, as Kinvey's clients know it,
//
//	customEntityMerge(clientEntity, serverEntity)
//
// merge is taken if both are there. A missing side is undefined; ctx is script.Context with path and document, frozen. What the
// function returns becomes the part, as JSON.stringify has it: toJSON is called, members that are undefined are left out.
// undefined as the whole result of merge removes the part. What JSON.stringify would lose in silence is script.Garbage: NaN and
// infinities, functions, symbols, holes and undefined in arrays, objects without JSON (a Promise, Map, Set, RegExp); so are
// cycles, BigInt, unpaired surrogates and nesting beyond jsonvalue.MaxDepth, and nothing from customEntityMerge.
//
// Numbers in JavaScript are doubles. A job with a number that its nearest double would change is refused before anything
// runs: script.Input.
//
// # Why a script failed
//
// Running out of memory or of stack is script.Memory. A script may catch both, and go on; it cannot catch its deadline. The
// detail of an exception is its name, if it is one of the language, and its place in the source: the message may hold contents
// of documents. Only what happens before the first document is there keeps its message.
package quickjs
