package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// Flags are the settings that a command line gives. Once it is parsed, Load makes a configuration of it.
type Flags struct {
	Environ []string // nil: of this process
	Foreign []string // names in the environment that begin with CONCORD_ and are not the server's

	layer    layer
	file     string
	problems []error
}

// Names of the flags that are no settings.
const (
	flagConfig = "config"
	flagSet    = "set"
)

// AddFlags adds the flags of the settings to a set of flags, which parses them.
func AddFlags(fs *pflag.FlagSet) *Flags {
	f := &Flags{layer: make(layer)}
	fs.StringVar(&f.file, flagConfig, "", "file with settings (YAML)")
	for _, s := range Settings() {
		if s.Flag == "" {
			continue
		}
		flag := fs.VarPF(&settingFlag{flags: f, setting: s, text: s.Default()}, s.Flag, "", s.Doc)
		if s.Kind() == kindBool {
			flag.NoOptDefVal = "true"
		}
	}
	fs.Var(&setFlag{flags: f}, flagSet, "any setting, as key=value; may be repeated")
	return f
}

// settingFlag is the flag of one setting. What it is given is judged by Load, in the words of all sources.
type settingFlag struct {
	flags   *Flags
	setting Setting
	text    string
}

func (v *settingFlag) String() string { return v.text }
func (v *settingFlag) Type() string   { return v.setting.Kind() }
func (v *settingFlag) Set(text string) error {
	v.text = text
	v.flags.layer[v.setting.Key] = given{text: text, origin: "flag --" + v.setting.Flag}
	return nil
}

// setFlag is the flag for any setting. As with all flags the last one counts.
type setFlag struct{ flags *Flags }

func (*setFlag) String() string { return "" }
func (*setFlag) Type() string   { return "key=value" }
func (v *setFlag) Set(text string) error {
	key, value, found := strings.Cut(text, "=")
	const origin = "flag --" + flagSet
	switch {
	case !found:
		v.flags.problems = append(v.flags.problems, fmt.Errorf("--%s takes key=value, not %q", flagSet, clip(text)))
	case !isKey(key):
		v.flags.problems = append(v.flags.problems, unknownKey(key, origin))
	default:
		v.flags.layer[key] = given{text: value, origin: origin}
	}
	return nil
}

// ExplainFlag adds to an error of the parser which flag was meant, or that --set is.
func ExplainFlag(err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	meant := map[string]string{flagConfig: "--" + flagConfig, flagSet: "--" + flagSet} // by what may have been typed
	names := []string{flagConfig, flagSet}
	for _, s := range Settings() {
		flag := "--" + flagSet + " " + s.Key + "=..."
		if s.Flag != "" {
			flag = "--" + s.Flag
			meant[s.Flag], names = flag, append(names, s.Flag)
		}
		if s.Key != s.Flag {
			meant[s.Key], names = flag, append(names, s.Key)
		}
	}
	return fmt.Errorf("%w: did you mean %s?", err, meant[nearest(unknown.GetSpecifiedName(), names)])
}

// Load makes the configuration of defaults, file, environment and the flags that were parsed. Its error names all that
// is wrong, a line each.
func (f *Flags) Load() (*Config, error) {
	environ := f.Environ
	if environ == nil {
		environ = os.Environ()
	}
	env, path, problems := environment(environ, f.Foreign)
	if f.file != "" {
		path = f.file
	}
	var inFile layer
	if path != "" {
		var more []error
		inFile, more = readFile(path)
		problems = append(more, problems...)
	}
	problems = append(problems, f.problems...)
	for _, l := range []layer{inFile, env, f.layer} {
		problems = append(problems, l.apply(Default())...) // each alone, so that nothing wrong is hidden by what overrides it
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	all, err := merge(inFile, env, f.layer)
	if err != nil {
		return nil, err
	}
	c := Default()
	problems = append(all.apply(c), c.check()...)
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return c, nil
}

// Load is the configuration for the arguments of a command line that has no other flags, with this process's
// environment. Its error is pflag.ErrHelp if help was asked for.
func Load(args []string) (*Config, error) {
	fs := pflag.NewFlagSet("concord", pflag.ContinueOnError)
	fs.Usage = func() {}
	f := AddFlags(fs)
	if err := fs.Parse(args); err != nil {
		return nil, ExplainFlag(err)
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", clip(fs.Arg(0)))
	}
	return f.Load()
}
