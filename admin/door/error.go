package door

import "github.com/jackc/pgx/v5/pgconn"

// Error is what the server, or the door in its place, reports.
type Error struct{ pg *pgconn.PgError }

// Error returns severity, message and code.
func (e *Error) Error() string { return e.pg.Error() }

// Report returns the fields of the report. Position counts characters from 1,
// 0: none. The door's own errors have a routine that begins with "lockkeeper.".
func (e *Error) Report() (sqlstate, message, detail, hint, routine string, position int) {
	return e.pg.Code, e.pg.Message, e.pg.Detail, e.pg.Hint, e.pg.Routine, int(e.pg.Position)
}

// Fatal reports whether the session ended with it.
func (e *Error) Fatal() bool { return e.pg.SeverityUnlocalized == "FATAL" || e.pg.Severity == "FATAL" }
