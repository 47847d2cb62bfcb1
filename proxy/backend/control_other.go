//go:build !linux

package backend

import "syscall"

// control has nothing to set: TCP_USER_TIMEOUT is Linux's.
func (d *Dialer) control(_, _ string, _ syscall.RawConn) error { return nil }
