package proxy

import (
	"context"
	"net/netip"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// ParseEnv is what the meaning of a text depends on beside its bytes.
type ParseEnv struct {
	Redshift   bool
	StdStrings StdStrings
	Encoding   string // client_encoding as the warehouse reports it
}

// StdStrings is the setting of standard_conforming_strings.
type StdStrings uint8

// The settings; unknown makes the parser take the stricter of both readings.
const (
	StdStringsUnknown StdStrings = iota
	StdStringsOn
	StdStringsOff
)

// Parser reads SQL. It never fails: what it cannot read is of kind unknown.
type Parser interface {
	Parse(sql []byte, env ParseEnv) *policy.Batch
}

// Recorder keeps the record. An error means that the statement must not go on.
type Recorder interface {
	Record(ctx context.Context, e *audit.Event) error
}

// Directory knows who may log in and as whom they go on to the warehouse. A
// login that does not exist is pgauth.ErrUnknownLogin; on any other error
// nobody is let in.
type Directory interface {
	Lookup(ctx context.Context, login, database string) (*pgauth.Account, error)
	Warehouse(login string, groups []string, method pgauth.Method) pgauth.Login
}

// Tokens knows the tokens that may come in the place of a clear password.
type Tokens interface {
	// Bearer says whether a text is a token, and as which principal it comes in;
	// nil: it is not valid for this login, database and address. Via is the
	// wire. An error means that it could not be looked up.
	Bearer(ctx context.Context, c Credential) (p *policy.Principal, token bool, err error)
}

// Credential is what a client sent as its password, over an encrypted
// connection.
type Credential struct {
	Login    string
	Database string
	Addr     netip.Addr
	Text     pgauth.Secret
}

// LockWatcher asks the warehouse, through the operator's login, who waits for
// whom, and ends backends.
type LockWatcher interface {
	Edges(ctx context.Context, waiters []uint32) ([]policy.LockEdge, error)
	Terminate(ctx context.Context, pid uint32) error
}

// Clock is the time; tests bring their own.
type Clock func() time.Time
