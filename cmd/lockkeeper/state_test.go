package main

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStateIsForOneServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := openState(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openState(dir); err == nil || !strings.Contains(err.Error(), "another server runs on it") {
		t.Errorf("a second server came in: %v", err)
	}
	salts, err := first.salts()
	if err != nil {
		t.Fatal(err)
	}
	first.close()
	second, err := openState(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer second.close()
	again, err := second.salts()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(salts.Salt("nobody"), again.Salt("nobody")) {
		t.Error("an unknown login's salt changes with a restart: it tells who exists")
	}
	for _, name := range []string{"", "audit", "console"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || name == "console" && info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// ledger is a keeper of quotas that is its text.
type ledger struct {
	text string
	gen  uint64
}

func (l *ledger) ExportQuotas() []byte { return []byte(l.text) }
func (l *ledger) QuotaDirty() uint64   { return l.gen }
func (l *ledger) ImportQuotas(data []byte) error {
	if string(data) == "broken" {
		return errors.New("broken")
	}
	l.text = string(data)
	l.gen++
	return nil
}

func TestQuotasSurvive(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "quotas.json")
	log := slog.New(slog.DiscardHandler)
	before := &quotaFile{path: path, keeper: &ledger{text: "used 7", gen: 1}, log: log}
	if err := before.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := before.save(); err != nil {
		t.Fatal(err)
	}
	after := &ledger{}
	file := &quotaFile{path: path, keeper: after, log: log}
	if err := file.load(t.Context()); err != nil || after.text != "used 7" {
		t.Errorf("got %q, %v", after.text, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := file.save(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("saved although nothing changed")
	}
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := file.load(t.Context()); err != nil {
		t.Errorf("an unreadable file stops the start: %v", err)
	}
	if kept, err := os.ReadFile(path + ".bad"); err != nil || string(kept) != "broken" {
		t.Errorf("the unreadable file is not kept: %q, %v", kept, err)
	}
}

func TestListenRemovesADeadSocket(t *testing.T) {
	t.Parallel()
	address, err := parseListen("unix:" + t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	first, err := address.open(t.Context(), 0o700)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := address.open(t.Context(), 0o700); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("took the socket of a living server: %v", err)
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := address.open(t.Context(), 0o700)
	if err != nil {
		t.Fatalf("a dead server's socket is in the way: %v", err)
	}
	_ = second.Close()
}
