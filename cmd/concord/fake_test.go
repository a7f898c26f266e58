package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"concord/actors/problem"
	"concord/cmd/concord/internal/child"
	"concord/transport"
	"concord/transport/client"
)

// fake is a service that answers each operation as a file says, so that a script can show what is hard to bring about. A line is
// an operation and its answer, or an operation, "!", a code and a detail; lines of one operation are answered one after the
// other, the last of them for ever. Requests are written to a file: `fake ANSWERS READY REQUESTS`.
func fake() {
	answers, err := readAnswers(os.Args[1])
	check(err)
	log, err := os.Create(os.Args[3])
	check(err)
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	check(err)
	s.Start()
	if !s.ReadyForConnections(waitMax) {
		check(fmt.Errorf("no NATS server within %v", waitMax))
	}
	nc, err := nats.Connect(s.ClientURL())
	check(err)
	var mu sync.Mutex
	_, err = nc.Subscribe(client.DefaultPrefix+".>", func(msg *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		words := strings.SplitN(strings.TrimPrefix(msg.Subject, client.DefaultPrefix+"."), ".", 3)
		operation := words[0] + "." + words[1]
		_, err := fmt.Fprintf(log, "%s %s\n", operation, msg.Data)
		check(err)
		lines := answers[operation]
		if len(lines) == 0 {
			check(msg.RespondMsg(refusing(msg.Reply, problem.NotFound, "the script has no answer")))
			return
		}
		if len(lines) > 1 {
			answers[operation] = lines[1:]
		}
		code, refused := strings.CutPrefix(lines[0], "! ")
		if refused {
			code, detail, _ := strings.Cut(code, " ")
			check(msg.RespondMsg(refusing(msg.Reply, problem.Code(code), detail)))
			return
		}
		check(msg.Respond([]byte(lines[0])))
	})
	check(err)
	check(nc.Flush())
	text, err := json.Marshal(child.Addresses{NATS: s.ClientURL()})
	check(err)
	check(os.WriteFile(os.Args[2], text, 0o644))
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, os.Interrupt)
	select {
	case <-ended:
	case <-time.After(2 * waitMax): // nobody has ended it
	}
	s.Shutdown()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake:", err)
		os.Exit(1)
	}
}

func refusing(to string, code problem.Code, detail string) *nats.Msg {
	p := problem.New(code, "%s", detail)
	return &nats.Msg{Subject: to, Data: transport.RenderProblem(p, "r1"),
		Header: nats.Header{transport.HeaderServiceCode: {strconv.Itoa(p.Code.Status())}}}
}

func readAnswers(path string) (map[string][]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	answers := make(map[string][]string)
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if operation, answer, ok := strings.Cut(lines.Text(), " "); ok {
			answers[operation] = append(answers[operation], answer)
		}
	}
	return answers, lines.Err()
}
