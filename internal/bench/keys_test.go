package bench

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestParseDistribution(t *testing.T) {
	for text, want := range map[string]string{
		"uniform": "uniform", "hot": "hot:10", "hot:1": "hot:1", "zipf": "zipf:0.99", "zipf:1.2": "zipf:1.2",
	} {
		d, err := ParseDistribution(text)
		if err != nil || d.String() != want {
			t.Errorf("ParseDistribution(%q) = %v, %v; want %s", text, d, err, want)
		}
	}
	for _, text := range []string{"", "warm", "uniform:2", "hot:", "hot:0", "hot:-3", "hot:x", "zipf:0", "zipf:NaN", "zipf:-1", "zipf:99"} {
		if d, err := ParseDistribution(text); err == nil {
			t.Errorf("ParseDistribution(%q) = %v, want an error", text, d)
		}
	}
}

func TestPickerMeetsKeysAsOftenAsItSays(t *testing.T) {
	const keys, draws = 1000, 200_000
	count := func(d Distribution) []int {
		counts := make([]int, keys)
		pick := newPicker(d, keys)
		random := rand.New(rand.NewPCG(3, 4))
		for range draws {
			counts[pick(random)]++
		}
		slices.Sort(counts)
		slices.Reverse(counts)
		return counts
	}
	near := func(t *testing.T, what string, got int, want float64) {
		t.Helper()
		if math.Abs(float64(got)-want) > 6*math.Sqrt(want)+1 {
			t.Errorf("%s: %d draws, want about %.0f", what, got, want)
		}
	}
	t.Run("uniform", func(t *testing.T) {
		counts := count(Uniform())
		near(t, "most frequent", counts[0], draws/keys)
		near(t, "least frequent", counts[keys-1], draws/keys)
	})
	t.Run("hot", func(t *testing.T) {
		counts := count(Hot(10))
		near(t, "tenth", counts[9], draws/10)
		near(t, "eleventh", counts[10], 0)
	})
	t.Run("zipf", func(t *testing.T) {
		counts := count(Zipf(0.99))
		sum := 0.0
		for rank := 1; rank <= keys; rank++ {
			sum += math.Pow(float64(rank), -0.99)
		}
		near(t, "rank 1", counts[0], draws/sum)
		near(t, "rank 10", counts[9], draws*math.Pow(10, -0.99)/sum)
	})
}

func TestEveryKeyCanBeHot(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10, 64, 1000, 99_991} {
		step := coprimeStep(n)
		met := make([]bool, n)
		for rank := range n {
			met[rank*step%n] = true
		}
		if slices.Contains(met, false) {
			t.Errorf("%d keys with step %d: one is never met", n, step)
		}
	}
}

func TestDocumentsAreJSONOfTheirSizeAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	for client := range 3 {
		for _, size := range []int{payloadMinBytes, 1024} {
			d := newDocument(client, size)
			for range 3 {
				body := d.next()
				if len(body) != size || !json.Valid(body) || seen[string(body)] {
					t.Fatalf("document of %d bytes is wrong: %s", size, body)
				}
				seen[string(body)] = true
			}
		}
	}
}
