package httpapi

// The bounds that the tests fill.
const (
	RequestsMax = requestsMax
	ReadersMax  = readersMax
)
