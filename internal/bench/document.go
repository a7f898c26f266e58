package bench

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

const (
	documentHead = `{"stamp":"`
	documentMid  = `","text":"`
	documentTail = `"}`
	stampBytes   = 8
	// alphabet is what the text is drawn from: 6 bits a byte, so that compression gains only a quarter.
	alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
)

// document is the JSON document that one client writes. Its stamp makes every one different from all
// others of the run: a store that knows repeated content must not save the work.
type document struct {
	bytes []byte
	stamp uint64
}

// newDocument makes a document of size bytes, at least payloadMinBytes, for the client of that number.
func newDocument(client, size int) *document {
	r := rand.New(rand.NewPCG(uint64(client), uint64(size)))
	stampText := 2 * stampBytes
	text := make([]byte, size-len(documentHead)-stampText-len(documentMid)-len(documentTail))
	for i := range text {
		text[i] = alphabet[r.IntN(len(alphabet))]
	}
	d := &document{bytes: make([]byte, 0, size), stamp: r.Uint64()}
	d.bytes = append(d.bytes, documentHead...)
	d.bytes = append(d.bytes, make([]byte, stampText)...)
	d.bytes = append(d.bytes, documentMid...)
	d.bytes = append(d.bytes, text...)
	d.bytes = append(d.bytes, documentTail...)
	d.next()
	return d
}

// next stamps the document anew and returns it. The answer is valid until the next call.
func (d *document) next() []byte {
	d.stamp++
	var raw [stampBytes]byte
	binary.BigEndian.PutUint64(raw[:], d.stamp)
	hex.Encode(d.bytes[len(documentHead):], raw[:])
	return d.bytes
}
