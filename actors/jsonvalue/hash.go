package jsonvalue

import (
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// A hash is built from the leaves: each kind starts from its own constant, so that "1", 1 and [1]
// differ. The constants have no meaning; half of their bits are set.
const (
	hashNull       = 0x9ae16a3b2f90404f
	hashFalse      = 0xc3a5c85c97cb3127
	hashTrue       = 0xb492b66fbe98f273
	hashArrayStart = 0x8f3d1c6ba9527e4d

	mixString  = 0xd6e8feb86659fd93
	mixNumber  = 0xa0761d6478bd642f
	mixDigits  = 0xe7037ed1a0b428db
	mixElement = 0x8ebc6af09c88c6e3
	mixMember  = 0x589965cc75374cc3
	mixObject  = 0x1d8e4e27c47d124f
)

// mix folds the 128-bit product of its arguments: every bit of the result depends on all of both.
func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a^mixDigits, b^mixElement)
	return high ^ low
}

// hashBytes is the hash of what a string or a name means.
func hashBytes(b []byte) uint64 { return xxhash.Sum64(b) }

func hashText(s string) uint64 { return xxhash.Sum64String(s) }

func hashString(content uint64) uint64 { return mix(content, mixString) }

// hashElement takes the next element of an array into hash, which starts from hashArrayStart.
func hashElement(hash, element uint64) uint64 {
	return mix(bits.RotateLeft64(hash, 23)+mixElement, element)
}

func hashArray(hash uint64, count int) uint64 { return mix(hash, uint64(count)) }

// hashMember is the share of one member in the hash of its object. The shares are added up, since
// the order of the members does not matter.
func hashMember(name, value uint64) uint64 {
	return mix(name+mixMember, bits.RotateLeft64(value, 31))
}

func hashObject(sum uint64, count int) uint64 { return mix(sum+mixObject, uint64(count)) }

// chunkMaxDigits is how many decimal digits fit in 64 bits.
const chunkMaxDigits = 19

func hashNumber[T text](d decimal[T]) uint64 {
	hash := uint64(mixNumber)
	if d.negative {
		hash++
	}
	if d.exponent.head != "" {
		hash = mix(hash, hashText(d.exponent.head))
	}
	exponent := uint64(d.exponent.tail) << 1
	if d.exponent.negative {
		exponent++
	}
	hash = mix(hash, exponent)
	var chunk uint64
	for i := range d.size() {
		if i > 0 && i%chunkMaxDigits == 0 {
			hash, chunk = mix(hash, chunk), 0
		}
		chunk = chunk*10 + uint64(d.digit(i)-'0')
	}
	return mix(hash^mixDigits, chunk)
}
