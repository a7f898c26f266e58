package merge

import "concord/actors/jsonvalue"

// sumMaxDigits bounds the digits of a counter. What would have more is a conflict.
const sumMaxDigits = 1000

// counter adds up what both sides have counted. A missing base has counted nothing.
func (m *merger) counter(t triple) outcome {
	if !t.all(jsonvalue.Number) {
		return m.plain(t, nil)
	}
	minus := []*jsonvalue.Value{t.base}
	switch {
	case t.base == nil:
		minus = nil
	case jsonvalue.Equal(t.client, t.base):
		return t.takeServer()
	case jsonvalue.Equal(t.server, t.base):
		return t.takeClient()
	}
	sum, ok := jsonvalue.Sum([]*jsonvalue.Value{t.client, t.server}, minus, sumMaxDigits)
	if !ok {
		return m.conflict(t, t.kind())
	}
	return t.settled(sum)
}

// extreme takes the greater number (sign +1) or the lesser one (-1), if both sides have changed it to a number.
func (m *merger) extreme(t triple, sign int) outcome {
	if t.client == nil || t.server == nil ||
		t.client.Kind() != jsonvalue.Number || t.server.Kind() != jsonvalue.Number ||
		jsonvalue.Equal(t.client, t.base) || jsonvalue.Equal(t.server, t.base) {
		return m.plain(t, nil)
	}
	if sign*jsonvalue.CompareNumbers(t.client.Literal(), t.server.Literal()) > 0 {
		return t.takeClient()
	}
	return t.takeServer()
}

// settled is the outcome of a new value, in the spelling of a side that has the same.
func (t triple) settled(v *jsonvalue.Value) outcome {
	switch {
	case jsonvalue.Equal(v, t.server):
		return t.takeServer()
	case jsonvalue.Equal(v, t.client):
		return t.takeClient()
	default:
		return outcome{value: v}
	}
}
