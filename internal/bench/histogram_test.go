package bench

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHistogramAgainstSortedSamples(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, draw := range map[string]func() time.Duration{
		"nanoseconds":       func() time.Duration { return time.Duration(random.IntN(200)) },
		"exponential, 3 ms": func() time.Duration { return time.Duration(random.ExpFloat64() * 3e6) },
		"log-normal":        func() time.Duration { return time.Duration(math.Exp(12 + 2*random.NormFloat64())) },
		"two humps":         func() time.Duration { return time.Duration(1e5 + random.Int64N(2)*5e9) },
	} {
		t.Run(name, func(t *testing.T) {
			halves := [2]Histogram{}
			samples := make([]time.Duration, 20_000)
			for i := range samples {
				samples[i] = draw()
				halves[i%2].Record(samples[i])
			}
			h := halves[0]
			h.Merge(&halves[1])
			slices.Sort(samples)
			if h.Count() != uint64(len(samples)) || h.Max() != samples[len(samples)-1] {
				t.Fatalf("count %d, max %v; want %d, %v", h.Count(), h.Max(), len(samples), samples[len(samples)-1])
			}
			for _, q := range []float64{0, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
				want := samples[max(0, int(math.Ceil(q*float64(len(samples))))-1)]
				got := h.Quantile(q)
				if got < want || float64(got-want) > float64(want)/64 {
					t.Errorf("quantile %v is %v, sorted samples say %v", q, got, want)
				}
			}
		})
	}
}

func TestHistogramBucketsJoinWithoutGap(t *testing.T) {
	for i := range histogramBuckets - 1 {
		end := bucketEnd(i)
		if bucket(end) != i || bucket(end+1) != i+1 {
			t.Fatalf("bucket %d ends at %d, but %d is in %d and %d in %d", i, end, end, bucket(end), end+1, bucket(end+1))
		}
	}
}

func TestHistogramAtItsEdges(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 {
		t.Error("an empty histogram has a quantile or a maximum")
	}
	h.Record(-time.Second)
	if got := h.Quantile(1); got != 0 {
		t.Errorf("a negative duration counts as %v, want 0", got)
	}
	h.Record(24 * time.Hour)
	if h.Max() != 24*time.Hour || h.Quantile(1) < 18*time.Minute {
		t.Errorf("a day has max %v and quantile %v", h.Max(), h.Quantile(1))
	}
}
