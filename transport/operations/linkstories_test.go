package operations

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"concord/actors/authority"
	"concord/actors/collection"
	"concord/actors/links"
	"concord/actors/source"
	"concord/persistence"
	"concord/transport/api"
)

// story is anything that may happen to two sources, three authorities and two collections, while jobs run.
type story struct {
	*bench
	rt     *rapid.T
	fs     vfs.FS
	told   []string
	urls   int
	jobs   []string
	tokens map[string]string
}

var (
	storySources     = []string{"s1", "s2"}
	storyAuthorities = []string{"a1", "a2", "a3"}
	storyCollections = []string{"m", "j"}
)

func (s *story) pick(label string, of ...string) string {
	return rapid.SampledFrom(of).Draw(s.rt, label)
}

// try does one thing, which may be refused.
func (s *story) try(operation, id, body string, options ...option) {
	reply, p := s.do(operation, id, body, options...)
	if p != nil {
		s.told = append(s.told, fmt.Sprintf("%s %s %s: %s", operation, id, body, p.Code))
		return
	}
	s.told = append(s.told, fmt.Sprintf("%s %s %s: %s", operation, id, body, reply.Body))
	var answer struct{ Propagation string }
	if json.Unmarshal(reply.Body, &answer) == nil && answer.Propagation != "" {
		s.jobs = append(s.jobs, answer.Propagation)
	}
}

func (s *story) record(id string) string {
	heading := []string{"a=" + s.pick("name", "Miles", "Bill", "Jim")}
	if s.pick("title", "no", "no", "no", "yes") == "yes" {
		heading = append(heading, "t=Blue")
	}
	return fmt.Sprintf(`{"source":"%s","naturalId":"%s%s","record":%s}`, s.pick("source", storySources...), id, s.pick("natural id", "x", "y"),
		marcRecord(marcField("100", heading...)))
}

func (s *story) content(of string) string {
	var list []string
	for range rapid.IntRange(0, 3).Draw(s.rt, "links") {
		name, id := s.pick("text", "Miles", "Bill"), s.pick("linked to", storyAuthorities...)
		if of == "m" {
			list = append(list, marcField("700", "a="+name, "9="+id))
		} else {
			list = append(list, fmt.Sprintf(`{"label":"%s","authorityId":"%s"}`, name, id))
		}
	}
	if of == "m" {
		return marcRecord(append(list, marcField("245", "a=x"))...)
	}
	return `{"by":[` + strings.Join(list, ",") + `]}`
}

// step does something.
func (s *story) step() {
	of := s.pick("collection", storyCollections...)
	token := with("Lock-Token", s.tokens[of])
	document := s.pick("document", "d1", "d2")
	switch rapid.IntRange(0, 14).Draw(s.rt, "step") {
	case 0, 1:
		s.urls++
		url := fmt.Sprintf(`"http://x/%d/"`, s.urls)
		if s.pick("no URL", "no", "no", "yes") == "yes" {
			url = "null"
		}
		s.try("source.patch", s.pick("of", storySources...), `{"baseUrl":`+url+`}`)
	case 2, 3, 4:
		id := s.pick("authority", storyAuthorities...)
		s.try("authority.put", "", s.record(id), inDocument(id))
	case 5:
		s.try("authority.delete", "", "", inDocument(s.pick("authority", storyAuthorities...)))
	case 6, 7, 8:
		if s.pick("parked", "no", "yes") == "yes" {
			s.try("document.put", of, `{"onLocked":"queue","value":`+s.content(of)+`}`, inDocument(document), as("bob"))
			return
		}
		s.try("document.put", of, `{"value":`+s.content(of)+`}`, inDocument(document), token)
	case 9:
		format := map[string]string{"m": "marc", "j": "json"}[of]
		s.try("collection.put", of, `{"format":"`+format+`","type":"t","documents":{"`+document+`":`+s.content(of)+`}}`, token)
	case 10:
		s.try("collection.delete", of, "", token)
	case 11:
		s.try("collection.revert", of, fmt.Sprintf(`{"to":%d}`, rapid.Uint64Range(1, 6).Draw(s.rt, "to")), token)
	case 12:
		if s.tokens[of] != "" {
			s.unlock(of)
		} else if reply, p := s.do("lock.acquire", of, `{}`); p == nil {
			var grant api.Grant
			if err := json.Unmarshal(reply.Body, &grant); err != nil {
				s.rt.Fatal(err)
			}
			s.tokens[of] = grant.Token
			s.told = append(s.told, "locked "+of)
		}
	case 13:
		if s.pick("restart", "no", "no", "yes") == "yes" {
			s.stop()
			s.told = append(s.told, "restarted")
			ids := s.service.NewID
			s.bench = startWith(s.t, s.fs, true)
			s.service.NewID = ids
		}
	default:
		if len(s.jobs) > 0 {
			s.try(s.pick("verb", "propagation.pause", "propagation.resume"), s.pick("job", s.jobs...), "")
		}
	}
}

func (s *story) unlock(of string) {
	if s.tokens[of] != "" {
		s.try("lock.release", of, "", with("Lock-Token", s.tokens[of]))
		delete(s.tokens, of)
	}
}

// end lets go of everything that holds jobs up, and waits until every field is right.
func (s *story) end() {
	for _, of := range storyCollections {
		s.unlock(of)
	}
	for _, job := range s.jobs {
		s.try("propagation.resume", job, "")
	}
	const patience = 10 * time.Second // of a failing test alone
	for begun := time.Now(); ; runtime.Gosched() {
		open := must[api.PropagationPage](s.bench, "propagation.list", "", "", param("open", "true"))
		wrong := s.wrong()
		if len(open.Items) == 0 && len(wrong) == 0 {
			return
		}
		if time.Since(begun) > patience {
			s.rt.Fatalf("open: %+v\nwrong:\n%s\nstory:\n%s", open.Items, strings.Join(wrong, "\n"), strings.Join(s.told, "\n"))
		}
	}
}

// linkedField is a linked field as a reader of the document sees it.
type linkedField struct{ authority, uri, text string }

func fieldsOf(t *rapid.T, of string, body []byte) (all []linkedField) {
	if of == "j" {
		var d struct {
			By []struct{ AuthorityID, URI, Label string }
		}
		if err := json.Unmarshal(body, &d); err != nil {
			t.Fatal(err)
		}
		for _, l := range d.By {
			if l.AuthorityID != "" {
				all = append(all, linkedField{l.AuthorityID, l.URI, l.Label})
			}
		}
		return all
	}
	var d struct {
		Fields []map[string]struct{ Subfields []map[string]string }
	}
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatal(err)
	}
	for _, f := range d.Fields {
		var l linkedField
		for _, subfield := range f["700"].Subfields {
			l.authority, l.uri = l.authority+subfield["9"], l.uri+subfield["0"]
			l.text += subfield["a"] + subfield["t"]
		}
		if l.authority != "" {
			all = append(all, l)
		}
	}
	return all
}

// wrong is every field that is not as its authority and source are, and every entry of the index that is not as the documents.
func (s *story) wrong() (wrong []string) {
	for _, of := range storyCollections {
		id := persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: of}
		head, err := s.store.Head(id)
		if errors.Is(err, persistence.ErrNotFound) {
			continue
		}
		state, err := collection.Behavior{}.DecodeState(head.State)
		if err != nil {
			s.rt.Fatal(err)
		}
		wrong = append(wrong, s.strayLinks(of)...)
		for part, err := range s.store.Parts(id, "") {
			if err != nil {
				s.rt.Fatal(err)
			}
			if !state.Live() || part.Version < state.Born {
				continue
			}
			body, err := s.store.Body(id, part.Place)
			if err != nil {
				s.rt.Fatal(err)
			}
			table := collection.TableOf(part.Info)
			for _, l := range fieldsOf(s.rt, of, body) {
				entry := table.Find(l.authority)
				a := s.authorityState(l.authority)
				base := s.sourceState(a.Source).BaseURL
				switch {
				case entry == nil:
					wrong = append(wrong, fmt.Sprintf("%s/%s: %+v is not in its table", of, part.ID, l))
				case entry.Revision == 0 && a.Live():
					wrong = append(wrong, fmt.Sprintf("%s/%s: %+v waits, and is there", of, part.ID, l))
				case entry.Revision > 0 && !a.Live():
					wrong = append(wrong, fmt.Sprintf("%s/%s: %+v is linked to one that is gone", of, part.ID, l))
				case entry.Revision > 0 && l.uri != base+a.NaturalID:
					wrong = append(wrong, fmt.Sprintf("%s/%s: %+v should show %s", of, part.ID, l, base+a.NaturalID))
				case entry.Revision > 0 && entry.Source != a.Source:
					wrong = append(wrong, fmt.Sprintf("%s/%s: %+v follows %s, not %s", of, part.ID, l, entry.Source, a.Source))
				case entry.Revision > 0 && entry.Revision < a.UnlinkedAt,
					entry.Revision > 0 && entry.Revision < a.HeadingAt && strings.ReplaceAll(l.text, " ", "") != strings.ReplaceAll(a.Heading.Label, " ", ""):
					wrong = append(wrong, fmt.Sprintf("%s/%s: %+v is of revision %d, of %d", of, part.ID, l, entry.Revision, a.Revision))
				}
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

func (s *story) authorityState(id string) links.Authority {
	head, err := s.store.Head(authorityID("p", id))
	if errors.Is(err, persistence.ErrNotFound) {
		return links.Authority{}
	}
	state, err := authority.Behavior{}.DecodeState(head.State)
	if err != nil {
		s.rt.Fatal(err)
	}
	return state.Authority
}

func (s *story) sourceState(id string) source.State {
	head, err := s.store.Head(sourceID("p", id))
	if err != nil {
		return source.State{}
	}
	state, err := source.Behavior{}.DecodeState(head.State)
	if err != nil {
		s.rt.Fatal(err)
	}
	return state
}

// TestAnyStoryEndsRight: whatever happens in whatever order, in the end every linked field is as its authority and its source
// are, every job has ended, and the index says what the documents say.
func TestAnyStoryEndsRight(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fs := vfs.NewMem()
		b := startWith(t, fs, true)
		s := &story{bench: b, rt: rt, fs: fs, tokens: make(map[string]string)}
		defer func() { s.stop() }()
		must[struct{}](b, "type.put", "t", `{"links":{"unknownAuthority":"accept"}}`)
		must[api.LinkChanged](b, "source.put", "s1", `{"name":"One","codes":["o"]}`)
		must[api.LinkChanged](b, "source.put", "s2", `{"name":"Two","codes":["t"],"baseUrl":"http://x/two/"}`)
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			s.step()
		}
		s.end()
	})
}
