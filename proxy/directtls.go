package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// alpn is the protocol a client must offer for TLS without an SSLRequest.
const alpn = "postgresql"

// tlsRecord is the first byte of a TLS handshake.
const tlsRecord = 0x16

// directTLS looks whether the client begins with TLS itself (PostgreSQL 17's
// sslnegotiation=direct), and shakes hands if so.
func (v *visitor) directTLS(ctx context.Context) error {
	if v.srv.cfg.TLS == nil || v.unix {
		return nil
	}
	first, err := peekByte(v.raw)
	if err != nil {
		return fmt.Errorf("read first byte: %w", err)
	}
	if first != tlsRecord {
		return nil
	}
	cfg, der := v.srv.cfg.TLS()
	cfg = cfg.Clone()
	cfg.NextProtos = []string{alpn}
	t := tls.Server(v.raw, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	state := t.ConnectionState()
	if !slices.Contains(cfg.NextProtos, state.NegotiatedProtocol) {
		return fmt.Errorf("%w: TLS without SSLRequest needs ALPN %q", errProtocol, alpn)
	}
	v.conn, v.tls, v.cert = t, &state, der
	return nil
}

// peekByte returns the first byte of a socket without taking it. It waits for
// it until the connection's deadline.
func peekByte(c net.Conn) (byte, error) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return 0, nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("reach socket: %w", err)
	}
	var b [1]byte
	var n int
	var sysErr error
	err = raw.Read(func(fd uintptr) bool {
		n, _, sysErr = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK)
		return !errors.Is(sysErr, unix.EAGAIN) && !errors.Is(sysErr, unix.EINTR)
	})
	switch {
	case err != nil:
		return 0, fmt.Errorf("wait for client: %w", err)
	case sysErr != nil:
		return 0, fmt.Errorf("peek: %w", sysErr)
	case n == 0:
		return 0, io.EOF
	}
	return b[0], nil
}
