package cmr

import (
	"fmt"
	"strings"

	"concord/actors/jsonvalue"
	"concord/transport"
)

// allIDs in the place of ids means all collections of the provider.
const allIDs = "ALL"

// idsMaxNamed bounds how many wrong ids one refusal names.
const idsMaxNamed = 1000

// conceptID reads an id of CMR's: what it is the id of, a number, and the provider. Names of ours have dashes, too.
func conceptID(id string) (kind, provider string, ok bool) {
	front, provider, ok := strings.Cut(id, "-")
	kind = strings.TrimRight(front, "0123456789")
	return kind, provider, ok && kind != "" && kind != front && strings.Trim(kind, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" && provider != "" &&
		provider[0] != '-' && !strings.ContainsFunc(provider, isNoName)
}

// isNoName says that the character is in no name of a provider.
func isNoName(c rune) bool {
	return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '_' && c != '-'
}

// wrongIDs says of all ids what is wrong with them, in one text; "": nothing. An id without a dash names no provider, and
// is one of ours.
func wrongIDs(ids []string) string {
	var wrong []string
	more := 0
	for _, id := range ids {
		text := ""
		switch kind, _, ok := conceptID(id); {
		case strings.EqualFold(id, allIDs), !ok && strings.Contains(id, "-"), !transport.ValidID(id):
			text = fmt.Sprintf("Concept-id [%s] is not valid.", cut(id))
		case ok && !strings.HasPrefix(kind, "C"):
			text = fmt.Sprintf("Collection concept-id [%s] is invalid, must start with C", cut(id))
		}
		if text == "" {
			continue
		}
		if len(wrong) == idsMaxNamed {
			more++
			continue
		}
		wrong = append(wrong, "["+string(jsonvalue.NewString(text).Text())+"]")
	}
	if more > 0 {
		wrong = append(wrong, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(wrong, ", ")
}

// apart says of the ids that name another provider that they do. The provider is compared whole: one whose name ends as
// another's does is not that one.
func apart(provider string) func(id string) string {
	return func(id string) string {
		if _, other, ok := conceptID(id); ok && other != provider {
			return notOf(id, provider)
		}
		return ""
	}
}
