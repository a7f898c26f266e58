package fields

import (
	"slices"

	"concord/actors/jsonvalue"
)

// Type is the name of an update type.
type Type string

// The update types.
const (
	AddToExisting         Type = "ADD_TO_EXISTING"
	ClearAllAndReplace    Type = "CLEAR_ALL_AND_REPLACE"
	ClearField            Type = "CLEAR_FIELD"
	FindAndReplace        Type = "FIND_AND_REPLACE"
	FindAndUpdate         Type = "FIND_AND_UPDATE"
	FindAndRemove         Type = "FIND_AND_REMOVE"
	FindAndUpdateHomePage Type = "FIND_AND_UPDATE_HOME_PAGE_URL"
	MergeByKey            Type = "MERGE_BY_KEY"
	AppendNewByKey        Type = "APPEND_NEW_BY_KEY"
	RemoveByKey           Type = "REMOVE_BY_KEY"
	ChangeKey             Type = "CHANGE_KEY"
	JSONPatch             Type = "JSON_PATCH"
	MergePatch            Type = "MERGE_PATCH"
	MARCFindAndAppend     Type = "MARC_FIND_AND_APPEND"
	MARCFindAndReplace    Type = "MARC_FIND_AND_REPLACE"
	MARCRemoveField       Type = "MARC_REMOVE_FIELD"
	MARCRemoveSubfield    Type = "MARC_REMOVE_SUBFIELD"
	ReplaceText           Type = "REPLACE_TEXT"
	RemoveText            Type = "REMOVE_TEXT"
)

// takes are the members that an instruction has beside type, and path or field.
type takes uint16

const (
	takesValue takes = 1 << iota // value or valueFrom, one of them
	takesFind
	takesMatchAll // instead of find
	takesKey
	takesDistinct  // may be left out
	takesOnMissing // may be left out
	takesAppend    // onMissing may be append
	takesDeep      // may be left out
	takesTag       // the find is about MARC fields
	belowMetadata  // the path leads below /metadata: what it changes or removes is not the metadata as a whole
	wholeElements  // its values become elements as they are: a schema judges them when they are read

	list  = takesValue | takesDistinct | belowMetadata | wholeElements
	match = takesFind | takesMatchAll
	keyed = takesKey | takesValue | belowMetadata
	marc  = takesFind | takesTag
)

// updateType is one line of the table of types.
type updateType struct {
	name  Type
	takes takes
	// compile reads the value, nil if the type takes none, and makes what changes the places of the path. It is called once
	// for an instruction, or once for each item if the value comes with the items.
	compile func(in *Instruction, v *jsonvalue.Value, path string, f *faults) action
	doc     string
}

// types is the one table of update types; what is known of them elsewhere comes from it.
var types []updateType

func init() { // the functions look into the table themselves
	types = []updateType{
		{AddToExisting, list, compileAdd, "value(s) put at the end; creates the list; distinct"},
		{ClearAllAndReplace, list, compileClearAll, "list = value(s); creates the list; distinct"},
		{ClearField, belowMetadata, compileClear, "the member is removed"},
		{FindAndReplace, match | takesValue | takesDistinct | wholeElements, compileReplace, "each match replaced whole by value(s), in place; distinct"},
		{FindAndUpdate, match | takesValue | takesDistinct, compileUpdate, "each match = shallow merge of value over it; null removes a key; distinct"},
		{FindAndRemove, match | belowMetadata, compileRemove, "matches removed; an emptied list is removed"},
		{FindAndUpdateHomePage, match | takesValue | takesDistinct, compileHomePage, "as FIND_AND_UPDATE, but of ContactInformation only the home page is replaced, added or removed"},
		{MergeByKey, keyed | takesOnMissing | takesAppend | takesDeep, compileMergeByKey, "elements with the keys of the value(s) = merge of those over them"},
		{AppendNewByKey, keyed | wholeElements, compileAppendNew, "value(s) with a key that the list does not have are put at the end; creates the list"},
		{RemoveByKey, keyed | takesOnMissing, compileRemoveByKey, "elements with the key(s) removed; an emptied list is removed"},
		{ChangeKey, keyed | takesOnMissing, compileChangeKey, "elements get other keys: {from, to}, one or many at once"},
		{JSONPatch, takesValue, compileJSONPatch, "RFC 6902, with pointers from the path on"},
		{MergePatch, takesValue, compileMergePatch, "RFC 7396"},
		{MARCFindAndAppend, marc | takesValue, compileMARCAppend, "subfield(s) put into each field found: letters behind the last letter, digits at the end; not twice"},
		{MARCFindAndReplace, marc | takesValue, compileMARCReplace, "the text found replaced by value, in the subfields found"},
		{MARCRemoveField, marc, compileMARCRemoveField, "fields found are removed"},
		{MARCRemoveSubfield, marc, compileMARCRemoveSubfield, "subfields found are removed; a field that has none left, too"},
		{ReplaceText, takesFind | takesValue, compileReplaceText, "each occurrence of find inside a string replaced by value"},
		{RemoveText, takesFind, compileRemoveText, "each occurrence of find inside a string removed"},
	}
}

// TypeInfo is what people are told of an update type.
type TypeInfo struct {
	Name  Type
	Takes []string // members beside type, and path or field; those with ? may be left out
	Doc   string
}

// Types are all update types, in the order of the table.
func Types() []TypeInfo {
	all := make([]TypeInfo, len(types))
	for i, t := range types {
		all[i] = TypeInfo{t.name, t.takes.names(), t.doc}
	}
	return all
}

func (t takes) has(bits takes) bool { return t&bits == bits }

func (t takes) names() []string {
	var names []string
	for _, m := range []struct {
		bit  takes
		name string
	}{
		{takesFind, "find"}, {takesMatchAll, "matchAll?"}, {takesKey, "key"}, {takesValue, "value"}, {takesDistinct, "distinct?"},
		{takesOnMissing, "onMissing?"}, {takesDeep, "deep?"},
	} {
		switch {
		case !t.has(m.bit):
		case m.bit == takesFind && t.has(takesMatchAll):
			names = append(names, "find|matchAll")
		case m.bit != takesMatchAll:
			names = append(names, m.name)
		}
	}
	return names
}

// typeOf is nil for an unknown type.
func typeOf(name Type) *updateType {
	i := slices.IndexFunc(types, func(t updateType) bool { return t.name == name })
	if i < 0 {
		return nil
	}
	return &types[i]
}

func typeNames() []string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = string(t.name)
	}
	return names
}
