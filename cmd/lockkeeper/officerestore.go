package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/backup"
	"github.com/lockkeeper/lockkeeper/admin/secret"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/audit/jsonl"
)

func newRestoreCommand() *cobra.Command {
	f := &placesFlags{}
	revoke := false
	cmd := &cobra.Command{
		Use:   "restore FILE --key-file KEY",
		Short: "Bring an office back from a backup, into an empty state directory or store",
		Long: `Bring people, rights, runs, saved queries and stored results back from a backup.

It goes into an office that has nothing yet, while no server runs on it, and
either whole or not at all. Store and place of results may be others than those
of the office that was backed up; the configuration says which. The key file must
be that office's; it is copied to where the server will look for it.

All is as it was: tokens, database passwords and sessions that were revoked after
the backup are good again. With --revoke-proofs all of them end. Without FILE
that is done to the office that is there.`,
		Example: `  lockkeeper restore office.backup --key-file office.key --state /var/lib/lockkeeper
  lockkeeper restore --revoke-proofs --state /var/lib/lockkeeper`,
		Args: cobra.MaximumNArgs(1),
	}
	f.register(cmd)
	cmd.Flags().BoolVar(&revoke, "revoke-proofs", false, "end all tokens, database passwords, sessions and sign-in links")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 && !revoke:
			return usageError{errors.New("which backup? give its file")}
		case len(args) == 1 && f.keyFile == "":
			return usageError{errors.New("--key-file is needed: the key of the office that was backed up, a copy of office/key in its state directory or of office.key_file; a backup does not hold it, and without it nothing sealed opens")}
		}
		p, err := f.places()
		if err != nil {
			return err
		}
		if len(args) == 1 {
			m, err := p.restore(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if err := tellManifest(cmd.OutOrStdout(), m, "restored into "+p.home); err != nil {
				return err
			}
		}
		return p.proofs(cmd.Context(), cmd.OutOrStdout(), revoke)
	}
	return cmd
}

func (p *officePlaces) restore(ctx context.Context, path string) (_ backup.Manifest, err error) {
	file, err := os.Open(path)
	if err != nil {
		return backup.Manifest{}, err
	}
	defer file.Close()
	head, err := backup.Peek(file)
	if err != nil {
		return backup.Manifest{}, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return backup.Manifest{}, err
	}
	vault, err := secret.New(secret.Config{Path: p.key})
	if err != nil {
		return backup.Manifest{}, fmt.Errorf("%w (key file %s)", err, p.key)
	}
	if err := p.sameKey(vault.KeyIDs()); err != nil {
		return backup.Manifest{}, err
	}
	state, err := p.lock()
	if err != nil {
		return backup.Manifest{}, err
	}
	defer state.close()
	if err := os.MkdirAll(p.home, 0o700); err != nil {
		return backup.Manifest{}, err
	}
	if err := state.note(ctx, "restore begun, from a backup of "+head.Time.UTC().Format(time.RFC3339)); err != nil {
		return backup.Manifest{}, err
	}
	m, err := p.fill(ctx, file, head.Schema, vault.KeyIDs())
	if err != nil {
		return m, errors.Join(err, state.note(ctx, "restore failed"))
	}
	return m, errors.Join(p.keepKey(), os.WriteFile(filepath.Join(p.home, "begun"), nil, 0o600), state.note(ctx, "restored"))
}

// note writes into the record what the operator of the machine does to the
// office while no server runs.
func (s *stateDir) note(ctx context.Context, message string) (err error) {
	sink, err := jsonl.Open(jsonl.Config{Dir: s.audit()})
	if err != nil {
		return fmt.Errorf("open the record: %w", err)
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	recorder, err := audit.New(audit.Config{Sink: sink, Node: nodeName()})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx)) // an interrupted restore is noted, too
	done := make(chan error, 1)
	go func() { done <- recorder.Run(ctx) }() // until the event is on disk
	e := admin.Operator().Entry(audit.KindAdminChange)
	e.What, e.Message = "office", message
	err = recorder.Record(ctx, &e)
	stop()
	if end := <-done; end != nil && !errors.Is(end, context.Canceled) {
		err = errors.Join(err, end)
	}
	return err
}

// lock keeps servers on this state directory out.
func (p *officePlaces) lock() (*stateDir, error) { return openState(filepath.Dir(p.home)) }

// fill restores into the store as it was at the time of the backup, and then
// brings it up to date.
func (p *officePlaces) fill(ctx context.Context, from io.Reader, schema int64, keys []string) (_ backup.Manifest, err error) {
	db, err := p.open(ctx, schema)
	if err != nil {
		return backup.Manifest{}, err
	}
	blobs, err := p.cfg.openResults(ctx, p.home, 0)
	if err != nil {
		return backup.Manifest{}, errors.Join(err, db.Close())
	}
	m, err := backup.Restore(ctx, from, backup.Destination{Tables: sqldb.NewTables(db), Blobs: blobs, Keys: keys})
	if err = errors.Join(err, blobs.Close(), db.Close()); err != nil {
		return m, err
	}
	if db, err = p.open(ctx, 0); err != nil {
		return m, err
	}
	return m, db.Close()
}

// sameKey refuses when a key of another office lies where the server will look
// for this one's: it would start, and open nothing.
func (p *officePlaces) sameKey(want []string) error {
	own := p.cfg.keyFile(p.home)
	if _, err := os.Stat(own); errors.Is(err, os.ErrNotExist) || own == p.key {
		return nil
	}
	there, err := secret.New(secret.Config{Path: own})
	if err != nil {
		return fmt.Errorf("%w (key file %s)", err, own)
	}
	for _, id := range want {
		if !slices.Contains(there.KeyIDs(), id) {
			return fmt.Errorf("the key file %s is of another office, as a server makes it at its first start: move it away, and restore again", own)
		}
	}
	return nil
}

// keepKey puts the key where a server on this state directory looks for it.
func (p *officePlaces) keepKey() error {
	own := p.cfg.keyFile(p.home)
	if _, err := os.Stat(own); err == nil || own == p.key {
		return nil
	}
	key, err := os.ReadFile(p.key)
	if err != nil {
		return err
	}
	return writeAtomic(own, key)
}

// proofs tells of the tokens, database passwords and sessions that a restore
// brought back, or ends them.
func (p *officePlaces) proofs(ctx context.Context, out io.Writer, end bool) (err error) {
	if _, err := os.Stat(p.home); err != nil {
		return fmt.Errorf("there is no office: %w (--state or --config names another)", err)
	}
	state, err := p.lock()
	if err != nil {
		return err
	}
	defer state.close()
	db, err := p.open(ctx, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	act := admin.CountProofs
	if end {
		act = admin.RevokeProofs
		if err := state.note(ctx, "all tokens, database passwords, sessions and sign-in links ended"); err != nil {
			return err
		}
	}
	n, err := act(ctx, sqldb.NewPeople(db))
	if err != nil {
		return err
	}
	live := fmt.Sprintf("%d tokens, %d database passwords and %d sessions", n.Tokens, n.DBPasswords, n.Sessions)
	if end {
		_, err = fmt.Fprintf(out, "ended %s; people sign in again, programs need new tokens\n", live)
		return err
	}
	_, err = fmt.Fprintf(out, `%s are good as they were at the backup, also those that were revoked since.
To end all of them, before a server starts: lockkeeper restore --revoke-proofs%s
People who were disabled since and grants that were taken back are as they were, too.
`, live, p.flags)
	return err
}
