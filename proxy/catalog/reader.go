package catalog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/policy"
)

// ApplicationName is how the connection shows itself to the warehouse.
const ApplicationName = "lockkeeper-catalog"

// ErrTooLarge says that the warehouse has more objects than Config.MaxObjects.
var ErrTooLarge = errors.New("warehouse has too many objects for the catalog")

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
	read func(ctx context.Context, before string) (got *contents, stamp string, err error) // fetch, or a test's own

	mu     sync.Mutex // guards what follows
	status Status
	sum    [sha256.Size]byte // of the last snapshot
	stamp  string            // of the last read
}

// New returns a Reader. It connects when Run or Read is called, and holds no
// connection in between.
func New(cfg Config) (*Reader, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
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
	maps.Copy(conf.RuntimeParams, map[string]string{
		"application_name":              ApplicationName,
		"search_path":                   "pg_catalog",
		"statement_timeout":             strconv.FormatInt(cfg.Timeout.Milliseconds(), 10),
		"default_transaction_read_only": "on",
	})
	r := &Reader{cfg: cfg, conf: conf, poke: make(chan struct{}, 1)}
	r.read = r.fetch
	return r, nil
}

// Read reads now and publishes if something changed. Run does so by itself;
// call Read before Run to have a snapshot before the first client comes.
func (r *Reader) Read(ctx context.Context) error {
	begin := r.cfg.Now()
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Timeout)
	defer cancel()
	r.mu.Lock()
	before := r.stamp
	r.mu.Unlock()
	got, stamp, err := r.read(ctx, before)
	if err != nil {
		err = fmt.Errorf("read catalog: %w", err)
		r.mu.Lock()
		r.status.Err = err
		r.mu.Unlock()
		return err
	}
	if c := r.take(got, stamp, begin); c != nil {
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
func (r *Reader) take(got *contents, stamp string, begin time.Time) *policy.Catalog {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.cfg.Now()
	st := &r.status
	st.ReadAt, st.Took, st.Err = now, now.Sub(begin), nil
	if got == nil {
		return nil
	}
	r.stamp = stamp
	sum := got.sum()
	if st.Version > 0 && sum == r.sum { // a GRANT, say
		return nil
	}
	r.sum = sum
	st.Database, st.Version = got.database, st.Version+1
	st.Relations, st.Functions = len(got.relations), len(got.functions)
	return got.catalog(st.Version)
}
