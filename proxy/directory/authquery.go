package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// DefaultQuery asks Postgres itself; its login must be able to read pg_shadow.
// A function of a superuser's that does so for it is the better way.
const DefaultQuery = "SELECT usename, passwd FROM pg_shadow WHERE usename = $1"

const (
	queryConns     = 2
	queryIdle      = time.Minute
	defaultTimeout = 3 * time.Second
	defaultTTL     = 5 * time.Second
	maxAnswers     = 10_000
)

// QueryConfig is an auth_query and where to ask it.
type QueryConfig struct {
	URL pgauth.Secret // connection string, password included
	// SQL takes the login as $1 and returns its name and its verifier, as
	// PgBouncer's auth_query, or the verifier alone; one row a verifier. A NULL
	// verifier is a login that no password opens. Empty: DefaultQuery.
	SQL     string
	Timeout time.Duration // of connecting and asking; 0: 3 s
	TTL     time.Duration // for which an answer holds; 0: 5 s
	Salts   pgauth.SaltKey
	Now     func() time.Time // nil: time.Now
}

// AuthQuery asks a database for verifiers.
type AuthQuery struct {
	cfg  QueryConfig
	pool *pgxpool.Pool

	mu      sync.Mutex // guards what follows; not held while asking
	answers map[string]answer
	flights map[string]*flight
}

// answer is what was known of a login, until it is to be asked again.
type answer struct {
	known     bool
	verifiers []pgauth.Verifier
	until     time.Time
}

// flight is a question under way; many clients may wait for one.
type flight struct {
	done chan struct{}
	a    answer
	err  error
}

// NewAuthQuery returns an AuthQuery. It connects with the first question.
func NewAuthQuery(cfg QueryConfig) (*AuthQuery, error) {
	pc, err := pgxpool.ParseConfig(cfg.URL.Reveal())
	if err != nil {
		return nil, errors.New("auth_query: the connection string cannot be read") // its error may show the password
	}
	if cfg.SQL == "" {
		cfg.SQL = DefaultQuery
	}
	if !strings.Contains(cfg.SQL, "$1") {
		return nil, errors.New("auth_query: the query has no $1 for the login")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if cfg.TTL <= 0 {
		cfg.TTL = defaultTTL
	}
	if cfg.Now == nil {
		cfg.Now = time.Now //nolint:forbidigo // the default clock of a Config
	}
	pc.MaxConns, pc.MinConns, pc.MaxConnIdleTime = queryConns, 0, queryIdle
	pc.ConnConfig.ConnectTimeout = cfg.Timeout
	pc.ConnConfig.RuntimeParams["search_path"] = "pg_catalog"
	pc.ConnConfig.RuntimeParams["application_name"] = "lockkeeper auth_query"
	// No prepared statements: there may be a pooler between.
	pc.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	pool, err := pgxpool.NewWithConfig(context.Background(), pc) //nolint:forbidigo // connects later; Close ends it
	if err != nil {
		return nil, fmt.Errorf("auth_query: %w", err)
	}
	return &AuthQuery{cfg: cfg, pool: pool, answers: map[string]answer{}, flights: map[string]*flight{}}, nil
}

// Forget drops all answers.
func (q *AuthQuery) Forget() {
	q.mu.Lock()
	clear(q.answers)
	q.mu.Unlock()
}

// Close ends the connections.
func (q *AuthQuery) Close() { q.pool.Close() }

func (q *AuthQuery) lookup(ctx context.Context, login string) ([]pgauth.Verifier, error) {
	q.mu.Lock()
	if a, ok := q.answers[login]; ok && q.cfg.Now().Before(a.until) {
		q.mu.Unlock()
		return a.result()
	}
	f, ours := q.flights[login], false
	if f == nil {
		f, ours = &flight{done: make(chan struct{})}, true
		q.flights[login] = f
	}
	q.mu.Unlock()
	if ours {
		q.fly(ctx, login, f)
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("auth_query: %w", context.Cause(ctx))
	}
	if f.err != nil {
		return nil, f.err
	}
	return f.a.result()
}

func (a answer) result() ([]pgauth.Verifier, error) {
	if !a.known {
		return nil, ErrUnknown
	}
	return a.verifiers, nil
}

// fly asks and tells all who wait. The asker's own end does not end it for the
// others.
func (q *AuthQuery) fly(ctx context.Context, login string, f *flight) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.cfg.Timeout)
	defer cancel()
	f.a, f.err = q.ask(ctx, login)
	q.mu.Lock()
	delete(q.flights, login)
	if f.err == nil {
		q.keepLocked(login, f.a)
	}
	q.mu.Unlock()
	close(f.done)
}

func (q *AuthQuery) keepLocked(login string, a answer) {
	if len(q.answers) >= maxAnswers {
		clear(q.answers)
	}
	a.until = q.cfg.Now().Add(q.cfg.TTL)
	q.answers[login] = a
}

func (q *AuthQuery) ask(ctx context.Context, login string) (answer, error) {
	rows, err := q.pool.Query(ctx, q.cfg.SQL, login)
	if err != nil {
		return answer{}, fmt.Errorf("auth_query: %w", err)
	}
	defer rows.Close()
	var a answer
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return answer{}, fmt.Errorf("auth_query: %w", err)
		}
		if err := a.add(login, values, q.cfg.Salts); err != nil {
			return answer{}, err
		}
	}
	if err := rows.Err(); err != nil {
		return answer{}, fmt.Errorf("auth_query: %w", err)
	}
	return a, nil
}

// add takes one row.
func (a *answer) add(login string, row []any, salts pgauth.SaltKey) error {
	if len(row) == 0 {
		return errors.New("auth_query: a row without columns")
	}
	verifier := row[0]
	if len(row) > 1 {
		name, ok := row[0].(string)
		if !ok || name != login {
			return nil // PgBouncer's functions answer a row of NULLs for nobody
		}
		verifier = row[1]
	}
	switch v := verifier.(type) {
	case nil:
		a.known = a.known || len(row) > 1
		return nil
	case string:
		p, err := pgauth.ParseVerifier(login, v, salts)
		if err != nil {
			return fmt.Errorf("auth_query: %w", err)
		}
		a.known = true
		a.verifiers = append(a.verifiers, p)
		return nil
	}
	return fmt.Errorf("auth_query: a verifier of type %T, not text", verifier)
}
