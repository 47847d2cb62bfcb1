package main

import (
	"context"
	"errors"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/proxy/directory"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// doorDirectory is who may come in at the door: the logins of the configuration
// first, then the people and services of the office.
type doorDirectory struct {
	config *directory.Directory
	office *admin.Directory // nil: no office
	target string
}

// Lookup implements proxy.Directory.
func (d *doorDirectory) Lookup(ctx context.Context, login, database string) (*pgauth.Account, error) {
	account, err := d.config.Lookup(ctx, login, database)
	if d.office == nil || !errors.Is(err, pgauth.ErrUnknownLogin) {
		return account, err
	}
	known, err := d.office.Lookup(login)
	switch {
	case errors.Is(err, admin.ErrNoLogin):
		return nil, pgauth.ErrUnknownLogin
	case err != nil:
		return nil, err
	case len(known.Verifiers) == 0 && !known.Disabled:
		// Has no password of ours: perhaps the warehouse knows the login.
		return nil, pgauth.ErrUnknownLogin
	}
	account = &pgauth.Account{Login: login, Groups: known.Groups, Method: pgauth.Scram}
	for _, text := range known.Verifiers {
		verifier, err := pgauth.ParseVerifier(login, text, pgauth.SaltKey{})
		if err != nil {
			return nil, err
		}
		account.Verifiers = append(account.Verifiers, verifier)
	}
	return account, nil
}

// Warehouse implements proxy.Directory. The configuration wins over a grant,
// and a grant over the configuration's default. Whom trust lets in has proven
// nothing, and gets no password that was granted to somebody.
func (d *doorDirectory) Warehouse(login string, groups []string, method pgauth.Method) pgauth.Login {
	configured := d.config.Warehouse(login, groups, method)
	if d.office == nil || method == pgauth.Trust || method == pgauth.Passthrough {
		return configured
	}
	if _, assigned := d.config.Assigned(login, groups); assigned {
		return configured
	}
	user, password, err := d.office.WarehouseLogin(login, d.target)
	switch {
	case errors.Is(err, admin.ErrNoLogin):
		return configured
	case err != nil: // a grant names one that cannot be used now: no other may stand in
		return pgauth.Login{}
	}
	return pgauth.Login{User: user, Password: pgauth.NewSecret(password.Reveal())}
}
