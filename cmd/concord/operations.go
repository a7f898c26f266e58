package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

func (a *app) operations() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "operation",
		Short: "Look after updates that wait for a lock: put --on-locked queue",
		Args:  group, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.operationGet(), a.operationCancel())
	return cmd
}

func (a *app) operationGet() *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use:   "get ID OPERATION",
		Short: "Show what became of an update that waited",
		Example: `  concord operation get demo o12
  concord operation get demo o12 --wait   # until it has run; the exit code is that of the update`,
		Args: arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			if wait {
				return a.awaitOperation(cmd.Context(), c, args[0], args[1])
			}
			o, err := c.OperationGet(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			return a.showOperation(args[0], o)
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it has run")
	return cmd
}

// awaitOperation ends as the update does.
func (a *app) awaitOperation(ctx context.Context, c *client.Client, id, operation string) error {
	result, err := c.OperationWait(ctx, id, operation)
	switch {
	case err != nil:
		return err
	case a.format != show.Table:
		return show.Encode(a.out, a.format, result)
	}
	_, err = fmt.Fprintf(a.out, "%s  %s  done: %s\n", id, operation, tag(result.Version))
	return err
}

func (a *app) showOperation(id string, o *client.Operation) error {
	if a.format != show.Table {
		return show.Encode(a.out, a.format, o)
	}
	text := fmt.Sprintf("%s  %s  %s", id, o.Operation, o.State)
	switch {
	case o.Position > 0:
		text += fmt.Sprintf(", number %d in line, until %s", o.Position, stamp(o.ExpiresAt))
	case o.Problem != nil:
		text += fmt.Sprintf(": %s: %s", o.Code, show.Clean(o.Problem.Detail))
	case o.Code != "":
		text += ": " + o.Code
	case o.Version > 0:
		text += ": " + tag(o.Version)
	}
	_, err := fmt.Fprintln(a.out, text)
	return err
}

func (a *app) operationCancel() *cobra.Command {
	return &cobra.Command{
		Use:     "cancel ID OPERATION",
		Short:   "Call an update off that still waits",
		Example: `  concord operation cancel demo o12`,
		Args:    arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.order(func(c *client.Client) error { return c.OperationCancel(cmd.Context(), args[0], args[1]) },
				"%s  %s  cancelled", args[0], args[1])
		},
	}
}
