package transport

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestProvidersAreRemembered: the store is asked once for what is there, and once a second for what is not.
func TestProvidersAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stored, looks := map[string]bool{"there": true}, 0
		p := NewProviders(func(provider string) bool { looks++; return stored[provider] })
		for _, step := range []struct {
			name, provider string
			after          time.Duration
			exists         bool
			looks          int // in all
		}{
			{"there: looked for", "there", 0, true, 1},
			{"there: remembered", "there", 0, true, 1},
			{"there: remembered for long", "there", time.Hour, true, 1},
			{"missing: looked for", "missing", 0, false, 2},
			{"missing: remembered", "missing", providerMissingFor / 2, false, 2},
			{"missing: looked for again", "missing", providerMissingFor / 2, false, 3},
			{"another: looked for", "another", 0, false, 4},
		} {
			time.Sleep(step.after)
			if got := p.Exists(step.provider); got != step.exists || looks != step.looks {
				t.Errorf("%s: %v after %d looks, want %v after %d", step.name, got, looks, step.exists, step.looks)
			}
		}
		stored["missing"] = true
		time.Sleep(providerMissingFor)
		if !p.Exists("missing") {
			t.Error("one that came into being is still missing")
		}
	})
}

// TestProvidersAreBounded: names that callers make up cost no more memory than the bounds.
func TestProvidersAreBounded(t *testing.T) {
	for _, exists := range []bool{true, false} {
		p := NewProviders(func(string) bool { return exists })
		for n := range 2 * providersMaxKnown {
			if p.Exists(fmt.Sprint("p", n)) != exists {
				t.Fatal(n)
			}
		}
		if len(p.known) > providersMaxKnown || len(p.missing) > providersMaxMissing {
			t.Errorf("%d known, %d missing", len(p.known), len(p.missing))
		}
	}
}
