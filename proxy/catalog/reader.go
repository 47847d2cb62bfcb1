package catalog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/policy"
)

// ApplicationName is how the connection shows itself to the warehouse.
const ApplicationName = "lockkeeper-catalog"

// Defaults of Config.
const (
	defaultEvery   = time.Minute
	defaultTimeout = 30 * time.Second
	defaultMax     = 100_000
)

// ErrTooLarge says that the warehouse has more objects than Config.MaxObjects.
var ErrTooLarge = errors.New("warehouse has too many objects for the catalog")

// Config says what to read, how often, and who gets it.
type Config struct {
	// ConnString is a URL or a list of keywords, as libpq takes it; its
	// database is the one that is read. It is not used if ConnConfig is set.
	ConnString string
	// ConnConfig is a parsed ConnString; it must come from pgx.ParseConfig.
	ConnConfig *pgx.ConnConfig
	// Publish gets each snapshot that differs from the one before; it is
	// called by one goroutine at a time.
	Publish func(*policy.Catalog)
	// Every is the time between two reads; 0 is a minute.
	Every time.Duration
	// Timeout bounds one read; 0 is 30 s.
	Timeout time.Duration
	// MaxObjects bounds relations and functions together; 0 is 100 000.
	MaxObjects int
	// Log takes failures and changes; nil: nowhere.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Status is what the Reader knows of itself.
type Status struct {
	Database             string
	Version              uint64    // of the last snapshot; 0: none yet
	ReadAt               time.Time // end of the last read that succeeded
	Took                 time.Duration
	Relations, Functions int
	Err                  error // of the last read; nil: it succeeded
}

// Reader keeps one database's snapshot fresh.
type Reader struct {
	cfg  Config
	conf *pgx.ConnConfig
	poke chan struct{}
	read func(context.Context) (*contents, error) // fetch, or a test's own

	mu     sync.Mutex // guards what follows
	status Status
	sum    [sha256.Size]byte // of the last snapshot
}

// New returns a Reader. It connects when Run or Read is called, and holds no
// connection in between.
func New(cfg Config) (*Reader, error) {
	if cfg.Every < 0 || cfg.Timeout < 0 || cfg.MaxObjects < 0 {
		return nil, fmt.Errorf("every %v, time-out %v or max objects %d is negative", cfg.Every, cfg.Timeout, cfg.MaxObjects)
	}
	if cfg.Publish == nil {
		return nil, errors.New("nobody takes the catalog: Publish is nil")
	}
	setDefaults(&cfg)
	conf := cfg.ConnConfig
	if conf == nil {
		var err error
		if conf, err = pgx.ParseConfig(cfg.ConnString); err != nil {
			return nil, fmt.Errorf("read operator's connection string: %w", err)
		}
	}
	conf = conf.Copy()
	conf.ConnectTimeout = cfg.Timeout
	conf.DefaultQueryExecMode = pgx.QueryExecModeExec // no statement of ours stays behind a pooler
	for name, value := range map[string]string{
		"application_name":              ApplicationName,
		"search_path":                   "pg_catalog",
		"statement_timeout":             strconv.FormatInt(cfg.Timeout.Milliseconds(), 10),
		"default_transaction_read_only": "on",
	} {
		conf.RuntimeParams[name] = value
	}
	r := &Reader{cfg: cfg, conf: conf, poke: make(chan struct{}, 1)}
	r.read = r.fetch
	return r, nil
}

func setDefaults(cfg *Config) {
	if cfg.Every == 0 {
		cfg.Every = defaultEvery
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.MaxObjects == 0 {
		cfg.MaxObjects = defaultMax
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
}

// Read reads now and publishes if something changed. Run does so by itself;
// call Read before Run to have a snapshot before the first client comes.
func (r *Reader) Read(ctx context.Context) error {
	begin := r.cfg.Now()
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	got, err := r.read(ctx)
	if err != nil {
		err = fmt.Errorf("read catalog: %w", err)
		r.mu.Lock()
		r.status.Err = err
		r.mu.Unlock()
		return err
	}
	if c := r.take(got, begin); c != nil {
		r.cfg.Publish(c)
		r.cfg.Log.InfoContext(ctx, "catalog changed", slog.String("database", c.Database()), slog.Uint64("version", c.Version()),
			slog.Int("relations", len(got.relations)), slog.Int("functions", len(got.functions)))
	}
	return nil
}

// Status returns what the last read found.
func (r *Reader) Status() Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.status
}

// take notes a successful read; the catalog is nil if nothing changed.
func (r *Reader) take(got *contents, begin time.Time) *policy.Catalog {
	sum := got.sum()
	r.mu.Lock()
	defer r.mu.Unlock()
	same := r.status.Version > 0 && sum == r.sum
	now := r.cfg.Now()
	version := r.status.Version
	if !same {
		version++
	}
	r.sum = sum
	r.status = Status{
		Database: got.database, Version: version, ReadAt: now, Took: now.Sub(begin),
		Relations: len(got.relations), Functions: len(got.functions),
	}
	if same {
		return nil
	}
	return got.catalog(version)
}
