package devstack

import "syscall"

// dieWithParent asks the kernel to signal the child when its parent dies.
func dieWithParent(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
