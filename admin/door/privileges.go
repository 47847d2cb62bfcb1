package door

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/policy"
)

// maxRelations bounds one question; a result from more is its owner's alone.
const maxRelations = 200

// PrivilegesConfig says whom Privileges asks.
type PrivilegesConfig struct {
	// Connect opens a session with the operator's login; it is closed after use.
	Connect func(ctx context.Context, database string) (*pgx.Conn, error)
	// Role returns the warehouse role that a login maps to.
	Role func(ctx context.Context, login string) (string, error)
	// Redshift says that the warehouse is one.
	Redshift bool
}

// Privileges asks the warehouse what a role may select.
type Privileges struct{ cfg PrivilegesConfig }

// NewPrivileges returns the asker.
func NewPrivileges(cfg PrivilegesConfig) (*Privileges, error) {
	if cfg.Connect == nil || cfg.Role == nil {
		return nil, errors.New("door: privileges need an operator's connection and a map of roles")
	}
	return &Privileges{cfg}, nil
}

// On Postgres what has row security is not open by privilege alone, and neither
// are its views, which do not say so: the base tables are among the relations.
const postgresSelect = `
SELECT c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relrowsecurity
   AND pg_catalog.has_schema_privilege($1, n.oid, 'USAGE') AND pg_catalog.has_table_privilege($1, c.oid, 'SELECT')
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $2 AND c.relname = $3`

const redshiftSelect = `
SELECT has_schema_privilege($1, n.nspname, 'USAGE') AND has_table_privilege($1, c.oid, 'SELECT')
   AND NOT EXISTS (SELECT 1 FROM svv_rls_attached_policy p WHERE p.relschema = n.nspname AND p.relname = c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $2 AND c.relname = $3`

// CanSelect reports whether the role that a login maps to may select all of
// each relation: not if one is gone, has row security, or is granted by column
// only.
func (p *Privileges) CanSelect(ctx context.Context, login, database string, relations []policy.Relation) (bool, error) {
	if len(relations) > maxRelations {
		return false, nil
	}
	role, err := p.cfg.Role(ctx, login)
	if err != nil {
		return false, fmt.Errorf("find the role of a login: %w", err)
	}
	if role == "" {
		return false, nil
	}
	conn, err := p.cfg.Connect(ctx, database)
	if err != nil {
		return false, fmt.Errorf("connect as the operator: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	sql := postgresSelect
	if p.cfg.Redshift {
		sql = redshiftSelect
	}
	for _, r := range relations {
		var may bool
		err := conn.QueryRow(ctx, sql, pgx.QueryExecModeExec, role, r.Schema, r.Name).Scan(&may)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && !may {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("ask for privileges: %w", err)
		}
	}
	return true, nil
}
