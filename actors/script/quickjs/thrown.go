package quickjs

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"modernc.org/quickjs"

	"concord/actors/script"
)

// lost is why a result cannot be JSON, as the prelude numbers it.
type lost int

// The last one, which Go finds too.
const lostTooLarge lost = 7

func (l lost) String() string {
	switch l {
	case 1:
		return "it returned nothing"
	case 2:
		return "its result holds a function, a symbol or a BigInt"
	case 3:
		return "its result holds a number that is not finite"
	case 4:
		return "its result holds an array with an element that is undefined"
	case 5:
		return "its result holds an object that JSON cannot hold, such as a Promise or a Map"
	case 6:
		return "its result cannot be written as JSON: it has a cycle, or throws when it is read"
	case lostTooLarge:
		return "its result is too large"
	default:
		return "its result is no JSON"
	}
}

// Messages of the engine's own exceptions.
const (
	outOfMemory   = "out of memory"
	stackOverflow = "stack overflow"
)

// knownNames are the exceptions that a detail may name: any other name may be a content of a document.
var knownNames = map[string]bool{
	"Error": true, "TypeError": true, "RangeError": true, "ReferenceError": true, "SyntaxError": true, "EvalError": true,
	"URIError": true, "InternalError": true, "AggregateError": true, "NoClock": true, "NoRandomness": true,
}

// thrown is the failure that an exception means. The engine throws null where it has no memory or stack left to make an
// exception, so that a script that throws null itself is told the same.
func (p *program) thrown(err error, blank bool) *failure {
	e, ok := errors.AsType[*quickjs.Error](err)
	switch {
	case !ok:
		return &failure{Reason: script.Memory, Detail: outOfMemory}
	case e.Name == "InternalError" && strings.HasPrefix(e.Message, outOfMemory), e.Name == "" && e.Error() == "null":
		return &failure{Reason: script.Memory, Detail: outOfMemory}
	case e.Message == stackOverflow && (e.Name == "InternalError" || e.Name == "SyntaxError"):
		return &failure{Reason: script.Memory, Detail: stackOverflow}
	}
	reason, detail := script.Threw, "an exception"
	switch {
	case blank && e.Name == "SyntaxError":
		reason, detail = script.Syntax, e.Message
	case blank && e.Error() != "":
		detail = e.Error()
	case knownNames[e.Name]:
		detail = e.Name
	}
	detail = oneLine(detail)
	if line, column, ok := p.place(e.Stack); ok {
		detail += fmt.Sprintf(" at line %d, column %d", line, column)
	}
	return &failure{Reason: reason, Detail: detail}
}

// Bounds of what is read of a stack trace.
const (
	traceMaxBytes = 4 << 10
	columnMax     = sourceMaxBytes
)

// place finds the innermost frame of the source in a stack trace: "at f (<eval>:3:12)" or "at <eval>:3:12". A script can
// write a trace of its own, but no more than two small numbers of it are used.
func (p *program) place(trace string) (line, column int, ok bool) {
	trace = trace[:min(len(trace), traceMaxBytes)]
	for frame := range strings.Lines(trace) {
		_, numbers, found := strings.Cut(strings.TrimSpace(frame), "<eval>:")
		if !found {
			continue
		}
		first, second, _ := strings.Cut(strings.TrimSuffix(numbers, ")"), ":")
		line, err := strconv.Atoi(first)
		column, columnErr := strconv.Atoi(second)
		if err == nil && columnErr == nil && 1 <= line && line <= p.lines && 1 <= column && column <= columnMax {
			return line, column, true
		}
	}
	return 0, 0, false
}
