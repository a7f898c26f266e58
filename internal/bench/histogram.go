package bench

import (
	"math"
	"math/bits"
	"time"
)

// A bucket is at most 1/64 wide in proportion to what it holds, so that a quantile is off by 1.6 % at
// most. Up to 127 ns each nanosecond has a bucket of its own.
const (
	histogramPrecisionBits = 6
	histogramRangeBits     = 40 // 2^40 ns are 18 minutes; what is longer counts as that
	histogramBuckets       = (histogramRangeBits - histogramPrecisionBits + 1) << histogramPrecisionBits
)

// Histogram counts durations in log-linear buckets, in a fixed 18 KiB. The zero value is empty and
// ready. It is not safe for concurrent use: give each goroutine its own and merge them.
type Histogram struct {
	counts [histogramBuckets]uint64
	total  uint64
	max    time.Duration
}

// Record counts d; a negative one counts as 0.
func (h *Histogram) Record(d time.Duration) {
	d = max(d, 0)
	h.counts[bucket(d)]++
	h.total++
	h.max = max(h.max, d)
}

// Merge adds what other holds.
func (h *Histogram) Merge(other *Histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.max = max(h.max, other.max)
}

// Count returns how many durations were recorded.
func (h *Histogram) Count() uint64 { return h.total }

// Max returns the longest duration, exactly; 0 if there is none.
func (h *Histogram) Max() time.Duration { return h.max }

// Quantile returns the duration that a share q, 0 to 1, of all does not exceed (nearest rank): never
// below the true one, and above it by 1/64 at most. It is 0 if there is none.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := max(1, uint64(math.Ceil(q*float64(h.total))))
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= rank {
			return min(bucketEnd(i), h.max)
		}
	}
	return h.max
}

// bucket returns the index for d: the exponent, then the leading bits below the first one.
func bucket(d time.Duration) int {
	v := min(uint64(d), 1<<histogramRangeBits-1)
	exponent := max(0, bits.Len64(v)-histogramPrecisionBits-1)
	return exponent<<histogramPrecisionBits + int(v>>exponent)
}

// bucketEnd returns the longest duration of bucket i.
func bucketEnd(i int) time.Duration {
	exponent := max(0, i>>histogramPrecisionBits-1)
	mantissa := i - exponent<<histogramPrecisionBits
	return time.Duration((mantissa+1)<<exponent - 1)
}
