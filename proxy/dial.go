package proxy

import (
	"context"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/lockkeeper/lockkeeper/policy"
)

// Dial returns a connection on which the server serves the principal, as
// ServeConn does. It is for the DialFunc of a Postgres client, which may cancel
// by dialling again: the CancelRequest finds the session by its key. The
// session ends when the connection is closed, or with the server; ctx bounds
// only the making.
func (srv *Server) Dial(ctx context.Context, p policy.Principal) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("dial as principal: %w", err)
	}
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	ok := srv.start(func() { // ends with the session; Close waits
		_ = srv.servePrincipal(srv.ctx, ours, &p) // the client was told, the record and the metrics have it
	})
	if !ok {
		_, _ = ours.Close(), theirs.Close()
		return nil, ErrServerClosed
	}
	return theirs, nil
}

// socketPair returns two connections that are each other's ends.
func socketPair() (a, b net.Conn, err error) {
	syscall.ForkLock.RLock() // no child gets them
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	a, err = fileConn(fds[0])
	if err != nil {
		_ = syscall.Close(fds[1])
		return nil, nil, err
	}
	if b, err = fileConn(fds[1]); err != nil {
		_ = a.Close()
		return nil, nil, err
	}
	return a, b, nil
}

// fileConn makes a connection of a socket and closes the socket itself.
func fileConn(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "principal")
	defer func() { _ = f.Close() }() // the connection has a copy
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("make connection of socket pair: %w", err)
	}
	return c, nil
}
