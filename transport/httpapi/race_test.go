//go:build race

package httpapi_test

// slowdown is what the race detector costs.
const slowdown = 10
