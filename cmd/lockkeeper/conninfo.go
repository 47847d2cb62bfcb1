package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/jackc/pgpassfile"
	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// conninfo is a postgres:// URL taken apart. Its password never shows.
type conninfo struct {
	User, Host, Port, Database string
	Password                   pgauth.Secret
	Params                     map[string]string // sslmode, sslrootcert, sslcert, sslkey, connect_timeout
}

// connParams are the parameters a warehouse URL may carry.
func connParams() []string {
	return []string{"sslmode", "sslrootcert", "sslcert", "sslkey", "connect_timeout", "host"}
}

// parseConninfo never repeats the URL in an error: it may hold a password.
func parseConninfo(raw string) (conninfo, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return conninfo{}, errors.New("not a URL such as postgres://user@host:5432/db?sslmode=verify-full")
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" && u.Scheme != "redshift" {
		return conninfo{}, fmt.Errorf("the URL begins with %q, not with postgres://", u.Scheme+":")
	}
	info := conninfo{Host: u.Hostname(), Port: u.Port(), Database: strings.TrimPrefix(u.Path, "/"), Params: map[string]string{}}
	if u.User != nil {
		info.User = u.User.Username()
		password, _ := u.User.Password()
		info.Password = pgauth.NewSecret(password)
	}
	for key, values := range u.Query() {
		if !slices.Contains(connParams(), key) {
			return conninfo{}, fmt.Errorf("unknown parameter %q in the URL (known: %s)", key, strings.Join(connParams(), ", "))
		}
		info.Params[key] = values[len(values)-1]
	}
	if host := info.Params["host"]; host != "" {
		info.Host = host // a socket directory has no place in the URL's host
		delete(info.Params, "host")
	}
	if info.Host == "" {
		info.Host = "localhost"
	}
	if info.Port == "" {
		info.Port = "5432"
		if u.Scheme == "redshift" {
			info.Port = "5439"
		}
	}
	return info, nil
}

// UnmarshalYAML reads the URL.
func (c *conninfo) UnmarshalYAML(node *yaml.Node) error {
	if node.Value == "" {
		return nil
	}
	parsed, err := parseConninfo(node.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", node.Line, err)
	}
	*c = parsed
	return nil
}

// IsZero says that no URL was given.
func (c conninfo) IsZero() bool { return c.Host == "" }

// Local says that the server is on this machine.
func (c conninfo) Local() bool {
	if strings.HasPrefix(c.Host, "/") || c.Host == "localhost" {
		return true
	}
	ip := net.ParseIP(c.Host)
	return ip != nil && ip.IsLoopback()
}

// SSLMode is the one asked for, else verify-full for another host and prefer for this one.
func (c conninfo) SSLMode() string {
	switch mode := c.Params["sslmode"]; {
	case mode != "":
		return mode
	case c.Local():
		return "prefer"
	default:
		return "verify-full"
	}
}

// Address is host and port as people write them.
func (c conninfo) Address() string { return net.JoinHostPort(c.Host, c.Port) }

// String is the URL without its password.
func (c conninfo) String() string {
	if c.IsZero() {
		return ""
	}
	return c.url(false)
}

// DSN is the URL with its password, for pgx.
func (c conninfo) DSN() string { return c.url(true) }

func (c conninfo) url(withPassword bool) string {
	u := url.URL{Scheme: "postgres", Path: "/" + c.Database}
	query := url.Values{}
	if strings.HasPrefix(c.Host, "/") {
		query.Set("host", c.Host)
		query.Set("port", c.Port)
	} else {
		u.Host = c.Address()
	}
	switch {
	case withPassword && !c.Password.IsZero():
		u.User = url.UserPassword(c.User, c.Password.Reveal())
	case c.User != "":
		u.User = url.User(c.User)
	}
	for key, value := range c.Params {
		query.Set(key, value)
	}
	if withPassword {
		query.Set("sslmode", c.SSLMode())
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// MarshalText is String.
func (c conninfo) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// findPassword fills an empty password from its file, else from PGPASSFILE.
func (c *conninfo) findPassword(file string) error {
	if c.IsZero() || !c.Password.IsZero() {
		return nil
	}
	if file != "" {
		secret, err := readSecret(file)
		c.Password = secret
		return err
	}
	path := os.Getenv("PGPASSFILE")
	if path == "" {
		return nil
	}
	passfile, err := pgpassfile.ReadPassfile(path)
	if err != nil {
		return fmt.Errorf("read PGPASSFILE: %w", err)
	}
	c.Password = pgauth.NewSecret(passfile.FindPassword(c.Host, c.Port, c.Database, c.User))
	return nil
}

// readSecret reads a file that holds one secret and perhaps a line end. A file
// that others may read is refused, as libpq refuses its password file.
func readSecret(path string) (pgauth.Secret, error) {
	info, err := os.Stat(path)
	if err != nil {
		return pgauth.Secret{}, err
	}
	if info.Mode().Perm()&0o077 != 0 && info.Mode().IsRegular() {
		return pgauth.Secret{}, fmt.Errorf("%s can be read by others: chmod 600 %s", path, path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return pgauth.Secret{}, err
	}
	return pgauth.NewSecret(strings.TrimRight(string(raw), "\r\n")), nil
}
