package door

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// ErrRunning says that a statement goes on although it was cancelled.
var ErrRunning = errors.New("the statement has not ended yet")

// A cancel can be lost: it may come before the statement has begun on the
// server. So it is sent again, less and less often.
const (
	firstRepeat = 100 * time.Millisecond
	lastRepeat  = 2 * time.Second
	sendTimeout = 5 * time.Second
)

// Cancel ends the statement that runs and returns when it has ended; with none
// it returns at once. When ctx ends before, the error is ErrRunning. Any
// goroutine may call it.
func (c *Conn) Cancel(ctx context.Context) error {
	c.mu.Lock()
	ended := c.done
	c.mu.Unlock()
	if ended == nil {
		return nil
	}
	err := c.insist(ctx, ended)
	select {
	case <-ended:
		return nil
	default:
		return errors.Join(ErrRunning, err)
	}
}

// insist sends cancel requests until the statement has ended or ctx has. The
// error is that of the last one.
func (c *Conn) insist(ctx context.Context, ended <-chan struct{}) error {
	pause := firstRepeat
	for {
		err := c.sendCancel(ctx, ended)
		timer := time.NewTimer(pause)
		select {
		case <-ended:
			timer.Stop()
			return nil
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
			pause = min(2*pause, lastRepeat)
		}
	}
}

// sendCancel sends one cancel request on a connection of its own, and waits
// until the server has taken it.
func (c *Conn) sendCancel(ctx context.Context, ended <-chan struct{}) error {
	c.sending.RLock()
	defer c.sending.RUnlock()
	select {
	case <-ended:
		return nil
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	conn, err := c.door.cfg.Dial(ctx, c.principal)
	if err != nil {
		return fmt.Errorf("dial the door for a cancel: %w", err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	msg, err := (&pgproto3.CancelRequest{ProcessID: c.pg.PID(), SecretKey: c.pg.SecretKey()}).Encode(nil)
	if err != nil {
		return fmt.Errorf("encode a cancel: %w", err)
	}
	if _, err := conn.Write(msg); err != nil {
		return fmt.Errorf("send a cancel: %w", err)
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(conn, 1<<10)) // the server closes when it has taken it
	return nil
}
