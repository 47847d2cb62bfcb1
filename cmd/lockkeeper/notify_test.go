package main

import (
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

func TestNotifySystemd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	log := slog.New(slog.DiscardHandler)
	for _, state := range []string{notifyReady, notifyReloading(), notifyStopping} {
		notifySystemd(log, state)
		buf := make([]byte, 200)
		n, err := conn.Read(buf)
		if err != nil || string(buf[:n]) != state {
			t.Errorf("got %q, %v; want %q", buf[:n], err, state)
		}
	}
	if !strings.Contains(notifyReloading(), "MONOTONIC_USEC=") {
		t.Error("RELOADING without its time")
	}
}
