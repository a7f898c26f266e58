package config

import (
	"fmt"
	"strings"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// given is a value as somebody gave it.
type given struct {
	text   string
	origin string
}

// originDefault is the origin of what nobody gave.
const originDefault = "default"

// layer is what one source gives, by key.
type layer map[string]given

// keySeparator is what koanf takes for the end of a level. It stands in no key, so that keys stay whole: limits.upload
// and limits.upload.chunk are both settings.
const keySeparator = "/"

// merge is what the layers give together, the later before the earlier.
func merge(layers ...layer) (layer, error) {
	k := koanf.New(keySeparator)
	origins := make(map[string]string)
	for _, l := range layers {
		texts := make(map[string]any, len(l))
		for key, g := range l {
			texts[key], origins[key] = g.text, g.origin
		}
		if err := k.Load(confmap.Provider(texts, ""), nil); err != nil {
			return nil, fmt.Errorf("merge the settings: %w", err)
		}
	}
	all := make(layer, len(origins))
	for key, origin := range origins {
		all[key] = given{text: k.String(key), origin: origin}
	}
	return all, nil
}

// apply sets the value of every key that the layer gives, and tells what is wrong with which.
func (l layer) apply(c *Config) []error {
	var problems []error
	for _, s := range table(c) {
		g, ok := l[s.Key]
		if !ok {
			continue
		}
		if err := s.value.set(g.text); err != nil {
			problems = append(problems, fmt.Errorf("%s = %q: %w (%s)", s.Key, s.value.mask(g.text), err, g.origin))
			continue
		}
		c.given[s.Key] = given{text: s.value.show(), origin: g.origin}
	}
	return problems
}

// unknownKey is the error for a key that is none.
func unknownKey(key, origin string) error {
	if members := membersOf(key); len(members) > 0 {
		return fmt.Errorf("%q is a group of settings, not one: %s (%s)", key, strings.Join(members, ", "), origin)
	}
	keys := make([]string, 0, len(Settings()))
	for _, s := range Settings() {
		keys = append(keys, s.Key)
	}
	return fmt.Errorf("unknown setting %q: did you mean %s? (%s)", clip(key), nearest(key, keys), origin)
}

// membersOf are the keys below a group.
func membersOf(group string) []string {
	var members []string
	for _, s := range Settings() {
		if strings.HasPrefix(s.Key, group+".") {
			members = append(members, s.Key)
		}
	}
	return members
}

func isKey(key string) bool {
	for _, s := range Settings() {
		if s.Key == key {
			return true
		}
	}
	return false
}

// clip keeps an error short, whatever was typed.
func clip(text string) string {
	const clipMaxBytes = 80
	if len(text) <= clipMaxBytes {
		return text
	}
	return strings.ToValidUTF8(text[:clipMaxBytes], "") + "..."
}
