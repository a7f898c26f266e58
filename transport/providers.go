package transport

import (
	"sync"
	"time"
)

// Bounds of what is remembered about providers.
const (
	providersMaxKnown   = 10_000
	providersMaxMissing = 1000
	providerMissingFor  = time.Second
)

// Providers remembers which providers the store has, since to look costs a read of the disk on a goroutine that serves
// others, too (Gate.Enter). A provider that was there once is there for ever. One that is missing is not looked for again
// for providerMissingFor, by the wall clock: only a provider that the authenticator knows can come into being by a write,
// and the Gate does not ask for such a one. It may be used by many goroutines.
type Providers struct {
	look func(provider string) bool

	mu      sync.Mutex
	known   map[string]struct{}
	missing map[string]time.Time // until when
}

// NewProviders remembers what look says.
func NewProviders(look func(provider string) bool) *Providers {
	return &Providers{look: look, known: make(map[string]struct{}), missing: make(map[string]time.Time)}
}

// Exists says whether the store has anything of the provider.
func (p *Providers) Exists(provider string) bool {
	if exists, remembered := p.remembered(provider); remembered {
		return exists
	}
	exists := p.look(provider)
	p.remember(provider, exists)
	return exists
}

func (p *Providers) remembered(provider string) (exists, remembered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.known[provider]; ok {
		return true, true
	}
	until, ok := p.missing[provider]
	return false, ok && time.Now().Before(until)
}

func (p *Providers) remember(provider string, exists bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if exists {
		delete(p.missing, provider)
		makeRoom(p.known, providersMaxKnown)
		p.known[provider] = struct{}{}
		return
	}
	makeRoom(p.missing, providersMaxMissing)
	p.missing[provider] = time.Now().Add(providerMissingFor)
}

// makeRoom forgets any one, if there are as many as there may be: it will be looked for again.
func makeRoom[V any](m map[string]V, most int) {
	if len(m) < most {
		return
	}
	for provider := range m {
		delete(m, provider)
		return
	}
}
