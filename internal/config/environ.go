package config

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Names in the environment.
const (
	envPrefix = "CONCORD_"
	envConfig = "CONCORD_CONFIG" // the path of the file; not a setting, since it says where settings are
)

// envName is the name of a key in the environment: events.maxAge is CONCORD_EVENTS_MAX_AGE.
func envName(key string) string {
	var name strings.Builder
	name.WriteString(envPrefix)
	for _, r := range key {
		switch {
		case r == '.':
			r = '_'
		case unicode.IsUpper(r):
			name.WriteByte('_')
		}
		name.WriteRune(unicode.ToUpper(r))
	}
	return name.String()
}

// serviceLink finds the variables that Kubernetes sets for a service named concord or concord-...: they are none of ours.
var serviceLink = regexp.MustCompile(`_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)

// environment reads the settings of an environment, and the path of the file if it names one. foreign are names that
// begin like ours and are somebody else's.
func environment(environ, foreign []string) (l layer, file string, problems []error) {
	keys := make(map[string]string)
	var names []string
	for _, s := range Settings() {
		keys[s.Env()] = s.Key
		names = append(names, s.Env())
	}
	l = make(layer)
	for _, variable := range environ {
		name, text, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, envPrefix) || slices.Contains(foreign, name) {
			continue
		}
		key, known := keys[name]
		switch {
		case known:
			l[key] = given{text: text, origin: "env " + name}
		case name == envConfig:
			file = text
		case !serviceLink.MatchString(name):
			problems = append(problems, fmt.Errorf("unknown setting %s: did you mean %s? (environment)",
				clip(name), nearest(name, append(names, envConfig))))
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return l, file, problems
}
