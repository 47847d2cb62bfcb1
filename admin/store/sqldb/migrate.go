package sqldb

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS //nolint:gochecknoglobals // go:embed knows no other place

// migrate brings the schema to a version, 0 for the newest. It never goes back.
func migrate(ctx context.Context, db *sql.DB, e Engine, version int64) error {
	files, err := render(e)
	if err != nil {
		return err
	}
	opts := append([]goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger())}, e.Moved...)
	p, err := goose.NewProvider(e.Goose, db, files, opts...)
	if err != nil {
		return fmt.Errorf("read the store's migrations: %w", err)
	}
	if version == 0 {
		_, err = p.Up(ctx)
	} else {
		_, err = p.UpTo(ctx, version)
	}
	if err != nil {
		return fmt.Errorf("migrate the store: %w", err)
	}
	return nil
}

// rendered are the migrations in the words of the engine.
type rendered struct {
	fs.FS

	words *strings.Replacer
}

func render(e Engine) (fs.FS, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("find migrations: %w", err)
	}
	return rendered{files, strings.NewReplacer("{{text}}", e.Text, "{{blob}}", e.Blob)}, nil
}

// Open returns a file with its words replaced; folders are as they are.
func (r rendered) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	if err != nil || !strings.HasSuffix(name, ".sql") {
		return f, err
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read migration: %w", err), f.Close())
	}
	return migration{f, strings.NewReader(r.words.Replace(string(b)))}, nil
}

// migration is a file whose text comes from elsewhere.
type migration struct {
	fs.File

	text *strings.Reader
}

// Read reads the text.
func (m migration) Read(p []byte) (int, error) { return m.text.Read(p) }
