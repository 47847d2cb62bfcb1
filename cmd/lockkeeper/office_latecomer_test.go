package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// slowProver is a client's connection that keeps its proof back: the message by
// which a client answers the challenge of the door.
type slowProver struct {
	net.Conn
	challenged, prove chan struct{}
	once              sync.Once
	proofs            int
}

func (c *slowProver) Write(b []byte) (int, error) {
	if len(b) > 0 && b[0] == 'p' {
		if c.proofs++; c.proofs == 2 { // the first says which proof it will be
			c.once.Do(func() { close(c.challenged) })
			<-c.prove
		}
	}
	return c.Conn.Write(b)
}

// Who was logging in when the right to was taken back comes in, for the account
// was good when the challenge was made, and is out again within five seconds.
func TestOfficeLatecomer(t *testing.T) {
	t.Parallel()
	h := serveOffice(t)
	ann := h.welcome(t, "ann", "reader")
	var password struct{ Password string }
	ann.must(http.MethodPost, "/db-passwords", map[string]any{"tool": "psql"}, &password)
	cfg, err := pgconn.ParseConfig(fmt.Sprintf("postgres://ann:%s@%s/postgres?sslmode=disable", password.Password, h.door))
	if err != nil {
		t.Fatal(err)
	}
	challenged, prove := make(chan struct{}), make(chan struct{})
	dial := cfg.DialFunc
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &slowProver{Conn: c, challenged: challenged, prove: prove}, nil
	}
	type arrival struct {
		conn *pgconn.PgConn
		err  error
	}
	came := make(chan arrival, 1)
	go func() { // ends with the login, which the door bounds; joined below
		c, err := pgconn.ConnectConfig(t.Context(), cfg)
		came <- arrival{c, err}
	}()
	<-challenged
	h.console("user", "disable", "ann")
	close(prove)
	a := <-came
	if a.err != nil {
		return // better still
	}
	defer func() { _ = a.conn.Close(context.WithoutCancel(t.Context())) }()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if _, err := a.conn.Exec(t.Context(), "SELECT 1").ReadAll(); err != nil {
			return
		}
		if time.Since(began) > 5*time.Second {
			t.Fatal("who was disabled while logging in stays")
		}
	}
}
