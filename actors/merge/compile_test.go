package merge

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
)

func TestCompile(t *testing.T) {
	for name, row := range map[string]struct {
		rules []string
		want  string // the index, the member and the beginning of the reason; empty if the rules are taken
	}{
		"no rules":                         {nil, ""},
		"one of each":                      {[]string{"/metadata/a atomic", "/metadata/b set", "/metadata/c keyed id", "/metadata/d counter", "/metadata/e max", "/metadata/f min", "/metadata/g client", "/metadata/h server"}, ""},
		"exactly at the parts":             {[]string{"/metadata atomic", "/documents/* server", "/documents/a client"}, ""},
		"the whole collection":             {[]string{" atomic"}, "0 path: not below"},
		"all documents together":           {[]string{"/metadata/x set", "/documents atomic"}, "1 path: not below"},
		"something else":                   {[]string{"/version server"}, "0 path: not below"},
		"a star for the part":              {[]string{"/*/x server"}, "0 path: not below"},
		"a strategy that is unknown":       {[]string{"/metadata/x newest"}, "0 strategy: unknown"},
		"no strategy":                      {[]string{"/metadata/x "}, "0 strategy: unknown"},
		"keyed without a key":              {[]string{"/metadata/x keyed"}, "0 key: keyed needs"},
		"a key of a set":                   {[]string{"/metadata/x set id"}, "0 key: only keyed"},
		"one path twice":                   {[]string{"/metadata/x set", "/metadata/y set", "/metadata/x max"}, "2 path: rule 0 has the same"},
		"one path twice, spelled alike":    {[]string{"/metadata/a~1b set", "/metadata/a~1b set"}, "1 path: rule 0"},
		"a star and a name":                {[]string{"/metadata/* set", "/metadata/x max"}, ""},
		"below an atomic one":              {[]string{"/metadata/x atomic", "/metadata/x/y max"}, "1 path: it is never reached: rule 0"},
		"below one that comes later":       {[]string{"/metadata/x/y/z max", "/metadata/x counter"}, "0 path: it is never reached: rule 1"},
		"below a star":                     {[]string{"/documents/* server", "/documents/a/b max"}, "1 path: it is never reached: rule 0"},
		"a star below a star":              {[]string{"/metadata/* set", "/metadata/*/n max"}, "1 path: it is never reached: rule 0"},
		"a star below a name":              {[]string{"/metadata/x set", "/metadata/*/n max"}, ""},
		"below the other part":             {[]string{"/metadata atomic", "/documents/a/b max"}, ""},
		"below a keyed one":                {[]string{"/metadata/x keyed id", "/metadata/x/*/n max"}, ""},
		"below a keyed one in an atomic":   {[]string{"/metadata atomic", "/metadata/x keyed id"}, "1 path: it is never reached: rule 0"},
		"a keyed one takes it from a star": {[]string{"/metadata/* atomic", "/metadata/x keyed id", "/metadata/x/*/n max"}, ""},
		"some of it is taken":              {[]string{"/metadata/* atomic", "/metadata/x keyed id", "/metadata/*/*/n max"}, ""},
		"another is taken":                 {[]string{"/metadata/* atomic", "/metadata/x keyed id", "/metadata/y/*/n max"}, "2 path: it is never reached: rule 0"},
		"the more exact one decides":       {[]string{"/metadata/* keyed id", "/metadata/x set", "/metadata/x/a/n max"}, "2 path: it is never reached: rule 1"},
		"the first mistake is told":        {[]string{"/metadata/x newest", "/nothing set"}, "0 strategy"},
		"as deep as can be":                {[]string{"/metadata" + strings.Repeat("/*", 63) + " set"}, ""},
		"too deep":                         {[]string{"/metadata" + strings.Repeat("/*", 64) + " set"}, "0 path: deeper than 64"},
	} {
		t.Run(name, func(t *testing.T) {
			var rules []Rule
			for _, text := range row.rules {
				rules = append(rules, ruleOf(t, text))
			}
			got := ""
			_, err := Compile(rules)
			var refused *RuleError
			if errors.As(err, &refused) {
				got = fmt.Sprintf("%d %s", refused.Index, refused)
			}
			if !strings.HasPrefix(got, row.want) || (got == "") != (row.want == "") {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

// ruleOf reads a path, a strategy and a key, of which the last ones may be missing.
func ruleOf(t testing.TB, text string) Rule {
	t.Helper()
	path, rest, _ := strings.Cut(text, " ")
	strategy, key, _ := strings.Cut(rest, " ")
	p, err := jsonvalue.ParsePointer(path)
	if err != nil {
		t.Skip("no pointer")
	}
	return Rule{Path: p, Strategy: Strategy(strategy), Key: key}
}

func TestTooManyRules(t *testing.T) {
	var rules []Rule
	for i := range rulesMax + 1 {
		rules = append(rules, Rule{Path: jsonvalue.Pointer{"metadata", fmt.Sprint(i)}, Strategy: Set})
	}
	if _, err := Compile(rules[:rulesMax]); err != nil {
		t.Error(err)
	}
	var refused *RuleError
	if _, err := Compile(rules); !errors.As(err, &refused) || refused.Index != rulesMax {
		t.Errorf("got %v", err)
	}
}

// TestRulesAreCopied: whoever writes to the rules afterwards does not change what was compiled.
func TestRulesAreCopied(t *testing.T) {
	rules := []Rule{{Path: jsonvalue.Pointer{"metadata", "a"}, Strategy: Server}}
	c := compiled(t, rules)
	rules[0].Path[1], rules[0].Strategy = "b", Client
	merged, _ := Merge(parsed(`{"a":1}`), parsed(`{"a":2}`), parsed(`{"a":1}`), c, metadata, Neither)
	if text(merged) != `{"a":1}` {
		t.Error(text(merged))
	}
}

// TestRuleOfAPath: the trie finds what a search through all rules finds.
func TestRuleOfAPath(t *testing.T) {
	tokens := rapid.SampledFrom([]string{"a", "b", "c", "id", "", "1", "x", "~/", "*", "other"})
	rapid.Check(t, func(t *rapid.T) {
		rules := drawnRules(t, drawnSides(t))
		path := append(slices.Clone(metadata), rapid.SliceOfN(tokens, 0, 5).Draw(t, "tokens")...)
		want, ok := dumbMatch(rules, path)
		p := compiled(t, rules).start(path)
		for length := range path {
			if r, ok := dumbMatch(rules, path[:length]); ok && r.Strategy == Keyed && len(path) > length+1 && path[length+1] == r.Key {
				return // the key of an element has no rule
			}
		}
		if found := p != nil && p.rule != nil; found != ok || found && !slices.Equal(p.rule.Path, want.Path) {
			t.Fatalf("rules %v: %v at %s", rules, p, path)
		}
	})
}

// dumbRefused says if Compile must refuse the rules, pair by pair.
func dumbRefused(rules []Rule) bool {
	for i, r := range rules {
		if member, _ := r.mistake(); member != "" {
			return true
		}
		for _, other := range rules[:i] {
			if slices.Equal(r.Path, other.Path) {
				return true
			}
		}
		for _, above := range rules {
			if len(above.Path) >= len(r.Path) || above.Strategy == Keyed || !dumbCovers(above.Path, r.Path) {
				continue
			}
			shielded := slices.ContainsFunc(rules, func(k Rule) bool {
				return k.Strategy == Keyed && len(k.Path) == len(above.Path) && overlaps(k.Path, r.Path) && moreExact(k.Path, above.Path)
			})
			if !shielded {
				return true
			}
		}
	}
	return len(rules) > rulesMax
}

func dumbCovers(p, q jsonvalue.Pointer) bool {
	for i := range p {
		if p[i] != "*" && p[i] != q[i] {
			return false
		}
	}
	return true
}

// TestRefusedRulesAreNeverReached: no path at all leads to a rule that is refused because of one above it.
func TestRefusedRulesAreNeverReached(t *testing.T) {
	tokens := rapid.SampledFrom([]string{"a", "b", "*"})
	rapid.Check(t, func(t *rapid.T) {
		var rules []Rule
		paths := rapid.SliceOfNDistinct(rapid.SliceOfN(tokens, 0, 3), 1, 8, func(p []string) string { return strings.Join(p, "/") })
		for _, p := range paths.Draw(t, "paths") {
			r := Rule{Path: append(slices.Clone(metadata), p...), Strategy: Keyed, Key: "key"}
			if rapid.IntRange(0, 2).Draw(t, "decides") == 0 {
				r.Strategy, r.Key = Atomic, ""
			}
			rules = append(rules, r)
		}
		var refused *RuleError
		if _, err := Compile(rules); !errors.As(err, &refused) {
			return
		}
		never := rules[refused.Index]
		for _, path := range allPaths(metadata, len(never.Path)) {
			if got, ok := dumbRule(rules, metadata, path); ok && slices.Equal(got.Path, never.Path) {
				t.Fatalf("rules %v: %v, but %s leads there", rules, refused, path)
			}
		}
	})
}

// allPaths are those of the length that begin with p.
func allPaths(p jsonvalue.Pointer, length int) (paths []jsonvalue.Pointer) {
	if len(p) == length {
		return []jsonvalue.Pointer{p}
	}
	for _, token := range []string{"a", "b", "other"} {
		paths = append(paths, allPaths(append(slices.Clone(p), token), length)...)
	}
	return paths
}

// FuzzCompile: rules are taken or refused as the dumb version does, and a refusal names a rule and a member.
func FuzzCompile(f *testing.F) {
	f.Add("/metadata/x keyed id\n/metadata/x/*/n counter")
	f.Add("/metadata/* atomic\n/metadata/x keyed id\n/metadata/*/*/n max\n/documents/* server")
	f.Add("/metadata atomic\n/metadata/a~1~0 set x\n\n/documents/a/b newest")
	f.Fuzz(func(t *testing.T, text string) {
		rules := rulesOf(t, text)
		_, err := Compile(rules)
		if (err != nil) != dumbRefused(rules) {
			t.Fatalf("%q: %v", text, err)
		}
		var refused *RuleError
		if err == nil {
			return
		}
		if !errors.As(err, &refused) || refused.Index < 0 || refused.Index >= len(rules) || refused.Reason == "" ||
			!slices.Contains([]string{"path", "strategy", "key"}, refused.Member) {
			t.Fatalf("%q: %#v", text, err)
		}
	})
}

// rulesOf reads a rule a line.
func rulesOf(t testing.TB, text string) []Rule {
	const rulesFuzzedMax = 60
	var rules []Rule
	for line := range strings.Lines(text) {
		if len(rules) == rulesFuzzedMax {
			break
		}
		rules = append(rules, ruleOf(t, strings.TrimRight(line, "\n")))
	}
	return rules
}
