package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
)

const (
	tlsOff     = "off"
	tlsAllow   = "allow"
	tlsRequire = "require"
)

// mode is the one asked for, else allow where there is a certificate.
func (t *tlsConfig) mode() string {
	switch {
	case t.Mode != "":
		return t.Mode
	case t.Cert != "":
		return tlsAllow
	default:
		return tlsOff
	}
}

// certificate is the TLS that new connections get: the configuration, and the
// certificate shown, for channel binding.
type certificate struct {
	config *tls.Config
	leaf   []byte
}

// certificates holds the one in force. Connections keep what they began with.
type certificates struct {
	section   tlsConfig
	protocols []string // what is spoken under it, for ALPN
	current   atomic.Pointer[certificate]
}

func newCertificates(section tlsConfig, protocols ...string) (*certificates, error) {
	c := &certificates{section: section, protocols: protocols}
	return c, c.reload()
}

// get is what the server asks for each new connection.
func (c *certificates) get() (*tls.Config, []byte) {
	now := c.current.Load()
	return now.config, now.leaf
}

// listen speaks TLS on a listener, to each new connection with the certificate
// then in force.
func (c *certificates) listen(ln net.Listener) net.Listener {
	return tls.NewListener(ln, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			cfg, _ := c.get()
			return cfg, nil
		},
	})
}

// item is what the reloader does with the files.
func (c *certificates) item(what string, record func(ctx context.Context, what string, files ...string) error) *reloadable {
	return &reloadable{what: what, files: c.files(), reload: func(ctx context.Context) error {
		if err := c.reload(); err != nil {
			return err
		}
		return record(ctx, what, c.files()...)
	}}
}

// reload reads the files again. When they are bad the last good ones stay.
func (c *certificates) reload() error {
	fresh, err := loadTLS(c.section)
	if err != nil {
		return err
	}
	fresh.config.NextProtos = c.protocols
	c.current.Store(fresh)
	return nil
}

// files are what to watch.
func (c *certificates) files() []string {
	files := []string{c.section.Cert, c.section.Key}
	if c.section.ClientCA != "" {
		files = append(files, c.section.ClientCA)
	}
	return files
}

func loadTLS(t tlsConfig) (*certificate, error) {
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	cfg := &tls.Config{
		Certificates: []tls.Certificate{pair},
		MinVersion:   tls.VersionTLS12,
	}
	if t.MinVersion == "1.3" {
		cfg.MinVersion = tls.VersionTLS13
	}
	if t.ClientCA != "" {
		pem, err := os.ReadFile(t.ClientCA)
		if err != nil {
			return nil, err
		}
		cfg.ClientCAs = x509.NewCertPool()
		if !cfg.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New(t.ClientCA + " holds no certificate")
		}
		// Asked of everybody, needed by those whose rule says cert.
		cfg.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return &certificate{config: cfg, leaf: pair.Certificate[0]}, nil
}
