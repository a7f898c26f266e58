package operations

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"concord/actors/collection"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/transport/api"
)

// content is what the model knows of one version: deliberately dumb, a full copy each time.
type content struct {
	live      bool
	metadata  string
	documents map[string]string
	written   map[string]uint64 // version of each document
	time      time.Time
}

// model is a collection as a list of full copies, the first for version 0.
type model struct {
	versions []content
	revived  bool // a revert has gone back over a deletion: documents may be older than the version that shows them again
}

func (m *model) newest() content { return m.versions[len(m.versions)-1] }
func (m *model) version() uint64 { return uint64(len(m.versions) - 1) }

// save appends a version if it differs, as the service must.
func (m *model) save(c content, now time.Time) (changed bool) {
	old := m.newest()
	if old.live == c.live && equal(old.metadata, c.metadata) && len(old.documents) == len(c.documents) {
		same := true
		for id, text := range c.documents {
			before, ok := old.documents[id]
			same = same && ok && equal(before, text)
		}
		if same {
			return false
		}
	}
	next := uint64(len(m.versions))
	c.written = map[string]uint64{}
	for id, text := range c.documents {
		c.written[id] = next
		if before, ok := old.documents[id]; ok && old.live && equal(before, text) {
			c.written[id] = old.written[id]
			c.documents[id] = before // the bytes that were accepted first stay
		}
	}
	if old.live && equal(old.metadata, c.metadata) {
		c.metadata = old.metadata
	}
	c.time = now
	m.versions = append(m.versions, c)
	return true
}

func equal(a, b string) bool {
	same, err := jsonvalue.EqualText([]byte(a), []byte(b))
	return err == nil && same
}

func (c content) clone() content {
	c.documents = maps.Clone(c.documents)
	return c
}

var texts = []string{`1`, `1.0`, `"a"`, `{"a":1}`, `{"a":1,"b":[1,2]}`, `{ "a" : 1.00 }`, `[]`, `null`, `{"a":{"b":null}}`,
	`"` + strings.Repeat("x", 20_000) + `"`, `"` + strings.Repeat("y", 20_000) + `"`}

// TestHistoriesAgainstModel runs random histories of every write against a model that keeps a full copy of each
// version, and compares all that can be read: newest, old versions, times, single documents, diffs, history, blame.
func TestHistoriesAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fs := vfs.NewMem()
		b := start(t, fs)
		m := &model{versions: []content{{metadata: "{}", documents: map[string]string{}}}}
		for step := range rapid.IntRange(1, 25).Draw(rt, "steps") {
			b.clock.Set(b.clock.Now().Add(time.Duration(rapid.IntRange(0, 2).Draw(rt, "seconds")) * time.Second))
			oneWrite(rt, b, m)
			if step%8 == 7 {
				if rapid.Bool().Draw(rt, "restart") {
					b.stop()
					b = start(t, fs)
				}
				compareAll(rt, b, m)
			}
		}
		compareAll(rt, b, m)
		b.stop()
	})
}

func oneWrite(rt *rapid.T, b *bench, m *model) {
	now := b.clock.Now()
	id := rapid.SampledFrom([]string{"a", "b", "ü/ö", "z z"}).Draw(rt, "document")
	text := rapid.SampledFrom(texts).Draw(rt, "text")
	next := m.newest().clone()
	name, _ := json.Marshal(id)
	switch action := rapid.SampledFrom([]string{"put", "put-all", "put-metadata", "document", "remove", "delete",
		"revert", "patch", "merge"}).Draw(rt, "action"); action {
	case "put":
		if !next.live {
			next = content{live: true, metadata: "{}", documents: map[string]string{}}
		}
		write(rt, b, m, next, now, true, "collection.put", `{}`)
	case "put-all":
		all := map[string]string{}
		for _, d := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3,
			rapid.ID[string]).Draw(rt, "documents") {
			all[d] = text
		}
		if !next.live {
			next = content{live: true, metadata: "{}"}
		}
		next.documents = all
		raw := map[string]json.RawMessage{}
		for d, v := range all {
			raw[d] = json.RawMessage(v)
		}
		var parts []string
		for _, d := range slices.Sorted(maps.Keys(raw)) {
			n, _ := json.Marshal(d)
			parts = append(parts, string(n)+":"+string(raw[d]))
		}
		write(rt, b, m, next, now, true, "collection.put", `{"documents":{`+strings.Join(parts, ",")+`}}`)
	case "put-metadata":
		value := `{"v":` + text + `}`
		if !next.live {
			next = content{live: true, documents: map[string]string{}}
		}
		next.metadata = value
		write(rt, b, m, next, now, true, "collection.put", `{"metadata":`+value+`}`)
	case "document":
		next.documents[id] = text
		write(rt, b, m, next, now, next.live, "document.put", `{"value":`+text+`}`, inDocument(id))
	case "remove":
		_, there := next.documents[id]
		delete(next.documents, id)
		write(rt, b, m, next, now, next.live && there, "document.delete", ``, inDocument(id))
	case "delete":
		live := next.live
		next = content{metadata: "{}", documents: map[string]string{}}
		write(rt, b, m, next, now, live, "collection.delete", ``)
	case "revert":
		to := rapid.Uint64Range(0, m.version()+1).Draw(rt, "to")
		possible := m.version() > 0 && to > 0 && to <= m.version() && m.versions[to].live
		if to == m.version() && m.version() > 0 {
			possible = true // nothing to do, whatever it is
			next = m.newest().clone()
		} else if possible {
			next = m.versions[to].clone()
			for _, since := range m.versions[to:] {
				m.revived = m.revived || !since.live
			}
		}
		write(rt, b, m, next, now, possible, "collection.revert", fmt.Sprintf(`{"to":%d}`, to))
	case "patch":
		next.documents[id] = compact([]byte(text)) // what a patch makes is written anew
		write(rt, b, m, next, now, next.live, "collection.patch",
			`[{"op":"add","path":"`+jsonvalue.Pointer{"documents", id}.String()+`","value":`+text+`}]`,
			with("Content-Type", "application/json-patch+json"))
	case "merge":
		delete(next.documents, id)
		write(rt, b, m, next, now, next.live, "collection.patch", `{"documents":{`+string(name)+`:null}}`,
			with("Content-Type", "application/merge-patch+json"))
	}
}

func write(rt *rapid.T, b *bench, m *model, next content, now time.Time, possible bool, op, body string, o ...option) {
	reply, p := b.do(op, "c", body, o...)
	if !possible {
		if p == nil {
			rt.Fatalf("%s %s: accepted, but it is not possible: %s", op, body, reply.Body)
		}
		if p.Code != problem.NotFound && p.Code != problem.Invalid {
			rt.Fatalf("%s %s: %v", op, body, p)
		}
		return
	}
	if p != nil {
		rt.Fatalf("%s %s: %v", op, body, p)
	}
	changed := m.save(next, now)
	var r collection.Result
	if err := json.Unmarshal(reply.Body, &r); err != nil {
		rt.Fatal(err)
	}
	if r.Changed != changed || r.Version != m.version() {
		rt.Fatalf("%s %s: %+v, want version %d, changed %v", op, body, r, m.version(), changed)
	}
}

func compareAll(rt *rapid.T, b *bench, m *model) {
	for v := uint64(1); v <= m.version(); v++ {
		m.compareVersion(rt, b, m.versions[v], v, param("version", fmt.Sprint(v)))
	}
	if m.version() > 0 {
		m.compareVersion(rt, b, m.newest(), m.version())
	}
	for v := uint64(1); v < m.version(); v++ {
		compareDiff(rt, b, m, v, m.version())
		compareDiff(rt, b, m, m.version(), v)
	}
	compareHistory(rt, b, m)
}

func (m *model) compareVersion(rt *rapid.T, b *bench, want content, v uint64, o ...option) {
	reply, p := b.do("collection.get", "c", "", o...)
	if !want.live {
		if p == nil || p.Code != problem.NotFound {
			rt.Fatalf("version %d: %v, want it deleted", v, p)
		}
		return
	}
	if p != nil {
		rt.Fatalf("version %d: %v", v, p)
	}
	var got api.Collection
	if err := json.Unmarshal(reply.Body, &got); err != nil {
		rt.Fatalf("version %d: %v in %s", v, err, reply.Body)
	}
	documents := map[string]string{}
	for id, text := range got.Documents {
		documents[id] = string(text)
	}
	if diff := cmp.Diff(want.documents, documents); diff != "" {
		rt.Fatalf("version %d: documents (-want +got):\n%s", v, diff)
	}
	if diff := cmp.Diff(want.written, orEmpty(got.DocumentVersions)); diff != "" && !m.revived {
		rt.Fatalf("version %d: versions of documents (-want +got):\n%s", v, diff)
	}
	if want.metadata != string(got.Metadata) || got.Version != v || got.DocumentCount != uint64(len(want.documents)) {
		rt.Fatalf("version %d: %s, want metadata %s and %d documents", v, reply.Body, want.metadata, len(want.documents))
	}
	if !got.Updated.Equal(want.time) {
		rt.Fatalf("version %d: updated %v, want %v", v, got.Updated, want.time)
	}
}

func orEmpty(m map[string]uint64) map[string]uint64 {
	if m == nil {
		return map[string]uint64{}
	}
	return m
}

// compareDiff applies the patch that the service gives to the model's old version.
func compareDiff(rt *rapid.T, b *bench, m *model, from, to uint64) {
	if !m.newest().live && m.version() > 0 {
		// The history of a deleted collection stays readable.
		_ = must[api.HistoryPage](b, "collection.history", "c", "")
	}
	d := must[api.Diff](b, "collection.diff", "c", "", param("from", fmt.Sprint(from)), param("to", fmt.Sprint(to)))
	if !m.versions[from].live || !m.versions[to].live {
		return
	}
	patch, err := jsonvalue.ParsePatch(d.Patch)
	if err != nil {
		rt.Fatal(err)
	}
	got, err := patch.Apply(m.versions[from].tree(rt), jsonvalue.Limits{})
	if err != nil {
		rt.Fatalf("diff %d..%d %s: %v", from, to, d.Patch, err)
	}
	if want := m.versions[to].tree(rt); !jsonvalue.Equal(got, want) {
		rt.Fatalf("diff %d..%d %s: gives %s, want %s", from, to, d.Patch, got.Text(), want.Text())
	}
}

func (c content) tree(rt *rapid.T) *jsonvalue.Value {
	parse := func(text string) *jsonvalue.Value {
		v, err := jsonvalue.Parse([]byte(text))
		if err != nil {
			rt.Fatal(err)
		}
		return v
	}
	documents := jsonvalue.NewObject()
	for id, text := range c.documents {
		documents = jsonvalue.With(documents, id, parse(text))
	}
	return jsonvalue.NewObject(jsonvalue.Member{Name: "metadata", Value: parse(c.metadata)},
		jsonvalue.Member{Name: "documents", Value: documents})
}

// compareHistory pages through the history, and through the state at each time.
func compareHistory(rt *rapid.T, b *bench, m *model) {
	if m.version() == 0 {
		b.refused(problem.NotFound, "collection.history", "c", "")
		return
	}
	next, want := "", m.version()
	for {
		options := []option{param("limit", "3")}
		if next != "" {
			options = append(options, param("cursor", next))
		}
		page := must[api.HistoryPage](b, "collection.history", "c", "", options...)
		for _, v := range page.Items {
			if v.Version != want || v.Seq != want {
				rt.Fatalf("history: version %d seq %d, want %d", v.Version, v.Seq, want)
			}
			want--
		}
		if next = page.Next; next == "" {
			break
		}
	}
	if want != 0 {
		rt.Fatalf("history ends at version %d", want+1)
	}
	for v := uint64(1); v <= m.version(); v++ {
		if v < m.version() && m.versions[v+1].time.Equal(m.versions[v].time) {
			continue // the last version of an instant is the one of that time
		}
		m.compareVersion(rt, b, m.versions[v], v, param("at", m.versions[v].time.Format(time.RFC3339Nano)))
	}
}
