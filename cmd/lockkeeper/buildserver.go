package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/proxy"
	"github.com/lockkeeper/lockkeeper/proxy/backend"
	"github.com/lockkeeper/lockkeeper/proxy/directory"
	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// buildServer makes the door and what it asks: who logs in, what stands
// behind, and, with an operator, who waits for whom.
func (h *house) buildServer(ctx context.Context) error {
	salts, err := h.state.salts()
	if err != nil {
		return err
	}
	people, err := h.buildDirectory(salts)
	if err != nil {
		return err
	}
	link, err := h.cfg.backend()
	if err != nil {
		return fmt.Errorf("warehouse: %w", err)
	}
	dialer, err := backend.New(link)
	if err != nil {
		return fmt.Errorf("warehouse: %w", err)
	}
	rules, err := h.cfg.Auth.rules()
	if err != nil {
		return err
	}
	n := h.cfg.Net
	if h.parser, err = newParser(n); err != nil {
		return fmt.Errorf("net: %w", err)
	}
	cfg := proxy.Config{
		Dialer: dialer, Engine: h.engine, Parser: h.parser, Recorder: h.recorder, Directory: h.doorDirectory(people),
		Auth: rules, Salts: salts, TLSRequired: h.cfg.TLS.mode() == tlsRequire,
		Console: h.cfg.Console.Database, ConsoleUsers: h.cfg.Console.Users, ConsoleHooks: h.consoleHooks(ctx),
		Environment: h.cfg.Environment, Version: version, Node: nodeName(), Log: h.log,
		MaxStatementBytes: int(n.MaxStatement), MaxHeldBytes: int64(n.MaxHeld),
		MaxConnections: n.MaxConnections, MaxPerUser: n.MaxPerUser, ReservedOperators: n.OperatorSlots, MaxUnauthenticated: n.MaxUnauthenticated,
		LoginTimeout: time.Duration(n.LoginTimeout), CancelGrace: time.Duration(n.CancelGrace), WriteTimeout: time.Duration(n.WriteTimeout),
		ProbeAfter: time.Duration(n.ProbeAfter), ProbeTimeout: time.Duration(n.ProbeTimeout),
	}
	if h.cfg.TLS.mode() != tlsOff {
		if h.certs, err = newCertificates(h.cfg.TLS, "postgresql"); err != nil {
			return fmt.Errorf("tls: %w", err)
		}
		cfg.TLS = h.certs.get
	}
	if h.office != nil {
		cfg.Recorder = h.office.seen
		cfg.Tokens = &doorTokens{config: people, people: h.office.people, target: target}
	}
	if w := h.cfg.Web; !w.off() && w.Cert != "" {
		if h.webCerts, err = newCertificates(tlsConfig{Cert: w.Cert, Key: w.Key}, "h2", "http/1.1"); err != nil {
			return fmt.Errorf("web.cert: %w", err)
		}
	}
	if err := h.buildOperator(&cfg); err != nil {
		return fmt.Errorf("operator: %w", err)
	}
	h.server, err = proxy.New(cfg)
	h.reloader = newReloader(h.log, h.reloadables(people, salts)...)
	return err
}

// doorDirectory adds the people of the office to the configuration's logins.
func (h *house) doorDirectory(configured *directory.Directory) proxy.Directory {
	if h.office == nil {
		return configured
	}
	return &doorDirectory{config: configured, office: h.office.directory, target: target}
}

func (h *house) buildDirectory(salts pgauth.SaltKey) (*directory.Directory, error) {
	mapping, err := h.cfg.Users.mapping(h.cfg.Warehouse.URL)
	if err != nil {
		return nil, err
	}
	cfg := directory.Config{Map: mapping}
	if h.cfg.Users.File != "" {
		if cfg.Users, err = h.cfg.Users.readFile(salts); err != nil {
			return nil, fmt.Errorf("users: %w", err)
		}
	}
	if query := h.cfg.Users.Query; query.SQL != "" {
		cfg.Query, err = directory.NewAuthQuery(directory.QueryConfig{URL: pgauth.NewSecret(query.URL.DSN()), SQL: query.SQL, Salts: salts})
		if err != nil {
			return nil, fmt.Errorf("users.query: %w", err)
		}
	}
	people, err := directory.New(cfg)
	if err != nil {
		return nil, err
	}
	h.closers = append(h.closers, people.Close)
	return people, nil
}

// reloadables are the files that take effect without a restart.
func (h *house) reloadables(people *directory.Directory, salts pgauth.SaltKey) []*reloadable {
	var items []*reloadable
	if file := h.cfg.Policy; file != "" {
		items = append(items, &reloadable{what: "policy", files: []string{file}, reload: func(ctx context.Context) error {
			rules, err := readPolicy(file)
			if err != nil {
				return err
			}
			h.engine.Publish(rules)
			return h.recordConfig(ctx, "policy", file)
		}})
	}
	if file := h.cfg.Users.File; file != "" {
		items = append(items, &reloadable{what: "users", files: []string{file}, reload: func(ctx context.Context) error {
			users, err := h.cfg.Users.readFile(salts)
			if err != nil {
				return err
			}
			people.Reload(users)
			return h.recordConfig(ctx, "users", file)
		}})
	}
	if h.certs != nil {
		items = append(items, h.certs.item("certificates", h.recordConfig))
	}
	if h.webCerts != nil {
		items = append(items, h.webCerts.item("web certificates", h.recordConfig))
	}
	return items
}

// consoleHooks are what only this package can do for the console.
func (h *house) consoleHooks(ctx context.Context) proxy.ConsoleHooks {
	return proxy.ConsoleHooks{
		Reload: func() error { return h.reload(context.WithoutCancel(ctx)) },
		Config: h.cfg.rows,
		Audit: func() [][2]string {
			s := h.recorder.Stats()
			count := func(n uint64) string { return strconv.FormatUint(n, 10) }
			return [][2]string{
				{"directory", h.state.audit()},
				{"failing", strconv.FormatBool(s.Failing)},
				{"queued", strconv.Itoa(s.Queued)},
				{"accepted", count(s.Accepted)},
				{"stored", count(s.Stored)},
				{"refused", count(s.Refused)},
				{"lost", count(s.Lost)},
				{"last_sync", s.LastSync.String()},
			}
		},
	}
}

// rows are the configuration in force, key by key, without secrets.
func (c *Config) rows() [][2]string {
	raw, err := yaml.Marshal(c)
	if err != nil {
		return [][2]string{{"error", "not printable"}}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil || len(doc.Content) == 0 {
		return [][2]string{{"error", "not printable"}}
	}
	return flatten(nil, "", doc.Content[0])
}

func flatten(rows [][2]string, prefix string, node *yaml.Node) [][2]string {
	if node.Kind == yaml.MappingNode {
		for i := 0; i < len(node.Content); i += 2 {
			key := node.Content[i].Value
			if prefix != "" {
				key = prefix + "." + key
			}
			rows = flatten(rows, key, node.Content[i+1])
		}
		return rows
	}
	if node.Kind == yaml.SequenceNode {
		for i, item := range node.Content {
			rows = flatten(rows, prefix+"["+strconv.Itoa(i)+"]", item)
		}
		return rows
	}
	return append(rows, [2]string{prefix, node.Value})
}

// backend is the way to the warehouse.
func (c *Config) backend() (backend.Config, error) {
	url := c.Warehouse.URL
	network, address := backend.Address(url.Host, url.Port)
	cfg := backend.Config{
		Network: network, Address: address, Host: url.Host,
		Dialect: backend.Dialect(c.Warehouse.Dialect), TLSMode: backend.TLSMode(url.SSLMode()),
		ConnectTimeout: time.Duration(c.Net.ConnectTimeout), KeepAlive: time.Duration(c.Net.Keepalive),
		UserTimeout: time.Duration(c.Net.UserTimeout), CheckInterval: time.Duration(c.Net.CheckInterval),
		ApplicationSuffix: c.Warehouse.ApplicationSuffix,
	}
	if seconds := url.Params["connect_timeout"]; seconds != "" {
		n, err := strconv.ParseUint(seconds, 10, 16)
		if err != nil {
			return cfg, fmt.Errorf("connect_timeout %q is not a number of seconds", seconds)
		}
		cfg.ConnectTimeout = time.Duration(n) * time.Second
	}
	if file := url.Params["sslrootcert"]; file != "" && file != "system" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return cfg, fmt.Errorf("sslrootcert: %w", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return cfg, errors.New("sslrootcert: " + file + " holds no certificate")
		}
	}
	if file := url.Params["sslcert"]; file != "" {
		pair, err := tls.LoadX509KeyPair(file, url.Params["sslkey"])
		if err != nil {
			return cfg, fmt.Errorf("sslcert: %w", err)
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	return cfg, nil
}
