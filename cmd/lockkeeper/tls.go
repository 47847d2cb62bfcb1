package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
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
	section tlsConfig
	current atomic.Pointer[certificate]
}

func newCertificates(section tlsConfig) (*certificates, error) {
	c := &certificates{section: section}
	return c, c.reload()
}

// get is what the server asks for each new connection.
func (c *certificates) get() (*tls.Config, []byte) {
	now := c.current.Load()
	return now.config, now.leaf
}

// reload reads the files again. When they are bad the last good ones stay.
func (c *certificates) reload() error {
	fresh, err := loadTLS(c.section)
	if err != nil {
		return err
	}
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
		NextProtos:   []string{"postgresql"},
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
