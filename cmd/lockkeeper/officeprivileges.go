package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/query"
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/backend"
)

// officePrivileges asks the warehouse what somebody may read, as that somebody:
// through the door, so it needs no login that sees more than they do, and the
// answer is the warehouse's own.
type officePrivileges struct {
	door   query.Door
	groups func(login string) []string
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

// privilegesRedshift asks for one relation.
const privilegesRedshift = `SELECT n.nspname, c.relname, has_table_privilege(c.oid, 'SELECT')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname = $2 AND has_schema_privilege(n.oid, 'USAGE')`

// privilegesTime bounds the question: somebody waits for a page.
const privilegesTime = 10 * time.Second

// oidText is the type of the parameters.
const (
	oidText      = 25
	oidTextArray = 1009
)

// CanSelect implements query.Privileges.
func (o officePrivileges) CanSelect(ctx context.Context, login string, target query.Target, relations []policy.Relation) (bool, error) {
	if len(relations) == 0 {
		return true, nil
	}
	who := query.Principal{Subject: policy.Subject{User: login, Groups: o.groups(login)}, Via: "web", ReadOnly: true, Urgency: "interactive"}
	ctx, cancel := context.WithTimeout(ctx, privilegesTime)
	defer cancel()
	conn, err := o.door.Open(ctx, who, target)
	if err != nil {
		return false, fmt.Errorf("ask for privileges: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	may := maySink{}
	if target.Dialect == string(backend.DialectRedshift) {
		for _, r := range relations {
			schema, name := r.Schema, r.Name
			if _, err := conn.Query(ctx, privilegesRedshift, []uint32{oidText, oidText}, []*string{&schema, &name}, may); err != nil {
				return false, fmt.Errorf("ask for privileges: %w", err)
			}
		}
		return may.all(relations), nil
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

// Columns implements query.Sink.
func (maySink) Columns([]string, []uint32, []int32) error { return nil }

// Row implements query.Sink.
func (m maySink) Row(cells [][]byte) error {
	if len(cells) == 3 {
		m[policy.Relation{Schema: string(cells[0]), Name: string(cells[1])}] = string(cells[2]) == "t"
	}
	return nil
}

// Notice implements query.Sink.
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
