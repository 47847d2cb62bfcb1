package proxytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CertSet is a certificate authority of our own and what it signed.
type CertSet struct {
	CAPEM                   []byte
	ServerPEM, ServerKeyPEM []byte // localhost, 127.0.0.1, ::1
	ClientPEM, ClientKeyPEM []byte // common name "lk_client", unit "analytics"
	CA                      *x509.CertPool
	Server, Client          tls.Certificate
	caCert                  *x509.Certificate
	caKey                   *ecdsa.PrivateKey
}

// Certs makes a new authority, a server's and a client's certificate.
func Certs(tb testing.TB) *CertSet {
	tb.Helper()
	c, err := newCerts()
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// ClientTLS returns a configuration that trusts the authority, expects host
// localhost, and shows the client certificate if asked to.
func (c *CertSet) ClientTLS(showCert bool) *tls.Config {
	cfg := &tls.Config{RootCAs: c.CA, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	if showCert {
		cfg.Certificates = []tls.Certificate{c.Client}
	}
	return cfg
}

// ServerTLS returns a server's configuration that verifies a client
// certificate if one is given.
func (c *CertSet) ServerTLS() *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{c.Server}, ClientCAs: c.CA,
		ClientAuth: tls.VerifyClientCertIfGiven, MinVersion: tls.VersionTLS12,
	}
}

// IssueClient signs a client certificate with another common name.
func (c *CertSet) IssueClient(tb testing.TB, commonName string, units ...string) tls.Certificate {
	tb.Helper()
	_, _, cert, err := c.issue(pkix.Name{CommonName: commonName, OrganizationalUnit: units}, nil, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return cert
}

// CertFiles are the paths of a written CertSet.
type CertFiles struct{ CA, Server, ServerKey, Client, ClientKey string }

// Write puts the set into dir as files, as flags and drivers want them.
func (c *CertSet) Write(tb testing.TB, dir string) CertFiles {
	tb.Helper()
	put := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			tb.Fatal(err)
		}
		return path
	}
	return CertFiles{
		CA: put("ca.crt", c.CAPEM), Server: put("server.crt", c.ServerPEM), ServerKey: put("server.key", c.ServerKeyPEM),
		Client: put("client.crt", c.ClientPEM), ClientKey: put("client.key", c.ClientKeyPEM),
	}
}

func newCerts() (*CertSet, error) {
	c := &CertSet{CA: x509.NewCertPool()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	tmpl := template(pkix.Name{CommonName: "Lockkeeper test authority"})
	tmpl.IsCA, tmpl.BasicConstraintsValid, tmpl.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("sign authority: %w", err)
	}
	if c.caCert, err = x509.ParseCertificate(der); err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	c.caKey = key
	c.CA.AddCert(c.caCert)
	c.CAPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	loopback := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if c.ServerPEM, c.ServerKeyPEM, c.Server, err = c.issue(pkix.Name{CommonName: "localhost"}, []string{"localhost"}, loopback); err != nil {
		return nil, err
	}
	c.ClientPEM, c.ClientKeyPEM, c.Client, err = c.issue(pkix.Name{CommonName: "lk_client", OrganizationalUnit: []string{"analytics"}}, nil, nil)
	return c, err
}

func (c *CertSet) issue(name pkix.Name, hosts []string, ips []net.IP) (certPEM, keyPEM []byte, cert tls.Certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, cert, fmt.Errorf("make key: %w", err)
	}
	tmpl := template(name)
	tmpl.DNSNames, tmpl.IPAddresses = hosts, ips
	tmpl.KeyUsage = x509.KeyUsageDigitalSignature
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, c.caCert, &key.PublicKey, c.caKey)
	if err != nil {
		return nil, nil, cert, fmt.Errorf("sign certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, cert, fmt.Errorf("encode key: %w", err)
	}
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	cert, err = tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, nil, cert, fmt.Errorf("pair key: %w", err)
	}
	return certPEM, keyPEM, cert, nil
}

func template(name pkix.Name) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	now := time.Now()
	return &x509.Certificate{SerialNumber: serial, Subject: name, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(48 * time.Hour)}
}
