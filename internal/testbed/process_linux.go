// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

package testbed

import "syscall"

// ownGroup puts a child into a process group of its own, to stop it with its children, and lets the kernel end it when
// this program ends without having stopped it, be it by kill -9.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
