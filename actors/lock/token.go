package lock

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

// tokenBytes are 128 bits: not to be guessed, and short enough for a header.
const tokenBytes = 16

// Token proves a grant. It is computed from the server's key, so that it is never stored and a repeated request can be
// answered again. Equal arguments give equal tokens; owner.Kind does not count.
func Token(key []byte, scope string, owner Party, fence uint64) string {
	h := hmac.New(sha256.New, key)
	var n [8]byte
	for _, field := range []string{"concord lock token 1", scope, owner.Principal, owner.Session} {
		binary.BigEndian.PutUint64(n[:], uint64(len(field)))
		h.Write(n[:])
		h.Write([]byte(field))
	}
	binary.BigEndian.PutUint64(n[:], fence)
	h.Write(n[:])
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:tokenBytes])
}

// Equal compares tokens in constant time.
func Equal(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

// Lease is what a token is computed from, beside key and scope: an idempotency record keeps it instead of the token.
type Lease struct {
	Owner Party
	Fence uint64 // of the lease's first grant: a late renewal keeps the token
}

// Token is the lease's token.
func (l Lease) Token(key []byte, scope string) string { return Token(key, scope, l.Owner, l.Fence) }

// proves says whether the token is that of the lease. Whoever asks must be of its principal, unless anybody may.
func (t *turn) proves(token string, l Lease, anybody bool) bool {
	return (anybody || l.Owner.Principal == t.a.By.Principal) && Equal(token, l.Token(t.a.Key, t.a.Scope))
}

// current says whether the token is that of the lock as it is.
func (t *turn) current(token string, anybody bool) bool {
	h := t.s.look().holder
	return h != nil && t.proves(token, h.lease(), anybody)
}

// endedWith finds the newest ended lock that had the token.
func (t *turn) endedWith(token string, anybody bool) (ended, bool) {
	list := t.s.look().ended
	for i := len(list) - 1; i >= 0; i-- {
		if t.proves(token, list[i].lease, anybody) {
			return list[i], true
		}
	}
	return ended{}, false
}
