package cmr

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"concord/actors/fields"
	"concord/actors/jsonvalue"
)

// CollectionUpdate is the body of a bulk update, as CMR takes it: one instruction for many collections.
type CollectionUpdate struct {
	ConceptIDs  []string         `json:"concept-ids" minItems:"1" doc:"Ids of collections; or ALL alone, in any case: all that are there"`
	Name        string           `json:"name,omitempty" minLength:"1" maxLength:"255" doc:"Unique in the provider; left out: the number of the task"`
	Type        string           `json:"update-type" enum:"ADD_TO_EXISTING,CLEAR_FIELD,CLEAR_ALL_AND_REPLACE,FIND_AND_REMOVE,FIND_AND_REPLACE,FIND_AND_UPDATE,FIND_AND_UPDATE_HOME_PAGE_URL"`
	Field       string           `json:"update-field" enum:"SCIENCE_KEYWORDS,LOCATION_KEYWORDS,DATA_CENTERS,PLATFORMS,INSTRUMENTS"`
	Value       any              `json:"update-value,omitempty" doc:"An object; or a list of objects, to add and to replace"`
	Find        map[string]any   `json:"find-value,omitempty" doc:"What an element must have to be found; {} is found everywhere"`
	Collections []CollectionName `json:"collection-ids,omitempty" minItems:"1" doc:"Looked at, and ignored, as in CMR"`
}

// CollectionName is another name of a collection.
type CollectionName struct {
	ShortName string `json:"short-name"`
	Version   string `json:"version"`
}

// The keys of the body.
const (
	keyConceptIDs  = "concept-ids"
	keyName        = "name"
	keyType        = "update-type"
	keyField       = "update-field"
	keyValue       = "update-value"
	keyFind        = "find-value"
	keyCollections = "collection-ids"
)

// updateTypes are those that CMR knows. They have the names of ours.
var updateTypes = []fields.Type{fields.AddToExisting, fields.ClearField, fields.ClearAllAndReplace, fields.FindAndRemove,
	fields.FindAndReplace, fields.FindAndUpdate, fields.FindAndUpdateHomePage}

const fieldDataCenters = "DATA_CENTERS"

// updateFields are the paths of CMR's fields.
var updateFields = map[string]string{
	"SCIENCE_KEYWORDS":  "/metadata/ScienceKeywords",
	"LOCATION_KEYWORDS": "/metadata/LocationKeywords",
	fieldDataCenters:    "/metadata/DataCenters",
	"PLATFORMS":         "/metadata/Platforms",
	"INSTRUMENTS":       "/metadata/Platforms/*/Instruments",
}

// update is a body that has been read and checked.
type update struct {
	ids   []string // none: all
	name  string
	kind  fields.Type
	field string
	value *jsonvalue.Value // nil: none was given, or the type takes none
	find  *jsonvalue.Value // nil: the type looks for nothing
}

// readUpdate reads the body. CMR's schema comes first, and tells all that is wrong; then its rules, and then the ids: of
// each of them one refusal. What is not ids is bounded.
func readUpdate(text []byte, restMaxBytes int) (*update, error) {
	b, err := readBody(text, restMaxBytes)
	if err != nil {
		return nil, err
	}
	if texts := checkSchema(b); len(texts) > 0 {
		return nil, refuse(http.StatusBadRequest, texts...)
	}
	v := b.rest
	u := &update{kind: fields.Type(member(v, keyType).Str()), field: member(v, keyField).Str(), value: member(v, keyValue),
		find: member(v, keyFind)}
	if u.ids, err = stringsOf(b.ids); err != nil {
		return nil, err
	}
	if name := member(v, keyName); name != nil {
		u.name = name.Str()
	}
	if text := u.rule(); text != "" {
		return nil, refuse(http.StatusBadRequest, text)
	}
	if len(u.ids) == 1 && strings.EqualFold(u.ids[0], allIDs) {
		u.ids = nil
	} else if text := wrongIDs(u.ids); text != "" {
		return nil, refuse(http.StatusBadRequest, text)
	}
	return u, nil
}

// Types that take several values, and types that look for something.
var (
	typesOfLists = []fields.Type{fields.AddToExisting, fields.ClearAllAndReplace, fields.FindAndReplace}
	typesOfFinds = []fields.Type{fields.FindAndReplace, fields.FindAndRemove, fields.FindAndUpdate, fields.FindAndUpdateHomePage}
	typesAlone   = []fields.Type{fields.FindAndRemove, fields.ClearField} // without a value
)

// rule is the first of CMR's rules that the update breaks. Two are not CMR's: clearing a field needs no value, as it does
// nothing there; and a home page needs a find-value, which CMR forgot to ask for, so that all of them were changed.
func (u *update) rule() string {
	finds := slices.Contains(typesOfFinds, u.kind)
	switch {
	case u.value == nil && !slices.Contains(typesAlone, u.kind):
		return fmt.Sprintf("An update value must be supplied when the update is of type %s", u.kind)
	case u.kind == fields.FindAndUpdateHomePage && u.field != fieldDataCenters:
		return fmt.Sprintf("%s update type can not be used for the [%s] update field. It can only be used for the %s update field.",
			u.kind, u.field, fieldDataCenters)
	case u.value != nil && u.value.Kind() == jsonvalue.Array && !slices.Contains(typesOfLists, u.kind):
		return fmt.Sprintf("An update value must be a single object for the [%s] update type. Arrays are only supported for the "+
			"%s, %s and %s update types.", u.kind, typesOfLists[0], typesOfLists[1], typesOfLists[2])
	case u.find == nil && finds:
		return fmt.Sprintf("A find value must be supplied when the update is of type %s", u.kind)
	}
	if slices.Contains(typesAlone, u.kind) {
		u.value = nil
	}
	if !finds {
		u.find = nil
	}
	return ""
}

func member(v *jsonvalue.Value, name string) *jsonvalue.Value {
	m, _ := v.Get(name)
	return m
}
