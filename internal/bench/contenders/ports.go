package contenders

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Servers are given ports below those that Linux gives out by itself (32768 to 60999): on a busy machine one of those that was
// free a moment ago may be an outgoing connection's by the time the server asks for it.
const (
	portMin   = 20_000
	portMax   = 32_000
	portTries = 100
)

// freePorts returns n different TCP ports that are free on loopback. Another server may take one before
// its user does.
func freePorts(n int) ([]int, error) {
	var ports []int
	var held []net.Listener // until all are found, so that they differ
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	var last error
	for tries := 0; len(ports) < n && tries < portTries; tries++ {
		port := portMin + rand.IntN(portMax-portMin)
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			last = errors.Join(last, err)
			continue
		}
		ports, held = append(ports, port), append(held, l)
	}
	if len(ports) < n {
		return nil, fmt.Errorf("find free ports: %w", last)
	}
	return ports, nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
