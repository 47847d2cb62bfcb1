package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// The console answers SQL-like commands on the wire, at a reserved database
// name, so that any Postgres client is an operator's tool. It speaks the
// simple and the extended protocol, without parameters.

// consoleIdle ends a console that says nothing for so long.
const consoleIdle = 30 * time.Minute

// ServeConsole accepts operators on a unix socket that only the server's own
// user can open: who comes in there needs no password.
func (srv *Server) ServeConsole(ctx context.Context, ln net.Listener) error {
	return srv.accept(ctx, ln, func(c net.Conn) { srv.admitOperator(ctx, c) })
}

// admitOperator lets the server's own user, or root, into the console.
func (srv *Server) admitOperator(ctx context.Context, c net.Conn) {
	v := &visitor{srv: srv, raw: c, conn: c, unix: true, minor32: false}
	if !srv.strangers.enter(c, v.addr.Addr(), srv.cfg.MaxUnauthenticated) {
		_ = c.Close()
		return
	}
	defer srv.strangers.leave(c)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_ = c.SetDeadline(srv.cfg.Now().Add(srv.cfg.LoginTimeout))
	done, err := v.hello(ctx)
	if err == nil && !done {
		err = v.names()
	}
	if err == nil && !done {
		v.application, _ = v.startup.Get("application_name")
		switch uid, ok := peerUID(c); {
		case !ok || (uid != 0 && uid != uint32(os.Getuid())):
			err = v.refuse(fatal(stateInvalidAuth, "this console is for the server's own user", "console"))
		case v.database != srv.cfg.Console:
			err = v.refuse(fatal(stateNoDatabase, fmt.Sprintf("this socket leads to the console only: connect to database %q", srv.cfg.Console), "console"))
		default:
			v.user = "uid " + fmt.Sprint(uid)
			err = srv.consoleLoop(ctx, v)
		}
	}
	v.goodbye(ctx, err)
}

func peerUID(c net.Conn) (uid uint32, ok bool) {
	u, isUnix := c.(*net.UnixConn)
	if !isUnix {
		return 0, false
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, false
	}
	err = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			uid, ok = cred.Uid, true
		}
	})
	return uid, ok && err == nil
}

// console serves a visitor who asked for the reserved database by the usual
// way in, and proved who he is.
func (srv *Server) console(ctx context.Context, v *visitor) error {
	if !srv.operator(v.user) {
		n := fatal(stateForbidden, fmt.Sprintf("user %q may not use the console", v.user), "console")
		n.Hint = "The operators are listed under console.users in the server's configuration."
		return v.loginFailed(ctx, n, "not an operator")
	}
	if v.rule.Method == "trust" && !v.unix && !v.addr.Addr().IsLoopback() {
		return v.loginFailed(ctx, fatal(stateForbidden, "the console needs a proven login", "console"), "trust")
	}
	return srv.consoleLoop(srv.ctx, v) // ctx ends with the login
}

// consoleSession is one operator at the console.
type consoleSession struct {
	srv     *Server
	v       *visitor
	stmts   map[string]string
	portals map[string]string
	failed  bool // discard to Sync
	out     []byte
}

// maxConsoleMessage bounds a message of an operator, in bytes.
const maxConsoleMessage = 64 << 10

func (srv *Server) consoleLoop(ctx context.Context, v *visitor) error {
	srv.strangers.leave(v.raw)
	release := srv.operators.enter(v.raw)
	defer release()
	c := &consoleSession{srv: srv, v: v, stmts: make(map[string]string), portals: make(map[string]string)}
	if err := v.write(c.welcome()); err != nil {
		return err
	}
	for {
		_ = v.conn.SetDeadline(srv.cfg.Now().Add(consoleIdle))
		tag, size, err := v.in.Next()
		if err != nil {
			return nil //nolint:nilerr // an operator who leaves is no error
		}
		frame, err := v.in.Frame(size, maxConsoleMessage)
		if err != nil {
			return v.refuse(protocolViolation())
		}
		c.out = c.out[:0]
		more := c.message(ctx, tag, frame[pgwire.HeadSize:])
		v.in.Discard(size)
		if len(c.out) > 0 {
			if err := v.write(c.out); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
	}
}

func (c *consoleSession) welcome() []byte {
	out := pgwire.AppendAuthentication(nil, pgwire.AuthOK, nil)
	for _, p := range []pgwire.Param{
		{Name: "server_version", Value: "15.0 (lockkeeper " + c.srv.cfg.Version + ")"},
		{Name: "server_encoding", Value: "UTF8"},
		{Name: "client_encoding", Value: "UTF8"},
		{Name: "DateStyle", Value: "ISO, MDY"},
		{Name: "TimeZone", Value: "UTC"},
		{Name: "integer_datetimes", Value: "on"},
		{Name: "standard_conforming_strings", Value: "on"},
		{Name: "is_superuser", Value: "off"},
		{Name: "session_authorization", Value: c.v.user},
	} {
		out = pgwire.AppendParameterStatus(out, p)
	}
	key := make([]byte, cancelKeySize)
	c.srv.cfg.Random(key)
	out = pgwire.AppendBackendKeyData(out, uint32(os.Getpid()), key)
	return pgwire.AppendReady(out, pgwire.TxIdle)
}

// message handles one message; it reports whether more may come.
func (c *consoleSession) message(ctx context.Context, tag byte, body []byte) bool {
	if c.failed && tag != pgwire.MsgSync && tag != pgwire.MsgTerminate {
		return true
	}
	switch tag {
	case pgwire.MsgQuery:
		sql, _ := pgwire.Query(body)
		c.query(ctx, string(sql))
		c.out = pgwire.AppendReady(c.out, pgwire.TxIdle)
	case pgwire.MsgParse:
		name, sql, _ := pgwire.Parse(body)
		c.stmts[string(name)] = string(sql)
		c.out = pgwire.AppendEmpty(c.out, pgwire.MsgParseComplete)
	case pgwire.MsgBind:
		portal, stmt, _ := pgwire.Bind(body)
		c.portals[string(portal)] = c.stmts[string(stmt)]
		c.out = pgwire.AppendEmpty(c.out, pgwire.MsgBindComplete)
	case pgwire.MsgDescribe:
		c.describe(body)
	case pgwire.MsgExecute:
		portal, _, _ := pgwire.Execute(body)
		c.run(ctx, c.portals[string(portal)], false)
	case pgwire.MsgClose:
		c.out = pgwire.AppendEmpty(c.out, pgwire.MsgCloseComplete)
	case pgwire.MsgSync:
		c.failed = false
		c.out = pgwire.AppendReady(c.out, pgwire.TxIdle)
	case pgwire.MsgFlush:
	case pgwire.MsgTerminate:
		return false
	default:
		c.out = pgwire.AppendError(c.out, protocolViolation())
		return false
	}
	return true
}

// query runs the commands of a simple Query one after the other.
func (c *consoleSession) query(ctx context.Context, sql string) {
	ran := false
	for part := range strings.SplitSeq(sql, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		ran = true
		if !c.run(ctx, part, true) {
			c.failed = false
			return
		}
	}
	if !ran {
		c.out = pgwire.AppendEmpty(c.out, pgwire.MsgEmptyQueryResponse)
	}
}

func (c *consoleSession) describe(body []byte) {
	kind, name, _ := pgwire.Target(body)
	sql := c.portals[string(name)]
	if kind == 'S' {
		sql = c.stmts[string(name)]
		c.out = pgwire.AppendFrame(c.out, pgwire.MsgParameterDescription, []byte{0, 0})
	}
	if cols := columnsOf(sql); cols != nil {
		c.out = pgwire.AppendRowDescription(c.out, cols)
		return
	}
	c.out = pgwire.AppendEmpty(c.out, pgwire.MsgNoData)
}

// run runs one command; it reports whether it went well.
func (c *consoleSession) run(ctx context.Context, sql string, describe bool) bool {
	word := strings.Fields(strings.ToUpper(strings.TrimRight(strings.TrimSpace(sql), ";")))
	if len(word) == 0 {
		c.out = pgwire.AppendEmpty(c.out, pgwire.MsgEmptyQueryResponse)
		return true
	}
	if word[0] == "SHOW" {
		cols := columnsOf(sql)
		if cols == nil {
			return c.fail(failure("42601", "unknown view", "console"), "SHOW knows "+strings.Join(viewNames(), ", ")+".")
		}
		rows := c.srv.view(viewName(sql))
		if describe {
			c.out = pgwire.AppendRowDescription(c.out, cols)
		}
		for _, r := range rows {
			c.out = pgwire.AppendTextRow(c.out, r)
		}
		c.out = pgwire.AppendCommandComplete(c.out, "SHOW")
		return true
	}
	tag, err := c.act(ctx, word)
	if err != nil {
		return c.fail(failure("22023", err.Error(), "console"), "SHOW SESSIONS lists the backends' process ids. Commands: SHOW, CANCEL pid, TERMINATE pid, RELEASE pid, RELOAD, OBSERVE on|off.")
	}
	c.out = pgwire.AppendCommandComplete(c.out, tag)
	return true
}

func (c *consoleSession) fail(n *pgwire.Notice, hint string) bool {
	n.Hint = hint
	c.out = pgwire.AppendError(c.out, n)
	c.failed = true
	return false
}

var errCommand = errors.New("command is not understood")

// act does what an operator asks, and records it first.
func (c *consoleSession) act(ctx context.Context, word []string) (tag string, err error) {
	if len(word) > 2 {
		return "", errCommand
	}
	arg := ""
	if len(word) == 2 {
		arg = word[1]
	}
	ev := audit.Event{
		Kind: audit.KindOperatorAction, User: c.v.user, ClientAddr: c.v.where(), What: strings.ToLower(word[0]), Reason: strings.ToLower(arg),
		Via: "console", ApplicationName: c.v.application,
	}
	switch word[0] {
	case "CANCEL", "TERMINATE", "KILL", "RELEASE":
		var pid uint32
		if _, err := fmt.Sscanf(arg, "%d", &pid); err != nil {
			return "", fmt.Errorf("%s needs the process id of a backend", word[0])
		}
		c.srv.recordAct(ctx, &ev)
		return word[0], c.onPID(ctx, word[0], pid)
	case "RELOAD":
		c.srv.recordAct(ctx, &ev)
		if c.srv.cfg.ConsoleHooks.Reload == nil {
			return "", errors.New("there is nothing to reload")
		}
		return "RELOAD", c.srv.cfg.ConsoleHooks.Reload()
	case "OBSERVE":
		switch arg {
		case "ON", "OFF":
			c.srv.recordAct(ctx, &ev)
			c.srv.cfg.Engine.SetObserve(arg == "ON")
			return "OBSERVE", nil
		}
		return "", errors.New("OBSERVE needs ON or OFF")
	}
	return "", errCommand
}

func (c *consoleSession) onPID(ctx context.Context, verb string, pid uint32) error {
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	var ok bool
	why := "no session with that process id"
	switch verb {
	case "CANCEL":
		ok, why = c.srv.Cancel(ctx, pid), "no session with that process id runs or waits with a statement"
	case "RELEASE":
		ok, why = c.srv.Release(ctx, pid), "no session with that process id is idle in a transaction"
	default:
		ok = c.srv.Terminate(ctx, pid)
	}
	if !ok {
		return fmt.Errorf("%s %d: %s", strings.ToLower(verb), pid, why)
	}
	return nil
}
