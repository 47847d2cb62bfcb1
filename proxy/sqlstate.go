package proxy

import (
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgstate"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// All texts a client can get from us, with their SQLSTATE. The first words
// matter to drivers: never "terminating connection" and the like in an error
// that does not end the session, never a class that makes pools throw
// connections away.

// SQLSTATEs of our own answers (Postgres' manual, appendix A).
const (
	stateCanceled      = "57014"
	stateNotAdmitted   = "55P03"
	stateLimit         = "54000"
	stateForbidden     = "42501"
	stateReleased      = "40001"
	stateAuditDown     = "55000"
	stateTooMany       = "53300"
	stateIdleInTx      = "25P03"
	stateTxTimeout     = "25P04"
	stateIdleSession   = "57P05"
	stateAdminShutdown = "57P01"
	stateConnection    = "08006"
	stateUnreachable   = "08001"
	stateProtocol      = "08P01"
	stateFeature       = "0A000"
	stateInvalidAuth   = "28000"
	stateNoDatabase    = "3D000"
	stateNotNow        = "57P03"
	stateInternal      = "XX000"
	stateSuccess       = "00000"
)

func refusalNotice(r *policy.Refusal) *pgwire.Notice {
	n := failure(r.SQLState, r.Message, r.Reason)
	n.Detail, n.Hint, n.Rule = r.Detail, r.Hint, r.Rule
	return n
}

func failure(code, message, reason string) *pgwire.Notice {
	return &pgwire.Notice{Severity: "ERROR", Code: code, Message: message, Routine: "lockkeeper." + reason}
}

func fatal(code, message, reason string) *pgwire.Notice {
	n := failure(code, message, reason)
	n.Severity = "FATAL"
	return n
}

func info(message, reason string) *pgwire.Notice {
	return &pgwire.Notice{Severity: "NOTICE", Code: stateSuccess, Message: message, Routine: "lockkeeper." + reason}
}

func warningNotice(w *policy.Warning) *pgwire.Notice {
	n := info(w.Text, "warning")
	n.Severity, n.Code, n.Rule = "WARNING", "01000", w.Rule
	return n
}

func queuedNotice(d *policy.Decision) *pgwire.Notice {
	n := info(fmt.Sprintf("queued: %s in %q (%s)", ordinal(d.Position), d.QueueName, d.QueueWhy), "queued")
	n.Hint = fmt.Sprintf("The statement starts when its turn comes, within %s; cancelling it leaves the queue.", short(d.MaxWait))
	return n
}

func timeoutNotice(d *policy.Decision) *pgwire.Notice {
	n := failure(stateCanceled, "canceling statement due to statement timeout", "timeout")
	n.Detail = fmt.Sprintf("%s allows %s of execution.", from(d.Limits.QueryExecutionTimeFrom, d.Class), short(d.Limits.QueryExecutionTime))
	n.Hint = "Make the statement cheaper, or ask the operators of this warehouse for another class."
	n.Rule = d.Class
	return n
}

func stallNotice(d *policy.Decision) *pgwire.Notice {
	n := failure(stateCanceled, "canceling statement because its result was not read", "client_stall")
	n.Detail = fmt.Sprintf("The client took nothing for %s.", short(d.Limits.StallAfter()))
	n.Rule = d.Class
	return n
}

func txTimeoutNotice(d *policy.Decision) *pgwire.Notice {
	n := failure(stateCanceled, "canceling statement due to transaction timeout", "transaction_time")
	n.Detail = fmt.Sprintf("%s allows transactions of %s.", from(d.Limits.TransactionTimeFrom, d.Class), short(d.Limits.TransactionTime))
	n.Rule = d.Class
	return n
}

func rowLimitNotice(e *exec) *pgwire.Notice {
	lim := &e.dec.Limits
	n := failure(stateCanceled, "canceling statement: row limit", "limit")
	n.Detail = fmt.Sprintf("%s allows %d rows; %d were sent.", from(lim.ReturnRowCountFrom, e.dec.Class), lim.ReturnRowCount, e.rows)
	if lim.ReturnRowCount == 0 || e.rows < lim.ReturnRowCount {
		n.Message = "canceling statement: result size limit"
		n.Detail = fmt.Sprintf("%s allows %d bytes; %d rows of %d bytes were sent.", from(lim.ReturnBytesFrom, e.dec.Class), lim.ReturnBytes, e.rows, e.bytesOut)
	}
	n.Hint = "Add a LIMIT or a WHERE, or aggregate on the warehouse."
	n.Rule = e.dec.Class
	return n
}

func cancelledNotice() *pgwire.Notice {
	return failure(stateCanceled, "canceling statement due to user request", "cancel")
}

func operatorCancelNotice() *pgwire.Notice {
	n := cancelledNotice()
	n.Detail = "An operator of lockkeeper cancelled it."
	return n
}

func statementTooLarge(limit int) *pgwire.Notice {
	n := failure(stateLimit, "statement is too large", "max_statement_bytes")
	n.Detail = fmt.Sprintf("The limit is %d bytes.", limit)
	n.Hint = "Send the data as parameters or with COPY."
	return n
}

func tooManyPortals() *pgwire.Notice {
	n := failure(stateLimit, "too many open portals", "portals")
	n.Detail = fmt.Sprintf("The limit is %d.", pgstate.MaxPortals)
	n.Hint = "Close portals that are read to their end, or end the transaction."
	return n
}

func auditUnavailable() *pgwire.Notice {
	n := failure(stateAuditDown, "audit log unavailable; statement refused", "audit")
	n.Hint = "Try again in a moment; if it stays, tell the operators of this warehouse."
	return n
}

func releasedNotice(idle time.Duration, why string) *pgwire.Notice {
	n := failure(stateReleased, fmt.Sprintf("transaction rolled back by lockkeeper: idle %s%s (conflict with concurrent transaction)", short(idle), why), "released")
	n.Hint = "Run the transaction again from its beginning."
	return n
}

func idleInTxNotice() *pgwire.Notice {
	return fatal(stateIdleInTx, "terminating connection due to idle-in-transaction timeout", "released")
}

func txKilledNotice() *pgwire.Notice {
	return fatal(stateTxTimeout, "terminating connection due to transaction timeout", "transaction_time")
}

func idleSessionNotice() *pgwire.Notice {
	return fatal(stateIdleSession, "terminating connection due to idle-session timeout", "idle_session")
}

func shutdownNotice() *pgwire.Notice {
	return fatal(stateAdminShutdown, "terminating connection due to administrator command", "shutdown")
}

func terminatedNotice() *pgwire.Notice {
	n := fatal(stateAdminShutdown, "terminating connection due to administrator command", "terminate")
	n.Detail = "An operator of lockkeeper ended the session."
	return n
}

func warehouseLost() *pgwire.Notice {
	n := fatal(stateConnection, "connection to the warehouse was lost", "warehouse")
	n.Hint = "Connect again; if it stays, the warehouse is down."
	return n
}

func warehouseUnreachable() *pgwire.Notice {
	n := fatal(stateUnreachable, "the warehouse cannot be reached", "warehouse")
	n.Hint = "Try again in a moment; if it stays, tell the operators of this warehouse."
	return n
}

func directoryUnavailable() *pgwire.Notice {
	n := fatal(stateNotNow, "login directory is unavailable", "directory")
	n.Hint = "Try again in a moment; if it stays, tell the operators of this server."
	return n
}

// warehouseMisconfigured is for faults that no second try mends. What they are
// stands in the log: it is not the client's to know.
func warehouseMisconfigured() *pgwire.Notice {
	n := fatal(stateInternal, "internal error: this server cannot log in to the warehouse", "warehouse")
	n.Hint = "The fault is in this server's configuration or in the warehouse's; tell its operators, whose log says what it is."
	return n
}

func warehouseRefused() *pgwire.Notice {
	n := fatal(stateInvalidAuth, "the warehouse refused the login that this server uses for you", "warehouse")
	n.Hint = "Tell the operators of this server; their log says why."
	return n
}

func noWarehouseLogin(user string) *pgwire.Notice {
	n := fatal(stateInvalidAuth, fmt.Sprintf("no warehouse login is set for %q; grant one", user), "warehouse_login")
	n.Hint = "Runs of the office log in to the warehouse with a login of their own and never with a person's password."
	return n
}

func leftReadOnly() *pgwire.Notice {
	n := fatal(stateForbidden, "terminating connection: a read-only session must not leave its mode", "read_only")
	n.Hint = "Something that was called changed default_transaction_read_only. Ask for a session that may write (access: read_write)."
	return n
}

func protocolViolation() *pgwire.Notice {
	return fatal(stateProtocol, "invalid message from the client: protocol synchronization was lost", "protocol")
}

func outOfMemory() *pgwire.Notice {
	n := fatal("54000", "too many large statements are held at once", "memory")
	n.Hint = "Connect again in a moment."
	return n
}

func tooManyConnections(role string) *pgwire.Notice {
	return fatal(stateTooMany, fmt.Sprintf("too many connections for role %q", role), "connections")
}

func tooManyClients() *pgwire.Notice {
	return fatal(stateTooMany, "sorry, too many clients already", "connections")
}

func from(source, class string) string {
	if source != "" {
		return upperFirst(source)
	}
	return fmt.Sprintf("Class %q", class)
}

func upperFirst(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}

// short writes a duration as people do: 5m, 90s, 250ms.
func short(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d >= time.Second:
		return fmt.Sprintf("%.3gs", d.Seconds())
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}

func ordinal(n int) string {
	suffix := "th"
	switch {
	case n%100 >= 11 && n%100 <= 13:
	case n%10 == 1:
		suffix = "st"
	case n%10 == 2:
		suffix = "nd"
	case n%10 == 3:
		suffix = "rd"
	}
	return fmt.Sprintf("%d%s", n, suffix)
}
