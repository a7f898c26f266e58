package fanout

import (
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"concord/persistence"
	"concord/transport"
)

// prompt tells those whom events concern: whoever holds a lock hears of a contest within milliseconds of its commit, and
// not after what the event stream has to take before. It is the event itself, with a message id of its own, on the
// subject of the principal. It is told once, or not at all if the link to NATS is down; prompt.list and the answer to
// each renewal say the same.
func (t *Tail) prompt(group []*persistence.Entry) {
	for _, e := range group {
		for i := range e.Records {
			rec := e.Records[i].Record
			if rec.GetNotify() == "" {
				continue
			}
			msg := &nats.Msg{Subject: t.promptSubject(e.Entity.Provider, rec.GetNotify()), Data: transport.EventOf(rec).Render(),
				Header: nats.Header{jetstream.MsgIDHeader: []string{e.Entity.EventID(rec.GetSeq()) + "@prompt"}}}
			if fence := rec.GetFence(); fence > 0 {
				msg.Header.Set(headerLockFence, strconv.FormatUint(fence, 10))
			}
			if err := t.nc.PublishMsg(msg); err != nil {
				t.log.Warn().Err(err).Stringer("entity", e.Entity).Msg("a prompt was not sent")
			}
		}
	}
}

// promptSubject is where the principal is told what concerns the locks that it holds. Its name may hold anything, so that
// it stands there in base32.
func (t *Tail) promptSubject(provider, principal string) string {
	return t.config.Prefix + ".event.prompt." + provider + "." + transport.PromptToken(principal)
}
