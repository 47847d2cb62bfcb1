package door

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockkeeper/lockkeeper/policy"
)

var rewrite = flag.Bool("rewrite", false, "write the golden file anew") //nolint:gochecknoglobals // a flag

// told is a Redshift of which only the answers are known: none is at hand.
type told struct {
	answers map[string]any // by the query: rows, or an error; missing: no row
	out     *strings.Builder
}

func (w told) Query(_ context.Context, sql string, _ []uint32, values []*string, sink Sink) (string, error) {
	text := sql
	for i, v := range values {
		text = strings.ReplaceAll(text, fmt.Sprintf("$%d", i+1), "'"+*v+"'")
	}
	fmt.Fprintf(w.out, "  asked: %s\n", strings.Join(strings.Fields(text), " "))
	switch a := w.answers[sql].(type) {
	case error:
		fmt.Fprintf(w.out, "  error: %v\n", a)
		return "", a
	case []string:
		for _, row := range a {
			fmt.Fprintf(w.out, "  row:   %s\n", row)
			var cells [][]byte
			for cell := range strings.SplitSeq(row, " ") {
				cells = append(cells, []byte(cell))
			}
			if len(values) == 2 && string(cells[1]) != *values[1] {
				continue
			}
			if err := sink.Row(cells); err != nil {
				return "", err
			}
		}
	}
	return "SELECT", nil
}

// What Redshift is asked about each relation, and what follows from what it says.
func TestRedshiftPrivileges(t *testing.T) {
	t.Parallel()
	orders := []policy.Relation{{Schema: "public", Name: "orders"}}
	refused := &Error{pg: &pgconn.PgError{Code: "42501", Message: "permission denied for relation svv_rls_relation"}}
	may := []string{"public orders t"}
	var out strings.Builder
	for _, c := range []struct {
		name      string
		relations []policy.Relation
		answers   map[string]any
	}{
		{"he sees all, and there is no row security", orders, map[string]any{redshiftSees: []string{"t"}, redshiftMay: may}},
		{"row security", orders, map[string]any{redshiftSees: []string{"t"}, redshiftSecured: may, redshiftMay: may}},
		{"he does not see whether there is any", orders, map[string]any{redshiftSees: []string{"f"}, redshiftMay: may}},
		{"the warehouse does not know him", orders, map[string]any{redshiftMay: may}},
		{"an old warehouse has no such function", orders, map[string]any{redshiftSees: refused, redshiftMay: may}},
		{"the view is not for him", orders, map[string]any{redshiftSees: []string{"t"}, redshiftSecured: refused, redshiftMay: may}},
		{"no right to the table", orders, map[string]any{redshiftSees: []string{"t"}, redshiftMay: []string{"public orders f"}}},
		{"the table is gone", orders, map[string]any{redshiftSees: []string{"t"}}},
		{
			"the second of two is secured", append(orders, policy.Relation{Schema: "public", Name: "pay"}),
			map[string]any{redshiftSees: []string{"t"}, redshiftSecured: []string{"public pay t"}, redshiftMay: []string{"public orders t", "public pay t"}},
		},
		{"the connection breaks", orders, map[string]any{redshiftSees: []string{"t"}, redshiftSecured: errors.New("broken pipe")}},
	} {
		fmt.Fprintf(&out, "%s\n", c.name)
		lets, err := redshiftLets(t.Context(), told{c.answers, &out}, c.relations)
		fmt.Fprintf(&out, "  shown: %v %v\n\n", lets, err)
	}
	const file = "testdata/redshift.txt"
	if *rewrite {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
