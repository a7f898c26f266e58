// Package fields is what one instruction of a bulk update does to one collection: paths, matching, update types. It is pure:
// no I/O, clock, randomness or goroutine; nothing is written through its inputs, and results share with them.
//
// Instructions are read and checked once for a task (Parse) and applied to each of its collections (ApplyAll). So a dry run
// is the same call as a run. An instruction sees what those before it have made; all are applied, or none.
//
//	{"type": "FIND_AND_UPDATE", "path": "/metadata/Platforms", "find": {"ShortName": "A"}, "value": {"LongName": "Aqua"}}
//	{"type": "ADD_TO_EXISTING", "field": "SCIENCE_KEYWORDS", "value": {"Category": "EARTH SCIENCE", "Topic": "OCEANS"}}
//
// # Paths
//
// A path starts at the collection: /metadata/..., /documents/<id>/..., in the escapes of JSON Pointer. The token * stands for
// exactly one level, each element or each member, anywhere and more than once; so a document with the id * is reached with
// all others only. A field is a path with a name in the collection type, and with bounds (Alias).
//
// # Matching
//
// An element matches a find if each member of the find has an equal value in it: whole, with regard to case, numbers as
// exact decimals. An object in the find matches an object that has those members and maybe others, a list only an equal
// list, null only null. A find that is no object matches equal elements: a text in a list of texts. Three objects are
// operators:
//
//	{"$contains": x}  a text with x in it; a list with an element that x matches
//	{"$in": [x, y]}   one of these values, whole
//	{"$eq": x}        x, whole: an object without other members
//
// Whatever would match everything ({}, the text "") is refused; matchAll says that it is meant. A path that leads to a value
// which is no list means that value: it is matched as if it were the only element.
//
// A MARC find is {tag, ind1, ind2, subfield, text}: a field with the tag and these indicators that has a subfield with this
// code in which the text is contained (or that an operator matches). Only the tag must be there.
//
// # Values
//
// A value is the same for all items, or comes with each: valueFrom is a JSON Pointer into the value of the item, "" all of it;
// that is what keyed types do if neither is given. Value(s): one value, or a list of them; a list of lists adds lists. Null
// members of a value that becomes an element are dropped, at its top level. Distinct keeps the first of equal elements of
// the whole list, those that were there too; only lists that the instruction found something in are made distinct.
//
// A field may have a schema of its elements. Values that become elements as they are (of ADD_TO_EXISTING, CLEAR_ALL_AND_REPLACE,
// FIND_AND_REPLACE, APPEND_NEW_BY_KEY) are held against it when they are read, so that the task is refused, or the item whose
// value it is FAILED; elements that the other types change, after the change. Elements that stay as they are are not judged.
//
// # Update types
//
//	type                           members                         result
//	ADD_TO_EXISTING                value distinct?                 value(s) put at the end; creates the list; distinct
//	CLEAR_ALL_AND_REPLACE          value distinct?                 list = value(s); creates the list; distinct
//	CLEAR_FIELD                    -                               the member is removed
//	FIND_AND_REPLACE               find|matchAll value distinct?   each match replaced whole by value(s), in place; distinct
//	FIND_AND_UPDATE                find|matchAll value distinct?   each match = shallow merge of value over it; null removes a key; distinct
//	FIND_AND_REMOVE                find|matchAll                   matches removed; an emptied list is removed
//	FIND_AND_UPDATE_HOME_PAGE_URL  find|matchAll value distinct?   as FIND_AND_UPDATE, but of ContactInformation only the home page is replaced, added or removed
//	MERGE_BY_KEY                   key value onMissing? deep?      elements with the keys of the value(s) = merge of those over them
//	APPEND_NEW_BY_KEY              key value                       value(s) with a key that the list does not have are put at the end; creates the list
//	REMOVE_BY_KEY                  key value onMissing?            elements with the key(s) removed; an emptied list is removed
//	CHANGE_KEY                     key value onMissing?            elements get other keys: {from, to}, one or many at once
//	JSON_PATCH                     value                           RFC 6902, with pointers from the path on
//	MERGE_PATCH                    value                           RFC 7396
//	MARC_FIND_AND_APPEND           find value                      subfield(s) put into each field found: letters behind the last letter, digits at the end; not twice
//	MARC_FIND_AND_REPLACE          find value                      the text found replaced by value, in the subfields found
//	MARC_REMOVE_FIELD              find                            fields found are removed
//	MARC_REMOVE_SUBFIELD           find                            subfields found are removed; a field that has none left, too
//	REPLACE_TEXT                   find value                      each occurrence of find inside a string replaced by value
//	REMOVE_TEXT                    find                            each occurrence of find inside a string removed
//
// Keys are strings or numbers. A key that stands twice in the value, or twice in the list where one element is meant, is
// a problem; elements without a key stay. A key is missing if no element of any list that the path leads to has it:
// onMissing is fail (the default), skip, or for MERGE_BY_KEY append, which puts the value at the end of each list without it.
// The merge is that of FIND_AND_UPDATE, or that of RFC 7396 if deep. No instruction makes or removes a document.
//
// # What is missing
//
// SKIPPED is an item in which no instruction found anything to be about; UNCHANGED one in which all was done before.
//
//	                             the value is missing      a member on the way is   a value on the way, or at the place,
//	                             or null                   missing or null          is of another kind
//	ADD_TO_EXISTING,             the list is created       it is created            FAILED
//	CLEAR_ALL_AND_REPLACE,
//	APPEND_NEW_BY_KEY,
//	MERGE_BY_KEY with append
//	MERGE_PATCH                  it is created, unless     it is created            FAILED on the way; replaced at the place
//	                             the patch only removes    (unless the same)
//	other keyed types            all keys are missing      all keys are missing     missing on the way; FAILED at the place
//	CLEAR_FIELD                  missing: nothing found    nothing found            nothing found on the way
//	JSON_PATCH                   missing: nothing found    nothing found            nothing found on the way, else as the RFC says
//	FIND types, texts            nothing found             nothing found            nothing found; a list type matches what is no list
//	MARC types                   missing: nothing found    nothing found            nothing found on the way; FAILED at the place
//
// Members are created, elements never: at an index that a list does not have, and for * in something empty, there is nothing.
package fields
