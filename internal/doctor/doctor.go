// Package doctor looks at the machine, before or while a server runs on it, and says what would make it slow, unsafe or
// unable to start. It changes nothing: the file that it writes to measure the disk is removed again.
//
// Each check is a look, which gathers facts, and a judgement of those facts, which is a plain function.
package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"concord/internal/config"
	"concord/transport"
)

// Status is a judgement.
type Status string

// The judgements, from good to bad.
const (
	OK   Status = "ok"
	Warn Status = "warn" // it works, and will disappoint
	Fail Status = "fail" // a server does not start, or loses what it has promised
)

// Finding is one thing that was looked at.
type Finding struct {
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail"`           // what was found
	Advice string `json:"advice,omitempty"` // what to do about it; empty: nothing
}

func ok(detail string, args ...any) Finding {
	return Finding{Status: OK, Detail: fmt.Sprintf(detail, args...)}
}

func warn(advice, detail string, args ...any) Finding {
	return Finding{Status: Warn, Advice: advice, Detail: fmt.Sprintf(detail, args...)}
}

func fail(advice, detail string, args ...any) Finding {
	return Finding{Status: Fail, Advice: advice, Detail: fmt.Sprintf(detail, args...)}
}

func (f Finding) named(name string) Finding {
	f.Name = name
	return f
}

// Run examines what a server with the configuration would find. It takes about a second, a few on a slow disk, and ends
// early with the context; a server may run at the same time, also in this process.
func Run(ctx context.Context, c *config.Config) []Finding {
	findings := []Finding{
		processors().named("cpu"),
		memory(c).named("memory"),
		openFiles().named("open files"),
		clock().named("clock"),
	}
	running := false
	if c.InMemory() {
		findings = append(findings, warn("set data to a directory", "data = mem: nothing survives the process").named("data"))
	} else {
		lock, held := dataLock(c.StoreDir())
		running = held
		findings = append(findings, lock.named("data"))
		findings = append(findings, disk(ctx, c)...)
	}
	findings = append(findings, principals(c).named("auth"))
	if c.NATS.URL == "" {
		findings = append(findings, embedded(c).named("nats"), port(ctx, c.NATS.Listen, running).named("nats port"))
	} else {
		findings = append(findings, external(ctx, c)...)
	}
	return append(findings, port(ctx, c.HTTP.Listen, running).named("http port"))
}

// principals reads the file of those who may call.
func principals(c *config.Config) Finding {
	path, given := c.AuthFile()
	if !given {
		return ok("off: callers say who they are, and only this machine may call")
	}
	if _, err := transport.LoadAuthFile(path); err != nil {
		return fail("put the file right; a server does not start without it", "%v", err)
	}
	return ok("principals of %s", path)
}

// Worst is the worst judgement of the findings.
func Worst(findings []Finding) Status {
	worst := OK
	for _, f := range findings {
		if f.Status == Fail || worst == OK {
			worst = f.Status
		}
	}
	return worst
}

// Write prints the findings, as "table" or "json".
func Write(w io.Writer, findings []Finding, format string) error {
	switch format {
	case "json":
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(struct {
			Status   Status    `json:"status"`
			Findings []Finding `json:"findings"`
		}{Worst(findings), findings})
	case "table":
		_, err := io.WriteString(w, table(findings))
		return err
	default:
		return fmt.Errorf("unknown format %q: table or json", format)
	}
}

func table(findings []Finding) string {
	width := 0
	for _, f := range findings {
		width = max(width, len(f.Name))
	}
	var b strings.Builder
	for _, f := range findings {
		fmt.Fprintf(&b, "%-4s  %-*s  %s\n", f.Status, width, f.Name, f.Detail)
		if f.Advice != "" {
			fmt.Fprintf(&b, "%-4s  %-*s  -> %s\n", "", width, "", f.Advice)
		}
	}
	return b.String()
}
