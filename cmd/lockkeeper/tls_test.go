package main

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func TestCertificatesReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := proxytest.Certs(t).Write(t, dir)
	section := tlsConfig{Cert: files.Server, Key: files.ServerKey, ClientCA: files.CA, MinVersion: "1.2"}
	certs, err := newCertificates(section)
	if err != nil {
		t.Fatal(err)
	}
	_, before := certs.get()

	if err := os.WriteFile(files.ServerKey, []byte("not a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := certs.reload(); err == nil {
		t.Error("took a bad key")
	}
	if _, now := certs.get(); !bytes.Equal(before, now) {
		t.Error("the last good certificate is gone")
	}

	proxytest.Certs(t).Write(t, dir)
	if err := certs.reload(); err != nil {
		t.Fatal(err)
	}
	if _, now := certs.get(); bytes.Equal(before, now) {
		t.Error("a renewed certificate is not used")
	}
	if section.mode() != tlsAllow {
		t.Errorf("mode %s", section.mode())
	}
}

// TestPageCertificatesReload: whoever comes to the page after a renewal sees the
// new certificate, as at the door.
func TestPageCertificatesReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	set := proxytest.Certs(t)
	files := set.Write(t, dir)
	h := &house{log: slog.New(slog.DiscardHandler)}
	var err error
	if h.webCerts, err = newCertificates(tlsConfig{Cert: files.Server, Key: files.ServerKey}, "h2", "http/1.1"); err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Minute}
	var group sync.WaitGroup
	group.Go(func() { _ = server.Serve(h.webCerts.listen(plain)) }) // until Close
	defer group.Wait()
	defer server.Close()
	shown := func() []byte {
		conn, err := tls.Dial("tcp", plain.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
			t.Errorf("protocol %q", got)
		}
		return conn.ConnectionState().PeerCertificates[0].Raw
	}
	before := shown()
	proxytest.Certs(t).Write(t, dir)
	items := h.reloadables(nil, pgauth.SaltKey{})
	if len(items) != 1 || items[0].files[0] != files.Server || items[0].files[1] != files.ServerKey {
		t.Fatalf("%d files are reloaded", len(items))
	}
	if err := h.webCerts.reload(); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(before, shown()) {
		t.Error("a renewed certificate is not shown")
	}
}

// TestPageBeyondThisMachine: off loopback people's name for the page is needed,
// under https, and no name that every machine has for itself.
func TestPageBeyondThisMachine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		listen, url string
		good        bool
	}{
		{"127.0.0.1:8080", "", true},
		{"localhost:8080", "", true},
		{"[::1]:8080", "http://localhost:8080", true},
		{"127.0.0.1:8080", "https://lk.example", true}, // a proxy in front
		{"0.0.0.0:8080", "https://lk.example", true},
		{"10.1.2.3:8080", "https://10.1.2.3:8080", true},
		{"0.0.0.0:8080", "", false},
		{":8080", "", false},
		{"10.1.2.3:8080", "", false},
		{"0.0.0.0:8080", "http://lk.example", false},
		{"0.0.0.0:8080", "http://localhost", false},
		{"0.0.0.0:8080", "https://localhost", false},
		{":8080", "https://LocalHost.:8080", false},
		{"10.1.2.3:8080", "https://127.0.0.1:8080", false},
		{"10.1.2.3:8080", "https://[::1]", false},
		{"10.1.2.3:8080", "https://[::ffff:127.0.0.1]", false},
		{"10.1.2.3:8080", "https://0.0.0.0:8080", false},
		{"10.1.2.3:8080", "https://x.localhost", false},
	} {
		w := webConfig{Listen: c.listen, ExternalURL: c.url}
		if err := w.validate(); (err == nil) != c.good {
			t.Errorf("listen %s, external_url %q: %v", c.listen, c.url, err)
		}
	}
}
