package operations

import (
	"bytes"

	"concord/persistence"
)

// CountMerges tells of each version that came of a stale base how it came out. It is called with committed groups.
func CountMerges(merged func(resolution string)) func([]*persistence.Entry) {
	return func(group []*persistence.Entry) {
		for _, entry := range group {
			for i := range entry.Records {
				rec := entry.Records[i].Record
				if len(rec.GetParts()) == 0 || len(rec.GetData()) == 0 {
					continue
				}
				// It stands on the way of every commit, and the text is our own: a resolution is a word without escapes.
				if _, told, ok := bytes.Cut(rec.GetData(), []byte(`"resolution":"`)); ok {
					resolution, _, _ := bytes.Cut(told, []byte(`"`))
					merged(string(resolution))
				}
			}
		}
	}
}
