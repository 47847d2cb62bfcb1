package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// Cancel asks the server to cancel what the session runs, over a connection of
// its own, and returns when the server has closed that one: the signal was
// sent by then, and hits nothing that is sent up later. Any goroutine may call
// it; an error means that the signal may still come.
func (c *Conn) Cancel(ctx context.Context) error {
	if len(c.Key) == 0 {
		return ErrNoKey
	}
	d := c.dialer
	ctx, cancel := context.WithTimeout(ctx, d.cfg.ConnectTimeout)
	defer cancel()
	// The same address: behind one name there may be several servers.
	conn, _, err := d.connect(ctx, c.peer(), transport{tls: c.TLS, plain: !c.TLS})
	if err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	err = within(ctx, conn, func() error { return c.cancelOver(conn) })
	_ = conn.Close()
	if err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	return nil
}

func (c *Conn) peer() string {
	if c.dialer.cfg.Network == "tcp" {
		return c.RemoteAddr().String()
	}
	return c.dialer.cfg.Address
}

func (c *Conn) cancelOver(conn net.Conn) error {
	if _, err := conn.Write(pgwire.AppendCancelRequest(nil, c.PID, c.Key)); err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	_, err := io.CopyN(io.Discard, conn, pgwire.MaxStartup)
	switch {
	case err == nil:
		return fmt.Errorf("%w: it answers a cancel request", ErrProtocol)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return nil // closed, with or without a farewell
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
