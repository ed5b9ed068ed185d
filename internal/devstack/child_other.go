//go:build unix && !linux

package devstack

import "syscall"

// dieWithParent has no kernel support here; the guard alone does this work.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
