package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// settings are the flags of serve and check: what the command line says of a
// configuration.
type settings struct {
	config, warehouse, dialect, auth, users string
	state, policy, operator, adminListen    string
	webListen, externalURL                  string
	environment                             string
	listen                                  []string
	insecureTrust                           bool
	drain                                   time.Duration
}

func (s *settings) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.config, "config", "", "configuration file (lockkeeper.yaml)")
	f.StringArrayVar(&s.listen, "listen", nil, "address for clients, or unix:DIR; may repeat (default 127.0.0.1:6432)")
	f.StringVar(&s.warehouse, "warehouse", "", "postgres://[user[:password]@]host:port/db?sslmode=…")
	f.StringVar(&s.dialect, "dialect", "", "auto, postgres or redshift (default auto)")
	f.StringVar(&s.auth, "auth", "", "trust, scram, scram-plus, md5, password, cert or passthrough (default passthrough)")
	f.StringVar(&s.users, "users", "", "user file: PgBouncer's userlist format, or lines of lockkeeper user add")
	f.StringVar(&s.state, "state", "", "state directory: audit, quotas, console (default $STATE_DIRECTORY, else ./lockkeeper-state)")
	f.StringVar(&s.policy, "policy", "", "policy file; without one all is allowed and all is recorded")
	f.StringVar(&s.operator, "operator", "", "postgres://… of the login that watches locks and ends sessions")
	f.StringVar(&s.adminListen, "admin-listen", "", "address of /metrics, /healthz and /readyz (default 127.0.0.1:6480, \"off\" for none)")
	f.StringVar(&s.webListen, "web-listen", "", "address of the page and the API for people, such as 127.0.0.1:6481 (default none)")
	f.StringVar(&s.externalURL, "external-url", "", "URL under which people reach the page; needed off loopback")
	f.StringVar(&s.environment, "environment", "", "name of this environment, for rules that ask for it")
	f.DurationVar(&s.drain, "drain-timeout", 0, "how long transactions may finish on SIGTERM (default 30s)")
	f.BoolVar(&s.insecureTrust, "insecure-trust", false, "allow trust on addresses that other machines reach")
}

// load makes the configuration: file, then environment, then flags, then the
// password files. What it returns is complete but not yet validated.
func (s *settings) load(cmd *cobra.Command) (Config, error) {
	cfg := defaultConfig()
	if s.config != "" {
		var err error
		if cfg, err = readConfig(s.config); err != nil {
			return cfg, err
		}
	}
	if err := s.override(cmd, &cfg); err != nil {
		return cfg, err
	}
	if cfg.State == "" {
		cfg.State = os.Getenv("STATE_DIRECTORY")
	}
	if cfg.State == "" {
		cfg.State = "lockkeeper-state"
	}
	return cfg, cfg.findPasswords()
}

// override lays the flags that were given over the configuration.
func (s *settings) override(cmd *cobra.Command, cfg *Config) error {
	given := cmd.Flags().Changed
	text := func(flag, value string, key *string) {
		if given(flag) {
			*key = value
		}
	}
	text("dialect", s.dialect, &cfg.Warehouse.Dialect)
	text("users", s.users, &cfg.Users.File)
	text("state", s.state, &cfg.State)
	text("policy", s.policy, &cfg.Policy)
	text("admin-listen", s.adminListen, &cfg.Admin.Listen)
	text("web-listen", s.webListen, &cfg.Web.Listen)
	text("external-url", s.externalURL, &cfg.Web.ExternalURL)
	text("environment", s.environment, &cfg.Environment)
	if given("listen") {
		cfg.Listen = s.listen
	}
	if given("auth") {
		cfg.Auth.Rules = []authRule{{Method: s.auth}}
	}
	if given("insecure-trust") {
		cfg.Auth.InsecureTrust = s.insecureTrust
	}
	if given("drain-timeout") {
		cfg.DrainTimeout = duration(s.drain)
	}
	for flag, key := range map[string]*conninfo{"warehouse": &cfg.Warehouse.URL, "operator": &cfg.Operator.URL} {
		if !given(flag) {
			continue
		}
		info, err := parseConninfo(cmd.Flag(flag).Value.String())
		if err != nil {
			return usageError{fmt.Errorf("--%s: %w", flag, err)}
		}
		*key = info
	}
	return nil
}

// findPasswords looks for what the URLs leave out.
func (c *Config) findPasswords() error {
	for key, login := range map[string]struct {
		url  *conninfo
		file string
	}{
		"warehouse":    {&c.Warehouse.URL, c.Warehouse.PasswordFile},
		"operator":     {&c.Operator.URL, c.Operator.PasswordFile},
		"office.store": {&c.Office.Store, c.Office.StorePasswordFile},
		"users.query":  {&c.Users.Query.URL, c.Users.Query.PasswordFile},
	} {
		if err := login.url.findPassword(login.file); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}
