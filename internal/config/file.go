package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// fileMaxBytes bounds the file of settings.
const fileMaxBytes = 1 << 20

// readFile reads the settings in the file.
func readFile(path string) (layer, []error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, []error{fmt.Errorf("read the settings: %w", err)}
	}
	content, err := io.ReadAll(io.LimitReader(f, fileMaxBytes+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, []error{fmt.Errorf("read the settings: %w", err)}
	}
	return parseFile(path, content)
}

// parseFile reads settings in YAML: levels, dotted keys, or both. What a value means is left to its setting, which gets
// the text as it stands: YAML's own opinion on "off" or "010" does not count.
func parseFile(path string, content []byte) (layer, []error) {
	if len(content) > fileMaxBytes {
		return nil, []error{fmt.Errorf("settings %s: more than %s", path, FormatSize(fileMaxBytes))}
	}
	d := yaml.NewDecoder(bytes.NewReader(content))
	var document, second yaml.Node
	switch err := d.Decode(&document); {
	case errors.Is(err, io.EOF):
		return layer{}, nil
	case err != nil:
		return nil, []error{fmt.Errorf("settings %s: %w", path, err)}
	}
	if err := d.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, []error{fmt.Errorf("settings %s: there must be one document", path)}
	}
	f := file{path: path, layer: make(layer)}
	root := document.Content[0]
	switch {
	case root.Kind == yaml.MappingNode:
		f.group("", root)
	case root.Tag != tagNull: // a file of comments alone is empty
		f.refuse("the settings must be keys with values", root)
	}
	return f.layer, f.problems
}

// Tags that YAML resolves to.
const tagNull = "!!null"

// file is a file of settings while it is read.
type file struct {
	path     string
	layer    layer
	problems []error
}

func (f *file) origin(n *yaml.Node) string { return "file " + f.path + ":" + strconv.Itoa(n.Line) }

func (f *file) refuse(what string, n *yaml.Node) {
	f.problems = append(f.problems, fmt.Errorf("%s (%s)", what, f.origin(n)))
}

// group reads the members of a group. It goes no deeper than the groups that there are.
func (f *file) group(prefix string, n *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		key := prefix + name.Value
		known := isKey(key)
		switch {
		case name.Kind != yaml.ScalarNode || value.Kind == yaml.AliasNode || value.Anchor != "":
			f.refuse("anchors, aliases and keys that are no text are not supported", name)
		case value.Kind == yaml.MappingNode && len(membersOf(key)) > 0:
			f.group(key+".", value)
		case !known && value.Tag == tagNull && len(membersOf(key)) > 0:
			// a group of which all members are comments
		case !known && value.Kind == yaml.MappingNode && len(value.Content) > 0:
			f.unknownGroup(key+".", value)
		case !known:
			f.problems = append(f.problems, unknownKey(key, f.origin(name)))
		case value.Kind != yaml.ScalarNode:
			f.refuse(key+" takes one value", value)
		case value.Tag == tagNull:
			f.refuse(key+" has no value", name)
		default:
			f.give(key, value)
		}
	}
}

// unknownGroup refuses the members of a group that there is not: what they are called says best what is meant.
func (f *file) unknownGroup(prefix string, n *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		f.problems = append(f.problems, unknownKey(prefix+n.Content[i].Value, f.origin(n.Content[i])))
	}
}

func (f *file) give(key string, n *yaml.Node) {
	if before, twice := f.layer[key]; twice {
		f.refuse(key+" was given before: "+before.origin, n)
		return
	}
	f.layer[key] = given{text: n.Value, origin: f.origin(n)}
}
