package door

import (
	"context"
	"errors"
	"fmt"

	"github.com/lockkeeper/lockkeeper/policy"
)

// What Redshift is asked, each in a query of its own: those of the catalog run
// on its leader node, which joins them with nothing else.
const (
	// redshiftSees answers whether whoever asks sees the row security of all
	// relations. svv_rls_relation shows others their own only, so that no row
	// says nothing.
	redshiftSees = `SELECT u.usesuper OR user_is_member_of(current_user, 'sys:secadmin') FROM pg_user u WHERE u.usename = current_user`

	// redshiftSecured has a row for a relation under row security, here or for
	// those it is shared with.
	redshiftSecured = `SELECT relschema, relname, 't' FROM svv_rls_relation
 WHERE datname = current_database() AND relschema = $1 AND relname = $2 AND (is_rls_on OR is_rls_datashare_on)`

	// redshiftMay has a row for a relation that is there.
	redshiftMay = `SELECT n.nspname, c.relname, has_table_privilege(c.oid, 'SELECT')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname = $2 AND has_schema_privilege(n.oid, 'USAGE')`
)

// querier is a session that is asked.
type querier interface {
	Query(ctx context.Context, sql string, oids []uint32, values []*string, sink Sink) (string, error)
}

// redshiftLets reports whether whoever asks may select all of each relation,
// and no relation has row security. Where the warehouse refuses to tell, or does
// not tell all, the answer is no: what cannot be known is not shown.
func redshiftLets(ctx context.Context, conn querier, relations []policy.Relation) (bool, error) {
	sees := lastSink{}
	if _, err := conn.Query(ctx, redshiftSees, nil, nil, &sees); err != nil || sees.cell != "t" {
		return false, unlessRefused(err)
	}
	may, secured := maySink{}, maySink{}
	for _, r := range relations {
		schema, name := r.Schema, r.Name
		oids, values := []uint32{oidText, oidText}, []*string{&schema, &name}
		if _, err := conn.Query(ctx, redshiftSecured, oids, values, secured); err != nil || len(secured) > 0 {
			return false, unlessRefused(err)
		}
		if _, err := conn.Query(ctx, redshiftMay, oids, values, may); err != nil {
			return false, unlessRefused(err)
		}
	}
	return may.all(relations), nil
}

// unlessRefused passes on what is no answer of the warehouse or the door: that
// they refuse is one.
func unlessRefused(err error) error {
	if _, refused := errors.AsType[*Error](err); err == nil || refused {
		return nil
	}
	return fmt.Errorf("ask for privileges: %w", err)
}

// lastSink keeps the first cell of the last row.
type lastSink struct {
	maySink

	cell string
}

// Row implements Sink.
func (s *lastSink) Row(cells [][]byte) error {
	s.cell = string(cells[0])
	return nil
}
