package catalog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// slack is how many rows beyond the bound are read: more than the server has
// relations of its own, so that the bound is passed for certain when rows are
// missing.
const slack = 1000

// query runs the queries one after the other and collects the rows.
type query struct {
	tx   pgx.Tx
	max  int
	rows rows

	version int
	system  []uint32 // oids of the server's own schemas
}

func (q *query) all(ctx context.Context) error {
	if err := q.tx.QueryRow(ctx, systemSQL).Scan(&q.rows.database, &q.version, &q.system); err != nil {
		return fmt.Errorf("read database: %w", err)
	}
	for _, step := range []struct {
		what string
		read func(context.Context) error
	}{
		{"relations", q.relations},
		{"inheritance", q.inherits},
		{"views", q.views},
		{"row policies", q.policies},
		{"built-in functions", q.builtins},
		{"functions", q.functions},
	} {
		if err := step.read(ctx); err != nil {
			return fmt.Errorf("read %s: %w", step.what, err)
		}
	}
	return nil
}

// each runs a query and calls add for each row, scanned into dest.
func (q *query) each(ctx context.Context, sql string, args, dest []any, add func()) error {
	result, err := q.tx.Query(ctx, sql, args...)
	if err != nil {
		return err //nolint:wrapcheck // all names the step
	}
	_, err = pgx.ForEachRow(result, dest, func() error {
		add()
		return nil
	})
	return err //nolint:wrapcheck // as above
}

func (q *query) relations(ctx context.Context) error {
	var r relationRow
	return q.each(ctx, relationsSQL, []any{q.max + slack}, []any{&r.oid, &r.schema, &r.name, &r.kind}, func() {
		q.rows.relations = append(q.rows.relations, r)
	})
}

func (q *query) inherits(ctx context.Context) error {
	var r inheritsRow
	return q.each(ctx, inheritsSQL, nil, []any{&r.parent, &r.child}, func() {
		q.rows.inherits = append(q.rows.inherits, r)
	})
}

func (q *query) views(ctx context.Context) error {
	var r treeRow
	return q.each(ctx, fmt.Sprintf(viewsSQL, "r.ev_action"), []any{q.system}, []any{&r.of, &r.relations, &r.functions, &r.domains}, func() {
		q.rows.views = append(q.rows.views, r)
		r = treeRow{}
	})
}

func (q *query) policies(ctx context.Context) error {
	var r treeRow
	return q.each(ctx, fmt.Sprintf(policiesSQL, "p.polqual"), nil, []any{&r.of, &r.functions, &r.domains}, func() {
		q.rows.policies = append(q.rows.policies, r)
		r = treeRow{}
	})
}

func (q *query) builtins(ctx context.Context) error {
	q.rows.builtins = map[uint32]builtin{}
	var oid uint32
	var b builtin
	return q.each(ctx, builtinsSQL, nil, []any{&oid, &b.name, &b.volatile}, func() { q.rows.builtins[oid] = b })
}

func (q *query) functions(ctx context.Context) error {
	body := "p.prosqlbody"
	if q.version < sqlBodyVersion {
		body = "NULL::pg_catalog.text"
	}
	sql := fmt.Sprintf(functionsSQL, body,
		fmt.Sprintf(treeOther, body), fmt.Sprintf(treeDomains, body), fmt.Sprintf(treeRelations, body), fmt.Sprintf(treeFunctions, body))
	var f functionRow
	dest := []any{
		&f.oid, &f.schema, &f.name, &f.volatility, &f.language, &f.prokind,
		&f.parts, &f.selects, &f.tree.relations, &f.tree.functions,
	}
	return q.each(ctx, sql, []any{q.system, q.max + slack}, dest, func() {
		q.rows.functions = append(q.rows.functions, f)
		f = functionRow{}
	})
}
