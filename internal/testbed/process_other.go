// Copyright The otelcol-mlflow Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package testbed

import "syscall"

// ownGroup puts a child into a process group of its own, to stop it with its children.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
