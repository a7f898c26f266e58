package schema

import "concord/actors/bound"

const (
	// violationsMax is how many violations one Check tells.
	violationsMax = 100
	// pathMaxBytes bounds the path of a violation inside the value: a longer one is that of an ancestor.
	pathMaxBytes = 1024
	// shortMaxBytes bounds what a message quotes of a schema.
	shortMaxBytes = 80

	// numberMaxDigits bounds the digits and the exponent of a number: the library compares big rationals, so that the
	// nine bytes of 1e9999999 would cost megabytes.
	numberMaxDigits = 400
	// countMax bounds minLength, maxItems and the like: the library reads them as machine integers.
	countMax = "1000000000"

	// schemaMaxNodes bounds the values in the text of a schema, and schemaMaxPlaces the schemas among them: the library
	// looks for each of these in a list.
	schemaMaxNodes  = 20_000
	schemaMaxPlaces = 4_000
	// schemaCostMax bounds how often schemas may be evaluated for one place of a value, by allOf, $ref and the like.
	schemaCostMax = 10_000

	// patternMaxBytes bounds one regular expression, and patternsMaxInstructions the programs of all of a schema:
	// (x{999}){9} is short, but its program is not.
	patternMaxBytes         = 1_000
	patternsMaxInstructions = 20_000

	// checkMaxSteps bounds the work of one Check. A step takes the library about 100 ns.
	checkMaxSteps = 2_000_000
)

// Bounds are the bounds of schemas and checks.
func Bounds() []bound.Bound {
	return []bound.Bound{
		bound.Fixed("schemas in a schema", schemaMaxPlaces, "and five times as many values"),
		bound.Fixed("schemas for one place", schemaCostMax, "that allOf, $ref and the like may have evaluated"),
		bound.Bytes("pattern", patternMaxBytes, "of a schema"),
		bound.Fixed("digits of a number", numberMaxDigits, "that a schema judges; its exponent, too"),
		bound.Fixed("steps of a check", checkMaxSteps, "of one document by its schema: about 0.2 s; more is a violation"),
		bound.Fixed("violations", violationsMax, "that are told of one document"),
	}
}
