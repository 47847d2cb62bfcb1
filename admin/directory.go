package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// What a Directory answers instead of an account.
var (
	ErrNoLogin = errors.New("no such login")
	ErrStale   = errors.New("the store of people has been away for too long")
	ErrSealed  = errors.New("the vault does not open the warehouse password of the grant")
)

// Account is what the door needs to know of a login. It is immutable.
type Account struct {
	Login     string
	ID        string   // p_…, s_…: what a Revoker hears
	Verifiers []string // of the database passwords that are live now
	Groups    []string // names of teams
	Disabled  bool     // shut out: no verifier opens it
}

// Directory is what the door knows of people: a snapshot of the store, read
// again after each change and, for those of other processes, every few seconds.
// Looking up waits for nothing. Without the store it answers from the last
// snapshot for Config.MaxStale, and then not at all.
type Directory struct {
	cfg  DirectoryConfig
	snap atomic.Pointer[snapshot]
	mu   sync.Mutex // one Refresh at a time, so that none puts back what is older
}

// NewDirectory returns a Directory that knows nothing yet: Refresh or Run it.
func NewDirectory(cfg DirectoryConfig) (*Directory, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Directory{cfg: cfg}, nil
}

// Run refreshes until ctx ends. That the store is away is logged once.
func (d *Directory) Run(ctx context.Context) error {
	tick := time.NewTicker(d.cfg.Every)
	defer tick.Stop()
	away := false
	for {
		err := d.Refresh(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !away:
			d.cfg.Log.ErrorContext(ctx, "cannot read people; the door goes on with what it knew",
				slog.Any("error", err), slog.Duration("max_stale", d.cfg.MaxStale))
		case err == nil && away:
			d.cfg.Log.InfoContext(ctx, "people can be read again")
		}
		away = err != nil
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// refreshTime bounds one look into the store.
const refreshTime = 10 * time.Second

// Refresh reads the store, if anything changed.
func (d *Directory) Refresh(ctx context.Context) error {
	lost, err := d.refresh(ctx)
	if len(lost) > 0 && d.cfg.Lost != nil {
		d.cfg.Lost(lost)
	}
	return err
}

// refresh returns the logins that lost a right.
func (d *Directory) refresh(ctx context.Context) (lost []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, refreshTime)
	defer cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.snap.Load()
	at := d.cfg.Now() // before reading: what is written meanwhile is not known
	var next *snapshot
	err = d.cfg.Store.View(ctx, func(tx Tx) error {
		rev, err := tx.Revision(ctx)
		if err != nil {
			return err
		}
		if old != nil && old.revision == rev {
			same := *old
			next = &same
			return nil
		}
		next, err = d.read(ctx, tx, old)
		if err == nil {
			next.revision = rev
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("refresh the directory: %w", err)
	}
	next.at = at
	d.snap.Store(next)
	return next.lostSince(old), nil
}

// Lookup returns the account of a login, ErrNoLogin or ErrStale.
func (d *Directory) Lookup(login string) (Account, error) {
	s, err := d.fresh()
	if err != nil {
		return Account{}, err
	}
	now := d.cfg.Now()
	e, ok := s.logins[login]
	if !ok {
		return Account{}, ErrNoLogin
	}
	a := e.account
	for _, k := range e.keys {
		if now.Before(k.expires) {
			a.Verifiers = append(a.Verifiers, k.verifier)
		}
	}
	return a, nil
}

// WarehouseLogin returns as whom a login goes on to a target, if a grant says
// so: its own before a team's, that target's before that of all, the higher
// role first. ErrNoLogin says that no grant does, so that the configuration
// counts; after any other error it must not.
func (d *Directory) WarehouseLogin(login, target string) (user string, password Secret, err error) {
	s, err := d.fresh()
	if err != nil {
		return "", Secret{}, err
	}
	for _, w := range s.logins[login].warehouses {
		if w.target == target || w.target == AllTargets {
			return w.user, w.password, w.err
		}
	}
	return "", Secret{}, ErrNoLogin
}

// fresh returns the snapshot, or ErrStale.
func (d *Directory) fresh() (*snapshot, error) {
	s := d.snap.Load()
	if s == nil || d.cfg.Now().Sub(s.at) >= d.cfg.MaxStale {
		return nil, ErrStale
	}
	return s, nil
}

// Role returns what a login may do at a target.
func (d *Directory) Role(login, target string) Role {
	s, err := d.fresh()
	if err != nil || s.logins[login].account.Disabled {
		return RoleNone
	}
	return roleAt(s.logins[login].roles, target)
}
