package operations

import (
	"context"

	"concord/actors/problem"
	"concord/transport"
)

// adminStatus tells how the node is.
func (s *Service) adminStatus(_ context.Context, _ *transport.Request, done reply) {
	done(ok(s.Admin.Status()))
}

// adminBackup writes an online copy of the store.
func (s *Service) adminBackup(ctx context.Context, r *transport.Request, done reply) {
	e, err := openEnvelope(r.Body, "", "name")
	if err != nil {
		done(nil, err)
		return
	}
	name, err := e.str("name", 128)
	if err == nil && !transport.ValidID(name) {
		err = problem.At("/name", "1 to 128 letters, digits, \"_\" or \"-\", the first a letter or digit")
	}
	if err != nil {
		done(nil, err)
		return
	}
	if !s.adminBusy.CompareAndSwap(false, true) {
		done(nil, busy())
		return
	}
	defer s.adminBusy.Store(false)
	result, err := s.Admin.Backup(ctx, name)
	if err != nil {
		done(nil, err)
		return
	}
	done(ok(result))
}

// adminVerify reads the whole store against its hashes.
func (s *Service) adminVerify(ctx context.Context, _ *transport.Request, done reply) {
	if !s.adminBusy.CompareAndSwap(false, true) {
		done(nil, busy())
		return
	}
	defer s.adminBusy.Store(false)
	report, err := s.Admin.Verify(ctx)
	if err != nil {
		done(nil, err)
		return
	}
	done(ok(report))
}

func busy() error {
	return problem.New(problem.WrongState, "a backup or verification is under way: one at a time")
}
