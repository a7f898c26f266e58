package contenders

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// freePorts returns n different TCP ports that are free on loopback. Another process may take one before
// the server does; then the server's start fails, which is seen.
func freePorts(n int) ([]int, error) {
	var all error
	ports := make([]int, 0, n)
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			all = errors.Join(all, fmt.Errorf("find a free port: %w", err))
			continue
		}
		defer func() { _ = listener.Close() }() // not before all are found, so that they differ
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, all
}

// loopback returns the address of a port.
func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
