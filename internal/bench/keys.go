package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
)

const (
	hotKeysDefault      = 10
	zipfExponentDefault = 0.99
	zipfExponentMax     = 10
)

// Distribution says how often each key is met. The zero value is uniform.
type Distribution struct {
	hotKeys  int     // > 0: only so many keys, each as often as the others
	exponent float64 // > 0: the key of rank r is met in proportion to 1/r^exponent
}

// Uniform meets every key equally often.
func Uniform() Distribution { return Distribution{} }

// Hot meets only n of the keys, at least 1, each equally often.
func Hot(n int) Distribution { return Distribution{hotKeys: n} }

// Zipf meets the key of rank r in proportion to 1/r^exponent; YCSB uses 0.99.
func Zipf(exponent float64) Distribution { return Distribution{exponent: exponent} }

// ParseDistribution reads "uniform", "hot", "hot:1", "zipf" or "zipf:0.8".
func ParseDistribution(text string) (Distribution, error) {
	kind, argument, given := strings.Cut(text, ":")
	d := Distribution{}
	var err error
	switch {
	case kind == "uniform" && !given:
	case kind == "hot" && !given:
		d = Hot(hotKeysDefault)
	case kind == "hot":
		d.hotKeys, err = strconv.Atoi(argument)
		if err == nil && d.hotKeys < 1 {
			err = fmt.Errorf("at least one key must be hot")
		}
	case kind == "zipf" && !given:
		d = Zipf(zipfExponentDefault)
	case kind == "zipf":
		d.exponent, err = strconv.ParseFloat(argument, 64)
		if err == nil && !(d.exponent > 0) {
			err = fmt.Errorf("the exponent must be positive")
		}
	default:
		err = fmt.Errorf("known are uniform, hot[:keys], zipf[:exponent]")
	}
	if err == nil {
		err = d.validate()
	}
	if err != nil {
		return Distribution{}, fmt.Errorf("distribution %q: %w", text, err)
	}
	return d, nil
}

// String is what ParseDistribution reads.
func (d Distribution) String() string {
	switch {
	case d.hotKeys > 0:
		return "hot:" + strconv.Itoa(d.hotKeys)
	case d.exponent > 0:
		return "zipf:" + strconv.FormatFloat(d.exponent, 'g', -1, 64)
	default:
		return "uniform"
	}
}

func (d Distribution) validate() error {
	if d.hotKeys < 0 || !(d.exponent >= 0 && d.exponent <= zipfExponentMax) {
		return fmt.Errorf("distribution %s: hot keys must not be negative, the exponent must be 0 to %d", d, zipfExponentMax)
	}
	return nil
}

// picker draws a key. It is safe for concurrent use with different sources.
type picker func(*rand.Rand) int

// newPicker prepares d over n keys. Neighbours in rank are not neighbours in the key space, so that no
// contender gains or loses by hot keys that share a page.
func newPicker(d Distribution, n int) picker {
	step := coprimeStep(n)
	scatter := func(rank int) int { return rank * step % n }
	switch {
	case d.hotKeys > 0:
		hot := min(d.hotKeys, n)
		return func(r *rand.Rand) int { return scatter(r.IntN(hot)) }
	case d.exponent > 0:
		shares := zipfShares(d.exponent, n)
		return func(r *rand.Rand) int {
			// The last share is 1 up to rounding, and Float64 is below 1.
			return scatter(min(sort.SearchFloat64s(shares, r.Float64()), n-1))
		}
	default:
		return func(r *rand.Rand) int { return r.IntN(n) }
	}
}

// zipfShares returns the share of all draws that meet rank i or a lower one. A table, 8 bytes a key,
// since math/rand's Zipf knows only exponents above 1.
func zipfShares(exponent float64, n int) []float64 {
	shares := make([]float64, n)
	sum := 0.0
	for i := range shares {
		sum += math.Pow(float64(i+1), -exponent)
		shares[i] = sum
	}
	for i := range shares {
		shares[i] /= sum
	}
	return shares
}

// coprimeStep returns a step near the golden section of n that reaches every residue modulo n.
func coprimeStep(n int) int {
	step := max(1, int(float64(n)*0.618034))
	for gcd(step, n) != 1 {
		step++
	}
	return step
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
