package operations

import (
	"fmt"
	"iter"

	"concord/actors/bulk"
	"concord/persistence"
	"concord/transport"
)

// post has the body of the request kept, in the words in which it came, unless it is too long for that.
func (o *bulkOrder) post(r *transport.Request) {
	body, most := r.Body, bulkPostedMaxBytes
	if r.Words != nil {
		body, most, o.alias = r.Words.Body, bulk.PostedMaxBytes, r.Words.System
	}
	if 0 < len(body) && len(body) <= most {
		o.posted = piecesIn(body)
	}
}

// piecesIn are the pieces that a body is kept in: slices of it.
func piecesIn(body []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for len(body) > 0 {
			end := min(len(body), bulk.PieceMaxBytes)
			if !yield(body[:end], nil) {
				return
			}
			body = body[end:]
		}
	}
}

// piecesOf are those of the body that a task was asked for with. They are read one by one.
func (s *Service) piecesOf(t *bulkTask) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for number := range t.state.Pieces {
			if piece, err := partOf(s.Store, t.id, bulk.PostedPart(number)); !yield(piece, err) || err != nil {
				return
			}
		}
	}
}

// posted is the body that the task was asked for with, byte for byte; nil if it is not kept.
func (t *bulkTask) posted(view persistence.View) ([]byte, error) {
	var body []byte
	for number := range t.state.Pieces {
		piece, err := partOf(view, t.id, bulk.PostedPart(number))
		if err != nil {
			return nil, err
		}
		if number == 0 && t.state.Pieces > 1 {
			body = make([]byte, 0, int(t.state.Pieces)*bulk.PieceMaxBytes)
		}
		body = append(body, piece...)
	}
	return body, nil
}

// keep sends all pieces of the body but the last, which goes with the acceptance.
func (l *bulkRows) keep() error {
	if l.order.posted == nil {
		return nil
	}
	for piece, err := range l.order.posted {
		if err != nil {
			return err
		}
		if l.lastPiece != nil {
			if err := l.keepPiece(); err != nil {
				return err
			}
		}
		l.lastPiece = piece
	}
	return nil
}

func (l *bulkRows) keepPiece() error {
	c := &bulk.Keep{Number: l.pieces, Piece: l.lastPiece}
	if _, err := l.service.call(l.ctx, l.service.toBulk(l.request, l.id, c, "")); err != nil {
		return fmt.Errorf("keep piece %d of the body of %v: %w", c.Number, l.id, err)
	}
	l.pieces++
	return nil
}
