package admin

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config is what an Office stands on.
type Config struct {
	Store     Store
	Journal   Journal
	Vault     Vault
	Passwords Passwords
	Verifiers Verifiers
	Revoker   Revoker      // nil: nothing goes on elsewhere, as in a command
	Queries   SavedQueries // nil: there are none, and no token is bound to any
	Directory *Directory   // refreshed after each change; nil: none in this process
	Log       *slog.Logger

	SessionIdle time.Duration // a page session that is silent for so long ends; 0: 12 h
	SessionMax  time.Duration // and any after this; 0: 7 days

	// Recheck is how often the identity provider is asked whether those who signed
	// in by it may still come in; 0: 5 min. A Rechecker asks.
	Recheck time.Duration

	// RequiredGroup is the identity provider's group without which nobody comes
	// in through it; empty: none.
	RequiredGroup string
	// GroupTeams names the team of a group; nil: the team of the same name.
	// Groups without a team of ours mean nothing.
	GroupTeams map[string]string
	// Provision lets the identity provider bring in people we do not know.
	// They have no rights until a team or an admin gives them some.
	Provision bool
}

// Bounds of what Config may say.
const (
	defaultIdle = 12 * time.Hour
	defaultMax  = 7 * 24 * time.Hour
	longestMax  = 90 * 24 * time.Hour

	defaultRecheck = 5 * time.Minute
	// ShortestRecheck keeps us from asking the identity provider all the time.
	ShortestRecheck = time.Second
	defaultAtOnce   = 8
)

// Validate fills in what is left out and says what is missing or wrong.
func (c *Config) Validate() error {
	if c.Store == nil || c.Journal == nil || c.Vault == nil || c.Passwords == nil || c.Verifiers == nil || c.Log == nil {
		return errors.New("admin: Store, Journal, Vault, Passwords, Verifiers and Log are needed")
	}
	if c.SessionIdle == 0 {
		c.SessionIdle = defaultIdle
	}
	if c.SessionMax == 0 {
		c.SessionMax = defaultMax
	}
	if c.Recheck == 0 {
		c.Recheck = defaultRecheck
	}
	if c.Recheck < ShortestRecheck {
		return fmt.Errorf("admin: the identity provider is asked about somebody every %s at most", ShortestRecheck)
	}
	if c.SessionIdle < time.Minute || c.SessionMax < c.SessionIdle || c.SessionMax > longestMax {
		return errors.New("admin: a page session lasts between a minute and 90 days, and not longer silent than at all")
	}
	return nil
}

// Validate fills in what is left out and says what is missing.
func (c *RecheckConfig) Validate() error {
	if c.Office == nil || c.Provider == nil || c.Issuer == "" || c.Log == nil {
		return errors.New("admin: a rechecker needs Office, Provider, Issuer and Log")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.AtOnce <= 0 {
		c.AtOnce = defaultAtOnce
	}
	return nil
}

// DirectoryConfig is what a Directory stands on.
type DirectoryConfig struct {
	Store Store
	Vault Vault
	Log   *slog.Logger
	Now   func() time.Time // nil: time.Now
	// Lost is told of logins that lost a right since the last look, whoever took
	// it: another process may have. Nil: nobody is told.
	Lost func(logins []string)

	Every    time.Duration // between looks for changes of other processes; 0: 3 s
	MaxStale time.Duration // for which it answers without the store; 0: 15 min
}

const (
	defaultEvery    = 3 * time.Second
	defaultMaxStale = 15 * time.Minute
)

// Validate fills in what is left out and says what is missing.
func (c *DirectoryConfig) Validate() error {
	if c.Store == nil || c.Vault == nil || c.Log == nil {
		return errors.New("admin: a directory needs Store, Vault and Log")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Every <= 0 {
		c.Every = defaultEvery
	}
	if c.MaxStale <= 0 {
		c.MaxStale = defaultMaxStale
	}
	return nil
}
