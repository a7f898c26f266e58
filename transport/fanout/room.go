package fanout

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// errNoRoom means that JetStream does not take a stream of that size. An embedded server gives its streams three quarters of
// what was free on the disk when it started.
var errNoRoom = errors.New("JetStream has no room for the stream")

// codeNoStorage is what JetStream answers then: "insufficient storage resources available".
const codeNoStorage jetstream.ErrorCode = 10047

// refused marks the refusal of a stream for its size.
func refused(err error) error {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.ErrorCode == codeNoStorage {
		return fmt.Errorf("%w: %w", errNoRoom, err)
	}
	return err
}

// waits logs that nothing can be published for now. That there is no room does not pass by itself: an operator is told once,
// and what to do.
func (t *Tail) waits(err error, retry time.Duration) {
	if !errors.Is(err, errNoRoom) {
		t.log.Warn().Err(err).Dur("retryIn", retry).Msg("fan-out waits for JetStream")
		return
	}
	if t.cramped {
		return
	}
	t.cramped = true
	e := t.log.Error().Err(err).Str("stream", t.config.Stream).Int64("needsBytes", t.config.MaxBytes)
	const what = "no event stream can be made, and events wait in the log: make room on the disk of JetStream, or lower "
	if t.config.BytesSetting == "" {
		e.Msg(what + "the bytes of the stream, and start again")
		return
	}
	e.Str("setting", t.config.BytesSetting).Msg(what + t.config.BytesSetting + ", and start again")
}
