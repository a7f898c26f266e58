package operations

import (
	"bytes"
	"encoding/json"
	"net/http"

	"concord/transport"
)

// page is one page of a list, in the making: its items as JSON, as many as were asked for and as one answer takes. What
// counts is what is sent, since a name may grow sixfold by its escapes.
type page struct {
	itemsMax, bytesMax int
	items              int
	text               []byte
}

func (s *Service) newPage(itemsMax int) *page {
	return &page{itemsMax: itemsMax, bytesMax: s.Limits.PageMaxBytes, text: []byte(`{"items":[`)}
}

// add adds an item; false: the page is full, and stays as it is. The first item always has room.
func (p *page) add(item any) (bool, error) {
	text, err := encode(item)
	if err != nil {
		return false, err
	}
	if p.items > 0 && (p.items == p.itemsMax || len(p.text)+len(text) > p.bytesMax) {
		return false, nil
	}
	if p.items > 0 {
		p.text = append(p.text, ',')
	}
	p.text = append(p.text, text...)
	p.items++
	return true, nil
}

// reply ends the page. next is where the following one begins; nil: this is the last.
func (p *page) reply(next *cursor) *transport.Reply {
	text := append(p.text, ']')
	if next != nil {
		text = append(append(append(text, `,"next":"`...), next.String()...), '"')
	}
	return &transport.Reply{Status: http.StatusOK, Body: append(text, '}')}
}

// ok is a success with a JSON body.
func ok(body any) (*transport.Reply, error) {
	text, err := encode(body)
	if err != nil {
		return nil, err
	}
	return &transport.Reply{Status: http.StatusOK, Body: text}, nil
}

// encode is JSON in which contents are shown as they are: <, > and & are not escaped.
func encode(body any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}
