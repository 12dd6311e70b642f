// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import (
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
)

// The ports that servers get. They are below the range that kernels give to outgoing connections and to those who ask for
// any port, so nobody takes one between the moment it was found free and the moment the server listens.
const (
	firstPort = 20000
	lastPort  = 31999
)

// FreePort returns a loopback port that nothing listens on.
func FreePort() (int, error) {
	ports, err := freePorts(1)
	if err != nil {
		return 0, err
	}
	return ports[0], nil
}

// freePorts returns n different loopback ports that nothing listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if !slices.Contains(ports, port) && IsFree(port) {
			ports = append(ports, port)
		}
		if len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("found no free loopback port")
}

// IsFree says that nothing listens on a loopback port.
func IsFree(port int) bool {
	listener, err := net.Listen("tcp", LoopbackAddress(port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// LoopbackAddress is the address of a port on this machine.
func LoopbackAddress(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
