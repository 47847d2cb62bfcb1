package proxy

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"time"

	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/backend"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/pgwire"
)

// Config is everything a Server needs. Required: Dialer, Engine, Parser,
// Recorder, Directory, Auth.
type Config struct {
	Dialer    *backend.Dialer
	Engine    *policy.Engine
	Parser    Parser
	Recorder  Recorder
	Directory Directory
	Tokens    Tokens      // nil: a token is a password like any other
	Watcher   LockWatcher // nil: no operator login
	Auth      pgauth.Rules
	Salts     pgauth.SaltKey

	// TLS returns the configuration for new connections and the certificate
	// shown (DER, for channel binding); nil: TLS is not offered.
	TLS         func() (*tls.Config, []byte)
	TLSRequired bool

	Console      string   // database name of the console; empty: "lockkeeper"
	ConsoleUsers []string // logins that may use it
	ConsoleHooks ConsoleHooks

	// CatalogChanged is called after DDL went through: names may mean something
	// else now. It must not block; nil: nobody asks.
	CatalogChanged func()

	Environment string
	Version     string
	Node        string

	MaxStatementBytes int   // a Query or Parse; 0: 16 MiB
	MaxHeldBytes      int64 // over all sessions; 0: 64 MiB

	MaxConnections     int // 0: 10 000
	ReservedOperators  int // slots kept for ConsoleUsers; 0: 3
	MaxPerUser         int // 0: none
	MaxUnauthenticated int // per address; 0: 512
	LoginTimeout       time.Duration
	CancelGrace        time.Duration // between two rungs for a statement that does not end; 0: 5 s
	ProbeAfter         time.Duration // a statement runs this long before we ask whether it waits; 0: 1 s
	ProbeTimeout       time.Duration // proof before a release; 0: 250 ms
	WriteTimeout       time.Duration // a client that takes nothing after its statement was ended; 0: 5 s

	ParamHasher *audit.Hasher // for parameters kept as hashes; nil: a key that lives as long as the process

	Pools  *pgwire.Pools
	Now    Clock
	Log    *slog.Logger
	Random func([]byte) // fills with random bytes; nil: crypto/rand
}

// ConsoleHooks are the acts of the console that the server cannot do itself.
type ConsoleHooks struct {
	Reload func() error       // RELOAD
	Config func() [][2]string // SHOW CONFIG: keys and values, secrets left out
	Audit  func() [][2]string // SHOW AUDIT: state of the record
}

// Validate says what is missing.
func (c *Config) Validate() error {
	switch {
	case c.Dialer == nil:
		return errors.New("proxy: no warehouse configured")
	case c.Engine == nil, c.Parser == nil, c.Recorder == nil, c.Directory == nil:
		return errors.New("proxy: engine, parser, recorder and directory are needed")
	case len(c.Auth) == 0:
		return errors.New("proxy: no authentication rule: nobody could log in")
	}
	return nil
}

func (c *Config) withDefaults() Config {
	d := *c
	or(&d.Console, "lockkeeper")
	or(&d.MaxStatementBytes, 16<<20)
	or(&d.MaxHeldBytes, 64<<20)
	or(&d.MaxConnections, 10_000)
	or(&d.ReservedOperators, 3)
	or(&d.MaxUnauthenticated, 512)
	or(&d.LoginTimeout, 10*time.Second)
	or(&d.CancelGrace, 5*time.Second)
	or(&d.ProbeAfter, time.Second)
	or(&d.ProbeTimeout, 250*time.Millisecond)
	or(&d.WriteTimeout, 5*time.Second)
	if d.Pools == nil {
		d.Pools = &pgwire.Pools{}
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Random == nil {
		d.Random = random
	}
	return d
}

func or[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}
