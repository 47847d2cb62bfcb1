package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/lease"
	"github.com/lockkeeper/lockkeeper/admin/notify"
	"github.com/lockkeeper/lockkeeper/admin/secret"
	"github.com/lockkeeper/lockkeeper/admin/signin"
	"github.com/lockkeeper/lockkeeper/admin/store/postgres"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/admin/store/sqlite"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// target is the name of the one warehouse that stands behind the door.
const target = "warehouse"

// office is what stands beside the door: who people are and what they may do,
// their runs and results, and the page and the API that show them.
//
// Its ground (store, key, people) is laid before the door opens, for the door
// asks the directory who comes in. Its rooms (runs, API, listeners) come after,
// for they reach the warehouse through the door.
type office struct {
	cfg *Config
	log *slog.Logger

	home        string
	db          *sqldb.DB
	vault       *secret.Vault
	blobs       resultStore
	hub         *notify.Hub
	revocations *notify.Revocations
	revoker     *officeRevoker
	passwords   *signin.Password
	people      *admin.Office
	directory   *admin.Directory
	seen        *sightings
	rooms       *rooms // nil until the door stands

	// Who may write to the store. With SQLite it is the office's alone, from
	// start on. A Postgres is written to behind the fence, within a term.
	alone atomic.Bool
	fence *sqldb.Fence               // nil with SQLite
	term  atomic.Pointer[lease.Term] // nil before the first
}

// officeDir is the office's folder in the state directory:
//
//	office.db   people, rights, runs, saved queries (SQLite)
//	key         what results and secrets are sealed under
//	results/    stored results, sealed
//	local.sock  the way in for whoever works at this machine
func (s *stateDir) office() string { return filepath.Join(s.path, "office") }

// buildOffice lays the ground of the office, if there is one.
func (h *house) buildOffice(ctx context.Context) error {
	if h.cfg.Web.off() {
		return nil
	}
	o := &office{cfg: &h.cfg, log: h.log, home: h.state.office(), revocations: &notify.Revocations{}}
	h.office = o
	home := o.home
	if err := os.MkdirAll(home, 0o700); err != nil {
		return fmt.Errorf("office: %w", err)
	}
	for _, part := range []func(context.Context, string) error{o.openStore, o.openKey, o.openResults} {
		if err := part(ctx, home); err != nil {
			return fmt.Errorf("office: %w", err)
		}
	}
	if err := o.openPeople(ctx, h); err != nil {
		return fmt.Errorf("office: %w", err)
	}
	return nil
}

func (o *office) openStore(ctx context.Context, home string) (err error) {
	if o.cfg.Office.Store.IsZero() {
		o.db, err = sqlite.Open(ctx, sqlite.Config{Path: filepath.Join(home, "office.db")})
		return err
	}
	db, err := postgres.Open(ctx, postgres.Config{URL: o.cfg.Office.Store.DSN()})
	if err != nil {
		return err
	}
	o.fence = sqldb.NewFence(officeLease)
	o.db = db.Behind(o.fence)
	return nil
}

// keyFile is where the server of a state directory has its key.
func (o *officeConfig) keyFile(home string) string {
	return cmp.Or(o.KeyFile, filepath.Join(home, "key"))
}

// openKey makes the key with the first start. Later a missing key is an error:
// a new one would open nothing of what is there.
func (o *office) openKey(_ context.Context, home string) (err error) {
	path := o.cfg.Office.keyFile(home)
	begun := filepath.Join(home, "begun")
	_, err = os.Stat(begun)
	first := errors.Is(err, fs.ErrNotExist)
	o.vault, err = secret.New(secret.Config{Path: path, Create: first})
	if err != nil {
		return fmt.Errorf("%w (key file %s)", err, path)
	}
	if first {
		err = os.WriteFile(begun, nil, 0o600)
	}
	return err
}

func (o *office) openResults(ctx context.Context, home string) (err error) {
	o.blobs, err = o.cfg.Office.openResults(ctx, home, o.cfg.Office.ResultSize)
	return err
}

func (o *office) openPeople(ctx context.Context, h *house) (err error) {
	store := sqldb.NewPeople(o.db)
	if o.hub, err = notify.NewHub(notify.Config{}); err != nil {
		return err
	}
	if o.passwords, err = signin.NewPassword(signin.PasswordConfig{}); err != nil {
		return err
	}
	o.revoker = &officeRevoker{office: o, store: store, login: time.Duration(o.cfg.Net.LoginTimeout), log: o.log}
	if o.directory, err = admin.NewDirectory(admin.DirectoryConfig{Store: store, Vault: o.vault, Lost: o.revoker.lost, Log: o.log}); err != nil {
		return err
	}
	o.seen = newSightings(h.recorder, o)
	o.people, err = admin.New(ctx, admin.Config{
		Store: store, Journal: h.recorder, Vault: o.vault, Passwords: o.passwords, Verifiers: verifiers{},
		Revoker: o.revoker, Queries: officeQueries{o}, Directory: o.directory, Log: o.log, Recheck: time.Duration(o.cfg.Web.OIDC.Recheck),
	})
	if err != nil {
		return err
	}
	return o.directory.Refresh(ctx)
}

// verifiers makes database passwords' verifiers as the door checks them.
type verifiers struct{}

// New implements admin.Verifiers.
func (verifiers) New(password string, salt []byte) (string, error) {
	return pgauth.NewVerifierWith(pgauth.NewSecret(password), salt)
}

// pruneEvery is how often what ended long ago is forgotten.
const pruneEvery = time.Hour

// start opens the office; the function returned shuts it, waits for what was
// under way, and leaves nothing of it at the door.
func (o *office) start(failed chan<- error) (stop func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { _ = o.directory.Run(ctx) }) // logs by itself, returns with ctx
	group.Go(func() { o.seen.run(ctx) })
	group.Go(func() { o.revoker.watch(ctx) })
	release := o.hold(failed)
	wait := o.rooms.web.serve(failed)
	return func(patience context.Context) {
		o.rooms.end(patience, o.log)
		wait()
		release()
		cancel()
		group.Wait()
	}
}

// work is what one office of a store does: it takes runs, asks the identity
// provider about people, and forgets. Two that asked would use each other's
// refresh tokens up.
func (o *office) work(ctx context.Context, failed chan<- error) {
	var group sync.WaitGroup
	group.Go(func() {
		if err := o.rooms.runs.Run(ctx); err != nil {
			failed <- fmt.Errorf("office: runs: %w", err)
		}
	})
	if o.rooms.check != nil {
		group.Go(func() { _ = o.rooms.check.Run(ctx) }) // logs by itself, returns with ctx
	}
	group.Go(func() { o.prune(ctx) })
	group.Wait()
}

// prune forgets now and then what ended long ago.
func (o *office) prune(ctx context.Context) {
	for {
		if err := o.people.Prune(ctx); err != nil && ctx.Err() == nil {
			o.log.WarnContext(ctx, "cannot forget old sessions and tokens", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pruneEvery):
		}
	}
}

// close gives everything back, in the reverse order of its making.
func (o *office) close() {
	if o.rooms != nil {
		o.rooms.web.give() // in vain after start
		o.rooms.api.Close()
	}
	if o.hub != nil {
		o.hub.Close()
	}
	if o.blobs != nil {
		_ = o.blobs.Close()
	}
	if o.db != nil {
		if err := o.db.Close(); err != nil {
			o.log.Error("close the office's store", slog.Any("error", err))
		}
	}
}
