package query

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

// Bounds of the catalog.
const (
	maxCatalogNames = 200_000 // columns for completions
	maxFunctions    = 5_000
	catalogLife     = time.Minute
	maxCatalogs     = 200 // logins remembered
	maxSearch       = 200 // bytes
	maxColumns      = 2_000
	askTimeout      = 30 * time.Second
)

// CatalogConfig says what a Catalog stands on.
type CatalogConfig struct {
	Targets []Target
	Door    Door
	Now     func() time.Time
}

// Catalog finds tables as the caller may see them: it asks the warehouse as the
// caller, through the door, and remembers the names for a minute.
type Catalog struct {
	cfg CatalogConfig

	mu    sync.Mutex // guards known
	known map[string]completed
}

type completed struct {
	names Completions
	until time.Time
}

// NewCatalog returns the service.
func NewCatalog(cfg CatalogConfig) (*Catalog, error) {
	if len(cfg.Targets) == 0 || cfg.Door == nil || cfg.Now == nil {
		return nil, errors.New("query: the catalog needs targets, a door and a clock")
	}
	return &Catalog{cfg: cfg, known: map[string]completed{}}, nil
}

// ask runs one of our own statements as the caller, read-only.
func (k *Catalog) ask(ctx context.Context, c *admin.Caller, t Target, sql string, limit int, args ...string) ([][]*string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	who := principalOf(c)
	who.ReadOnly, who.Urgency = true, string(Interactive)
	conn, err := k.cfg.Door.Open(ctx, who, t)
	if err != nil {
		return nil, askFailed(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	oids, values := make([]uint32, len(args)), make([]*string, len(args))
	for i := range args {
		oids[i], values[i] = textOID, &args[i]
	}
	rows, err := collect(ctx, conn, sql, oids, values, limit)
	if err != nil {
		return nil, askFailed(err)
	}
	return rows, nil
}

const textOID = 25

// askFailed says why the warehouse could not be asked.
func askFailed(err error) error {
	if report, ok := errors.AsType[Failure](err); ok {
		_, message, _, _, _, _ := report.Report()
		e := admin.Errorf(admin.Unprocessable, "catalog-refused", "The warehouse did not tell its tables: %s.", clip(message, 500))
		e.Err = err
		return e
	}
	e := admin.Errorf(admin.Unavailable, "target-down", "The warehouse could not be asked for its tables. Try again in a moment.")
	e.Err = err
	return e
}

// prepare checks scope and target.
func (k *Catalog) prepare(c *admin.Caller, target string) (Target, error) {
	if err := c.Need(admin.ScopeCatalogRead); err != nil {
		return Target{}, err
	}
	return targetFor(k.cfg.Targets, c, target)
}

// Tables searches tables by a part of schema.name or of the comment.
func (k *Catalog) Tables(ctx context.Context, c *admin.Caller, target, q, cursor string, limit int) (TablePage, error) {
	t, err := k.prepare(c, target)
	if err != nil {
		return TablePage{}, err
	}
	if limit, err = listLimit(limit); err != nil {
		return TablePage{}, err
	}
	if len(q) > maxSearch || len(cursor) > maxSearch {
		return TablePage{}, admin.Errorf(admin.Invalid, "bad-request", "The search has more than %d bytes.", maxSearch)
	}
	rows, err := k.ask(ctx, c, t, t.catalog().tables, limit+1, pattern(q), cursor, strconv.Itoa(limit+1))
	if err != nil {
		return TablePage{}, err
	}
	page := TablePage{Items: []Table{}}
	for i, row := range rows {
		if i == limit {
			last := page.Items[limit-1]
			page.Next = last.Schema + "." + last.Name
			break
		}
		page.Items = append(page.Items, tableOf(row))
	}
	return page, nil
}

// pattern is what LIKE takes for a part, with ! before its signs.
func pattern(q string) string {
	if q == "" {
		return "%"
	}
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(q)) + "%"
}

// tableOf reads schema, name, kind, rows, comment.
func tableOf(row []*string) Table {
	return Table{Schema: text(row, 0), Name: text(row, 1), Kind: text(row, 2), Rows: count(row, 3), Comment: text(row, 4)}
}

func text(row []*string, i int) string {
	if i >= len(row) || row[i] == nil {
		return ""
	}
	return *row[i]
}

// count reads a number that may be unknown.
func count(row []*string, i int) *int64 {
	f, err := strconv.ParseFloat(text(row, i), 64)
	if err != nil || f < 0 {
		return nil
	}
	n := int64(f)
	return &n
}

// Table returns one table with its columns.
func (k *Catalog) Table(ctx context.Context, c *admin.Caller, target, schema, name string) (TableDetail, error) {
	t, err := k.prepare(c, target)
	if err != nil {
		return TableDetail{}, err
	}
	if len(schema) > maxSearch || len(name) > maxSearch {
		return TableDetail{}, admin.Missing()
	}
	sql := t.catalog()
	rows, err := k.ask(ctx, c, t, sql.table, 1, schema, name)
	if err != nil {
		return TableDetail{}, err
	}
	if len(rows) == 0 {
		return TableDetail{}, admin.Missing()
	}
	out := TableDetail{Table: tableOf(rows[0]), Bytes: count(rows[0], 5), Columns: []TableColumn{}}
	if rows, err = k.ask(ctx, c, t, sql.columns, maxColumns, schema, name); err != nil {
		return TableDetail{}, err
	}
	for _, row := range rows {
		position, _ := strconv.Atoi(text(row, 4))
		out.Columns = append(out.Columns, TableColumn{Name: text(row, 0), Type: text(row, 1), Nullable: text(row, 2) == "t", Comment: text(row, 3), Position: position})
	}
	return out, nil
}

// Completions returns the names that the editor completes, at most a minute
// old.
func (k *Catalog) Completions(ctx context.Context, c *admin.Caller, target string) (Completions, error) {
	t, err := k.prepare(c, target)
	if err != nil {
		return Completions{}, err
	}
	key := t.Name + "\x00" + c.Login
	if c.Actor != nil {
		key += "\x00" + c.Actor.Login
	}
	now := k.cfg.Now()
	k.mu.Lock()
	had, ok := k.known[key]
	k.mu.Unlock()
	if ok && now.Before(had.until) {
		return had.names, nil
	}
	names, err := k.complete(ctx, c, t)
	if err != nil {
		return Completions{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.known) >= maxCatalogs {
		clear(k.known)
	}
	k.known[key] = completed{names, now.Add(catalogLife)}
	return names, nil
}

func (k *Catalog) complete(ctx context.Context, c *admin.Caller, t Target) (Completions, error) {
	sql := t.catalog()
	columns, err := k.ask(ctx, c, t, sql.completions, maxCatalogNames)
	if err != nil {
		return Completions{}, err
	}
	functions, err := k.ask(ctx, c, t, sql.functions, maxFunctions)
	if err != nil {
		return Completions{}, err
	}
	path, err := k.ask(ctx, c, t, sql.path, 1)
	if err != nil {
		return Completions{}, err
	}
	out := Completions{Schemas: schemas(columns), SearchPath: []string{}, Functions: []string{}, Truncated: len(columns) == maxCatalogNames}
	for _, row := range functions {
		out.Functions = append(out.Functions, text(row, 0))
	}
	if len(path) > 0 && text(path[0], 0) != "" {
		out.SearchPath = strings.Split(text(path[0], 0), ",")
	}
	b, err := json.Marshal(out)
	if err != nil {
		return Completions{}, fmt.Errorf("write the names: %w", err)
	}
	sum := sha256.Sum256(b)
	out.Version = hex.EncodeToString(sum[:8])
	return out, nil
}

// schemas groups rows of schema, table, kind, column, type, which come sorted.
func schemas(rows [][]*string) []CompletionSchema {
	out := []CompletionSchema{}
	for _, row := range rows {
		if n := len(out); n == 0 || out[n-1].Name != text(row, 0) {
			out = append(out, CompletionSchema{Name: text(row, 0), Tables: []CompletionTable{}})
		}
		s := &out[len(out)-1]
		if n := len(s.Tables); n == 0 || s.Tables[n-1].Name != text(row, 1) {
			s.Tables = append(s.Tables, CompletionTable{Name: text(row, 1), Kind: text(row, 2), Columns: [][2]string{}})
		}
		tab := &s.Tables[len(s.Tables)-1]
		if text(row, 3) != "" {
			tab.Columns = append(tab.Columns, [2]string{text(row, 3), text(row, 4)})
		}
	}
	return slices.Clip(out)
}
