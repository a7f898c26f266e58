package jsonvalue

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// hostileMaxDuration is far more than any linear work on such input takes, under the race detector
// too, and far less than quadratic work.
const hostileMaxDuration = 10 * time.Second

func wideObject(members int, name func(i int) string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"%s":0`, name(i))
	}
	b.WriteByte('}')
	return b.String()
}

func TestHostileTextIsQuick(t *testing.T) {
	deepest := func(inner string) string {
		return strings.Repeat(`{"a":[`, MaxDepth/2-1) + inner + strings.Repeat(`]}`, MaxDepth/2-1)
	}
	numbers := strings.Repeat("1,", 250_000) + "1"
	longName := `"` + strings.Repeat("k", 1<<20) + `":1`
	for name, row := range map[string]struct {
		text string
		want string // reason; empty: accepted
	}{
		"half a million brackets": {strings.Repeat("[", 512<<10), reasonDepth},
		"half a million braces":   {strings.Repeat(`{"":`, 512<<10), reasonDepth},
		"ten thousand levels":     {nested(10_000, ""), reasonDepth},
		"name of a mebibyte":      {"{" + longName + "}", ""},
		"twice":                   {"{" + longName + "," + longName + "}", reasonDuplicate},
		"string of escapes":       {`"` + strings.Repeat(`\ud83d\ude00`, 100_000) + `"`, ""},
		"string of quotes":        {`"` + strings.Repeat(`\"`, 500_000) + `"`, ""},
		"many names":              {wideObject(100_000, indexToken), ""},
		"many names, last one twice": {
			wideObject(100_001, func(i int) string { return indexToken(min(i, 99_999)) }), reasonDuplicate,
		},
		"many names, all the same": {wideObject(100_000, func(int) string { return "a" }), reasonDuplicate},
		"many escaped names": {
			wideObject(100_000, func(i int) string { return `\u006e` + indexToken(i) }), "",
		},
		"names with a long beginning": {
			wideObject(1000, func(i int) string { return strings.Repeat("n", 1000) + indexToken(i) }), "",
		},
		"many narrow objects":      {"[" + strings.Repeat(`{"a":1,"b":2},`, 50_000) + "{}]", ""},
		"many elements":            {"[" + numbers + "]", ""},
		"many elements, deep":      {deepest(numbers), ""},
		"digits":                   {strings.Repeat("9", 1<<20), ""},
		"fraction of zeros":        {"0." + strings.Repeat("0", 1<<20) + "1", ""},
		"digits in the exponent":   {"1e" + strings.Repeat("9", 1<<20), ""},
		"half of a long surrogate": {`"` + strings.Repeat(`\ud83d\ude00`, 100_000) + `\ud83d"`, reasonSurrogate},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			hash, err := Check([]byte(row.text))
			checked := time.Since(start)
			var refused *SyntaxError
			switch {
			case row.want == "" && err != nil:
				t.Fatal(err)
			case row.want != "" && (!errors.As(err, &refused) || refused.Reason != row.want):
				t.Fatalf("got %.200v, want %s", err, row.want)
			case row.want != "":
				t.Logf("refused in %v", checked)
				return
			}
			v := mustParse(t, row.text)
			if v.Hash() != hash || !Equal(v, mustParse(t, row.text)) {
				t.Error("the same text is not equal")
			}
			if len(v.Text()) != v.Size() {
				t.Error("the size differs")
			}
			if elapsed := time.Since(start); elapsed > hostileMaxDuration {
				t.Errorf("took %v", elapsed)
			}
			t.Logf("checked in %v", checked)
		})
	}
}

func TestHostileEditsAreQuick(t *testing.T) {
	numbers := mustParse(t, "["+strings.Repeat("1,", 250_000)+"1]")
	others := mustParse(t, "["+strings.Repeat("2,", 250_000)+"2]")
	names := mustParse(t, wideObject(40_000, indexToken))
	reversed := mustParse(t, wideObject(40_000, func(i int) string { return indexToken(39_999 - i) }))
	renamed := mustParse(t, wideObject(40_000, func(i int) string { return "x" + indexToken(i) }))
	deepA, deepB := numbers, others
	for range MaxDepth - 1 {
		deepA = NewArray(NewNull(), deepA, NewBool(true))
		deepB = NewArray(NewNull(), deepB, NewBool(false))
	}
	repeated := func(op ...Operation) Patch {
		var p Patch
		for len(p) < patchMaxOperations {
			p = append(p, op...)
		}
		return p[:patchMaxOperations]
	}
	last := Pointer{"39999"}
	applies := func(p Patch, v *Value) func() {
		return func() {
			var refused *PatchError
			if _, err := p.Apply(v, Limits{}); err != nil && !errors.As(err, &refused) {
				t.Error(err)
			}
		}
	}
	differs := func(a, b *Value) func() {
		return func() {
			if got, err := Diff(a, b).Apply(a, Limits{MaxBytes: 1 << 20}); err != nil || !Equal(got, b) {
				t.Errorf("does not apply: %v", err)
			}
			Changes(a, b)
		}
	}
	one := mustParse(t, "1")
	for name, work := range map[string]func(){
		"shuffled names":          func() { Equal(names, reversed) },
		"diff of shuffled names":  differs(names, reversed),
		"diff of other names":     differs(names, renamed),
		"diff of elements":        differs(numbers, others),
		"diff of deep elements":   differs(deepA, deepB),
		"merge of names":          func() { MergePatch(names, reversed) },
		"insert first":            applies(repeated(Operation{Op: OpAdd, Path: Pointer{"0"}, Value: one}), numbers),
		"remove first":            applies(repeated(Operation{Op: OpRemove, Path: Pointer{"0"}}), numbers),
		"replace the last member": applies(repeated(Operation{Op: OpReplace, Path: last, Value: one}), names),
		"remove and add a member": applies(repeated(
			Operation{Op: OpRemove, Path: last}, Operation{Op: OpAdd, Path: last, Value: one}), names),
		"move the document about": applies(repeated(
			Operation{Op: OpAdd, Path: Pointer{}, Value: NewArray(numbers)},
			Operation{Op: OpMove, From: Pointer{"0"}, Path: Pointer{}}), numbers),
		"copy and write": applies(repeated(
			Operation{Op: OpAdd, Path: Pointer{"a"}, Value: NewArray(one)},
			Operation{Op: OpCopy, From: Pointer{"a"}, Path: Pointer{"b"}}), names),
		"project each": func() { Project(deepA, []Pointer{{"*", "*", "*", "0"}, {"1", "1", "*"}}) },
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			work()
			elapsed := time.Since(start)
			t.Logf("took %v", elapsed)
			if elapsed > hostileMaxDuration {
				t.Error("too slow")
			}
		})
	}
}

// TestClassesBoundCollisions: hashes can be made to collide, so a full bucket must not be searched
// for ever.
func TestClassesBoundCollisions(t *testing.T) {
	c := classes{walker: newWalker(false), byHash: map[uint64][]class{}}
	hash := c.walker.summary(NewString("0")).hash
	for i := range classBucketMaxCount {
		c.byHash[hash] = append(c.byHash[hash], class{number: i, value: NewNull()})
	}
	c.count = classBucketMaxCount
	first, second := c.number(NewString("0")), c.number(NewString("0"))
	if first == second || len(c.byHash[hash]) != classBucketMaxCount {
		t.Errorf("classes %d and %d, bucket of %d", first, second, len(c.byHash[hash]))
	}
}
