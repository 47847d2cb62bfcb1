package proxy

import (
	"crypto/tls"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// hangUpPoll is how often we look whether a client that we do not read from
// has hung up.
const hangUpPoll = 250 * time.Millisecond

// hungUp reports whether the peer has closed its side. It looks behind unread
// bytes, which a read would not; a goodbye (Terminate) among them is not a
// hang-up: Postgres would finish what runs.
func hungUp(c net.Conn) bool {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, err := unix.Poll(p, 0)
		if err != nil || n == 0 || p[0].Revents&(unix.POLLRDHUP|unix.POLLERR|unix.POLLHUP) == 0 {
			return
		}
		gone = p[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0 || !saidGoodbye(int(fd))
	})
	return gone || err != nil
}

func saidGoodbye(fd int) bool {
	buf := make([]byte, 16<<10)
	n, _, err := unix.Recvfrom(fd, buf, unix.MSG_PEEK|unix.MSG_DONTWAIT)
	if err != nil || n < 5 {
		return false
	}
	return string(buf[n-5:n]) == "X\x00\x00\x00\x04"
}
