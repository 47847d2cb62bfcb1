package door

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
)

// maxRelations bounds one question; a result from more is its owner's alone.
const maxRelations = 200

// PrivilegesConfig says how somebody is asked for.
type PrivilegesConfig struct {
	Door   *Door
	Groups func(login string) []string // the teams of a login
	// Redshift says that the warehouse is one.
	Redshift bool
}

// Privileges asks the warehouse what somebody may read, as that somebody:
// through the door, so it needs no login that sees more than they do, and the
// answer is the warehouse's own.
type Privileges struct{ cfg PrivilegesConfig }

// NewPrivileges returns the asker.
func NewPrivileges(cfg PrivilegesConfig) (*Privileges, error) {
	if cfg.Door == nil || cfg.Groups == nil {
		return nil, errors.New("door: privileges need a door and the teams of a login")
	}
	return &Privileges{cfg}, nil
}

// privilegesPostgres answers with one row a relation: whether the whole of it
// may be read. A relation that is gone gives none. All is qualified: the
// viewer's own search_path must not answer for the catalog.
const privilegesPostgres = `SELECT n.nspname, c.relname,
       pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
       AND NOT c.relrowsecurity AND c.relpersistence OPERATOR(pg_catalog.<>) 't'::"char"
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[])) AS w (s, r)
  JOIN pg_catalog.pg_namespace n ON n.nspname::pg_catalog.text OPERATOR(pg_catalog.=) w.s
  JOIN pg_catalog.pg_class c ON c.relnamespace OPERATOR(pg_catalog.=) n.oid AND c.relname::pg_catalog.text OPERATOR(pg_catalog.=) w.r`

// privilegesTime bounds the question: somebody waits for a page.
const privilegesTime = 10 * time.Second

// oidText is the type of the parameters.
const (
	oidText      = 25
	oidTextArray = 1009
)

// CanSelect reports whether the role that a login maps to may select all of
// each relation: not if one is gone, is temporary, has row security, or is
// granted by column only; and not where the warehouse does not tell.
func (p *Privileges) CanSelect(ctx context.Context, login, database string, relations []policy.Relation) (bool, error) {
	switch {
	case len(relations) == 0:
		return true, nil
	case len(relations) > maxRelations:
		return false, nil
	}
	who := policy.Principal{Subject: policy.Subject{User: login, Groups: p.cfg.Groups(login)}, Via: "web", ReadOnly: true, Urgency: "interactive"}
	ctx, cancel := context.WithTimeout(ctx, privilegesTime)
	defer cancel()
	conn, err := p.cfg.Door.Open(ctx, who, database)
	if err != nil {
		return false, fmt.Errorf("ask for privileges: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	may := maySink{}
	if p.cfg.Redshift {
		return redshiftLets(ctx, conn, relations)
	}
	schemas, names := make([]string, len(relations)), make([]string, len(relations))
	for i, r := range relations {
		schemas[i], names[i] = r.Schema, r.Name
	}
	s, n := arrayText(schemas), arrayText(names)
	if _, err := conn.Query(ctx, privilegesPostgres, []uint32{oidTextArray, oidTextArray}, []*string{&s, &n}, may); err != nil {
		return false, fmt.Errorf("ask for privileges: %w", err)
	}
	return may.all(relations), nil
}

// maySink gathers which relations may be read.
type maySink map[policy.Relation]bool

// Columns implements Sink.
func (maySink) Columns([]string, []uint32, []int32) error { return nil }

// Row implements Sink.
func (m maySink) Row(cells [][]byte) error {
	if len(cells) == 3 {
		m[policy.Relation{Schema: string(cells[0]), Name: string(cells[1])}] = string(cells[2]) == "t"
	}
	return nil
}

// Notice implements Sink.
func (maySink) Notice(string, string, string, string) {}

func (m maySink) all(relations []policy.Relation) bool {
	for _, r := range relations {
		if !m[policy.Relation{Schema: r.Schema, Name: r.Name}] {
			return false
		}
	}
	return true
}

// arrayText writes a text[] as Postgres reads it.
func arrayText(list []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, s := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		b.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}
