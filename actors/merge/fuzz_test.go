package merge

import (
	"testing"

	"concord/actors/jsonvalue"
)

// FuzzMerge: any three values and any rules are merged as the dumb version does.
func FuzzMerge(f *testing.F) {
	const textMaxBytes = 4 << 10
	f.Add(`{"a":1,"b":[1,2]}`, `{"a":2,"b":[2,1]}`, `{"a":3,"b":[1,2,3]}`, "/metadata/b set\n/metadata/a counter")
	f.Add(`[{"id":1},{"id":"x","n":1}]`, `[{"id":"x","n":2},{"id":1}]`, `[{"id":1},{"id":3},{"id":"x","n":4}]`,
		"/metadata keyed id\n/metadata/*/n max\n/metadata/1 server")
	f.Add(`{"l":[{"id":"a","l":[{"id":1}]}]}`, `{"l":[{"id":"a","l":[{"id":2},{"id":1.0}]}]}`, `{"l":[]}`,
		"/metadata/l keyed id\n/metadata/l/*/l keyed id")
	f.Add(``, `{"":{"~":1e999999999}}`, `{"":{"~":-0}}`, "/metadata//~0 counter")
	f.Fuzz(func(t *testing.T, base, client, server, text string) {
		var sides triple
		for _, side := range []struct {
			text string
			to   **jsonvalue.Value
		}{{base, &sides.base}, {client, &sides.client}, {server, &sides.server}} {
			v, err := jsonvalue.Parse([]byte(side.text))
			if side.text != "" && err != nil || len(side.text) > textMaxBytes {
				return
			}
			if err == nil {
				*side.to = v
			}
		}
		rules := rulesOf(t, text)
		if _, err := Compile(rules); err != nil {
			rules = nil
		}
		compareWithDumb(t, sides, rules, metadata)
	})
}
