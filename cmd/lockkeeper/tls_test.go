package main

import (
	"bytes"
	"os"
	"testing"

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
