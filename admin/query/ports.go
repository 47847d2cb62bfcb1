package query

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
)

// Target is a warehouse that runs go to.
type Target struct {
	Name     string
	Title    string
	Dialect  string // postgres or redshift, as configuration spells it
	Database string
}

// Door opens connections to a warehouse, through the proxy.
type Door interface {
	Open(ctx context.Context, p Principal, target Target) (Conn, error)
}

// Conn is one session at the door. One goroutine uses it; Cancel may come from
// any.
type Conn interface {
	// Query runs one statement in the extended protocol, all in text format. The
	// rows stream into sink. An error that sink.Row returns ends the statement by
	// a cancel, is waited for, and comes back. What the server reports comes back
	// as a Failure. When ctx ends the statement is cancelled, and if that does
	// not help the connection is closed.
	Query(ctx context.Context, sql string, oids []uint32, values []*string, sink Sink) (tag string, err error)
	// Describe says what a statement takes and gives, without running it.
	Describe(ctx context.Context, sql string, oids []uint32) (params []uint32, err error)
	// InTransaction reports whether a transaction was open after the last Query.
	InTransaction() bool
	// Cancel ends the running statement and returns when it has ended, or an
	// error when it has not.
	Cancel(ctx context.Context) error
	// Close ends the session; an open transaction is rolled back.
	Close(ctx context.Context) error
}

// Sink takes what a statement gives. It is an alias so that a connection need
// not know this package.
type Sink = interface {
	// Columns comes once, before the first row, if the statement gives rows.
	Columns(names []string, oids []uint32, mods []int32) error
	// Row is one row; a nil cell is NULL. The bytes are valid until it returns.
	Row(cells [][]byte) error
	// Notice is what the server says beside the rows.
	Notice(severity, message, detail, hint string)
}

// Failure is an error that the server or the door reported about a statement.
// Position counts characters from 1, 0: none. The routine begins with
// "lockkeeper." where the door itself speaks.
type Failure interface {
	error
	Report() (sqlstate, message, detail, hint, routine string, position int)
}

// Facts reads SQL.
type Facts interface {
	Parse(target Target, sql string) *policy.Batch
}

// Status is how a run stands at the door right now.
type Status struct {
	Queued  bool
	Wait    Wait // when queued
	Class   string
	Running bool
	Blocked *Holder // the warehouse has it, and it waits for a lock that this one holds; nil: for none
}

// Statuses tells how a run stands at the door; false: the door knows nothing
// of it now.
type Statuses interface {
	RunStatus(runID string) (Status, bool)
}

// Intents finds what the door recorded of a run before it ran: the events of
// kind audit.KindIntent, in order.
type Intents interface {
	Intents(ctx context.Context, runID string, since time.Time) ([]audit.Event, error)
}

// Rights asks the policy whether somebody may read a stored result that came
// from these relations and functions, now (policy.Engine.MayRead).
type Rights interface {
	MayRead(ctx context.Context, viewer policy.Subject, target Target, relations []policy.Relation, functions []policy.Function) (bool, error)
}

// Privileges asks the warehouse whether the role that a login maps to may
// SELECT all of each relation: false if one is gone, has row security, or is
// granted by column only.
type Privileges interface {
	CanSelect(ctx context.Context, login string, target Target, relations []policy.Relation) (bool, error)
}

// Meter charges what leaves the house to somebody's quotas, and to those of the
// relations it came from; an error refuses.
type Meter interface {
	ChargeRows(ctx context.Context, who Principal, target Target, relations []policy.Relation, rows int64) error
}

// Hub tells others that something changed (notify.Hub).
type Hub interface {
	Publish(topic string, version uint64, snapshot any)
	Forget(topic string)
}

// RunTopic is where a live run is published, as its owner sees it: a Run.
func RunTopic(id string) string { return "run:" + id }

// OwnerTopic is where the live runs of an owner are published: a list of Runs.
func OwnerTopic(ownerID string) string { return "runs:" + ownerID }

// Person is somebody who may be named viewer of a run.
type Person struct {
	ID    string
	Login string
	Name  string
	Teams []string
	Roles map[string]admin.Role
}

// People finds people and services by login: admin.ErrAbsent if there is none,
// or it may not come in.
type People interface {
	PersonByLogin(ctx context.Context, login string) (Person, error)
}

// Explains asks the policy what it would decide about a batch.
type Explains interface {
	Explain(ctx context.Context, who Principal, target Target, batch *policy.Batch) (Verdict, error)
}
