package main

import (
	"github.com/spf13/cobra"

	"concord/actors/script/quickjs"
)

// mergeWorker runs operators' merge code for a server, which starts it by itself: jobs on stdin, answers on stdout. It sets
// nothing else up, neither log nor settings: a server waits for it, and has given it no environment.
func (a *app) mergeWorker() *cobra.Command {
	return &cobra.Command{
		Use: quickjs.WorkerCommand, Short: "Run merge code for a server", Hidden: true, Args: arguments(cobra.NoArgs),
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil }, // the global flags are not for it
		RunE:              func(*cobra.Command, []string) error { return quickjs.Serve(a.in, a.out) },
	}
}
