package quickjs

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// exitLate is the exit code of a worker that ends itself, because a script did not heed its interruption.
const exitLate = 75

// Serve is a worker: it says that it is ready, then answers each line with one line, until in ends. It is all that its process
// does: it sets the process's time zone, since scripts live in UTC, and ends the process when a script cannot be ended. The limits of a job come with it; those of the process are
// the pool's.
func Serve(in io.Reader, out io.Writer) error {
	if err := os.Setenv("TZ", "UTC0"); err != nil { // which needs no file of time zones
		return fmt.Errorf("set the time zone: %w", err)
	}
	closeInherited()
	e, err := newEngine(func() { os.Exit(exitLate) })
	if err != nil {
		return err
	}
	if err := reply(out, answer{}); err != nil {
		return err
	}
	for r := bufio.NewReader(in); ; {
		line, err := readLine(r, requestMaxBytes)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a request: %w", err)
		}
		q, err := decodeRequest(line)
		if err != nil {
			return err
		}
		if err := reply(out, e.run(q)); err != nil {
			return err
		}
	}
}

func reply(out io.Writer, a answer) error {
	line, err := encode(a)
	if err != nil {
		return err
	}
	if _, err := out.Write(line); err != nil {
		return fmt.Errorf("write an answer: %w", err)
	}
	return nil
}
