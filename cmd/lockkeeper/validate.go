package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/proxy/backend"
	"github.com/lockkeeper/lockkeeper/proxy/directory"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// Validate names everything that is wrong at once, each with its key.
func (c *Config) Validate() error {
	_, addressErr := c.addresses()
	return errors.Join(
		under("listen", addressErr),
		under("warehouse", c.Warehouse.validate()),
		under("operator", c.Operator.URL.validate()),
		under("tls", c.TLS.validate()),
		c.validateAuth(),
		under("users", c.Users.validate()),
		under("net", c.Net.validate()),
		under("admin", c.Admin.validate()),
		under("web", c.Web.validate()),
		under("office", c.Office.validate()),
	)
}

// under puts the key before each error.
func under(key string, err error) error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		errs := make([]error, len(many.Unwrap()))
		for i, one := range many.Unwrap() {
			errs[i] = under(key, one)
		}
		return errors.Join(errs...)
	}
	return fmt.Errorf("%s: %w", key, err)
}

func (c *Config) addresses() ([]listenAddress, error) {
	if len(c.Listen) == 0 {
		return nil, errors.New("no address; try 127.0.0.1:6432")
	}
	var all []listenAddress
	var errs []error
	for _, text := range c.Listen {
		address, err := parseListen(text)
		errs = append(errs, err)
		all = append(all, address)
	}
	return all, errors.Join(errs...)
}

func (w *warehouseConfig) validate() error {
	if w.URL.IsZero() {
		return errors.New("not given; try --warehouse postgres://user@host:5432/db or the key of that name")
	}
	switch backend.Dialect(w.Dialect) {
	case backend.DialectAuto, backend.DialectPostgres, backend.DialectRedshift:
	default:
		return fmt.Errorf("dialect %q is none of auto, postgres, redshift", w.Dialect)
	}
	return w.URL.validate()
}

func (c conninfo) validate() error {
	modes := []string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}
	if !c.IsZero() && !slices.Contains(modes, c.SSLMode()) {
		return fmt.Errorf("sslmode %q is none of %s", c.SSLMode(), strings.Join(modes, ", "))
	}
	return nil
}

func (t *tlsConfig) validate() error {
	switch {
	case !slices.Contains([]string{"", "off", "allow", "require"}, t.Mode):
		return fmt.Errorf("mode %q is none of off, allow, require", t.Mode)
	case !slices.Contains([]string{"1.2", "1.3"}, t.MinVersion):
		return fmt.Errorf("min_version %q is neither \"1.2\" nor \"1.3\"", t.MinVersion)
	case (t.Cert == "") != (t.Key == ""):
		return errors.New("cert and key belong together; one of them is missing")
	case t.mode() != tlsOff && t.Cert == "":
		return fmt.Errorf("mode %s needs cert and key", t.Mode)
	case t.ClientCA != "" && t.Cert == "":
		return errors.New("client_ca needs cert and key")
	case t.Cert == "":
		return nil
	}
	_, err := loadTLS(*t)
	return err
}

// rules are the authentication rules as the server takes them.
func (a *authConfig) rules() (pgauth.Rules, error) {
	var rules pgauth.Rules
	var errs []error
	for i, rule := range a.Rules {
		from, err := pgauth.ParseFrom(rule.From)
		if err != nil {
			errs = append(errs, fmt.Errorf("auth rule %d: from: %w", i+1, err))
		}
		out := pgauth.Rule{
			From: from, TLS: pgauth.TLSNeed(rule.TLS), Method: pgauth.Method(rule.Method),
			Databases: rule.Database, Users: rule.User,
		}
		for _, line := range rule.CertMap {
			out.CertMap = append(out.CertMap, pgauth.CertMapping(line))
		}
		rules = append(rules, out)
	}
	return rules, errors.Join(errs...)
}

func (c *Config) validateAuth() error {
	rules, err := c.Auth.rules()
	if err != nil {
		return err
	}
	if len(rules) == 0 {
		return errors.New("auth: no rule: nobody could log in; try auth: scram")
	}
	addresses, err := c.addresses()
	if err != nil {
		return nil //nolint:nilerr // told under listen
	}
	listeners := make([]pgauth.Listener, len(addresses))
	for i, address := range addresses {
		listeners[i] = address.origin()
	}
	errs := []error{rules.Validate(listeners, c.Auth.InsecureTrust)}
	if errs[0] != nil && rules.Validate(listeners, true) == nil {
		errs = append(errs, errors.New("  (listen on loopback or unix only, take another method, or say --insecure-trust)"))
	}
	for i, rule := range rules {
		errs = append(errs, c.validateRule(i+1, rule))
	}
	return errors.Join(errs...)
}

// validateRule checks a rule against the other sections.
func (c *Config) validateRule(number int, rule pgauth.Rule) error {
	switch rule.Method {
	case pgauth.Scram, pgauth.ScramPlus, pgauth.MD5, pgauth.Password:
		if c.Users.File == "" && c.Users.Query.SQL == "" && c.Web.off() {
			return fmt.Errorf("auth rule %d: %s needs users: give --users FILE (lockkeeper user add makes its lines), users.query, or --web-listen for the people of the office", number, rule.Method)
		}
	case pgauth.Cert:
		if c.TLS.ClientCA == "" {
			return fmt.Errorf("auth rule %d: cert needs tls.client_ca", number)
		}
	case pgauth.Trust, pgauth.Passthrough, pgauth.Internal:
	}
	if c.TLS.Cert == "" && (rule.TLS == pgauth.TLSRequire || rule.Method == pgauth.ScramPlus) {
		return fmt.Errorf("auth rule %d: needs TLS, and tls.cert is not given", number)
	}
	return nil
}

func (u *usersConfig) validate() error {
	var errs []error
	if u.File != "" {
		_, err := u.readFile(pgauth.SaltKey{})
		errs = append(errs, err)
	}
	if (u.Query.SQL == "") != u.Query.URL.IsZero() {
		errs = append(errs, errors.New("query needs both url and sql"))
	}
	_, err := u.mapping(conninfo{})
	return errors.Join(append(errs, err)...)
}

// readFile parses the user file. A file that others may read is refused: it
// holds verifiers at best.
func (u *usersConfig) readFile(salts pgauth.SaltKey) (*directory.UserFile, error) {
	if _, err := readSecret(u.File); err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(u.File)
	if err != nil {
		return nil, err
	}
	users, err := directory.ParseUserFile(raw, salts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", u.File, err)
	}
	return users, nil
}

// mapping is as whom logins go on to the warehouse; fallback is the login in
// the warehouse's URL.
func (u *usersConfig) mapping(fallback conninfo) (directory.Mapping, error) {
	m := directory.Mapping{
		Users:   map[string]pgauth.Login{},
		Default: pgauth.Login{User: fallback.User, Password: fallback.Password},
	}
	var errs []error
	for i, entry := range u.Logins {
		if entry.As == "" || len(entry.Users)+len(entry.Groups) == 0 {
			errs = append(errs, fmt.Errorf("logins %d: as, and users or groups, are needed", i+1))
			continue
		}
		login := pgauth.Login{User: entry.As}
		if entry.PasswordFile != "" {
			secret, err := readSecret(entry.PasswordFile)
			if err != nil {
				errs = append(errs, fmt.Errorf("logins %d: %w", i+1, err))
			}
			login.Password = secret
		}
		for _, user := range entry.Users {
			if _, twice := m.Users[user]; twice {
				errs = append(errs, fmt.Errorf("logins %d: %q stands in an earlier entry", i+1, user))
			}
			m.Users[user] = login
		}
		for _, group := range entry.Groups {
			m.Groups = append(m.Groups, directory.GroupLogin{Group: group, Login: login})
		}
	}
	return m, errors.Join(errs...)
}

func (n *netConfig) validate() error {
	var errs []error
	for key, value := range map[string]int{
		"max_connections": n.MaxConnections, "max_connections_per_user": n.MaxPerUser,
		"operator_slots": n.OperatorSlots, "max_unauthenticated_per_address": n.MaxUnauthenticated,
	} {
		if value < 0 {
			errs = append(errs, fmt.Errorf("%s: %d is less than nothing", key, value))
		}
	}
	if n.OperatorSlots >= n.MaxConnections && n.MaxConnections > 0 {
		errs = append(errs, fmt.Errorf("operator_slots: %d of %d connections leave none for others", n.OperatorSlots, n.MaxConnections))
	}
	return errors.Join(errs...)
}

func (a *adminConfig) validate() error {
	if a.off() {
		return nil
	}
	address, err := parseListen(a.Listen)
	if err == nil && address.network != "tcp" {
		err = errors.New("only host:port, or off")
	}
	return under("listen", err)
}

// off says that nobody wants the admin address.
func (a *adminConfig) off() bool { return a.Listen == "" || a.Listen == "off" }
