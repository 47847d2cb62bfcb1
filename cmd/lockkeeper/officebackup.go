package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/admin/backup"
	"github.com/lockkeeper/lockkeeper/admin/secret"
	"github.com/lockkeeper/lockkeeper/admin/store/postgres"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/admin/store/sqlite"
)

// officePlaces are where an office keeps what it has, as a backup sees them.
type officePlaces struct {
	cfg   officeConfig // where the store and the results are
	home  string       // office in the state directory
	key   string
	flags string // by which a command finds them again
}

// placesFlags say where an office is, without a server.
type placesFlags struct{ state, config, keyFile string }

func (f *placesFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.state, "state", "", "state directory (default $STATE_DIRECTORY, else ./lockkeeper-state)")
	flags.StringVar(&f.config, "config", "", "configuration `file` that names it, and the store")
	flags.StringVar(&f.keyFile, "key-file", "", "key `file` of the office (default the configured one)")
}

func (f *placesFlags) places() (officePlaces, error) {
	cfg, err := locate(f.state, f.config)
	if err == nil {
		err = cfg.findPasswords()
	}
	if err != nil {
		return officePlaces{}, err
	}
	home := (&stateDir{path: cfg.State}).office()
	flags := ""
	if f.config != "" {
		flags += " --config " + f.config
	}
	if f.state != "" || f.config == "" {
		flags += " --state " + cfg.State
	}
	return officePlaces{
		cfg: cfg.Office, home: home, flags: flags,
		key: cmp.Or(f.keyFile, cfg.Office.keyFile(home)),
	}, nil
}

// open opens the store at a version of the schema; 0 is the newest.
func (p *officePlaces) open(ctx context.Context, schema int64) (*sqldb.DB, error) {
	if p.cfg.Store.IsZero() {
		return sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(p.home, "office.db"), Schema: schema})
	}
	return postgres.Open(ctx, postgres.Config{URL: p.cfg.Store.DSN(), Schema: schema})
}

func newBackupCommand() *cobra.Command {
	f := &placesFlags{}
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all that the office keeps into one file; a server may run meanwhile",
		Long: `Write people, rights, runs, saved queries and stored results into one file.

It does not hold the key that results, SQL and warehouse passwords are sealed
under: keep a copy of the key file in another place. Without it what is sealed
opens no more.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := f.places()
			if err != nil {
				return err
			}
			m, err := p.backup(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return tellManifest(cmd.OutOrStdout(), m, "kept in "+args[0])
		},
	}
	f.register(cmd)
	return cmd
}

func (p *officePlaces) backup(ctx context.Context, path string) (_ backup.Manifest, err error) {
	if _, err := os.Stat(p.home); err != nil {
		return backup.Manifest{}, fmt.Errorf("there is no office: %w (--state or --config names another)", err)
	}
	vault, err := secret.New(secret.Config{Path: p.key})
	if err != nil {
		return backup.Manifest{}, fmt.Errorf("%w (key file %s)", err, p.key)
	}
	db, err := p.open(ctx, 0)
	if err != nil {
		return backup.Manifest{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	blobs, err := p.cfg.openResults(ctx, p.home, 0)
	if err != nil {
		return backup.Manifest{}, err
	}
	defer func() { err = errors.Join(err, blobs.Close()) }()
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return backup.Manifest{}, err
	}
	defer func() { _ = os.Remove(file.Name()) }() // in vain after the rename
	m, err := backup.Write(ctx, file, backup.Source{Tables: sqldb.NewTables(db), Blobs: blobs, Keys: vault.KeyIDs(), By: version, Time: time.Now()})
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return m, err
	}
	return m, os.Rename(file.Name(), path)
}

func tellManifest(out io.Writer, m backup.Manifest, what string) error {
	rows := int64(0)
	for _, t := range m.Tables {
		rows += t.Rows
	}
	_, err := fmt.Fprintf(out, "%s: %d rows in %d tables, %d results (%d bytes); opens with key %v\n", what, rows, len(m.Tables), m.Blobs.Count, m.Blobs.Bytes, m.Keys)
	if err == nil && m.Vanished.Count > 0 {
		_, err = fmt.Fprintf(out, "%d results were deleted while it was written\n", m.Vanished.Count)
	}
	return err
}
