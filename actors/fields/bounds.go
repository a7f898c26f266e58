package fields

import "concord/actors/bound"

const (
	// instructionsMax and instructionsMaxBytes bound the instructions of one task, pathMaxTokens the levels of a path, the
	// part of the collection with them. How deep a find or a value is nested is bounded by jsonvalue.MaxDepth.
	instructionsMax      = 100
	instructionsMaxBytes = 512 << 10
	pathMaxTokens        = 64

	// faultsMax bounds the mistakes that one refusal tells, warningsMax the warnings of one outcome.
	faultsMax   = 1000
	warningsMax = 100

	// aliasesMax bounds the fields of a type, aliasMaxBytes the name of one, itemsMax its maxItems.
	aliasesMax    = 1000
	aliasMaxBytes = 128
	itemsMax      = 1_000_000

	// keyMaxBytes bounds the name of the member that names an element.
	keyMaxBytes = 256

	// writtenMaxBytes bounds what one instruction may write into one collection: a value goes to each place of a path, and
	// a text grows at each place where it is found.
	writtenMaxBytes = 16 << 20

	// patchMaxOperations bounds the operations of a JSON_PATCH. patchMaxSteps bounds its work over all places of its path,
	// each by its share of the part; beside it each place has patchPlaceSteps, and what reading the patch takes.
	patchMaxOperations = 10_000
	patchMaxSteps      = 20_000_000
	patchPlaceSteps    = 100

	// documentMaxBytes bounds the id of a document.
	documentMaxBytes = 256

	// quotedMaxBytes bounds what a message repeats of a text that came.
	quotedMaxBytes = 80
)

// Bounds are the bounds of instructions.
func Bounds() []bound.Bound {
	return []bound.Bound{
		bound.Fixed("instructions", instructionsMax, "of one bulk task"),
		bound.Bytes("text of instructions", instructionsMaxBytes, "of one bulk task"),
		bound.Fixed("levels of a path", pathMaxTokens, "the part of the collection with them"),
		bound.Fixed("fields", aliasesMax, "of one collection type"),
		bound.Bytes("written by an instruction", writtenMaxBytes, "into one collection; more is a failed item"),
		bound.Fixed("steps of a JSON_PATCH", patchMaxSteps, "on one part of a collection, over all places of its path"),
	}
}
