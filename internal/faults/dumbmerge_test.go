package faults

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// missing is a value that is not there. It is not null.
type missing struct{}

// dumbMerge merges three sides as one would on paper, on values as encoding/json has them: another program than the one
// that is tested, to compare with. conflicts are its conflicts, path to kind; prefer is the side that wins them, "" for none.
type dumbMerge struct {
	prefer    string
	conflicts map[string]string
}

// counterName is the member that a rule makes a counter, wherever the tests write one.
const counterName = "count"

func (d *dumbMerge) merge(path string, base, client, server any) any {
	if strings.HasSuffix(path, "/"+counterName) {
		return json.Number(strconv.Itoa(whole(server) + whole(client) - whole(base)))
	}
	b, baseIs := base.(map[string]any)
	c, clientIs := client.(map[string]any)
	s, serverIs := server.(map[string]any)
	if clientIs && serverIs && (baseIs || isMissing(base)) { // first, since a rule may hold below
		all := maps.Clone(b)
		if all == nil {
			all = map[string]any{}
		}
		maps.Copy(all, c)
		maps.Copy(all, s)
		result := map[string]any{}
		for name := range all {
			if v := d.merge(path+"/"+name, member(b, name), member(c, name), member(s, name)); !isMissing(v) {
				result[name] = v
			}
		}
		return result
	}
	switch {
	case reflect.DeepEqual(client, server), reflect.DeepEqual(server, base):
		return client
	case reflect.DeepEqual(client, base):
		return server
	}
	d.conflicts[path] = kindOf(base, client, server)
	if d.prefer == "client" {
		return client
	}
	return server
}

func kindOf(base, client, server any) string {
	switch {
	case isMissing(server):
		return "modify/delete"
	case isMissing(client):
		return "delete/modify"
	case isMissing(base):
		return "add/add"
	default:
		return "modify/modify"
	}
}

func isMissing(v any) bool {
	_, is := v.(missing)
	return is
}

// member is a member of an object, or missing.
func member(object map[string]any, name string) any {
	if v, ok := object[name]; ok {
		return v
	}
	return missing{}
}

// whole is a number that may be missing.
func whole(v any) int {
	n, _ := v.(json.Number)
	i, _ := strconv.Atoi(n.String())
	return i
}

// plain is the value as a request and its answer would have it: numbers as they are written.
func plain(v any) any {
	r, err := read(0, mustMarshal(map[string]any{"v": v}), false)
	if err != nil {
		panic(err)
	}
	return r.body["v"]
}

// conflictsIn are the conflicts that an answer names, path to kind. That they are sorted, and each named once, is checked.
func conflictsIn(t *testing.T, r reply) map[string]string {
	t.Helper()
	named := map[string]string{}
	var paths []string
	list, _ := r.body["conflicts"].([]any)
	for _, one := range list {
		c, _ := one.(map[string]any)
		path, _ := c["path"].(string)
		named[path], _ = c["kind"].(string)
		paths = append(paths, path)
	}
	if !slices.IsSorted(paths) || len(named) != len(list) {
		t.Errorf("the conflicts are not a sorted list without repeats: %s", r.text)
	}
	return named
}
