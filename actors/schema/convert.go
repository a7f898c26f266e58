package schema

import (
	"encoding/json"
	"strconv"
	"strings"

	"concord/actors/jsonvalue"
)

// conversion makes of our values those of the library. refused has the places of the numbers that it must not get.
type conversion struct {
	place   []string // where the value is that is being converted
	refused list
}

func (c *conversion) value(v *jsonvalue.Value) any {
	switch v.Kind() {
	case jsonvalue.Bool:
		return v.Bool()
	case jsonvalue.String:
		return v.Str()
	case jsonvalue.Number:
		if !comparable(v.Literal()) {
			c.refused.tell(c.place, tooLong)
		}
		return json.Number(v.Literal())
	case jsonvalue.Array:
		array := make([]any, v.Len())
		for i, e := range v.Elements() {
			array[i] = c.child(strconv.Itoa(i), e)
		}
		return array
	case jsonvalue.Object:
		object := make(map[string]any, v.Len())
		for _, m := range v.Members() {
			object[m.Name] = c.child(m.Name, m.Value)
		}
		return object
	default:
		return nil
	}
}

func (c *conversion) child(token string, v *jsonvalue.Value) any {
	c.place = append(c.place, token)
	converted := c.value(v)
	c.place = c.place[:len(c.place)-1]
	return converted
}

const tooLong = "is a number with too many digits, or too large an exponent, to be compared"

// comparable says if a number is short enough for the library.
func comparable(literal string) bool {
	digits, exponent, _ := strings.Cut(strings.ToLower(literal), "e")
	if len(digits) > numberMaxDigits {
		return false
	}
	if exponent == "" {
		return true
	}
	e, err := strconv.Atoi(exponent)
	return err == nil && -numberMaxDigits <= e && e <= numberMaxDigits
}

// pointer is the JSON Pointer of a place, or of an ancestor of it if it were longer than pathMaxBytes.
func pointer(place []string) string {
	path := ""
	for _, token := range place {
		longer := child(path, token)
		if len(longer) > pathMaxBytes {
			break
		}
		path = longer
	}
	return path
}

var escaper = strings.NewReplacer("~", "~0", "/", "~1")

// child is the JSON Pointer of a token below path.
func child(path, token string) string { return path + "/" + escaper.Replace(token) }
