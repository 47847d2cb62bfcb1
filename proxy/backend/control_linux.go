package backend

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// control bounds how long sent bytes may stay without acknowledgement:
// keepalive alone does not look while there are some.
func (d *Dialer) control(network, _ string, raw syscall.RawConn) error {
	if d.cfg.UserTimeout <= 0 || network == "unix" {
		return nil
	}
	var err error
	ms := int(d.cfg.UserTimeout / time.Millisecond)
	if e := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, ms)
	}); e != nil {
		return e
	}
	return err
}
