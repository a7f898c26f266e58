//go:build !race

package operations

const underRace = 1
