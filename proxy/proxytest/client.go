package proxytest

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// patience is how long a Client waits for an answer that must come.
const patience = 30 * time.Second

// maxReceived bounds one message a Client takes.
const maxReceived = 256 << 20

// Client speaks raw messages to a server and keeps what it is answered. Its
// methods fail the test; those that return an error are for tests that expect
// one. One goroutine uses it at a time.
type Client struct {
	Conn     net.Conn
	PID      uint32            // of BackendKeyData
	Key      []byte            // of BackendKeyData
	Params   map[string]string // ParameterStatus, newest
	Messages []Message         // everything received since the last Receive began

	tb testing.TB
	in *bufio.Reader
}

// Dial connects; network is "tcp" or "unix". The connection closes with the
// test.
func Dial(tb testing.TB, network, addr string) *Client {
	tb.Helper()
	d := net.Dialer{Timeout: patience}
	conn, err := d.DialContext(tb.Context(), network, addr)
	if err != nil {
		tb.Fatalf("dial: %v", err)
	}
	return NewClient(tb, conn)
}

// NewClient makes a Client of a connection, which closes with the test.
func NewClient(tb testing.TB, conn net.Conn) *Client {
	tb.Helper()
	c := &Client{Conn: conn, Params: map[string]string{}, tb: tb, in: bufio.NewReader(conn)}
	tb.Cleanup(func() { _ = c.Conn.Close() })
	return c
}

// StartTLS asks for TLS, which the server must grant.
func (c *Client) StartTLS(cfg *tls.Config) {
	c.tb.Helper()
	c.Send(pgwire.AppendRequest(nil, pgwire.SSLRequestCode))
	c.deadline(patience)
	answer, err := c.in.ReadByte()
	if err != nil || answer != 'S' {
		c.tb.Fatalf("SSLRequest: answer %q, %v", answer, err)
	}
	conn := tls.Client(c.Conn, cfg)
	ctx, cancel := context.WithTimeout(c.tb.Context(), patience)
	defer cancel()
	if err := conn.HandshakeContext(ctx); err != nil {
		c.tb.Fatalf("TLS handshake: %v", err)
	}
	c.Conn, c.in = conn, bufio.NewReader(conn)
}

// Login sends a StartupMessage, answers what the server asks for with the
// password, and reads until ReadyForQuery. Params are pairs of name and value.
func (c *Client) Login(user, db, password string, params ...string) {
	c.tb.Helper()
	if err := c.TryLogin(user, db, password, params...); err != nil {
		c.tb.Fatalf("login as %s: %v", user, err)
	}
}

// TryLogin is Login for a test that expects it to fail: the error of the
// server is a *ServerError.
func (c *Client) TryLogin(user, db, password string, params ...string) error {
	c.tb.Helper()
	list := []pgwire.Param{{Name: "user", Value: user}, {Name: "database", Value: db}}
	for i := 0; i+1 < len(params); i += 2 {
		list = append(list, pgwire.Param{Name: params[i], Value: params[i+1]})
	}
	if err := c.TrySend(pgwire.AppendStartup(nil, pgwire.ProtocolVersion30, list)); err != nil {
		return err
	}
	var scram *scramClient
	for {
		m, err := c.Next()
		if err != nil {
			return err
		}
		switch m.Tag {
		case pgwire.MsgErrorResponse:
			return &ServerError{m.Notice()}
		case pgwire.MsgReadyForQuery:
			return nil
		case pgwire.MsgAuthentication:
			answer, err := c.answer(&scram, m.Body, user, password)
			if err != nil {
				return err
			}
			if answer != nil {
				if err := c.TrySend(pgwire.AppendFrame(nil, pgwire.MsgPassword, answer)); err != nil {
					return err
				}
			}
		}
	}
}

// ServerError is an ErrorResponse.
type ServerError struct{ pgwire.Notice }

// Error returns severity, code and message.
func (e *ServerError) Error() string {
	return fmt.Sprintf("%s %s: %s", e.Severity, e.Code, e.Message)
}

// Send writes messages in one write.
func (c *Client) Send(messages ...[]byte) {
	c.tb.Helper()
	if err := c.TrySend(messages...); err != nil {
		c.tb.Fatal(err)
	}
}

// TrySend is Send for a test that expects the connection to be gone.
func (c *Client) TrySend(messages ...[]byte) error {
	_ = c.Conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.Conn.Write(Join(messages...)); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Receive reads up to the next ReadyForQuery, or the end of the connection,
// and returns the transcript. The end reads "EOF".
func (c *Client) Receive() string {
	c.tb.Helper()
	return c.ReceiveUntil(pgwire.MsgReadyForQuery)
}

// ReceiveUntil reads up to the next message with this letter, or the end of
// the connection, and returns the transcript.
func (c *Client) ReceiveUntil(tag byte) string {
	c.tb.Helper()
	c.Messages = nil
	for {
		m, err := c.Next()
		switch {
		case err == nil && m.Tag == tag:
			return Transcript(c.Messages)
		case err == nil:
		case gone(err):
			end := "EOF"
			if t := Transcript(c.Messages); t != "" {
				end = t + " EOF"
			}
			return end
		default:
			c.tb.Fatalf("receive after %q: %v", Transcript(c.Messages), err)
		}
	}
}

// Do sends messages and receives up to ReadyForQuery.
func (c *Client) Do(messages ...[]byte) string {
	c.tb.Helper()
	c.Send(messages...)
	return c.Receive()
}

// Query sends a simple query and receives up to ReadyForQuery.
func (c *Client) Query(sql string) string {
	c.tb.Helper()
	return c.Do(Query(sql))
}

// Next reads one message.
func (c *Client) Next() (Message, error) { return c.NextWithin(patience) }

// NextWithin reads one message; nothing within d is os.ErrDeadlineExceeded.
func (c *Client) NextWithin(d time.Duration) (Message, error) {
	c.deadline(d)
	head := make([]byte, pgwire.HeadSize)
	if _, err := io.ReadFull(c.in, head); err != nil {
		return Message{}, fmt.Errorf("read head: %w", err)
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n < 4 || n > maxReceived {
		return Message{}, fmt.Errorf("message %q: length %d", head[0], n)
	}
	m := Message{Tag: head[0], Body: make([]byte, n-4)}
	if _, err := io.ReadFull(c.in, m.Body); err != nil {
		return Message{}, fmt.Errorf("read body of %q: %w", m.Tag, err)
	}
	c.note(m)
	return m, nil
}

// Silent fails the test if a message, or the end, comes within d.
func (c *Client) Silent(d time.Duration) {
	c.tb.Helper()
	c.deadline(d)
	if b, err := c.in.Peek(1); err == nil || gone(err) {
		c.tb.Fatalf("expected silence, got %q, %v", b, err)
	}
}

// Notices returns the notices among the last received messages.
func (c *Client) Notices() []pgwire.Notice { return c.notices(pgwire.MsgNoticeResponse) }

// Errors returns the errors among the last received messages.
func (c *Client) Errors() []pgwire.Notice { return c.notices(pgwire.MsgErrorResponse) }

// Rows returns the rows among the last received messages as text.
func (c *Client) Rows() [][]string {
	var out [][]string
	for _, m := range c.Messages {
		if m.Tag == pgwire.MsgDataRow {
			out = append(out, m.Values())
		}
	}
	return out
}

// One runs a simple query and returns the only value of its only row.
func (c *Client) One(sql string) string {
	c.tb.Helper()
	got := c.Query(sql)
	rows := c.Rows()
	if len(rows) != 1 || len(rows[0]) != 1 {
		c.tb.Fatalf("%s: want one value, got %s %v", sql, got, c.Errors())
	}
	return rows[0][0]
}

// Cancel sends a CancelRequest for this session over a connection of its own
// and waits until the server has closed it.
func (c *Client) Cancel() {
	c.tb.Helper()
	addr := c.Conn.RemoteAddr()
	Cancel(c.tb, addr.Network(), addr.String(), c.PID, c.Key)
}

// Cancel sends a CancelRequest and waits until the server has closed the
// connection.
func Cancel(tb testing.TB, network, addr string, pid uint32, key []byte) {
	tb.Helper()
	d := net.Dialer{Timeout: patience}
	conn, err := d.DialContext(tb.Context(), network, addr)
	if err != nil {
		tb.Fatalf("dial to cancel: %v", err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(pgwire.AppendCancelRequest(nil, pid, key)); err != nil {
		tb.Fatalf("send cancel: %v", err)
	}
	if _, err := conn.Read(make([]byte, 1)); !gone(err) {
		tb.Fatalf("after a cancel request: %v", err)
	}
}

// Close sends Terminate and closes the connection.
func (c *Client) Close() {
	_ = c.TrySend(Terminate())
	_ = c.Conn.Close()
}

// Kill closes the connection without a word; a TCP peer sees a reset.
func (c *Client) Kill() { reset(c.Conn) }

func (c *Client) notices(tag byte) []pgwire.Notice {
	var out []pgwire.Notice
	for _, m := range c.Messages {
		if m.Tag == tag {
			out = append(out, m.Notice())
		}
	}
	return out
}

func (c *Client) note(m Message) {
	switch m.Tag {
	case pgwire.MsgParameterStatus:
		name, value, _ := pgwire.ParameterStatus(m.Body)
		c.Params[string(name)] = string(value)
	case pgwire.MsgBackendKeyData:
		if len(m.Body) > 4 {
			c.PID, c.Key = binary.BigEndian.Uint32(m.Body), m.Body[4:]
		}
	}
	c.Messages = append(c.Messages, m)
}

func (c *Client) deadline(d time.Duration) { _ = c.Conn.SetReadDeadline(time.Now().Add(d)) }

// gone reports whether the peer ended the connection, politely or not.
func gone(err error) bool {
	var t interface{ Timeout() bool }
	if errors.As(err, &t) && t.Timeout() {
		return false
	}
	return err != nil
}

// reset makes the peer see RST instead of FIN.
func reset(conn net.Conn) {
	if t, ok := conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = conn.Close()
}

// ReadFull reads raw bytes, for tests of messages that never end.
func (c *Client) ReadFull(p []byte) (int, error) {
	n, err := io.ReadFull(c.in, p)
	if err != nil {
		return n, fmt.Errorf("read: %w", err)
	}
	return n, nil
}
