package cmr

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/transport/api"
)

// bodyMaxBytes is what a body has room for beside its ids.
const bodyMaxBytes = 1 << 20

// keyword is a value as in CMR's own tests.
const keyword = `{"Category": "EARTH SCIENCE", "Topic": "LAND SURFACE", "Term": "SURFACE RADIATIVE PROPERTIES"}`

// TestRefusedBodies: what CMR's own tests send, and the texts that they want.
func TestRefusedBodies(t *testing.T) {
	for name, row := range map[string]struct {
		body string
		want []string
	}{
		"no ids": {`{"name": "TEST NAME 1", "update-field": "SCIENCE_KEYWORDS", "update-type": "ADD_TO_EXISTING", "update-value": ` + keyword + `}`,
			[]string{"#: required key [concept-ids] not found"}},
		"an empty list of ids": {`{"concept-ids": [], "name": "TEST NAME 2", "update-field": "SCIENCE_KEYWORDS", "update-type": "ADD_TO_EXISTING"}`,
			[]string{"#/concept-ids: expected minimum item count: 1, found: 0"}},
		"no field": {`{"concept-ids": ["C1", "C2", "C3"], "name": "TEST NAME 3", "update-type": "ADD_TO_EXISTING"}`,
			[]string{"#: required key [update-field] not found"}},
		"no type": {`{"concept-ids": ["C1", "C2", "C3"], "name": "TEST NAME 4", "update-field": "SCIENCE_KEYWORDS"}`,
			[]string{"#: required key [update-type] not found"}},
		"another type": {`{"concept-ids": ["C1"], "update-field": "SCIENCE_KEYWORDS", "update-type": "REPLACE"}`,
			[]string{"#/update-type: REPLACE is not a valid enum value"}},
		"another field": {`{"concept-ids": ["C1"], "update-field": "Science keywords", "update-type": "ADD_TO_EXISTING", "update-value": {"Category": "EARTH SCIENCE"}}`,
			[]string{"#/update-field: Science keywords is not a valid enum value"}},
		"no value": {`{"concept-ids": ["C1"], "update-field": "SCIENCE_KEYWORDS", "update-type": "FIND_AND_REPLACE"}`,
			[]string{"An update value must be supplied when the update is of type FIND_AND_REPLACE"}},
		"no find": {`{"concept-ids": ["C1"], "update-field": "SCIENCE_KEYWORDS", "update-type": "FIND_AND_REPLACE", "update-value": ` + keyword + `}`,
			[]string{"A find value must be supplied when the update is of type FIND_AND_REPLACE"}},
		"no find, to remove": {`{"concept-ids": ["C1"], "update-field": "SCIENCE_KEYWORDS", "update-type": "FIND_AND_REMOVE"}`,
			[]string{"A find value must be supplied when the update is of type FIND_AND_REMOVE"}},
		"several values for an update": {`{"concept-ids": ["C1"], "update-field": "SCIENCE_KEYWORDS", "update-type": "FIND_AND_UPDATE", "find-value": {"Category": "EARTH SCIENCE"}, "update-value": [` + keyword + `]}`,
			[]string{"An update value must be a single object for the [FIND_AND_UPDATE] update type. Arrays are only supported for the ADD_TO_EXISTING, CLEAR_ALL_AND_REPLACE and FIND_AND_REPLACE update types."}},
		"a home page of keywords": {`{"concept-ids": ["C1"], "update-field": "SCIENCE_KEYWORDS", "update-type": "FIND_AND_UPDATE_HOME_PAGE_URL", "find-value": {"Category": "EARTH SCIENCE"}, "update-value": [` + keyword + `]}`,
			[]string{"FIND_AND_UPDATE_HOME_PAGE_URL update type can not be used for the [SCIENCE_KEYWORDS] update field. It can only be used for the DATA_CENTERS update field."}},
		"all and others": {`{"concept-ids": ["all", "S1111-PROV1", "C12345-PROV1", "invalid-id"], "update-field": "SCIENCE_KEYWORDS", "update-type": "ADD_TO_EXISTING", "update-value": ` + keyword + `}`,
			[]string{`["Concept-id [all] is not valid."], ["Collection concept-id [S1111-PROV1] is invalid, must start with C"], ["Concept-id [invalid-id] is not valid."]`}},

		"nothing":  {``, []string{"Invalid JSON: "}},
		"no JSON":  {`{"concept-ids": [`, []string{"Invalid JSON: "}},
		"a list":   {`[]`, []string{"#: expected type: JSONObject, found: JSONArray"}},
		"an array": {`{"concept-ids": "ALL", "update-field": "PLATFORMS", "update-type": "CLEAR_FIELD"}`, []string{"#/concept-ids: expected type: JSONArray, found: String"}},
		"numbers": {`{"concept-ids": [1, 2.5, null], "update-field": "PLATFORMS", "update-type": "CLEAR_FIELD"}`,
			[]string{"#/concept-ids/0: expected type: String, found: Integer", "#/concept-ids/1: expected type: String, found: Number", "#/concept-ids/2: expected type: String, found: Null"}},
		"all at once": {`{"concept-id": ["C1"], "name": "", "update-type": 7}`,
			[]string{"#: required key [update-field] not found", "#: required key [concept-ids] not found", "#: extraneous key [concept-id] is not permitted",
				"#/name: expected minLength: 1, actual: 0", "#/update-type: expected type: String, found: Integer"}},
		"a long name": {`{"concept-ids": ["C1"], "update-field": "PLATFORMS", "update-type": "CLEAR_FIELD", "name": "` + strings.Repeat("é", 256) + `"}`,
			[]string{"#/name: expected maxLength: 255, actual: 256"}},
		"a text as value": {`{"concept-ids": ["C1"], "update-field": "PLATFORMS", "update-type": "ADD_TO_EXISTING", "update-value": "X"}`,
			[]string{"#/update-value: #: 0 subschemas matched instead of one", "#/update-value: expected type: JSONObject, found: String"}},
		"no values": {`{"concept-ids": ["C1"], "update-field": "PLATFORMS", "update-type": "ADD_TO_EXISTING", "update-value": []}`,
			[]string{"#/update-value: #: 0 subschemas matched instead of one", "#/update-value: expected minimum item count: 1, found: 0"}},
		"a list as find": {`{"concept-ids": ["C1"], "update-field": "PLATFORMS", "update-type": "FIND_AND_REMOVE", "find-value": []}`,
			[]string{"#/find-value: expected type: JSONObject, found: JSONArray"}},
		"an operator of ours": {`{"concept-ids": ["C1"], "update-field": "PLATFORMS", "update-type": "FIND_AND_REMOVE", "find-value": {"$eq": {}}}`,
			[]string{"#/find-value: extraneous key [$eq] is not permitted"}},
		"other names of collections": {`{"concept-ids": ["C1"], "collection-ids": [{"short-name": "A"}, 1, {"short-name": "A", "version": 1}], "update-field": "PLATFORMS", "update-type": "CLEAR_FIELD"}`,
			[]string{"#/collection-ids/0: required key [version] not found", "#/collection-ids/1: expected type: JSONObject, found: Integer", "#/collection-ids/2/version: expected type: String, found: Integer"}},
		"a home page without a find": {`{"concept-ids": ["C1"], "update-field": "DATA_CENTERS", "update-type": "FIND_AND_UPDATE_HOME_PAGE_URL", "update-value": {}}`,
			[]string{"A find value must be supplied when the update is of type FIND_AND_UPDATE_HOME_PAGE_URL"}},
		"several values to clear": {`{"concept-ids": ["C1"], "update-field": "PLATFORMS", "update-type": "CLEAR_FIELD", "update-value": [{}]}`,
			[]string{"An update value must be a single object for the [CLEAR_FIELD] update type. Arrays are only supported for the ADD_TO_EXISTING, CLEAR_ALL_AND_REPLACE and FIND_AND_REPLACE update types."}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readUpdate([]byte(row.body), bodyMaxBytes)
			r, ok := errors.AsType[*refused](err)
			if !ok || r.status != http.StatusBadRequest || len(r.texts) != len(row.want) {
				t.Fatalf("refused with %v", err)
			}
			for i, text := range r.texts {
				if text != row.want[i] && (row.want[i] != "Invalid JSON: " || !strings.HasPrefix(text, row.want[i])) {
					t.Errorf("says %q\nwant %q", text, row.want[i])
				}
			}
		})
	}
}

// TestMuchThatIsWrong: a refusal is short, however much is wrong.
func TestMuchThatIsWrong(t *testing.T) {
	numbers := `{"concept-ids": [` + strings.Repeat("1,", 100_000) + `1], "update-field": "PLATFORMS", "update-type": "CLEAR_FIELD"}`
	ids := `{"concept-ids": [` + strings.Repeat(`"-",`, 100_000) + `"-"], "update-field": "PLATFORMS", "update-type": "CLEAR_FIELD"}`
	long := `{"concept-ids": ["` + strings.Repeat("é", 100_000) + `"], "update-field": "PLATFORMS", "update-type": "CLEAR_FIELD"}`
	for _, body := range []string{numbers, ids, long} {
		_, err := readUpdate([]byte(body), bodyMaxBytes)
		if err == nil || len(err.Error()) > 100_000 {
			t.Errorf("%.60s... is refused with %.200v", body, err)
		}
	}
	if _, err := readUpdate([]byte(ids), bodyMaxBytes); !strings.HasSuffix(err.Error(), ", and 99001 more") {
		t.Errorf("says ...%s", err.Error()[len(err.Error())-100:])
	}
}

// TestTargets: which ids are taken, and which of them are of another provider.
func TestTargets(t *testing.T) {
	for name, row := range map[string]struct {
		ids   string
		want  api.BulkTargets
		apart []string
	}{
		"ids of the provider":                  {`"C1-PROV1", "C2-PROV1"`, api.BulkTargets{IDs: []string{"C1-PROV1", "C2-PROV1"}}, nil},
		"an id without a provider is ours":     {`"letters", "C1"`, api.BulkTargets{IDs: []string{"letters", "C1"}}, nil},
		"all":                                  {`"ALL"`, api.BulkTargets{All: true}, nil},
		"all, in any case":                     {`"aLl"`, api.BulkTargets{All: true}, nil},
		"another provider":                     {`"C1-PROV2", "C2-PROV1"`, api.BulkTargets{IDs: []string{"C1-PROV2", "C2-PROV1"}}, []string{"C1-PROV2"}},
		"one whose name ends as ours does":     {`"C1-XPROV1"`, api.BulkTargets{IDs: []string{"C1-XPROV1"}}, []string{"C1-XPROV1"}},
		"one whose last part is ours":          {`"C1-X-PROV1"`, api.BulkTargets{IDs: []string{"C1-X-PROV1"}}, []string{"C1-X-PROV1"}},
		"one whose name begins as ours does":   {`"C1-PROV1-X"`, api.BulkTargets{IDs: []string{"C1-PROV1-X"}}, []string{"C1-PROV1-X"}},
		"one whose name is ours in other case": {`"C1-prov1"`, api.BulkTargets{IDs: []string{"C1-prov1"}}, []string{"C1-prov1"}},
	} {
		t.Run(name, func(t *testing.T) {
			u := mustRead(t, `{"concept-ids": [`+row.ids+`], "update-field": "PLATFORMS", "update-type": "CLEAR_FIELD"}`)
			request := taskOf(t, u)
			if !slices.Equal(request.Targets.IDs, row.want.IDs) || request.Targets.All != row.want.All {
				t.Errorf("targets %+v, want %+v", request.Targets, row.want)
			}
			for _, id := range u.ids {
				want := ""
				if slices.Contains(row.apart, id) {
					want = "Concept-id [" + id + "] is not associated with provider-id [PROV1]."
				}
				if got := apart("PROV1")(id); got != want {
					t.Errorf("%s: %q", id, got)
				}
			}
		})
	}
}

func mustRead(t testing.TB, body string) *update {
	t.Helper()
	u, err := readUpdate([]byte(body), bodyMaxBytes)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// taskOf is the update in our own words.
func taskOf(t testing.TB, u *update) (request api.BulkRequest) {
	t.Helper()
	body, err := u.task(api.BulkTargets{IDs: u.ids, All: u.ids == nil})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &request); err != nil {
		t.Fatal(err)
	}
	return request
}

// instructions are those of an update, as a task reads them.
func instructions(t testing.TB, u *update) ([]*fields.Instruction, *problem.Problem) {
	t.Helper()
	return fields.Parse(taskOf(t, u).Instructions, nil, "/instructions")
}

// TestUpdateTypes: what each type does in CMR, it does here.
func TestUpdateTypes(t *testing.T) {
	for name, row := range updateCases {
		t.Run(name, func(t *testing.T) {
			u := mustRead(t, `{"concept-ids": ["C1"], `+row.update+`}`)
			list, p := instructions(t, u)
			if p != nil {
				t.Fatal(p)
			}
			record, err := jsonvalue.Parse([]byte(row.record))
			if err != nil {
				t.Fatal(err)
			}
			got := fields.ApplyAll(list, fields.Record{Metadata: record}, nil)
			want, wanted := fields.Updated, row.want
			if before, isStatus := strings.CutPrefix(row.want, "!"); isStatus {
				want, wanted = fields.Status(before), ""
			}
			if got.Status != want {
				t.Fatalf("%s (%v), want %s", got.Status, got.Problem, want)
			}
			if wanted == "" {
				return
			}
			expected, err := jsonvalue.Parse([]byte(wanted))
			if err != nil {
				t.Fatal(err)
			}
			if !jsonvalue.Equal(got.Metadata, expected) {
				t.Errorf("becomes %s\nwant    %s", got.Metadata.Text(), wanted)
			}
		})
	}
}

// FuzzUpdate: whatever is sent is refused as the caller's mistake, or is a task that the operations take or refuse at a
// place of the body.
func FuzzUpdate(f *testing.F) {
	for _, row := range updateCases {
		f.Add([]byte(`{"concept-ids": ["C1-PROV1", "C2"], "name": "n", ` + row.update + `}`))
	}
	for _, body := range []string{``, `null`, `[]`, `{}`, `{"concept-ids": ["all"], "update-type": "CLEAR_FIELD", "update-field": "PLATFORMS", "update-value": null}`,
		`{"concept-ids": [], "collection-ids": [{"short-name": 1}], "find-value": {"": {"$eq": 1}}, "update-value": [{}, 1]}`,
		`{"concept-ids": ["\ud83d\ude00", "C1-"], "update-type": "FIND_AND_REMOVE", "update-field": "INSTRUMENTS", "find-value": {"a": {}, "b": null}}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		u, err := readUpdate(body, bodyMaxBytes)
		if err != nil {
			r, ok := errors.AsType[*refused](err)
			if !ok || r.status != http.StatusBadRequest || len(r.texts) == 0 || problem.Of(err).Code != problem.Invalid {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		request := taskOf(t, u)
		if request.Targets.All == (len(request.Targets.IDs) > 0) {
			t.Fatalf("targets %+v", request.Targets)
		}
		list, p := instructions(t, u)
		if p != nil {
			r, ok := errors.AsType[*refused](unaccepted("PROV1", u, p))
			if !ok || r.status != http.StatusBadRequest {
				t.Fatalf("%s: %v", request.Instructions, p)
			}
			for _, text := range r.texts {
				if !strings.HasPrefix(text, "#") {
					t.Fatalf("says %q of %s", text, body)
				}
			}
			return
		}
		if got := fmt.Sprint(list[0].Path); list[0].Type != u.kind || got != updateFields[u.field] {
			t.Fatalf("%s at %s", list[0].Type, got)
		}
	})
}
