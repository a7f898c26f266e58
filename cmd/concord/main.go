// Command concord is all of Concord in one program: the server and everything that talks to it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker for a release.
var version = "0.1.0"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the first signal ends the command in its own order, the second one at once
	code := run(ctx, &app{in: os.Stdin, out: os.Stdout, errs: os.Stderr, env: os.Getenv}, os.Args[1:])
	stop()
	os.Exit(code)
}
