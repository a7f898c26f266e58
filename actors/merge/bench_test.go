package merge

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"concord/actors/jsonvalue"
)

// shape is a kind of input for the benchmarks and the tests of hostile inputs. Each side is a text of about size bytes.
type shape struct {
	name  string
	rules []Rule
	sides func(size int) [3]string
}

func keyedRules(more ...string) []Rule {
	rules := []Rule{{Path: jsonvalue.Pointer{"metadata", "l"}, Strategy: Keyed, Key: "id"}}
	for _, text := range more {
		path, strategy, _ := strings.Cut(text, " ")
		p, err := jsonvalue.ParsePointer(path)
		if err != nil {
			panic(err)
		}
		rules = append(rules, Rule{Path: p, Strategy: Strategy(strategy)})
	}
	return rules
}

// Each shape has edits of both sides, all over the value: every 100th item is the client's, others the server's.
var shapes = []shape{
	{"wide", nil, func(size int) [3]string {
		return sidesOf(size/24, "{", "}", forward, func(i, edit int) string { return fmt.Sprintf(`"name%d":"value %d"`, i, edit) })
	}},
	{"wide-shuffled", nil, func(size int) [3]string {
		return sidesOf(size/24, "{", "}", scattered, func(i, edit int) string { return fmt.Sprintf(`"name%d":"value %d"`, i, edit) })
	}},
	{"records", nil, func(size int) [3]string {
		return sidesOf(size/120, "{", "}", forward, func(i, edit int) string { return fmt.Sprintf(`"r%d":%s`, i, record(i, edit)) })
	}},
	{"deep", nil, func(size int) [3]string {
		return sidesOf(size/360, "{", "}", forward, func(i, edit int) string {
			return fmt.Sprintf(`"c%d":`, i) + strings.Repeat(`{"a":`, 60) + fmt.Sprint(edit) + strings.Repeat(`}`, 60)
		})
	}},
	{"one-chain", nil, func(size int) [3]string {
		return chain(size)
	}},
	{"conflicts", nil, func(size int) (sides [3]string) {
		for side := range sides {
			members := make([]string, size/12)
			for i := range members {
				members[i] = fmt.Sprintf(`"%d":%d`, i, side)
			}
			sides[side] = strings.Repeat(`{"a":`, 60) + "{" + strings.Join(members, ",") + strings.Repeat("}", 61)
		}
		return sides
	}},
	{"array", nil, func(size int) [3]string {
		sides := sidesOf(size/120, `{"l":[`, `]}`, forward, record)
		sides[1] = sides[0][:len(sides[0])-2] + `,1]}`
		return [3]string{sides[0], sides[1], sides[0]}
	}},
	{"keyed", keyedRules("/metadata/l/*/weight counter"), func(size int) [3]string {
		return sidesOf(size/120, `{"l":[`, `]}`, forward, record)
	}},
	{"keyed-small", keyedRules(), func(size int) [3]string {
		return sidesOf(size/20, `{"l":[`, `]}`, forward, func(i, edit int) string { return fmt.Sprintf(`{"id":%d,"n":%d}`, i, edit) })
	}},
	{"keyed-scattered", keyedRules(), func(size int) [3]string {
		return sidesOf(size/120, `{"l":[`, `]}`, scattered, record)
	}},
	{"keyed-nested", keyedRules("/metadata/l/*/tags set"), func(size int) [3]string {
		return sidesOf(size/60, `{"l":[`, `]}`, forward, func(i, edit int) string {
			return fmt.Sprintf(`{"id":"k%d","tags":["a","b","t%d"],"n":%d}`, i, edit, i)
		})
	}},
	{"set", []Rule{{Path: jsonvalue.Pointer{"metadata", "l"}, Strategy: Set}}, func(size int) [3]string {
		return sidesOf(size/18, `{"l":[`, `]}`, scattered, func(i, edit int) string { return fmt.Sprintf(`"heading %d.%d"`, i, edit) })
	}},
	{"set-objects", []Rule{{Path: jsonvalue.Pointer{"metadata", "l"}, Strategy: Set}}, func(size int) [3]string {
		return sidesOf(size/120, `{"l":[`, `]}`, scattered, record)
	}},
	{"rules", manyRules(), func(size int) [3]string {
		return sidesOf(size/120, "{", "}", forward, func(i, edit int) string { return fmt.Sprintf(`"r%d":%s`, i, record(i, edit)) })
	}},
}

func record(i, edit int) string {
	return fmt.Sprintf(`{"id":%d,"tag":"650","ind1":" ","heading":"Jazz -- United States -- %d","uri":null,"weight":%d.25}`, i, edit, edit)
}

// manyRules overlap: at each level a name and the star.
func manyRules() []Rule {
	var rules []Rule
	for i := range rulesMax - 24 {
		rules = append(rules, Rule{Path: jsonvalue.Pointer{"metadata", fmt.Sprintf("r%d", i), "weight"}, Strategy: Counter})
	}
	for i := range 16 {
		p := jsonvalue.Pointer{"metadata", "*", "*", "*", "*", "*"}
		for bit := range 4 {
			if i>>bit&1 == 1 {
				p[bit+1] = "a"
			}
		}
		rules = append(rules, Rule{Path: p, Strategy: Max})
	}
	return rules
}

type order func(i, n int) int

func forward(i, _ int) int { return i }

// scattered is another order of 0 to n-1.
func scattered(i, n int) int { return n - 1 - i ^ 1 }

// sidesOf makes three sides of n items. The order is of the client and, turned round, of the server.
func sidesOf(n int, open, closing string, order order, item func(i, edit int) string) [3]string {
	n &^= 1
	var sides [3]string
	for side := range sides {
		items := make([]string, n)
		for i := range n {
			at, edit := i, 0
			switch side {
			case 1:
				at = order(i, n)
			case 2:
				at = n - 1 - order(n-1-i, n)
			}
			if side > 0 && at%100 == side {
				edit = side
			}
			items[i] = item(at, edit)
		}
		sides[side] = open + strings.Join(items, ",") + closing
	}
	return sides
}

// chain is one object in the other, each with wide neighbours.
func chain(size int) (sides [3]string) {
	for side := range sides {
		var b strings.Builder
		for level := range 60 {
			b.WriteByte('{')
			for i := range size / 60 / 16 {
				fmt.Fprintf(&b, `"n%d":%d,`, i, (level+i)%100/98*side)
			}
			b.WriteString(`"a":`)
		}
		sides[side] = b.String() + "1" + strings.Repeat("}", 60)
	}
	return sides
}

func (s shape) parsed(size int) triple {
	texts := s.sides(size)
	return triple{parsed(texts[0]), parsed(texts[1]), parsed(texts[2])}
}

// reportCPU reports the time of the processor beside that of the clock, which says little on a machine that others use.
func reportCPU(b *testing.B) func() {
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := used()
	return func() { b.ReportMetric(float64((used()-before).Nanoseconds())/float64(b.N), "cpu-ns/op") }
}

func BenchmarkMerge(b *testing.B) {
	for _, s := range shapes {
		for _, size := range []int{8 << 10, 512 << 10} {
			sides, rules := s.parsed(size), compiled(b, s.rules)
			b.Run(fmt.Sprintf("%s/%dKiB", s.name, size>>10), func(b *testing.B) {
				b.ReportAllocs()
				defer reportCPU(b)()
				for b.Loop() {
					Merge(sides.base, sides.client, sides.server, rules, metadata, ServerSide)
				}
			})
		}
	}
}

// BenchmarkMergeText is with the parsing of the three sides and the writing of the result.
func BenchmarkMergeText(b *testing.B) {
	for _, s := range shapes {
		texts, rules := s.sides(512<<10), compiled(b, s.rules)
		b.Run(s.name+"/512KiB", func(b *testing.B) {
			b.ReportAllocs()
			defer reportCPU(b)()
			for b.Loop() {
				merged, _ := Merge(parsed(texts[0]), parsed(texts[1]), parsed(texts[2]), rules, metadata, ServerSide)
				_ = merged.Text()
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	rules := manyRules()
	b.ReportAllocs()
	for b.Loop() {
		compiled(b, rules)
	}
}
